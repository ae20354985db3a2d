//! Marks of lists: the rows that are there, how many are not, and the members that are withheld.

use super::Why;
use crate::access::explain::{Holds, Inspection, Op, Question, Step, Wanted, depends_on_choice};
use crate::access::{Authority, Query, Rows};
use crate::domain::{Name, QName, Value};
use crate::model::{ListSource, Path, Widget, WidgetKind};
use crate::page::PageError;
use crate::page::paths::{Step as Way, step};
use crate::page::show::CellState;
use crate::page::source::Source;
use crate::page::told::Told;
use crate::page::view::{Absence, Counts, MarkKind, MarkRef, RowMarks, RowNode};
use crate::page::walk::{Scope, Walk};

/// What was found out about a list.
pub(in crate::page) struct ListMarks {
    pub(in crate::page) absence: Absence,
    /// Per row, each rule of the reader.
    rules: Told<Vec<Vec<Step>>>,
    entity: QName,
}

fn read(entity: &QName, member: Option<&Name>) -> Question {
    Question::Data(Wanted { op: Op::Read, entity: entity.clone(), object: None, member: member.cloned() })
}

impl Walk<'_, '_> {
    /// Marks a list with its columns, and counts what is not in it; `None` when reasons are not wanted.
    pub(in crate::page) fn mark_list(
        &mut self,
        title: String,
        declared: &ListSource,
        source: &Source,
        rows: Option<&Told<Rows>>,
        columns: &[Option<Path>],
    ) -> Result<Option<ListMarks>, PageError> {
        if self.xray.is_none() {
            return Ok(None);
        }
        let entity = &declared.entity;
        let owners: Vec<Option<(QName, Name)>> =
            columns.iter().map(|path| path.as_ref().and_then(|path| self.owner(entity, path))).collect();
        let mut questions = vec![read(entity, None)];
        questions.extend(owners.iter().flatten().map(|(owner, member)| read(owner, Some(member))));
        let counted = self.counted(declared, source);
        let objects = rows.map(|rows| rows.peek().rows.iter().map(|row| row.id).collect()).unwrap_or_default();
        let existing = counted.then(|| source.query.inside.clone());
        let asked = Inspection { objects, questions: questions.clone(), existing };
        let inspected = self.context.objects.inspect(&source.permit, &asked)?.map(Told::from);
        let counts = match &inspected {
            Some(inspected) if inspected.peek().existing.is_some() => Some(self.counts(source, inspected)?),
            _ => None,
        };
        let mut explained = questions.iter().enumerate().map(|(at, question)| match &inspected {
            Some(all) => all.derive(|all| all.explanations.get(at).cloned().unwrap_or_else(|| self.reasoned(question))),
            None => Told::fixed(self.reasoned(question)),
        });
        let whole = explained.next().unwrap_or_else(|| Told::fixed(self.reasoned(&read(entity, None))));
        let members: Vec<_> = explained.collect();
        let stored = inspected.is_some();
        let why = Why { counts, ..Why::explained(MarkKind::List, title, &whole) };
        let counts = why.counts.as_ref().map(|counts| counts.derive(|counts| *counts));
        let Some(mark) = self.mark(why) else { return Ok(None) };
        let mut members = members.into_iter();
        let mut marks = Vec::with_capacity(owners.len());
        for owner in owners {
            let found = owner.and_then(|(owner, member)| Some((format!("{owner}.{member}"), members.next()?)));
            marks.push(found.and_then(|(title, found)| self.mark(Why::explained(MarkKind::Member, title, &found))));
        }
        let rules = inspected.map_or_else(|| Told::fixed(Vec::new()), |all| all.map(|all| all.objects));
        let uncounted = counts.is_none() && stored;
        let absence = Absence { mark, counts, uncounted, columns: marks, buttons: Vec::new() };
        Ok(Some(ListMarks { absence, rules, entity: entity.clone() }))
    }

    // SECURITY: a list that follows an object of the page, or compares with what the reader chose, is not counted
    // (`the_count_of_absent_rows_cannot_be_steered`).
    fn counted(&self, declared: &ListSource, source: &Source) -> bool {
        let rights = Authority::rights(self.context.grants);
        let steered = declared.condition.as_ref().is_some_and(|condition| depends_on_choice(&self.model, rights, condition));
        !steered && source.query.along.is_none() && source.permit.snapshot().is_none() && !source.nothing
    }

    /// Both numbers are over the model's constraint: nothing that the client sent goes into them.
    fn counts(
        &mut self,
        source: &Source,
        inspected: &Told<crate::access::explain::Inspected>,
    ) -> Result<Told<Counts>, PageError> {
        let plain = Query { inside: source.query.inside.clone(), ..Query::of(&source.query.entity, Vec::new()) };
        let released = Told::from(self.context.objects.figure(&source.permit, &plain, None)?);
        let existing = inspected.derive(|all| all.existing);
        Ok(existing.join(released).map(|(existing, released)| {
            let released = match released.value() {
                Some(Value::Integer(count)) => u32::try_from(*count).unwrap_or(u32::MAX),
                _ => 0,
            };
            let (count, capped) = existing.map_or((0, false), |total| (total.count, total.capped));
            Counts { existing: count, capped, released, withheld: count.saturating_sub(released) }
        }))
    }

    /// The entity and the member at the end of a path.
    fn owner(&self, entity: &QName, path: &Path) -> Option<(QName, Name)> {
        let (last, way) = path.split_last()?;
        let mut at = entity.clone();
        for name in way {
            match step(&self.model, &at, name)? {
                Way::ToOne(target) | Way::Inverse { owner: target, many: false, .. } => at = target,
                _ => return None,
            }
        }
        Some((at, last.clone()))
    }

    /// The mark of a row: the rules that release it, as far as the reader may know which.
    pub(in crate::page) fn mark_row(&mut self, marks: &ListMarks, number: usize) -> Option<MarkRef> {
        let reading = self.reading(&marks.entity);
        let reasons = marks.rules.derive(|rules| {
            let rules = rules.get(number).map(Vec::as_slice).unwrap_or_default();
            let releasing = rules.iter().enumerate().filter(|(at, step)| reading.contains(at) && step.holds != Holds::No);
            releasing.map(|(_, step)| step.clone().without_values()).collect::<Vec<_>>()
        });
        let title = format!("rows of {}", marks.entity);
        self.mark(Why { kind: MarkKind::Row, title, tone: "yes", reasons, would_change: Told::fixed(Vec::new()), counts: None })
    }

    fn reading(&self, entity: &QName) -> Vec<usize> {
        let rights = Authority::rights(self.context.grants).entities.get(entity);
        rights.map(|rights| rights.rules_where(|rule| !rule.read.is_empty())).unwrap_or_default()
    }

    /// Marks the rows of a grid, and the cells that are withheld.
    pub(in crate::page) fn mark_rows(&mut self, marks: &ListMarks, paths: &[Option<Path>], rows: &mut [RowNode]) {
        for (number, row) in rows.iter_mut().enumerate() {
            let Some(mark) = self.mark_row(marks, number) else { return };
            let mut cells = Vec::with_capacity(row.cells.len());
            for (at, cell) in row.cells.iter().enumerate() {
                let withheld = cell.peek().state == CellState::Withheld;
                let path = paths.get(at).and_then(Option::as_ref).filter(|_| withheld);
                cells.push(path.and_then(|path| self.mark_cell(marks, number, path)));
            }
            row.marks = Some(RowMarks { row: mark, cells });
        }
    }

    fn mark_cell(&mut self, marks: &ListMarks, number: usize, path: &Path) -> Option<MarkRef> {
        let (member, way) = path.split_first()?;
        let title = format!("{}.{}", marks.entity, path.join("."));
        let rights = Authority::rights(self.context.grants).entities.get(&marks.entity);
        let granting = rights.and_then(|rights| rights.readable.get(member)).cloned().unwrap_or_default();
        if !way.is_empty() || granting.is_empty() {
            let (owner, last) = self.owner(&marks.entity, path)?;
            let found = Told::fixed(self.reasoned(&read(&owner, Some(&last))));
            return self.mark(Why { tone: "no", ..Why::explained(MarkKind::Member, title, &found) });
        }
        let reasons = marks.rules.derive(|rules| {
            let rules = rules.get(number).map(Vec::as_slice).unwrap_or_default();
            granting.iter().filter_map(|at| rules.get(*at).cloned()).map(Step::without_values).collect::<Vec<_>>()
        });
        self.mark(Why { kind: MarkKind::Member, title, tone: "no", reasons, would_change: Told::fixed(Vec::new()), counts: None })
    }

    /// The mark of a figure: over which rows it goes.
    pub(super) fn why_stat(&mut self, widget: &Widget, scope: &Scope) -> Result<Option<Why>, PageError> {
        let WidgetKind::Stat(stat) = &widget.kind else { return Ok(None) };
        let entity = &stat.source.entity;
        let Some(source) = Source::open(self, &stat.source, scope)? else {
            let found = Told::fixed(self.reasoned(&read(entity, None)));
            return Ok(Some(Why { tone: "no", ..Why::explained(MarkKind::Figure, stat.title.clone(), &found) }));
        };
        let question = read(entity, stat.sum.as_ref());
        let existing = (self.counted(&stat.source, &source) && stat.sum.is_none()).then(|| source.query.inside.clone());
        let asked = Inspection { questions: vec![question.clone()], existing, ..Inspection::default() };
        let inspected = self.context.objects.inspect(&source.permit, &asked)?.map(Told::from);
        let counts = match &inspected {
            Some(inspected) if inspected.peek().existing.is_some() => Some(self.counts(&source, inspected)?),
            _ => None,
        };
        let found = match inspected {
            Some(all) => {
                all.map(|all| all.explanations.into_iter().next()).map(|found| found.unwrap_or_else(|| self.reasoned(&question)))
            }
            None => Told::fixed(self.reasoned(&question)),
        };
        Ok(Some(Why { counts, ..Why::explained(MarkKind::Figure, stat.title.clone(), &found) }))
    }
}
