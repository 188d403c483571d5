//! One page with plots, complete in itself: styles, script and data are inside, and nothing is
//! loaded from anywhere.

use super::Simulation;
use super::facts::shown_wait;
use super::table::{Table, gpu_hours, name};
use crate::domain::duration::Shown;
use crate::replay::comparison::{Scored, Way};

mod data;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

pub(super) fn of(simulation: &Simulation) -> String {
    let Simulation { scenario, comparison, .. } = simulation;
    let policy = &scenario.policy;
    let title = format!("{} on {}", policy.key, simulation.source.demand);
    let period = period_name(simulation);
    let facts: String = simulation
        .facts()
        .into_iter()
        .map(|(word, text)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(word), escaped(&text)))
        .collect();
    let frontier = simulation.frontier().map(|table| frontier_section(&table));
    let open = if comparison.scored.iter().any(|it| it.run.days.len() > 3) { "" } else { " open" };
    let parts = [
        ("{{TITLE}}", escaped(&title)),
        ("{{VERDICT}}", escaped(&verdict(simulation))),
        ("{{SCORE}}", table(&simulation.table(), |place| (place == 0).then_some("own"))),
        ("{{MAX_WAIT}}", Shown(scenario.slo).to_string()),
        ("{{FRONTIER}}", frontier.unwrap_or_default()),
        ("{{PERIOD}}", period.to_owned()),
        ("{{DAYS_OPEN}}", open.to_owned()),
        ("{{DAYS}}", days(simulation)),
        ("{{FACTS}}", facts),
        ("{{VERSION}}", env!("CARGO_PKG_VERSION").to_owned()),
        ("{{STYLE}}", STYLE.to_owned()),
        ("{{SCRIPT}}", SCRIPT.to_owned()),
        ("{{DATA}}", data::of(simulation)),
    ];
    filled(&parts)
}

/// The page with its parts, each put in once: what a part says is not looked at again.
fn filled(parts: &[(&str, String)]) -> String {
    let mut page = String::new();
    let mut rest = PAGE;
    while let Some((before, mark)) = rest.split_once("{{") {
        page.push_str(before);
        let Some((mark, after)) = mark.split_once("}}") else { break };
        let part = parts.iter().find(|(name, _)| name.trim_matches(['{', '}']) == mark);
        page.push_str(part.map_or("", |(_, text)| text));
        rest = after;
    }
    page + rest
}

/// The result in one sentence.
fn verdict(simulation: &Simulation) -> String {
    let Simulation { scenario, comparison, .. } = simulation;
    let find = |way| comparison.scored.iter().find(|it| it.way == way).map(|it| &it.totals);
    let (Some(own), Some(plain)) = (find(Way::Policy), find(Way::Reactive(300))) else {
        return String::new();
    };
    let share = (own.pod_seconds / plain.pod_seconds - 1.0) * 100.0;
    let cost = match share {
        it if it >= 0.05 => format!("{it:.1} % more GPU-hours than"),
        it if it <= -0.05 => format!("{:.1} % fewer GPU-hours than", -it),
        _ => "as many GPU-hours as".to_owned(),
    };
    format!(
        "With this policy {:.2} % of the work would have waited longer than {}, at {cost} a plain \
         HPA, under which {:.2} % would have.",
        own.late_share() * 100.0,
        Shown(scenario.slo),
        plain.late_share() * 100.0,
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A table of HTML; `class` names the rows that look different.
fn table(table: &Table, class: impl Fn(usize) -> Option<&'static str>) -> String {
    let heads: String = table.heads.iter().map(|it| head("col", it)).collect();
    let mut rows = String::new();
    for (place, row) in table.rows.iter().enumerate() {
        let class = class(place).map(|it| format!(" class=\"{it}\"")).unwrap_or_default();
        rows.push_str(&format!("<tr{class}>"));
        for (column, cell) in row.iter().enumerate() {
            let cell = match column {
                0 => head("row", cell),
                _ => format!("<td>{}</td>", escaped(cell)),
            };
            rows.push_str(&cell);
        }
        rows.push_str("</tr>\n");
    }
    let (open, close) = ("<div class=\"scroll\"><table>", "</table></div>");
    format!("{open}<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>{close}")
}

/// A cell that names its row or column; a corner names neither.
fn head(scope: &str, text: &str) -> String {
    match text {
        "" => "<td></td>".to_owned(),
        text => format!("<th scope=\"{scope}\">{}</th>", escaped(text)),
    }
}

fn frontier_section(frontier: &Table) -> String {
    format!(
        "<section aria-labelledby=\"sweep-head\">\n<h2 id=\"sweep-head\">Cost against lateness</h2>\n\
         <figure><figcaption id=\"sweep-keys\"></figcaption><canvas id=\"sweep\" role=\"img\" \
         style=\"height:300px\" aria-label=\"GPU-hours against the share of late work, one line \
         for each way of publishing\"></canvas></figure>\n{}\n<p class=\"note\">What is published \
         was scaled up and down; GPU-hours at a share of late work lie on the lower envelope of \
         those runs.</p>\n</section>",
        table(frontier, |place| (place == 0).then_some("own"))
    )
}

fn period_name(simulation: &Simulation) -> &'static str {
    let scenario = &simulation.scenario;
    let seconds = scenario.load.step.as_secs_f64() * scenario.score.period as f64;
    match seconds {
        it if it > 50_000.0 => "day",
        it if it > 2_000.0 => "hour",
        _ => "minute",
    }
}

/// The figures of each period, for the policy and the plain HPAs.
fn days(simulation: &Simulation) -> String {
    let Simulation { scenario, comparison, source } = simulation;
    let ways: Vec<&Scored> =
        comparison.scored.iter().filter(|it| it.way != Way::Clairvoyant).collect();
    let mut heads = vec![period_name(simulation).to_owned()];
    for way in &ways {
        let name = name(way.way);
        heads.extend([format!("{name}: late %"), "GPU-hours".to_owned(), "wait".to_owned()]);
    }
    let first = ways.first().map_or(0, |it| it.run.first_day);
    let count = ways.first().map_or(0, |it| it.run.days.len());
    let rows = (0..count).map(|place| {
        let period = first + place;
        let time = scenario.load.time(period * scenario.score.period);
        let mut row = vec![match (scenario.load.is_dated, period_name(simulation)) {
            (true, "day") => time.strftime("%a %Y-%m-%d").to_string(),
            (true, _) => time.strftime("%Y-%m-%d %H:%M").to_string(),
            (false, "day") => format!("day {}", period + 1),
            (false, _) => time.strftime("%H:%M").to_string(),
        }];
        for way in &ways {
            let Some(totals) = way.run.days.get(place) else { continue };
            row.push(format!("{:.2}", totals.late_share() * 100.0));
            row.push(format!("{:.1}", gpu_hours(totals.pod_seconds, source.gpus_per_pod)));
            row.push(shown_wait(totals.wait_seconds));
        }
        row
    });
    let is_history = |place: usize| (first + place < scenario.score.from).then_some("history");
    table(&Table { heads, rows: rows.collect() }, is_history)
}
