//! `foresail crd`: the definitions of the policies' objects, for `kubectl apply`.

use super::{Exit, Printer};
use crate::app::configuration;

pub(super) fn run(printer: &mut Printer) -> anyhow::Result<Exit> {
    let manifest = configuration::definitions()?;
    printer.line(manifest.trim_end());
    Ok(Exit::Done)
}
