//! The overlay of reasons: each widget, row, member and button with the rule that released or withheld it.
//!
//! Guarantees: it exists only in a walk that shows a page and was asked for by somebody who may have it; what it tells
//! of data comes released from the store, told by the reader's own rights, or is derived from rows that were released;
//! the same reason has the same number, wherever on the page it stands.
//! Deliberately not here: deciding anything. What is shown was decided before a mark is made.

mod lists;
mod widgets;

use super::PageError;
use super::told::Told;
use super::view::{Counts, Legend, MarkKind, MarkNode, MarkRef};
use super::walk::Walk;
use crate::access::Authority;
use crate::access::explain::{Case, Explanation, Holds, Inspection, NoFacts, Person, Question, Step, explain};
use crate::domain::QName;
use std::collections::HashMap;

/// More marks than this are not made for one page.
const MOST_MARKS: usize = 200;

/// What makes two marks the same.
type Key = (MarkKind, String, &'static str, Vec<Step>, Option<Counts>);

/// The marks of a page so far.
#[derive(Default)]
pub(in crate::page) struct Xray {
    legend: Legend,
    known: HashMap<Key, MarkRef>,
}

/// A reason that is to have a number.
pub(in crate::page) struct Why {
    kind: MarkKind,
    title: String,
    tone: &'static str,
    reasons: Told<Vec<Step>>,
    would_change: Told<Vec<String>>,
    counts: Option<Told<Counts>>,
}

impl Why {
    /// Of text of the model alone.
    fn fixed(kind: MarkKind, title: String, tone: &'static str, reasons: Vec<Step>) -> Self {
        let (reasons, would_change) = (Told::fixed(reasons), Told::fixed(Vec::new()));
        Self { kind, title, tone, reasons, would_change, counts: None }
    }
    /// Of a decision that was explained.
    fn explained(kind: MarkKind, title: String, explanation: &Told<Explanation>) -> Self {
        let tone = tone(explanation.peek().granted);
        let reasons = explanation.derive(|found| found.reasons.clone());
        let would_change = explanation.derive(|found| found.would_change.clone());
        Self { kind, title, tone, reasons, would_change, counts: None }
    }
}

/// The colour of an answer.
fn tone(holds: Holds) -> &'static str {
    match holds {
        Holds::Yes => "yes",
        Holds::No => "no",
        Holds::Withheld | Holds::Undecided => "partly",
    }
}

impl Walk<'_, '_> {
    /// The number of a reason; `None` when reasons are not wanted, or there are too many.
    pub(in crate::page) fn mark(&mut self, why: Why) -> Option<MarkRef> {
        let xray = self.xray.as_mut()?;
        let counts = why.counts.as_ref().map(|counts| *counts.peek());
        let key = (why.kind, why.title.clone(), why.tone, why.reasons.peek().clone(), counts);
        if let Some(known) = xray.known.get(&key) {
            return Some(*known);
        }
        if xray.legend.entries.len() >= MOST_MARKS {
            xray.legend.truncated = true;
            return None;
        }
        let number = u32::try_from(xray.legend.entries.len()).unwrap_or(u32::MAX).saturating_add(1);
        let mark = MarkRef { number, tone: why.tone };
        xray.known.insert(key, mark);
        let Why { kind, title, reasons, would_change, counts, .. } = why;
        xray.legend.entries.push(MarkNode { mark, kind, title, reasons, would_change, counts });
        Some(mark)
    }

    /// The first mark: why the page opens at all.
    pub(in crate::page) fn mark_page(&mut self) {
        if self.xray.is_some() {
            let page = self.page.name.clone();
            let found = Told::fixed(self.reasoned(&Question::Open(page.clone())));
            let _ = self.mark(Why::explained(MarkKind::Page, page.to_string(), &found));
        }
    }

    /// The legend, when there is one.
    pub(in crate::page) fn legend(&mut self) -> Option<Legend> {
        let mut legend = self.xray.take()?.legend;
        legend.menu = super::menu::absent(self.context.grants, &self.context.reader.language, |page| {
            let found = self.reasoned(&Question::Open(page.clone()));
            found.would_change.into_iter().next().unwrap_or(found.summary)
        });
        Some(legend)
    }

    /// A decision that needs no data.
    fn reasoned(&self, question: &Question) -> Explanation {
        let rights = Authority::rights(self.context.grants);
        let reader = Person { rights, user: self.context.reader.user };
        let case = Case { model: &self.model, subject: reader, asker: Some(reader), now: self.context.reader.now };
        explain(&case, question, &mut NoFacts)
    }

    /// Decisions about an entity's objects, told by the store where there is one.
    fn explained(&mut self, entity: &QName, questions: Vec<Question>) -> Result<Vec<Told<Explanation>>, PageError> {
        let asked = Inspection { questions: questions.clone(), ..Inspection::default() };
        let inspected = match self.view_permit(entity) {
            Some(permit) => self.context.objects.inspect(&permit, &asked)?,
            None => None,
        };
        let Some(inspected) = inspected else {
            return Ok(questions.iter().map(|question| Told::fixed(self.reasoned(question))).collect());
        };
        let inspected = Told::from(inspected);
        let one = |(at, question): (usize, &Question)| {
            inspected.derive(|all| all.explanations.get(at).cloned().unwrap_or_else(|| self.reasoned(question)))
        };
        Ok(questions.iter().enumerate().map(one).collect())
    }
}
