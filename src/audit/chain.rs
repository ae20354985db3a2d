//! Rows as they are stored, and the keyed hashes that link them.
//!
//! A record is linked to the one before it in its lane, a seal to the one before it of its node. The lane without a name
//! is the chain of before there were lanes; its records keep the hashes that they were written with.

use crate::crypto::{Keys, constant_time_eq};
use crate::db::Moment;
use crate::db::schema::{audit_head, audit_record, audit_seal};
use crate::domain::datetime_text;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;

/// A stored record.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_record)]
pub(super) struct Row {
    pub node: String,
    pub lane: String,
    pub n: i64,
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

/// A stored piece of the order: a lane's records up to `n` come next.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_seal)]
pub(super) struct Seal {
    pub node: String,
    pub seq: i64,
    pub lane: String,
    pub n: i64,
    /// That of the lane's record `n`, and so of all before it.
    pub hash: String,
    /// How many records of the node are sealed with this one.
    pub total: i64,
    /// The mac of the node's seal before.
    pub previous: String,
    pub mac: String,
}

/// The stored end of a node's chain of before there were lanes.
#[derive(Clone, Debug, Queryable, Selectable)]
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
        let at = datetime_text(self.at.0);
        let (n, severity, caller) = (self.n.to_string(), self.severity.to_string(), self.caller.map(|id| id.to_string()));
        push(&mut data, Some(self.node.as_str()));
        let purpose = if self.lane.is_empty() {
            "audit record"
        } else {
            push(&mut data, Some(self.lane.as_str()));
            "audit lane record"
        };
        for field in [
            Some(n.as_str()),
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
        URL_SAFE_NO_PAD.encode(keys.mac(purpose, &data))
    }
    pub(super) fn is_genuine(&self, keys: &Keys) -> bool {
        constant_time_eq(self.link(keys).as_bytes(), self.hash.as_bytes())
    }
}

impl Seal {
    /// The keyed hash over every other field.
    pub(super) fn link(&self, keys: &Keys) -> String {
        let mut data = Vec::with_capacity(256);
        let (seq, n, total) = (self.seq.to_string(), self.n.to_string(), self.total.to_string());
        for field in [&self.node, &seq, &self.lane, &n, &self.hash, &total, &self.previous] {
            push(&mut data, Some(field));
        }
        URL_SAFE_NO_PAD.encode(keys.mac("audit seal", &data))
    }
    pub(super) fn is_genuine(&self, keys: &Keys) -> bool {
        constant_time_eq(self.link(keys).as_bytes(), self.mac.as_bytes())
    }
}

impl Head {
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
pub(super) fn push(data: &mut Vec<u8>, field: Option<&str>) {
    match field {
        None => data.push(0),
        Some(text) => {
            data.push(1);
            data.extend_from_slice(&(text.len() as u64).to_be_bytes());
            data.extend_from_slice(text.as_bytes());
        }
    }
}
