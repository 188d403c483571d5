//! What is read of the pages of exporters: the numbers that a real Prometheus makes of the same pages
//! (`tests/queues/profiles.rs`).

use super::*;
use crate::policy::profile::Profiles;
use crate::policy::{Ask, resolve};
use crate::source::scrape::exposition::sieve::{Sieve, Wanted};

const WHOLE: &str = include_str!("../../../../tests/pages/dcgm-whole.prom");
const SHARED: &str = include_str!("../../../../tests/pages/dcgm-shared.prom");
const FIELD: &str = include_str!("../../../../tests/pages/dcgm.prom");
const OTHERS: &str = include_str!("../../../../tests/pages/amd-intel.prom");

/// What a policy of `namespace` asks of the pages of the source `gpus`.
fn ask(namespace: &str, metric_type: &str, keys: &str) -> PodsAsk {
    let text = format!(
        "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - {{name: gpus, scrape: {{pods: {{namespace: gpu-operator, selector: {{matchLabels: {{app: e}}}}, port: 9400}}}}}}
policies:
  - metadata: {{name: p, namespace: {namespace}}}
    spec:
      metric: {{name: m, type: {metric_type}}}
      signals: {{x: {{source: gpus, profile: {{{keys}}}}}}}
"
    );
    let config = resolve::load(&text).unwrap();
    let [policy] = config.policies.as_slice() else { panic!("{keys}: {:?}", config.faults) };
    let Ask::Pods(ask) = &policy.signals[0].ask else { panic!("{keys}") };
    PodsAsk::clone(ask)
}

/// A page, or why it did not come.
type Came<'p> = Result<&'p str, &'p str>;

/// What the pods of an exporter answer, of which `n_pods` are there.
fn heard(
    ask: &PodsAsk,
    pages: &[Came<'_>],
    n_pods: usize,
    last: &mut Option<Finite>,
) -> Result<Answer, String> {
    let wanted = Wanted::new(ask.names());
    let pages: Vec<Result<Page, ReadError>> = pages
        .iter()
        .map(|page| {
            let page = page.map_err(|error| ReadError::Unreachable(error.to_owned()))?;
            let mut sieve = Sieve::new(&wanted);
            sieve.push(page.as_bytes()).unwrap();
            Ok(sieve.finish(Format::Text).unwrap())
        })
        .collect();
    let pages = pages.iter().enumerate().map(|(number, page)| {
        let name = ObjectName::new(&format!("exporter-{number}")).unwrap();
        (name, page.as_ref().map(|it| (it, Format::Text)).map_err(Clone::clone))
    });
    let pages = Pages { pages: pages.collect(), n_pods };
    let exporter = ask.exporter.clone().unwrap();
    let answer = answer(ask, &exporter, pages, Timestamp::UNIX_EPOCH, last);
    answer.map_err(|error| error.to_string())
}

fn all(namespace: &str, keys: &str, pages: &[&str]) -> Result<f64, String> {
    let ask = ask(namespace, "External", keys);
    let pages: Vec<Came<'_>> = pages.iter().map(|it| Ok(*it)).collect();
    let answer = heard(&ask, &pages, pages.len(), &mut None)?;
    Ok(answer.samples[&None].value.get())
}

fn each(namespace: &str, keys: &str, pages: &[&str]) -> Result<Vec<(String, f64)>, String> {
    let ask = ask(namespace, "Pods", keys);
    let pages: Vec<Came<'_>> = pages.iter().map(|it| Ok(*it)).collect();
    let samples = heard(&ask, &pages, pages.len(), &mut None)?.samples.into_iter();
    Ok(samples.map(|(pod, it)| (pod.unwrap().to_string(), it.value.get())).collect())
}

fn check(got: f64, expected: f64, what: &str) {
    assert!((got - expected).abs() <= expected.abs() * 1e-12, "{what}: {got} for {expected}");
}

#[test]
fn one_number_is_the_one_that_prometheus_makes_of_the_same_pages() {
    let honored = WHOLE.replace("\"ml\"", "\"honored\"");
    let pages = [WHOLE, SHARED, &honored];
    for (namespace, signal, expected) in [
        ("ml", "gpuUtilization", 0.68),
        ("honored", "gpuUtilization", 0.68),
        ("ml", "memoryUsed", 1_073_741_824.0),
        ("ml", "power", 300.0),
        ("vision", "gpuUtilization", 0.375),
        ("dev", "memoryUsed", 2_097_152.0),
        ("old", "gpuUtilization", 0.97),
    ] {
        let keys = format!("engine: dcgm, signal: {signal}");
        check(all(namespace, &keys, &pages).unwrap(), expected, signal);
    }
}

#[test]
fn pages_of_the_field_are_read_under_all_of_their_labels() {
    let pages = [FIELD, OTHERS];
    let labelled = OTHERS.replace("pci_bdf=", "namespace=\"ml\",pod=\"arc-0\",pci_bdf=");
    for (engine, namespace, keys, expected) in [
        // The page of the exporter itself and a page with the labels of a scraper show one device.
        ("dcgm", "ml", "signal: gpuUtilization, podPattern: llama-6.*", 0.98),
        ("dcgm", "ml", "signal: gpuUtilization, podPattern: llama-0", 0.97),
        ("dcgm", "ml", "signal: gpuUtilization", 0.975),
        ("dcgm", "ml", "signal: dramActive", 0.412_877),
        ("dcgm", "ml", "signal: memoryUsed", 73_012.0 * 1_048_576.0),
        ("dcgm", "ml", "signal: memoryUsed, where: {hostname: gpu-node-7}", 73_012.0 * 1_048_576.0),
        ("dcgm", "vision", "signal: gpuUtilization, where: {GPU_I_ID: '7'}", 0.6375),
        ("dcgm", "dev", "signal: gpuUtilization", 0.55),
        ("amd-gpu", "ml", "signal: gpuUtilization", 0.87),
        ("amd-gpu", "ml", "signal: memoryUsed", 171_203.0 * 1_048_576.0),
    ] {
        let keys = format!("engine: {engine}, {keys}");
        check(all(namespace, &keys, &pages).unwrap(), expected, &keys);
    }
    for (signal, expected) in [("gpuUtilization", 0.74), ("memoryUsed", 34_359_738_360.0)] {
        let keys = format!("engine: intel-gpu, signal: {signal}");
        check(all("ml", &keys, &[&labelled]).unwrap(), expected, &keys);
    }
}

#[test]
fn each_pod_has_what_its_devices_have() {
    let of = |namespace, signal: &str| {
        each(namespace, &format!("engine: dcgm, signal: {signal}"), &[SHARED, WHOLE]).unwrap()
    };
    let pod = |name: &str, value| (name.to_owned(), value);
    // Two whole GPUs; slices; a GPU that two pods share, which both see whole.
    assert_eq!(of("ml", "gpuUtilization"), [pod("llama-0", 0.68)]);
    assert_eq!(of("ml", "memoryUsed"), [pod("llama-0", 1_073_741_824.0)]);
    assert_eq!(of("vision", "gpuUtilization"), [pod("resnet-0", 0.6375), pod("resnet-1", 0.1125)]);
    assert_eq!(of("dev", "memoryUsed"), [pod("a-0", 2_097_152.0), pod("b-0", 2_097_152.0)]);
    let narrowed = "engine: dcgm, signal: gpuUtilization, podPattern: resnet-1, podLabel: pod";
    assert_eq!(each("vision", narrowed, &[SHARED]).unwrap(), [pod("resnet-1", 0.1125)]);
}

#[test]
fn a_policy_sees_no_row_of_another_namespace() {
    let page = "DCGM_FI_DEV_GPU_UTIL{UUID=\"a\",namespace=\"ml\",pod=\"llama-0\"} 10\n\
                DCGM_FI_DEV_GPU_UTIL{UUID=\"b\",namespace=\"bank\",pod=\"llama-0\"} 90\n\
                DCGM_FI_DEV_GPU_UTIL{UUID=\"c\",exported_namespace=\"bank\",exported_pod=\"llama-1\",\
                namespace=\"ml\",pod=\"llama-1\"} 80\n\
                DCGM_FI_DEV_GPU_UTIL{UUID=\"d\",namespace=\"\",pod=\"\"} 70\n\
                DCGM_FI_DEV_GPU_UTIL{UUID=\"e\",namespace=\"mlx\",pod=\"llama-0\"} 60\n";
    for (namespace, keys, expected) in [
        ("ml", "", vec![("llama-0", 0.1)]),
        ("ml", ", podPattern: '.*'", vec![("llama-0", 0.1)]),
        ("bank", "", vec![("llama-0", 0.9), ("llama-1", 0.8)]),
    ] {
        let got = each(namespace, &format!("engine: dcgm, signal: gpuUtilization{keys}"), &[page]);
        let expected = expected.into_iter().map(|(pod, it)| (pod.to_owned(), it)).collect();
        assert_eq!(got, Ok(expected), "{namespace}{keys}");
    }
    // What a policy demands of labels is demanded in addition.
    let reaching = "engine: dcgm, signal: gpuUtilization, where: {namespace: bank}";
    let told = all("ml", reaching, &[page]).unwrap_err();
    assert!(told.contains("is about a pod of ml") && !told.contains("llama"), "{told}");
}

#[test]
fn the_first_candidate_that_tells_a_pod_or_a_device_counts() {
    let page = "DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID=\"a\",namespace=\"ml\",pod=\"x-0\"} 0.25\n\
                DCGM_FI_DEV_GPU_UTIL{UUID=\"a\",namespace=\"ml\",pod=\"x-0\"} 99\n\
                DCGM_FI_DEV_GPU_UTIL{UUID=\"b\",namespace=\"ml\",pod=\"x-1\"} 75\n\
                dcgm_power_usage{uuid=\"c\",pod_namespace=\"ml\",pod_name=\"x-1\"} 100\n\
                DCGM_FI_DEV_POWER_USAGE{UUID=\"a\",namespace=\"ml\",pod=\"x-0\"} 300 5000\n";
    let asked = ask("ml", "External", "engine: dcgm, signal: gpuUtilization");
    let answer = heard(&asked, &[Ok(page)], 1, &mut None).unwrap();
    check(answer.samples[&None].value.get(), 0.5, "the mean of two pods");
    let used = "DCGM_FI_PROF_GR_ENGINE_ACTIVE (1 pod) and DCGM_FI_DEV_GPU_UTIL (1 pod)";
    assert_eq!((answer.used.as_deref(), answer.note), (Some(used), None));
    let asked = ask("ml", "External", "engine: dcgm, signal: power");
    let answer = heard(&asked, &[Ok(page)], 1, &mut None).unwrap();
    check(answer.samples[&None].value.get(), 400.0, "two devices");
    let used = "DCGM_FI_DEV_POWER_USAGE (1 device) and dcgm_power_usage (1 device)";
    assert_eq!(answer.used.as_deref(), Some(used));
}

#[test]
fn a_device_that_is_told_twice_counts_once() {
    let page = "DCGM_FI_DEV_FB_USED{UUID=\"a\",namespace=\"ml\",pod=\"x-0\"} 10\n\
                DCGM_FI_DEV_FB_USED{UUID=\"a\",namespace=\"ml\",pod=\"x-0\",pid=\"7\"} 4\n\
                DCGM_FI_DEV_FB_USED{UUID=\"a\",namespace=\"ml\",pod=\"x-1\",vgpu=\"1\"} 10\n";
    let keys = "engine: dcgm, signal: memoryUsed";
    // On the pages of two exporters of one node, too.
    check(all("ml", keys, &[page, page]).unwrap(), 10.0 * 1_048_576.0, "one device");
}

#[test]
fn what_is_unknown_is_told_and_never_zero() {
    let row = |value: &str| {
        format!("DCGM_FI_DEV_POWER_USAGE{{UUID=\"a\",namespace=\"ml\",pod=\"x-0\"}} {value}\n")
    };
    let nobody = "DCGM_FI_DEV_POWER_USAGE{UUID=\"a\",namespace=\"\",pod=\"\"} 70\n";
    let names = "DCGM_FI_DEV_POWER_USAGE, dcgm_power_usage";
    for (page, expected) in [
        ("up 1\n", format!("{names}: not on the exporter's pages")),
        ("", format!("{names}: not on the exporter's pages")),
        (nobody, format!("no row of {names} names a pod: has it been told to")),
        (&row("1").replace("ml", "bank"), format!("no row of {names} is about a pod of ml: does")),
        (&row("9223372036854775794"), format!("{names}: the sensors of the pods of ml have")),
        (&row("NaN"), format!("{names}: the sensors of the pods of ml have")),
        (&row("-3"), format!("a row of {names} is NaN, an infinity or a negative number")),
        (&row("x"), "a line of DCGM_FI_DEV_POWER_USAGE is malformed".to_owned()),
    ] {
        for metric_type in ["External", "Pods"] {
            let asked = ask("ml", metric_type, "engine: dcgm, signal: power");
            let told = heard(&asked, &[Ok(page)], 1, &mut None).unwrap_err();
            assert!(told.contains(&expected), "{page}: {told}");
        }
    }
    // A pod whose row is no number is no pod of the answer, and its neighbours stay.
    let other = row("50").replace("x-0", "x-1").replace("\"a\"", "\"b\"");
    let got = each("ml", "engine: dcgm, signal: power", &[&row("-3"), &other]);
    assert_eq!(got, Ok(vec![("x-1".to_owned(), 50.0)]));
}

#[test]
fn a_page_that_did_not_come_makes_the_answer_partial() {
    let page = |pod: &str, watts: u32| {
        format!(
            "DCGM_FI_DEV_POWER_USAGE{{UUID=\"{pod}\",namespace=\"ml\",pod=\"{pod}\"}} {watts}\n"
        )
    };
    let (first, second) = (page("x-0", 100), page("x-1", 50));
    let pages = [Ok(first.as_str()), Ok(second.as_str()), Err("connection refused")];
    let silence = "1 of 3 pods say nothing: exporter-2: connection refused";
    let finite = |it| Finite::new(it).unwrap();
    for (on_partial, last, expected) in [
        ("scaleUpOnly", Some(149.0), Ok(150.0)),
        ("scaleUpOnly", Some(150.0), Err("and 150 of the others is not above the last 150")),
        ("scaleUpOnly", None, Err("and there is no earlier value to tell whether it grew")),
        // What is on that page, if anything, is not guessed from the others.
        ("use", Some(900.0), Ok(150.0)),
        ("refuse", Some(1.0), Err("and the policy refuses a part")),
    ] {
        let asked =
            ask("ml", "External", &format!("engine: dcgm, signal: power, onPartial: {on_partial}"));
        let mut remembered = last.map(finite);
        let got = heard(&asked, &pages, 3, &mut remembered);
        let got = got.map(|it| (it.samples[&None].value.get(), it.note));
        let full = expected
            .map(|it| (it, Some(silence.to_owned())))
            .map_err(|why| format!("{silence}; {why}"));
        assert_eq!(got, full, "{on_partial} after {last:?}");
        assert_eq!(remembered, expected.ok().or(last).map(finite));
    }
    let asked = ask("ml", "Pods", "engine: dcgm, signal: power");
    let answer = heard(&asked, &pages, 3, &mut None).unwrap();
    assert_eq!((answer.samples.len(), answer.note.as_deref()), (2, Some(silence)));
    // More nodes than are asked, and fewer pages than can speak for all.
    let asked = ask("ml", "External", "engine: dcgm, signal: power, onPartial: use");
    let answer = heard(&asked, &pages[..2], 4, &mut None).unwrap();
    assert_eq!(answer.note.as_deref(), Some("2 of 4 pods asked"));
    let told = heard(&asked, &pages, 5, &mut None).unwrap_err();
    assert_eq!(told, format!("3 of 5 pods asked; {silence}; which is more than half"));
    // Where nothing came, nothing is said about rows.
    let told = heard(&asked, &pages[2..], 1, &mut None).unwrap_err();
    assert_eq!(told, "1 of 1 pods say nothing: exporter-0: connection refused");
    let told = heard(&asked, &[Ok(""), pages[2]], 2, &mut None).unwrap_err();
    assert!(told.contains("exporter-1: connection refused; DCGM_FI_DEV_POWER_USAGE"), "{told}");
}

#[test]
fn series_of_an_exporter_can_be_joined_and_added_up() {
    let text = "
engine: own
about: an exporter of one's own
path: /metrics
aboutPods: {pod: [pod], namespace: [namespace], device: [id]}
signals:
  waiting: {unit: requests, pods: sum, from: [{excess: {of: held, over: run}}]}
  running: {unit: requests, pods: sum, from: [{gauge: run}]}
  kvCacheUsage: {unit: share, pods: avg, from: [{ratio: {of: run, by: most}, within: avg}]}
  tensorActive: {unit: share, pods: avg, from: [{counter: ticks, within: avg}]}
";
    let mut profiles = Profiles::builtin();
    profiles.put(crate::policy::profile::Profile::parse(text).unwrap());
    let load = |metric_type: &str, signal: &str| {
        let text = format!(
            "{{apiVersion: foresail.dev/v1alpha1, kind: AdapterConfig, sources: [{{name: s, scrape: {{pods: \
             {{namespace: o, selector: {{matchLabels: {{app: e}}}}, port: 1}}}}}}], policies: [{{metadata: \
             {{name: p, namespace: ml}}, spec: {{metric: {{name: m, type: {metric_type}}}, signals: {{x: \
             {{source: s, profile: {{engine: own, signal: {signal}}}}}}}}}}}]}}"
        );
        resolve::load_with(&text, &Arc::new(profiles.clone())).unwrap()
    };
    let page = "held{id=\"a\",namespace=\"ml\",pod=\"x-0\"} 5\nrun{id=\"a\",namespace=\"ml\",pod=\"x-0\"} 2\n\
                held{id=\"b\",namespace=\"ml\",pod=\"x-1\"} 1\nrun{id=\"b\",namespace=\"ml\",pod=\"x-1\"} 4\n\
                most{id=\"a\",namespace=\"ml\",pod=\"x-0\"} 4\nmost{id=\"b\",namespace=\"ml\",pod=\"x-1\"} 0\n";
    let read = |metric_type, signal| {
        let config = load(metric_type, signal);
        let Ask::Pods(ask) = &config.policies[0].signals[0].ask else { panic!("{signal}") };
        let answer = heard(ask, &[Ok(page)], 1, &mut None).unwrap();
        answer.samples.values().map(|it| it.value.get()).collect::<Vec<f64>>()
    };
    assert_eq!(read("External", "waiting"), [3.0]);
    assert_eq!(read("External", "demand"), [9.0]);
    assert_eq!(read("Pods", "demand"), [5.0, 4.0]);
    // Where there is nothing to divide by, there is no share.
    assert_eq!(read("External", "kvCacheUsage"), [0.5]);
    let faults = load("External", "tensorActive").faults;
    assert!(faults[0].to_string().contains("what counts, or comes together"), "{faults:?}");
}
