//! SCRAM: a login in which neither side shows the password (RFC 5802, RFC 7677), as a Kafka has it.

use crate::policy::queue::kafka::Mechanism;
use crate::source::ReadError;
use crate::source::queue::Failed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// How often a Kafka lets the password be hashed, at least and at most (its `ScramMechanism`).
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=16_384;
/// Of the client's own part of the nonce.
const NONCE_BYTES: usize = 18;
/// `n,,` in base 64: no binding to a channel, and for nobody else.
const NO_BINDING: &str = "biws";

/// One login.
pub(super) struct Scram<'p> {
    hash: Hash,
    password: &'p str,
    nonce: String,
    /// What was sent first, without its head.
    first: String,
}

/// What the server has to have signed in the end, and with what.
pub(super) struct Expected {
    key: hmac::Key,
    said: String,
}

#[derive(Clone, Copy)]
struct Hash {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

impl Hash {
    fn of(mechanism: Mechanism) -> Option<Self> {
        match mechanism {
            Mechanism::Plain | Mechanism::OauthBearer => None,
            Mechanism::ScramSha256 => Some(Self {
                digest: &digest::SHA256,
                hmac: hmac::HMAC_SHA256,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256,
            }),
            Mechanism::ScramSha512 => Some(Self {
                digest: &digest::SHA512,
                hmac: hmac::HMAC_SHA512,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512,
            }),
        }
    }

    fn sign(self, key: &[u8], text: &str) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.hmac, key), text.as_bytes())
    }
}

impl<'p> Scram<'p> {
    /// A login with a nonce of its own; `None` for a mechanism that is none of SCRAM's.
    pub(super) fn new(mechanism: Mechanism, name: &str, password: &'p str) -> Option<Self> {
        let mut nonce = [0; NONCE_BYTES];
        SystemRandom::new().fill(&mut nonce).ok()?;
        Self::with_nonce(mechanism, (name, password), BASE64.encode(nonce))
    }

    fn with_nonce(
        mechanism: Mechanism,
        (name, password): (&str, &'p str),
        nonce: String,
    ) -> Option<Self> {
        let name = name.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n={name},r={nonce}");
        Some(Self { hash: Hash::of(mechanism)?, password, nonce, first })
    }

    /// What the client says first.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// What the client says to the server's answer, and what the server has to say to that.
    pub(super) fn last(&self, answer: &[u8]) -> Result<(String, Expected), Failed> {
        let strange = || Failed::not_understood("its part of the login is not SCRAM");
        let answer = std::str::from_utf8(answer).map_err(|_| strange())?;
        let nonce = attribute(answer, 'r').filter(|it| it.starts_with(&self.nonce));
        let salt = attribute(answer, 's').and_then(|it| BASE64.decode(it).ok());
        let iterations = attribute(answer, 'i').and_then(|it| it.parse().ok());
        let iterations = iterations.filter(|it| ITERATIONS.contains(it)).and_then(NonZeroU32::new);
        let nonce = nonce.ok_or_else(strange)?;
        let (salt, iterations) = salt.zip(iterations).ok_or_else(strange)?;
        let mut salted = vec![0; self.hash.digest.output_len()];
        pbkdf2::derive(self.hash.pbkdf2, iterations, &salt, self.password.as_bytes(), &mut salted);
        let client_key = self.hash.sign(&salted, "Client Key");
        let stored = digest::digest(self.hash.digest, client_key.as_ref());
        let without_proof = format!("c={NO_BINDING},r={nonce}");
        let said = format!("{},{answer},{without_proof}", self.first);
        let signature = self.hash.sign(stored.as_ref(), &said);
        let proof: Vec<u8> =
            client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, it)| key ^ it).collect();
        let server_key = self.hash.sign(&salted, "Server Key");
        let key = hmac::Key::new(self.hash.hmac, server_key.as_ref());
        Ok((format!("{without_proof},p={}", BASE64.encode(proof)), Expected { key, said }))
    }
}

impl Expected {
    /// Whether the server knows the password, too.
    pub(super) fn check(&self, answer: &[u8]) -> Result<(), Failed> {
        let signature = std::str::from_utf8(answer).ok().and_then(|it| attribute(it, 'v'));
        let signature = signature.and_then(|it| BASE64.decode(it).ok()).unwrap_or_default();
        if hmac::verify(&self.key, self.said.as_bytes(), &signature).is_ok() {
            return Ok(());
        }
        let problem = "the server does not know the password that it asks for".to_owned();
        Err(Failed::Credentials(ReadError::Denied(problem)))
    }
}

/// `x` of `a=1,x=2`.
fn attribute(text: &str, name: char) -> Option<&str> {
    text.split(',').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const ANSWER: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn login() -> Scram<'static> {
        let user = ("user", "pencil");
        Scram::with_nonce(Mechanism::ScramSha256, user, NONCE.to_owned()).unwrap()
    }

    /// RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_rfc_is_spoken() {
        let login = login();
        assert_eq!(login.first(), format!("n,,n=user,r={NONCE}"));
        let Ok((said, expected)) = login.last(ANSWER.as_bytes()) else { panic!() };
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(said, format!("c=biws,r={nonce},p={proof}"));
        assert!(expected.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_ok());
        for forged in ["v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=", "", "e=other-error"]
        {
            assert!(expected.check(forged.as_bytes()).is_err(), "{forged}");
        }
    }

    #[test]
    fn an_answer_that_is_not_to_the_question_or_asks_for_much_work_is_refused() {
        for (from, to) in [
            ("r=rOpr", "r=other"),
            ("s=W22Z", "s=*"),
            ("i=4096", "i=1"),
            ("i=4096", "i=1000000"),
            ("i=4096", ""),
        ] {
            assert!(login().last(ANSWER.replace(from, to).as_bytes()).is_err(), "{to}");
        }
        assert!(login().last(&[0xff]).is_err());
    }

    #[test]
    fn a_name_with_signs_of_the_protocol_is_escaped_and_a_nonce_is_new() {
        let user = ("a=b,c", "x");
        let login = Scram::new(Mechanism::ScramSha512, user.0, user.1).unwrap();
        assert!(login.first().starts_with("n,,n=a=3Db=2Cc,r="), "{}", login.first());
        let other = Scram::new(Mechanism::ScramSha512, user.0, user.1).unwrap();
        assert_ne!(login.first(), other.first());
        assert!(Scram::new(Mechanism::Plain, user.0, user.1).is_none());
    }
}
