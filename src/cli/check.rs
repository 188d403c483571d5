//! `foresail check`: everything that is wrong with a configuration, in one pass.

use super::printer::counted;
use super::{CheckArgs, Exit, Printer};
use crate::app::configuration::{self, ConfigFiles};

pub(super) fn run(args: &CheckArgs, printer: &mut Printer) -> Exit {
    let CheckArgs { config: path, profiles } = args;
    let files = ConfigFiles { config: path.clone(), profiles: profiles.clone(), server: None };
    let manifests = match configuration::read_any(&files) {
        Ok(manifests) => manifests,
        Err(error) => {
            printer.config_error(&error);
            return Exit::Input;
        }
    };
    let (config, unknown_sources) = (&manifests.config, &manifests.unknown_sources);
    config.warnings.iter().for_each(|warning| printer.warning(path, warning));
    let good = config.policies.len();
    if config.faults.is_empty() {
        let known = config.sources.len().saturating_sub(unknown_sources.len());
        let parts = [counted(known, "source", "sources"), counted(good, "policy", "policies")];
        printer.line(&format!("{}: {}, no faults", path.display(), parts.join(", ")));
        if !unknown_sources.is_empty() {
            let names: Vec<&str> = unknown_sources.iter().map(|it| it.as_str()).collect();
            printer.note(&format!(
                "not looked at: {} (sources are in the adapter's configuration)",
                names.join(", ")
            ));
        }
        for host in &manifests.unknown_hosts {
            printer.note(&format!(
                "the operator has to list `{host}` under `queues.allowedHosts` of the adapter's configuration"
            ));
        }
        for namespace in &manifests.unknown_borrowers {
            printer.note(&format!(
                "the operator has to list `{namespace}` under `queues.awsIdentityFor` of the adapter's configuration"
            ));
        }
        return Exit::Done;
    }
    config.faults.iter().for_each(|fault| printer.fault(path, fault));
    let faults = counted(config.faults.len(), "fault", "faults");
    let all = good + config.broken.len();
    printer
        .note(&format!("{faults}; {good} of {} good", counted(all, "policy is", "policies are")));
    Exit::Input
}
