//! Counting attempts, so that guessing is slow however many guess at once.
//!
//! An attempt is counted, and committed, **before** the password is looked at: of a burst of any size
//! only as many are ever compared as the bucket holds. A bucket is a window of time and a number.

use super::account::AccountId;
use crate::db::schema::{session, throttle};
use crate::db::{Conn, DbError, Moment, MomentType, on};
use chrono::{NaiveDateTime, TimeDelta};
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use std::net::IpAddr;
use std::time::Duration;

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
    Admitted,
    /// No more in this window; this was refusal number `refusals` in it.
    Refused { refusals: i32, retry_after: Duration },
}

/// Counts one attempt.
// SECURITY: one statement both counts and tells the count, under the row's lock, so parallel guesses cannot
// read the same number: `of_two_hundred_parallel_guesses_only_ten_are_compared`.
pub(super) fn count(conn: &mut Conn, bucket: &str, allowance: Allowance, now: NaiveDateTime) -> Result<Counted, DbError> {
    let window = TimeDelta::from_std(allowance.window).unwrap_or(TimeDelta::MAX);
    let over = Moment(now.checked_sub_signed(window).unwrap_or(NaiveDateTime::MIN));
    let (made, start): (i32, Moment) = on!(conn, |c| {
        let first = (throttle::bucket.eq(bucket), throttle::failures.eq(1), throttle::window_start.eq(Moment(now)));
        let next = (
            throttle::failures
                .eq(case_when(throttle::window_start.le(over), 1.into_sql::<Integer>()).otherwise(throttle::failures + 1)),
            throttle::window_start.eq(case_when(throttle::window_start.le(over), Moment(now).into_sql::<MomentType>())
                .otherwise(throttle::window_start)),
        );
        let upsert = diesel::insert_into(throttle::table).values(first).on_conflict(throttle::bucket).do_update().set(next);
        upsert.returning((throttle::failures, throttle::window_start)).get_result(c)
    })?;
    if made <= allowance.attempts {
        return Ok(Counted::Admitted);
    }
    let retry_after = start.0.checked_add_signed(window).map_or(TimeDelta::MAX, |end| end - now);
    let retry_after = retry_after.to_std().unwrap_or_default().max(Duration::from_secs(1));
    Ok(Counted::Refused { refusals: made - allowance.attempts, retry_after })
}

/// Gives one attempt back: it was a good one, or was never looked at.
pub(super) fn refund(conn: &mut Conn, bucket: &str) -> Result<(), DbError> {
    on!(conn, |c| {
        let some = throttle::table.filter(throttle::bucket.eq(bucket)).filter(throttle::failures.gt(0));
        diesel::update(some).set(throttle::failures.eq(throttle::failures - 1)).execute(c)
    })?;
    Ok(())
}

/// Forgets a bucket: the right password was given.
pub(super) fn reset(conn: &mut Conn, bucket: &str) -> Result<(), DbError> {
    on!(conn, |c| diesel::delete(throttle::table.filter(throttle::bucket.eq(bucket))).execute(c))?;
    Ok(())
}

/// Forgets the buckets whose window is over for a day.
pub(super) fn purge(conn: &mut Conn, now: NaiveDateTime) -> Result<usize, DbError> {
    let old = Moment(now - TimeDelta::days(1));
    Ok(on!(conn, |c| diesel::delete(throttle::table.filter(throttle::window_start.lt(old))).execute(c))?)
}

/// Whether the account had a session from this address in the last thirty days.
///
/// Such an address has its own bucket for the account, so that strangers who guess cannot lock the
/// owner out (ASVS 6.1.1). For an unknown account the same question is asked of account 0.
pub(super) fn is_familiar(conn: &mut Conn, id: Option<AccountId>, address: &str, now: NaiveDateTime) -> Result<bool, DbError> {
    let since = Moment(now - TimeDelta::days(30));
    let id = id.map_or(0, |id| id.0);
    let seen: i64 = on!(conn, |c| {
        let query = session::table.filter(session::account_id.eq(id)).filter(session::address.eq(address));
        query.filter(session::created.ge(since)).count().get_result(c)
    })?;
    Ok(seen > 0)
}

/// The network an address is counted under: an IPv4 address, or the /64 of an IPv6 address.
pub(super) fn network(address: IpAddr) -> String {
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
}
