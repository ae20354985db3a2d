//! Writing.

use super::chain::{Head, Row};
use super::{AuditError, Detail, Event, EventKind, Severity, Who};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::schema::{audit_head, audit_record};
use crate::db::{Conn, DbError, Moment, Wire, on};
use diesel::prelude::*;

/// How long denials of one caller add up.
const DENIALS_WITHIN: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// From how many denials on they are an error, and critical.
const DENIALS: [(i64, Severity); 3] = [(20, Severity::Critical), (5, Severity::Error), (1, Severity::Warning)];
/// The most characters of a text that are kept.
const LONGEST: usize = 4_000;
/// The most changed values of one event that are kept.
const MOST_DETAILS: usize = 200;

/// Appends an event to the node's chain, in the caller's transaction.
///
/// Call it last: on PostgreSQL the node's other writers wait from here until the transaction ends.
pub fn record(conn: &mut Conn, keys: &Keys, node: &str, clock: &Clock, event: &Event) -> Result<(), AuditError> {
    let at = clock.now();
    // The chain is held before the denials are counted, so that two at once do not miss each other.
    let head = conn.recording(|conn| lock_head(conn, keys, node))?;
    if !head.is_genuine(keys) {
        return Err(AuditError::Tampered(node.to_owned()));
    }
    let severity = match (event.kind, &event.caller) {
        (EventKind::Denied, Some(who)) => event.severity.max(rising(conn, who, at)?),
        _ => event.severity,
    };
    let mut row = Row {
        node: node.to_owned(),
        seq: head.seq.saturating_add(1),
        at: Moment(at),
        severity: severity.rank(),
        event: event.kind.id().to_owned(),
        caller: event.caller.as_ref().and_then(|who| who.account).map(|id| id.0),
        caller_name: event.caller.as_ref().map(|who| clean(&who.name)),
        object: event.object.as_deref().map(clean),
        summary: clean(&event.summary),
        details: details(&event.details)?,
        request_id: event.request_id.as_deref().map(clean),
        previous_hash: head.hash,
        hash: String::new(),
    };
    row.hash = row.link(keys);
    let next = Head::new(keys, node, row.seq, row.hash.clone());
    conn.recording(|conn| append(conn, &row, &next))?;
    Ok(())
}

fn append(conn: &mut Conn, row: &Row, next: &Head) -> Result<(), DbError> {
    on!(&mut *conn, |c| diesel::insert_into(audit_record::table).values(row).execute(c))?;
    let head = audit_head::table.filter(audit_head::node.eq(&row.node));
    on!(conn, |c| diesel::update(head)
        .set((audit_head::seq.eq(next.seq), audit_head::hash.eq(&next.hash), audit_head::mac.eq(&next.mac)))
        .execute(c))?;
    Ok(())
}

/// The end of the chain, held until the transaction ends; begun when there is none.
fn lock_head(conn: &mut Conn, keys: &Keys, node: &str) -> Result<Head, DbError> {
    if let Some(head) = load_head(conn, node)? {
        return Ok(head);
    }
    let begin = Head::new(keys, node, 0, String::new());
    // Another connection may begin the same chain at this moment: then its beginning is ours.
    on!(&mut *conn, |c| diesel::insert_into(audit_head::table).values(&begin).on_conflict_do_nothing().execute(c))?;
    load_head(conn, node)?.ok_or_else(|| DbError::Other("the audit chain cannot be begun".into()))
}

fn load_head(conn: &mut Conn, node: &str) -> Result<Option<Head>, DbError> {
    let head = audit_head::table.filter(audit_head::node.eq(node));
    Ok(match conn.wire() {
        // The write transaction has the only write lock.
        Wire::Sqlite(c, _) => head.select(Head::as_select()).load(c)?,
        Wire::Pg(c, _) => head.select(Head::as_select()).for_update().load(c)?,
    }
    .pop())
}

/// How grave this denial is, given those the same caller met before.
fn rising(conn: &mut Conn, who: &Who, now: chrono::NaiveDateTime) -> Result<Severity, DbError> {
    let since = Moment(now.checked_sub_signed(DENIALS_WITHIN).unwrap_or(now));
    let earlier = audit_record::table
        .filter(audit_record::event.eq(EventKind::Denied.id()))
        .filter(audit_record::at.gt(since))
        .select(audit_record::seq)
        .limit(20);
    let earlier: Vec<i64> = match who.account {
        Some(account) => on!(conn, |c| earlier.filter(audit_record::caller.eq(account.0)).load(c))?,
        None => {
            let by_address =
                earlier.filter(audit_record::caller.is_null()).filter(audit_record::caller_name.eq(clean(&who.name)));
            on!(conn, |c| by_address.load(c))?
        }
    };
    let count = i64::try_from(earlier.len()).unwrap_or(i64::MAX).saturating_add(1);
    Ok(DENIALS.into_iter().find(|(from, _)| count >= *from).map_or(Severity::Warning, |(_, severity)| severity))
}

fn details(all: &[Detail]) -> Result<String, DbError> {
    let short = |text: &Option<String>| text.as_deref().map(clean);
    let mut kept: Vec<Detail> = all
        .iter()
        .take(MOST_DETAILS)
        .map(|detail| Detail { name: clean(&detail.name), old: short(&detail.old), new: short(&detail.new) })
        .collect();
    if let Some(more) = all.len().checked_sub(MOST_DETAILS).filter(|more| *more > 0) {
        kept.push(Detail { name: format!("and {more} more"), old: None, new: None });
    }
    serde_json::to_string(&kept).map_err(|error| DbError::Other(error.into()))
}

/// Text without control characters (a database may refuse them, a terminal obey them), of bounded length.
fn clean(text: &str) -> String {
    let keep = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{FFFD}' } else { c };
    let mut kept: String = text.chars().take(LONGEST).map(keep).collect();
    if text.chars().nth(LONGEST).is_some() {
        kept.push('…');
    }
    kept
}
