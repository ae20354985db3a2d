//! Writing.

use super::chain::Row;
use super::denials::insistence;
use super::{AuditError, Detail, Event, Severity};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::schema::audit_record;
use crate::db::{Conn, DbError, Moment, on};
use diesel::prelude::*;

/// The most characters of a text that are kept.
const LONGEST: usize = 4_000;
/// The most changed values of one event that are kept.
const MOST_DETAILS: usize = 200;

/// Appends an event to a lane of the node, in the caller's transaction. It reads nothing from the database, so that
/// two writers never meet at the trail.
pub fn record(conn: &mut Conn, keys: &Keys, node: &str, clock: &Clock, event: &Event) -> Result<(), AuditError> {
    let at = clock.now();
    let severity = event.severity.max(insistence(conn, event, at));
    let lane = conn.lane(node)?;
    let mut row = Row {
        node: lane.node,
        lane: lane.id,
        n: lane.n.saturating_add(1),
        at: Moment(at),
        severity: severity.rank(),
        event: event.kind.id().to_owned(),
        caller: event.caller.as_ref().and_then(|who| who.account).map(|id| id.0),
        caller_name: event.caller.as_ref().map(|who| clean(&who.name)),
        object: event.object.as_deref().map(clean),
        summary: clean(&event.summary),
        details: details(&event.details)?,
        request_id: event.request_id.as_deref().map(clean),
        previous_hash: lane.hash,
        hash: String::new(),
    };
    row.hash = row.link(keys);
    if let Err(error) = conn.recording(|conn| append(conn, &row)) {
        if matches!(error, DbError::Unique { .. }) {
            conn.lane_is_spoiled(node);
        }
        return Err(error.into());
    }
    conn.lane_grew(node, &row.hash);
    if severity == Severity::Critical {
        conn.seal_soon();
    }
    Ok(())
}

// INVARIANT: of two records with one place in a lane the database takes one, so that no lane forks.
fn append(conn: &mut Conn, row: &Row) -> Result<(), DbError> {
    on!(conn, |c| diesel::insert_into(audit_record::table).values(row).execute(c))?;
    Ok(())
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
pub(super) fn clean(text: &str) -> String {
    let keep = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{FFFD}' } else { c };
    let mut kept: String = text.chars().take(LONGEST).map(keep).collect();
    if text.chars().nth(LONGEST).is_some() {
        kept.push('…');
    }
    kept
}
