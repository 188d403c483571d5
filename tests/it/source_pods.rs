//! Pods that are read: a fleet of real servers on loopback, some of which misbehave.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "a test fails loudly, and what the pods show is added up to the last bit"
)]

mod access;
mod engines;
mod fleet;
mod gpus;
mod profiles;

use crate::support::web::{Behaviour, refusing};
use fleet::{Fleet, asks, at, on_partial};
use foresail::domain::pod_place::PodPlace;
use std::time::Duration;

const LINE: &str = "q{engine=\"0\",model=\"llama\"} 6\n";

#[tokio::test]
async fn a_fleet_is_one_number_or_one_for_each_pod() {
    let fleet = Fleet::start(&["q 1\n", "q 2\n", "q 4\n"]).await;
    for (signal, expected) in [
        ("series: q", 7.0),
        ("series: q, reducePods: avg", 7.0 / 3.0),
        ("series: q, reducePods: max", 4.0),
    ] {
        let reader = fleet.reader(&[asks("External", signal)]);
        assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((expected, None)), "{signal}");
    }
    let reader = fleet.reader(&[asks("Pods", "series: q")]);
    let answer = fleet.read(&reader, 0, at(0)).await.unwrap();
    let samples: Vec<(String, f64)> = answer
        .samples
        .iter()
        .map(|(pod, it)| (pod.as_ref().unwrap().to_string(), it.value.get()))
        .collect();
    let expected = [("pod-0", 1.0), ("pod-1", 2.0), ("pod-2", 4.0)];
    assert_eq!(samples, expected.map(|(pod, value)| (pod.to_owned(), value)));
}

#[tokio::test]
async fn pods_come_and_go_and_only_those_count_that_serve() {
    let mut fleet = Fleet::start(&["q 1\n", "q 2\n", "q 4\n"]).await;
    let signals =
        [asks("External", "series: q"), asks("External", "series: q, includeNotReady: true")];
    let reader = fleet.reader(&signals);
    fleet.change(|pods| pods[0].is_ready = false);
    assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((6.0, None)));
    assert_eq!(fleet.number(&reader, 1, at(0)).await, Ok((7.0, None)));
    fleet.change(|pods| pods[1].is_leaving = true);
    assert_eq!(fleet.number(&reader, 0, at(1)).await, Ok((4.0, None)));
    fleet.change(|pods| {
        pods.pop();
    });
    let none = fleet.number(&reader, 0, at(2)).await;
    assert_eq!(none, Err("no ready pod matches the selector".to_owned()), "and not zero");
    fleet.change(Vec::clear);
    assert!(fleet.number(&reader, 1, at(3)).await.is_err());
}

#[tokio::test]
async fn one_read_of_a_pod_serves_every_policy_of_an_instant() {
    let fleet = Fleet::start(&["q 1\nr 10\n", "q 2\nr 20\n"]).await;
    let signals = [
        asks("External", "series: q"),
        asks("External", "series: r, reducePods: max"),
        asks("Pods", "series: r"),
    ];
    let reader = fleet.reader(&signals);
    for instant in 0..3 {
        let (first, second, third) = tokio::join!(
            fleet.number(&reader, 0, at(instant)),
            fleet.number(&reader, 1, at(instant)),
            fleet.read(&reader, 2, at(instant)),
        );
        assert_eq!((first, second), (Ok((3.0, None)), Ok((20.0, None))));
        assert_eq!(third.unwrap().samples.len(), 2);
    }
    for pod in &fleet.webs {
        assert_eq!(pod.asked("/metrics").len(), 3, "once for each instant");
    }
    // Another timeout is another page: who waits longer must not be cut short by who does not.
    let reader =
        fleet.reader(&[asks("External", "series: q"), asks("External", "series: q, timeout: 2s")]);
    for asker in 0..2 {
        assert_eq!(fleet.number(&reader, asker, at(9)).await, Ok((3.0, None)));
    }
    assert_eq!(fleet.webs[0].asked("/metrics").len(), 5);
}

/// One pod of three behaves like this: what the others say is used as that of all, and the reason is
/// told and counted.
async fn loses_only_itself(behaviour: Behaviour, why: &str, result: &str) {
    let fleet = Fleet::start(&["q 1\n", "q 2\n", ""]).await;
    fleet.webs[2].set("/metrics", behaviour);
    let signals = [
        on_partial("use"),
        on_partial("scaleUpOnly"),
        on_partial("refuse"),
        asks("Pods", "series: q, timeout: 300ms"),
    ];
    let reader = fleet.reader(&signals);
    let silence = format!("1 of 3 pods say nothing: pod-2: {why}");
    let note = Some(silence.clone());
    assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((4.5, note.clone())), "{why}");
    for asker in [1, 2] {
        let refused = fleet.number(&reader, asker, at(0)).await.unwrap_err();
        assert!(refused.starts_with(&silence), "{refused}");
    }
    let each = fleet.read(&reader, 3, at(0)).await.unwrap();
    assert_eq!((each.samples.len(), each.note), (2, note), "{why}");
    let reads = reader.counts().fetches().find(|it| it.0 == result).unwrap().1;
    // Two are read well in any case, and a page may be read well and still say nothing.
    assert_eq!(reads, if result == "ok" { 3 } else { 1 }, "{result}: {:?}", reader.counts());
    assert_eq!(reader.counts().n_used_in_part(), 1);
}

#[tokio::test]
async fn a_pod_that_hangs_or_drips_loses_only_itself() {
    loses_only_itself(Behaviour::Hang, "no answer within 300ms", "timed_out").await;
    loses_only_itself(Behaviour::Drip, "no answer within 300ms", "timed_out").await;
}

#[tokio::test]
async fn a_pod_that_floods_loses_only_itself() {
    let unwanted = "r{engine=\"0\",model=\"llama\"} 6\n";
    let flood = |line: &'static str| Behaviour::Stream("", line, 100_000_000 / line.len());
    let limit = "the answer is larger than 2097152 bytes of wanted series";
    loses_only_itself(flood(LINE), limit, "too_large").await;
    // What nobody wants is not kept, and is cut off all the same, or takes too long.
    let fleet = Fleet::start(&["q 1\n", ""]).await;
    fleet.webs[1].set("/metrics", flood(unwanted));
    let reader = fleet.reader(&[on_partial("use")]);
    assert_eq!(fleet.number(&reader, 0, at(0)).await.unwrap().0, 2.0);
    assert!(reader.counts().n_bytes() < 17 * 1024 * 1024 + 16 * 1024 * 1024);
}

#[tokio::test]
async fn a_pod_that_answers_something_else_loses_only_itself() {
    let page = |text: &str| Behaviour::Answer(200, text.as_bytes().to_vec());
    let not_understood = "the answer was not understood: ";
    for (behaviour, why, result) in [
        (
            page("<html>\n<body>\n"),
            format!("{not_understood}the page is not in exposition format"),
            "not_understood",
        ),
        (page("r 1\n"), "q is not on the page".to_owned(), "ok"),
        (
            page("q NaN\n"),
            "q is NaN, an infinity, a negative number or a blank on the page".to_owned(),
            "ok",
        ),
        (page("q{x 1\n"), format!("{not_understood}a line of q is malformed"), "ok"),
        (
            Behaviour::Answer(403, b"Forbidden\nmore".to_vec()),
            "answered 403: Forbidden".to_owned(),
            "refused",
        ),
        (
            Behaviour::Redirect("http://127.0.0.1:1/".to_owned()),
            "answered 302: redirects are not followed".to_owned(),
            "refused",
        ),
        (
            Behaviour::CloseMidBody,
            "connection closed before message completed".to_owned(),
            "unreachable",
        ),
        (
            Behaviour::OpenMetrics("q 1\n"),
            format!("{not_understood}the page ends before its `# EOF`"),
            "not_understood",
        ),
    ] {
        loses_only_itself(behaviour, &why, result).await;
    }
}

#[tokio::test]
async fn a_pod_that_is_not_there_loses_only_itself() {
    let mut fleet = Fleet::start(&["q 1\n", "q 2\n"]).await;
    let refusing = refusing();
    fleet.change(|pods| {
        let gone = fleet::place(2, refusing.address.port());
        let other = PodPlace { ports: [("web".into(), 80)].into(), ..fleet::place(3, 0) };
        pods.extend([gone, other]);
    });
    let reader = fleet.reader(&[on_partial("use")]);
    let note = "2 of 4 pods say nothing: pod-2: connection refused";
    assert_eq!(fleet.number(&reader, 0, at(0)).await, Ok((6.0, Some(note.to_owned()))));
    fleet.change(|pods| {
        pods.remove(2);
    });
    let note = fleet.number(&reader, 0, at(1)).await.unwrap().1.unwrap();
    assert_eq!(
        note,
        "1 of 3 pods say nothing: pod-3: no container names the port that the policy names"
    );
}

#[tokio::test]
async fn a_good_pod_is_read_once_an_instant_beside_pods_that_hang_drip_and_flood() {
    let fleet = Fleet::start(&["q 1\n", "", "", ""]).await;
    let flood = Behaviour::Stream("", LINE, 100_000_000 / LINE.len());
    for (web, behaviour) in fleet.webs.iter().skip(1).zip([Behaviour::Hang, Behaviour::Drip, flood])
    {
        web.set("/metrics", behaviour);
    }
    let reader = fleet.reader(&[(); 5].map(|()| asks("Pods", "series: q, timeout: 300ms")));
    for instant in 0..4 {
        let reads =
            futures::future::join_all((0..5).map(|it| fleet.read(&reader, it, at(instant))));
        // Far below the deadline of a tick, and far above one timeout, for a busy machine.
        for answer in tokio::time::timeout(Duration::from_secs(5), reads).await.unwrap() {
            let samples = answer.unwrap().samples;
            let good: Vec<String> = samples.keys().flatten().map(ToString::to_string).collect();
            assert_eq!(good, ["pod-0"]);
        }
    }
    for web in &fleet.webs {
        assert_eq!(web.asked("/metrics").len(), 4, "one request for all five policies");
    }
}

#[tokio::test]
async fn half_of_a_fleet_that_hangs_takes_one_timeout_and_not_one_for_each() {
    let fleet = Fleet::start(&["q 1\n"; 40]).await;
    for web in fleet.webs.iter().take(20) {
        web.set("/metrics", Behaviour::Hang);
    }
    let reader = fleet.reader(&[on_partial("use")]);
    // Twenty timeouts of 300 ms one after the other would be six seconds.
    let read = fleet.number(&reader, 0, at(0));
    let answer = tokio::time::timeout(Duration::from_secs(5), read).await.unwrap();
    assert_eq!(answer.unwrap().0, 40.0);
}

#[tokio::test]
async fn counters_are_rates_across_restarts_of_their_pods() {
    let mut fleet = Fleet::start(&["c 1000\n", "c 50\n"]).await;
    let reader = fleet.reader(&[asks("External", "series: c, value: rate")]);
    let new = "2 of 2 pods say nothing: pod-0: a counter needs a second scrape";
    assert_eq!(fleet.number(&reader, 0, at(0)).await, Err(new.to_owned()));
    fleet.show(&["c 1100\n", "c 60\n"]);
    assert_eq!(fleet.number(&reader, 0, at(10)).await, Ok((11.0, None)));
    // The first begins anew and has counted 100 since.
    fleet.show(&["c 100\n", "c 70\n"]);
    assert_eq!(fleet.number(&reader, 0, at(20)).await, Ok((11.0, None)));
    // A pod in the place of another is not its restart.
    fleet.change(|pods| pods[1].uid = "another".into());
    fleet.show(&["c 200\n", "c 5\n"]);
    let refused = fleet.number(&reader, 0, at(30)).await.unwrap_err();
    let expected = "1 of 2 pods say nothing: pod-1: a counter needs a second scrape; and 10 of the \
                    others is not above the last 11";
    assert_eq!(refused, expected);
    fleet.show(&["c 300\n", "c 25\n"]);
    assert_eq!(fleet.number(&reader, 0, at(40)).await, Ok((12.0, None)));
}

#[tokio::test]
async fn a_histogram_is_a_quantile_of_what_all_pods_observed_lately() {
    let page = |low: u32, all: u32| {
        format!(
            "# TYPE h histogram\nh_bucket{{le=\"0.5\"}} {low}\nh_bucket{{le=\"1.0\"}} {all}\n\
             h_bucket{{le=\"+Inf\"}} {all}\nh_sum {low}\nh_count {all}\n"
        )
    };
    let mut fleet = Fleet::start(&["", ""]).await;
    let signals = [
        asks("External", "series: h, value: quantile(0.9)"),
        asks("External", "series: h, value: mean"),
        asks("Pods", "series: h, value: quantile(0.5), minObservations: 30"),
    ];
    let reader = fleet.reader(&signals);
    fleet.show(&[&page(1_000, 2_000), &page(0, 0)]);
    assert!(fleet.number(&reader, 0, at(0)).await.is_err());
    assert!(fleet.number(&reader, 1, at(0)).await.is_err());
    assert!(fleet.read(&reader, 2, at(0)).await.is_err());
    // Nine observations in fifteen seconds are too few for a word about them.
    fleet.show(&[&page(1_005, 2_005), &page(0, 4)]);
    let few = fleet.number(&reader, 0, at(15)).await.unwrap_err();
    assert_eq!(few, "9 observations within 1m, fewer than 20");
    // Since the first scrape: 30 and 10 up to 0.5, 30 and 20 in all.
    fleet.show(&[&page(1_030, 2_030), &page(10, 20)]);
    let ninth = fleet.number(&reader, 0, at(30)).await.unwrap();
    assert!((ninth.0 - 0.75).abs() < 1e-9, "{ninth:?}");
    let mean = fleet.number(&reader, 1, at(30)).await.unwrap();
    assert!((mean.0 - 40.0 / 50.0).abs() < 1e-9, "{mean:?}");
    let each = fleet.read(&reader, 2, at(30)).await.unwrap();
    let names: Vec<String> =
        each.samples.keys().map(|it| it.as_ref().unwrap().to_string()).collect();
    assert_eq!(names, ["pod-0"], "twenty observations are fewer than thirty");
}

#[tokio::test]
async fn openmetrics_is_read_with_its_times_and_without_its_exemplars() {
    let fleet = Fleet::start(&[""]).await;
    let page = "# TYPE q gauge\nq{x=\"a\"} 2 1700000000.5\nq{x=\"b\"} 3 1700000001 # {id=\"z\"} 9\n\
                {\"my.name\",\"l\"=\"v\"} 5\n# EOF\n";
    fleet.webs[0].set("/metrics", Behaviour::OpenMetrics(page));
    let named = "series: '{__name__=\"my.name\",l=\"v\"}'";
    let reader = fleet.reader(&[asks("External", "series: q"), asks("External", named)]);
    let answer = fleet.read(&reader, 0, at(1_700_000_100)).await.unwrap();
    let sample = answer.samples[&None];
    assert_eq!((sample.value.get(), sample.at.as_millisecond()), (5.0, 1_700_000_000_500));
    assert_eq!(fleet.number(&reader, 1, at(1_700_000_100)).await, Ok((5.0, None)));
}
