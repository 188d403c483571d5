//! An API server on loopback that keeps objects, answers reviews as the test's users have it, and
//! remembers what it was asked. Real ones run in the cluster test; this one is there at once.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use futures::StreamExt;
use http::{Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// A running API server; it ends with the test.
#[derive(Debug)]
pub(crate) struct Kube {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    /// By the path of each.
    objects: Mutex<BTreeMap<String, Value>>,
    version: Mutex<u64>,
    reviews: Mutex<Vec<Value>>,
    changes: broadcast::Sender<(String, Value)>,
    token_owner: fn(&str) -> Value,
    allows: fn(&str) -> bool,
}

impl Kube {
    /// Serves; `token_owner` is the status of a TokenReview, `allows` says which users may.
    pub(crate) async fn start(token_owner: fn(&str) -> Value, allows: fn(&str) -> bool) -> Self {
        let state = Arc::new(State {
            objects: Mutex::default(),
            version: Mutex::new(0),
            reviews: Mutex::default(),
            changes: broadcast::channel(64).0,
            token_owner,
            allows,
        });
        let shared = Arc::clone(&state);
        let router =
            Router::new().fallback(async move |request: Request| shared.answer(request).await);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = TowerToHyperService::new(router.clone());
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    // Clients of these tests go away without a word.
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, state, server }
    }

    /// Puts an object there and tells whoever watches.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.state.keep(path, object);
    }

    /// The object there now.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.state.objects.lock().unwrap().get(path).cloned()
    }

    /// The questions that were asked in reviews since the last call: their specs.
    pub(crate) fn reviews(&self) -> Vec<Value> {
        std::mem::take(&mut *self.state.reviews.lock().unwrap())
    }
}

impl Drop for Kube {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn keep(&self, path: &str, mut object: Value) -> Value {
        let mut version = self.version.lock().unwrap();
        *version += 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        self.objects.lock().unwrap().insert(path.to_owned(), object.clone());
        // Nobody may be watching.
        drop(self.changes.send((path.to_owned(), object.clone())));
        object
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        if query.contains("watch=true") {
            return self.watch(&path);
        }
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match parts.method {
            Method::GET => self.read(&path, query),
            Method::POST if path.ends_with("reviews") => self.review(&path, body),
            Method::POST => {
                let name = body["metadata"]["name"].as_str().unwrap_or_default();
                let path = format!("{path}/{name}");
                if self.objects.lock().unwrap().contains_key(&path) {
                    return status(StatusCode::CONFLICT);
                }
                answered(&self.keep(&path, body))
            }
            Method::PUT | Method::PATCH => self.write(&path, body, parts.method == Method::PUT),
            _ => status(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    fn review(&self, path: &str, mut body: Value) -> Response<Body> {
        self.reviews.lock().unwrap().push(body["spec"].clone());
        body["status"] = if path.ends_with("tokenreviews") {
            (self.token_owner)(body["spec"]["token"].as_str().unwrap_or_default())
        } else {
            let user = body["spec"]["user"].as_str().unwrap_or_default();
            json!({"allowed": (self.allows)(user)})
        };
        answered(&body)
    }

    /// A list where the path is one of a collection that has objects, else an object.
    fn read(&self, path: &str, query: &str) -> Response<Body> {
        let objects = self.objects.lock().unwrap();
        if let Some(object) = objects.get(path) {
            return answered(object);
        }
        let name =
            query.split('&').find_map(|it| it.strip_prefix("fieldSelector=metadata.name%3D"));
        let of_path = |it: &String| {
            it.strip_prefix(path).is_some_and(|rest| match (rest.strip_prefix('/'), name) {
                (Some(found), Some(name)) => found == name,
                (Some(found), None) => !found.contains('/'),
                (None, _) => false,
            })
        };
        let items: Vec<&Value> =
            objects.iter().filter(|(path, _)| of_path(path)).map(|(_, it)| it).collect();
        if items.is_empty() {
            return status(StatusCode::NOT_FOUND);
        }
        let version = self.version.lock().unwrap().to_string();
        answered(&json!({"apiVersion": "v1", "kind": "List",
            "metadata": {"resourceVersion": version}, "items": items}))
    }

    /// Replaces what has the version that the writer knows, or merges into what is there.
    fn write(&self, path: &str, body: Value, is_whole: bool) -> Response<Body> {
        let Some(mut object) = self.objects.lock().unwrap().get(path).cloned() else {
            return status(StatusCode::NOT_FOUND);
        };
        if !is_whole {
            merge(&mut object, body);
            return answered(&self.keep(path, object));
        }
        let known = &body["metadata"]["resourceVersion"];
        if *known != Value::Null && *known != object["metadata"]["resourceVersion"] {
            return status(StatusCode::CONFLICT);
        }
        answered(&self.keep(path, body))
    }

    fn watch(&self, path: &str) -> Response<Body> {
        let prefix = format!("{path}/");
        let changes = futures::stream::unfold(self.changes.subscribe(), async |mut changes| {
            changes.recv().await.ok().map(|change| (change, changes))
        });
        let lines = changes.filter_map(move |(path, object)| {
            let line = json!({"type": "MODIFIED", "object": object});
            let line = path.starts_with(&prefix).then(|| Ok::<_, io::Error>(format!("{line}\n")));
            async move { line }
        });
        respond(StatusCode::OK, Body::from_stream(lines))
    }
}

/// A JSON merge patch.
fn merge(into: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *into = patch;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(&key);
        } else {
            merge(&mut into[key], value);
        }
    }
}

fn answered(object: &Value) -> Response<Body> {
    respond(StatusCode::OK, Body::from(object.to_string()))
}

fn status(code: StatusCode) -> Response<Body> {
    let reason = code.canonical_reason().unwrap_or_default().replace(' ', "");
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "refused by the test", "reason": reason, "code": code.as_u16()});
    respond(code, Body::from(body.to_string()))
}

fn respond(code: StatusCode, body: Body) -> Response<Body> {
    Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap()
}
