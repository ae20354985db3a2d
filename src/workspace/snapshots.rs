//! Public copies: what a job published, for everyone whom the model lets read it.

use super::Held;
use super::exported::{read_members, text_of};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::Model;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
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
    /// The folder of the public copies cannot be read or written.
    #[error("the public copy of {0} cannot be kept")]
    File(QName, #[source] io::Error),
}

/// The published lists, in memory and as one file each in the folder of public copies.
#[derive(Debug)]
pub struct Snapshots {
    model: Arc<Model>,
    folder: Option<PathBuf>,
    lists: RwLock<BTreeMap<QName, Arc<Vec<Held>>>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    entity: String,
    objects: Vec<BTreeMap<String, String>>,
}

impl Snapshots {
    /// Snapshots in memory only.
    pub fn in_memory(model: Arc<Model>) -> Self {
        Self { model, folder: None, lists: RwLock::default() }
    }

    /// Loads what was published before. A copy that cannot be read, or no longer fits the model,
    /// is left out (nothing is shown until it is published anew) and told.
    pub fn open(model: Arc<Model>, folder: &Path) -> (Self, Vec<SnapshotError>) {
        let mut lists = BTreeMap::new();
        let mut problems = Vec::new();
        for name in model.snapshots.keys() {
            match read(&model, folder, name) {
                Ok(Some(list)) => drop(lists.insert(name.clone(), Arc::new(list))),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        (Self { model, folder: Some(folder.to_owned()), lists: RwLock::new(lists) }, problems)
    }

    /// Replaces a snapshot's list. Written aside and moved into place, so that a reader and a
    /// crash see the old list or the new one.
    pub fn publish(&self, name: &QName, objects: &[BTreeMap<Name, Value>]) -> Result<(), SnapshotError> {
        let snapshot = self.model.snapshots.get(name).ok_or_else(|| SnapshotError::Unknown(name.clone()))?;
        if objects.len() > MOST_PUBLISHED {
            return Err(SnapshotError::TooLarge(name.clone()));
        }
        let stored = Stored { entity: snapshot.entity.to_string(), objects: objects.iter().map(text_of).collect() };
        let list = held(&self.model, name, &stored)?;
        let misfit = |error: serde_json::Error| SnapshotError::Misfit(name.clone(), error.to_string());
        let text = serde_json::to_vec(&stored).map_err(misfit)?;
        if text.len() > MOST_BYTES {
            return Err(SnapshotError::TooLarge(name.clone()));
        }
        // INVARIANT: one publication at a time, so that file and memory agree.
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &self.folder {
            write(folder, name, &text).map_err(|error| SnapshotError::File(name.clone(), error))?;
        }
        lists.insert(name.clone(), Arc::new(list));
        Ok(())
    }

    /// The list as it is now.
    pub(super) fn list(&self, name: &QName) -> Arc<Vec<Held>> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
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

fn read(model: &Model, folder: &Path, name: &QName) -> Result<Option<Vec<Held>>, SnapshotError> {
    let failed = |error| SnapshotError::File(name.clone(), error);
    let path = folder.join(format!("{name}.json"));
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(about) if about.len() > MOST_BYTES as u64 => return Err(SnapshotError::TooLarge(name.clone())),
        Ok(_) => {}
    }
    let text = fs::read(&path).map_err(failed)?;
    let stored: Stored = serde_json::from_slice(&text).map_err(|error| SnapshotError::Misfit(name.clone(), error.to_string()))?;
    if stored.objects.len() > MOST_PUBLISHED {
        return Err(SnapshotError::TooLarge(name.clone()));
    }
    held(model, name, &stored).map(Some)
}

fn write(folder: &Path, name: &QName, text: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let aside = folder.join(format!(".{name}.new"));
    let mut file = fs::File::create(&aside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&aside, folder.join(format!("{name}.json")))
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
