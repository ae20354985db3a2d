//! Rows as they are stored, and the keyed hashes that link them.

use crate::crypto::{Keys, constant_time_eq};
use crate::db::Moment;
use crate::db::schema::{audit_head, audit_record};
use crate::domain::DATETIME_FORMAT;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;

/// A stored record.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_record)]
pub(super) struct Row {
    pub node: String,
    pub seq: i64,
    pub at: Moment,
    pub severity: i32,
    pub event: String,
    pub caller: Option<i64>,
    pub caller_name: Option<String>,
    pub object: Option<String>,
    pub summary: String,
    pub details: String,
    pub request_id: Option<String>,
    pub previous_hash: String,
    pub hash: String,
}

/// The stored end of a node's chain.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_head)]
pub(super) struct Head {
    pub node: String,
    pub seq: i64,
    pub hash: String,
    pub mac: String,
}

impl Row {
    /// The keyed hash over every other field.
    pub(super) fn link(&self, keys: &Keys) -> String {
        let mut data = Vec::with_capacity(256 + self.summary.len() + self.details.len());
        let at = self.at.0.format(DATETIME_FORMAT).to_string();
        let (seq, severity, caller) = (self.seq.to_string(), self.severity.to_string(), self.caller.map(|id| id.to_string()));
        for field in [
            Some(self.node.as_str()),
            Some(&seq),
            Some(&at),
            Some(&severity),
            Some(&self.event),
            caller.as_deref(),
            self.caller_name.as_deref(),
            self.object.as_deref(),
            Some(&self.summary),
            Some(&self.details),
            self.request_id.as_deref(),
            Some(&self.previous_hash),
        ] {
            push(&mut data, field);
        }
        URL_SAFE_NO_PAD.encode(keys.mac("audit record", &data))
    }
    pub(super) fn is_genuine(&self, keys: &Keys) -> bool {
        constant_time_eq(self.link(keys).as_bytes(), self.hash.as_bytes())
    }
}

impl Head {
    pub(super) fn new(keys: &Keys, node: &str, seq: i64, hash: String) -> Self {
        let mut head = Self { node: node.to_owned(), seq, hash, mac: String::new() };
        head.mac = head.seal(keys);
        head
    }
    pub(super) fn is_genuine(&self, keys: &Keys) -> bool {
        constant_time_eq(self.seal(keys).as_bytes(), self.mac.as_bytes())
    }
    fn seal(&self, keys: &Keys) -> String {
        let mut data = Vec::with_capacity(128);
        for field in [&self.node, &self.seq.to_string(), &self.hash] {
            push(&mut data, Some(field));
        }
        URL_SAFE_NO_PAD.encode(keys.mac("audit head", &data))
    }
}

// INVARIANT: two different lists of fields never give the same bytes: absence and length come first.
fn push(data: &mut Vec<u8>, field: Option<&str>) {
    match field {
        None => data.push(0),
        Some(text) => {
            data.push(1);
            data.extend_from_slice(&(text.len() as u64).to_be_bytes());
            data.extend_from_slice(text.as_bytes());
        }
    }
}
