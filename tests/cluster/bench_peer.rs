//! `make bench-peer`: Foresail and its peers, one after the other, on the same control plane and the same
//! Prometheus, asked by the same 1,000 HPAs. Prints a table.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "whoever runs this is there to read why it stopped"
)]
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

#[expect(dead_code, reason = "the bed offers more than is used here")]
mod bed;
mod peers;

use bed::Bed;
use peers::fleet::{Fleet, Size};
use peers::pace::Pace;
use peers::quiet::Quiet;
use peers::row::{self, Row};
use peers::{contest, server};

fn main() {
    // Cargo says `--bench` when it measures, and nothing when it tests.
    let is_test = !std::env::args().any(|it| it == "--bench");
    let (size, pace) =
        if is_test { (Size::SMALL, Pace::SHORT) } else { (Size::WHOLE, Pace::WHOLE) };
    println!("starting etcd, Kubernetes, KWOK and Prometheus …");
    let bed = Bed::start();
    // Everybody is asked by the HPA controller, with the rights that it has from these manifests.
    bed.install();
    let fleet = Fleet::start(&bed, &size);
    // From here on nobody but the servers asks for processor time.
    let _quiet = Quiet::new(bed.control_plane.actors());
    let mut rows = Vec::new();
    for (name, start) in server::all().into_iter().filter(|(name, _)| is_wanted(name, is_test)) {
        println!("\n{name} …");
        match start(&bed, &fleet) {
            Ok(server) => {
                let row = contest::held(&bed, &server, &pace);
                drop(server.running);
                println!("{}", row.details());
                rows.push(row);
            }
            Err(why) => println!("not run: {why}"),
        }
    }
    println!("\n{}", row::table(&rows));
    if is_test {
        rows.iter().for_each(assert_whole);
    }
}

/// The names in `PEERS`, when it says any; a test leaves out what would have to be built first.
fn is_wanted(name: &str, is_test: bool) -> bool {
    let wanted = std::env::var_os("PEERS").unwrap_or_default();
    let wanted = wanted.to_str().unwrap();
    if is_test {
        name.starts_with("foresail")
    } else {
        wanted.is_empty() || wanted.split(',').any(|it| it == name)
    }
}

/// The small contest says no more than that everything was answered, and at what price upstream.
fn assert_whole(row: &Row) {
    let details = row.details();
    assert!(row.is_whole(), "not everything was answered:\n{details}");
    assert!(
        row.saturated.iter().all(Option::is_some),
        "a kind of metric was not asked:\n{details}"
    );
    assert!(row.mix.upstream > 0.0, "nobody asked Prometheus:\n{details}");
}
