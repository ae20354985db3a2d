//! The texts by which a cell is known again, and looking for them in an answer.

use super::value::NEAR;
use crate::attack::oracle::Readable;
use crate::attack::world::World;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::Model;
use aho_corasick::{AhoCorasick, MatchKind};
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet};

/// A cell.
type Cell = (QName, ObjectId, Name);

/// All marks of a world.
pub struct Marks {
    finder: Option<AhoCorasick>,
    /// Text → the cells that hold it.
    marks: Vec<(String, Vec<Cell>)>,
}

/// A mark that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub mark: usize,
    /// What it says of whom, for a report.
    pub what: String,
}

impl Marks {
    /// Collects the marks of a world.
    pub fn of(model: &Model, world: &World, now: NaiveDateTime) -> Self {
        let mut all: BTreeMap<String, Vec<Cell>> = BTreeMap::new();
        for (name, rows) in &world.rows {
            let Some(entity) = model.entities.get(name) else { continue };
            for (id, row) in rows {
                for (member, value) in &row.values {
                    let kind = entity.member_kind(member).unwrap_or(Kind::Empty);
                    for text in texts(&kind, value, now) {
                        all.entry(text).or_default().push((name.clone(), *id, member.clone()));
                    }
                }
            }
        }
        let marks: Vec<(String, Vec<Cell>)> = all.into_iter().collect();
        let finder = AhoCorasick::builder().match_kind(MatchKind::Standard).build(marks.iter().map(|(text, _)| text)).ok();
        Self { finder, marks }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.marks.len()
    }

    /// The numbers of the marks that stand in a text by themselves, not as a part of a longer word or number.
    pub fn find(&self, text: &str) -> BTreeSet<usize> {
        let Some(finder) = &self.finder else { return BTreeSet::new() };
        let beside = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_alphanumeric());
        finder
            .find_overlapping_iter(text)
            .filter(|found| {
                let before = text.get(..found.start()).and_then(|part| part.chars().next_back());
                let after = text.get(found.end()..).and_then(|part| part.chars().next());
                !beside(before) && !beside(after)
            })
            .map(|found| found.pattern().as_usize())
            .collect()
    }

    /// The marks that somebody may know: of the cells that they may read, and of what is computed from others for them.
    pub fn allowed(&self, model: &Model, readable: &Readable, now: NaiveDateTime) -> BTreeSet<usize> {
        let mut text = String::new();
        for ((entity, _), cells) in readable {
            let Some(entity) = model.entities.get(entity) else { continue };
            for (member, value) in cells {
                let kind = entity.member_kind(member).unwrap_or(Kind::Empty);
                text.extend(texts(&kind, value, now).into_iter().map(|one| one + "\n"));
                text.push_str(&value.canonical());
                text.push('\n');
            }
        }
        self.find(&text)
    }

    /// What a mark tells.
    pub fn found(&self, mark: usize) -> Found {
        let what = self.marks.get(mark).map_or_else(String::new, |(text, cells)| {
            let cells: Vec<String> =
                cells.iter().take(3).map(|(entity, id, member)| format!("{entity}#{}.{member}", id.0)).collect();
            format!("{} ({text})", cells.join(", "))
        });
        Found { mark, what }
    }
}

/// The texts in which a value comes out, if it is one that is known again.
fn texts(kind: &Kind, value: &Value, now: NaiveDateTime) -> Vec<String> {
    let far = |date: chrono::NaiveDate| (date - now.date()).num_days().abs() > NEAR;
    match (kind, value) {
        (Kind::Text, Value::Text(text)) if text.chars().count() >= 5 => vec![text.to_string()],
        (_, Value::Integer(number)) if number.abs() >= 10_000 => numbers(&number.to_string()),
        (_, Value::Decimal(number)) if number.abs() >= 100.into() => numbers(&number.to_string()),
        (_, Value::Date(date)) if far(*date) => days(*date),
        (_, Value::DateTime(moment)) if far(moment.date()) => {
            let time = moment.format("%H:%M").to_string();
            let on = days(moment.date()).into_iter();
            on.flat_map(|day| [format!("{day}, {time}"), format!("{day}T{time}")]).collect()
        }
        _ => Vec::new(),
    }
}

fn days(date: chrono::NaiveDate) -> Vec<String> {
    vec![date.format("%-d %b %Y").to_string(), date.format("%Y-%m-%d").to_string()]
}

/// A number plain, and with its digits grouped as the languages do.
fn numbers(plain: &str) -> Vec<String> {
    let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits: Vec<char> = whole.chars().collect();
    let grouped = |group: char, point: char| {
        let mut out = String::new();
        for (at, digit) in digits.iter().enumerate() {
            if at > 0 && *digit != '-' && (digits.len() - at).is_multiple_of(3) && out != "-" {
                out.push(group);
            }
            out.push(*digit);
        }
        fraction.map_or_else(|| out.clone(), |fraction| format!("{out}{point}{fraction}"))
    };
    let all = [plain.to_owned(), grouped(',', '.'), grouped('.', ','), grouped('\u{a0}', ',')];
    let unique: BTreeSet<String> = all.into_iter().collect();
    unique.into_iter().collect()
}
