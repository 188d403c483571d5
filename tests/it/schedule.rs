//! A calendar as a signal: served without any source, also beside one, and simulated.

use crate::support::adapter::{Adapter, config, external, foresail, scrape};
use crate::support::wait;
use crate::support::web::Web;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::fs;

/// A window of so many seconds from now until so many from now.
fn window((from, to): (i64, i64), value: u32) -> String {
    let now = Timestamp::now();
    let [from, to] = [from, to].map(|it| now + SignedDuration::from_secs(it));
    format!("{{from: '{from}', to: '{to}', value: {value}}}")
}

fn calendar(keys: &str, windows: &[String]) -> String {
    format!("{{schedule: {{{keys}windows: [{}]}}}}", windows.join(", "))
}

#[tokio::test]
async fn what_is_planned_is_served_without_a_source_and_outside_of_windows_it_is_zero() {
    let hour = 3_600;
    let policies = [
        external("now", "200ms", &calendar("", &[window((-hour, hour), 20)])),
        external("later", "200ms", &calendar("", &[window((hour, 2 * hour), 30)])),
        external("soon", "200ms", &calendar("ahead: 2h, ", &[window((hour, 2 * hour), 40)])),
        // Half of three hours' ramp and more, but less than six tenths of it.
        external("ramped", "200ms", &calendar("ramp: 3h, ", &[window((4_800, 9_000), 50)])),
        external(
            "always",
            "200ms",
            "{schedule: {timeZone: Asia/Tokyo, windows: [{start: '* * * * *', duration: 1m, value: 2500m}]}}",
        ),
    ];
    let adapter = Adapter::start(&config(&[], &policies)).await;
    for (metric, value) in
        [("now", "20"), ("later", "0"), ("soon", "40"), ("ramped", "25"), ("always", "2500m")]
    {
        adapter.serves(metric, value).await;
    }
}

#[tokio::test]
async fn a_window_opens_by_the_clock_and_raises_what_a_source_says() {
    let web = Web::start().await;
    web.show("/page", "q 7\n");
    let opens = Timestamp::now() + SignedDuration::from_secs(4);
    let planned = calendar("", &[format!("{{from: '{opens}', duration: 1h, value: 12}}")]);
    let policy = format!(
        "{{metadata: {{name: both, namespace: inference}}, spec: {{metric: {{name: both, type: \
         External}}, interval: 200ms, signals: {{it: {{source: page, scrape: {{series: q}}}}, \
         planned: {planned}}}, combine: 'max(it, planned)'}}}}"
    );
    let adapter = Adapter::start(&config(&[scrape("page", &web.url("/page"))], &[policy])).await;
    wait::until("the window is open", async || {
        let answer = adapter.external("both").await?;
        let list: Value = serde_json::from_str(&answer.body).unwrap();
        let item = list["items"].get(0).ok_or_else(|| answer.message())?;
        let at: Timestamp = item["timestamp"].as_str().unwrap().parse().unwrap();
        // The API tells whole seconds.
        let is_open = at.as_second() >= opens.as_second();
        let value = item["value"].as_str().unwrap();
        assert!(value == "7" && at <= opens || value == "12" && is_open, "{item} {opens}");
        wait::seen(value == "12", value)
    })
    .await;
    web.show("/page", "q 15\n");
    adapter.serves("both", "15").await;
}

#[test]
fn a_calendar_is_simulated_over_the_past_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let planned = "{schedule: {windows: [{start: 0 8 * * 1-5, duration: 10h, value: 20}]}}";
    let path = folder.path().join("config.yaml");
    fs::write(&path, config(&[], &[external("planned", "10s", planned)])).unwrap();
    let report = folder.path().join("out.json");
    let mut command = foresail();
    command.arg("simulate").arg("--policy").arg(&path).arg("--json").arg(&report);
    // From a Monday to a Thursday.
    command.args(["--from", "2026-11-02", "--to", "2026-11-05"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    // On the day that is scored: forty pods, which the scenario gives to the busiest time, for ten
    // hours, and the one that the HPA leaves for fourteen.
    let optimum = report["offlineOptimum"]["gpuHours"].as_f64().unwrap();
    assert!((optimum - 414.0).abs() < 4.0, "{report:#}");
    assert_eq!(report["podCapacity"], 5.0, "{report:#}");
}
