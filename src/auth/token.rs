//! The bearer token of the standalone mode, read again when its file changes.

use crate::auth::bearer::after_scheme;
use crate::auth::{AuthError, Stranger};
use crate::domain::error_chain::ErrorChain;
use crate::domain::identity::User;
use http::{HeaderMap, header};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use subtle::ConstantTimeEq;
use tracing::{info, warn};

/// Shorter tokens can be guessed.
const TOKEN_BYTES_MIN: usize = 16;
/// Longer ones do not fit into a request's headers beside the rest.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// The token that opens a standalone door.
pub struct Token {
    path: PathBuf,
    current: RwLock<Vec<u8>>,
    /// The last complaint, so that it is logged once.
    fault: Mutex<Option<String>>,
}

impl Token {
    /// Reads the first token.
    ///
    /// # Errors
    /// `AuthError` if the file cannot be read or holds none.
    pub fn load(path: PathBuf) -> Result<Arc<Self>, AuthError> {
        let current = RwLock::new(read(&path)?);
        Ok(Arc::new(Self { path, current, fault: Mutex::new(None) }))
    }

    /// Reads the file again; true if the token is another one now. An unusable file leaves the
    /// last good token in force. Blocks while it reads, and logs a change of state.
    pub fn reload_once(&self) -> bool {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&self.path) {
            Ok(token) => {
                if fault.take().is_some() {
                    info!("the token file is usable again");
                }
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                let changed = *current != token;
                if changed {
                    info!("the bearer token was replaced");
                    *current = token;
                }
                changed
            }
            Err(error) => {
                let text = ErrorChain(&error).to_string();
                if fault.as_ref() != Some(&text) {
                    warn!(error = %text, "cannot use the token file; the last good token stays");
                    *fault = Some(text);
                }
                false
            }
        }
    }

    /// The user, if the headers carry the token once.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<User, Stranger> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Stranger::NoToken);
        };
        let sent = after_scheme(value.as_bytes()).ok_or(Stranger::NoToken)?;
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if bool::from(sent.ct_eq(current.as_slice())) {
            Ok(User {
                name: "standalone".to_owned(),
                uid: None,
                groups: Vec::new(),
                extra: BTreeMap::new(),
            })
        } else {
            Err(Stranger::WrongToken)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AuthError> {
    let unreadable = |cause| AuthError::Unreadable { path: path.into(), cause };
    let unusable = |problem| AuthError::Unusable { path: path.into(), problem };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let bytes_max = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > TOKEN_BYTES_MAX {
        return Err(unusable(format!("it has more than {TOKEN_BYTES_MAX} bytes")));
    }
    let token = bytes.trim_ascii();
    if token.len() < TOKEN_BYTES_MIN {
        return Err(unusable(format!("the token has fewer than {TOKEN_BYTES_MIN} bytes")));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err(unusable("the token is not one word of visible characters".to_owned()));
    }
    Ok(token.to_vec())
}

impl fmt::Debug for Token {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::peer::Peer;
    use crate::auth::{Door, Now};
    use crate::domain::identity::Attributes;
    use jiff::Timestamp;
    use std::time::Instant;

    #[tokio::test]
    async fn a_standalone_door_opens_to_its_token_only_and_follows_the_file() {
        const FIRST: &str = "0123456789abcdef";
        const SECOND: &str = "fedcba9876543210";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, format!("  {FIRST}\n")).unwrap();
        let token = Token::load(file.clone()).unwrap();
        let door = Door::standalone(Arc::clone(&token));
        let ask = async |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            let wish = Attributes::Path { verb: "get".into(), path: "/x".into() };
            let now = Now { instant: Instant::now(), time: Timestamp::UNIX_EPOCH };
            let admitted = door.admit(&Peer::default(), &headers, &wish, now).await;
            admitted.map(|user| user.name).map_err(|refusal| refusal.to_string())
        };
        let good = format!("Bearer {FIRST}");
        let no_token = "not authenticated: no bearer token was sent".to_owned();
        let wrong = "not authenticated: the bearer token is wrong".to_owned();
        assert_eq!(ask(&[&good]).await, Ok("standalone".to_owned()));
        assert_eq!(ask(&[&format!("bearer {FIRST}")]).await, Ok("standalone".to_owned()));
        assert_eq!(ask(&[]).await, Err(no_token.clone()));
        assert_eq!(ask(&["Basic eDp5"]).await, Err(no_token.clone()));
        assert_eq!(ask(&["Bear"]).await, Err(no_token.clone()));
        assert_eq!(ask(&[&good, &good]).await, Err(no_token));
        assert_eq!(ask(&["Bearer "]).await, Err(wrong.clone()));
        assert_eq!(ask(&[&format!("Bearer {FIRST}x")]).await, Err(wrong.clone()));
        assert_eq!(ask(&[&format!("Bearer {SECOND}")]).await, Err(wrong.clone()));

        assert!(!token.reload_once());
        std::fs::write(&file, SECOND).unwrap();
        assert!(token.reload_once());
        assert_eq!(ask(&[&format!("Bearer {SECOND}")]).await, Ok("standalone".to_owned()));
        assert_eq!(ask(&[&good]).await, Err(wrong));
        for unusable in ["", "   \n", "short", "two words of sufficient length", &"x".repeat(5_000)]
        {
            std::fs::write(&file, unusable).unwrap();
            assert!(!token.reload_once());
            assert_eq!(ask(&[&format!("Bearer {SECOND}")]).await, Ok("standalone".to_owned()));
        }
        assert!(Token::load(file).is_err());
        assert!(!format!("{token:?}").contains(SECOND));
    }
}
