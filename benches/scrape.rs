//! Reading a page of 2 MB as a vLLM server writes it, beside a kept parser crate in the same run.
//!
//! What is wanted of it: a signal's series (what a policy costs), every histogram (what a policy
//! never asks for), and all of it, each label unescaped, which is what the crate does. The figure
//! to hold is 300 MB/s on one core. The crate reads no name with a colon, so it gets the same page
//! with underscores instead.

#![expect(clippy::unwrap_used, reason = "a bench fails loudly")]

#[path = "support/vllm_page.rs"]
mod vllm_page;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use foresail::source::exposition::sieve::{Sieve, Wanted};
use foresail::source::exposition::{Format, lines};
use std::hint::black_box;

const PAGE_BYTES: usize = 2_000_000;
/// As a connection hands it over.
const CHUNK: usize = 16 * 1024;

/// The sum of all values of these series, found as the page arrives.
fn sum(page: &str, wanted: &Wanted) -> f64 {
    let mut sieve = Sieve::new(wanted);
    for chunk in page.as_bytes().chunks(CHUNK) {
        sieve.push(chunk).unwrap();
    }
    let kept = sieve.finish(Format::Text).unwrap();
    lines(&kept.lines, Format::Text).map(|line| line.unwrap().value).sum()
}

fn read(criterion: &mut Criterion) {
    let page = vllm_page::page(PAGE_BYTES, 0);
    let mut group = criterion.benchmark_group("page_2mb");
    group.throughput(Throughput::Bytes(page.len().try_into().unwrap()));
    let gauges = Wanted::new(["vllm:num_requests_running", "vllm:num_requests_waiting"]);
    group.bench_function("two gauges", |it| it.iter(|| sum(black_box(&page), &gauges)));
    let histogram = Wanted::new(
        ["_bucket", "_count", "_sum"]
            .map(|suffix| format!("vllm:time_to_first_token_seconds{suffix}")),
    );
    group.bench_function("one histogram", |it| it.iter(|| sum(black_box(&page), &histogram)));
    group.bench_function("every line", |it| {
        it.iter(|| {
            let lines = lines(black_box(page.as_bytes()), Format::Text);
            lines.map(|line| line.unwrap().value).sum::<f64>()
        });
    });
    group.bench_function("every line and label", |it| {
        it.iter(|| {
            let lines = lines(black_box(page.as_bytes()), Format::Text);
            lines.map(|line| line.unwrap().labels().iter().count()).sum::<usize>()
        });
    });
    let without_colons = page.replace("vllm:", "vllm_");
    group.bench_function("prometheus-parse", |it| {
        it.iter(|| {
            let lines = black_box(&without_colons).lines().map(|line| Ok(line.to_owned()));
            prometheus_parse::Scrape::parse(lines).unwrap().samples.len()
        });
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
