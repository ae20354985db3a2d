//! Public copies: what a job published, for everyone whom the model lets read it.
//!
//! They are kept in memory, so that a visitor's request asks no database. Where they are kept for
//! good, and how a node learns of newer ones, is not known here: [`Snapshots::copy_of`] makes the text
//! to keep, [`Snapshots::take`] reads one back.

use super::Held;
use super::exported::{read_members, text_of};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::Model;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The most objects in one snapshot.
pub const MOST_PUBLISHED: usize = 2_000;
const MOST_BYTES: usize = 1024 * 1024;
/// Numbers of snapshot objects lie at and below this one, far from those of a workspace.
pub(super) const FIRST: i64 = -1_000_000_000;
const APART: i64 = 1_000_000;

/// Why something was not published, or not read back.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The model has no such snapshot.
    #[error("there is no snapshot {0}")]
    Unknown(QName),
    /// Too many objects, or too much text.
    #[error("snapshot {0} is too large to be published")]
    TooLarge(QName),
    /// An object does not fit the snapshot's entity.
    #[error("snapshot {0}: {1}")]
    Misfit(QName, String),
}

/// A list that fits its snapshot, as text to be kept.
#[derive(Debug)]
pub struct PublicCopy(String);

impl PublicCopy {
    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The number of a publication, and its list.
type Publication = (i64, Arc<Vec<Held>>);

/// The published lists, each with the number of its publication.
#[derive(Debug)]
pub struct Snapshots {
    model: Arc<Model>,
    lists: RwLock<BTreeMap<QName, Publication>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    entity: String,
    objects: Vec<BTreeMap<String, String>>,
}

impl Snapshots {
    /// Nothing is published yet.
    pub fn new(model: Arc<Model>) -> Self {
        Self { model, lists: RwLock::default() }
    }

    /// The text of a list that is to be published, if it fits.
    pub fn copy_of(&self, name: &QName, objects: &[BTreeMap<Name, Value>]) -> Result<PublicCopy, SnapshotError> {
        let snapshot = self.model.snapshots.get(name).ok_or_else(|| SnapshotError::Unknown(name.clone()))?;
        let stored = Stored { entity: snapshot.entity.to_string(), objects: objects.iter().map(text_of).collect() };
        let text = serde_json::to_string(&stored).map_err(|error| SnapshotError::Misfit(name.clone(), error.to_string()))?;
        // What could not be read back is not published.
        read(&self.model, name, &text)?;
        Ok(PublicCopy(text))
    }

    /// Whether a publication is one that is not shown yet.
    pub fn is_newer(&self, name: &QName, number: i64) -> bool {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        self.model.snapshots.contains_key(name) && lists.get(name).is_none_or(|(known, _)| number > *known)
    }

    /// Shows a publication from now on, unless a newer one is shown. One that cannot be read, or no longer fits the
    /// model, shows nothing until the next, and is told.
    pub fn take(&self, name: &QName, number: i64, text: &str) -> Result<(), SnapshotError> {
        let (list, problem) = match read(&self.model, name, text) {
            Ok(list) => (list, Ok(())),
            Err(problem) => (Vec::new(), Err(problem)),
        };
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        if lists.get(name).is_none_or(|(known, _)| number > *known) {
            lists.insert(name.clone(), (number, Arc::new(list)));
        }
        problem
    }

    /// The list as it is now.
    pub(super) fn list(&self, name: &QName) -> Arc<Vec<Held>> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner).get(name).map(|(_, list)| list.clone()).unwrap_or_default()
    }
}

fn held(model: &Model, name: &QName, stored: &Stored) -> Result<Vec<Held>, SnapshotError> {
    let misfit = |text: String| SnapshotError::Misfit(name.clone(), text);
    let entity = &model.snapshots.get(name).ok_or_else(|| SnapshotError::Unknown(name.clone()))?.entity;
    if stored.entity != entity.to_string() {
        return Err(misfit(format!("it holds {} and not {entity}", stored.entity)));
    }
    let object = |texts| {
        let members = read_members(model, entity, texts).map_err(|error| misfit(error.to_string()))?;
        Ok(Held { entity: entity.clone(), version: 0, members })
    };
    stored.objects.iter().map(object).collect()
}

fn read(model: &Model, name: &QName, text: &str) -> Result<Vec<Held>, SnapshotError> {
    if text.len() > MOST_BYTES {
        return Err(SnapshotError::TooLarge(name.clone()));
    }
    let stored: Stored = serde_json::from_str(text).map_err(|error| SnapshotError::Misfit(name.clone(), error.to_string()))?;
    if stored.objects.len() > MOST_PUBLISHED {
        return Err(SnapshotError::TooLarge(name.clone()));
    }
    held(model, name, &stored)
}

/// The number of the object at a position of a snapshot.
pub(super) fn id_at(model: &Model, name: &QName, position: usize) -> Option<ObjectId> {
    let index = i64::try_from(model.snapshots.get_index_of(name)?).ok()?;
    Some(ObjectId(FIRST - index * APART - i64::try_from(position).ok()?))
}

/// The snapshot and position that a number stands for.
pub(super) fn place_of(model: &Model, object: ObjectId) -> Option<(&QName, usize)> {
    let far = FIRST.checked_sub(object.0).filter(|far| *far >= 0)?;
    let (name, _) = model.snapshots.get_index(usize::try_from(far / APART).ok()?)?;
    Some((name, usize::try_from(far % APART).ok()?))
}
