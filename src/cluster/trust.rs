//! Whose certificates to believe: what the cluster says about its front proxy and its users, followed
//! as it changes.

use crate::cluster::watching::{Progress, follow};
use crate::cluster::{Client, ClusterError};
use crate::domain::identity::Trust;
use http::HeaderName;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher::{self, Event, watcher};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// Follows the cluster's trust and sends each new content, until `stop` is cancelled. Content that
/// is not understood, and a ConfigMap that is gone, leave the last good trust in force.
pub async fn watch(
    client: Client,
    trust: watch::Sender<Option<Arc<Trust>>>,
    stop: CancellationToken,
) {
    let api: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
    let config = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
    let progress = Progress::default();
    let mut reader = Reader { trust, fault: None, is_listed: false };
    let events = follow(watcher(api, config), &progress, |event| reader.take(event));
    stop.run_until_cancelled(events.instrument(info_span!("trust"))).await;
}

struct Reader {
    trust: watch::Sender<Option<Arc<Trust>>>,
    /// The last complaint, so that it is logged once.
    fault: Option<String>,
    /// Whether the ConfigMap was in the list that is being read.
    is_listed: bool,
}

impl Reader {
    fn take(&mut self, event: Event<ConfigMap>) {
        match event {
            Event::Init => self.is_listed = false,
            Event::InitApply(map) => {
                self.is_listed = true;
                self.read(&map);
            }
            Event::Apply(map) => self.read(&map),
            Event::InitDone if self.is_listed => {}
            Event::InitDone | Event::Delete(_) => self.complain("it does not exist".to_owned()),
        }
    }

    fn read(&mut self, map: &ConfigMap) {
        let empty = BTreeMap::new();
        match parse(map.data.as_ref().unwrap_or(&empty)) {
            Ok(read) => {
                if self.fault.take().is_some() {
                    info!("the front proxy's trust is understood again");
                }
                // An equal content stays the same object, so that what was found out about open
                // connections stays known.
                let is_new = self.trust.send_if_modified(|trust| {
                    let is_new = trust.as_deref() != Some(&read);
                    if is_new {
                        *trust = Some(Arc::new(read));
                    }
                    is_new
                });
                if is_new {
                    info!("the front proxy's trust was read");
                }
            }
            Err(error) => self.complain(error.to_string()),
        }
    }

    fn complain(&mut self, fault: String) {
        if self.fault.as_ref() != Some(&fault) {
            warn!(
                error = %fault,
                "cannot use ConfigMap kube-system/extension-apiserver-authentication; \
                 the last good trust stays"
            );
            self.fault = Some(fault);
        }
    }
}

const CLIENT_CA: &str = "requestheader-client-ca-file";
const USER_CA: &str = "client-ca-file";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Reads the ConfigMap's data. Keys that are absent have Kubernetes' usual value; the unique id's
/// header has none, because an API server that does not know that header passes on whatever a
/// client puts there.
fn parse(data: &BTreeMap<String, String>) -> Result<Trust, ClusterError> {
    let bad = |key, problem: &str| ClusterError::Trust { key, problem: problem.to_owned() };
    let proxy_ca_pem = data.get(CLIENT_CA).ok_or_else(|| bad(CLIENT_CA, "is missing"))?;
    if !proxy_ca_pem.contains(CERTIFICATE) {
        return Err(bad(CLIENT_CA, "holds no certificate"));
    }
    // A cluster may have no authority for users; one that is there and unusable is a mistake.
    let user_ca_pem = data.get(USER_CA).filter(|pem| !pem.trim().is_empty());
    if user_ca_pem.is_some_and(|pem| !pem.contains(CERTIFICATE)) {
        return Err(bad(USER_CA, "holds no certificate"));
    }
    Ok(Trust {
        proxy_ca_pem: proxy_ca_pem.clone(),
        user_ca_pem: user_ca_pem.cloned(),
        allowed_names: texts(data, "requestheader-allowed-names", None)?,
        username_headers: headers(data, "requestheader-username-headers", Some("X-Remote-User"))?,
        uid_headers: headers(data, "requestheader-uid-headers", None)?,
        group_headers: headers(data, "requestheader-group-headers", Some("X-Remote-Group"))?,
        extra_header_prefixes: headers(
            data,
            "requestheader-extra-headers-prefix",
            Some("X-Remote-Extra-"),
        )?,
    })
}

fn texts(
    data: &BTreeMap<String, String>,
    key: &'static str,
    default: Option<&str>,
) -> Result<Vec<String>, ClusterError> {
    match data.get(key).map(|text| text.trim()) {
        None => Ok(default.map(ToOwned::to_owned).into_iter().collect()),
        Some("") => Ok(Vec::new()),
        // Go writes an empty list as `null`.
        Some(text) => serde_json::from_str::<Option<Vec<String>>>(text)
            .map(Option::unwrap_or_default)
            .map_err(|error| ClusterError::Trust {
                key,
                problem: format!("is not a JSON list of texts: {error}"),
            }),
    }
}

fn headers(
    data: &BTreeMap<String, String>,
    key: &'static str,
    default: Option<&str>,
) -> Result<Vec<String>, ClusterError> {
    let names = texts(data, key, default)?;
    match names.iter().find(|name| HeaderName::from_bytes(name.as_bytes()).is_err()) {
        None => Ok(names),
        Some(name) => Err(ClusterError::Trust {
            key,
            problem: format!("names `{name}`, which is not a header"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    const USERS: &str = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n";

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn map(pairs: &[(&str, &str)]) -> ConfigMap {
        ConfigMap { data: Some(data(pairs)), ..Default::default() }
    }

    #[test]
    fn what_kube_apiserver_writes_is_read() {
        let read = parse(&data(&[
            (USER_CA, USERS),
            (CLIENT_CA, PEM),
            ("requestheader-allowed-names", r#"["front-proxy-client","other"]"#),
            ("requestheader-username-headers", r#"["X-User","X-Remote-User"]"#),
            ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
            ("requestheader-group-headers", r#"["X-Group"]"#),
            ("requestheader-extra-headers-prefix", r#"["X-Extra-"]"#),
        ]));
        let expected = Trust {
            proxy_ca_pem: PEM.into(),
            user_ca_pem: Some(USERS.into()),
            allowed_names: vec!["front-proxy-client".into(), "other".into()],
            username_headers: vec!["X-User".into(), "X-Remote-User".into()],
            uid_headers: vec!["X-Remote-Uid".into()],
            group_headers: vec!["X-Group".into()],
            extra_header_prefixes: vec!["X-Extra-".into()],
        };
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn absent_keys_have_their_usual_value_and_empty_ones_none() {
        let usual = parse(&data(&[(CLIENT_CA, PEM)])).unwrap();
        assert_eq!(usual.username_headers, ["X-Remote-User"]);
        assert_eq!(usual.group_headers, ["X-Remote-Group"]);
        assert_eq!(usual.extra_header_prefixes, ["X-Remote-Extra-"]);
        assert!(usual.allowed_names.is_empty() && usual.uid_headers.is_empty());
        assert_eq!(usual.user_ca_pem, None);
        let blank = parse(&data(&[(CLIENT_CA, PEM), (USER_CA, " \n")])).unwrap();
        assert_eq!(blank.user_ca_pem, None);
        for empty in ["", "[]", "null"] {
            let read = parse(&data(&[(CLIENT_CA, PEM), ("requestheader-group-headers", empty)]));
            assert!(read.unwrap().group_headers.is_empty(), "{empty:?}");
        }
    }

    #[test]
    fn broken_content_is_refused_with_its_key() {
        for (pairs, complaint) in [
            (vec![], "`requestheader-client-ca-file` of"),
            (vec![(CLIENT_CA, "garbage")], "holds no certificate"),
            (vec![(CLIENT_CA, PEM), (USER_CA, "garbage")], "`client-ca-file` of"),
            (vec![(CLIENT_CA, PEM), ("requestheader-allowed-names", "front-proxy")], "JSON list"),
            (vec![(CLIENT_CA, PEM), ("requestheader-allowed-names", "[1]")], "JSON list"),
            (
                vec![(CLIENT_CA, PEM), ("requestheader-username-headers", r#"["X User"]"#)],
                "`X User`",
            ),
            // An empty prefix would make every header a part of the user.
            (
                vec![(CLIENT_CA, PEM), ("requestheader-extra-headers-prefix", r#"[""]"#)],
                "``, which",
            ),
        ] {
            let error = parse(&data(&pairs)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error} is not {complaint}");
        }
    }

    #[test]
    fn the_last_good_trust_survives_and_equal_content_is_the_same_object() {
        let (sender, receiver) = watch::channel(None);
        let mut reader = Reader { trust: sender, fault: None, is_listed: false };
        let current = || receiver.borrow().clone();
        let good = map(&[(CLIENT_CA, PEM)]);
        for event in [Event::Init, Event::InitDone] {
            reader.take(event);
        }
        assert!(current().is_none());
        reader.take(Event::Apply(good.clone()));
        let first = current().unwrap();
        for event in [
            Event::Apply(map(&[])),
            Event::Apply(ConfigMap::default()),
            Event::Delete(good.clone()),
            Event::Init,
            Event::InitDone,
            Event::Apply(good),
        ] {
            reader.take(event);
            assert!(Arc::ptr_eq(&first, &current().unwrap()));
        }
        let allowed = [(CLIENT_CA, PEM), ("requestheader-allowed-names", r#"["a"]"#)];
        reader.take(Event::Apply(map(&allowed)));
        assert_eq!(current().unwrap().allowed_names, ["a"]);
    }
}
