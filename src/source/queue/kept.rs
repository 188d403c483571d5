//! One connection, made when somebody needs it, kept for all who come after, and made anew after
//! a failure or when the credentials changed.

use super::login::Login;
use super::{Failed, Protocol, Question, QueueServer};
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;

/// The connection to one server.
pub(super) struct Kept<P: Protocol> {
    protocol: P,
    slot: Mutex<Option<Arc<Held<P::Connection>>>>,
}

struct Held<C> {
    connection: C,
    login: Login,
    /// Nobody takes it any more.
    is_broken: AtomicBool,
}

/// Marks a connection as broken unless the question was answered: also when whoever asked gave up
/// waiting, since a connection that hangs would hang for the next one too.
struct Doubt<'h> {
    is_broken: &'h AtomicBool,
    is_cleared: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.is_cleared {
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }
}

impl<P: Protocol> Kept<P> {
    pub(super) fn new(protocol: P) -> Self {
        Self { protocol, slot: Mutex::new(None) }
    }

    /// Asks once, or twice when a connection that was kept turns out to be broken: the server may
    /// have been restarted since.
    pub(super) async fn ask(
        &self,
        server: &QueueServer,
        login: &Login,
        asked: (&Question, Timestamp),
    ) -> Result<f64, Failed> {
        let (held, is_new) = self.held(server, login).await?;
        match self.ask_over(&held, asked).await {
            Err(Failed::Connection(_)) if !is_new => {
                let (held, _) = self.held(server, login).await?;
                self.ask_over(&held, asked).await
            }
            answer => answer,
        }
    }

    async fn ask_over(
        &self,
        held: &Held<P::Connection>,
        (question, at): (&Question, Timestamp),
    ) -> Result<f64, Failed> {
        let mut doubt = Doubt { is_broken: &held.is_broken, is_cleared: false };
        let answer = self.protocol.ask(&held.connection, question, at).await;
        doubt.is_cleared = matches!(answer, Ok(_) | Err(Failed::Answer(_)));
        answer
    }

    /// The connection, and whether it was made just now. Whoever comes while it is being made
    /// waits, so that a server that is back is not run over.
    async fn held(
        &self,
        server: &QueueServer,
        login: &Login,
    ) -> Result<(Arc<Held<P::Connection>>, bool), Failed> {
        let mut slot = self.slot.lock().await;
        let is_good = |it: &&Arc<Held<P::Connection>>| {
            !it.is_broken.load(Ordering::Relaxed) && it.login == *login
        };
        if let Some(held) = slot.as_ref().filter(is_good) {
            return Ok((Arc::clone(held), false));
        }
        *slot = None;
        let connection = self.protocol.connect(server, login).await?;
        let is_broken = AtomicBool::new(false);
        let held = Arc::new(Held { connection, login: login.clone(), is_broken });
        *slot = Some(Arc::clone(&held));
        Ok((held, true))
    }
}

impl<P: Protocol> fmt::Debug for Kept<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

#[cfg(test)]
mod tests;
