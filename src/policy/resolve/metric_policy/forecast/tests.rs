//! What policies may say about their forecast.

use crate::domain::limits;
use crate::forecast::Model;
use crate::policy::forecast::Choice;
use crate::policy::{Config, resolve};
use std::time::Duration;

fn load(forecast: &str) -> Config {
    load_of("External", forecast)
}

fn load_of(metric_type: &str, forecast: &str) -> Config {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n\
         sources: [{{name: default, prometheus: {{url: 'http://p:9090'}}}}]\n\
         policies:\n  - metadata: {{name: a, namespace: n}}\n    spec:\n      \
         metric: {{name: a, type: {metric_type}}}\n      \
         signals: {{x: {{source: default, prometheus: {{query: x}}}}}}\n      \
         forecast: {forecast}\n"
    );
    resolve::load(&text).unwrap()
}

#[test]
fn an_empty_forecast_leaves_everything_to_foresail() {
    let forecast = load("{}").policies[0].forecast.clone().unwrap();
    assert_eq!(forecast.model, Choice::Auto);
    assert_eq!(forecast.lead_time, Choice::Auto);
    assert_eq!(forecast.quantile, Choice::Auto);
    assert_eq!(forecast.down_window, Choice::Auto);
    assert_eq!((forecast.max_wait, forecast.late_share), (Duration::from_secs(10), 0.005));
    assert_eq!(
        (forecast.season, forecast.step()),
        (limits::SEASON_DEFAULT, Duration::from_secs(60))
    );
    assert!(!forecast.is_shadow && !forecast.below_observed);
}

#[test]
fn a_forecast_that_is_off_is_none() {
    assert_eq!(load("{mode: Off, model: naive}").policies[0].forecast, None);
    assert!(load("{mode: Shadow}").policies[0].forecast.clone().unwrap().is_shadow);
}

#[test]
fn the_quantile_is_given_or_follows_from_the_cost_ratio_or_from_the_model() {
    for (forecast, model, quantile) in [
        ("{quantile: 0.8}", Choice::Auto, Choice::Given(0.8)),
        ("{costRatio: 19}", Choice::Auto, Choice::Given(0.95)),
        ("{model: analog}", Choice::Given(Model::Analog), Choice::Given(0.9)),
        ("{model: auto}", Choice::Auto, Choice::Auto),
    ] {
        let forecast = load(forecast).policies[0].forecast.clone().unwrap();
        assert_eq!((forecast.model, forecast.quantile), (model, quantile));
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    for (forecast, part) in [
        ("{quantile: 0.9, costRatio: 9}", "given beside `quantile`"),
        ("{quantile: 1.5}", "1.5 is not within 0.5 and 0.999"),
        ("{leadTime: 2h}", "longer than 1h"),
        ("{scaleTarget: {name: 'a/b'}}", "spec.forecast.scaleTarget.name"),
        ("{leadTime: 0s}", "shorter than 1s"),
        ("{leadTime: soon}", "leadTime"),
        ("{downWindow: 48h}", "longer than"),
        ("{season: 30m, leadTime: 10m}", "look 10m31s250ms ahead and sees 7m30s"),
        ("{season: 5m, leadTime: 1h}", "look 1h ahead and sees 1m15s"),
        ("{season: 1m}", "shorter than 2m"),
        ("{season: 200h}", "longer than 168h"),
        ("{objective: {latePercent: 80}}", "80 is not within"),
        ("{limits: {overObserved: 0.5}}", "0.5 is not within"),
        ("{model: prophet}", "prophet"),
    ] {
        let config = load(forecast);
        let fault = config.faults.first().map(ToString::to_string).unwrap_or_default();
        assert!(config.policies.is_empty(), "{forecast}");
        assert!(fault.contains(part), "{forecast}: {fault}");
    }
}

#[test]
fn a_lead_time_within_a_quarter_of_the_season_is_taken() {
    for forecast in ["{season: 30m, leadTime: 6m}", "{season: 2m}", "{leadTime: 1h}"] {
        assert!(load(forecast).faults.is_empty(), "{forecast}");
    }
    assert!(load("{mode: Off, season: 5m, leadTime: 1h}").faults.is_empty());
}

#[test]
fn a_forecast_is_of_a_total() {
    let fault = format!("{:?}", load_of("Pods", "{}").faults[0]);
    assert!(fault.contains("a Pods metric has no forecast"), "{fault}");
    assert!(fault.contains("use External or Object"), "{fault}");
    assert!(load_of("Pods", "{mode: Off}").faults.is_empty());
}
