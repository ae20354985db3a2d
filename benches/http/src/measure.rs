//! A server process, and a load on it.

use crate::client::Client;
use anyhow::{Context, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A server in a process of its own; killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The password of each user, where there are any.
    pub passwords: BTreeMap<String, String>,
    /// From starting the process to the first `/health/ready`.
    pub cold_start: Duration,
}

#[derive(Deserialize)]
struct Announced {
    address: SocketAddr,
    passwords: BTreeMap<String, String>,
}

impl Server {
    /// Starts a subcommand of this program over a data folder.
    pub fn start(subcommand: &str, data: &Path) -> anyhow::Result<Self> {
        Self::run(Command::new(std::env::current_exe()?), subcommand, data)
    }

    /// The same, with the program run by another one.
    pub fn run(mut program: Command, subcommand: &str, data: &Path) -> anyhow::Result<Self> {
        let log = File::create(data.join(format!("{subcommand}.log")))?;
        let begun = Instant::now();
        let mut child = program.arg(subcommand).arg("--data").arg(data).stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
        let Announced { address, passwords } =
            serde_json::from_str(&line).with_context(|| format!("{subcommand} did not start: {line}"))?;
        let status = Client::connect(address)?.send(&crate::client::get(address, "/health/ready", ""))?;
        if status != 200 {
            bail!("{subcommand} is not ready: {status}");
        }
        Ok(Self { child, address, passwords, cold_start: begun.elapsed() })
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system time of the process so far, in microseconds: the kernel's exact count, not ticks.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        // Linux' clock of another process' CPU time, as `clock_getcpuclockid` makes it.
        let clock = (!i32::try_from(self.child.id())? << 3) | 2;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel writes one timespec to a valid place.
        if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
            bail!("the CPU time of the server cannot be read");
        }
        Ok(time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3)
    }

    /// Resident memory in MiB: now, and at its highest.
    pub fn memory(&self) -> anyhow::Result<(f64, f64)> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = |key: &str| -> anyhow::Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(key)).context("memory")?;
            Ok(line.split_whitespace().next().context("memory")?.parse::<f64>()? / 1024.0)
        };
        Ok((kib("VmRSS:")?, kib("VmHWM:")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Requests to send, with the status that each must have.
pub struct Load {
    pub requests: Vec<Vec<u8>>,
    pub status: u16,
    /// Each request is sent once only.
    pub once: bool,
}

/// What one load measured.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub requests: usize,
    pub seconds: f64,
    pub p50: f64,
    pub p99: f64,
    /// Microseconds of the server's CPU per request.
    pub cpu: f64,
}

/// Sends a load over so many connections for a time, or until every request was sent once.
pub fn run(server: &Server, load: &Load, connections: usize, time: Duration) -> anyhow::Result<Sample> {
    let next = AtomicUsize::new(0);
    let clients = (0..connections).map(|_| Client::connect(server.address)).collect::<anyhow::Result<Vec<_>>>()?;
    let (cpu, begun) = (server.cpu()?, Instant::now());
    let worker = |mut client: Client| -> anyhow::Result<Vec<f64>> {
        let mut taken = Vec::with_capacity(4096);
        while begun.elapsed() < time {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if load.once && at >= load.requests.len() {
                break;
            }
            let sent = Instant::now();
            let status = client.send(&load.requests[at % load.requests.len()])?;
            taken.push(sent.elapsed().as_secs_f64() * 1e6);
            if status != load.status {
                bail!("answered {status} instead of {}: {}", load.status, client.body());
            }
        }
        Ok(taken)
    };
    let all: Vec<anyhow::Result<Vec<f64>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(|| worker(client))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a client panicked"))).collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = server.cpu()? - cpu;
    let mut taken = Vec::new();
    for one in all {
        taken.extend(one?);
    }
    if taken.is_empty() {
        bail!("nothing was measured");
    }
    taken.sort_by(f64::total_cmp);
    let part = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize];
    Ok(Sample { requests: taken.len(), seconds, p50: part(0.5), p99: part(0.99), cpu: cpu / taken.len() as f64 })
}
