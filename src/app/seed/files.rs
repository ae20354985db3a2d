//! Which seed files there are, and the entity that each one is for.

use crate::domain::{QName, did_you_mean};
use crate::model::{Entity, Model};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The files in order; links are not followed, so nothing outside the folder is read.
pub(super) fn names(folder: &Path) -> Result<BTreeSet<String>, io::Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string())
            && name.ends_with(".csv")
        {
            names.insert(name);
        }
    }
    Ok(names)
}

/// `seed/03-hr.SalaryChange.csv` → the entity.
pub(super) fn entity_of(model: &Model, file: &str) -> Result<Arc<Entity>, String> {
    let form = || "a seed file is called NN-<module>.<Entity>.csv".to_owned();
    let stem = file.strip_prefix("seed/").and_then(|name| name.strip_suffix(".csv")).ok_or_else(form)?;
    let (number, name) = stem.split_once('-').ok_or_else(form)?;
    let name =
        QName::parse(name).filter(|_| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).ok_or_else(form)?;
    let known: Vec<String> = model.entities.keys().map(ToString::to_string).collect();
    match model.entities.get(&name) {
        Some(entity) if entity.system => Err("accounts come from demoUsers in app.yaml".into()),
        Some(entity) if !entity.persistable => Err(format!("{name} is not persistable")),
        Some(entity) => Ok(entity.clone()),
        None => {
            let near = did_you_mean(&name.to_string(), known.iter().map(String::as_str));
            Err(format!("there is no entity {name}{}", hint(near)))
        }
    }
}

pub(super) fn hint(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}
