//! When a connection is kept and when it is made anew, with a server that does as it is told.

use super::*;
use crate::policy::queue::reach::Reach;
use crate::policy::queue::{Credentials, Place};
use crate::source::ReadError;
use std::sync::Mutex as StdMutex;
use std::time::Duration;

/// Connects always; each ask does what is next in the list, and is good at its end.
#[derive(Default)]
struct Told {
    connects: StdMutex<u32>,
    next: StdMutex<Vec<Next>>,
}

enum Next {
    Break,
    Refuse,
    Hang,
}

impl Protocol for Told {
    type Connection = u32;

    async fn connect(&self, _: &QueueServer, _: &Login) -> Result<u32, Failed> {
        let mut connects = self.connects.lock().unwrap();
        *connects += 1;
        Ok(*connects)
    }

    async fn ask(&self, connection: &u32, _: &Question, _: Timestamp) -> Result<f64, Failed> {
        let next = self.next.lock().unwrap().pop();
        match next {
            None => Ok(f64::from(*connection)),
            Some(Next::Break) => Err(Failed::Connection(ReadError::Unreachable("gone".into()))),
            Some(Next::Refuse) => Err(Failed::Answer(ReadError::Empty("no queue".into()))),
            Some(Next::Hang) => std::future::pending().await,
        }
    }
}

fn server() -> QueueServer {
    let place = Place::Nats { url: "http://nats:8222".into() };
    QueueServer {
        place,
        credentials: Credentials::new(),
        timeout: Duration::from_secs(1),
        reach: Reach::Anywhere,
    }
}

fn question() -> Question {
    Question::RedisLength { key: "jobs".into() }
}

/// Which connection answered.
async fn answer(kept: &Kept<Told>) -> Option<f64> {
    kept.ask(&server(), &Login::default(), (&question(), Timestamp::UNIX_EPOCH)).await.ok()
}

#[tokio::test]
async fn a_connection_is_kept_until_it_breaks_and_then_made_once() {
    let kept = Kept::new(Told::default());
    assert_eq!(answer(&kept).await, Some(1.0));
    assert_eq!(answer(&kept).await, Some(1.0));
    kept.protocol.next.lock().unwrap().push(Next::Break);
    assert_eq!(answer(&kept).await, Some(2.0), "asked again over a new one");
    kept.protocol.next.lock().unwrap().extend([Next::Break, Next::Break]);
    assert_eq!(answer(&kept).await, None, "a new one that breaks too is the server's doing");
    assert_eq!(answer(&kept).await, Some(4.0));
}

#[tokio::test]
async fn an_answer_that_is_an_error_leaves_the_connection_alone() {
    let kept = Kept::new(Told::default());
    kept.protocol.next.lock().unwrap().push(Next::Refuse);
    assert_eq!(answer(&kept).await, None);
    assert_eq!(answer(&kept).await, Some(1.0));
}

#[tokio::test]
async fn nobody_takes_a_connection_on_which_somebody_gave_up() {
    let kept = Kept::new(Told::default());
    kept.protocol.next.lock().unwrap().push(Next::Hang);
    let waited = tokio::time::timeout(Duration::from_millis(10), answer(&kept)).await;
    assert!(waited.is_err());
    assert_eq!(answer(&kept).await, Some(2.0));
}
