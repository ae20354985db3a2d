//! What a process remembers of the trail between its transactions: where its lanes end, which of them have grown, and
//! how often something was repeated lately.
//!
//! Guarantees: a lane belongs to one transaction at a time; what a transaction, or a savepoint in it, added to a lane
//! counts only once it is committed; a lane of which nobody can know the end any more is never used again; memory is
//! bounded. Nothing is read from the database for it, so that writers do not meet at the trail.
//! Deliberately not here: what a record is, and its hash (the audit module).

use super::conn::Conn;
use super::{Db, DbError};
use crate::crypto::random_token;
use chrono::NaiveDateTime;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many occurrences of one thing are remembered: more do not change what follows from them.
const MOST_TIMES: usize = 20;
/// So many things are remembered. When there are more, those of which the last occurrence is oldest are forgotten.
const MOST_THINGS: usize = 4_096;

/// The end of a lane: where the next record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The node that writes it.
    pub node: String,
    /// Its name: random, so that no two processes write the same.
    pub id: String,
    /// The number of its last record; 0 before the first.
    pub n: i64,
    /// The hash of its last record.
    pub hash: String,
}

/// A thing that may be repeated, as a digest.
pub type Thing = [u8; 16];

/// What all connections of a database share.
#[derive(Default)]
pub(super) struct Lanes {
    state: Mutex<State>,
    hurry: Mutex<bool>,
    waiting: Condvar,
}

#[derive(Default)]
struct State {
    /// Lanes that no transaction has, the one used last at the end.
    free: Vec<Lane>,
    /// Lanes that this process opened, by node.
    opened: BTreeSet<(String, String)>,
    /// Lanes that have grown since somebody asked.
    grown: BTreeSet<(String, String)>,
    repeated: HashMap<Thing, VecDeque<NaiveDateTime>>,
    /// What other processes saw repeated: how often, and when last.
    elsewhere: HashMap<Thing, (u32, NaiveDateTime)>,
}

/// What one transaction did to lanes.
#[derive(Default)]
pub(super) struct Leases {
    lanes: Vec<Lease>,
    repeated: Vec<(Thing, NaiveDateTime)>,
    hurry: bool,
}

struct Lease {
    start: Lane,
    now: Lane,
    /// Its end is not where it was thought to be.
    spoiled: bool,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Kept,
    Undone,
    /// Nobody knows.
    Unknown,
}

/// Where a savepoint began.
pub(super) struct Mark {
    ends: Vec<Lane>,
    repeated: usize,
    hurry: bool,
}

impl Leases {
    pub(super) fn mark(&self) -> Mark {
        let ends = self.lanes.iter().map(|lease| lease.now.clone()).collect();
        Mark { ends, repeated: self.repeated.len(), hurry: self.hurry }
    }

    /// Goes back to where a savepoint began.
    pub(super) fn back_to(&mut self, mark: Mark) {
        let mut ends = mark.ends.into_iter();
        for lease in &mut self.lanes {
            lease.now = ends.next().unwrap_or_else(|| lease.start.clone());
        }
        self.repeated.truncate(mark.repeated);
        self.hurry = mark.hurry;
    }

    fn lease(&mut self, node: &str) -> Option<&mut Lease> {
        self.lanes.iter_mut().find(|lease| lease.now.node == node)
    }
}

impl Lanes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane of this node that nobody has.
    fn take(&self, node: &str) -> Lane {
        let mut state = self.state();
        // The one used last: so there are as many lanes as there were writers at once, not as there are connections.
        if let Some(at) = state.free.iter().rposition(|lane| lane.node == node) {
            return state.free.remove(at);
        }
        let id: String = random_token().chars().take(22).collect();
        state.opened.insert((node.to_owned(), id.clone()));
        Lane { node: node.to_owned(), id, n: 0, hash: String::new() }
    }

    /// Takes over what a transaction did.
    pub(super) fn end(&self, leases: Leases, ended: Ended) {
        if leases.lanes.is_empty() && leases.repeated.is_empty() {
            return;
        }
        let kept = ended == Ended::Kept;
        let mut state = self.state();
        for Lease { start, now, spoiled } in leases.lanes {
            if kept && now.n > start.n {
                state.grown.insert((now.node.clone(), now.id.clone()));
            }
            // INVARIANT: a lane goes on only from an end that is known, or there would be a gap or a fork.
            match ended {
                Ended::Kept => state.free.push(now),
                Ended::Undone if !spoiled => state.free.push(start),
                Ended::Undone | Ended::Unknown => {}
            }
        }
        if kept {
            leases.repeated.into_iter().for_each(|(thing, at)| state.repeat(thing, at));
        }
        drop(state);
        if kept && leases.hurry {
            self.hurry();
        }
    }

    fn hurry(&self) {
        *self.hurry.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.waiting.notify_all();
    }
}

impl State {
    fn repeat(&mut self, thing: Thing, at: NaiveDateTime) {
        if self.repeated.len() >= MOST_THINGS && !self.repeated.contains_key(&thing) {
            self.forget_oldest();
        }
        let times = self.repeated.entry(thing).or_default();
        if times.len() >= MOST_TIMES {
            times.pop_front();
        }
        times.push_back(at);
    }

    /// Forgets a quarter: those that happened longest ago, and of these first those that happened least.
    fn forget_oldest(&mut self) {
        let mut all: Vec<(bool, NaiveDateTime, Thing)> = self
            .repeated
            .iter()
            .map(|(thing, times)| (times.len() > 1, times.back().copied().unwrap_or_default(), *thing))
            .collect();
        all.sort_unstable();
        for (_, _, thing) in all.into_iter().take(MOST_THINGS / 4) {
            self.repeated.remove(&thing);
        }
    }

    fn times(&self, thing: &Thing, since: NaiveDateTime) -> usize {
        let here = self.repeated.get(thing).map_or(0, |times| times.iter().filter(|at| **at > since).count());
        let there = self.elsewhere.get(thing).filter(|(_, last)| *last > since).map_or(0, |(times, _)| *times);
        here.saturating_add(usize::try_from(there).unwrap_or(usize::MAX))
    }
}

impl Conn {
    /// The end of the lane of this node that the present write transaction adds to.
    pub fn lane(&mut self, node: &str) -> Result<Lane, DbError> {
        if !self.writes() {
            return Err(DbError::Refused("a read transaction records nothing".into()));
        }
        let (lanes, leases) = self.lanes();
        if let Some(lease) = leases.lease(node) {
            return Ok(lease.now.clone());
        }
        let lane = lanes.take(node);
        leases.lanes.push(Lease { start: lane.clone(), now: lane.clone(), spoiled: false });
        Ok(lane)
    }

    /// The lane has one record more, if the transaction is kept.
    pub fn lane_grew(&mut self, node: &str, hash: &str) {
        if let Some(lease) = self.lanes().1.lease(node) {
            lease.now.n = lease.now.n.saturating_add(1);
            hash.clone_into(&mut lease.now.hash);
        }
    }

    /// The lane's end is not where it was thought to be: it is not used again.
    pub fn lane_is_spoiled(&mut self, node: &str) {
        if let Some(lease) = self.lanes().1.lease(node) {
            lease.spoiled = true;
        }
    }

    /// What was recorded is to be sealed as soon as the transaction is kept.
    pub fn seal_soon(&mut self) {
        self.lanes().1.hurry = true;
    }

    /// This happened, if the transaction is kept. Says how often it happened since then, this time included.
    pub fn repeated(&mut self, thing: Thing, at: NaiveDateTime, since: NaiveDateTime) -> usize {
        let (lanes, leases) = self.lanes();
        leases.repeated.push((thing, at));
        let here = leases.repeated.iter().filter(|(other, at)| *other == thing && *at > since).count();
        lanes.state().times(&thing, since).saturating_add(here)
    }
}

impl Db {
    /// The lanes (node, lane) that have grown since the last time this was asked.
    pub fn grown_lanes(&self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut self.lanes().state().grown)
    }

    /// Lanes of [`Db::grown_lanes`] that are to be named again.
    pub fn lanes_grew(&self, lanes: impl IntoIterator<Item = (String, String)>) {
        self.lanes().state().grown.extend(lanes);
    }

    /// The lanes (node, lane) that this process opened.
    pub fn opened_lanes(&self) -> BTreeSet<(String, String)> {
        self.lanes().state().opened.clone()
    }

    /// Replaces what is known of things that other processes saw repeated.
    pub fn repeated_elsewhere(&self, all: impl IntoIterator<Item = (Thing, u32, NaiveDateTime)>) {
        let all = all.into_iter().take(MOST_THINGS).map(|(thing, times, last)| (thing, (times, last))).collect();
        self.lanes().state().elsewhere = all;
    }

    /// Waits until something was recorded that is to be sealed at once, but not longer than this.
    pub fn await_hurry(&self, longest: Duration) {
        let lanes = self.lanes();
        let hurry = lanes.hurry.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = lanes.waiting.wait_timeout_while(hurry, longest, |hurry| !*hurry);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    /// Wakes whoever is in [`Db::await_hurry`].
    pub fn hurry(&self) {
        self.lanes().hurry();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> NaiveDateTime {
        chrono::DateTime::from_timestamp(1_772_366_400 + second, 0).unwrap().naive_utc()
    }

    fn leased(lanes: &Lanes, node: &str, added: i64) -> Leases {
        let start = lanes.take(node);
        let now = Lane { n: start.n + added, hash: format!("{}+{added}", start.hash), ..start.clone() };
        Leases { lanes: vec![Lease { start, now, spoiled: false }], ..Leases::default() }
    }

    #[test]
    fn a_lane_goes_on_from_what_was_kept_and_one_of_unknown_end_is_left() {
        let lanes = Lanes::default();
        lanes.end(leased(&lanes, "n", 2), Ended::Kept);
        let first = lanes.take("n");
        assert_eq!((first.n, first.hash.as_str()), (2, "+2"));
        let other = lanes.take("n");
        assert_ne!(other.id, first.id, "two at once have lanes of their own");
        assert_ne!(lanes.take("m").id, first.id);
        lanes.state().free.push(first.clone());
        lanes.end(leased(&lanes, "n", 5), Ended::Undone);
        assert_eq!(lanes.take("n"), first, "undone");
        lanes.state().free.push(first.clone());
        lanes.end(leased(&lanes, "n", 1), Ended::Unknown);
        assert_ne!(lanes.take("n").id, first.id, "nobody knows its end");
        assert_eq!(lanes.state().grown, BTreeSet::from([("n".to_owned(), first.id)]));
    }

    #[test]
    fn a_savepoint_that_is_undone_takes_its_records_back() {
        let lanes = Lanes::default();
        let mut leases = leased(&lanes, "n", 3);
        let mark = leases.mark();
        leases.lease("n").unwrap().now.n = 7;
        leases.lanes.push(leased(&lanes, "m", 4).lanes.pop().unwrap());
        leases.repeated.push(([1; 16], at(0)));
        leases.back_to(mark);
        assert_eq!(leases.lanes.iter().map(|lease| lease.now.n).collect::<Vec<_>>(), [3, 0]);
        assert!(leases.repeated.is_empty());
    }

    #[test]
    fn a_flood_of_things_forgets_the_oldest_first_and_stays_bounded() {
        let mut state = State::default();
        let thing = |n: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            bytes
        };
        (0..50).for_each(|_| state.repeat(thing(1), at(0)));
        assert_eq!(state.times(&thing(1), at(-1)), MOST_TIMES);
        (0..20_000).for_each(|n| state.repeat(thing(n + 10), at(1)));
        assert!(state.repeated.len() <= MOST_THINGS);
        assert_eq!(state.times(&thing(1), at(-1)), MOST_TIMES, "what insists is not forgotten for what happens once");
        assert_eq!(state.times(&thing(20_009), at(0)), 1);
        assert_eq!(state.times(&thing(20_009), at(1)), 0, "of long ago");
    }
}
