//! Rows → the database, in two passes: what a row refers to may stand further down.

use super::read::{Row, Sheet};
use super::{Fault, SeedError};
use crate::db::DbError;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::store::Bulk;
use std::collections::HashMap;

/// The objects by entity and key.
type Ids<'s> = HashMap<&'s QName, HashMap<&'s str, ObjectId>>;

/// A reference that is written when every row is there.
struct Later<'s> {
    sheet: &'s Sheet,
    row: &'s Row,
    object: ObjectId,
    member: &'s Name,
    target: &'s QName,
    keys: &'s [String],
}

/// Writes all rows and tells how many there were.
pub(super) fn write(bulk: &mut Bulk<'_>, sheets: &[Sheet]) -> Result<usize, SeedError> {
    let mut ids = Ids::new();
    let mut later = Vec::new();
    for (sheet, row) in sheets.iter().flat_map(|sheet| sheet.rows.iter().map(move |row| (sheet, row))) {
        insert(bulk, sheet, row, &mut ids, &mut later)?;
    }
    for Later { sheet, row, object, member, target, keys } in later {
        let known = ids.get(target);
        let targets: Vec<ObjectId> = keys.iter().filter_map(|key| known?.get(key.as_str()).copied()).collect();
        let done = bulk.refer(&sheet.entity.name, object, member, &targets);
        done.map_err(|error| located(sheet, row, member, error))?;
    }
    Ok(ids.values().map(HashMap::len).sum())
}

fn insert<'s>(
    bulk: &mut Bulk<'_>,
    sheet: &'s Sheet,
    row: &'s Row,
    ids: &mut Ids<'s>,
    later: &mut Vec<Later<'s>>,
) -> Result<(), SeedError> {
    let entity = &sheet.entity;
    let mut values = row.values.clone();
    let mut open = Vec::new();
    for (member, target, keys) in &row.links {
        let one = matches!(entity.member_kind(member), Some(Kind::Object(_)));
        let known = keys.first().and_then(|key| ids.get(target)?.get(key.as_str()));
        match known.filter(|_| one) {
            Some(id) => {
                values.insert(member.clone(), Value::Object(*id));
            }
            None => open.push((member, target, keys.as_slice())),
        }
    }
    let object = bulk.insert(&entity.name, values).map_err(|error| located(sheet, row, "", error))?;
    for (member, value) in &row.values {
        if let Value::List(accounts) = value {
            let done = bulk.refer(&entity.name, object, member, accounts);
            done.map_err(|error| located(sheet, row, member, error))?;
        }
    }
    later.extend(open.into_iter().map(|(member, target, keys)| Later { sheet, row, object, member, target, keys }));
    ids.entry(&entity.name).or_default().insert(&row.key, object);
    Ok(())
}

/// What a row itself is guilty of is told at the row.
fn located(sheet: &Sheet, row: &Row, column: &str, error: DbError) -> SeedError {
    let message = match &error {
        DbError::Unique { columns, .. } => format!("another row has the same {}", columns.join(", ")),
        DbError::Overlap { .. } => "it overlaps with another row".to_owned(),
        DbError::Refused(why) => why.clone(),
        DbError::ForeignKey(_) => "it refers to a row that is not there".to_owned(),
        _ => return error.into(),
    };
    SeedError::Faults(vec![Fault { file: sheet.file.clone(), line: row.line, column: column.to_owned(), message }])
}
