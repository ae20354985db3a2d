//! Seed files → rows, with every fault at once. No database here.

use super::cell::{Cell, Reading, shown};
use super::files::{entity_of, hint, names};
use super::{Fault, SeedError};
use crate::domain::{Kind, Name, ObjectId, QName, Value, did_you_mean};
use crate::expr::{Data, Environment, EvalError, evaluate};
use crate::identity::DemoUsers;
use crate::model::{Entity, Model};
use crate::store::value_faults;
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// No file is larger.
const LARGEST: u64 = 16 << 20;
/// No more rows are read.
const MOST_ROWS: usize = 200_000;
/// No more faults are told.
const MOST_FAULTS: usize = 100;

/// The rows of one file.
pub(super) struct Sheet {
    pub file: String,
    pub entity: Arc<Entity>,
    pub rows: Vec<Row>,
}

/// One row.
pub(super) struct Row {
    pub line: u64,
    pub key: String,
    /// What is known before anything is written.
    pub values: BTreeMap<Name, Value>,
    /// What refers to rows by key: member, entity, keys.
    pub links: Vec<(Name, QName, Vec<String>)>,
}

/// Reads the folder `seed` of an app; one that is not there holds no rows.
pub(super) fn sheets(model: &Model, app: &Path, users: &DemoUsers, now: NaiveDateTime) -> Result<Vec<Sheet>, SeedError> {
    let mut reader = Reader { model, reading: Reading { users, now }, faults: Vec::new(), keys: HashMap::new(), rows: 0 };
    let mut sheets = Vec::new();
    for name in names(&app.join("seed"))? {
        sheets.extend(reader.sheet(&app.join("seed").join(&name), format!("seed/{name}"))?);
    }
    for sheet in &sheets {
        reader.references(sheet);
    }
    if reader.faults.is_empty() {
        return Ok(sheets);
    }
    reader.faults.truncate(MOST_FAULTS);
    Err(SeedError::Faults(reader.faults))
}

struct Reader<'a> {
    model: &'a Model,
    reading: Reading<'a>,
    faults: Vec<Fault>,
    keys: HashMap<QName, HashSet<String>>,
    rows: usize,
}

/// A file while it is read.
struct Open<'a> {
    file: &'a str,
    entity: &'a Arc<Entity>,
    columns: Vec<Column>,
    /// Of the members that have no column.
    defaults: BTreeMap<Name, Value>,
}

struct Column {
    name: Name,
    /// `None` for the key.
    kind: Option<Kind>,
}

impl Reader<'_> {
    fn fault(&mut self, file: &str, line: u64, column: &str, message: impl Into<String>) {
        self.faults.push(Fault { file: file.to_owned(), line, column: column.to_owned(), message: message.into() });
    }

    fn sheet(&mut self, path: &Path, file: String) -> Result<Option<Sheet>, SeedError> {
        let entity = match entity_of(self.model, &file) {
            Ok(entity) => entity,
            Err(message) => {
                self.fault(&file, 0, "", message);
                return Ok(None);
            }
        };
        if fs::metadata(path)?.len() > LARGEST {
            self.fault(&file, 0, "", format!("the file is larger than {} MiB", LARGEST >> 20));
            return Ok(None);
        }
        let bytes = fs::read(path)?;
        let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        let mut records = csv.records();
        let header = match records.next() {
            Some(Ok(header)) => header,
            Some(Err(error)) => {
                self.unreadable(&file, &error);
                return Ok(None);
            }
            None => {
                self.fault(&file, 0, "", "the file is empty; its first line names the columns");
                return Ok(None);
            }
        };
        let Some(columns) = self.columns(&file, &entity, &header) else { return Ok(None) };
        let defaults = self.defaults(&entity, &columns);
        let open = Open { file: &file, entity: &entity, columns, defaults };
        let mut rows = Vec::new();
        for record in records {
            match record {
                Ok(record) => rows.extend(self.row(&open, &record)),
                Err(error) => self.unreadable(&file, &error),
            }
            self.rows += 1;
            if self.rows > MOST_ROWS || self.faults.len() > MOST_FAULTS {
                break;
            }
        }
        if self.rows > MOST_ROWS {
            self.fault(&file, 0, "", format!("the seed has more than {MOST_ROWS} rows"));
        }
        Ok(Some(Sheet { file, entity, rows }))
    }

    fn columns(&mut self, file: &str, entity: &Entity, header: &csv::StringRecord) -> Option<Vec<Column>> {
        let before = self.faults.len();
        let mut columns: Vec<Column> = Vec::new();
        for (at, name) in header.iter().enumerate() {
            let calculated = entity.attributes.get(name).is_some_and(|a| a.calculated.is_some());
            let kind = entity.member_kind(name);
            if (at == 0) != (name == "key") {
                self.fault(file, 1, &shown(name), "the first column is `key`, and no other one is");
            } else if columns.iter().any(|column| &*column.name == name) {
                self.fault(file, 1, &shown(name), "the column is there twice");
            } else if calculated {
                self.fault(file, 1, name, "a calculated member is never stored");
            } else if kind.is_none() && at > 0 {
                let near = did_you_mean(name, entity.members().map(Name::as_str));
                self.fault(file, 1, &shown(name), format!("{} has no such member{}", entity.name, hint(near)));
            }
            columns.push(Column { name: Name::new(name), kind });
        }
        (self.faults.len() == before).then_some(columns)
    }

    /// The model's first values for members without a column; what would have to ask somebody or something is empty.
    fn defaults(&self, entity: &Entity, columns: &[Column]) -> BTreeMap<Name, Value> {
        let (none, roles) = (BTreeMap::new(), BTreeSet::new());
        let environment = Environment { this: None, user: None, roles: &roles, now: self.reading.now, variables: &none };
        let attributes = entity.attributes.values().filter(|a| a.calculated.is_none());
        let absent = attributes.filter(|a| columns.iter().all(|column| column.name != a.name));
        let values = absent.filter_map(|attribute| {
            let value = match &attribute.default {
                Some(default) => evaluate(default, &environment, &mut Nothing).ok()?,
                None if attribute.kind() == Kind::Boolean => Value::Boolean(false),
                None => return None,
            };
            Some((attribute.name.clone(), value))
        });
        values.collect()
    }

    fn row(&mut self, open: &Open<'_>, record: &csv::StringRecord) -> Option<Row> {
        let line = record.position().map_or(0, csv::Position::line);
        let key = record.get(0).unwrap_or_default();
        if key.is_empty() || key.len() > 100 || key.contains(char::is_whitespace) || key.starts_with("demo:") {
            self.fault(open.file, line, "key", "a key is a word of at most 100 bytes that does not begin with demo:");
            return None;
        }
        if !self.keys.entry(open.entity.name.clone()).or_default().insert(key.to_owned()) {
            self.fault(open.file, line, "key", format!("`{}` is the key of another row", shown(key)));
            return None;
        }
        let mut row = Row { line, key: key.to_owned(), values: open.defaults.clone(), links: Vec::new() };
        let mut passed = Vec::new();
        for (column, text) in open.columns.iter().zip(record.iter()) {
            let Some(kind) = &column.kind else { continue };
            match self.reading.cell(kind, text) {
                Ok(Cell::Value(value)) => {
                    row.values.insert(column.name.clone(), value);
                }
                Ok(Cell::Relative(value)) => {
                    passed.extend(moment(&value).filter(|at| *at <= self.reading.now));
                    row.values.insert(column.name.clone(), value);
                }
                Ok(Cell::Rows(target, keys)) => row.links.push((column.name.clone(), target, keys)),
                Err(message) => self.fault(open.file, line, &column.name, message),
            }
        }
        self.kept(open.entity, &passed, &mut row);
        self.check(open, &row);
        Some(row)
    }

    /// Server-kept members that have no column.
    fn kept(&self, entity: &Entity, passed: &[NaiveDateTime], row: &mut Row) {
        let now = self.reading.now;
        let first = passed.iter().min().copied().unwrap_or(now);
        let last = passed.iter().max().copied().unwrap_or(now);
        for attribute in entity.attributes.values().filter(|a| a.server) {
            let at = if &*attribute.name == "created" { first } else { last };
            row.values.entry(attribute.name.clone()).or_insert(Value::DateTime(at));
        }
        let own = |a: &&crate::model::Association| !a.server && a.target == Model::user_entity();
        let account = entity.associations.values().filter(own).find_map(|a| row.values.get(&a.name)?.as_object());
        for association in entity.associations.values().filter(|a| a.server) {
            let account = account.map_or(Value::Empty, Value::Object);
            row.values.entry(association.name.clone()).or_insert(account);
        }
    }

    /// Looks at the values as if everything that is referred to were there.
    fn check(&mut self, open: &Open<'_>, row: &Row) {
        let mut values = row.values.clone();
        for (member, _, _) in &row.links {
            let many = matches!(open.entity.member_kind(member), Some(Kind::List(_)));
            let somewhere = if many { Value::List(vec![ObjectId(0)]) } else { Value::Object(ObjectId(0)) };
            values.insert(member.clone(), somewhere);
        }
        for wrong in value_faults(self.model, open.entity, &values) {
            let column = wrong.member.as_ref().map_or("", |member| member.as_str()).to_owned();
            let known =
                self.faults.iter().any(|fault| fault.line == row.line && fault.column == column && fault.file == open.file);
            if !known {
                self.fault(open.file, row.line, &column, wrong.message);
            }
        }
    }

    fn references(&mut self, sheet: &Sheet) {
        for row in &sheet.rows {
            for (member, target, keys) in &row.links {
                let mut seen = HashSet::new();
                for key in keys {
                    if !seen.insert(key) {
                        self.fault(&sheet.file, row.line, member, format!("`{}` is there twice", shown(key)));
                    } else if !self.keys.get(target).is_some_and(|known| known.contains(key)) {
                        self.fault(&sheet.file, row.line, member, format!("no row of {target} has the key `{}`", shown(key)));
                    }
                }
            }
        }
    }

    fn unreadable(&mut self, file: &str, error: &csv::Error) {
        let line = error.position().map_or(0, csv::Position::line);
        let message = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("the row has {len} cells in place of {expected_len}")
            }
            csv::ErrorKind::Utf8 { .. } => "the row is not valid UTF-8".into(),
            _ => "the row cannot be read".into(),
        };
        self.fault(file, line, "", message);
    }
}

fn moment(value: &Value) -> Option<NaiveDateTime> {
    match value {
        Value::Date(date) => date.and_hms_opt(8, 0, 0),
        Value::DateTime(at) => Some(*at),
        _ => None,
    }
}

/// There is nothing to ask: a default that asks for data has no value here.
struct Nothing;

impl Data for Nothing {
    fn member(&mut self, _: &QName, _: ObjectId, _: &Name) -> Result<Value, EvalError> {
        Err(EvalError::Data("demo data has no author".into()))
    }
    fn many(&mut self, _: &QName, _: ObjectId, _: &Name) -> Result<Vec<ObjectId>, EvalError> {
        Err(EvalError::Data("demo data has no author".into()))
    }
}
