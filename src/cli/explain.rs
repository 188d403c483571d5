//! `foresail explain`: why a metric has the value that it has, stage by stage, in the terminal.

use super::serve::stop_on_signal;
use super::{Exit, ExplainArgs, Printer};
use crate::app::explain::{ExplainError, Explainer, Form};
use crate::domain::name::{MetricName, Namespace};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often `--watch` looks for a newer evaluation.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(args: &ExplainArgs, printer: &mut Printer) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shown = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(&stop)?;
        anyhow::Ok(show(args, printer, &stop).await)
    })?;
    let Err(error) = shown else { return Ok(Exit::Done) };
    printer.error(&error.to_string());
    if let Some(hint) = error.hint() {
        printer.note(&format!("  hint: {hint}"));
    }
    Ok(if error.is_input() { Exit::Input } else { Exit::Failed })
}

async fn show(
    args: &ExplainArgs,
    printer: &mut Printer,
    stop: &CancellationToken,
) -> Result<(), ExplainError> {
    let ExplainArgs { namespace, metric, server, last, json, watch } = args;
    let explainer = Explainer::new(server)?;
    let form = if *json { Form::Json } else { Form::Text };
    let mut shown = String::new();
    loop {
        let asked = explainer.explain(namespace, metric, *last, form);
        let Some(explained) = stop.run_until_cancelled(asked).await else { return Ok(()) };
        let explained = explained?;
        // Ages count from the evaluation, so the text is another one only after the next.
        if explained != shown {
            if !shown.is_empty() {
                printer.line("");
            }
            printer.line(explained.trim_end());
            shown = explained;
        }
        if !watch || printer.is_closed() {
            return Ok(());
        }
        if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return Ok(());
        }
    }
}

pub(super) fn namespace(text: &str) -> Result<Namespace, String> {
    Namespace::new(text).map_err(|error| error.to_string())
}

pub(super) fn metric(text: &str) -> Result<MetricName, String> {
    MetricName::new(text).map_err(|error| error.to_string())
}
