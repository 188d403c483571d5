//! The only one who writes to the terminal.

use crate::app::configuration::ConfigError;
use crate::document::fault::{Fault, Visible};
use crate::domain::error_chain::ErrorChain;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Writes data to stdout and everything else to stderr. Whoever reads may go away (`| head`);
/// that is not our fault, so nothing here fails. A full disk is remembered.
#[derive(Debug, Default)]
pub(super) struct Printer {
    is_closed: bool,
    failure: Option<io::Error>,
    has_progress: bool,
}

impl Printer {
    /// One line of data.
    pub(super) fn line(&mut self, text: &str) {
        let mut stdout = io::stdout().lock();
        if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            self.is_closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.failure.get_or_insert(error);
            }
        }
    }

    /// Why data could not be written, other than that nobody reads it.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Whether nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// One line for a person.
    pub(super) fn note(&mut self, text: &str) {
        self.is_closed |= writeln!(io::stderr().lock(), "{text}").is_err();
    }

    /// How far something is, on the terminal's last line; nothing where no person looks.
    pub(super) fn progress(&mut self, text: &str) {
        let mut stderr = io::stderr().lock();
        if stderr.is_terminal() {
            self.has_progress = true;
            self.is_closed |= write!(stderr, "\r{text}").and_then(|()| stderr.flush()).is_err();
        }
    }

    /// Wipes what `progress` wrote.
    pub(super) fn end_progress(&mut self) {
        if std::mem::take(&mut self.has_progress) {
            self.is_closed |= write!(io::stderr().lock(), "\r\u{1b}[K").is_err();
        }
    }

    /// What went wrong.
    pub(super) fn error(&mut self, text: &str) {
        self.note(&format!("error: {}", Visible(text)));
    }

    /// Why a configuration file cannot be used as a whole.
    pub(super) fn config_error(&mut self, error: &ConfigError) {
        match error {
            ConfigError::Faulty { path, faults } => {
                faults.iter().for_each(|fault| self.fault(path, fault));
                let faults = counted(faults.len(), "fault", "faults");
                self.note(&format!("{faults}; the file cannot be used"));
            }
            ConfigError::Unreadable { .. } => {
                self.error(&ErrorChain(error).to_string());
                self.note("  hint: name a file that can be read, of text in UTF-8");
            }
        }
    }

    /// What is not wrong and may mislead.
    pub(super) fn warning(&mut self, path: &Path, warning: &Fault) {
        self.placed(path, "warning: ", warning);
    }

    /// A fault the way compilers show one, with its hint below.
    pub(super) fn fault(&mut self, path: &Path, fault: &Fault) {
        self.placed(path, "", fault);
    }

    fn placed(&mut self, path: &Path, kind: &str, fault: &Fault) {
        let place = fault.position.map(|it| format!(":{it}")).unwrap_or_default();
        self.note(&format!("{}{place}: {kind}{fault}", path.display()));
        if let Some(hint) = &fault.hint {
            self.note(&format!("  hint: {}", Visible(hint)));
        }
    }
}

/// A number and the noun that goes with it.
pub(super) fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
