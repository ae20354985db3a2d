//! How many registration letters each address causes, counted without asking the database.
//!
//! A visitor's request counts in memory; the clockwork tells the other nodes and learns from them
//! (`shared`), so within a second all nodes together count as one. In that second each node may let
//! through what one alone would.

use super::Refusal;
use crate::crypto::random_token;
use chrono::{NaiveDateTime, TimeDelta};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// How many letters one network address may cause in an hour.
const LETTERS_AN_HOUR: usize = 10;
const HOUR: i64 = 3_600;
const MOST_ADDRESSES: usize = 20_000;

/// To whom (by address of the asker) and when a letter was mailed.
pub(super) type Letter = (IpAddr, NaiveDateTime);

/// Counts letters per address, in memory: visitors cost no row.
pub(super) struct Meter {
    /// A word for this process, so that it does not learn its own letters.
    process: String,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    own: HashMap<IpAddr, Vec<NaiveDateTime>>,
    others: HashMap<IpAddr, Vec<NaiveDateTime>>,
    untold: Vec<Letter>,
}

impl Default for Meter {
    fn default() -> Self {
        Self { process: random_token(), counts: Mutex::default() }
    }
}

impl Meter {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Counts a letter that is about to be mailed, or says how long to wait.
    pub(super) fn take(&self, address: IpAddr, now: NaiveDateTime) -> Result<(), Refusal> {
        let mut counts = self.counts();
        if counts.own.len() >= MOST_ADDRESSES {
            counts.own.retain(|_, times| times.iter().any(|at| counts_still(*at, now)));
        }
        let address = address.to_canonical();
        let elsewhere = counts.others.get(&address).cloned().unwrap_or_default();
        let times = counts.own.entry(address).or_default();
        times.retain(|at| counts_still(*at, now));
        let all = elsewhere.iter().filter(|at| counts_still(**at, now)).chain(times.iter());
        if all.clone().count() >= LETTERS_AN_HOUR {
            let oldest = all.min().map_or(0, |at| (now - *at).num_seconds());
            return Err(Refusal::TooFast(Duration::from_secs(u64::try_from(HOUR - oldest).unwrap_or(60))));
        }
        times.push(now);
        if counts.untold.len() < MOST_ADDRESSES {
            counts.untold.push((address, now));
        }
        Ok(())
    }

    /// The word for this process.
    pub(super) fn process(&self) -> &str {
        &self.process
    }
    /// Letters up to this moment no longer count.
    pub(super) fn since(&self, now: NaiveDateTime) -> NaiveDateTime {
        now.checked_sub_signed(TimeDelta::seconds(HOUR)).unwrap_or(now)
    }
    /// What the others do not know yet; from now on it counts as told.
    pub(super) fn untold(&self) -> Vec<Letter> {
        std::mem::take(&mut self.counts().untold)
    }
    /// Telling failed.
    pub(super) fn not_told(&self, letters: Vec<Letter>) {
        let mut counts = self.counts();
        let room = MOST_ADDRESSES.saturating_sub(counts.untold.len());
        counts.untold.extend(letters.into_iter().take(room));
    }
    /// What the others mailed within the hour; replaces what was known of them.
    pub(super) fn learn(&self, letters: Vec<Letter>) {
        let mut others: HashMap<IpAddr, Vec<NaiveDateTime>> = HashMap::new();
        letters.into_iter().for_each(|(address, at)| others.entry(address).or_default().push(at));
        self.counts().others = others;
    }
}

fn counts_still(at: NaiveDateTime, now: NaiveDateTime) -> bool {
    (now - at).num_seconds() < HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn letters_of_all_nodes_count_together_and_for_an_hour() {
        let at = |minute: u32| NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_opt(9, minute, 0).unwrap();
        let (one, other) = (Meter::default(), Meter::default());
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        (0..6).for_each(|_| one.take(address, at(0)).unwrap());
        other.learn(one.untold());
        assert!(one.untold().is_empty(), "each letter is told once");
        (0..4).for_each(|_| other.take(address, at(1)).unwrap());
        let refused = other.take(address, at(2)).unwrap_err();
        assert!(matches!(refused, Refusal::TooFast(wait) if wait == Duration::from_secs(58 * 60)), "{refused:?}");
        other.take("192.0.2.8".parse().unwrap(), at(2)).unwrap();
        other.take(address, at(0) + TimeDelta::minutes(60)).unwrap();
    }
}
