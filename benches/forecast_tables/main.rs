//! The tables that say what forecasts are worth: `make bench-forecast`.
//!
//! In: recorded traces where there are any, and series made from a seed. Out, on stdout: what each
//! way of publishing costs in hindsight and for one who chooses every day by the days before, and
//! how good the forecasts are by themselves. Every forecast was made from its own past, and every
//! method may pick its headroom or quantile by the same sweep.
//!
//! `cargo test` runs it in small, over two short series, so that it does not rot.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench fails loudly, and its tables are for a terminal"
)]

mod forward;
mod generated;
mod hindsight;
mod image;
mod image_auto;
mod load;
mod medians;
mod replay;
mod report;
mod score;
mod series;
mod work;

use self::series::Judged;
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// What to run, and over what.
#[derive(Debug, Parser)]
struct Options {
    /// The folder of recorded traces; skipped, and said so, when it is not there.
    #[arg(long, default_value = "../shared/traces")]
    traces: PathBuf,
    /// Lead times in seconds.
    #[arg(long, value_delimiter = ',', default_value = "60,180,300,600")]
    leads: Vec<u64>,
    /// Which parts: image, cluster, generated.
    #[arg(long, value_delimiter = ',', default_value = "image,cluster,generated")]
    parts: Vec<String>,
    /// Which tables of series: hindsight, forward, scores.
    #[arg(long, value_delimiter = ',', default_value = "hindsight,forward,scores")]
    tables: Vec<String>,
    /// Writes every figure to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Given by `cargo bench`; without it everything is small.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Of the knobs of each sweep, and of the candidates, one in so many is tried.
    thinned: usize,
    /// Whether models are asked that `auto` does not try.
    others: bool,
    /// The tables of series that are wanted.
    hindsight: bool,
    forward: bool,
    scores: bool,
}

fn main() {
    let options = Options::parse();
    let size = options.size();
    let leads: Vec<Duration> = options.leads.iter().map(|it| Duration::from_secs(*it)).collect();
    let has = |part: &str| options.bench && options.parts.iter().any(|it| it == part);
    let mut all = serde_json::Map::new();
    let recorded = options.traces.is_dir();
    if !recorded && options.bench {
        println!("no recorded traces in {}: generated series only", options.traces.display());
    }
    if has("image") && recorded {
        let requests = load::requests(&options.traces.join("genai-image-requests.csv"));
        let leads: Vec<Duration> = leads.iter().copied().filter(|it| it.as_secs() <= 300).collect();
        let rows = image::judge(&requests, &leads, size);
        image::report(&rows);
        all.insert("image".to_owned(), serde_json::to_value(&rows).unwrap());
    }
    if has("cluster") && recorded {
        let judged = series::judge_all(&load::cluster(&options.traces), &leads, size);
        show("Cluster load", &judged, size, true);
        all.insert("cluster".to_owned(), serde_json::to_value(&judged).unwrap());
    }
    if has("generated") {
        let leads: Vec<Duration> =
            leads.iter().copied().filter(|it| [180, 600].contains(&it.as_secs())).collect();
        let judged = series::judge_all(&generated::all(generated::DAYS), &leads, size);
        show("Generated series", &judged, size, false);
        all.insert("generated".to_owned(), serde_json::to_value(&judged).unwrap());
    }
    if !options.bench {
        let few: Vec<_> = generated::all(4).into_iter().take(2).collect();
        let judged = series::judge_all(&few, &[Duration::from_secs(180)], size);
        assert!(judged.iter().all(|it| !it.forward.is_empty() && !it.scores.is_empty()));
        show("Generated series, in small", &judged, size, false);
        let rows = image::judge(&generated::requests(3), &[Duration::from_secs(60)], size);
        assert!(rows.len() > 1);
        image::report(&rows);
    }
    if let Some(path) = options.json {
        std::fs::write(path, serde_json::to_string_pretty(&all).unwrap()).unwrap();
    }
}

impl Options {
    fn size(&self) -> Size {
        let wants = |table: &str| self.tables.iter().any(|it| it == table);
        let (hindsight, forward) = (wants("hindsight"), wants("forward"));
        let scores = wants("scores");
        let others = self.bench && (hindsight || scores);
        Size { thinned: if self.bench { 1 } else { 10 }, others, hindsight, forward, scores }
    }
}

fn show(title: &str, judged: &[Judged], size: Size, with_targets: bool) {
    if size.hindsight {
        report::hindsight(title, judged, with_targets);
    }
    if size.forward {
        report::forward(title, judged, with_targets);
    }
    if size.scores {
        report::scores(title, judged);
    }
}
