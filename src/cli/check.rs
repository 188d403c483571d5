//! `foresail check`: everything that is wrong with a configuration, in one pass.

use super::{CheckArgs, Exit, Printer};
use crate::app::configuration::{self, ConfigError};
use crate::document::fault::Fault;
use crate::domain::error_chain::ErrorChain;
use std::path::Path;

pub(super) fn run(args: &CheckArgs, printer: &mut Printer) -> anyhow::Result<Exit> {
    let CheckArgs { config: path } = args;
    match configuration::read(path) {
        Ok(config) if config.faults.is_empty() => {
            let (sources, policies) = (config.sources.len(), config.policies.len());
            let path = path.display();
            printer.line(&format!("{path}: {sources} sources, {policies} policies, no faults"));
            Ok(Exit::Done)
        }
        Ok(config) => {
            let good = config.policies.len();
            let all = good + config.broken.len();
            Ok(show(path, &config.faults, &format!("{good} of {all} policies are good"), printer))
        }
        Err(ConfigError::Faulty { faults, .. }) => {
            Ok(show(path, &faults, "the file cannot be used", printer))
        }
        Err(error @ ConfigError::Unreadable { .. }) => {
            printer.error(&ErrorChain(&error).to_string());
            printer.note("  hint: name the file with --config FILE");
            Ok(Exit::Input)
        }
    }
}

fn show(path: &Path, faults: &[Fault], verdict: &str, printer: &mut Printer) -> Exit {
    for fault in faults {
        printer.fault(path, fault);
    }
    let count = faults.len();
    let faults = if count == 1 { "fault" } else { "faults" };
    printer.note(&format!("{count} {faults}; {verdict}"));
    Exit::Input
}
