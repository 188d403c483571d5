//! Real servers that speak Prometheus' API: Prometheus 2 and VictoriaMetrics from Debian, Prometheus 3
//! built from the Go module beside. The same policy reads the same number from each.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

#[path = "../it/support/adapter.rs"]
#[expect(dead_code, reason = "it offers more than these tests use")]
mod adapter;
mod bed;
#[path = "../it/support/wait.rs"]
mod wait;

use adapter::{Setup, config, external, query_signal};
use bed::{Bed, Page, Server};
use foresail::domain::environment::Environment;
use foresail::domain::ports::Files;
use foresail::policy::partial::OnPartial;
use foresail::policy::{Ask, resolve};
use foresail::source::{Reach, Source};
use jiff::Timestamp;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

const NAMES: [&str; 3] = ["two", "three", "victoria"];

/// How each is asked; they scrape the same page.
fn servers<'b>(bed: &'b Bed, page: &Page) -> [(Server<'b>, String); 3] {
    // Behind a password, and behind client certificates under another name than it lies at.
    let password = bed.file("password");
    fs::write(&password, "secret\n").unwrap();
    let basic = format!("auth: {{basic: {{username: foresail, passwordFile: '{password}'}}}}");
    let pems = ["ca.pem", "client.pem", "client.key"].map(|it| bed.file(it));
    let [ca, certificate, key] = pems;
    let tls = format!(
        "tls: {{caFile: '{ca}', certFile: '{certificate}', keyFile: '{key}', serverName: prometheus.example}}"
    );
    [
        (bed.prometheus_2(page), basic),
        (bed.prometheus_3(page), tls),
        (bed.victoria_metrics(page), "method: GET".to_owned()),
    ]
}

fn sources(servers: &[(Server<'_>, String); 3]) -> Vec<String> {
    let named = NAMES.iter().zip(servers);
    let source = |(name, (server, keys)): (&&str, &(Server<'_>, String))| {
        format!("{{name: {name}, prometheus: {{url: '{}', {keys}}}}}", server.url)
    };
    named.map(source).collect()
}

#[tokio::test]
async fn the_same_policy_reads_the_same_number_from_each() {
    let (bed, page) = (Bed::new(), Page::start());
    let servers = servers(&bed, &page);
    let policies: Vec<String> = NAMES
        .iter()
        .flat_map(|name| {
            let gauge = external(name, "1s", &query_signal(name, "sum(waiting)"));
            let rate = query_signal(name, "sum(rate(requests_total[10s]))");
            [gauge, external(&format!("{name}-rate"), "1s", &rate)]
        })
        .collect();
    let adapter = Setup::new(&config(&sources(&servers), &policies)).start().await;
    for name in NAMES {
        adapter.serves(name, "42").await;
    }
    page.say(51.0);
    // What is served follows within seconds, not after a server's own delay of half a minute.
    for name in NAMES {
        adapter.serves(name, "51").await;
    }
    for name in NAMES {
        wait::until(&format!("the rate of {name}"), async || {
            let values = adapter.external(&format!("{name}-rate")).await?.values()?;
            let rate = values.first().and_then(|it| number(it)).ok_or(format!("{values:?}"))?;
            wait::seen((9.5..=10.5).contains(&rate), rate)
        })
        .await;
    }
}

/// A quantity of Kubernetes.
fn number(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(['m', 'u', 'n']);
    let factor = match text.chars().last()? {
        'm' => 1e-3,
        'u' => 1e-6,
        'n' => 1e-9,
        _ => 1.0,
    };
    digits.parse::<f64>().ok().map(|it| it * factor)
}

#[tokio::test]
async fn a_client_certificate_is_taken_over_when_its_files_change() {
    let (bed, page) = (Bed::new(), Page::start());
    let server = bed.prometheus_3(&page);
    let copy = |from: &str, to: &str| {
        fs::copy(bed.file(from), bed.file(to)).unwrap();
    };
    copy("stranger.pem", "used.pem");
    copy("stranger.key", "used.key");
    let [ca, certificate, key] = ["ca.pem", "used.pem", "used.key"].map(|it| bed.file(it));
    let source = format!(
        "{{name: three, prometheus: {{url: '{}', tls: {{caFile: '{ca}', certFile: '{certificate}', \
         keyFile: '{key}', serverName: prometheus.example}}}}}}",
        server.url
    );
    let policy = external("three", "1s", &query_signal("three", "sum(waiting)"));
    let adapter = Setup::new(&config(&[source], &[policy])).start().await;
    adapter.refuses("three", &["source three: received fatal alert"]).await;
    // Between the two files they do not fit together.
    copy("client.pem", "used.pem");
    adapter.logs(&["WARN", "cannot use the certificate files; the last good ones stay"]).await;
    copy("client.key", "used.key");
    adapter.serves("three", "42").await;
    assert!(!adapter.log().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_series_that_falls_silent_grows_old_at_each() {
    let (bed, page) = (Bed::new(), Page::start());
    let servers = servers(&bed, &page);
    let policy = |name: &str, source: &str, query: &str| {
        let policy = external(name, "1s", &query_signal(source, query));
        policy.replace("maxAge: 10s, hold: 1m", "maxAge: 5s, hold: 3s")
    };
    let policies: Vec<String> = NAMES
        .iter()
        .flat_map(|name| {
            let window = "sum(max_over_time(measured[5m]))";
            [
                policy(name, name, "sum(measured)"),
                policy(&format!("{name}-window"), name, window),
                // One silent series makes a sum as old as itself.
                policy(
                    &format!("{name}-both"),
                    name,
                    "sum(max_over_time(measured[5m])) + sum(waiting)",
                ),
            ]
        })
        .collect();
    let adapter = Setup::new(&config(&sources(&servers), &policies)).start().await;
    let all_serve = async || {
        for name in NAMES {
            adapter.serves(name, "7").await;
            adapter.serves(&format!("{name}-window"), "7").await;
            adapter.serves(&format!("{name}-both"), "49").await;
        }
    };
    all_serve().await;
    page.measure(false);
    let old = "the newest answer has a sample older than 5s";
    for (name, why) in NAMES.iter().zip([old, "the query answered no series", old]) {
        adapter.refuses(name, &[&format!("source {name}: {why}")]).await;
        adapter.refuses(&format!("{name}-window"), &[&format!("source {name}: {old}")]).await;
    }
    // Prometheus 3 overlooks what is that old, and then the other series alone tells the age.
    for name in ["two", "victoria"] {
        adapter.refuses(&format!("{name}-both"), &[&format!("source {name}: {old}")]).await;
    }
    page.measure(true);
    all_serve().await;
    let untold = adapter.observe("/metrics").await.unwrap().body;
    let untold: Vec<&str> =
        untold.lines().filter(|it| it.starts_with("foresail_source_untold_ages_total{")).collect();
    assert!(untold.len() == 3 && untold.iter().all(|it| it.ends_with("} 0")), "{untold:?}");
}

#[tokio::test]
async fn engines_and_the_series_that_count_are_told_by_each() {
    let (bed, page) = (Bed::new(), Page::start());
    // In the middle of an upgrade.
    page.add(
        "vllm:num_requests_running{namespace=\"inference\",pod=\"a\"} 3\n\
         vllm:num_requests_running{namespace=\"inference\",pod=\"b\"} 4\n\
         vllm:num_requests_waiting{namespace=\"inference\",pod=\"b\"} 1\n\
         vllm:kv_cache_usage_perc{namespace=\"inference\",pod=\"a\"} 0.5\n\
         vllm:gpu_cache_usage_perc{namespace=\"inference\",pod=\"b\"} 0.25\n\
         tgi_queue_size{namespace=\"elsewhere\",pod=\"c\"} 9\n",
    );
    let servers = servers(&bed, &page);
    let policies = NAMES.iter().flat_map(|name| {
        ["kvCacheUsage", "demand"].map(|signal| {
            let keys = format!("engine: auto, signal: {signal}");
            let signal_of = format!("{{source: {name}, profile: {{{keys}}}}}");
            external(&format!("{name}-{}", signal.to_lowercase()), "1s", &signal_of)
        })
    });
    let policies: Vec<String> = policies.collect();
    let adapter = Setup::new(&config(&sources(&servers), &policies)).start().await;
    let explains = async |name: &str, told: &str| {
        wait::until(&format!("{name}: {told}"), async || {
            let path = format!("/debug/explain/inference/{name}?last=1&format=text");
            let said = adapter.observe(&path).await?.body;
            wait::seen(said.contains(told), said)
        })
        .await;
    };
    for name in NAMES {
        let (usage, demand) = (format!("{name}-kvcacheusage"), format!("{name}-demand"));
        adapter.serves(&usage, "375m").await;
        let told = "engine vllm, told by its series; read as vllm:kv_cache_usage_perc and \
                    vllm:gpu_cache_usage_perc";
        explains(&usage, told).await;
        adapter.serves(&demand, "8").await;
        explains(&demand, "read as vllm:num_requests_waiting + vllm:num_requests_running").await;
    }
    page.add(
        "sglang:num_running_reqs{namespace=\"inference\",pod=\"a\",tp_rank=\"0\"} 6\n\
         sglang:num_running_reqs{namespace=\"inference\",pod=\"a\",tp_rank=\"1\"} 6\n\
         sglang:num_queue_reqs{namespace=\"inference\",pod=\"a\",tp_rank=\"0\"} 5\n\
         sglang:token_usage{namespace=\"inference\",pod=\"a\",tp_rank=\"0\"} 0.875\n",
    );
    for name in NAMES {
        adapter.serves(&format!("{name}-kvcacheusage"), "875m").await;
        adapter.serves(&format!("{name}-demand"), "11").await;
        let told =
            "engine sglang, told by its series; read as sglang:num_queue_reqs{priority=\"\"} + ";
        explains(&format!("{name}-demand"), told).await;
    }
}

#[tokio::test]
async fn the_past_is_what_was_read_at_each_instant() {
    let (bed, page) = (Bed::new(), Page::start());
    let servers = servers(&bed, &page);
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = resolve::load(&config(&sources(&servers), &[])).unwrap();
    assert_eq!(config.faults, []);
    let reach = Reach {
        files: Arc::new(OnDisk),
        environment: Arc::new(Environment::default()),
        now: Timestamp::now,
    };
    for settings in &config.sources {
        let source = Source::new(settings, &reach).unwrap();
        // The window is as long as five scrapes: with both of its ends there are six of them where
        // instants and scrapes meet, without its beginning five.
        let queries =
            ["sum(waiting)", "sum(rate(requests_total[5s]))", "sum(count_over_time(waiting[5s]))"];
        for query in queries {
            wait::until(&format!("the past of {query} at {}", settings.name), async || {
                let compared = past_compared(&source, query).await?;
                wait::seen(compared >= 4, compared)
            })
            .await;
        }
    }
}

#[tokio::test]
async fn rules_are_listed_and_answered_by_each() {
    let (bed, page) = (Bed::new(), Page::start());
    page.add(
        "queue_len{namespace=\"shop\",pod=\"a\",queue=\"x\"} 3\n\
         queue_len{namespace=\"shop\",pod=\"a\",queue=\"y\"} 4\n\
         queue_len{namespace=\"shop\",pod=\"b\",queue=\"x\"} 5\n\
         queue_len{namespace=\"else\",pod=\"c\",queue=\"x\"} 9\n\
         queue_age{namespace=\"shop\",queue=\"x\"} 60\n\
         broken_len{namespace=\"shop\"} NaN\n",
    );
    let servers = servers(&bed, &page);
    let rules = |list: &str, of: &dyn Fn(&str) -> String| {
        let all: String = NAMES.iter().map(|it| of(it)).collect();
        format!("{list}:\n{all}")
    };
    let custom = rules("rules", &|name| {
        let series = "{__name__=~\"^queue_.*\",queue!=\"\"}";
        let query = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)";
        format!(
            "- {{seriesQuery: '{series}', source: {name}, resources: {{template: <<.Resource>>}}, name: \
             {{matches: '^(.*)$', as: '${{1}}_{name}'}}, metricsQuery: '{query}'}}\n"
        )
    });
    let external = rules("externalRules", &|name| {
        let query = "sum(<<.Series>>{<<.LabelMatchers>>}) by (queue)";
        let naming = format!("name: {{matches: '(.*)_len', as: '${{1}}_{name}'}}");
        let labels = "resources: {overrides: {namespace: {resource: namespace}}}";
        format!(
            "- {{seriesQuery: '{{__name__=~\".+_len\"}}', source: {name}, {labels}, {naming}, \
             metricsQuery: '{query}'}}\n"
        )
    });
    let text = format!("{}{custom}{external}", config(&sources(&servers), &[]));
    let adapter = Setup::new(&text).argument("--metrics-relist-interval=1s").start().await;
    let custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop";
    let external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop";
    for name in NAMES {
        for (path, expected) in [
            (format!("{custom}/pods/*/queue_len_{name}"), vec!["7", "5"]),
            (format!("{custom}/pods/b/queue_len_{name}"), vec!["5"]),
            (
                format!("{custom}/pods/*/queue_len_{name}?metricLabelSelector=queue%3Dx"),
                vec!["3", "5"],
            ),
            (format!("{custom}/metrics/queue_len_{name}"), vec!["12"]),
            (format!("{custom}/metrics/queue_age_{name}"), vec!["60"]),
            (format!("{external}/queue_{name}"), vec!["8", "4"]),
            (format!("{external}/queue_{name}?labelSelector=queue%20in%20(y,z)"), vec!["4"]),
        ] {
            wait::until(&path, async || {
                let mut values = adapter.get(&path).await?.values()?;
                // Series of an answer come in an order that nobody promises.
                values.sort_by(|a, b| b.cmp(a));
                let mut expected = expected.clone();
                expected.sort_by(|a, b| b.cmp(a));
                wait::seen(values == expected, format!("{values:?}"))
            })
            .await;
        }
        for (path, expected) in [
            // It has no label that names a pod, so that no such metric is made of it.
            (format!("{custom}/pods/*/queue_age_{name}"), "no policy publishes metric queue_age_"),
            // Prometheus answers NaN, which is no number; VictoriaMetrics stores none.
            (format!("{external}/broken_{name}"), "broken_"),
        ] {
            let answer = adapter.get(&path).await.unwrap();
            assert_eq!(answer.code, 404, "{name}: {}", answer.body);
            let message = answer.message();
            let is_told = message.contains(expected) || message.contains("answers no number");
            assert!(is_told, "{name}: {message}");
        }
    }
    let page = adapter.observe("/metrics").await.unwrap().body;
    let ready = page.lines().filter(|it| it.starts_with("foresail_rule_ready{"));
    let ready: Vec<&str> = ready.collect();
    assert!(ready.len() == 6 && ready.iter().all(|it| it.ends_with("} 1.0")), "{ready:?}");
}

/// Compares each instant of the last seconds with what a read of that instant says; answers how many
/// there were.
async fn past_compared(source: &Source, query: &str) -> Result<usize, String> {
    let ask = Ask::Query {
        query: query.to_owned(),
        pod_label: None,
        lookback: Duration::from_secs(10),
        on_partial: OnPartial::ScaleUpOnly,
        profile: None,
    };
    let to = Timestamp::from_second(Timestamp::now().as_second() - 2).unwrap();
    let from = to - Duration::from_secs(8);
    let past = source.history(&ask, (from, to), Duration::from_secs(1)).await;
    let past = past.map_err(|it| it.to_string())?;
    for (_, past) in &past {
        let read = source.read(&ask, past.at).await.map_err(|it| it.to_string())?;
        let read = read.samples.get(&None).unwrap();
        assert_eq!(read.at, past.at, "{query}");
        let (read, past) = (read.value.get(), past.value.get());
        assert!((read - past).abs() <= 1e-9 * read.abs(), "{query}: {read}, not {past}");
    }
    Ok(past.len())
}

/// Files as they are.
#[derive(Debug)]
struct OnDisk;

impl Files for OnDisk {
    fn content(&self, path: &str) -> Result<Arc<[u8]>, String> {
        fs::read(path).map(Into::into).map_err(|error| format!("`{path}`: {error}"))
    }
}
