//! Where the order of the trail ended, noted outside of the trail.
//!
//! Guarantees: with each seal the end of the node's order is noted in a keyed row among the server's settings, in the same
//! transaction; and soon after in a keyed file beside the secret ([`AnchorFile`]). So a trail that was emptied, cut or put
//! back to an earlier state is found as long as one of the two was not put back with it. The number of a seal only
//! grows, so an older note never outranks a newer one, and no clock is needed.
//! Deliberately not here: protection where database and file are put back together. That shows only against a head that
//! was noted elsewhere.

use super::chain::{Seal, push};
use super::seal::{last_seal, seal_at};
use super::verify::Fault;
use crate::crypto::{Keys, constant_time_eq, sha256};
use crate::db::schema::{account, audit_record, audit_seal, setting};
use crate::db::{Conn, Db, DbError, on};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What the keys of the rows begin with.
const KEY: &str = "trail anchor ";

/// The noted end of a node's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    seq: i64,
    total: i64,
    /// The mac of that seal.
    seal: String,
}

/// An anchor as its row holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub anchor: Anchor,
    /// Whether the node also keeps a file.
    pub filed: bool,
    mac: String,
}

impl Anchor {
    fn of(last: Option<&Seal>) -> Self {
        last.map_or_else(
            || Self { seq: 0, total: 0, seal: String::new() },
            |last| Self { seq: last.seq, total: last.total, seal: last.mac.clone() },
        )
    }
}

impl Row {
    fn new(keys: &Keys, node: &str, anchor: Anchor, filed: bool) -> Self {
        let mut row = Self { anchor, filed, mac: String::new() };
        row.mac = row.link(keys, node);
        row
    }
    fn link(&self, keys: &Keys, node: &str) -> String {
        let mut data = Vec::with_capacity(128);
        let Anchor { seq, total, seal } = &self.anchor;
        for field in [node, &seq.to_string(), &total.to_string(), seal, if self.filed { "filed" } else { "" }] {
            push(&mut data, Some(field));
        }
        URL_SAFE_NO_PAD.encode(keys.mac("audit anchor", &data))
    }
    fn is_genuine(&self, keys: &Keys, node: &str) -> bool {
        constant_time_eq(self.link(keys, node).as_bytes(), self.mac.as_bytes())
    }
}

/// The rows of all nodes; `None` where one cannot be read.
pub(super) fn rows(conn: &mut Conn) -> Result<BTreeMap<String, Option<Row>>, DbError> {
    let all = setting::table.filter(setting::key.like(format!("{KEY}%"))).select((setting::key, setting::value));
    let all: Vec<(String, String)> = on!(conn, |c| all.load(c))?;
    let node = |key: &str| Some(key.strip_prefix(KEY)?.to_owned());
    Ok(all.into_iter().filter_map(|(key, value)| Some((node(&key)?, serde_json::from_str(&value).ok()))).collect())
}

/// Notes the end of a node's order.
pub(super) fn note(conn: &mut Conn, keys: &Keys, node: &str, last: Option<&Seal>, filed: bool) -> Result<(), DbError> {
    let row = Row::new(keys, node, Anchor::of(last), filed);
    let value = serde_json::to_string(&row).map_err(|error| DbError::Other(error.into()))?;
    let (key, new) = (setting::key.eq(format!("{KEY}{node}")), setting::value.eq(&value));
    on!(conn, |c| diesel::insert_into(setting::table)
        .values((key, new))
        .on_conflict(setting::key)
        .do_update()
        .set(new)
        .execute(c))?;
    Ok(())
}

/// What the row of a node says of the last seal that is there.
pub(super) fn fault_of_row(row: Option<&Option<Row>>, keys: &Keys, node: &str, last: Option<(i64, &str)>) -> Option<Fault> {
    let (seq, mac) = last.unwrap_or((0, ""));
    let row = match row {
        None => return (seq > 0).then_some(Fault::AnchorMissing),
        Some(row) => row.as_ref().filter(|row| row.is_genuine(keys, node)),
    };
    match row {
        None => Some(Fault::AnchorAltered),
        Some(row) if row.anchor.seq > seq => Some(Fault::BehindAnchor { anchored: row.anchor.seq, there: seq }),
        // Each seal moves the row in its own transaction, so the two are never apart.
        Some(row) if row.anchor.seq < seq || row.anchor.seal != mac => Some(Fault::AnchorAltered),
        Some(_) => None,
    }
}

/// The file of a node's anchors, beside the secret.
#[derive(Clone, Debug)]
pub struct AnchorFile {
    path: PathBuf,
    node: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    node: String,
    anchors: BTreeMap<String, Anchor>,
    mac: String,
}

impl Stored {
    fn link(&self, keys: &Keys) -> String {
        let mut data = Vec::with_capacity(256);
        push(&mut data, Some(&self.node));
        for (node, Anchor { seq, total, seal }) in &self.anchors {
            for field in [node.as_str(), &seq.to_string(), &total.to_string(), seal] {
                push(&mut data, Some(field));
            }
        }
        URL_SAFE_NO_PAD.encode(keys.mac("audit anchor file", &data))
    }
}

impl AnchorFile {
    /// That of a node, in the folder of the secret.
    pub fn beside(secret: &Path, node: &str) -> Self {
        let plain = node.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        let name = if plain && !node.is_empty() && node.len() <= 64 {
            node.to_owned()
        } else {
            sha256(node.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        };
        Self { path: secret.with_file_name(format!("audit-anchors-{name}")), node: node.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; `None` when it is not there, an error when it is not what was written.
    fn read(&self, keys: &Keys) -> Result<Option<BTreeMap<String, Anchor>>, ()> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err(()),
        };
        let stored: Stored = serde_json::from_str(&text).map_err(drop)?;
        let genuine = constant_time_eq(stored.link(keys).as_bytes(), stored.mac.as_bytes()) && stored.node == self.node;
        if genuine { Ok(Some(stored.anchors)) } else { Err(()) }
    }

    /// Replaces it as a whole: a reader sees the old or the new.
    fn write(&self, keys: &Keys, anchors: BTreeMap<String, Anchor>) -> std::io::Result<()> {
        let mut stored = Stored { node: self.node.clone(), anchors, mac: String::new() };
        stored.mac = stored.link(keys);
        let draft = self.path.with_extension(format!("draft-{}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(serde_json::to_string(&stored)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, &self.path)
    }

    /// Notes where the orders of all nodes end now; never less than it says already.
    pub fn keep(&self, db: &Db, keys: &Keys) -> Result<(), AnchorError> {
        let known = self.read(keys).map_err(|()| AnchorError::Altered(self.path.clone()))?.unwrap_or_default();
        let rows = db.read(rows)?;
        let mut anchors: BTreeMap<String, Anchor> =
            rows.iter().filter_map(|(node, row)| Some((node.clone(), row.as_ref()?.anchor.clone()))).collect();
        for (node, anchor) in known {
            if anchors.get(&node).is_none_or(|new| new.seq < anchor.seq) {
                anchors.insert(node, anchor);
            }
        }
        self.write(keys, anchors).map_err(|source| AnchorError::Io { path: self.path.clone(), source })?;
        let filed = rows.get(&self.node).and_then(Option::as_ref).is_none_or(|row| row.filed);
        if !filed {
            // Of one state: where another process seals for this node meanwhile, the row is noted again from the later seal.
            db.write_of_one_state(|conn| {
                let last = last_seal(conn, &self.node)?;
                note(conn, keys, &self.node, last.as_ref(), true)
            })?;
        }
        Ok(())
    }

    /// What it says now. Take it before the transaction begins in which the trail is compared with it: the state that
    /// the transaction sees is then the later one, and holds every seal that the file speaks of.
    pub fn noted(&self, keys: &Keys) -> Noted<'_> {
        Noted { file: self, says: self.read(keys) }
    }
}

/// What a file of anchors said at some moment.
pub struct Noted<'a> {
    file: &'a AnchorFile,
    /// `None` when the file was not there, an error when it was not what was written.
    says: Result<Option<BTreeMap<String, Anchor>>, ()>,
}

impl Noted<'_> {
    /// What it says of the trail that is there.
    fn faults(&self, conn: &mut Conn, filed: bool) -> Result<Vec<(String, Fault)>, DbError> {
        let AnchorFile { path, node } = self.file;
        let own = |fault| Ok(vec![(node.clone(), fault)]);
        let anchors = match &self.says {
            Ok(Some(anchors)) => anchors,
            // It is written before the row says so; one that came between the two looks is compared the next time.
            Ok(None) if filed && !path.exists() => return own(Fault::FileMissing(path.clone())),
            Ok(None) => return Ok(Vec::new()),
            Err(()) => return own(Fault::FileAltered(path.clone())),
        };
        let mut found = Vec::new();
        for (node, anchor) in anchors.iter().filter(|(_, anchor)| anchor.seq > 0) {
            match seal_at(conn, node, anchor.seq)? {
                Some(seal) if seal.mac == anchor.seal => {}
                Some(seal) => found.push((node.clone(), Fault::SealAltered(seal.seq))),
                None => {
                    let there = last_seal(conn, node)?.map_or(0, |last| last.seq);
                    found.push((node.clone(), Fault::BehindAnchor { anchored: anchor.seq, there }));
                }
            }
        }
        Ok(found)
    }
}

/// Why an anchor was not noted.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The file is not what was written.
    #[error("{0}: not what this installation wrote; see `portcullis audit verify`")]
    Altered(PathBuf),
    /// The file cannot be written.
    #[error("{path}: the anchors of the trail cannot be written")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Compares the ends of all orders with what was noted, without walking the trail. Empty when they agree.
pub fn anchor_faults(conn: &mut Conn, keys: &Keys, noted: Option<&Noted<'_>>) -> Result<Vec<(String, Fault)>, DbError> {
    let rows = rows(conn)?;
    let mut nodes: BTreeSet<String> = rows.keys().cloned().collect();
    nodes.extend(sealed_nodes(conn)?);
    let mut found = Vec::new();
    for node in nodes {
        let last = last_seal(conn, &node)?;
        let last = last.as_ref().map(|last| (last.seq, last.mac.as_str()));
        found.extend(fault_of_row(rows.get(&node), keys, &node, last).map(|fault| (node.clone(), fault)));
    }
    if let Some(noted) = noted {
        let filed = rows.get(&noted.file.node).and_then(Option::as_ref).is_some_and(|row| row.filed);
        found.extend(noted.faults(conn, filed)?);
    }
    found.extend(no_records(conn)?.map(|fault| ("every".to_owned(), fault)));
    Ok(found)
}

/// Accounts that nobody recorded.
pub(super) fn no_records(conn: &mut Conn) -> Result<Option<Fault>, DbError> {
    let records: Vec<i64> = on!(&mut *conn, |c| audit_record::table.select(audit_record::n).limit(1).load(c))?;
    let accounts: Vec<i64> = on!(conn, |c| account::table.select(account::id).limit(1).load(c))?;
    Ok((records.is_empty() && !accounts.is_empty()).then_some(Fault::NoRecords))
}

/// From one node to the next, so that a long order costs nothing.
fn sealed_nodes(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let mut nodes: Vec<String> = Vec::new();
    loop {
        let after = nodes.last().cloned().unwrap_or_default();
        let next = audit_seal::table.filter(audit_seal::node.gt(after)).order(audit_seal::node).limit(1);
        let next: Vec<String> = on!(&mut *conn, |c| next.select(audit_seal::node).load(c))?;
        match next.into_iter().next() {
            Some(next) => nodes.push(next),
            None => return Ok(nodes),
        }
    }
}

/// Goes on with the trail as it is: what is there now is what is noted. Record that it was done.
pub fn accept_anchors(db: &Db, keys: &Keys, file: &AnchorFile) -> Result<(), AnchorError> {
    db.write(|conn| {
        let rows = rows(conn)?;
        let mut nodes: BTreeSet<String> = rows.keys().cloned().collect();
        nodes.extend(sealed_nodes(conn)?);
        for node in nodes {
            let last = last_seal(conn, &node)?;
            // This node's file is taken away below.
            let filed = node != file.node && rows.get(&node).and_then(Option::as_ref).is_some_and(|row| row.filed);
            note(conn, keys, &node, last.as_ref(), filed)?;
        }
        Ok::<_, DbError>(())
    })?;
    match std::fs::remove_file(&file.path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(AnchorError::Io { path: file.path.clone(), source }),
        _ => Ok(()),
    }
}
