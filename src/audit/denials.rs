//! Repeated denials of one caller: how severe the next one is.
//!
//! Guarantees: who insists is told apart from who slipped, also when the denials come through several nodes; counting
//! costs no transaction anything, because each process counts what it records, and looks now and then what others
//! recorded ([`follow_denials`]). Deliberately not here: whether anything is refused because of it.

use super::record::clean;
use super::{Event, EventKind, Severity};
use crate::crypto::sha256;
use crate::db::schema::audit_record;
use crate::db::{Conn, Db, DbError, Moment, Thing, on};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::HashMap;

/// How long denials of one caller add up.
const WITHIN: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// From how many denials on they are an error, and critical.
const DENIALS: [(usize, Severity); 3] = [(20, Severity::Critical), (5, Severity::Error), (1, Severity::Warning)];
/// So many denials that other processes recorded are looked at: the latest.
const MOST: i64 = 4_000;

/// How severe an event is, given what the same caller met before.
pub(super) fn insistence(conn: &mut Conn, event: &Event, now: NaiveDateTime) -> Severity {
    let Some(who) = event.caller.as_ref().filter(|_| event.kind == EventKind::Denied) else {
        return event.severity;
    };
    let caller = caller(who.account.map(|id| id.0), &clean(&who.name));
    let count = conn.repeated(caller, now, since(now));
    DENIALS.into_iter().find(|(from, _)| count >= *from).map_or(Severity::Warning, |(_, severity)| severity)
}

/// Learns what other processes refused lately, so that denials add up across nodes and restarts.
pub fn follow_denials(db: &Db, now: NaiveDateTime) -> Result<(), DbError> {
    let ours: Vec<String> = db.opened_lanes().into_iter().map(|(_, lane)| lane).collect();
    let found = db.read(|conn| of_others(conn, ours.clone(), now))?;
    db.repeated_elsewhere(found);
    Ok(())
}

type Denial = (Option<i64>, Option<String>, Moment);

fn of_others(conn: &mut Conn, ours: Vec<String>, now: NaiveDateTime) -> Result<Vec<(Thing, u32, NaiveDateTime)>, DbError> {
    let all: Vec<Denial> = on!(conn, |c| audit_record::table
        .filter(audit_record::event.eq(EventKind::Denied.id()))
        .filter(audit_record::at.gt(Moment(since(now))))
        .filter(diesel::dsl::not(audit_record::lane.eq_any(ours)))
        .select((audit_record::caller, audit_record::caller_name, audit_record::at))
        .order(audit_record::at.desc())
        .limit(MOST)
        .load(c))?;
    let mut counted: HashMap<Thing, (u32, NaiveDateTime)> = HashMap::new();
    for (account, name, at) in all {
        let Some(name) = name else { continue };
        let (times, _) = counted.entry(caller(account, &name)).or_insert((0, at.0));
        *times = times.saturating_add(1);
    }
    Ok(counted.into_iter().map(|(thing, (times, last))| (thing, times, last)).collect())
}

fn since(now: NaiveDateTime) -> NaiveDateTime {
    now.checked_sub_signed(WITHIN).unwrap_or(now)
}

/// An account whatever it is called, or a visitor's address.
fn caller(account: Option<i64>, name: &str) -> Thing {
    let text = match account {
        Some(id) => format!("account {id}"),
        None => format!("visitor {name}"),
    };
    let mut thing = Thing::default();
    thing.iter_mut().zip(sha256(text.as_bytes())).for_each(|(to, from)| *to = from);
    thing
}
