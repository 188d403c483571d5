//! `foresail import`: what other tools were told, in Foresail's words.

use super::printer::counted;
use super::{Exit, ImportArgs, ImportTool, Printer};
use crate::app::import::{self, ImportError, Tool};
use crate::domain::error_chain::ErrorChain;

pub(super) fn run(args: &ImportArgs, printer: &mut Printer) -> Exit {
    let (tool, files) = match &args.tool {
        ImportTool::Keda { files } => (Tool::Keda, files),
        ImportTool::KubeMetricsAdapter { files } => (Tool::KubeMetricsAdapter, files),
    };
    let imported = match import::import(tool, files) {
        Ok(imported) => imported,
        Err(ImportError::Faulty(remark)) => {
            printer.fault(&remark.path, &remark.fault);
            return Exit::Input;
        }
        Err(error) => {
            printer.error(&ErrorChain(&error).to_string());
            return Exit::Input;
        }
    };
    if imported.documents.is_empty() && imported.remarks.is_empty() {
        printer.error("these files hold nothing to import");
        printer
            .note("  hint: give what `kubectl get … -o yaml` answers, or the manifests themselves");
        return Exit::Input;
    }
    if !imported.documents.is_empty() {
        printer.line(imported.text().trim_end());
    }
    for remark in &imported.remarks {
        let mut fault = remark.fault.clone();
        if !remark.is_lost {
            fault.problem = format!("note: {}", fault.problem);
        }
        printer.fault(&remark.path, &fault);
    }
    let lost = imported.remarks.iter().filter(|it| it.is_lost).count();
    if lost == 0 {
        return Exit::Done;
    }
    let things = counted(lost, "thing", "things");
    printer.note(&format!("{things} could not be carried over; look at the places above"));
    Exit::Input
}
