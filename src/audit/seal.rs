//! Fixing the order of what was recorded.
//!
//! Guarantees: what is sealed cannot be taken out, moved or reordered unseen, whatever became of its lane's writer;
//! records are looked at before they are sealed, and the first that is not what was written is reported and not sealed;
//! of two that seal at once one succeeds. The order is that in which records became visible here, not that of commits:
//! two records of different lanes that were kept within a moment may stand either way round.
//! Deliberately not here: when to seal (the clockwork), and what to do about a fault.

use super::anchor;
use super::chain::{Row, Seal};
use super::verify::{At, Fault};
use crate::crypto::Keys;
use crate::db::schema::{audit_record, audit_seal};
use crate::db::{Conn, Db, DbError, on};
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Records read at a time.
pub(super) const AT_A_TIME: i64 = 1_000;
/// Records of one lane that are sealed at a time at most; the rest waits for the next time.
const MOST: i64 = 20_000;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsealed {
    /// The lanes that this process wrote to.
    Ours,
    /// Every lane of every node: also what a process left that was killed, or the command line wrote.
    All,
}

/// What was sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// So many records.
    pub records: i64,
    /// What was found wrong, with its node. The records from there on stay unsealed.
    pub faults: Vec<(String, Fault)>,
}

/// Seals what is not sealed yet, in a transaction of its own for each node.
pub fn seal(db: &Db, keys: &Keys, what: Unsealed) -> Result<Sealed, DbError> {
    let mut lanes = db.grown_lanes();
    let all = match what {
        Unsealed::Ours => Ok(BTreeSet::new()),
        Unsealed::All => db.read(all_lanes),
    };
    match all {
        Ok(all) => lanes.extend(all),
        Err(error) => {
            db.lanes_grew(lanes);
            return Err(error);
        }
    }
    let mut nodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (node, lane) in lanes {
        nodes.entry(node).or_default().push(lane);
    }
    let mut sealed = Sealed::default();
    let mut failed = None;
    for (node, lanes) in nodes {
        let again = lanes.iter().map(|lane| (node.clone(), lane.clone())).collect::<Vec<_>>();
        match seal_node(db, keys, &node, &lanes) {
            Ok(done) => {
                sealed.records = sealed.records.saturating_add(done.records);
                sealed.faults.extend(done.faults.into_iter().map(|fault| (node.clone(), fault)));
                db.lanes_grew(done.unfinished.into_iter().map(|lane| (node.clone(), lane)));
            }
            // Another process sealed this node's records at this moment; what it left is sealed the next time.
            Err(DbError::Unique { .. }) => db.lanes_grew(again),
            Err(error) => {
                db.lanes_grew(again);
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(sealed), Err)
}

#[derive(Default)]
struct Done {
    records: i64,
    faults: Vec<Fault>,
    unfinished: Vec<String>,
}

fn seal_node(db: &Db, keys: &Keys, node: &str, lanes: &[String]) -> Result<Done, DbError> {
    // A lane's records become visible in its order, and of two that seal at once the database takes one. Serialized it
    // would read the ends of lanes, and get into the way of all who add to them. But of one state: the last seal and its
    // anchor, read apart, would be those of before and after another process's seal, and look like tampering.
    db.write_of_one_state(|conn| {
        let mut done = Done::default();
        let last = last_seal(conn, node)?;
        let rows = anchor::rows(conn)?;
        // Nothing is built on an order that was altered, cut or put back.
        let broken = match &last {
            Some(last) if !last.is_genuine(keys) => Some(Fault::SealAltered(last.seq)),
            last => anchor::fault_of_row(rows.get(node), keys, node, last.as_ref().map(|last| (last.seq, last.mac.as_str()))),
        };
        if let Some(fault) = broken {
            return Ok(Done { faults: vec![fault], unfinished: lanes.to_vec(), ..done });
        }
        let mut last = last.unwrap_or_else(|| Seal::before_the_first(node));
        for lane in lanes {
            let from = sealed_end(conn, node, lane)?;
            let found = walk_on(conn, keys, node, lane, from.clone())?;
            done.faults.extend(found.fault);
            if found.more {
                done.unfinished.push(lane.clone());
            }
            let added = found.n.saturating_sub(from.0);
            if added > 0 {
                last = last.next(keys, lane, found.n, found.hash, added);
                conn.recording(|conn| append(conn, &last))?;
                done.records = done.records.saturating_add(added);
            }
        }
        if done.records > 0 {
            let filed = rows.get(node).and_then(Option::as_ref).is_some_and(|row| row.filed);
            anchor::note(conn, keys, node, Some(&last), filed)?;
        }
        Ok(done)
    })
}

impl Seal {
    /// What the first seal of a node follows.
    fn before_the_first(node: &str) -> Self {
        let (lane, hash, previous, mac) = Default::default();
        Self { node: node.to_owned(), seq: 0, lane, n: 0, hash, total: 0, previous, mac }
    }

    fn next(&self, keys: &Keys, lane: &str, n: i64, hash: String, added: i64) -> Self {
        let mut next = Self {
            node: self.node.clone(),
            seq: self.seq.saturating_add(1),
            lane: lane.to_owned(),
            n,
            hash,
            total: self.total.saturating_add(added),
            previous: self.mac.clone(),
            mac: String::new(),
        };
        next.mac = next.link(keys);
        next
    }
}

fn append(conn: &mut Conn, seal: &Seal) -> Result<(), DbError> {
    on!(conn, |c| diesel::insert_into(audit_seal::table).values(seal).execute(c))?;
    Ok(())
}

/// The last seal of a node.
pub(super) fn last_seal(conn: &mut Conn, node: &str) -> Result<Option<Seal>, DbError> {
    let last = audit_seal::table.filter(audit_seal::node.eq(node)).order(audit_seal::seq.desc()).limit(1);
    Ok(on!(conn, |c| last.select(Seal::as_select()).load(c))?.pop())
}

/// One seal of a node.
pub(super) fn seal_at(conn: &mut Conn, node: &str, seq: i64) -> Result<Option<Seal>, DbError> {
    let one = audit_seal::table.filter(audit_seal::node.eq(node)).filter(audit_seal::seq.eq(seq));
    Ok(on!(conn, |c| one.select(Seal::as_select()).load(c))?.pop())
}

/// How far a lane is sealed, with the hash of its last sealed record.
pub(super) fn sealed_end(conn: &mut Conn, node: &str, lane: &str) -> Result<(i64, String), DbError> {
    let of_lane = audit_seal::table.filter(audit_seal::node.eq(node)).filter(audit_seal::lane.eq(lane));
    let last = of_lane.order(audit_seal::n.desc()).limit(1).select((audit_seal::n, audit_seal::hash));
    let mut found: Vec<(i64, String)> = on!(conn, |c| last.load(c))?;
    Ok(found.pop().unwrap_or_default())
}

/// How far a lane is what was written.
struct Walked {
    n: i64,
    hash: String,
    fault: Option<Fault>,
    /// Whether there may be more behind.
    more: bool,
}

fn walk_on(conn: &mut Conn, keys: &Keys, node: &str, lane: &str, from: (i64, String)) -> Result<Walked, DbError> {
    let most = from.0.saturating_add(MOST);
    let mut walked = Walked { n: from.0, hash: from.1, fault: None, more: false };
    loop {
        let rows = lane_after(conn, node, lane, walked.n)?;
        let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= AT_A_TIME;
        for row in rows {
            walked.fault = fault_of(&row, keys, walked.n, &walked.hash);
            if walked.fault.is_some() {
                return Ok(walked);
            }
            (walked.n, walked.hash) = (row.n, row.hash);
        }
        if !full || walked.n >= most {
            walked.more = full;
            return Ok(walked);
        }
    }
}

/// The next records of a lane.
pub(super) fn lane_after(conn: &mut Conn, node: &str, lane: &str, after: i64) -> Result<Vec<Row>, DbError> {
    let rows = audit_record::table
        .filter(audit_record::node.eq(node))
        .filter(audit_record::lane.eq(lane))
        .filter(audit_record::n.gt(after))
        .order(audit_record::n)
        .limit(AT_A_TIME);
    Ok(on!(conn, |c| rows.select(Row::as_select()).load(c))?)
}

/// What is wrong with a record that should follow this one in its lane.
pub(super) fn fault_of(row: &Row, keys: &Keys, after: i64, hash: &str) -> Option<Fault> {
    let at = |n: i64| At { lane: row.lane.clone(), n };
    let expected = after.saturating_add(1);
    if row.n != expected {
        Some(Fault::Missing(at(expected)))
    } else if !row.is_genuine(keys) {
        Some(Fault::Altered(at(row.n)))
    } else if row.previous_hash != hash {
        Some(Fault::OutOfChain(at(row.n)))
    } else {
        None
    }
}

/// Every lane there is: from one to the next, so that a long trail costs no more than one with as many lanes.
pub(super) fn all_lanes(conn: &mut Conn) -> Result<BTreeSet<(String, String)>, DbError> {
    let mut all = BTreeSet::new();
    let mut last: Option<(String, String)> = None;
    while let Some(next) = next_lane(conn, last.as_ref())? {
        all.insert(next.clone());
        last = Some(next);
    }
    Ok(all)
}

fn next_lane(conn: &mut Conn, after: Option<&(String, String)>) -> Result<Option<(String, String)>, DbError> {
    let lanes = || audit_record::table.select((audit_record::node, audit_record::lane)).limit(1);
    let in_order = (audit_record::node, audit_record::lane);
    let Some((node, lane)) = after else {
        let first: Vec<(String, String)> = on!(conn, |c| lanes().order(in_order).load(c))?;
        return Ok(first.into_iter().next());
    };
    let of_node = lanes().filter(audit_record::node.eq(node)).filter(audit_record::lane.gt(lane)).order(in_order);
    let next: Vec<(String, String)> = on!(&mut *conn, |c| of_node.load(c))?;
    if let Some(next) = next.into_iter().next() {
        return Ok(Some(next));
    }
    let of_next: Vec<(String, String)> = on!(conn, |c| lanes().filter(audit_record::node.gt(node)).order(in_order).load(c))?;
    Ok(of_next.into_iter().next())
}
