//! Why: a decision with its reasons as a tree, for those who may know them.
//!
//! Guarantees: the decision is what the layer that decides would say (the store's tests hold the two together); the
//! tree tells whoever asks for it nothing that their own rights withhold. A value is named, and whether a comparison
//! holds is told, only when the asker may read every member that went into it, in that very row. What is put together
//! from withheld parts is withheld too, unless the rest decides it; so no tree answers a question that its reader
//! could not answer alone. The operator at the command line is nobody's reader and sees all.
//! Deliberately not here: reading data (the store brings [`Facts`]).

mod absent;
mod condition;
mod decide;
mod ground;
mod question;
mod rule;
mod sight;
#[cfg(test)]
mod tests;
mod text;
mod wish;
mod within;

pub use absent::depends_on_choice;
pub use decide::explain;
pub use ground::grounded;
pub use question::{Op, Question, Wanted};
pub use rule::inspect;

use super::denied::Layer;
use super::objects::{Inside, Total};
use super::rights::Rights;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Data, EvalError};
use crate::model::Model;
use chrono::NaiveDateTime;
use serde::Serialize;

/// What explanations are computed from, whoever may see it.
pub trait Facts: Data {
    /// Whether there is such an object.
    fn exists(&mut self, entity: &QName, object: ObjectId) -> Result<bool, EvalError>;
}

/// No facts: for decisions that need none, and for objects that no store knows. Whatever is asked stays undecided.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl Data for NoFacts {
    fn member(&mut self, _: &QName, _: ObjectId, _: &Name) -> Result<Value, EvalError> {
        Err(EvalError::Data("nothing is stored here".into()))
    }
    fn many(&mut self, _: &QName, _: ObjectId, _: &Name) -> Result<Vec<ObjectId>, EvalError> {
        Err(EvalError::Data("nothing is stored here".into()))
    }
}

impl Facts for NoFacts {
    fn exists(&mut self, _: &QName, _: ObjectId) -> Result<bool, EvalError> {
        Ok(true)
    }
}

/// Somebody, with the rights of their user roles.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// The rights.
    pub rights: &'a Rights,
    /// The account; `None` for a visitor.
    pub user: Option<ObjectId>,
}

/// Whose decision is explained to whom.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The model.
    pub model: &'a Model,
    /// Who wanted something.
    pub subject: Person<'a>,
    /// Who asks for the reasons; `None` is the operator, who sees all.
    pub asker: Option<Person<'a>>,
    /// The moment of the decision.
    pub now: NaiveDateTime,
}

/// Whether something holds, as far as the asker may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It depends on what is withheld from the asker.
    Withheld,
    /// It cannot be said: there is no object yet, or an evaluation failed. Where a decision is needed this is no.
    Undecided,
}

/// What a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// A page, a microflow or a part of the administration that names roles.
    Place,
    /// A guardrail.
    Guardrail,
    /// An access rule.
    Rule,
    /// A part of a condition.
    Part,
    /// A remark.
    Note,
}

/// A value that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Compared {
    /// The expression, as its author wrote it.
    pub of: String,
    /// What it came to; `None` is withheld from the asker.
    pub value: Option<String>,
}

/// A reason, and those it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Step {
    /// What it is about.
    pub kind: StepKind,
    /// Whether it holds.
    pub holds: Holds,
    /// In words.
    pub text: String,
    /// Where it is written: file and line.
    pub place: Option<String>,
    /// The values that were compared.
    pub values: Vec<Compared>,
    /// What it is made of.
    pub parts: Vec<Step>,
}

impl Step {
    fn new(kind: StepKind, holds: Holds, text: impl Into<String>) -> Self {
        Self { kind, holds, text: text.into(), place: None, values: Vec::new(), parts: Vec::new() }
    }
    /// The same without what was compared: for lists, where a reason stands for many objects.
    pub fn without_values(mut self) -> Self {
        self.values.clear();
        self.parts = self.parts.into_iter().map(Self::without_values).collect();
        self
    }
}

/// A decision with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was wanted.
    pub question: String,
    /// The user roles of whoever wanted it.
    pub roles: Vec<String>,
    /// Whether it is granted.
    pub granted: Holds,
    /// The layer that decides.
    pub layer: Layer,
    /// The decision in a sentence.
    pub summary: String,
    /// The reasons.
    pub reasons: Vec<Step>,
    /// What would change it.
    pub would_change: Vec<String>,
}

/// What a page asks about its objects, for the overlay of reasons.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// The objects; at most [`MOST_INSPECTED`] are looked at.
    pub objects: Vec<ObjectId>,
    /// What is to be explained in full.
    pub questions: Vec<Question>,
    /// How many objects the model's constraint admits, whoever may see them: `Some(None)` without a constraint.
    pub existing: Option<Option<Inside>>,
}

/// The most objects of one inspection.
pub const MOST_INSPECTED: usize = 100;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Per object, each rule that the reader has about its entity, in the order of their rights.
    pub objects: Vec<Vec<Step>>,
    /// The answers, in the order of the questions.
    pub explanations: Vec<Explanation>,
    /// How many exist; `None` when that is not told.
    pub existing: Option<Total>,
}
