//! Reading, for those who may.

use super::chain::Row;
use super::{Detail, Severity, Who};
use crate::db::schema::audit_record;
use crate::db::{Conn, DbError, Moment, on};
use crate::domain::ObjectId;
use chrono::NaiveDateTime;
use diesel::prelude::*;

diesel::define_sql_function!(fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text);
diesel::define_sql_function!(
    #[sql_name = "lower"]
    fn lower_nullable(text: diesel::sql_types::Nullable<diesel::sql_types::Text>) -> diesel::sql_types::Nullable<diesel::sql_types::Text>
);

/// The most records of one page.
const LARGEST_PAGE: u32 = 500;

/// Which records are asked for; what is not set does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// By this account.
    pub account: Option<ObjectId>,
    /// By somebody whose name contains this.
    pub who: Option<String>,
    /// Of this kind, by its id.
    pub event: Option<String>,
    /// At least this grave.
    pub severity: Option<Severity>,
    /// From this moment on.
    pub from: Option<NaiveDateTime>,
    /// Before this moment.
    pub to: Option<NaiveDateTime>,
    /// In this request.
    pub request: Option<String>,
    /// Done to exactly this object.
    pub object: Option<String>,
    /// With this in the sentence or in the object. Details are not searched: their readers differ.
    pub text: Option<String>,
}

/// Which part of the answer.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Records to skip.
    pub offset: u32,
    /// Records to give.
    pub limit: u32,
}

/// A record of the trail.
#[derive(Clone, Debug)]
pub struct Record {
    /// The node that wrote it.
    pub node: String,
    /// The lane in which it was written; empty for what was written before there were lanes.
    pub lane: String,
    /// Its place in the lane.
    pub n: i64,
    /// When.
    pub at: NaiveDateTime,
    /// How grave.
    pub severity: Severity,
    /// What kind, by its id.
    pub event: String,
    /// Who did it.
    pub caller: Option<Who>,
    /// What it was done to.
    pub object: Option<String>,
    /// The sentence.
    pub summary: String,
    /// The values. Show each to those only who may read the member it names.
    pub details: Vec<Detail>,
    /// In which request.
    pub request_id: Option<String>,
}

/// A part of the trail, latest first.
#[derive(Clone, Debug)]
pub struct Found {
    /// The records.
    pub records: Vec<Record>,
    /// Whether there are more after these.
    pub more: bool,
}

/// Finds records, latest first.
pub fn search(conn: &mut Conn, filter: &Filter, page: Page) -> Result<Found, DbError> {
    let limit = page.limit.clamp(1, LARGEST_PAGE);
    let mut rows: Vec<Row> = on!(conn, |c| {
        let mut query = audit_record::table.select(Row::as_select()).into_boxed();
        if let Some(account) = filter.account {
            query = query.filter(audit_record::caller.eq(account.0));
        }
        if let Some(who) = &filter.who {
            query = query.filter(lower_nullable(audit_record::caller_name).like(containing(who)).escape('!'));
        }
        if let Some(event) = &filter.event {
            query = query.filter(audit_record::event.eq(event));
        }
        if let Some(severity) = filter.severity {
            query = query.filter(audit_record::severity.ge(severity.rank()));
        }
        if let Some(from) = filter.from {
            query = query.filter(audit_record::at.ge(Moment(from)));
        }
        if let Some(to) = filter.to {
            query = query.filter(audit_record::at.lt(Moment(to)));
        }
        if let Some(request) = &filter.request {
            query = query.filter(audit_record::request_id.eq(request));
        }
        if let Some(object) = &filter.object {
            query = query.filter(audit_record::object.eq(object));
        }
        if let Some(text) = &filter.text {
            let in_summary = lower(audit_record::summary).like(containing(text)).escape('!');
            let in_object = lower_nullable(audit_record::object).like(containing(text)).escape('!');
            query = query.filter(in_summary.nullable().or(in_object));
        }
        query
            .order((audit_record::at.desc(), audit_record::node.desc(), audit_record::lane.desc(), audit_record::n.desc()))
            .limit(i64::from(limit) + 1)
            .offset(i64::from(page.offset))
            .load(c)
    })?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Found { records: rows.into_iter().map(Record::from).collect(), more })
}

/// A pattern for text that contains this one, whatever signs it holds.
fn containing(text: &str) -> String {
    let text = text.to_ascii_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{}%", text.replace('\0', "\u{FFFD}"))
}

impl From<Row> for Record {
    fn from(row: Row) -> Self {
        let unreadable = |_| vec![Detail { name: "unreadable".into(), old: None, new: None }];
        Self {
            node: row.node,
            lane: row.lane,
            n: row.n,
            at: row.at.0,
            // A rank that was never written is the work of somebody who should be looked at.
            severity: Severity::of_rank(row.severity).unwrap_or(Severity::Critical),
            event: row.event,
            caller: row.caller_name.map(|name| Who { account: row.caller.map(ObjectId), name }),
            object: row.object,
            summary: row.summary,
            details: serde_json::from_str(&row.details).unwrap_or_else(unreadable),
            request_id: row.request_id,
        }
    }
}
