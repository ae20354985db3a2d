//! Instructions per request, as a multiple of what the hand-written handlers need for the same.
//!
//! Both run under callgrind, which counts the instructions of a process outside of the kernel. Unlike time these do not
//! depend on what else the machine does: the same program gives the same number but for what it does in the background and
//! how often its threads wait for each other, so the median of several rounds counts.

use crate::client::Client;
use crate::drive::{Asked, Desk, SERVERS, folders, reads, writes};
use crate::measure::{Load, Server};
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub struct Options {
    /// The multiples that were reviewed
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/ratios.csv"))]
    reviewed: PathBuf,
    /// Write the file again instead of comparing
    #[arg(long)]
    write: bool,
    /// Where the data is made
    #[arg(long, default_value = "target/bench-data")]
    data: PathBuf,
}

const ROWS: u32 = 100_000;
const ROUNDS: usize = 5;
/// Requests of a round: each record once. Before the first one, so many that statements are prepared and refusals only
/// counted.
const REQUESTS: usize = 50;
const BEFORE: usize = 100;
/// A multiple may grow by so much.
const MOST: f64 = 1.15;
/// What is compared; the other loads have no counterpart.
const LOADS: [&str; 6] = ["list of 20, page", "list with total, page", "one record, page", "refused record", "create", "change"];

/// Measures, and compares with the file or writes it.
pub fn check(options: &Options) -> anyhow::Result<()> {
    let folders = folders(&options.data, ROWS)?;
    let servers = [0, 1, 2].map(|at| Counted::start(SERVERS[at].1, &folders[at]));
    let [rusqlite, diesel, own] = servers;
    // Diesel is not compared, but loads are made for all three.
    let servers = [rusqlite?, diesel?, own?];
    let mut found = BTreeMap::new();
    let plain: Vec<&Server> = servers.iter().map(|one| &one.server).collect();
    let desk = Desk::open(plain[2], &folders[2])?;
    let mut all = reads(&plain, &desk, ROWS);
    all.extend(writes(&plain, &desk, BEFORE + ROUNDS * REQUESTS, 0)?);
    for asked in all.iter().filter(|asked| LOADS.contains(&asked.load)) {
        let hand_written = servers[0].median(load(asked, 0)?)?;
        let own = servers[2].median(load(asked, 2)?)?;
        println!("{:24} {hand_written:>10.0} {own:>10.0} {:>7.2}", asked.load, own / hand_written);
        found.insert(asked.load, own / hand_written);
    }
    if options.write {
        let lines = found.iter().fold(String::from("load,multiple\n"), |mut text, (load, multiple)| {
            let _ = writeln!(text, "\"{load}\",{multiple:.2}");
            text
        });
        return Ok(std::fs::write(&options.reviewed, lines)?);
    }
    compare(&found, &reviewed(&options.reviewed)?)
}

fn load(asked: &Asked, at: usize) -> anyhow::Result<&Load> {
    asked.of[at].as_ref().with_context(|| format!("{} has no counterpart", asked.load))
}

fn compare(found: &BTreeMap<&str, f64>, reviewed: &BTreeMap<String, f64>) -> anyhow::Result<()> {
    let mut grown = Vec::new();
    for (load, multiple) in found {
        let before = reviewed.get(*load).with_context(|| format!("{load} was never reviewed: write the file"))?;
        if *multiple > before * MOST {
            grown.push(format!("{load}: {multiple:.2} times the hand-written one, reviewed at {before:.2}"));
        } else if *multiple < before / MOST {
            println!("{load}: {multiple:.2} instead of {before:.2}; write the file, so that it stays so");
        }
    }
    ensure!(grown.is_empty(), "requests became more expensive:\n{}", grown.join("\n"));
    Ok(())
}

fn reviewed(path: &Path) -> anyhow::Result<BTreeMap<String, f64>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let line = |line: &str| -> anyhow::Result<(String, f64)> {
        let (load, multiple) = line.rsplit_once(',').context("a line without a multiple")?;
        Ok((load.trim_matches('"').to_owned(), multiple.parse()?))
    };
    text.lines().skip(1).map(line).collect()
}

/// A server whose instructions are counted.
struct Counted {
    server: Server,
    counts: PathBuf,
}

impl Counted {
    fn start(subcommand: &str, data: &Path) -> anyhow::Result<Self> {
        let counts = data.join("callgrind");
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--tool=callgrind", "--instr-atstart=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", counts.display())).arg(std::env::current_exe()?);
        let server = Server::run(valgrind, subcommand, data).context("is valgrind there?")?;
        Ok(Self { server, counts })
    }

    /// The instructions of a request in the middle one of the rounds.
    fn median(&self, load: &Load) -> anyhow::Result<f64> {
        let mut client = Client::connect(self.server.address)?;
        let mut next = load.requests.iter().cycle();
        let mut send = |many: usize| -> anyhow::Result<()> {
            for request in next.by_ref().take(many) {
                let status = client.send(request)?;
                ensure!(status == load.status, "answered {status} instead of {}: {}", load.status, client.body());
            }
            Ok(())
        };
        send(BEFORE)?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            self.control(&["--instr=on"])?;
            send(REQUESTS)?;
            // A dump begins again at nothing.
            self.control(&["--instr=off", "--dump"])?;
            rounds.push(self.counted()? / REQUESTS as f64);
        }
        rounds.sort_by(f64::total_cmp);
        rounds.get(ROUNDS / 2).copied().context("no round")
    }

    fn control(&self, steps: &[&str]) -> anyhow::Result<()> {
        for step in steps {
            let id = self.server.id().to_string();
            let done =
                Command::new("callgrind_control").arg(step).arg(&id).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            ensure!(done.success(), "callgrind_control failed");
        }
        Ok(())
    }

    /// The total of the newest dump, which is removed.
    fn counted(&self) -> anyhow::Result<f64> {
        let folder = self.counts.parent().context("a folder")?;
        let mut dumps: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("callgrind.") {
                dumps.push(path);
            }
        }
        let [dump] = dumps.as_slice() else { bail!("there are {} dumps", dumps.len()) };
        let text = std::fs::read_to_string(dump)?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).context("a dump without totals")?;
        std::fs::remove_file(dump)?;
        Ok(total.split_whitespace().next().context("no total")?.parse()?)
    }
}
