//! Each row, each cell, and their order.

use super::differ;
use super::question::{End, Question};
use super::reader::{Decided, Reader, Stop};
use crate::access::{Cell, Disagreement, ObjectError, Rows};
use crate::domain::{Name, ObjectId};
use crate::model::Path;

/// What was found so far. What is missing for one row does not keep the others from telling what they miss.
#[derive(Default)]
pub(super) struct Findings {
    differences: Vec<Disagreement>,
    missing: bool,
}

impl Findings {
    pub(super) fn take(&mut self, decided: Decided<Option<Disagreement>>) -> Result<(), ObjectError> {
        match decided {
            Ok(difference) => self.differences.extend(difference),
            Err(Stop::Missing) => self.missing = true,
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    /// All differences, once nothing is missing.
    pub(super) fn settled(self) -> Option<Vec<Disagreement>> {
        (!self.missing).then_some(self.differences)
    }
}

/// Decides the rows of an answer, each by itself.
pub(super) fn rows(
    reader: &mut Reader<'_>,
    question: &Question<'_>,
    answer: &Rows,
    found: &mut Findings,
) -> Result<(), ObjectError> {
    let own = question.query.paths.iter().map(|path| if let [member] = path.as_slice() { Some(member) } else { None });
    let ends: Vec<_> = own.map(|own| own.map(|member| End::of(reader, question.at, &question.plan, member))).collect();
    for row in &answer.rows {
        let about = || about(question, row.id);
        let refused = question.refuses(reader, row.id, Some(row));
        found.take(refused.map(|why| why.map(|why| differ(about(), "released", why))))?;
        if row.cells.len() != question.query.paths.len() {
            found.take(Ok(Some(differ(about(), "released", "not the cells that were asked for"))))?;
        }
        for ((path, end), cell) in question.query.paths.iter().zip(&ends).zip(&row.cells) {
            let instead = match end {
                Some(end) => end.differs(reader, row.id, cell),
                None => question.differs(reader, row, path, cell),
            };
            let told = if matches!(cell, Cell::Shown(_)) { "shown" } else { "withheld" };
            let difference = |instead| differ(format!("{}.{}", about(), text(path)), told, instead);
            found.take(instead.map(|instead| instead.map(difference)))?;
        }
    }
    Ok(())
}

/// Decides the order, and the row that is told to follow.
pub(super) fn order(
    reader: &mut Reader<'_>,
    question: &Question<'_>,
    answer: &Rows,
    next: Option<ObjectId>,
    found: &mut Findings,
) -> Result<(), ObjectError> {
    for pair in answer.rows.windows(2) {
        let [before, after] = pair else { continue };
        let ordered = question.in_order(reader, before, after);
        let difference = |fine: bool| (!fine).then(|| differ(about(question, after.id), "in this order", "in another order"));
        found.take(ordered.map(difference))?;
    }
    if let Some(next) = next {
        let refused = question.refuses(reader, next, None);
        found.take(refused.map(|why| why.map(|why| differ(about(question, next), "told to follow", why))))?;
    }
    Ok(())
}

pub(super) fn about(question: &Question<'_>, id: ObjectId) -> String {
    format!("{}#{}", question.query.entity, id.0)
}

fn text(path: &Path) -> String {
    path.iter().map(Name::as_str).collect::<Vec<_>>().join(".")
}
