//! Conditions that say nothing: always true, or never.

use super::super::finding::Severity;
use super::super::source::Text;
use super::checker::{Checker, Here};
use super::solve::Solver;
use crate::domain::{Name, QName};
use crate::expr::{Node, Span, Typed, is_constant};

enum Verdict {
    Always,
    Never,
}

impl Checker<'_> {
    /// Reports a condition, or a part of one, that no value makes true, or that none makes false.
    pub fn constant_condition(&mut self, here: &Here, at: &Text, condition: &Typed) {
        let enumeration = |name: &QName| -> Option<Vec<Name>> {
            self.model.enumerations.get(name).map(|found| found.values.keys().cloned().collect())
        };
        let unfixed = |literal: &Typed| is_constant(literal, &at.value);
        let solver = Solver { enumeration: &enumeration, unfixed: &unfixed, nobody: false };
        let mut found = Vec::new();
        parts(condition, &solver, &mut found);
        for (span, verdict) in found {
            self.says_nothing(here, at, span, &verdict);
        }
    }

    fn says_nothing(&mut self, here: &Here, at: &Text, span: Span, verdict: &Verdict) {
        let (place, length) = self.inside(here, at, span);
        let (message, hint) = match verdict {
            Verdict::Always => ("this is always true", "leave it out, or look for `||` where `&&` is meant"),
            Verdict::Never => {
                ("this can never be true", "look for `&&` where `||` is meant; a comparison with an empty side is false")
            }
        };
        // A snippet is checked once for every page that shows it.
        let again = |known: &super::super::finding::Finding| {
            known.message == message && known.file == *place.file && (known.line, known.column) == (place.line, place.column)
        };
        if !self.findings.iter().any(again) {
            self.report(Severity::Warning, "constant-condition", &place, length, message.to_owned(), Some(hint.to_owned()));
        }
    }
}

/// The widest parts that say nothing, and those of lists inside.
fn parts(condition: &Typed, solver: &Solver<'_>, found: &mut Vec<(Span, Verdict)>) {
    if solver.impossible(&[condition]) {
        found.push((condition.span, Verdict::Never));
    } else if solver.certain(condition) {
        found.push((condition.span, Verdict::Always));
    } else {
        match &condition.node {
            Node::And(a, b) | Node::Or(a, b) => {
                parts(a, solver, found);
                parts(b, solver, found);
            }
            Node::Not(a) => parts(a, solver, found),
            _ => lists(condition, solver, found),
        }
    }
}

/// The conditions on the elements of lists.
fn lists(e: &Typed, solver: &Solver<'_>, found: &mut Vec<(Span, Verdict)>) {
    if let Node::Filter(list, condition) = &e.node {
        lists(list, solver, found);
        return parts(condition, solver, found);
    }
    let mut inner = Vec::new();
    e.children(&mut |child| inner.push(child));
    inner.into_iter().for_each(|child| lists(child, solver, found));
}
