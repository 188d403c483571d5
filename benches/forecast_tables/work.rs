//! Work in two threads, with progress on stderr.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The machine that the figures are quoted for has two cores.
const THREADS: usize = 2;

/// Does the work for each item, in any order, and gives the results in the order of the items.
pub(crate) fn each<I: Sync, R: Send>(
    what: &str,
    items: &[I],
    work: impl Fn(&I) -> R + Sync,
) -> Vec<R> {
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((place, item)) = take(&next, items) {
                    let result = work(item);
                    let mut done = done.lock().unwrap();
                    done.push((place, result));
                    let seconds = started.elapsed().as_secs();
                    eprintln!("{what}: {} of {}, {seconds} s", done.len(), items.len());
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

fn take<'i, I>(next: &AtomicUsize, items: &'i [I]) -> Option<(usize, &'i I)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    items.get(place).map(|item| (place, item))
}
