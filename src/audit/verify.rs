//! Proving that the trail is whole.

use super::chain::{Head, Row};
use crate::crypto::Keys;
use crate::db::schema::{audit_head, audit_record};
use crate::db::{Conn, DbError, on};
use diesel::prelude::*;
use std::collections::BTreeMap;

/// Records read at a time, so that a long trail needs no more memory than a short one.
const AT_A_TIME: i64 = 1_000;

/// The first thing that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The record's hash does not fit its content.
    #[error("record {0} was altered, or was not written by this installation")]
    Altered(i64),
    /// A record is not there.
    #[error("record {0} was removed")]
    Missing(i64),
    /// The record does not follow the one before it.
    #[error("record {0} was slipped in: it does not follow the record before it")]
    OutOfChain(i64),
    /// The chain ends before its head says.
    #[error("records {from} to {to} were cut off the end")]
    CutOff {
        /// The first that is missing.
        from: i64,
        /// The last that is missing.
        to: i64,
    },
    /// There are records after the end.
    #[error("record {0} was added after the end")]
    BeyondEnd(i64),
    /// The head itself was altered or removed.
    #[error("the end of the chain was altered or removed")]
    Head,
}

/// What was found on one node's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// The node.
    pub node: String,
    /// How many records hold, from the first on.
    pub intact: i64,
    /// The hash of the last record that holds: note it elsewhere to prove later that nothing was put back.
    pub last_hash: String,
    /// The first fault.
    pub fault: Option<Fault>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Each node's chain.
    pub nodes: Vec<NodeReport>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.nodes.iter().all(|node| node.fault.is_none())
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for NodeReport { node, intact, last_hash, fault } in &self.nodes {
            match fault {
                None => writeln!(f, "node {node}: {intact} records, whole; head {last_hash}")?,
                Some(fault) => writeln!(f, "node {node}: broken after {intact} records: {fault}")?,
            }
        }
        if self.nodes.is_empty() { writeln!(f, "no records") } else { Ok(()) }
    }
}

/// Walks every node's chain. Run it in one read transaction, so that it sees one state.
pub fn verify(conn: &mut Conn, keys: &Keys) -> Result<Report, DbError> {
    let heads: Vec<Head> = on!(&mut *conn, |c| audit_head::table.select(Head::as_select()).load(c))?;
    let nodes: Vec<String> = on!(&mut *conn, |c| audit_record::table.select(audit_record::node).distinct().load(c))?;
    let mut all: BTreeMap<String, Option<Head>> = nodes.into_iter().map(|node| (node, None)).collect();
    all.extend(heads.into_iter().map(|head| (head.node.clone(), Some(head))));
    let nodes = all.into_iter().map(|(node, head)| walk(conn, keys, node, head));
    Ok(Report { nodes: nodes.collect::<Result<_, _>>()? })
}

fn walk(conn: &mut Conn, keys: &Keys, node: String, head: Option<Head>) -> Result<NodeReport, DbError> {
    let mut report = NodeReport { node, intact: 0, last_hash: String::new(), fault: None };
    while report.fault.is_none() {
        let rows = next(conn, &report.node, report.intact)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            report.fault = fault(&row, keys, &report);
            if report.fault.is_some() {
                break;
            }
            report.intact = row.seq;
            report.last_hash = row.hash;
        }
    }
    report.fault = earlier(report.fault.take(), head_fault(head, keys, &report));
    Ok(report)
}

fn next(conn: &mut Conn, node: &str, after: i64) -> Result<Vec<Row>, DbError> {
    let rows = audit_record::table
        .filter(audit_record::node.eq(node))
        .filter(audit_record::seq.gt(after))
        .order(audit_record::seq)
        .limit(AT_A_TIME);
    Ok(on!(conn, |c| rows.select(Row::as_select()).load(c))?)
}

fn fault(row: &Row, keys: &Keys, so_far: &NodeReport) -> Option<Fault> {
    let expected = so_far.intact.saturating_add(1);
    if row.seq != expected {
        Some(Fault::Missing(expected))
    } else if !row.is_genuine(keys) {
        Some(Fault::Altered(row.seq))
    } else if row.previous_hash != so_far.last_hash {
        Some(Fault::OutOfChain(row.seq))
    } else {
        None
    }
}

/// What the head says about a chain of which the first records hold.
fn head_fault(head: Option<Head>, keys: &Keys, report: &NodeReport) -> Option<Fault> {
    let Some(head) = head.filter(|head| head.is_genuine(keys)) else {
        return Some(Fault::Head);
    };
    if head.seq > report.intact {
        Some(Fault::CutOff { from: report.intact.saturating_add(1), to: head.seq })
    } else if head.seq < report.intact {
        Some(Fault::BeyondEnd(head.seq.saturating_add(1)))
    } else {
        (head.hash != report.last_hash).then_some(Fault::Head)
    }
}

/// A fault of a record is nearer to the beginning than one of the end.
fn earlier(of_record: Option<Fault>, of_head: Option<Fault>) -> Option<Fault> {
    of_record.or(of_head)
}
