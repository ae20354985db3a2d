//! Which way the trail is read, and from where.

use super::Record;
use crate::db::sql::Sql;
use crate::domain::{Kind, Value};
use chrono::NaiveDateTime;
use std::cmp::Ordering;

/// A place in the order of all records: by moment, then node, lane and number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    at: NaiveDateTime,
    node: String,
    lane: String,
    n: i64,
}

impl Place {
    /// That of a record.
    pub fn of(record: &Record) -> Self {
        Self { at: record.at, node: record.node.clone(), lane: record.lane.clone(), n: record.n }
    }

    /// As it stands in an address.
    pub fn text(&self) -> String {
        format!("{}~{}~{}~{}", self.at.and_utc().timestamp_millis(), self.n, self.lane, self.node)
    }

    /// Reads it from there; it need not be the place of a record.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '~');
        let (at, n, lane, node) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let at = chrono::DateTime::from_timestamp_millis(at.parse().ok()?)?.naive_utc();
        let known = (1..9_999).contains(&chrono::Datelike::year(&at));
        let plain = |text: &str| text.len() <= 200 && !text.chars().any(char::is_control);
        (known && plain(lane) && plain(node))
            .then(|| Some(Self { at, node: node.into(), lane: lane.into(), n: n.parse().ok()? }))?
    }
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the latest record.
    Latest,
    /// With the one before this place.
    Before(Place),
    /// So that it ends with the one after this place.
    After(Place),
}

/// Which way it is read.
pub(super) struct Way {
    back: bool,
    begins: Option<Place>,
}

impl Way {
    pub(super) fn of(from: &Start) -> Self {
        match from {
            Start::Latest => Self { back: true, begins: None },
            Start::Before(place) => Self { back: true, begins: Some(place.clone()) },
            Start::After(place) => Self { back: false, begins: Some(place.clone()) },
        }
    }

    /// Whether from later to earlier.
    pub(super) fn is_back(&self) -> bool {
        self.back
    }

    /// The order of two records on this way.
    pub(super) fn order(&self, one: &Record, other: &Record) -> Ordering {
        let forth = Place::of(one).cmp(&Place::of(other));
        if self.back { forth.reverse() } else { forth }
    }

    /// Whether a moment is at this bound or before it on this way.
    pub(super) fn reaches(&self, at: NaiveDateTime, bound: NaiveDateTime) -> bool {
        if self.back { at >= bound } else { at <= bound }
    }

    /// Of two bounds the nearer one.
    pub(super) fn nearer(&self, one: NaiveDateTime, other: NaiveDateTime) -> NaiveDateTime {
        if self.back { one.max(other) } else { one.min(other) }
    }

    /// The place behind all records of a moment.
    pub(super) fn beyond(&self, at: NaiveDateTime) -> Place {
        let none = |n| Place { at, node: String::new(), lane: String::new(), n };
        match self.back {
            true => none(i64::MIN),
            // No text comes after this one that a node is called by.
            false => Place { node: "\u{10FFFF}".into(), ..none(i64::MAX) },
        }
    }

    pub(super) fn by_moment(&self) -> &'static str {
        if self.back { " ORDER BY at DESC" } else { " ORDER BY at" }
    }
    pub(super) fn by_place(&self) -> &'static str {
        if self.back { " ORDER BY at DESC, node DESC, lane DESC, n DESC" } else { " ORDER BY at, node, lane, n" }
    }

    /// Restricts to what is ahead, to the moment.
    pub(super) fn ahead(&self, sql: &mut Sql) {
        if let Some(place) = &self.begins {
            sql.raw(if self.back { " AND at <= " } else { " AND at >= " }).bind(&Value::DateTime(place.at), &Kind::DateTime);
        }
    }

    /// Restricts to what is ahead.
    pub(super) fn beyond_begin(&self, sql: &mut Sql) {
        let Some(Place { at, node, lane, n }) = &self.begins else { return };
        self.ahead(sql);
        sql.raw(" AND (at, node, lane, n)").raw(if self.back { " < (" } else { " > (" });
        sql.bind(&Value::DateTime(*at), &Kind::DateTime);
        // An empty text is bound as none.
        for text in [node, lane] {
            sql.raw(", coalesce(").bind(&Value::text(text), &Kind::Text).raw(", '')");
        }
        sql.raw(", ").bind(&Value::Integer(*n), &Kind::INTEGER).raw(")");
    }

    /// Restricts to what comes before a bound, or at its moment.
    pub(super) fn up_to(&self, bound: NaiveDateTime, sql: &mut Sql) {
        sql.raw(if self.back { " AND at >= " } else { " AND at <= " }).bind(&Value::DateTime(bound), &Kind::DateTime);
    }
}
