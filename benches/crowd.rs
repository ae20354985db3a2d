//! What one person's click takes while others ask for much: 200 connections of one account, 200 clients with a
//! connection each, eight people signing in.
//!
//! The program runs as a process of its own, over `apps/people` with its demo data. In each part the person clicks
//! twenty times a second. `cargo bench --bench crowd` prints the table of docs/PERFORMANCE.md; `-- 5` takes five seconds
//! for each part instead of twenty; `-- 20 PROGRAM` measures another build of the program.

// A benchmark that cannot go on ends with a message, and nobody depends on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[allow(dead_code, reason = "another benchmark uses the rest")]
mod browser;

use browser::{Answer, Browser};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CROWD: usize = 200;
const PAGE: &str = "/p/hr.Employees";
const CLICK: Duration = Duration::from_millis(50);

/// A program that serves.
struct Served {
    child: Child,
    address: SocketAddr,
    _data: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(program: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let app = concat!(env!("CARGO_MANIFEST_DIR"), "/apps/people");
        let child = Command::new(program)
            .args(["demo", "--listen", &address.to_string(), "--app", app, "--data", data.path().to_str().unwrap()])
            .current_dir(data.path())
            .env("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1")
            .env("PORTCULLIS_THROTTLE_ACCOUNT_FAILURES", "1000000")
            .env("PORTCULLIS_THROTTLE_ADDRESS_FAILURES", "1000000")
            .env("PORTCULLIS_LOG_LEVEL", "critical")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let served = Self { child, address, _data: data };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(120), "{program} does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        served
    }

    /// Resident memory now and at most, in MiB.
    fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1_024
        };
        (of("VmRSS:"), of("VmHWM:"))
    }
}

/// Somebody who is signed in and has seen the page.
fn reader(address: SocketAddr, key: &str, from: &str) -> Browser {
    let mut browser = Browser::signed_in(address, key, from);
    assert_eq!(browser.ask("GET", PAGE, "").status, 200);
    browser
}

/// Many that ask without pause until it is over.
struct Crowd {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn of(members: Vec<Browser>, act: fn(&mut Browser, u64) -> Answer) -> Self {
        let (over, answered, refused) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let threads = members.into_iter().enumerate().map(|(at, mut browser)| {
            let (over, answered, refused) = (over.clone(), answered.clone(), refused.clone());
            let work = move || {
                let mut n = at as u64 * 1_000_000;
                while !over.load(Ordering::Relaxed) {
                    n += 1;
                    let answer = act(&mut browser, n);
                    match answer.status {
                        0 | 429 | 503 => refused.fetch_add(1, Ordering::Relaxed),
                        _ => answered.fetch_add(1, Ordering::Relaxed),
                    };
                }
            };
            std::thread::Builder::new().stack_size(128 * 1_024).spawn(work).unwrap()
        });
        let threads = threads.collect();
        Self { over, answered, refused, threads }
    }
    fn end(self) -> (u64, u64) {
        self.over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        (self.answered.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

/// Clicks for so long; prints how long the clicks took.
fn part(name: &str, served: &Served, person: &mut Browser, seconds: u64, crowd: Crowd) {
    std::thread::sleep(Duration::from_millis(500));
    let (begun, mut times, mut failed) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let click = Instant::now();
        failed += u32::from(person.ask("GET", PAGE, "").status != 200);
        times.push(click.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(CLICK.saturating_sub(click.elapsed()));
    }
    let took = begun.elapsed().as_secs_f64() + 0.5;
    let (answered, refused) = crowd.end();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let (memory, most) = served.memory();
    println!(
        "| {name} | {:.1} | {:.1} | {:.1} | {failed} of {} | {:.0} | {:.0} | {memory} ({most}) |",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len(),
        answered as f64 / took,
        refused as f64 / took
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let seconds = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(20);
    let program = arguments.get(1).map_or(env!("CARGO_BIN_EXE_portcullis"), String::as_str);
    let served = Served::start(program);
    let at = served.address;
    let mut person = reader(at, "helen", "203.0.113.200");
    let page = |browser: &mut Browser, _| browser.ask("GET", PAGE, "");
    println!("| beside | p50 ms | p99 ms | most ms | not answered | others/s | refused/s | MiB (most) |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    part("nothing", &served, &mut person, seconds, Crowd::of(Vec::new(), page));
    let sign_in = |browser: &mut Browser, n| {
        let token = browser.token();
        browser.ask("POST", "/sign-in", &format!("_csrf={token}&email=n{n}@example.org&password=correct+horse+battery"))
    };
    let eight = (0..8).map(|n| Browser::new(at, &format!("198.51.100.{n}"))).collect();
    part("8 people signing in", &served, &mut person, seconds, Crowd::of(eight, sign_in));
    let tomas = reader(at, "tomas", "203.0.113.1");
    let of_one = (0..CROWD).map(|_| tomas.twin()).collect();
    part("200 connections of one account", &served, &mut person, seconds, Crowd::of(of_one, page));
    let visitors = (0..CROWD).map(|_| Browser::new(at, "203.0.113.2")).collect();
    let look = |browser: &mut Browser, _| browser.ask("GET", "/p/hiring.PublicVacancies", "");
    part("200 connections of one network", &served, &mut person, seconds, Crowd::of(visitors, look));
    let many = (0..CROWD).map(|n| Browser::new(at, &format!("198.51.100.{n}"))).collect();
    part("200 clients, a connection each", &served, &mut person, seconds, Crowd::of(many, look));
}
