//! Whether the process lives and whether it is ready, check by check, in the text of API servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Must it be restarted?
    Livez,
    /// May it be asked for metrics?
    Readyz,
    /// The older name of `Livez`.
    Healthz,
}

impl Probe {
    /// All questions.
    pub const ALL: [Self; 3] = [Self::Livez, Self::Readyz, Self::Healthz];

    /// The first segment of its path.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Livez => "livez",
            Self::Readyz => "readyz",
            Self::Healthz => "healthz",
        }
    }
}

/// The checks of this process. A source being down is never one of them: it would take the whole
/// API away, and with it the deletion of namespaces.
#[derive(Debug, Default)]
pub struct Health {
    live: Vec<Arc<Check>>,
    ready: Vec<Arc<Check>>,
}

/// One check; whoever holds it says how it stands.
#[derive(Debug)]
pub struct Check {
    name: &'static str,
    passes: AtomicBool,
}

impl Check {
    fn new(name: &'static str, passes: bool) -> Arc<Self> {
        Arc::new(Self { name, passes: AtomicBool::new(passes) })
    }

    /// Says how it stands.
    pub fn set(&self, passes: bool) {
        self.passes.store(passes, Ordering::Relaxed);
    }

    /// How it stands.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.passes.load(Ordering::Relaxed)
    }
}

/// An answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether all checks pass: status 200, else 500.
    pub ok: bool,
    /// The text to answer.
    pub text: String,
}

impl Health {
    /// Adds a check of `livez`, which passes until told otherwise.
    pub fn add_live(&mut self, name: &'static str) -> Arc<Check> {
        let check = Check::new(name, true);
        self.live.push(Arc::clone(&check));
        check
    }

    /// Adds a check of `readyz`, which fails until told otherwise.
    pub fn add_ready(&mut self, name: &'static str) -> Arc<Check> {
        let check = Check::new(name, false);
        self.ready.push(Arc::clone(&check));
        check
    }

    /// All checks of `probe` but the `excluded` ones: `ok`, or line by line if `verbose` or if
    /// something fails. The probes are open to everybody, so no reason is told.
    #[must_use]
    pub fn report(&self, probe: Probe, verbose: bool, excluded: &[&str]) -> Report {
        let mut text = "[+]ping ok\n".to_owned();
        let mut ok = true;
        for check in self.checks(probe) {
            if excluded.contains(&check.name) {
                text.push_str(&format!("[+]{} excluded: ok\n", check.name));
            } else if check.passes() {
                text.push_str(&format!("[+]{} ok\n", check.name));
            } else {
                ok = false;
                text.push_str(&format!("[-]{} failed: reason withheld\n", check.name));
            }
        }
        let outcome = if ok { "passed" } else { "failed" };
        text.push_str(&format!("{} check {outcome}\n", probe.as_str()));
        if ok && !verbose {
            text = "ok".to_owned();
        }
        Report { ok, text }
    }

    /// One check of `probe`; `None` if it has none of that name.
    #[must_use]
    pub fn report_one(&self, probe: Probe, name: &str) -> Option<Report> {
        if name == "ping" {
            return Some(Report { ok: true, text: "ok".to_owned() });
        }
        let check = self.checks(probe).iter().find(|it| it.name == name)?;
        let ok = check.passes();
        let failed = || format!("[-]{name} failed: reason withheld\n");
        Some(Report { ok, text: if ok { "ok".to_owned() } else { failed() } })
    }

    fn checks(&self, probe: Probe) -> &[Arc<Check>] {
        match probe {
            Probe::Livez | Probe::Healthz => &self.live,
            Probe::Readyz => &self.ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_says_ok_until_a_check_fails_and_then_names_it() {
        let mut health = Health::default();
        let tick = health.add_live("tick");
        let config = health.add_ready("config");
        let ok = Report { ok: true, text: "ok".into() };
        assert_eq!(health.report(Probe::Livez, false, &[]), ok);
        let starting = health.report(Probe::Readyz, false, &[]);
        let text = "[+]ping ok\n[-]config failed: reason withheld\nreadyz check failed\n";
        assert_eq!(starting, Report { ok: false, text: text.into() });
        config.set(true);
        assert_eq!(health.report(Probe::Readyz, false, &[]), ok);
        let text = "[+]ping ok\n[+]config ok\nreadyz check passed\n";
        assert_eq!(health.report(Probe::Readyz, true, &[]), Report { ok: true, text: text.into() });
        tick.set(false);
        assert!(!health.report(Probe::Healthz, false, &[]).ok);
        let text = "[+]ping ok\n[+]tick excluded: ok\nlivez check passed\n";
        assert_eq!(
            health.report(Probe::Livez, true, &["tick"]),
            Report { ok: true, text: text.into() }
        );
    }

    #[test]
    fn one_check_can_be_asked_for() {
        let mut health = Health::default();
        health.add_live("tick").set(false);
        let failed = Report { ok: false, text: "[-]tick failed: reason withheld\n".into() };
        assert_eq!(health.report_one(Probe::Livez, "tick"), Some(failed));
        assert_eq!(health.report_one(Probe::Readyz, "tick"), None);
        assert!(health.report_one(Probe::Readyz, "ping").is_some_and(|it| it.ok));
    }
}
