//! `foresail compare`: every metric of every HPA, asked of two servers side by side.

use super::{CompareArgs, Exit, Printer};
use crate::app::compare::{Other, Wish, compare};
use crate::domain::error_chain::ErrorChain;
use crate::domain::finite::Finite;
use clap::Args;
use std::path::PathBuf;

/// How the other server's certificate is checked, in the words of kubectl.
#[derive(Debug, Args)]
pub(super) struct Tls {
    /// PEM of the authorities behind its certificate; the kubeconfig's when left out
    #[arg(long, value_name = "FILE")]
    certificate_authority: Option<PathBuf>,
    /// The name in its certificate, for example foresail.foresail-system.svc
    #[arg(long, value_name = "NAME")]
    tls_server_name: Option<String>,
    /// Do not check its certificate; only where the way to it is trusted, as a port-forward's is
    #[arg(long, conflicts_with = "certificate_authority")]
    insecure_skip_tls_verify: bool,
}

pub(super) fn run(args: CompareArgs, printer: &mut Printer) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let CompareArgs { kubeconfig, namespace, server, tls, tolerance, json } = args;
    let other = Other {
        server,
        certificate_authority: tls.certificate_authority,
        tls_server_name: tls.tls_server_name,
        skips_tls_verify: tls.insecure_skip_tls_verify,
    };
    let wish = Wish {
        kubeconfig: kubeconfig.as_deref(),
        other: &other,
        namespace: namespace.as_ref(),
        tolerance,
    };
    let compared = runtime.block_on(compare(&wish, |done, all| {
        printer.progress(&format!("{done} of {all} metrics asked"));
    }));
    printer.end_progress();
    let comparison = match compared {
        Ok(comparison) => comparison,
        Err(error) => {
            printer.error(&ErrorChain(&error).to_string());
            printer.note(&format!("  hint: {}", error.hint()));
            return Ok(Exit::Failed);
        }
    };
    if json {
        printer.line(&comparison.json()?);
    } else {
        comparison.lines().iter().for_each(|line| printer.line(line));
        printer.note(&comparison.summary());
    }
    Ok(if comparison.has_differences() { Exit::Input } else { Exit::Done })
}

/// The URL of a server; what proves who asks goes there, so it is never sent without TLS.
pub(super) fn server(text: &str) -> Result<String, String> {
    let url: http::Uri = text.parse().map_err(|_| HOW.to_owned())?;
    let host = url.authority().filter(|it| !it.as_str().contains('@'));
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
    let is_usable = url.scheme_str() == Some("https") && host.is_some() && is_bare;
    if is_usable { Ok(text.to_owned()) } else { Err(HOW.to_owned()) }
}

const HOW: &str = "use https, a host and a port, for example https://127.0.0.1:6443";

pub(super) fn tolerance(text: &str) -> Result<Finite, String> {
    let number =
        text.parse().ok().and_then(Finite::new).filter(|it| (0.0..=1.0).contains(&it.get()));
    number.ok_or_else(|| "use a share from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_without_tls_or_with_a_password_in_the_url() {
        for (text, is_usable) in [
            ("https://127.0.0.1:6443", true),
            ("https://foresail.foresail-system.svc/", true),
            ("http://127.0.0.1:6443", false),
            ("127.0.0.1:6443", false),
            ("nonsense", false),
            ("https://user:password@127.0.0.1", false),
            ("https://127.0.0.1:6443/apis", false),
            ("", false),
        ] {
            assert_eq!(server(text).is_ok(), is_usable, "{text}");
        }
    }

    #[test]
    fn a_tolerance_is_a_share() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("0.1", Some(0.1)),
            ("1", Some(1.0)),
            ("1.1", None),
            ("-1", None),
            ("NaN", None),
            ("x", None),
        ] {
            assert_eq!(tolerance(text).ok().map(Finite::get), expected, "{text}");
        }
    }
}
