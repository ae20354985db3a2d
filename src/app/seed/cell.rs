//! One cell: its text as a value or as what it refers to.

use crate::domain::{Kind, ObjectId, QName, Value, parse_value};
use crate::identity::DemoUsers;
use crate::model::Model;
use chrono::{Days, NaiveDateTime, TimeDelta};

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// A value.
    Value(Value),
    /// A moment that was written relative to today or now.
    Relative(Value),
    /// Rows of this entity, by key.
    Rows(QName, Vec<String>),
}

/// What all cells are read with.
pub(super) struct Reading<'a> {
    pub users: &'a DemoUsers,
    pub now: NaiveDateTime,
}

impl Reading<'_> {
    /// The cell of a member of this kind, or what is wrong with it.
    pub(super) fn cell(&self, kind: &Kind, text: &str) -> Result<Cell, String> {
        match kind {
            _ if text.is_empty() => Ok(Cell::Value(Value::Empty)),
            Kind::Object(target) if *target == Model::user_entity() => self.account(text).map(Value::Object).map(Cell::Value),
            Kind::List(target) if *target == Model::user_entity() => {
                let accounts: Result<Vec<ObjectId>, String> = text.split_whitespace().map(|key| self.account(key)).collect();
                accounts.map(Value::List).map(Cell::Value)
            }
            Kind::Object(target) => Ok(Cell::Rows(target.clone(), vec![text.to_owned()])),
            Kind::List(target) => Ok(Cell::Rows(target.clone(), text.split_whitespace().map(str::to_owned).collect())),
            Kind::Date | Kind::DateTime if text.starts_with('@') => self.relative(kind, text).map(Cell::Relative),
            _ => parse_value(kind, text).map(Cell::Value).ok_or_else(|| misread(kind, text)),
        }
    }

    fn account(&self, text: &str) -> Result<ObjectId, String> {
        let key = text.strip_prefix("demo:").ok_or_else(|| format!("`{}` is no account; write demo:<key>", shown(text)))?;
        let account = self.users.account(key);
        account.map(|account| ObjectId(account.0)).ok_or_else(|| format!("there is no demo user `{}`", shown(key)))
    }

    fn relative(&self, kind: &Kind, text: &str) -> Result<Value, String> {
        let (found, form) = match kind {
            Kind::Date => (text.strip_prefix("@today").and_then(|by| self.day(by)), "@today, @today-30 or @today+3"),
            _ => (text.strip_prefix("@now").and_then(|by| self.moment(by)), "@now, @now-3d, @now-5h or @now+10m"),
        };
        found.ok_or_else(|| format!("`{}` is no {}; write {form}", shown(text), kind.describe()))
    }

    fn day(&self, by: &str) -> Option<Value> {
        let (back, count) = steps(by)?;
        let days = Days::new(count);
        let today = self.now.date();
        let day = if back { today.checked_sub_days(days) } else { today.checked_add_days(days) };
        day.map(Value::Date)
    }

    fn moment(&self, by: &str) -> Option<Value> {
        if by.is_empty() {
            return Some(Value::DateTime(self.now));
        }
        let unit = by.chars().next_back()?;
        let (back, count) = steps(by.strip_suffix(unit)?).filter(|_| by.len() > 2)?;
        let count = i64::try_from(count).ok()?;
        let span = match unit {
            'd' => TimeDelta::try_days(count)?,
            'h' => TimeDelta::try_hours(count)?,
            'm' => TimeDelta::try_minutes(count)?,
            _ => return None,
        };
        let at = if back { self.now.checked_sub_signed(span) } else { self.now.checked_add_signed(span) };
        at.map(Value::DateTime)
    }
}

/// What is wrong with a text that is no value of its kind.
fn misread(kind: &Kind, text: &str) -> String {
    let wrong = format!("`{}` is no {}", shown(text), kind.describe());
    match kind {
        Kind::Number(number) if number.scale > 0 => {
            format!("{wrong} of at most {} digits, {} of them after the point", number.digits, number.scale)
        }
        _ => wrong,
    }
}

/// `-30` → back 30; nothing → 0. At most six digits.
fn steps(by: &str) -> Option<(bool, u64)> {
    if by.is_empty() {
        return Some((false, 0));
    }
    let digits = by.strip_prefix(['-', '+'])?;
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().map(|count| (by.starts_with('-'), count))
}

/// A text short enough for a message.
pub(super) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().count() > 60 {
        out.push('…');
    }
    out
}
