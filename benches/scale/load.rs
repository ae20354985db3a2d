//! Thirty-two people who work at once, and the memory that it takes.

use super::browser::Browser;
use super::site::Running;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many work at once.
const CLIENTS: usize = 32;

/// Somebody and the pages that they look at in turn.
pub struct Reader {
    pub key: String,
    pub pages: Vec<String>,
}

/// The most memory that there was, in MiB, and how many pages were shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Most {
    pub resident: f64,
    pub backend: Option<f64>,
    pub backend_private: Option<f64>,
    pub shown: u64,
}

/// Lets the readers, again and again until there are 32, look at pages for so long.
pub fn run(running: &Running<'_>, readers: &[Reader], seconds: u64) -> Most {
    let (over, shown) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut most = Most::default();
    std::thread::scope(|scope| {
        for (number, reader) in readers.iter().cycle().take(CLIENTS).enumerate() {
            let (over, shown) = (&over, &shown);
            scope.spawn(move || {
                let mut browser = Browser::signed_in(running.address, &reader.key, &format!("198.51.100.{number}"));
                for page in reader.pages.iter().cycle() {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let answer = browser.open(page);
                    match answer.status {
                        200 => drop(shown.fetch_add(1, Ordering::Relaxed)),
                        // Asked to come again.
                        429 | 503 => std::thread::sleep(Duration::from_millis(100)),
                        other => panic!("{} {page}: {other}", reader.key),
                    }
                }
            });
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) {
            std::thread::sleep(Duration::from_millis(100));
            most.resident = most.resident.max(running.resident());
            if let Some(backend) = running.backend() {
                most.backend = Some(most.backend.unwrap_or(0.0).max(backend.resident));
                most.backend_private = Some(most.backend_private.unwrap_or(0.0).max(backend.private));
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    most.shown = shown.into_inner();
    most
}
