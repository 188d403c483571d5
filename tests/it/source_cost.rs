//! What sources cost: bad ones cost their own policies only, and good ones are read as often as the
//! interval says, whoever shares them and whoever asks.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use crate::support::adapter::{
    Adapter, config, external, page_signal, prometheus, query_signal, scrape,
};
use crate::support::wait;
use crate::support::web::{Behaviour, Web};
use std::collections::BTreeMap;

/// What bad sources get: several intervals, so that a tick that waited for them would be seen.
const TIMEOUT: &str = "3s";
/// Instants in a row that have to be read.
const INSTANTS: usize = 8;

/// Sources of each kind at one server, and a policy for each.
#[derive(Default)]
struct Setting {
    sources: Vec<String>,
    policies: Vec<String>,
    names: Vec<String>,
}

impl Setting {
    /// A Prometheus, a page and a document, all named after `name`.
    fn add(&mut self, name: &str, web: &Web) {
        let page = format!("page-{name}");
        let prometheus = format!("prometheus-{name}");
        self.sources.extend([
            format!(
                "{{name: {page}, scrape: {{url: '{}', timeout: {TIMEOUT}}}}}",
                web.url("/page")
            ),
            format!(
                "{{name: {prometheus}, prometheus: {{url: '{}', timeout: {TIMEOUT}}}}}",
                web.url("/prometheus")
            ),
        ]);
        let document = format!(
            "{{metricsApi: {{url: '{}', valueLocation: n, timeout: {TIMEOUT}}}}}",
            web.url("/document")
        );
        let signals = [
            (page.clone(), page_signal(&page)),
            (prometheus.clone(), query_signal(&prometheus, "q")),
            (format!("document-{name}"), document),
        ];
        for (policy, signal) in signals {
            self.policies.push(external(&policy, "1s", &signal));
            self.names.push(policy);
        }
    }
}

/// A server on which all of it is good.
async fn good() -> Web {
    let web = Web::start().await;
    web.show("/page", "q 6\n");
    web.set("/prometheus", Behaviour::Prometheus(6.0));
    web.show("/document", r#"{"n": 6}"#);
    web
}

/// How often Prometheus was asked about each instant, in order.
fn instants(web: &Web) -> Vec<(f64, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for asked in web.asked("/prometheus") {
        *counts.entry(asked.parameters["time"].clone()).or_default() += 1;
    }
    let mut counts: Vec<(f64, usize)> =
        counts.into_iter().map(|(at, count)| (at.parse().unwrap(), count)).collect();
    counts.sort_by(|one, other| one.0.total_cmp(&other.0));
    counts
}

/// Waits until so many further instants were read.
async fn wait_instants(web: &Web, further: usize) {
    let enough = instants(web).len() + further;
    wait::until("some intervals", async || {
        let read = instants(web).len();
        wait::seen(read >= enough, read)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn good_policies_keep_their_interval_beside_sources_that_hang_drip_and_flood() {
    let line = "q{engine=\"0\",model=\"llama\"} 6\n";
    let flood = Behaviour::Stream("", line, 100_000_000 / line.len());
    let (good, mut setting) = (good().await, Setting::default());
    setting.add("good", &good);
    let mut bad = Vec::new();
    for (name, behaviour) in
        [("hangs", Behaviour::Hang), ("drips", Behaviour::Drip), ("floods", flood)]
    {
        let web = Web::start().await;
        web.set("/", behaviour);
        setting.add(name, &web);
        bad.push(web);
    }
    let adapter = Adapter::start(&config(&setting.sources, &setting.policies)).await;
    for name in setting.names.iter().filter(|it| !it.ends_with("good")) {
        let why = if name.ends_with("floods") {
            "the answer is larger than"
        } else {
            "no answer within 3s"
        };
        adapter.refuses(name, &[why]).await;
    }
    wait_instants(&good, INSTANTS).await;
    for name in ["page-good", "prometheus-good", "document-good"] {
        adapter.serves(name, "6").await;
        let ready = format!("foresail_policy_ready{{namespace=\"inference\",policy=\"{name}\"}}");
        assert_eq!(adapter.metric(&ready).await, Ok(1.0));
    }

    // None was read twice, and none was waited for: of a busy machine one or the other may be missing,
    // never as many as a bad source has time for.
    let read = instants(&good);
    let gaps = || read.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps().all(|gap| gap < 2.5) && read.iter().all(|it| it.1 == 1), "{read:?}");
    assert!(gaps().sum::<f64>() <= 1.2 * gaps().count() as f64, "{read:?}");
    for path in ["/page", "/document"] {
        let asked = good.asked(path).len();
        assert!(asked.abs_diff(instants(&good).len()) <= 1, "{path}: {asked} for {read:?}");
    }

    // Whoever waits for a bad source stops after its timeout: no read outlasted the tick's deadline.
    for name in ["page-hangs", "prometheus-drips", "page-floods"] {
        let seconds = "foresail_source_read_duration_seconds";
        let all = adapter.metric(&format!("{seconds}_count{{source=\"{name}\"}}")).await.unwrap();
        let bucket = format!("{seconds}_bucket{{le=\"10.0\",source=\"{name}\"}}");
        let in_time = adapter.metric(&bucket).await.unwrap();
        assert!(all >= 2.0 && in_time >= all, "{name}: {in_time} of {all} reads");
    }
    // They are asked once an interval at the most, and seldom once they are known to fail.
    for web in &bad {
        for path in ["/page", "/prometheus", "/document"] {
            let asked = web.asked(path).len();
            // A query that failed with the ages of its samples is asked again without them, once.
            let most = instants(&good).len() + usize::from(path == "/prometheus");
            assert!((1..=most).contains(&asked), "{path}: {asked}, at most {most}");
        }
    }
}

#[tokio::test]
async fn a_query_is_asked_once_for_each_policy_and_a_page_once_for_all_whoever_asks_for_values() {
    let web = good().await;
    let sources =
        [scrape("page", &web.url("/page")), prometheus("prometheus", &web.url("/prometheus"))];
    let mut policies = Vec::new();
    for number in 0..3 {
        let (page, query) = (page_signal("page"), query_signal("prometheus", "q"));
        policies.push(external(&format!("query-{number}"), "1s", &query));
        policies.push(external(&format!("page-{number}"), "1s", &page));
        // A second signal of the same page.
        let both = format!("{page}, that: {page}");
        let both = external(&format!("both-{number}"), "1s", &both);
        policies.push(both.replace("guard:", "combine: it + that, guard:"));
    }
    let adapter = Adapter::start(&config(&sources, &policies)).await;
    for number in 0..3 {
        adapter.serves(&format!("query-{number}"), "6").await;
        adapter.serves(&format!("page-{number}"), "6").await;
        adapter.serves(&format!("both-{number}"), "12").await;
    }
    // HPAs, many of them, which ask for the values all the time.
    let (mut requests, enough) = (0, instants(&web).len() + 4);
    while instants(&web).len() < enough {
        assert_eq!(adapter.external("query-0").await.unwrap().code, 200);
        assert_eq!(adapter.external("both-2").await.unwrap().code, 200);
        requests += 2;
    }
    assert!(requests > 20, "{requests} requests");

    let read = instants(&web);
    // The last one may not be complete yet.
    let whole = &read[..read.len() - 1];
    assert!(whole.iter().all(|&(_, count)| count == 3), "one for each policy: {read:?}");
    let pages = web.asked("/page").len();
    assert!(pages.abs_diff(instants(&web).len()) <= 1, "{pages} fetches for {read:?}");
}
