//! The comparison.

use crate::client::{Client, attributes, get, post};
use crate::data::{DEPARTMENTS, READER};
use crate::measure::{Load, Sample, Server, run};
use crate::report::{Line, median, print};
use anyhow::{Context, bail, ensure};
use portcullis::crypto::Keys;
use portcullis::domain::{ObjectId, QName};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Options {
    /// Three minutes at most instead of fifteen
    #[arg(long)]
    quick: bool,
    /// Only these sizes
    #[arg(long, value_delimiter = ',')]
    rows: Vec<u32>,
    /// Where the data is made; kept for the next run
    #[arg(long, default_value = "target/bench-data")]
    data: PathBuf,
}

struct Plan {
    sizes: Vec<u32>,
    /// Connections at 100,000 rows, and at the other sizes.
    connections: Vec<usize>,
    elsewhere: Vec<usize>,
    rounds: usize,
    time: Duration,
    /// Writes per server, connection count and round.
    writes: usize,
}

impl Plan {
    fn of(options: &Options) -> Self {
        let sizes = match options.rows.as_slice() {
            [] => vec![1_000, 100_000, 1_000_000],
            some => some.to_vec(),
        };
        if options.quick {
            let time = Duration::from_millis(500);
            return Self { sizes, connections: vec![1, 8, 64], elsewhere: vec![8], rounds: 2, time, writes: 50 };
        }
        let time = Duration::from_millis(1_500);
        Self { sizes, connections: vec![1, 8, 64], elsewhere: vec![1, 8], rounds: 3, time, writes: 150 }
    }
}

/// The size at which everything is measured.
const MAIN: u32 = 100_000;
/// Name in the tables, subcommand.
pub const SERVERS: [(&str, &str); 3] =
    [("rusqlite", "baseline-rusqlite"), ("diesel", "baseline-diesel"), ("portcullis", "portcullis")];

/// Runs all of it.
pub fn drive(options: &Options) -> anyhow::Result<()> {
    let plan = Plan::of(options);
    for rows in &plan.sizes {
        let folders = folders(&options.data, *rows)?;
        println!("## {rows} employees\n");
        let servers = SERVERS
            .iter()
            .zip(&folders)
            .map(|((_, subcommand), folder)| Server::start(subcommand, folder))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let idle = servers.iter().map(Server::memory).collect::<anyhow::Result<Vec<_>>>()?;
        let desk = Desk::open(&servers[2], &folders[2])?;
        print(&compare(&plan, *rows, &servers, &desk)?);
        println!("| server | ready after ms | MiB idle | MiB after the loads | MiB at most |\n|---|--:|--:|--:|--:|");
        for (((name, _), server), (before, _)) in SERVERS.iter().zip(&servers).zip(&idle) {
            let (after, most) = server.memory()?;
            println!("| {name} | {:.0} | {before:.1} | {after:.1} | {most:.1} |", server.cold_start.as_secs_f64() * 1e3);
        }
        println!();
        if *rows == MAIN {
            signing_in(&plan, &servers[2], &desk)?;
        }
    }
    Ok(())
}

/// A data folder for each server, made once and copied, so that all begin with the same file.
pub fn folders(data: &Path, rows: u32) -> anyhow::Result<Vec<PathBuf>> {
    let original = data.join(format!("{rows}"));
    if !original.join("complete").exists() {
        let _ = std::fs::remove_dir_all(&original);
        std::fs::create_dir_all(data)?;
        let made = Command::new(std::env::current_exe()?)
            .args(["prepare", "--rows", &rows.to_string(), "--data"])
            .arg(&original)
            .status()?;
        ensure!(made.success(), "the data could not be made");
        std::fs::write(original.join("complete"), "")?;
    }
    let mut made = Vec::new();
    for (name, _) in SERVERS {
        let folder = data.join(format!("{rows}-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        for file in [crate::data::FILE, "secret.key"] {
            std::fs::copy(original.join(file), folder.join(file))?;
        }
        made.push(folder);
    }
    Ok(made)
}

/// Somebody who uses Portcullis: signed in, with the keys to write addresses of records.
pub struct Desk {
    address: SocketAddr,
    cookies: String,
    keys: Keys,
}

impl Desk {
    pub fn open(server: &Server, data: &Path) -> anyhow::Result<Self> {
        let cookies = sign_in(server, READER)?;
        Ok(Self { address: server.address, cookies, keys: Keys::load(data)? })
    }

    /// The address of a page about an employee.
    fn about(&self, page: &str, id: i64) -> String {
        let entity = QName::new("staff", "Employee");
        format!("/p/staff.{page}?Person={}", self.keys.handle(&entity, ObjectId(id)))
    }

    fn get(&self, path: &str) -> Vec<u8> {
        get(self.address, path, &self.cookies)
    }

    /// The form of a page as a browser would send it, with these texts in its fields.
    fn form(&self, client: &mut Client, path: &str, texts: [&str; 4]) -> anyhow::Result<Vec<u8>> {
        let status = client.send(&self.get(path))?;
        let html = client.body();
        ensure!(status == 200, "{path} answered {status}");
        let one =
            |mark: &str, attribute: &str| attributes(&html, mark, attribute).into_iter().next().context("a form is missing");
        let mut fields: Vec<(String, String)> = vec![
            ("_csrf".into(), one("name=\"_csrf\"", "value")?),
            ("_state".into(), one("name=\"_state\"", "value")?),
            ("_do".into(), one("name=\"_do\"", "value")?),
        ];
        let inputs = attributes(&html, "input class=\"control", "name");
        ensure!(inputs.len() == texts.len(), "{path} has other fields: {inputs:?}");
        fields.extend(inputs.into_iter().zip(texts).map(|(name, text)| (name, text.to_owned())));
        Ok(post(self.address, path, &self.cookies, &fields))
    }
}

/// Signs in as a person does; gives the cookies.
fn sign_in(server: &Server, email: &str) -> anyhow::Result<String> {
    let mut client = Client::connect(server.address)?;
    client.send(&get(server.address, "/sign-in", ""))?;
    let token = attributes(&client.body(), "name=\"_csrf\"", "value").into_iter().next().context("no token")?;
    let mut cookies = client.cookies();
    let password = server.passwords.get(email).context("no such user")?;
    let fields = [("_csrf", &token), ("email", &email.to_owned()), ("password", password)];
    let fields: Vec<(String, String)> = fields.map(|(name, value)| (name.to_owned(), value.clone())).into();
    let status = client.send(&post(server.address, "/sign-in", &cookies.join("; "), &fields))?;
    if status != 303 {
        bail!("signing in answered {status}");
    }
    cookies.extend(client.cookies());
    Ok(cookies.join("; "))
}

/// What each server is asked, in the order of [`SERVERS`]; `None` where it has no such thing.
pub struct Asked {
    pub load: &'static str,
    pub of: [Option<Load>; 3],
}

pub fn reads(servers: &[&Server], desk: &Desk, rows: u32) -> Vec<Asked> {
    let repeated = |requests: Vec<Vec<u8>>, status| Some(Load { requests, status, once: false });
    let both = |path: &str, status, own: Option<Load>, load| {
        let baseline = |at: usize| repeated(vec![get(servers[at].address, path, "")], status);
        Asked { load, of: [baseline(0), baseline(1), own] }
    };
    let page = |path: &str| repeated(vec![desk.get(path)], 200);
    let mine: Vec<i64> = (0..i64::from(rows) / DEPARTMENTS).take(50).map(|k| 1 + k * DEPARTMENTS).collect();
    let records =
        |server: &Server| -> Vec<Vec<u8>> { mine.iter().map(|id| get(server.address, &format!("/record/{id}"), "")).collect() };
    let own = mine.iter().map(|id| desk.get(&desk.about("PersonDetail", *id))).collect();
    let foreign = mine.iter().map(|id| desk.get(&desk.about("PersonDetail", id + 1))).collect();
    vec![
        both("/list?department=1", 200, page("/p/staff.People"), "list of 20, page"),
        both("/list.json?department=1", 200, None, "list of 20, JSON"),
        both("/list?department=1&total=true", 200, page("/p/staff.PeopleWithTotal"), "list with total, page"),
        Asked {
            load: "one record, page",
            of: [repeated(records(servers[0]), 200), repeated(records(servers[1]), 200), repeated(own, 200)],
        },
        both("/record/999999999", 404, repeated(foreign, 404), "refused record"),
    ]
}

const TEXTS: [&str; 4] = ["Vera", "Larsen-007", "vera@bench.example", "Fitter"];

pub fn writes(servers: &[&Server], desk: &Desk, many: usize, round: usize) -> anyhow::Result<Vec<Asked>> {
    let once = |requests: Vec<Vec<u8>>| Some(Load { requests, status: 303, once: true });
    let mut client = Client::connect(desk.address)?;
    let title = format!("Clerk {round}");
    let texts = [TEXTS[0], TEXTS[1], TEXTS[2], title.as_str()];
    let fields: Vec<(String, String)> =
        ["first_name", "last_name", "email", "job_title"].map(str::to_owned).into_iter().zip(texts.map(str::to_owned)).collect();
    let ids: Vec<i64> = (0..many as i64).map(|k| 1 + (k + 10) * DEPARTMENTS).collect();
    let baseline = |at: usize, path: &dyn Fn(i64) -> String| -> Option<Load> {
        once(ids.iter().map(|id| post(servers[at].address, &path(*id), "", &fields)).collect())
    };
    let (mut creates, mut changes) = (Vec::with_capacity(many), Vec::with_capacity(many));
    for id in &ids {
        // A form for something new makes one object: each has to be drawn.
        creates.push(desk.form(&mut client, "/p/staff.PersonNew", texts)?);
        changes.push(desk.form(&mut client, &desk.about("PersonChange", *id), texts)?);
    }
    let (create, change) = (|_: i64| "/create".to_owned(), |id: i64| format!("/change/{id}"));
    Ok(vec![
        Asked { load: "create", of: [baseline(0, &create), baseline(1, &create), once(creates)] },
        Asked { load: "change", of: [baseline(0, &change), baseline(1, &change), once(changes)] },
    ])
}

fn compare(plan: &Plan, rows: u32, servers: &[Server], desk: &Desk) -> anyhow::Result<Vec<Line>> {
    let connections = if rows == MAIN { &plan.connections } else { &plan.elsewhere };
    let mut lines = Vec::new();
    let all: Vec<&Server> = servers.iter().collect();
    let reads = reads(&all, desk, rows);
    for asked in &reads {
        for many in connections {
            let mut samples = [const { Vec::<Sample>::new() }; 3];
            // The first round warms caches up; within a round the servers take turns.
            for round in 0..=plan.rounds {
                let time = if round == 0 { plan.time / 4 } else { plan.time };
                for ((server, load), samples) in servers.iter().zip(&asked.of).zip(&mut samples) {
                    let Some(load) = load else { continue };
                    let sample = run(server, load, *many, time)?;
                    samples.extend((round > 0).then_some(sample));
                }
            }
            push(&mut lines, rows, asked.load, *many, samples);
        }
    }
    if rows != MAIN {
        return Ok(lines);
    }
    for many in connections {
        let mut samples = [const { [const { Vec::<Sample>::new() }; 3] }; 2];
        for round in 0..plan.rounds {
            for (asked, samples) in writes(&all, desk, plan.writes, round * 100 + many)?.iter().zip(&mut samples) {
                for ((server, load), samples) in servers.iter().zip(&asked.of).zip(samples) {
                    let Some(load) = load else { continue };
                    samples.push(run(server, load, *many, Duration::from_secs(20))?);
                }
            }
        }
        let [create, change] = samples;
        push(&mut lines, rows, "create", *many, create);
        push(&mut lines, rows, "change", *many, change);
    }
    Ok(lines)
}

fn push(lines: &mut Vec<Line>, rows: u32, load: &'static str, connections: usize, samples: [Vec<Sample>; 3]) {
    for ((server, _), samples) in SERVERS.iter().zip(samples) {
        if !samples.is_empty() {
            lines.push(Line { rows, load, connections, server, sample: median(samples) });
        }
    }
}

/// Eight people sign in again and again while others look at the list.
fn signing_in(plan: &Plan, server: &Server, desk: &Desk) -> anyhow::Result<()> {
    let load = Load { requests: vec![desk.get("/p/staff.People")], status: 200, once: false };
    let time = plan.time * 2;
    let alone = run(server, &load, 4, time)?;
    let (done, signed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let beside = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8)
            .map(|n| {
                let (done, signed) = (&done, &signed);
                scope.spawn(move || -> anyhow::Result<()> {
                    while !done.load(Ordering::Relaxed) {
                        sign_in(server, &format!("s{n}@bench.example"))?;
                        signed.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        let beside = run(server, &load, 4, time);
        done.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap_or_else(|_| bail!("a client panicked"))?;
        }
        beside
    })?;
    let (_, most) = server.memory()?;
    println!("Eight people signing in without pause beside four connections on the list:\n");
    println!("| | p50 ms | p99 ms | list req/s | sign-ins/s |\n|---|--:|--:|--:|--:|");
    for (name, sample, signed) in [("list alone", &alone, 0), ("beside sign-ins", &beside, signed.load(Ordering::Relaxed))] {
        let (p50, p99, per_second) = (sample.p50 / 1e3, sample.p99 / 1e3, sample.requests as f64 / sample.seconds);
        println!("| {name} | {p50:.2} | {p99:.2} | {per_second:.0} | {:.1} |", signed as f64 / sample.seconds);
    }
    println!("\nMost memory then: {most:.1} MiB.\n");
    Ok(())
}
