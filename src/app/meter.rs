//! How many registration letters are mailed: per network, per recipient and in all, counted without asking the database.
//!
//! A visitor's request counts in memory; the clockwork tells the other nodes and learns from them
//! (`shared`), so within a second all nodes together count as one. In that second each node may let
//! through what one alone would. The hour slides, and what is refused is not kept, so memory is
//! bounded by the limit for all.

use super::Refusal;
use crate::crypto::random_token;
use crate::identity::network;
use chrono::{NaiveDateTime, TimeDelta};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// How many letters one network (an IPv4 address, or the /64 of an IPv6 address) may cause in an hour,
const PER_NETWORK: usize = 10;
/// how many go to one recipient in an hour, whoever asks for them,
const PER_RECIPIENT: usize = 3;
/// and how many are mailed in an hour in all.
const IN_ALL: usize = 500;
const HOUR: TimeDelta = TimeDelta::hours(1);

/// A letter that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    /// The asker's network.
    pub network: String,
    /// The recipient, as a word in which the address cannot be read. Empty: nothing was mailed.
    pub recipient: String,
    /// When.
    pub at: NaiveDateTime,
}

/// What becomes of a letter that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Mail it.
    Mail,
    /// The recipient has had enough of them: mail nothing, and answer as if it was mailed.
    Withhold,
}

/// Counts letters, in memory: visitors cost no row.
pub(super) struct Meter {
    /// A word for this process, so that it does not learn its own letters.
    process: String,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    own: Vec<Letter>,
    others: Vec<Letter>,
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
    // SECURITY: nobody's mailbox can be flooded from many addresses, and whether others asked for the same mailbox
    // does not show in the answer: `a_recipient_gets_three_letters_an_hour_and_nobody_is_told`.
    pub(super) fn take(&self, address: IpAddr, recipient: &str, now: NaiveDateTime) -> Result<Verdict, Refusal> {
        let network = network(address);
        let mut counts = self.counts();
        counts.own.retain(|letter| counts_still(letter.at, now));
        let wait = |of: &dyn Fn(&Letter) -> bool, most: usize| {
            let mut times: Vec<NaiveDateTime> = counts.all(now).filter(|letter| of(letter)).map(|letter| letter.at).collect();
            times.sort_unstable();
            // The oldest of the last `most` has to be an hour old first.
            let oldest = times.len().checked_sub(most).and_then(|n| times.get(n).copied())?;
            (oldest + HOUR - now).to_std().ok()
        };
        let wait = wait(&|letter| letter.network == network, PER_NETWORK).max(wait(&|_| true, IN_ALL));
        if let Some(wait) = wait {
            return Err(Refusal::TooFast(wait.max(Duration::from_secs(1))));
        }
        let had = counts.all(now).filter(|letter| letter.recipient == recipient).count();
        let verdict = if had < PER_RECIPIENT { Verdict::Mail } else { Verdict::Withhold };
        let recipient = if verdict == Verdict::Mail { recipient } else { "" };
        let letter = Letter { network, recipient: recipient.to_owned(), at: now };
        counts.own.push(letter.clone());
        if counts.untold.len() < IN_ALL {
            counts.untold.push(letter);
        }
        Ok(verdict)
    }

    /// The word for this process.
    pub(super) fn process(&self) -> &str {
        &self.process
    }
    /// Letters up to this moment no longer count.
    pub(super) fn since(&self, now: NaiveDateTime) -> NaiveDateTime {
        now.checked_sub_signed(HOUR).unwrap_or(now)
    }
    /// What the others do not know yet; from now on it counts as told.
    pub(super) fn untold(&self) -> Vec<Letter> {
        std::mem::take(&mut self.counts().untold)
    }
    /// Telling failed.
    pub(super) fn not_told(&self, letters: Vec<Letter>) {
        let mut counts = self.counts();
        let room = IN_ALL.saturating_sub(counts.untold.len());
        counts.untold.extend(letters.into_iter().take(room));
    }
    /// What the others mailed within the hour; replaces what was known of them.
    pub(super) fn learn(&self, letters: Vec<Letter>) {
        self.counts().others = letters;
    }
}

impl Counts {
    /// Every letter of the last hour, on whichever node.
    fn all(&self, now: NaiveDateTime) -> impl Iterator<Item = &Letter> {
        self.own.iter().chain(&self.others).filter(move |letter| counts_still(letter.at, now))
    }
}

fn counts_still(at: NaiveDateTime, now: NaiveDateTime) -> bool {
    now - at < HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn at(minute: i64) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_opt(9, 0, 0).unwrap() + TimeDelta::minutes(minute)
    }
    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
    fn wait(result: Result<Verdict, Refusal>) -> Duration {
        match result {
            Err(Refusal::TooFast(wait)) => wait,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn letters_of_all_nodes_count_together_and_for_an_hour() {
        let (one, other) = (Meter::default(), Meter::default());
        let address = ip("192.0.2.7");
        (0..6).for_each(|n| assert_eq!(one.take(address, &format!("a{n}"), at(0)).unwrap(), Verdict::Mail));
        other.learn(one.untold());
        assert!(one.untold().is_empty(), "each letter is told once");
        (0..4).for_each(|n| assert_eq!(other.take(address, &format!("b{n}"), at(1)).unwrap(), Verdict::Mail));
        assert_eq!(wait(other.take(address, "c", at(2))), Duration::from_secs(58 * 60));
        assert_eq!(other.take(ip("192.0.2.8"), "c", at(2)).unwrap(), Verdict::Mail);
        other.take(address, "c", at(60)).unwrap();
    }

    #[test]
    fn the_hour_slides_and_the_wait_is_exact() {
        let meter = Meter::default();
        let address = ip("192.0.2.7");
        (0..10).for_each(|n| assert_eq!(meter.take(address, &format!("a{n}"), at(n * 5)).unwrap(), Verdict::Mail));
        assert_eq!(wait(meter.take(address, "x", at(59))), Duration::from_secs(60));
        meter.take(address, "x", at(60)).unwrap();
        assert_eq!(wait(meter.take(address, "y", at(60))), Duration::from_secs(5 * 60), "one place became free, not ten");
    }

    #[test]
    fn a_whole_ipv6_network_is_one_asker() {
        let meter = Meter::default();
        (0..10).for_each(|n| {
            assert_eq!(meter.take(ip(&format!("2001:db8:1:2:{n:x}::1")), &format!("a{n}"), at(0)).unwrap(), Verdict::Mail)
        });
        wait(meter.take(ip("2001:db8:1:2:ffff::9"), "x", at(0)));
        meter.take(ip("2001:db8:1:3::9"), "x", at(0)).unwrap();
        (0..10).for_each(|n| assert_eq!(meter.take(ip("192.0.2.9"), &format!("b{n}"), at(0)).unwrap(), Verdict::Mail));
        wait(meter.take(ip("::ffff:192.0.2.9"), "y", at(0)));
    }

    #[test]
    fn a_recipient_gets_three_letters_an_hour_and_nobody_is_told() {
        let (meter, other) = (Meter::default(), Meter::default());
        let ask = |meter: &Meter, n: i64, minute| meter.take(ip(&format!("198.51.100.{n}")), "ada", at(minute)).unwrap();
        assert_eq!([1, 2, 3].map(|n| ask(&meter, n, n)), [Verdict::Mail; 3]);
        assert_eq!((4..40).map(|n| ask(&meter, n, 5)).filter(|verdict| *verdict == Verdict::Mail).count(), 0);
        other.learn(meter.untold());
        assert_eq!(ask(&other, 50, 6), Verdict::Withhold, "on another node too");
        assert_eq!(ask(&meter, 60, 61), Verdict::Mail, "what was withheld does not count for the recipient");
        assert_eq!(ask(&meter, 61, 61), Verdict::Withhold);
        assert_eq!(meter.take(ip("198.51.100.60"), "eve", at(61)).unwrap(), Verdict::Mail, "others get theirs");
    }

    #[test]
    fn everybody_together_is_limited_and_a_flood_takes_no_memory() {
        let meter = Meter::default();
        let flood = |n: u32| meter.take(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), &format!("r{n}"), at(0));
        let mailed = (0..20_000).filter(|n| flood(*n).is_ok()).count();
        assert_eq!(mailed, 500);
        assert_eq!(wait(meter.take(ip("203.0.113.1"), "z", at(20))), Duration::from_secs(40 * 60));
        assert_eq!(meter.counts().own.len(), 500);
        assert_eq!(meter.untold().len(), 500);
        meter.take(ip("203.0.113.1"), "z", at(60)).unwrap();
        assert_eq!(meter.counts().own.len(), 1, "what is an hour old is forgotten");
    }
}
