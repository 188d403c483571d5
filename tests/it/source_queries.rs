//! Answers of Prometheus that are no answers: each is told in words, and a good query beside them
//! stays fresh; and how Prometheus is asked.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, config, external, prometheus, query_signal};
use crate::support::wait;
use crate::support::web::{Asked, Behaviour, Web, refusing};
use serde_json::{Value, json};

/// A bad source's behaviour and what is said about it.
type Case = (Behaviour, &'static str);

fn told(status: u16, body: impl ToString) -> Behaviour {
    Behaviour::Answer(status, body.to_string().into_bytes())
}

fn data(kind: &str, result: &Value) -> Behaviour {
    told(200, json!({"status": "success", "data": {"resultType": kind, "result": result}}))
}

fn one(value: &str) -> Behaviour {
    data("vector", &json!([{"metric": {}, "value": [1_700_000_000.25, value]}]))
}

/// Runs an adapter on a good source and a bad one for each case: each is refused with its
/// message, and the good one is served as it changes meanwhile.
async fn stay_alone(cases: &[Case]) {
    let web = Web::start().await;
    web.set("/good", Behaviour::Prometheus(7.0));
    let mut sources = vec![prometheus("good", &web.url("/good"))];
    let mut policies = vec![external("good", "200ms", &query_signal("good", "q"))];
    for (idx, (behaviour, _)) in cases.iter().enumerate() {
        let (name, path) = (format!("bad-{idx}"), format!("/bad-{idx}"));
        web.set(&path, behaviour.clone());
        sources.push(prometheus(&name, &web.url(&path)));
        policies.push(external(&name, "200ms", &query_signal(&name, "q")));
    }
    let adapter = Adapter::start(&config(&sources, &policies)).await;
    let all_are_refused = async || {
        for (idx, (_, message)) in cases.iter().enumerate() {
            let name = format!("bad-{idx}");
            let whole = format!("policy inference/{name}: no sample yet: source {name}: {message}");
            adapter.refuses(&name, &[&whole]).await;
        }
    };
    all_are_refused().await;
    adapter.serves("good", "7").await;
    web.set("/good", Behaviour::Prometheus(9.5));
    adapter.serves("good", "9500m").await;
    all_are_refused().await;
}

#[tokio::test]
async fn an_answer_of_a_million_series_is_cut_off() {
    let beginning = r#"{"status":"success","data":{"resultType":"vector","result":["#;
    let series = r#"{"metric":{"pod":"llama-0"},"value":[1700000000,"1"]},"#;
    let stream = |count| Behaviour::Stream(beginning, series, count);
    stay_alone(&[
        (stream(1_000_000), "the answer is larger than 16777216 bytes"),
        (stream(100_000), "the answer is larger than 20000 series"),
    ])
    .await;
}

#[tokio::test]
async fn what_is_no_answer_of_a_query_is_told_so() {
    let not_understood = "the answer was not understood: ";
    let html = "<html><body>\n<h1>It works!</h1></body></html>";
    stay_alone(&[
        (told(200, html), "the answer was not understood: not the JSON of a query: expected value"),
        (told(200, "{\"status\":\"success\",\"da"), "the answer was not understood: not the JSON"),
        (told(200, ""), not_understood),
        (told(200, "null"), not_understood),
        (told(200, "[]"), not_understood),
        (told(200, json!({"status": "success"})), "the answer was not understood: no data"),
        (
            told(200, json!({"status": "error", "error": "no such function"})),
            "the answer was not understood: the query failed: no such function",
        ),
        (data("vector", &json!([{"metric": {}, "value": [1, 2]}])), not_understood),
        (data("vector", &json!({"a": 1})), not_understood),
        (data("streams", &json!([])), "the answer was not understood: unexpected result type streams"),
        (data("string", &json!([1_700_000_000, "6"])), not_understood),
        (
            data("matrix", &json!([{"metric": {}, "values": [[1_700_000_000, "6"]]}])),
            "the answer was not understood: unexpected result type matrix",
        ),
        (
            data(
                "vector",
                &json!([{"metric": {"a": "1"}, "value": [1, "6"]},
                    {"metric": {"a": "2"}, "value": [1, "6"]}]),
            ),
            "the answer was not understood: the query answered 2 series, not one; wrap it in sum(…)",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_no_number_is_unknown_and_not_zero() {
    let message = "the query answered NaN, an infinity or a negative number";
    let far = data("vector", &json!([{"metric": {}, "value": [1e300, "6"]}]));
    stay_alone(&[
        (one("NaN"), message),
        (one("+Inf"), message),
        (one("-Inf"), message),
        (one("-0.5"), message),
        (one(""), message),
        (one("six"), message),
        (one("1e999"), message),
        (far, message),
        (data("scalar", &json!([1_700_000_000, "NaN"])), message),
        (data("vector", &json!([])), "the query answered no series"),
    ])
    .await;
}

#[tokio::test]
async fn an_error_of_prometheus_is_repeated_in_its_words() {
    let error = |text: &str| json!({"status": "error", "errorType": "execution", "error": text});
    let long = format!("<html>\n<h1>502 Bad Gateway</h1>\n{}</html>", "<!-- x -->\n".repeat(9_000));
    stay_alone(&[
        (told(422, error("found duplicate series")), "answered 422: found duplicate series"),
        (told(500, error("out of\n memory")), "answered 500: out of memory"),
        (told(503, ""), "answered 503: no message"),
        (told(502, "<html>\n<h1>502 Bad Gateway</h1></html>"), "answered 502: <html> <h1>502 Bad"),
        (told(502, long), "answered 502: <html> <h1>502 Bad Gateway</h1> <!-- x -->"),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up_in_time() {
    stay_alone(&[
        (Behaviour::Hang, "no answer within 500ms"),
        (Behaviour::Drip, "no answer within 500ms"),
        (Behaviour::CloseMidBody, "connection closed before message completed"),
    ])
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Web::start().await;
    elsewhere.set("/api", Behaviour::Prometheus(6.0));
    let redirect = Behaviour::Redirect(elsewhere.url("/api/v1/query?token=secret"));
    stay_alone(&[(redirect, "answered 302: redirects are not followed")]).await;
    assert_eq!(elsewhere.asked("/api").len(), 0);
}

#[tokio::test]
async fn a_source_may_be_away_and_come_back() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Prometheus(7.0));
    let refusing = refusing();
    let url = format!("http://{}", refusing.address);
    let policies = [external("total", "200ms", &query_signal("default", "q"))];
    let adapter = Adapter::start(&config(&[prometheus("default", &url)], &policies)).await;
    let sentence = "policy inference/total: no sample yet: source default: connection refused";
    adapter.refuses("total", &[sentence]).await;
    adapter.logs(&["WARN", "policy=inference/total", "connection refused"]).await;
    let good = prometheus("default", &web.url("/prom"));
    adapter.replace("foresail.yaml", &config(&[good], &policies));
    adapter.serves("total", "7").await;
    adapter.logs(&["INFO", "policy=inference/total", "publishing values"]).await;
}

#[tokio::test]
async fn two_series_of_one_pod_are_refused_and_a_bad_series_stays_alone() {
    let web = Web::start().await;
    let series = |pod: &str, value: &str| {
        let now = jiff::Timestamp::now().as_second();
        json!({"metric": {"pod": pod}, "value": [now, value]})
    };
    let nameless = json!({"metric": {"instance": "x"}, "value": [1, "1"]});
    let twice = [series("llama-0", "1"), series("llama-1", "2"), series("llama-0", "3")];
    let some = [series("llama-0", "1"), series("llama-1", "NaN"), series("NOT/A/POD", "2")];
    web.set("/twice", data("vector", &json!(twice)));
    web.set("/nameless", data("vector", &json!([nameless])));
    web.set("/some", data("vector", &json!(some)));
    let names = ["twice", "nameless", "some"];
    let sources: Vec<String> =
        names.iter().map(|it| prometheus(it, &web.url(&format!("/{it}")))).collect();
    let policies: Vec<String> = names
        .iter()
        .map(|it| external(it, "200ms", &query_signal(it, "q")).replace("External", "Pods"))
        .collect();
    let adapter = Adapter::start(&config(&sources, &policies)).await;
    let pod = async |pod: &str, metric: &str| {
        let base = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/inference/pods";
        adapter.get(&format!("{base}/{pod}/{metric}")).await
    };
    let twice = "source twice: the answer was not understood: two series name the same pod; \
                 aggregate with `by (pod)`";
    let nameless = "source nameless: no series has a usable label that names its pod";
    for (metric, message) in [("twice", twice), ("nameless", nameless)] {
        wait::until(metric, async || {
            let answer = pod("llama-0", metric).await?;
            wait::seen(answer.code == 404 && answer.message().contains(message), answer.body)
        })
        .await;
    }
    wait::until("the good pod", async || {
        let values = pod("llama-0", "some").await?.values()?;
        wait::seen(values == ["1"], format!("{values:?}"))
    })
    .await;
    for unknown in ["llama-1", "llama-2"] {
        assert_eq!(pod(unknown, "some").await.unwrap().code, 404);
    }
}

/// The instants that were asked about, in milliseconds.
fn instants(asked: &[Asked]) -> Vec<i64> {
    let millis = |it: &Asked| it.parameters["time"].replace('.', "").parse().unwrap();
    asked.iter().map(millis).collect()
}

#[tokio::test]
async fn each_policy_asks_once_for_each_instant_of_its_grid() {
    let web = Web::start().await;
    web.set("/post", Behaviour::Prometheus(1.0));
    web.set("/get", Behaviour::Prometheus(2.0));
    let by_get = prometheus("get", &web.url("/get")).replace("timeout", "method: GET, timeout");
    let sources = [prometheus("post", &web.url("/post")), by_get];
    let query = |n: usize| format!("sum(rate(x_total{{code=~\"2..\", n=\"{n}\"}}[1m])) + {n}");
    let policies = [
        external("first", "400ms", &query_signal("post", &query(1))),
        external("second", "400ms", &query_signal("post", &query(2))),
        external("got", "300ms", &query_signal("get", &query(3))),
    ];
    let adapter = Adapter::start(&config(&sources, &policies)).await;
    adapter.serves("first", "1").await;
    adapter.serves("second", "1").await;
    adapter.serves("got", "2").await;
    // However often the metric is asked for, the source is not.
    for _ in 0..50 {
        adapter.external("got").await.unwrap();
    }
    wait::until("a few rounds", async || {
        let (post, get) = (web.asked("/post").len(), web.asked("/get").len());
        wait::seen(post >= 8 && get >= 5, format!("{post} {get}"))
    })
    .await;
    let (post, get) = (web.asked("/post"), web.asked("/get"));
    assert!(post.iter().all(|it| it.method == "POST" && !it.in_url), "{post:?}");
    assert!(get.iter().all(|it| it.method == "GET" && it.in_url), "{get:?}");
    for (asked, n, interval) in [(&post, 1, 400), (&post, 2, 400), (&get, 3, 300)] {
        let of_policy: Vec<Asked> = asked
            .iter()
            .filter(|it| it.parameters["query"].starts_with(&query(n)))
            .cloned()
            .collect();
        let instants = instants(&of_policy);
        assert!(instants.len() >= 3, "{instants:?}");
        assert!(instants.iter().all(|it| it % interval == 0), "off the grid: {instants:?}");
        assert!(instants.windows(2).all(|it| it[0] < it[1]), "twice or back: {instants:?}");
        let live = of_policy.iter().all(|it| it.path.ends_with("/api/v1/query"));
        assert!(live, "without smoothing there is nothing to ask of the past");
    }
}
