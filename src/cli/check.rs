//! `foresail check`: everything that is wrong with a configuration, in one pass.

use super::printer::counted;
use super::{CheckArgs, Exit, Printer};
use crate::app::configuration::{self, ConfigFiles};

pub(super) fn run(args: &CheckArgs, printer: &mut Printer) -> Exit {
    let CheckArgs { config: path, profiles } = args;
    let files = ConfigFiles { config: path.clone(), profiles: profiles.clone() };
    let config = match configuration::read(&files) {
        Ok(config) => config,
        Err(error) => {
            printer.config_error(&error);
            return Exit::Input;
        }
    };
    config.warnings.iter().for_each(|warning| printer.warning(path, warning));
    let good = config.policies.len();
    if config.faults.is_empty() {
        let (path, sources) = (path.display(), config.sources.len());
        printer.line(&format!("{path}: {sources} sources, {good} policies, no faults"));
        return Exit::Done;
    }
    config.faults.iter().for_each(|fault| printer.fault(path, fault));
    let (count, noun) = counted(config.faults.len());
    let all = good + config.broken.len();
    printer.note(&format!("{count} {noun}; {good} of {all} policies are good"));
    Exit::Input
}
