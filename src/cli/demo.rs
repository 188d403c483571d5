//! `foresail demo`: the embedded demo in the terminal.

use super::serve::stop_on_signal;
use super::{DemoArgs, Exit, Printer};
use crate::app::demo::{Demo, DemoSettings, LEAD_TIME, Moment, SLO, Summary};
use crate::domain::duration::Shown;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The line above the rows.
const HEADS: &str = "simulated time     demand   running   waiting   published   pods ready/wanted";

pub(super) fn run(args: &DemoArgs, printer: &mut Printer) -> anyhow::Result<Exit> {
    let DemoArgs { duration, speed, seed } = *args;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(&stop)?;
        let mut demo = Demo::start(DemoSettings { speed, seed }).await?;
        greet(&demo, speed, printer);
        if let Some(duration) = duration {
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::time::sleep(duration).await;
                stop.cancel();
            });
        }
        demo.run(&stop, |moment| {
            printer.line(&row(&moment));
            if printer.is_closed() {
                stop.cancel();
            }
        })
        .await;
        show(&demo.end().await?, printer);
        anyhow::Ok(Exit::Done)
    })
}

fn greet(demo: &Demo, speed: u32, printer: &mut Printer) {
    printer.line(&format!(
        "A simulated inference fleet, scaled on what Foresail serves; time runs {speed}x as fast."
    ));
    let (lead_time, slo) = (Shown(LEAD_TIME), Shown(SLO));
    printer.line(&format!(
        "A new pod takes {lead_time} to load its model; a request should wait no longer than {slo}."
    ));
    printer.line("");
    for line in demo.invitation() {
        printer.line(&line);
    }
    printer.line("");
    printer.line(HEADS);
}

fn row(moment: &Moment) -> String {
    let Moment { time, demand, waiting, running, published, ready, wanted } = moment;
    let published = published.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    format!(
        "{}  {demand:>6.1}/s  {running:>8}  {waiting:>8}  {published:>10}   {ready:>4}/{wanted}",
        clock(*time)
    )
}

/// `Mon 09:10:00` from the time since Monday, 00:00.
fn clock(time: Duration) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let seconds = time.as_secs();
    let day = usize::try_from(seconds / 86_400 % 7).unwrap_or_default();
    let day = DAYS.get(day).copied().unwrap_or_default();
    let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{day} {hour:02}:{minute:02}:{:02}", seconds % 60)
}

fn show(summary: &Summary, printer: &mut Printer) {
    let Summary { totals, syncs, failures } = summary;
    printer.line("");
    printer.line(&format!(
        "{} simulated: {} requests arrived, {} served; {:.2} % waited longer than {}, {:.1} s in \
         the mean, {} at most in the queue",
        Shown(Duration::from_secs(totals.elapsed.as_secs())),
        totals.arrived,
        totals.served,
        totals.late_share() * 100.0,
        Shown(SLO),
        totals.mean_wait_seconds(),
        totals.waiting_max,
    ));
    printer.line(&format!(
        "{:.2} pod-hours, {} times scaled up and {} down; the HPA asked {syncs} times and got no \
         value {failures} times",
        totals.pod_seconds / 3_600.0,
        totals.scale_ups,
        totals.scale_downs,
    ));
}
