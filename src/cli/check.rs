//! `foresail check`: everything that is wrong with a configuration, in one pass.

use super::printer::counted;
use super::{CheckArgs, Exit, Printer};
use crate::app::configuration::{self, ConfigFiles, Read};
use crate::app::import::Server;

pub(super) fn run(args: &CheckArgs, printer: &mut Printer) -> Exit {
    let CheckArgs { config: path, profiles, server } = args;
    let server = Some(Server::from(server.clone())).filter(|it| *it != Server::default());
    let is_told = server.as_ref().is_some_and(|it| it.url.is_some());
    let files = ConfigFiles { config: path.clone(), profiles: profiles.clone(), server };
    let Read { manifests, rules, is_old } = match configuration::read_any(&files) {
        Ok(read) => read,
        Err(error) => {
            printer.config_error(&error);
            return Exit::Input;
        }
    };
    let (config, unknown_sources) = (&manifests.config, &manifests.unknown_sources);
    config.warnings.iter().for_each(|warning| printer.warning(path, warning));
    let good = config.policies.len();
    let n_rules = rules.count();
    let of_rules = (n_rules > 0).then(|| counted(n_rules, "rule", "rules"));
    if config.faults.is_empty() {
        let known = config.sources.len().saturating_sub(unknown_sources.len());
        let mut parts = vec![counted(known, "source", "sources")];
        parts.extend((!is_old).then(|| counted(good, "policy", "policies")));
        parts.extend(of_rules);
        printer.line(&format!("{}: {}, no faults", path.display(), parts.join(", ")));
        if is_old && !is_told {
            printer.note(
                "this is a configuration of prometheus-adapter: give `foresail serve` the flags of its \
                 Deployment, `--prometheus-url` above all, or say it in Foresail's words: `foresail \
                 import prometheus-adapter`",
            );
        }
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
    let mut parts = Vec::new();
    if all > 0 || n_rules == 0 {
        parts.push(format!("{good} of {} good", counted(all, "policy is", "policies are")));
    }
    if let Some(of_rules) = of_rules {
        parts.push(format!("{} of {of_rules} good", n_rules - rules.broken.len()));
    }
    printer.note(&format!("{faults}; {}", parts.join(", ")));
    Exit::Input
}
