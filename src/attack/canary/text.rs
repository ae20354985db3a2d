//! Texts that carry a mark of their own and still are what the member accepts.

use super::random::Random;
use crate::model::{Attribute, AttributeKind};
use regex_syntax::hir::{Class, Hir, HirKind};

/// The longest text that is made.
const LONGEST: usize = 24;

/// A text for an attribute, as unlike every other as its limits and its pattern let it be.
pub(super) fn text(random: &mut Random, attribute: &Attribute) -> String {
    let most = match attribute.kind {
        AttributeKind::String(most) => usize::try_from(most).unwrap_or(LONGEST).min(LONGEST),
        _ => LONGEST,
    };
    if attribute.email {
        return format!("{}@canary.example", random.word(8));
    }
    let Some(pattern) = &attribute.pattern else { return word(random, most) };
    let whole = format!("^(?:{})$", pattern.as_str());
    let fits = |text: &str| text.chars().count() <= most && regex::Regex::new(&whole).is_ok_and(|whole| whole.is_match(text));
    let Ok(hir) = regex_syntax::parse(pattern.as_str()) else { return word(random, most) };
    let mut best = String::new();
    for _ in 0..40 {
        let mut out = String::new();
        write(random, &hir, most, &mut out);
        if fits(&out) && out.len() > best.len() {
            best = out;
        }
        if best.len() >= most.min(8) {
            break;
        }
    }
    best
}

fn word(random: &mut Random, most: usize) -> String {
    format!("zq{}", random.word(most.min(10).saturating_sub(2))).chars().take(most).collect()
}

/// Writes one of the texts that a pattern describes, long rather than short.
fn write(random: &mut Random, hir: &Hir, most: usize, out: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => out.extend(sign(random, class)),
        HirKind::Repetition(repeated) => {
            let least = repeated.min;
            let room = u32::try_from(most.saturating_sub(out.chars().count())).unwrap_or(0).min(9).max(least);
            let end = repeated.max.unwrap_or(room).min(room).max(least);
            let times = random.between(i64::from(least.max(end / 2)), i64::from(end));
            (0..times).for_each(|_| write(random, &repeated.sub, most, out));
        }
        HirKind::Capture(group) => write(random, &group.sub, most, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(random, part, most, out)),
        HirKind::Alternation(parts) => {
            let at = random.below(parts.len());
            parts.iter().skip(at).take(1).for_each(|part| write(random, part, most, out));
        }
    }
}

/// A sign of a class: a letter or digit if it has one.
fn sign(random: &mut Random, class: &Class) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => class.iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect(),
    };
    let plain: Vec<char> = ('0'..='z')
        .filter(|sign| sign.is_ascii_alphanumeric())
        .filter(|sign| ranges.iter().any(|(from, to)| (*from..=*to).contains(sign)))
        .collect();
    random.pick(&plain).copied().or_else(|| ranges.first().map(|(from, _)| *from))
}
