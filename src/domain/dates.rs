//! Dates and moments as canonical text, written and read without the format language of the library: a page has dozens.
//!
//! Guarantees: the text is that of the library's format, for every date there is (tests compare them).
//! Deliberately not here: what a reader is shown, which depends on their language.

use super::DATETIME_FORMAT;
use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// Adds a number of at most four digits, with zeros before it up to a width.
pub fn push_digits(number: u32, width: u32, out: &mut String) {
    for place in (0..4).rev() {
        let left = number / 10_u32.pow(place);
        if left > 0 || place < width {
            out.extend(char::from_digit(left % 10, 10));
        }
    }
}

/// A date: `2026-03-01`.
pub fn date_text(date: NaiveDate) -> String {
    let mut out = String::with_capacity(24);
    let Some(year) = u32::try_from(date.year()).ok().filter(|year| *year <= 9_999) else {
        return date.format("%Y-%m-%d").to_string();
    };
    for (before, number, width) in [("", year, 4), ("-", date.month(), 2), ("-", date.day(), 2)] {
        out.push_str(before);
        push_digits(number, width, &mut out);
    }
    out
}

/// A moment in [`DATETIME_FORMAT`].
pub fn datetime_text(at: NaiveDateTime) -> String {
    let millis = at.nanosecond() / 1_000_000;
    // In a leap second there are 1,000 or more.
    if millis > 999 {
        return at.format(DATETIME_FORMAT).to_string();
    }
    let mut out = date_text(at.date());
    for (before, number, width) in [("T", at.hour(), 2), (":", at.minute(), 2), (":", at.second(), 2), (".", millis, 3)] {
        out.push_str(before);
        push_digits(number, width, &mut out);
    }
    out.push('Z');
    out
}

/// Reads a moment in [`DATETIME_FORMAT`]; `None` when it is none.
pub fn read_datetime(text: &str) -> Option<NaiveDateTime> {
    of_fixed_width(text).or_else(|| NaiveDateTime::parse_from_str(text, DATETIME_FORMAT).ok())
}

/// Reads what [`datetime_text`] writes of the years 0 to 9999.
fn of_fixed_width(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let signs = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
    if bytes.len() != 24 || signs.iter().any(|(at, sign)| bytes.get(*at) != Some(sign)) {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digit = |n: u32, byte: &u8| byte.is_ascii_digit().then(|| n * 10 + u32::from(byte - b'0'));
        bytes.get(from..to)?.iter().try_fold(0, digit)
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    date.and_hms_milli_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates() -> impl Iterator<Item = NaiveDate> {
        let first = NaiveDate::from_ymd_opt(1999, 12, 1).unwrap();
        let far = [-262_142, -1, 0, 1, 7, 999, 9_999, 10_000, 262_141];
        first.iter_days().take(800).chain(far.map(|year| NaiveDate::from_ymd_opt(year, 12, 31).unwrap()))
    }

    #[test]
    fn a_date_and_a_moment_are_written_and_read_as_the_format_of_the_library_does() {
        for (n, date) in (0_u32..).zip(dates()) {
            assert_eq!(date_text(date), date.format("%Y-%m-%d").to_string());
            for nano in [0, 999_999, 1_000_000, 10_000_000 + n, 999_999_999, 1_500_000_000] {
                let second = if nano > 999_999_999 { 59 } else { n * 7 % 60 };
                let at = date.and_hms_nano_opt(n % 24, n * 11 % 60, second, nano).unwrap();
                let text = at.format(DATETIME_FORMAT).to_string();
                assert_eq!(datetime_text(at), text);
                assert_eq!(read_datetime(&text), NaiveDateTime::parse_from_str(&text, DATETIME_FORMAT).ok(), "{text}");
            }
        }
    }

    #[test]
    fn other_texts_are_read_as_the_format_of_the_library_reads_them() {
        for wrong in [
            "",
            "2026-03-01",
            "2026-03-01T10:00:00Z",
            "2026-02-30T10:00:00.000Z",
            "2026-03-01T24:00:00.000Z",
            "2026-03-01T10:61:00.000Z",
            "2026-03-01 10:00:00.000Z",
            "2026-03-01T10:00:00.000+",
            "2026-03-01T10:00:00.00aZ",
            "2026-03-01T10:00:00.000é",
            "2026-03-01T10:00:00.000Z ",
        ] {
            assert_eq!(read_datetime(wrong), NaiveDateTime::parse_from_str(wrong, DATETIME_FORMAT).ok(), "{wrong}");
            assert_eq!(of_fixed_width(wrong), None, "{wrong}");
        }
        assert_eq!(read_datetime("2026-02-30T10:00:00.000Z"), None);
    }
}
