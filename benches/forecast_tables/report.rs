//! The tables over several series, on stdout.

use crate::forward::Line;
use crate::hindsight::Row;
use crate::medians::{
    against, distinct, figure, geometric_mean, mean, median, print_head, print_row, worst,
};
use crate::score::{PROBABILITIES, Score};
use crate::series::Judged;

/// What the best single method should reach in hindsight, by lead time in seconds.
const HINDSIGHT_TARGETS: [(u64, f64); 4] = [(60, 1.30), (180, 1.33), (300, 1.40), (600, 1.38)];
/// What `auto` should reach relative to reactive.
const FORWARD_TARGETS: [(u64, f64); 4] = [(60, 0.75), (180, 0.74), (300, 0.72), (600, 0.78)];
/// What may be late in the mean, and on the worst series, in per cent.
const LATE_TARGETS: (f64, f64) = (0.8, 3.0);
/// How much dearer than reactive a series may be that does not wait less.
const DEARER_MAX: f64 = 1.02;

fn target(targets: &[(u64, f64)], lead: u64, wanted: bool) -> Option<f64> {
    targets.iter().find(|it| wanted && it.0 == lead).map(|it| it.1)
}

fn leads(judged: &[Judged]) -> Vec<u64> {
    distinct(judged.iter().map(|it| it.lead_seconds))
}

fn at(judged: &[Judged], lead: u64) -> Vec<&Judged> {
    judged.iter().filter(|it| it.lead_seconds == lead).collect()
}

fn head(first: &str, leads: &[u64]) -> Vec<String> {
    let columns = leads.iter().map(|lead| format!("{lead} s"));
    std::iter::once(first.to_owned()).chain(columns).collect()
}

/// Every method's cost with its knob picked in hindsight.
pub(crate) fn hindsight(title: &str, judged: &[Judged], with_targets: bool) {
    println!("\n## {title}, in hindsight: cost relative to the offline optimum\n");
    println!(
        "At most 1 % of the work late (in brackets 0.5 %), then scale events per day; medians.\n"
    );
    let leads = leads(judged);
    print_head(&head("method", &leads));
    let methods = distinct(judged.iter().flat_map(|it| &it.hindsight).map(|it| it.method.clone()));
    let mut best = vec![(f64::INFINITY, String::new()); leads.len()];
    for method in methods {
        let cell = |lead: &u64| {
            let rows: Vec<&Row> = at(judged, *lead)
                .iter()
                .filter_map(|it| it.hindsight.iter().find(|row| row.method == method))
                .collect();
            let one = median(rows.iter().map(|it| it.at_one));
            let half = median(rows.iter().map(|it| it.at_half));
            (one, half, median(rows.iter().map(|it| it.events)))
        };
        let cells: Vec<_> = leads.iter().map(cell).collect();
        if method != "clairvoyant" && !method.starts_with("reactive") {
            for (best, (one, ..)) in best.iter_mut().zip(&cells) {
                if *one < best.0 {
                    *best = (*one, method.clone());
                }
            }
        }
        let shown = cells
            .iter()
            .map(|(one, half, events)| format!("{} ({}) {events:.0}", figure(*one), figure(*half)));
        print_row(std::iter::once(method).chain(shown));
    }
    println!();
    for (lead, (value, method)) in leads.iter().zip(best) {
        let target = target(&HINDSIGHT_TARGETS, *lead, with_targets);
        println!("- {lead} s: best {method} {}", against(value, target));
    }
}

/// What one gets who chooses every day.
pub(crate) fn forward(title: &str, judged: &[Judged], with_targets: bool) {
    println!("\n## {title}, forward: re-chosen daily at 0.5 %, over the second half\n");
    println!("GPU-hours relative to reactive, re-chosen daily likewise; late work in per cent.\n");
    let columns = ["lead", "method", "GPU-hours", "late, mean", "late, worst", "events", "changes"];
    print_head(&columns.map(str::to_owned));
    for lead in leads(judged) {
        let judged = at(judged, lead);
        let methods: Vec<&str> = judged[0].forward.iter().map(|it| it.method.as_str()).collect();
        for (place, method) in methods.into_iter().enumerate() {
            forward_row(lead, method, place, &judged, with_targets);
        }
    }
    println!("\nPer series: GPU-hours relative to reactive, late % (reactive's), the choices.\n");
    for lead in leads(judged) {
        for it in at(judged, lead) {
            per_series(it);
        }
    }
}

fn forward_row(lead: u64, method: &str, place: usize, judged: &[&Judged], with_targets: bool) {
    let lines = || judged.iter().map(|it| (it.series.as_str(), &it.forward[place]));
    let relative = |it: &Judged| it.forward[place].pod_seconds / it.forward[0].pod_seconds;
    let is_headline = with_targets && method.starts_with("auto");
    let (mean_max, worst_max) = LATE_TARGETS;
    let (mean_max, worst_max) =
        if is_headline { (Some(mean_max), Some(worst_max)) } else { (None, None) };
    let late = mean(lines().map(|(_, it)| 100.0 * it.late_share));
    let (name, most) = worst(lines().map(|(name, it)| (name, 100.0 * it.late_share)));
    let events = mean(lines().map(|(_, it)| it.events_per_day));
    let changes: usize = lines().map(|(_, it)| it.choices.len() - 1).sum();
    print_row([
        format!("{lead} s"),
        method.to_owned(),
        against(
            geometric_mean(judged.iter().map(|it| relative(it))),
            target(&FORWARD_TARGETS, lead, is_headline),
        ),
        against(late, mean_max),
        format!("{} {name}", against(most, worst_max)),
        format!("{events:.0}"),
        changes.to_string(),
    ]);
}

fn per_series(judged: &Judged) {
    let reactive = &judged.forward[0];
    for line in judged.forward.iter().filter(|it| it.method.starts_with("auto")) {
        let Line { method, pod_seconds, late_share, choices, .. } = line;
        let relative = pod_seconds / reactive.pod_seconds;
        let (late, others) = (100.0 * late_share, 100.0 * reactive.late_share);
        let dearer = relative > DEARER_MAX && *late_share >= reactive.late_share;
        let choices: Vec<String> =
            choices.iter().map(|(day, choice)| format!("{day}: {choice}")).collect();
        println!(
            "- {} s, {}, {method}: {relative:.3}, {late:.2} ({others:.2}){}; {}",
            judged.lead_seconds,
            judged.series,
            if dearer { ", dearer without waiting less" } else { "" },
            choices.join(", ")
        );
    }
}

/// How good the forecasts are.
pub(crate) fn scores(title: &str, judged: &[Judged]) {
    println!("\n## {title}: forecasts of the peak\n");
    println!("rMAE: geometric mean of the error relative to \"no change\", and the worst series.");
    println!("Pinball in thousandths of the mean demand; coverage overall / on rising edges.\n");
    let columns = ["horizon, model", "rMAE", "worst"].map(str::to_owned);
    let pinball = PROBABILITIES.map(|it| format!("pinball {it}"));
    let coverage = PROBABILITIES.map(|it| format!("covered {it}"));
    print_head(&[&columns[..], &pinball[..], &coverage[..]].concat());
    for lead in leads(judged) {
        let judged = at(judged, lead);
        let models: Vec<&str> = judged[0].scores.iter().map(|it| it.model.as_str()).collect();
        for model in models {
            score_row(model, &judged);
        }
    }
}

fn score_row(model: &str, judged: &[&Judged]) {
    let scores: Vec<(&str, &Score)> = judged
        .iter()
        .filter_map(|it| {
            let score = it.scores.iter().find(|score| score.model == model)?;
            (score.forecasts > 0).then_some((it.series.as_str(), score))
        })
        .collect();
    let Some((_, first)) = scores.first() else { return };
    let minutes = first.horizon_minutes;
    let errors = || scores.iter().map(|(name, it)| (*name, it.relative_error));
    let errors = || errors().filter(|(_, it)| it.is_finite());
    let (name, most) = worst(errors());
    let mean_of = |value: &dyn Fn(&Score) -> f64| mean(scores.iter().map(|(_, it)| value(it)));
    let mut cells = vec![
        format!("{minutes} min, {model}"),
        figure(geometric_mean(errors().map(|it| it.1))),
        format!("{} {name}", figure(most)),
    ];
    for place in 0..PROBABILITIES.len() {
        cells.push(format!("{:.1}", 1_000.0 * mean_of(&|it| it.pinball[place])));
    }
    for place in 0..PROBABILITIES.len() {
        let all = mean_of(&|it| it.coverage[place]);
        let edges = mean_of(&|it| it.edge_coverage[place]);
        cells.push(format!("{all:.3} / {edges:.3}"));
    }
    print_row(cells);
}
