//! Proof by removal: the same attack while layers are taken away, one by one and several at once.
//!
//! Only in builds with the feature `knockout`. Each round has an instance of its own, so nothing that was compiled or
//! prepared while a layer stood is used while it does not.

use super::class::Class;
use super::{AttackError, Options, Report};
use crate::config::Secret;
use crate::domain::knockout::{Removable, remove};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use Removable::{ActionAccess, DatabaseEngine, EntityAccess, PageAccess, Release};
use std::io::Write as _;

/// What is taken away in each round. After nothing and each layer alone: those that between them decide the same thing.
/// Reading rows and members takes three to fall (statement, release, engine), writing them two, running what is not
/// one's own two.
pub const ROUNDS: [&[Removable]; 11] = [
    &[],
    &[PageAccess],
    &[ActionAccess],
    &[EntityAccess],
    &[Release],
    &[DatabaseEngine],
    &[PageAccess, Release],
    &[ActionAccess, Release],
    &[EntityAccess, DatabaseEngine],
    &[ActionAccess, EntityAccess, Release],
    &[EntityAccess, Release, DatabaseEngine],
];

/// What came of all rounds.
pub struct Table {
    /// Round → the reports about each app on each database.
    rounds: Vec<(&'static [Removable], Vec<Report>)>,
}

/// Puts every layer back, however a round ended.
struct Standing;

impl Drop for Standing {
    fn drop(&mut self) {
        remove(&[]);
    }
}

/// Attacks an app while these layers are away.
pub fn without(layers: &[Removable], options: &Options) -> Result<Report, AttackError> {
    let _standing = Standing;
    remove(layers);
    super::run(options)
}

/// All rounds, for these apps, on SQLite and (given a server) on PostgreSQL.
pub fn table(
    apps: &[PathBuf],
    database: Option<&Secret>,
    seed: u64,
    thin: u64,
    stop: &Arc<AtomicBool>,
) -> Result<Table, AttackError> {
    let mut rounds = Vec::new();
    for layers in ROUNDS {
        let _standing = Standing;
        remove(layers);
        // Side by side, because what is taken away is away for the whole process.
        let done: Vec<Result<Report, AttackError>> = std::thread::scope(|scope| {
            let places = apps.iter().flat_map(|app| [None].into_iter().chain(database.map(Some)).map(move |place| (app, place)));
            let attacks: Vec<_> = places
                .map(|(app, place)| {
                    let options = Options { database: place.cloned(), seed, thin, stop: stop.clone(), ..Options::of(app) };
                    scope.spawn(move || super::run(&options))
                })
                .collect();
            let broken = || Err(AttackError::Place("an attack ended before its end".into()));
            attacks.into_iter().map(|attack| attack.join().unwrap_or_else(|_| broken())).collect()
        });
        let reports: Vec<Report> = done.into_iter().collect::<Result<_, _>>()?;
        for report in &reports {
            let (app, database) = (&report.app, report.database);
            let said = format!("without {}: {app} on {database}: {} tried, {} gained", name(layers), report.tried, report.gained);
            let _ = writeln!(std::io::stderr(), "{said}");
        }
        rounds.push((layers, reports));
    }
    Ok(Table { rounds })
}

fn name(layers: &[Removable]) -> String {
    match layers {
        [] => "nothing".to_owned(),
        some => some.iter().map(|layer| layer.id()).collect::<Vec<_>>().join(" + "),
    }
}

impl Table {
    /// Why the proof fails; empty when it holds: nothing is gained with at most one layer away, and something with several.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut gained = BTreeMap::from([(2, 0), (3, 0)]);
        for (layers, reports) in &self.rounds {
            for report in reports {
                if layers.len() <= 1 && report.gained > 0 {
                    let first =
                        report.findings.first().map(|finding| format!("{}: {}", finding.id, finding.gained)).unwrap_or_default();
                    faults.push(format!(
                        "without {}, {} on {}: {} gained, first {first}",
                        name(layers),
                        report.app,
                        report.database,
                        report.gained
                    ));
                }
                if let Some(sum) = gained.get_mut(&layers.len()) {
                    *sum += report.gained;
                }
            }
        }
        for (layers, _) in gained.iter().filter(|(_, gained)| **gained == 0) {
            faults.push(format!("with {layers} layers away nothing was gained: the attack proves nothing"));
        }
        faults
    }

    /// The tables for docs/SECURITY.md.
    pub fn markdown(&self) -> String {
        let mut out = String::from("| layers removed |");
        let first = self.rounds.first().map(|(_, reports)| reports.as_slice()).unwrap_or_default();
        first.iter().for_each(|report| out.push_str(&format!(" {}, {} |", report.app, report.database)));
        out.push_str("\n| --- |");
        first.iter().for_each(|_| out.push_str(" --- |"));
        out.push('\n');
        for (layers, reports) in &self.rounds {
            let _ = write!(out, "| {} |", name(layers));
            reports.iter().for_each(|report| out.push_str(&format!(" {} tried, **{}** gained |", report.tried, report.gained)));
            out.push('\n');
        }
        out + "\n" + &self.by_class()
    }

    /// Class by round, summed over apps and databases.
    fn by_class(&self) -> String {
        let mut out = String::from("| attack class | tried |");
        self.rounds.iter().for_each(|(layers, _)| out.push_str(&format!(" {} |", name(layers))));
        out.push_str("\n| --- | --- |");
        self.rounds.iter().for_each(|_| out.push_str(" --- |"));
        out.push('\n');
        for class in Class::ALL {
            let sums: Vec<(usize, usize)> = self.rounds.iter().map(|(_, reports)| sum(reports, *class)).collect();
            let tried = sums.first().map_or(0, |sum| sum.0);
            let _ = write!(out, "| {} | {tried} |", class.id());
            sums.iter().for_each(|(_, gained)| out.push_str(&format!(" {gained} |")));
            out.push('\n');
        }
        out
    }
}

fn sum(reports: &[Report], class: Class) -> (usize, usize) {
    let tallies: BTreeMap<usize, _> = reports.iter().filter_map(|report| report.class(class)).enumerate().collect();
    tallies.values().fold((0, 0), |(tried, gained), tally| (tried + tally.tried, gained + tally.gained))
}
