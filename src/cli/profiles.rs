//! `foresail profiles`: which engines and exporters are known, what can be asked of each, and the
//! PromQL that a policy would ask.

use super::{Exit, Printer, ProfilesArgs};
use crate::app::configuration::profiles::known;
use crate::app::profiles::{list, shown};
use crate::document::fault::nearest;

pub(super) fn run(args: &ProfilesArgs, printer: &mut Printer) -> Exit {
    let ProfilesArgs { engine, profiles: folder } = args;
    let known = match known(folder.as_deref()) {
        Ok(known) => known,
        Err(error) => {
            printer.config_error(&error);
            return Exit::Input;
        }
    };
    let Some(engine) = engine else {
        list(&known).iter().for_each(|line| printer.line(line));
        return Exit::Done;
    };
    if let Some(profile) = known.get(engine) {
        shown(profile).iter().for_each(|line| printer.line(line));
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
