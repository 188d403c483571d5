//! `foresail serve`: from flags to a running adapter, and from a signal to its end.

pub(super) mod old_flags;

use super::{Exit, Printer, ServeArgs};
use crate::app::configuration::ConfigFiles;
use crate::app::import::Server;
use crate::app::on_demand::Pace;
use crate::app::{App, AppError, Mode, Settings};
use crate::domain::error_chain::ErrorChain;
use crate::tls::certificates::Origin;
use anyhow::Context;
use tokio_util::sync::CancellationToken;

pub(super) fn run(args: ServeArgs, printer: &mut Printer) -> anyhow::Result<Exit> {
    if !args.ignored_flags.is_empty() {
        let flags = args.ignored_flags.join(" ");
        tracing::warn!(flags, "flags of prometheus-adapter that have no effect");
    }
    let settings = settings(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // On a thread that works later, too: glibc's allocator keeps the memory of threads apart, and what
    // loading the configuration leaves free would lie idle on the main thread, which only waits.
    let served = runtime.block_on(async { tokio::spawn(serve(settings)).await });
    match served.context("the adapter broke off")? {
        Ok(()) => Ok(Exit::Done),
        Err(error) => match error.downcast_ref::<AppError>() {
            Some(AppError::Config(error)) => {
                printer.config_error(error);
                Ok(Exit::Input)
            }
            Some(error) if error.is_input() => {
                printer.error(&ErrorChain(error).to_string());
                Ok(Exit::Input)
            }
            _ => Err(error),
        },
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    stop_on_signal(&stop)?;
    let app = App::build(settings).await?;
    app.run(stop).await?;
    Ok(())
}

fn settings(args: ServeArgs) -> anyhow::Result<Settings> {
    let ServeArgs {
        config,
        profiles,
        kubeconfig,
        secure_port,
        observability_port,
        tls_cert_file,
        tls_private_key_file,
        standalone,
        token_file,
        token_audience,
        serving_secret,
        service_name,
        shutdown_delay,
        server,
        metrics_relist_interval,
        metrics_max_age,
        ignored_flags: _,
    } = args;
    let is_kept = serving_secret.is_some();
    let mode = if standalone {
        Mode::Standalone { token_file: token_file.context("--standalone needs --token-file")? }
    } else {
        let (token_audiences, service) = (token_audience, service_name);
        Mode::Cluster { kubeconfig, token_audiences, service, serving_secret }
    };
    let certificate = match tls_cert_file.zip(tls_private_key_file) {
        Some((certificate, key)) => Origin::Files { certificate, key },
        None if is_kept => Origin::Kept,
        None => Origin::SelfSigned,
    };
    let server = Some(Server::from(server)).filter(|it| *it != Server::default());
    let config = ConfigFiles { config, profiles, server };
    let shutdown_delay = shutdown_delay.0;
    Ok(Settings {
        config,
        mode,
        secure_port,
        observability_port,
        certificate,
        shutdown_delay,
        relists: Pace::of(metrics_relist_interval, metrics_max_age),
        environment: super::environment(),
    })
}

/// Cancels `stop` at the first SIGTERM or Ctrl-C.
pub(super) fn stop_on_signal(stop: &CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for Ctrl-C")?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: shutting down"),
            _ = interrupt.recv() => tracing::info!("interrupt: shutting down"),
        }
        stop.cancel();
    });
    Ok(())
}
