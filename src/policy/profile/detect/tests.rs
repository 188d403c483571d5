//! Which engine is told, by label and by series.

use super::*;
use crate::policy::Reduce;
use crate::policy::profile::Profiles;

/// All built-in engines, of which some have the signal.
fn any() -> AnyEngine {
    let profiles = Profiles::builtin();
    let own = profiles.iter().filter(|it| it.about_pods.is_none());
    let engines = own.map(|it| Engine {
        name: Arc::clone(&it.engine),
        labels: it.detect.iter().map(|it| it.as_str().into()).collect(),
        marks: it.detect_series.iter().cloned().collect(),
        instead_of: it.detect_instead_of.iter().map(|it| it.as_str().into()).collect(),
        page: None,
        ask: match &*it.engine {
            "tgi" | "triton" | "triton-trtllm" | "vllm" => Ok(Ask::Series {
                selector: SeriesSelector::parse("x").unwrap(),
                reduce: Reduce::Sum,
            }),
            _ => Err("has no signal `power`; it has waiting".into()),
        },
    });
    let place = Place::Query { query: "q".into(), namespace: Namespace::new("ml").unwrap() };
    AnyEngine { signal: Canonical::Power, engines: engines.collect(), place }
}

fn pods(labels: &[Option<&str>]) -> Vec<PodPlace> {
    let pods = labels.iter().enumerate().map(|(number, label)| PodPlace {
        name: ObjectName::new(&format!("llama-{number}")).unwrap(),
        uid: "u".into(),
        address: None,
        ports: Arc::default(),
        is_ready: true,
        is_leaving: false,
        engine: label.map(Into::into),
    });
    pods.collect()
}

#[test]
fn labels_tell_one_engine_or_none_or_are_refused() {
    for (labels, expected) in [
        (vec![None, None], Ok(None)),
        (vec![Some("vllm"), Some("vllm")], Ok(Some("vllm"))),
        (vec![None, Some("triton-tensorrt-llm")], Ok(Some("triton-trtllm"))),
        (vec![Some("llamacpp"), Some("llama.cpp")], Ok(Some("llamacpp"))),
        (
            vec![Some("vllm"), None, Some("sglang")],
            Err("llama-0 runs vllm and llama-2 runs sglang; select the pods of one of them"),
        ),
        (
            vec![None, Some("my-engine")],
            Err("the pod llama-1 says that it runs `my-engine` (label llm-d.ai/engine-type), and \
                 known are dynamo, knative, llamacpp, llama.cpp, ray-serve, sglang, tgi, torchserve, \
                 triton, triton-tensorrt-llm, trtllm-serve, vllm; name its engine with `engine`"),
        ),
        (vec![Some("")], Err("the pod llama-0 says that it runs ``")),
    ] {
        let told = any().of_labels(&pods(&labels));
        match (told, expected) {
            (Ok(told), Ok(engine)) => {
                let engine = engine.map(|it| Told { engine: it.into(), by: By::Label });
                assert_eq!(told, engine, "{labels:?}");
            }
            (Err(untold), Err(part)) => {
                assert!(untold.to_string().starts_with(part), "{labels:?}: {untold}");
            }
            (told, _) => panic!("{labels:?}: {told:?}"),
        }
    }
}

#[test]
fn series_tell_one_engine_or_are_refused() {
    for (found, expected) in [
        (vec!["vllm"], Ok("vllm")),
        (vec!["triton"], Ok("triton")),
        // The backend's server has the series of the plain one, too.
        (vec!["triton", "triton-trtllm"], Ok("triton-trtllm")),
        (vec!["unheard-of", "tgi"], Ok("tgi")),
        (vec!["sglang"], Err("engine sglang, told by its series, has no signal `power`; it has")),
        (vec![], Err("no series of a known engine was found (dynamo, envoy-ai-gateway, epp, ")),
        (
            vec!["vllm", "sglang"],
            Err("there are series of sglang and vllm; select the pods of one of them, or name it"),
        ),
        (
            vec!["vllm", "triton", "triton-trtllm"],
            Err("there are series of triton-trtllm and vllm;"),
        ),
    ] {
        let found: BTreeSet<Arc<str>> = found.into_iter().map(Into::into).collect();
        match (any().of_series(&found), expected) {
            (Ok(told), Ok(engine)) => {
                assert_eq!(told.to_string(), format!("engine {engine}, told by its series"));
            }
            (Err(untold), Err(part)) => {
                assert!(untold.to_string().starts_with(part), "{found:?}: {untold}");
            }
            (told, _) => panic!("{found:?}: {told:?}"),
        }
    }
}

#[test]
fn an_engine_without_the_signal_says_what_it_has() {
    let told = Told { engine: "sglang".into(), by: By::Label };
    let untold = any().ask(&told).unwrap_err().to_string();
    let expected =
        "engine sglang, told by the label of its pods, has no signal `power`; it has waiting";
    assert_eq!(untold, expected);
}

#[test]
fn every_engine_can_be_told_by_its_series_and_no_exporter_is_an_engine() {
    for profile in Profiles::builtin().iter() {
        let is_exporter = profile.about_pods.is_some();
        assert_eq!(profile.detect_series.is_empty(), is_exporter, "{}", profile.engine);
        for other in &profile.detect_instead_of {
            assert!(Profiles::builtin().get(other).is_some(), "{other}");
        }
    }
}
