//! Counting attempts, so that guessing is slow however many guess at once.
//!
//! An attempt is counted, and committed, **before** the password is looked at: of a burst of any size
//! only as many are ever compared as the bucket admits. The window slides: within any span of its
//! length, no more attempts are admitted than the allowance says, wherever that span begins.

use super::account::AccountId;
use crate::db::schema::{session, throttle};
use crate::db::{Conn, DbError, Moment, on};
use chrono::{NaiveDateTime, TimeDelta};
use diesel::prelude::*;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// A bucket remembers no more attempts than this, so an allowance beyond it is this.
const MOST_ATTEMPTS: usize = 1_000;
/// Sessions that are looked through for a familiar network.
const MOST_SESSIONS: i64 = 500;

/// How many attempts a bucket admits in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Attempts in one window.
    pub attempts: i32,
    /// Length of the window.
    pub window: Duration,
}

/// What a bucket said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Go on.
    Admitted(Slot),
    /// No more for now; this was refusal number `refusals` since the last attempt that was admitted.
    Refused { refusals: i32, retry_after: Duration },
}

/// An attempt that was counted, as it can be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(i64);

/// Counts one attempt.
// SECURITY: the first statement makes the row or locks it until the transaction ends, and tells what it holds, so
// parallel guesses cannot read the same count: `of_two_hundred_parallel_guesses_only_ten_are_compared`. Refused
// attempts do not count, so hammering does not keep a bucket full: `refused_attempts_do_not_prolong_the_wait`.
pub(super) fn count(conn: &mut Conn, bucket: &str, allowance: Allowance, now: NaiveDateTime) -> Result<Counted, DbError> {
    let (kept, refusals): (String, i32) = on!(conn, |c| {
        let first = (throttle::bucket.eq(bucket), throttle::failures.eq(0), throttle::window_start.eq(Moment(now)));
        let upsert = diesel::insert_into(throttle::table).values(first).on_conflict(throttle::bucket).do_update();
        let locked = upsert.set(throttle::window_start.eq(Moment(now)));
        locked.returning((throttle::attempts, throttle::refusals)).get_result(c)
    })?;
    let most = usize::try_from(allowance.attempts).unwrap_or(0).min(MOST_ATTEMPTS);
    let (at, window) = (milliseconds(now), i64::try_from(allowance.window.as_millis()).unwrap_or(i64::MAX));
    let mut attempts = read(&kept, at, window);
    // The oldest of the last `most` attempts has to leave the window before another is admitted.
    let oldest = attempts.len().checked_sub(most).map(|n| attempts.get(n).copied().unwrap_or(at));
    if let Some(oldest) = oldest {
        let refusals = refusals.saturating_add(1);
        write(conn, bucket, &attempts, refusals)?;
        let wait = u64::try_from(oldest.saturating_add(window) - at).unwrap_or(0).max(1);
        return Ok(Counted::Refused { refusals, retry_after: Duration::from_millis(wait) });
    }
    attempts.push(at);
    write(conn, bucket, &attempts, 0)?;
    Ok(Counted::Admitted(Slot(at)))
}

/// The attempts that still count, oldest first. One from the future (the clock was set back) counts from now on.
fn read(kept: &str, now: i64, window: i64) -> Vec<i64> {
    let mut attempts: Vec<i64> = kept.split(',').filter_map(|at| at.parse().ok()).map(|at: i64| at.min(now)).collect();
    attempts.retain(|at| now.saturating_sub(*at) < window);
    attempts.sort_unstable();
    attempts
}

fn write(conn: &mut Conn, bucket: &str, attempts: &[i64], refusals: i32) -> Result<(), DbError> {
    let kept = attempts.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let failures = i32::try_from(attempts.len()).unwrap_or(i32::MAX);
    on!(conn, |c| {
        let set = (throttle::attempts.eq(&kept), throttle::failures.eq(failures), throttle::refusals.eq(refusals));
        diesel::update(throttle::table.filter(throttle::bucket.eq(bucket))).set(set).execute(c)
    })?;
    Ok(())
}

fn milliseconds(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_millis()
}

/// Gives one attempt back: it was a good one, or was never looked at.
pub(super) fn refund(conn: &mut Conn, bucket: &str, slot: Slot) -> Result<(), DbError> {
    // Changing nothing, but locking the row, which another transaction may be writing to.
    let kept: Option<(String, i32)> = on!(conn, |c| {
        let row = throttle::table.filter(throttle::bucket.eq(bucket));
        let locked = diesel::update(row).set(throttle::failures.eq(throttle::failures));
        locked.returning((throttle::attempts, throttle::refusals)).get_result(c).optional()
    })?;
    let Some((kept, refusals)) = kept else { return Ok(()) };
    let mut attempts: Vec<i64> = kept.split(',').filter_map(|at| at.parse().ok()).collect();
    if let Some(own) = attempts.iter().rposition(|at| *at == slot.0) {
        attempts.remove(own);
    }
    write(conn, bucket, &attempts, refusals)
}

/// Forgets a bucket: the right password was given.
pub(super) fn reset(conn: &mut Conn, bucket: &str) -> Result<(), DbError> {
    on!(conn, |c| diesel::delete(throttle::table.filter(throttle::bucket.eq(bucket))).execute(c))?;
    Ok(())
}

/// Forgets buckets in which nothing was counted for a day.
pub(super) fn purge(conn: &mut Conn, now: NaiveDateTime, longest: Duration) -> Result<usize, DbError> {
    let longest = TimeDelta::from_std(longest).unwrap_or(TimeDelta::days(1)).max(TimeDelta::days(1));
    let old = Moment(now.checked_sub_signed(longest).unwrap_or(NaiveDateTime::MIN));
    Ok(on!(conn, |c| diesel::delete(throttle::table.filter(throttle::window_start.lt(old))).execute(c))?)
}

/// Whether the account had a session from this network in the last thirty days.
///
/// Such a network has its own bucket for the account, so that strangers who guess cannot lock the
/// owner out (ASVS 6.1.1). For an unknown account the same question is asked of account 0.
pub(super) fn is_familiar(conn: &mut Conn, id: Option<AccountId>, own: &str, now: NaiveDateTime) -> Result<bool, DbError> {
    let since = Moment(now - TimeDelta::days(30));
    let id = id.map_or(0, |id| id.0);
    let seen: Vec<String> = on!(conn, |c| {
        let query = session::table.filter(session::account_id.eq(id)).filter(session::created.ge(since));
        query.select(session::address).order(session::created.desc()).limit(MOST_SESSIONS).load(c)
    })?;
    let seen: BTreeSet<String> = seen.into_iter().collect();
    Ok(seen.iter().any(|address| address.parse().is_ok_and(|address| network(address) == own)))
}

/// The network an address is counted under: an IPv4 address, or the /64 of an IPv6 address.
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_ipv4_address_is_itself() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn attempts_that_are_stored_are_read_whatever_they_are() {
        assert_eq!(read("", 1_000, 100), [] as [i64; 0]);
        assert_eq!(read("x,,950,-5,99999999999999999999,901,900,1e3", 1_000, 100), [901, 950]);
        assert_eq!(read("5000,950", 1_000, 100), [950, 1_000], "the clock was set back");
        assert_eq!(read("950", i64::MIN, i64::MAX).len(), 1);
    }
}
