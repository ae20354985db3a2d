//! What is found when the trail is walked.

use super::anchor::{self, Noted};
use super::chain::{Head, Row, Seal};
use super::seal::{AT_A_TIME, all_lanes, fault_of, lane_after, sealed_end};
use crate::crypto::Keys;
use crate::db::schema::{audit_head, audit_seal};
use crate::db::{Conn, DbError, on};
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A place in the trail of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The lane; empty for the chain of before there were lanes.
    pub lane: String,
    /// The record's number in it.
    pub n: i64,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record {}{}", self.n, of_lane(&self.lane))
    }
}

fn of_lane(lane: &str) -> String {
    if lane.is_empty() { String::new() } else { format!(" of lane {lane}") }
}

/// The first thing that is wrong with a node's records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The record's hash does not fit its content.
    #[error("{0} was altered, or was not written by this installation")]
    Altered(At),
    /// A record is not there.
    #[error("{0} was removed")]
    Missing(At),
    /// The record does not follow the one before it.
    #[error("{0} was inserted: it does not follow the record before it")]
    OutOfChain(At),
    /// The record is genuine, but another one was sealed in its place.
    #[error("{0} is not the record that was sealed there")]
    Exchanged(At),
    /// The lane ends before it should.
    #[error("records {from} to {to}{} were cut off the end", of_lane(lane))]
    CutOff {
        /// The lane.
        lane: String,
        /// The first that is missing.
        from: i64,
        /// The last that is missing.
        to: i64,
    },
    /// There are records after the end of the chain of before there were lanes.
    #[error("record {0} was added after the end")]
    BeyondEnd(i64),
    /// The end of that chain was altered or removed.
    #[error("the end of the chain was altered or removed")]
    Head,
    /// A seal's mac does not fit its content, or it does not follow the seal before it.
    #[error("seal {0} was altered, or was not written by this installation")]
    SealAltered(i64),
    /// A seal is not there.
    #[error("seal {0} was removed")]
    SealMissing(i64),
    /// The order ends before what was noted outside of it.
    #[error(
        "the order ends at seal {there}, but seal {anchored} was noted: the trail was cut, emptied or put back to an earlier state"
    )]
    BehindAnchor {
        /// The last seal that was noted.
        anchored: i64,
        /// The last that is there.
        there: i64,
    },
    /// The note of the order's end is not there.
    #[error("the anchor of the order was removed")]
    AnchorMissing,
    /// It is not what was written with the last seal.
    #[error("the anchor of the order was altered, or put back to an earlier state")]
    AnchorAltered,
    /// The file of anchors is not there.
    #[error("{} was removed, or this is another machine", .0.display())]
    FileMissing(PathBuf),
    /// It is not what was written.
    #[error("{} was altered, or is of another installation or node", .0.display())]
    FileAltered(PathBuf),
    /// There are accounts, and yet no record.
    #[error("there are accounts, but no record of anything: the trail was emptied")]
    NoRecords,
}

/// What was found of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// The node.
    pub node: String,
    /// How many records are whole; with a fault: those before it, in the sealed order.
    pub intact: i64,
    /// How many of them are not sealed yet: a cut at the end of these shows only while their writer runs.
    pub unsealed: i64,
    /// The end of the sealed order, as number and mac: note it elsewhere to prove later that nothing was put back.
    pub head: String,
    /// The first fault.
    pub fault: Option<Fault>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Each node's records.
    pub nodes: Vec<NodeReport>,
    /// What notes outside of the trail say against it, with the node.
    pub against: Vec<(String, Fault)>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.against.is_empty() && self.nodes.iter().all(|node| node.fault.is_none())
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for NodeReport { node, intact, unsealed, head, fault } in &self.nodes {
            match fault {
                None => writeln!(f, "node {node}: {intact} records, whole, {unsealed} not sealed yet; head {head}")?,
                Some(fault) => writeln!(f, "node {node}: broken after {intact} records: {fault}")?,
            }
        }
        for (node, fault) in &self.against {
            writeln!(f, "node {node}: {fault}")?;
        }
        if self.nodes.is_empty() { writeln!(f, "no records") } else { Ok(()) }
    }
}

/// Walks every node's records and seals, and compares their ends with what was noted outside of the trail. Run it in one
/// read transaction, so that it sees one state.
pub fn verify(conn: &mut Conn, keys: &Keys, noted: Option<&Noted<'_>>) -> Result<Report, DbError> {
    let heads: Vec<Head> = on!(&mut *conn, |c| audit_head::table.select(Head::as_select()).load(c))?;
    let sealed: Vec<String> = on!(&mut *conn, |c| audit_seal::table.select(audit_seal::node).distinct().load(c))?;
    let mut nodes: BTreeMap<String, BTreeSet<String>> = sealed.into_iter().map(|node| (node, BTreeSet::new())).collect();
    for (node, lane) in all_lanes(conn)? {
        nodes.entry(node).or_default().insert(lane);
    }
    for head in &heads {
        nodes.entry(head.node.clone()).or_default().insert(String::new());
    }
    let mut report = Report { nodes: Vec::new(), against: anchor::anchor_faults(conn, keys, noted)? };
    for (node, lanes) in nodes {
        let head = heads.iter().find(|head| head.node == node);
        report.nodes.push(Walk { conn, keys, node }.node(lanes, head)?);
    }
    Ok(report)
}

struct Walk<'a> {
    conn: &'a mut Conn,
    keys: &'a Keys,
    node: String,
}

/// The order, as far as it is what was written.
#[derive(Default)]
struct Order {
    seq: i64,
    mac: String,
    total: i64,
    /// How far each lane is sealed.
    ends: BTreeMap<String, i64>,
    fault: Option<Fault>,
}

/// A fault, and where in the order: records that are not sealed come last.
struct Placed {
    after: i64,
    fault: Fault,
}

impl Walk<'_> {
    fn node(mut self, mut lanes: BTreeSet<String>, head: Option<&Head>) -> Result<NodeReport, DbError> {
        let order = self.order()?;
        lanes.extend(order.ends.keys().cloned());
        let (mut whole, mut first) = (0_i64, None::<Placed>);
        for lane in &lanes {
            let (end, fault) = self.lane(lane, head)?;
            whole = whole.saturating_add(end);
            if let Some(fault) = fault.filter(|new| first.as_ref().is_none_or(|first| new.after < first.after)) {
                first = Some(fault);
            }
        }
        let of_order = order.fault.map(|fault| Placed { after: order.total, fault });
        // A fault of a record says more than one of the order at the same place.
        let first = match (first, of_order) {
            (Some(record), Some(order)) if record.after > order.after => Some(order),
            (record, order) => record.or(order),
        };
        Ok(NodeReport {
            node: self.node,
            intact: first.as_ref().map_or(whole, |first| first.after.min(whole)),
            unsealed: whole.saturating_sub(order.total).max(0),
            head: format!("{} {}", order.seq, order.mac),
            fault: first.map(|first| first.fault),
        })
    }

    /// Walks the seals.
    fn order(&mut self) -> Result<Order, DbError> {
        let mut order = Order::default();
        while order.fault.is_none() {
            let seals = self.seals_after(order.seq)?;
            if seals.is_empty() {
                break;
            }
            for seal in seals {
                order.fault = order.fault_of(&seal, self.keys);
                if order.fault.is_some() {
                    break;
                }
                (order.seq, order.mac, order.total) = (seal.seq, seal.mac, seal.total);
                order.ends.insert(seal.lane, seal.n);
            }
        }
        Ok(order)
    }

    fn seals_after(&mut self, after: i64) -> Result<Vec<Seal>, DbError> {
        let seals = audit_seal::table
            .filter(audit_seal::node.eq(&self.node))
            .filter(audit_seal::seq.gt(after))
            .order(audit_seal::seq)
            .limit(AT_A_TIME);
        Ok(on!(&mut *self.conn, |c| seals.select(Seal::as_select()).load(c))?)
    }

    fn seals_of(&mut self, lane: &str, after: i64) -> Result<Vec<Seal>, DbError> {
        let seals = audit_seal::table
            .filter(audit_seal::node.eq(&self.node))
            .filter(audit_seal::lane.eq(lane))
            .filter(audit_seal::n.gt(after))
            .order(audit_seal::n)
            .limit(AT_A_TIME);
        Ok(on!(&mut *self.conn, |c| seals.select(Seal::as_select()).load(c))?)
    }

    /// Walks a lane's records beside its seals. Gives how many are whole, and the first fault.
    fn lane(&mut self, lane: &str, head: Option<&Head>) -> Result<(i64, Option<Placed>), DbError> {
        let (mut n, mut hash) = (0, String::new());
        let (mut seals, mut more) = (Vec::new().into_iter().peekable(), true);
        loop {
            let rows = lane_after(self.conn, &self.node, lane, n)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if more && seals.peek().is_none() {
                    seals = self.seals_of(lane, n)?.into_iter().peekable();
                    more = seals.peek().is_some();
                }
                let seal = seals.next_if(|seal| seal.n == row.n);
                let fault = fault_of(&row, self.keys, n, &hash).or_else(|| exchanged(&row, seal.as_ref(), self.keys));
                if let Some(fault) = fault {
                    return Ok((n, Some(self.placed(lane, n, fault)?)));
                }
                (n, hash) = (row.n, row.hash);
            }
        }
        let cut = match sealed_end(self.conn, &self.node, lane)?.0 {
            to if to > n => Some(Fault::CutOff { lane: lane.to_owned(), from: n.saturating_add(1), to }),
            _ if lane.is_empty() => head_fault(head, self.keys, n, &hash),
            _ => None,
        };
        let placed = cut.map(|fault| self.placed(lane, n, fault)).transpose()?;
        Ok((n, placed))
    }

    /// Where in the order a lane's record after `n` stands.
    fn placed(&mut self, lane: &str, n: i64, fault: Fault) -> Result<Placed, DbError> {
        let seals = self.seals_of(lane, n)?;
        let after = seals.first().map_or(i64::MAX, |seal| {
            let behind = seal.n.saturating_sub(n);
            seal.total.saturating_sub(behind).max(0)
        });
        Ok(Placed { after, fault })
    }
}

/// A seal that is not genuine says nothing of a record; it is found when the order is walked.
fn exchanged(row: &Row, seal: Option<&Seal>, keys: &Keys) -> Option<Fault> {
    let at = At { lane: row.lane.clone(), n: row.n };
    seal.filter(|seal| seal.hash != row.hash && seal.is_genuine(keys)).map(|_| Fault::Exchanged(at))
}

impl Order {
    fn fault_of(&self, seal: &Seal, keys: &Keys) -> Option<Fault> {
        let expected = self.seq.saturating_add(1);
        let added = seal.n.saturating_sub(self.ends.get(&seal.lane).copied().unwrap_or(0));
        if seal.seq != expected {
            Some(Fault::SealMissing(expected))
        } else if !seal.is_genuine(keys)
            || seal.previous != self.mac
            || added < 1
            || seal.total != self.total.saturating_add(added)
        {
            Some(Fault::SealAltered(seal.seq))
        } else {
            None
        }
    }
}

/// What the stored end says of a chain of before there were lanes, of which the first records are whole.
fn head_fault(head: Option<&Head>, keys: &Keys, n: i64, hash: &str) -> Option<Fault> {
    let Some(head) = head.filter(|head| head.is_genuine(keys)) else {
        return Some(Fault::Head);
    };
    if head.seq > n {
        Some(Fault::CutOff { lane: String::new(), from: n.saturating_add(1), to: head.seq })
    } else if head.seq < n {
        Some(Fault::BeyondEnd(head.seq.saturating_add(1)))
    } else {
        (head.hash != hash).then_some(Fault::Head)
    }
}
