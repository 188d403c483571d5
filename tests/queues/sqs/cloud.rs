//! What AWS answers to whoever has no access key: STS, the agent of a pod, the node's metadata
//! service, and an SQS that takes the keys that these have given, until they expire. The shapes are
//! those of AWS' API references and user guides.

use super::signature::{Received, check};
use super::{attributes, headers_of, is_recent};
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

pub(super) const IDENTITY: &str = "ey.hidden-identity";
pub(super) const AGENT_TOKEN: &str = "hidden-agent-token";
pub(super) const NODE_TOKEN: &str = "hidden-node-token";
pub(super) const POD_ROLE: &str = "arn:aws:iam::123456789012:role/foresail";
pub(super) const JOBS_ROLE: &str = "arn:aws:iam::123456789012:role/jobs";

/// A running AWS of one account.
#[derive(Clone)]
pub(super) struct Cloud {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    /// How long keys are good that are given from now on.
    lifetime: Duration,
    /// Whether nobody gives keys any more.
    gives_none: bool,
    /// By their ids.
    keys: BTreeMap<String, Given>,
    /// Who gave keys, in order.
    given: Vec<&'static str>,
    /// How often SQS was asked with keys that it did not take.
    refused: usize,
    /// Parameters that STS was asked with last.
    asked: BTreeMap<String, String>,
}

struct Given {
    secret: String,
    session: String,
    until: Timestamp,
}

impl Cloud {
    pub(super) async fn start(lifetime: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            lifetime,
            gives_none: false,
            keys: BTreeMap::new(),
            given: Vec::new(),
            refused: 0,
            asked: BTreeMap::new(),
        };
        let cloud = Self { address, state: Arc::new(Mutex::new(state)) };
        let shared = cloud.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let cloud = shared.clone();
                let service = service_fn(move |request| cloud.clone().answer(request));
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        cloud
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn gives_none(&self, gives_none: bool) {
        self.state.lock().unwrap().gives_none = gives_none;
    }

    /// From now on nobody takes the keys that were given.
    pub(super) fn forgets_keys(&self) {
        self.state.lock().unwrap().keys.clear();
    }

    pub(super) fn given(&self) -> Vec<&'static str> {
        self.state.lock().unwrap().given.clone()
    }

    pub(super) fn refused(&self) -> usize {
        self.state.lock().unwrap().refused
    }

    pub(super) fn asked(&self, parameter: &str) -> Option<String> {
        self.state.lock().unwrap().asked.get(parameter).cloned()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let headers = headers_of(&head);
        let header = |name: &str| headers.get(name).map(String::as_str).unwrap_or_default();
        let received = Received {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &headers,
            body: &body,
        };
        let roles = "/latest/meta-data/iam/security-credentials/";
        let (status, text) = match (received.method, received.path) {
            ("POST", "/") => self.sqs(&received),
            (_, _) if self.state.lock().unwrap().gives_none => (503, String::new()),
            ("POST", "/sts/") => self.sts(&received),
            ("GET", "/agent") if header("authorization") == AGENT_TOKEN => {
                (200, self.json("agent"))
            }
            ("PUT", "/latest/api/token") => {
                let seconds = header("x-aws-ec2-metadata-token-ttl-seconds").parse::<u32>();
                seconds.map_or((400, String::new()), |_| (200, NODE_TOKEN.to_owned()))
            }
            // The first version of the service would answer without a token.
            ("GET", path) if header("x-aws-ec2-metadata-token") == NODE_TOKEN => {
                match path.strip_prefix(roles) {
                    Some("") => (200, "node-role".to_owned()),
                    Some("node-role") => (200, self.json("node")),
                    _ => (404, String::new()),
                }
            }
            _ => (401, String::new()),
        };
        // How long a node's token is good: as long as was asked for.
        let lasting = "x-aws-ec2-metadata-token-ttl-seconds";
        let seconds = header(lasting);
        let response = Response::builder().status(status).header(lasting, seconds);
        Ok(response.body(text.into()).unwrap())
    }

    fn give(&self, whose: &'static str) -> (String, String, String, String) {
        let mut state = self.state.lock().unwrap();
        state.given.push(whose);
        let number = state.given.len();
        let [id, secret, session] =
            ["ASIA", "hidden/Secret+", "hidden-Session=="].map(|it| format!("{it}{whose}{number}"));
        let until = Timestamp::now() + state.lifetime;
        let given = Given { secret: secret.clone(), session: session.clone(), until };
        state.keys.insert(id.clone(), given);
        (id, secret, session, until.to_string())
    }

    /// As the agent and the metadata service tell keys.
    fn json(&self, whose: &'static str) -> String {
        let (id, secret, session, until) = self.give(whose);
        let keys = json!({
            "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC",
            "AccessKeyId": id, "SecretAccessKey": secret, "Token": session, "Expiration": until,
        });
        keys.to_string()
    }

    fn sts(&self, received: &Received<'_>) -> (u16, String) {
        let body = String::from_utf8(received.body.to_vec()).unwrap();
        let decoded =
            |it: &str| percent_encoding::percent_decode_str(it).decode_utf8().unwrap().into_owned();
        let pairs = body.split('&').filter_map(|it| it.split_once('='));
        let asked: BTreeMap<String, String> =
            pairs.map(|(name, text)| (decoded(name), decoded(text))).collect();
        self.state.lock().unwrap().asked.clone_from(&asked);
        let of = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        let (action, role) = (of("Action"), of("RoleArn"));
        let (whose, is_good) = match action {
            "AssumeRoleWithWebIdentity" => {
                ("identity", of("WebIdentityToken") == IDENTITY && role == POD_ROLE)
            }
            _ => {
                let caller = self.caller(received, "sts");
                ("role", caller.is_ok() && role == JOBS_ROLE)
            }
        };
        if !is_good || of("Version") != "2011-06-15" {
            let error = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User is not \
                         authorized to perform: sts:AssumeRole</Message></Error>";
            return (403, format!("<ErrorResponse>{error}</ErrorResponse>"));
        }
        let (id, secret, session, until) = self.give(whose);
        let keys = format!(
            "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{session}</SessionToken><Expiration>{until}</Expiration></Credentials>"
        );
        let of = "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";
        let text = format!(
            "<{action}Response {of}><{action}Result>{keys}</{action}Result></{action}Response>"
        );
        (200, text)
    }

    /// Whose keys signed a request, if they are good.
    fn caller(&self, received: &Received<'_>, service: &str) -> Result<String, &'static str> {
        let state = self.state.lock().map_err(|_| "InternalFailure")?;
        let shown = received.headers.get("authorization").ok_or("MissingAuthenticationToken")?;
        let known = state.keys.iter().find(|(id, _)| shown.contains(&format!("Credential={id}/")));
        let (id, given) = known.ok_or("UnrecognizedClientException")?;
        let signed = check(received, &given.secret).and_then(is_recent);
        let signed = signed.map_err(|_| "InvalidSignatureException")?;
        let has_session = received.headers.get("x-amz-security-token") == Some(&given.session);
        if !has_session || signed.service != service || signed.region != "eu-central-1" {
            return Err("InvalidSignatureException");
        }
        if given.until < Timestamp::now() { Err("ExpiredTokenException") } else { Ok(id.clone()) }
    }

    fn sqs(&self, received: &Received<'_>) -> (u16, String) {
        match self.caller(received, "sqs") {
            Ok(_) => {
                let asked = serde_json::from_slice(received.body).unwrap();
                let (status, answer) = attributes(received.headers, &asked);
                (status, answer.to_string())
            }
            Err(kind) => {
                self.state.lock().unwrap().refused += 1;
                // A server that is not careful repeats what it was shown.
                let session = received.headers.get("x-amz-security-token");
                let kind = format!("com.amazon.coral.service#{kind}");
                (403, json!({"__type": kind, "message": session}).to_string())
            }
        }
    }
}
