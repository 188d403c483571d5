//! `foresail profiles`: which engines and exporters are known, what can be asked of each, and the
//! PromQL that a policy would ask.

use super::{Exit, Printer, ProfilesArgs};
use crate::app::configuration::profiles;
use crate::document::fault::nearest;
use crate::domain::limits;
use crate::policy::profile::file::OverPods;
use crate::policy::profile::promql::{Question, query};
use crate::policy::profile::{Canonical, Profile, SignalProfile};

/// What stands for the policy's namespace.
const NAMESPACE: &str = "NAMESPACE";

pub(super) fn run(args: &ProfilesArgs, printer: &mut Printer) -> Exit {
    let ProfilesArgs { engine, profiles: folder } = args;
    let known = match profiles::known(folder.as_deref()) {
        Ok(known) => known,
        Err(error) => {
            printer.config_error(&error);
            return Exit::Input;
        }
    };
    let Some(engine) = engine else {
        for profile in known.iter() {
            let signals: Vec<&str> = profile.has().map(Canonical::name).collect();
            printer.line(&format!("{}: {}", profile.engine, profile.about));
            printer.line(&format!("  {}", signals.join(", ")));
        }
        return Exit::Done;
    };
    if let Some(profile) = known.get(engine) {
        show(profile, printer);
        return Exit::Done;
    }
    printer.error(&format!("no profile of `{engine}`"));
    let hint = match nearest(engine, known.iter().map(|it| &*it.engine)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`foresail profiles` lists those that there are".to_owned(),
    };
    printer.note(&format!("  hint: {hint}"));
    Exit::Input
}

fn show(profile: &Profile, printer: &mut Printer) {
    printer.line(&format!("{}: {}", profile.engine, profile.about));
    let port = profile.port.map_or("no usual port".to_owned(), |it| format!("port {it}"));
    printer.line(&format!("page of a pod: {port}, path {}", profile.path));
    if !profile.detect.is_empty() {
        let labels = profile.detect.join(", ");
        printer.line(&format!("pod label llm-d.ai/engine-type: {labels}"));
    }
    if profile.about_pods.is_some() {
        printer.line("its series are about other pods: it is read through Prometheus only");
    }
    for signal in profile.has() {
        printer.line("");
        if signal == Canonical::Demand && !profile.signals.contains_key(&signal) {
            printer.line("demand: what waits and what runs, added up");
        }
        if let Some(part) = profile.signals.get(&signal) {
            printer.line(&format!("{} ({}, {})", signal.name(), part.unit, over(part)));
            for (place, candidate) in (1..).zip(&part.from) {
                let note = candidate.note.as_ref().map_or(String::new(), |it| format!("  # {it}"));
                printer.line(&format!("  {place}. {}{note}", candidate.form));
            }
        }
        let question = Question {
            namespace: ("namespace", NAMESPACE),
            pod_label: "pod",
            labels: &[],
            pods: None,
            window: limits::PROFILE_WINDOW_DEFAULT,
            quantile: limits::PROFILE_QUANTILE_DEFAULT,
            is_per_pod: false,
        };
        if let Some(query) = query(profile, signal, &question) {
            printer.line(&format!("  {}", query.text));
        }
    }
}

fn over(signal: &SignalProfile) -> &'static str {
    match signal.pods {
        OverPods::Sum => "added up over pods",
        OverPods::Avg => "mean over pods",
        OverPods::Merge => "over what all pods observed",
    }
}
