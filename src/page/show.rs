//! How values look to a reader.

use crate::access::Cell;
use crate::domain::{Decimal, Kind, UNCOMPUTABLE, Value, date_text, push_digits};
use crate::model::{Model, Tone};
use chrono::{Datelike, NaiveDate, Timelike};
use serde::Serialize;

/// A value ready to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CellView {
    /// Whether there is something, nothing, or something withheld.
    pub state: CellState,
    /// The text.
    pub text: String,
    /// Colour meaning.
    pub tone: Option<&'static str>,
    /// Side.
    pub align: &'static str,
    /// Word for the kind of value.
    pub kind: &'static str,
}

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CellState {
    /// A value.
    Plain,
    /// No value.
    Empty,
    /// A value that is not for this reader.
    Withheld,
    /// A value that needs more digits than a number has.
    Uncomputable,
}

/// How one reader is spoken to.
#[derive(Clone, Copy)]
pub struct Speech<'m> {
    /// The model, for captions and translations.
    pub model: &'m Model,
    /// The language.
    pub language: &'m str,
}

impl<'m> Speech<'m> {
    /// A fixed text in the reader's language.
    pub fn say(&self, text: &'m str) -> &'m str {
        self.model.translate(self.language, text)
    }

    /// A cell of a kind.
    pub fn cell(&self, kind: &Kind, cell: &Cell) -> CellView {
        match cell {
            Cell::Withheld => self.withheld(kind),
            Cell::Shown(value) => self.value(kind, value),
        }
    }

    /// A withheld value.
    pub fn withheld(&self, kind: &Kind) -> CellView {
        CellView { state: CellState::Withheld, text: String::new(), tone: None, align: align(kind), kind: word(kind) }
    }

    /// A value of a kind.
    pub fn value(&self, kind: &Kind, value: &Value) -> CellView {
        let text = self.text(kind, value);
        let state = match value {
            Value::Uncomputable => CellState::Uncomputable,
            _ if text.is_empty() => CellState::Empty,
            _ => CellState::Plain,
        };
        let tone = self.tone(kind, value).map(Tone::as_str);
        CellView { state, text, tone, align: align(kind), kind: word(kind) }
    }

    /// The tone of an enumeration value.
    pub fn tone(&self, kind: &Kind, value: &Value) -> Option<Tone> {
        match (kind, value) {
            (Kind::Enumeration(name), Value::Text(text)) => {
                self.model.enumerations.get(name)?.values.get(&**text).map(|shown| shown.tone)
            }
            _ => None,
        }
    }

    /// The text of a value.
    pub fn text(&self, kind: &Kind, value: &Value) -> String {
        match (kind, value) {
            (Kind::Enumeration(name), Value::Text(text)) => {
                let found = self.model.enumerations.get(name).and_then(|all| all.values.get(&**text));
                found.map_or_else(|| text.to_string(), |shown| self.model.translate(self.language, &shown.caption).to_owned())
            }
            (_, Value::Boolean(yes)) => self.say(if *yes { "Yes" } else { "No" }).to_owned(),
            (_, Value::Decimal(number)) => self.decimal(number),
            (_, Value::Date(date)) => self.date(*date),
            (_, Value::DateTime(moment)) => {
                let mut out = self.date(moment.date());
                out.push_str(", ");
                push_digits(moment.hour(), 2, &mut out);
                out.push(':');
                push_digits(moment.minute(), 2, &mut out);
                out
            }
            (_, Value::List(ids)) if ids.is_empty() => String::new(),
            (_, Value::List(ids)) => ids.len().to_string(),
            (_, Value::Object(_)) => String::new(),
            (_, Value::Uncomputable) => self.say(UNCOMPUTABLE).to_owned(),
            (_, other) => other.canonical(),
        }
    }

    /// A date, written without the format language of the library: a list has many.
    fn date(&self, date: NaiveDate) -> String {
        if !self.language.starts_with("en") {
            return date_text(date);
        }
        let Some(year) = u32::try_from(date.year()).ok().filter(|year| *year <= 9_999) else {
            return date.format(ENGLISH).to_string();
        };
        let mut out = String::with_capacity(24);
        push_digits(date.day(), 1, &mut out);
        out.push_str(MONTHS.get(date.month0() as usize).copied().unwrap_or_default());
        push_digits(year, 4, &mut out);
        out
    }

    /// A decimal with its digits grouped.
    pub fn decimal(&self, number: &Decimal) -> String {
        let (group, point) = self.separators();
        let plain = number.abs().to_string();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let mut out = String::from(if number.is_sign_negative() && !number.is_zero() { "-" } else { "" });
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) {
                out.push(group);
            }
            out.push(digit);
        }
        if !fraction.is_empty() {
            out.push(point);
            out.push_str(fraction);
        }
        out
    }

    /// The marks between groups of digits and before the fraction.
    fn separators(&self) -> (char, char) {
        match self.language.get(..2).unwrap_or_default() {
            "de" | "nl" | "es" | "it" | "pt" | "da" => ('.', ','),
            "fr" | "pl" | "sv" | "fi" | "cs" | "nb" => ('\u{a0}', ','),
            _ => (',', '.'),
        }
    }

    /// A number as this reader may type it, in canonical form. The plain form with a point is what
    /// browsers send for number fields in every language and always means the same; besides it,
    /// `1,234.5` is read where the comma groups, and `1234,5` where the comma is the point.
    pub fn plain_number(&self, text: &str) -> Option<String> {
        let text = text.trim();
        if !text.contains(',') {
            return Some(text.to_owned());
        }
        if self.separators().1 == ',' {
            return (text.matches(',').count() == 1 && !text.contains('.')).then(|| text.replace(',', "."));
        }
        let (whole, _) = text.split_once('.').unwrap_or((text, ""));
        let mut groups = whole.trim_start_matches(['-', '+']).split(',');
        let first = groups.next().unwrap_or_default();
        let well = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
        (well && whole.matches(',').count() == text.matches(',').count()).then(|| text.replace(',', ""))
    }
}

/// A date in English,
const ENGLISH: &str = "%-d %b %Y";
/// and what stands in it between the day and the year.
const MONTHS: [&str; 12] =
    [" Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec "];

/// The text of a value in a form field, which a form sends back unchanged when nobody touches it.
pub fn field_text(value: &Value) -> String {
    match value {
        Value::DateTime(moment) => moment.format("%Y-%m-%dT%H:%M").to_string(),
        Value::Object(_) | Value::List(_) => String::new(),
        other => other.canonical(),
    }
}

/// The side a kind of value stands on.
pub fn align(kind: &Kind) -> &'static str {
    if matches!(kind, Kind::Number(_)) { "right" } else { "left" }
}

fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Empty => "text",
        Kind::Number(_) => "number",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Enumeration(_) => "enumeration",
        Kind::Object(_) | Kind::List(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Files, load};
    use crate::page::tests::app::files;

    #[test]
    fn a_date_is_written_as_the_format_of_its_language_writes_it() {
        let model = load(&Files::of(files())).0.unwrap();
        for language in ["en", "en-GB", "de", ""] {
            let speech = Speech { model: &model, language };
            let format = if language.starts_with("en") { ENGLISH } else { "%Y-%m-%d" };
            let first = NaiveDate::from_ymd_opt(1999, 12, 1).unwrap();
            let far = [-1, 0, 1, 7, 999, 9_999, 10_000, 262_142].map(|year| NaiveDate::from_ymd_opt(year, 12, 31).unwrap());
            for date in first.iter_days().take(800).chain(far) {
                assert_eq!(speech.text(&Kind::Date, &Value::Date(date)), date.format(format).to_string());
            }
            for minute in 0..1_440 {
                let moment = first.and_hms_milli_opt(minute / 60, minute % 60, 59, 999).unwrap();
                let text = moment.format(&format!("{format}, %H:%M")).to_string();
                assert_eq!(speech.text(&Kind::DateTime, &Value::DateTime(moment)), text);
            }
        }
    }
}
