//! `foresail import`: what other tools were told, in Foresail's words.

use super::printer::counted;
use super::{Exit, ImportArgs, ImportTool, Printer};
use crate::app::import::{self, ImportError, Server, Tool};
use crate::domain::error_chain::ErrorChain;
use clap::Args;

pub(super) fn run(args: &ImportArgs, printer: &mut Printer) -> Exit {
    let imported = match &args.tool {
        ImportTool::Keda { files } => import::import(Tool::Keda, files),
        ImportTool::KubeMetricsAdapter { files } => import::import(Tool::KubeMetricsAdapter, files),
        ImportTool::PrometheusAdapter { file, server } => {
            import::import_rules(file, &server.clone().into())
        }
    };
    let imported = match imported {
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
    if !imported.has_text() && imported.remarks.is_empty() {
        printer.error("these files hold nothing to import");
        printer
            .note("  hint: give what `kubectl get … -o yaml` answers, or the manifests themselves");
        return Exit::Input;
    }
    if imported.has_text() {
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

/// What prometheus-adapter was told about its Prometheus, by the names of its own flags.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ServerArgs {
    /// Where Prometheus is
    #[arg(long, value_name = "URL")]
    prometheus_url: Option<String>,
    /// How it is asked; POST when left out
    #[arg(long, value_name = "VERB", value_parser = ["GET", "POST"], ignore_case = true)]
    prometheus_verb: Option<String>,
    /// A header of each request; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    prometheus_header: Vec<String>,
    /// The authorities to trust
    #[arg(long, value_name = "FILE")]
    prometheus_ca_file: Option<String>,
    /// The certificate to show
    #[arg(long, value_name = "FILE")]
    prometheus_client_tls_cert_file: Option<String>,
    /// Its key
    #[arg(long, value_name = "FILE")]
    prometheus_client_tls_key_file: Option<String>,
    /// The token to show
    #[arg(long, value_name = "FILE")]
    prometheus_token_file: Option<String>,
    /// Show the pod's own token, and trust the cluster's authority
    #[arg(long)]
    prometheus_auth_incluster: bool,
}

impl From<ServerArgs> for Server {
    fn from(args: ServerArgs) -> Self {
        let ServerArgs {
            prometheus_url,
            prometheus_verb,
            prometheus_header,
            prometheus_ca_file,
            prometheus_client_tls_cert_file,
            prometheus_client_tls_key_file,
            prometheus_token_file,
            prometheus_auth_incluster,
        } = args;
        Self {
            url: prometheus_url,
            verb: prometheus_verb,
            headers: prometheus_header,
            ca_file: prometheus_ca_file,
            cert_file: prometheus_client_tls_cert_file,
            key_file: prometheus_client_tls_key_file,
            token_file: prometheus_token_file,
            is_in_cluster: prometheus_auth_incluster,
        }
    }
}
