//! A traced condition as a step, told to the asker.

use super::sight::Sight;
use super::{Compared, Facts, Holds, Step, StepKind};
use crate::domain::Kind;
use crate::expr::{Logic, Side, Span, Trace};

/// A condition with its parts, in the words of its author.
// SECURITY: what a part comes to is told only if everything that it read is the asker's to know, and a whole only as
// far as its told parts decide it (`what_withheld_parts_decide_is_withheld_as_a_whole`).
pub(super) fn step(trace: &Trace<'_>, text: &str, sight: &mut Sight<'_>, facts: &mut dyn Facts) -> Step {
    if trace.logic == Logic::Leaf {
        return leaf(trace, text, sight, facts);
    }
    let parts: Vec<Step> = trace.parts.iter().map(|part| step(part, text, sight, facts)).collect();
    let words = match trace.logic {
        Logic::All => "all of these",
        Logic::Any => "any of these",
        Logic::Not => "not this",
        _ => "if the first, then the second, otherwise the third",
    };
    Step { parts: parts.clone(), ..Step::new(StepKind::Part, joined(trace.logic, &parts), words) }
}

fn leaf(trace: &Trace<'_>, text: &str, sight: &mut Sight<'_>, facts: &mut dyn Facts) -> Step {
    let holds = match (&trace.outcome, sight.knows_all(&trace.reads, facts)) {
        (_, false) => Holds::Withheld,
        (Ok(true), _) => Holds::Yes,
        (Ok(false), _) => Holds::No,
        (Err(_), _) => Holds::Undecided,
    };
    let values = trace.sides.iter().map(|side| compared(side, text, sight, facts)).collect();
    Step { values, ..Step::new(StepKind::Part, holds, excerpt(text, trace.part.span)) }
}

fn compared(side: &Side<'_>, text: &str, sight: &mut Sight<'_>, facts: &mut dyn Facts) -> Compared {
    let of = match &side.part.kind {
        Kind::Object(entity) => Some(entity),
        _ => None,
    };
    let known = sight.knows_all(&side.reads, facts);
    let value = side.value.as_ref().ok().filter(|_| known);
    Compared { of: excerpt(text, side.part.span), value: value.map(|value| sight.told(value, of, facts)) }
}

/// The words of a part, on one line.
pub(super) fn excerpt(text: &str, span: Span) -> String {
    one_line(text.get(span.start..span.end).filter(|part| !part.trim().is_empty()).unwrap_or(text))
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Three-valued: what is withheld stays withheld unless the rest decides.
pub(super) fn joined(logic: Logic, parts: &[Step]) -> Holds {
    let mut all = parts.iter().map(|part| part.holds);
    match logic {
        Logic::All => every(all, Holds::No, Holds::Yes),
        Logic::Any => every(all, Holds::Yes, Holds::No),
        Logic::Not => match all.next() {
            Some(Holds::Yes) => Holds::No,
            Some(Holds::No) => Holds::Yes,
            other => other.unwrap_or(Holds::Undecided),
        },
        _ => match (all.next(), all.next(), all.next()) {
            (Some(Holds::Yes), Some(chosen), _) | (Some(Holds::No), _, Some(chosen)) => chosen,
            (Some(_), Some(a), Some(b)) if a == b => a,
            (Some(undecided), ..) => undecided,
            _ => Holds::Undecided,
        },
    }
}

/// `decisive` if any is; `otherwise` if all are; else what keeps it open.
fn every(all: impl Iterator<Item = Holds>, decisive: Holds, otherwise: Holds) -> Holds {
    let mut found = otherwise;
    for one in all {
        match one {
            one if one == decisive => return decisive,
            Holds::Withheld => found = Holds::Withheld,
            Holds::Undecided if found == otherwise => found = Holds::Undecided,
            _ => {}
        }
    }
    found
}
