//! The files that reports are written to: opened before a simulation, written after it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Files that can be written.
#[derive(Debug)]
pub(super) struct Reports(Vec<Option<Report>>);

#[derive(Debug)]
struct Report {
    path: PathBuf,
    file: File,
    /// Whether it was not there before.
    is_new: bool,
}

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadReport {
    #[error("failed to write `{path}`: {cause}")]
    Unwritable { path: PathBuf, cause: io::Error },
    #[error("`{path}` would be written twice")]
    Twice { path: PathBuf },
    #[error("`{path}` is read, and would be overwritten")]
    Input { path: PathBuf },
}

impl BadReport {
    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Unwritable { .. } => "name a file in a folder that exists and can be written",
            Self::Twice { .. } => "give --json and --html a file each",
            Self::Input { .. } => "give the report a file of its own",
        }
    }
}

impl Reports {
    /// Opens each file that is wanted, without changing what is in it yet.
    pub(super) fn open(wanted: &[Option<PathBuf>], inputs: &[PathBuf]) -> Result<Self, BadReport> {
        let mut reports = Self(Vec::new());
        for path in wanted {
            match path.as_ref().map(|path| reports.open_one(path, inputs)).transpose() {
                Ok(report) => reports.0.push(report),
                Err(problem) => {
                    reports.withdraw();
                    return Err(problem);
                }
            }
        }
        Ok(reports)
    }

    fn open_one(&self, path: &Path, inputs: &[PathBuf]) -> Result<Report, BadReport> {
        let is_new = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let path = path.to_owned();
        let file = match file {
            Ok(file) => file,
            Err(cause) => return Err(BadReport::Unwritable { path, cause }),
        };
        if inputs.iter().any(|input| is_same_file(input, &path)) {
            return Err(BadReport::Input { path });
        }
        if self.0.iter().flatten().any(|other| is_same_file(&other.path, &path)) {
            return Err(BadReport::Twice { path });
        }
        Ok(Report { path, file, is_new })
    }

    /// Removes what was made for a simulation that did not come about.
    pub(super) fn withdraw(self) {
        for Report { path, is_new, .. } in self.0.into_iter().flatten() {
            if is_new {
                // An empty file that stays does no harm.
                fs::remove_file(path).ok();
            }
        }
    }

    /// Writes each that was wanted, in the order in which they were opened, and gives their names.
    pub(super) fn write(self, texts: &[&dyn Fn() -> String]) -> anyhow::Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        for (report, text) in self.0.into_iter().zip(texts) {
            let Some(Report { path, mut file, .. }) = report else { continue };
            let wrote = overwrite(&mut file, &text());
            wrote.map_err(|cause| BadReport::Unwritable { path: path.clone(), cause })?;
            written.push(path);
        }
        Ok(written)
    }
}

fn overwrite(file: &mut File, text: &str) -> io::Result<()> {
    // A pipe or a terminal has no length.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}

/// Whether two names are those of one regular file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let found = [one, other].map(fs::canonicalize);
    match found {
        [Ok(one), Ok(other)] => one == other && one.is_file(),
        _ => false,
    }
}
