//! What became of a forecast, as JSON.

use super::seconds;
use crate::domain::supply::{Basis, LeadTime};
use crate::pipeline::forecast::{Chosen, Told};
use crate::pipeline::trace::{BAND, Foreseen, Made, Peak};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Forecast<'a> {
    lead_time: Lead,
    chosen: Choice,
    made: Option<Prediction<'a>>,
    value: Option<f64>,
    rise: f32,
    verdict: &'static str,
    decided_by: &'static str,
    decided: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lead {
    seconds: f64,
    startup_seconds: f64,
    startup_basis: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    startup_starts: Option<u64>,
    data_age_seconds: f64,
    sync_seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Choice {
    model: &'static str,
    quantile: f64,
    headroom: f64,
    down_window_seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Prediction<'a> {
    at: Timestamp,
    horizon_seconds: f64,
    peak: Option<PeakAhead<'a>>,
    gate: Gate,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PeakAhead<'a> {
    model: &'static str,
    point: f64,
    similar_moments: usize,
    quantiles: Vec<Quantile>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    weights: BTreeMap<&'a str, f64>,
}

#[derive(Serialize)]
struct Quantile {
    probability: f64,
    value: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gate {
    is_open: bool,
    reason: &'static str,
    skill: Option<f64>,
    coverage: Option<f64>,
    resolved: usize,
}

impl<'a> Forecast<'a> {
    pub(super) fn of(foreseen: &'a Foreseen) -> Self {
        let Foreseen { told, lead_time, made } = foreseen;
        let Told { value, chosen, forecast, rise, verdict, bound } = told;
        let Chosen { model, quantile, headroom, down_window } = *chosen;
        Self {
            lead_time: lead(lead_time),
            chosen: Choice {
                model: model.name(),
                quantile,
                headroom,
                down_window_seconds: seconds(down_window),
            },
            made: made.as_deref().map(prediction),
            value: *forecast,
            rise: *rise,
            verdict: verdict.name(),
            decided_by: bound.name(),
            decided: value.get(),
        }
    }
}

fn lead(lead_time: &LeadTime) -> Lead {
    let LeadTime { startup, data_age, sync } = lead_time;
    let (startup_basis, startup_starts) = match startup.basis {
        Basis::Given => ("given", None),
        Basis::Assumed => ("assumed", None),
        Basis::Measured { starts, is_cold: false } => ("measured", Some(starts)),
        Basis::Measured { starts, is_cold: true } => ("measuredCold", Some(starts)),
    };
    Lead {
        seconds: seconds(lead_time.total()),
        startup_seconds: seconds(startup.time),
        startup_basis,
        startup_starts,
        data_age_seconds: seconds(*data_age),
        sync_seconds: seconds(*sync),
    }
}

fn prediction(made: &Made) -> Prediction<'_> {
    let Made { at, horizon, peak, verdict } = made;
    Prediction {
        at: *at,
        horizon_seconds: seconds(*horizon),
        peak: peak.as_ref().map(peak_ahead),
        gate: Gate {
            is_open: verdict.is_open,
            reason: verdict.reason.name(),
            skill: verdict.skill,
            coverage: verdict.coverage,
            resolved: verdict.n_resolved,
        },
    }
}

fn peak_ahead(peak: &Peak) -> PeakAhead<'_> {
    let Peak { model, point, n_similar, weights, band } = peak;
    let quantile =
        |(probability, value): (&f64, &f64)| Quantile { probability: *probability, value: *value };
    PeakAhead {
        model: model.name(),
        point: *point,
        similar_moments: *n_similar,
        quantiles: BAND.iter().zip(band).map(quantile).collect(),
        weights: weights.iter().copied().collect(),
    }
}
