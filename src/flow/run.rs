//! Running a flow and what it calls.

use super::activity::{self, Next};
use super::budget::{LONGEST_LIST, LONGEST_TEXT};
use super::context::{FlowContext, Outcome};
use super::effects::ElevatedRun;
use super::frame::Frame;
use super::memory::Memory;
use super::reading::Reading;
use super::{FlowError, text};
use crate::access::{Authority, Denied, Elevation, Ground, Inside, Layer, ObjectError, Permit, Query, Reason, Run};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Environment, Template, Typed, evaluate_strictly, settle};
use crate::model::{Activity, Microflow, Model};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Runs a microflow that a caller started from a page.
///
/// Its extra rights are decided for the caller's roles once more, apart from the permit to run it. On an error nothing may be kept: the caller rolls the transaction back, and of the effects only
/// the log lines (and where it failed) are carried out.
pub fn run(permit: &Permit<Run>, arguments: BTreeMap<Name, Value>, context: &mut FlowContext<'_>) -> Result<Outcome, FlowError> {
    let flow = Interpreter::new(context).permitted(permit)?;
    let authority = Elevation::asked(&flow, context.grants).map_err(ObjectError::from)?;
    run_with(flow, authority, arguments, context)
}

/// Runs a microflow that the server starts by itself: nobody's roles are asked for. Nothing is kept on an error.
pub fn run_job(
    permit: &Permit<Run>,
    arguments: BTreeMap<Name, Value>,
    context: &mut FlowContext<'_>,
) -> Result<Outcome, FlowError> {
    let flow = Interpreter::new(context).permitted(permit)?;
    let authority = Elevation::of(&flow, context.grants);
    run_with(flow, authority, arguments, context)
}

fn run_with(
    flow: Arc<Microflow>,
    authority: Elevation,
    arguments: BTreeMap<Name, Value>,
    context: &mut FlowContext<'_>,
) -> Result<Outcome, FlowError> {
    let mut interpreter = Interpreter::new(context);
    let value = interpreter.enter(flow, authority, arguments)?;
    let mut outcome = interpreter.finish()?;
    outcome.value = value;
    Ok(outcome)
}

/// One run: everything that flows, handlers and deeds of it share.
pub(super) struct Interpreter<'r, 'c> {
    pub(super) context: &'r mut FlowContext<'c>,
    pub(super) model: Arc<Model>,
    pub(super) memory: Memory,
    pub(super) outcome: Outcome,
    /// What the innermost running flow did with its elevation.
    pub(super) used: BTreeSet<String>,
    /// Handlers at work on an object; what they write does not call them again.
    pub(super) handling: BTreeSet<(QName, ObjectId)>,
}

impl<'r, 'c> Interpreter<'r, 'c> {
    pub(super) fn new(context: &'r mut FlowContext<'c>) -> Self {
        let model = context.grants.model().clone();
        let (outcome, handling) = (Outcome::default(), BTreeSet::new());
        Self { context, model, memory: Memory::default(), outcome, used: BTreeSet::new(), handling }
    }

    /// The outcome, unless complaints were given.
    pub(super) fn finish(mut self) -> Result<Outcome, FlowError> {
        self.heed_feedback()?;
        Ok(self.outcome)
    }

    /// Ends the run when complaints were given: nothing is done after that, only further
    /// complaints are gathered.
    pub(super) fn heed_feedback(&mut self) -> Result<(), FlowError> {
        if self.outcome.feedback.is_empty() {
            return Ok(());
        }
        Err(FlowError::Feedback(std::mem::take(&mut self.outcome.feedback)))
    }

    /// Runs a flow that another one, or an event, calls.
    ///
    // SECURITY: the authority is made from the caller's own grants each time, so that a callee
    // never borrows the elevation of the flow that calls it (test: elevation cannot be borrowed).
    pub(super) fn flow(&mut self, permit: &Permit<Run>, arguments: BTreeMap<Name, Value>) -> Result<Option<Value>, FlowError> {
        let flow = self.permitted(permit)?;
        let authority = Elevation::of(&flow, self.context.grants);
        self.enter(flow, authority, arguments)
    }

    /// The flow of a permit of this very caller.
    fn permitted(&self, permit: &Permit<Run>) -> Result<Arc<Microflow>, FlowError> {
        if permit.rights().key != self.context.grants.rights().key {
            let reason =
                Reason::Other(Ground::ForeignPermit, format!("the permit to run {} is another caller's", permit.target()));
            return Err(Denied::new(Layer::ActionAccess, reason).into());
        }
        let found = self.model.microflows.get(permit.target());
        found.cloned().ok_or_else(|| FlowError::Broken(format!("there is no microflow {}", permit.target())))
    }

    /// Runs one flow in a frame of its own.
    fn enter(
        &mut self,
        flow: Arc<Microflow>,
        authority: Elevation,
        arguments: BTreeMap<Name, Value>,
    ) -> Result<Option<Value>, FlowError> {
        let mut frame = Frame::new(flow.clone(), authority);
        accept(&mut frame, arguments)?;
        self.context.budget.enter()?;
        let outer = std::mem::take(&mut self.used);
        let result = self.body(&mut frame, &flow.body);
        let used = std::mem::replace(&mut self.used, outer);
        self.context.budget.leave();
        if !flow.apply_entity_access {
            self.context.effects.elevated.push(ElevatedRun { flow: flow.name.clone(), used });
        }
        match result? {
            Next::End(value) => Ok(value),
            Next::On => Ok(None),
        }
    }

    pub(super) fn body(&mut self, frame: &mut Frame, activities: &[Activity]) -> Result<Next, FlowError> {
        for step in activities {
            let next = self.context.budget.step().and_then(|()| activity::carry_out(self, frame, &step.kind));
            match next {
                Ok(Next::On) => {}
                Ok(end) => return Ok(end),
                // What a flow that complained did not give back is not the fault to tell.
                Err(FlowError::Nothing(_)) if !self.outcome.feedback.is_empty() => {
                    return self.heed_feedback().map(|()| Next::On);
                }
                Err(mut error) => {
                    if let FlowError::Denied(denied) = &mut error
                        && denied.way.last().is_none_or(|(flow, _)| *flow != frame.flow.name)
                    {
                        denied.way.push((frame.flow.name.clone(), step.place.clone()));
                    }
                    let told = matches!(error, FlowError::Feedback(_) | FlowError::Raised(_));
                    let places = &mut self.context.effects.failed_at;
                    if !told && places.last().is_none_or(|(flow, _)| *flow != frame.flow.name) {
                        places.push((frame.flow.name.clone(), step.place.clone()));
                    }
                    return Err(error);
                }
            }
        }
        Ok(Next::On)
    }

    /// The value of an expression under the frame's authority.
    pub(super) fn value(&mut self, frame: &Frame, expression: &Typed) -> Result<Value, FlowError> {
        let roles = self.context.grants.roles().clone();
        let (user, now) = (self.context.account.map(|account| account.id), self.context.now);
        let environment = Environment { this: None, user, roles: &roles, now, variables: &frame.variables };
        let mut reading = self.reading(&frame.authority);
        let value = match evaluate_strictly(expression, &environment, &mut reading) {
            Ok(value) => value,
            Err(error) => return Err(reading.failed(error)),
        };
        match &value {
            Value::Text(text) if text.len() > LONGEST_TEXT => Err(FlowError::Exhausted("a text became longer than a mebibyte")),
            Value::List(ids) if ids.len() > LONGEST_LIST as usize => {
                Err(FlowError::Exhausted("a list has more than 10 000 elements"))
            }
            _ => Ok(value),
        }
    }

    /// The values of `set` or `with`.
    pub(super) fn values(&mut self, frame: &Frame, set: &[(Name, Typed)]) -> Result<BTreeMap<Name, Value>, FlowError> {
        set.iter().map(|(name, expression)| Ok((name.clone(), self.value(frame, expression)?))).collect()
    }

    pub(super) fn text(&mut self, frame: &Frame, template: &Template) -> Result<String, FlowError> {
        let (model, language) = (self.model.clone(), self.context.language);
        let mut length = 0_usize;
        text::render(template, &model, language, &mut |expression| {
            let value = self.value(frame, expression)?;
            length += value.as_text().map_or(64, str::len);
            if length > LONGEST_TEXT { Err(FlowError::Exhausted("a text became longer than a mebibyte")) } else { Ok(value) }
        })
    }

    /// A constraint of the model, with everything settled that is not about the row.
    pub(super) fn inside(&mut self, frame: &Frame, condition: &Typed) -> Result<Inside, FlowError> {
        let (condition, variables) = settle(condition, &mut |part| self.value(frame, part))?;
        Ok(Inside { condition, variables })
    }

    pub(super) fn reading<'a>(&'a mut self, authority: &'a dyn Authority) -> Reading<'a> {
        Reading {
            model: &self.model,
            objects: &mut *self.context.objects,
            memory: &mut self.memory,
            budget: &self.context.budget,
            account: self.context.account,
            authority,
            used: &mut self.used,
            failure: None,
            reads: 0,
            at: None,
        }
    }

    /// Loads the elements of a list that are not known yet, many at a time.
    pub(super) fn prefetch(&mut self, frame: &Frame, entity: &QName, ids: &[ObjectId]) -> Result<(), FlowError> {
        const AT_ONCE: usize = 500;
        let stored = self.model.entity(entity).is_some_and(|found| found.persistable);
        let rights = frame.authority.rights().key.clone();
        let unknown = |id: &&ObjectId| self.memory.recall(&rights, entity, **id).is_none();
        let missing: Vec<ObjectId> = ids.iter().filter(unknown).copied().collect();
        if !stored || missing.len() < 2 || !frame.authority.rights().entities.contains_key(entity) {
            return Ok(());
        }
        for chunk in missing.chunks(AT_ONCE) {
            let inside = Inside::one_of(entity, chunk);
            let limit = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
            let query = Query { inside: Some(inside), limit, ..Query::of(entity, Vec::new()) };
            self.reading(&frame.authority).find(&query)?;
        }
        Ok(())
    }
}

/// Puts the arguments in place: each parameter has one, and there are no others.
fn accept(frame: &mut Frame, mut arguments: BTreeMap<Name, Value>) -> Result<(), FlowError> {
    let flow = frame.flow.clone();
    let broken = |text: String| Err(FlowError::Broken(format!("{}: {text}", flow.name)));
    for (name, kind) in &flow.parameters {
        let value = arguments.remove(name).unwrap_or(Value::Empty);
        let fits = match (kind, &value) {
            (Kind::Boolean, Value::Empty) => {
                frame.put(name, kind, Value::Boolean(false))?;
                continue;
            }
            (Kind::List(_), Value::List(_)) | (Kind::Object(_), Value::Object(_)) | (_, Value::Empty) => true,
            (Kind::List(_) | Kind::Object(_), _) | (_, Value::List(_) | Value::Object(_)) => false,
            _ => true,
        };
        if !fits {
            return broken(format!("the argument {name} is not {}", kind.describe()));
        }
        frame.put(name, kind, value)?;
    }
    match arguments.keys().next() {
        Some(name) => broken(format!("there is no parameter {name}")),
        None => Ok(()),
    }
}
