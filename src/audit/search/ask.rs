//! The statements of a search.
//!
//! One condition leads: it alone can be served by an index, which ends with the moment, so that the records come in
//! their order and the statement ends with the page. The other conditions are written so that no index serves them, and
//! the plan is the same whatever a database believes about its tables. Where they leave too little of what the leading
//! one gives, looking ends at a bound.

use super::way::Way;
use super::{Filter, Record, names};
use crate::audit::{Detail, Severity, Who};
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, DbError, Dialect};
use crate::domain::{Kind, ObjectId, Value};
use chrono::NaiveDateTime;

/// So many records are looked at for one page, beside those of one moment.
pub(super) const MOST_LOOKED_AT: u32 = 8_000;
/// More names than this do not lead.
const MOST_NAMES: usize = 8;

const COLUMNS: &str = "node, lane, n, at, severity, event, caller, caller_name, object, summary, details, request_id";

/// A condition that an index serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leader {
    Request(String),
    Object(String),
    Account(i64),
    Name(String),
    Severity(Severity),
    Event(String),
    /// Nothing but the moment.
    Moment,
}

/// Conditions that lead side by side: a record fits exactly one of them.
type Group = Vec<Leader>;

/// A group with how far each of its leaders may be followed; `None`: to its end.
pub(super) type Bounded = Vec<(Leader, Option<NaiveDateTime>)>;

/// Has PostgreSQL take records from an index in their order for the rest of the transaction. It would rather sort all
/// that it believes to be few, and without statistics it believes that of everything.
pub(super) fn keep_order(conn: &mut Conn) -> Result<(), DbError> {
    match conn.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => {
            conn.batch("SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off")
        }
    }
}

/// Records that fit, in the order of the way, and how far was looked if not to the end.
pub(super) fn find(
    conn: &mut Conn,
    filter: &Filter,
    way: &Way,
    limit: u32,
) -> Result<(Vec<Record>, Option<NaiveDateTime>), DbError> {
    let mut found: Vec<Record> = Vec::new();
    let mut looked: Option<NaiveDateTime> = None;
    for (leader, bound) in chosen(conn, filter, way)? {
        let rows = fetch(conn, &statement(filter, &leader, way, bound, limit), &nobody(), &kinds())?;
        let ended = rows.len() < limit as usize;
        for row in rows {
            found.push(record(row).ok_or_else(|| DbError::Other("a record has no moment".into()))?);
        }
        if let Some(bound) = bound.filter(|_| ended) {
            looked = Some(looked.map_or(bound, |known| way.nearer(known, bound)));
        }
    }
    if let Some(looked) = looked {
        found.retain(|record| way.reaches(record.at, looked));
    }
    found.sort_by(|one, other| way.order(one, other));
    found.truncate(limit as usize);
    Ok((found, looked))
}

/// The group whose leaders can be followed to their end, or the farthest.
pub(super) fn chosen(conn: &mut Conn, filter: &Filter, way: &Way) -> Result<Bounded, DbError> {
    let mut best: Option<(Bounded, NaiveDateTime)> = None;
    for group in groups(conn, filter)? {
        // A page of what leads alone ends by itself.
        if group.iter().all(|leader| leader.is_all_of(filter)) {
            return Ok(group.into_iter().map(|leader| (leader, None)).collect());
        }
        let share = MOST_LOOKED_AT / u32::try_from(group.len()).unwrap_or(u32::MAX).max(1);
        let mut bounded = Bounded::new();
        for leader in group {
            let bound = bound(conn, filter, &leader, way, share)?;
            bounded.push((leader, bound));
        }
        let Some(nearest) = bounded.iter().filter_map(|(_, bound)| *bound).reduce(|one, other| way.nearer(one, other)) else {
            return Ok(bounded);
        };
        let farther = |known: NaiveDateTime| known != nearest && way.nearer(known, nearest) == known;
        if best.as_ref().is_none_or(|(_, known)| farther(*known)) {
            best = Some((bounded, nearest));
        }
    }
    Ok(best.map_or_else(Bounded::new, |(bounded, _)| bounded))
}

/// What could lead, what is likely to leave least first.
fn groups(conn: &mut Conn, filter: &Filter) -> Result<Vec<Group>, DbError> {
    if let Some(request) = &filter.request {
        return Ok(vec![vec![Leader::Request(request.clone())]]);
    }
    let mut all: Vec<Group> = Vec::new();
    all.extend(filter.object.iter().map(|object| vec![Leader::Object(object.clone())]));
    all.extend(filter.account.iter().map(|account| vec![Leader::Account(account.0)]));
    if let Some(who) = &filter.who
        && let Some(named) = names::containing(conn, who)?
        && named.len() <= MOST_NAMES
    {
        all.push(named.into_iter().map(Leader::Name).collect());
    }
    if let Some(severity) = filter.severity.filter(|severity| *severity >= Severity::Warning) {
        all.push(Severity::ALL.into_iter().filter(|one| *one >= severity).map(Leader::Severity).collect());
    }
    all.extend(filter.event.iter().map(|event| vec![Leader::Event(event.clone())]));
    all.push(vec![Leader::Moment]);
    Ok(all)
}

/// The moment up to which so many records are led to; `None` when there are not so many.
fn bound(conn: &mut Conn, filter: &Filter, leader: &Leader, way: &Way, most: u32) -> Result<Option<NaiveDateTime>, DbError> {
    if matches!(leader, Leader::Request(_)) {
        return Ok(None);
    }
    let mut sql = Sql::new();
    sql.raw("SELECT at FROM audit_record WHERE ");
    leader.lead(&mut sql);
    range(filter, &mut sql);
    way.ahead(&mut sql);
    sql.raw(way.by_moment()).raw(" LIMIT 1 OFFSET ").int(most.into());
    let found = fetch(conn, &sql, &nobody(), &[Kind::DateTime])?;
    Ok(found.into_iter().flatten().find_map(|at| if let Value::DateTime(at) = at { Some(at) } else { None }))
}

pub(super) fn statement(filter: &Filter, leader: &Leader, way: &Way, bound: Option<NaiveDateTime>, limit: u32) -> Sql {
    let mut sql = Sql::new();
    sql.raw("SELECT ").raw(COLUMNS).raw(" FROM audit_record WHERE ");
    leader.lead(&mut sql);
    range(filter, &mut sql);
    way.beyond_begin(&mut sql);
    if let Some(bound) = bound {
        way.up_to(bound, &mut sql);
    }
    rest(filter, leader, &mut sql);
    sql.raw(way.by_place()).raw(" LIMIT ").int(limit.into());
    sql
}

impl Leader {
    /// The condition, as an index serves it.
    fn lead(&self, sql: &mut Sql) {
        match self {
            Self::Request(request) => sql.raw("request_id = ").bind(&Value::text(request), &Kind::Text),
            Self::Object(object) => sql.raw("object = ").bind(&Value::text(object), &Kind::Text),
            Self::Name(name) => sql.raw("caller_name = ").bind(&Value::text(name), &Kind::Text),
            Self::Event(event) => sql.raw("event = ").bind(&Value::text(event), &Kind::Text),
            Self::Account(account) => sql.raw("caller = ").bind(&Value::Integer(*account), &Kind::INTEGER),
            // The index is of these only, and says so in the same words.
            Self::Severity(severity) => sql.raw("severity >= 3 AND severity = ").int(severity.rank().into()),
            Self::Moment => sql.raw("1 = 1"),
        };
    }

    /// Whether nothing but the moment is asked for beside this.
    fn is_all_of(&self, filter: &Filter) -> bool {
        // A request leads whenever one is asked for.
        let Filter { account, who, event, severity, request, object, text, from: _, to: _ } = filter;
        let asked = [
            (account.is_some(), matches!(self, Self::Account(_))),
            (who.is_some(), matches!(self, Self::Name(_))),
            (event.is_some(), matches!(self, Self::Event(_))),
            (severity.is_some_and(|severity| severity > Severity::Trace), matches!(self, Self::Severity(_))),
            (request.is_some(), matches!(self, Self::Request(_))),
            (object.is_some(), matches!(self, Self::Object(_))),
            (text.is_some(), false),
        ];
        asked.into_iter().all(|(asked, leads)| !asked || leads)
    }
}

fn range(filter: &Filter, sql: &mut Sql) {
    for (moment, condition) in [(filter.from, " AND at >= "), (filter.to, " AND at < ")] {
        if let Some(moment) = moment {
            sql.raw(condition).bind(&Value::DateTime(moment), &Kind::DateTime);
        }
    }
}

/// The conditions that do not lead, in a form that no index serves.
fn rest(filter: &Filter, leader: &Leader, sql: &mut Sql) {
    for (asked, condition, leads) in [
        (&filter.event, " AND event || '' = ", matches!(leader, Leader::Event(_))),
        (&filter.object, " AND object || '' = ", matches!(leader, Leader::Object(_))),
    ] {
        if let Some(asked) = asked.as_ref().filter(|_| !leads) {
            sql.raw(condition).bind(&Value::text(asked), &Kind::Text);
        }
    }
    if let Some(account) = filter.account.filter(|_| !matches!(leader, Leader::Account(_))) {
        sql.raw(" AND +caller = ").bind(&Value::Integer(account.0), &Kind::INTEGER);
    }
    if let Some(severity) = filter.severity.filter(|_| !matches!(leader, Leader::Severity(_))) {
        sql.raw(" AND +severity >= ").int(severity.rank().into());
    }
    if let Some(who) = filter.who.as_deref().filter(|_| !matches!(leader, Leader::Name(_))) {
        contains(" AND ", "lower(caller_name)", who, sql);
    }
    if let Some(text) = &filter.text {
        contains(" AND (", "lower(summary)", text, sql);
        contains(" OR ", "lower(object)", text, sql);
        sql.raw(")");
    }
}

/// Whether a text contains another, whatever signs that holds.
fn contains(before: &'static str, column: &'static str, text: &str, sql: &mut Sql) {
    let text = text.to_ascii_lowercase().replace('\0', "\u{FFFD}");
    sql.raw(before).raw_by("instr(", "strpos(").raw(column).raw(", ").bind(&Value::text(&text), &Kind::Text).raw(") > 0");
}

fn kinds() -> [Kind; 12] {
    const WHOLE: Kind = Kind::INTEGER;
    let text = || Kind::Text;
    [text(), text(), WHOLE, Kind::DateTime, WHOLE, text(), WHOLE, text(), text(), text(), text(), text()]
}

fn record(row: Vec<Value>) -> Option<Record> {
    let mut values = row.into_iter();
    let text = |value: Option<Value>| if let Some(Value::Text(text)) = value { Some(text.to_string()) } else { None };
    let whole = |value: Option<Value>| if let Some(Value::Integer(whole)) = value { Some(whole) } else { None };
    let (node, lane, n) = (text(values.next()), text(values.next()), whole(values.next()));
    let Some(Value::DateTime(at)) = values.next() else { return None };
    let rank = whole(values.next()).and_then(|rank| i32::try_from(rank).ok());
    let event = text(values.next());
    let account = whole(values.next()).map(ObjectId);
    let caller = text(values.next()).map(|name| Who { account, name });
    let (object, summary, details) = (text(values.next()), text(values.next()), text(values.next()));
    let unreadable = || vec![Detail { name: "unreadable".into(), old: None, new: None }];
    Some(Record {
        // An empty text is read as none.
        node: node.unwrap_or_default(),
        lane: lane.unwrap_or_default(),
        n: n.unwrap_or_default(),
        at,
        // A rank that was never written is the work of somebody who should be looked at.
        severity: rank.and_then(Severity::of_rank).unwrap_or(Severity::Critical),
        event: event.unwrap_or_default(),
        caller,
        object,
        summary: summary.unwrap_or_default(),
        details: details.and_then(|details| serde_json::from_str(&details).ok()).unwrap_or_else(unreadable),
        request_id: text(values.next()),
    })
}

/// Nothing in these statements depends on who asks.
pub(super) fn nobody() -> Params {
    let never = NaiveDateTime::default();
    Params::new(None, never, never.date())
}
