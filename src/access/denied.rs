//! A refusal and its reason.

use super::explain::Question;
use super::ground::Ground;
use crate::domain::{Name, QName};
use crate::model::{Deny, Place};

/// Which layer refused (the table in docs/ARCHITECTURE.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of the table")]
pub enum Layer {
    Gate,
    Identity,
    PageAccess,
    ActionAccess,
    EntityAccess,
    Release,
    DatabaseEngine,
}

impl Layer {
    /// All of them, from the outside in.
    pub const ALL: [Self; 7] = [
        Self::Gate,
        Self::Identity,
        Self::PageAccess,
        Self::ActionAccess,
        Self::EntityAccess,
        Self::Release,
        Self::DatabaseEngine,
    ];

    /// Reads back what [`Layer::title`] wrote.
    pub fn parse(title: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.title() == title)
    }

    /// Its number and name in the documents.
    pub fn title(self) -> &'static str {
        match self {
            Self::Gate => "1, gate",
            Self::Identity => "2, identity",
            Self::PageAccess => "3, page access",
            Self::ActionAccess => "4, action access",
            Self::EntityAccess => "5, entity access",
            Self::Release => "6, release",
            Self::DatabaseEngine => "7, database engine",
        }
    }
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No rule of the caller's roles grants this.
    NoRule {
        /// What was wanted, as in `open hr.Salaries`.
        wanted: String,
        /// The caller's user roles.
        roles: Vec<Name>,
    },
    /// A guardrail denies it whatever is granted.
    Guardrail {
        /// Its documentation.
        doc: String,
        /// What it denies.
        act: Deny,
    },
    /// The rules that grant it do not hold for this object (or it does not exist).
    RowCondition {
        /// The entity.
        entity: QName,
        /// The rules that were tried, by number.
        rules: Vec<usize>,
    },
    /// The changed or new row would satisfy no rule that lets these members be written (or created, when there are none).
    NewRow(QName, Vec<Name>),
    /// A member that may not be written was sent.
    Member(QName, Name),
    /// No rule of the model: something that the product itself keeps shut, in plain words.
    Other(Ground, String),
}

/// Two layers decided differently about one thing: an incident. The request is refused, and a
/// critical event names both decisions (compromise recording).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layers disagree about {about}: {first:?} against {second:?}")]
pub struct Disagreement {
    /// What they decided about, as in `hr.Employee#7.salary`; without values of the app.
    pub about: String,
    /// A layer and what it decided.
    pub first: (Layer, String),
    /// The other layer and what it decided.
    pub second: (Layer, String),
}

/// A refusal. Nothing was done and nothing was shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused at {layer:?}: {reason:?}")]
pub struct Denied {
    /// Who refused.
    pub layer: Layer,
    /// Why.
    pub reason: Reason,
    /// The answer must not tell whether the thing exists (404 in place of 403).
    pub conceal: bool,
    /// What was wanted, when the reason alone does not tell.
    pub about: Option<Box<Question>>,
    /// Where microflows stood that wanted it, innermost first; empty when a page did.
    pub way: Vec<(QName, Place)>,
}

impl Denied {
    /// A refusal that may be told as one.
    pub fn new(layer: Layer, reason: Reason) -> Self {
        Self { layer, reason, conceal: false, about: None, way: Vec::new() }
    }
    /// A refusal that looks as if the thing did not exist.
    pub fn concealed(layer: Layer, reason: Reason) -> Self {
        Self { layer, reason, conceal: true, about: None, way: Vec::new() }
    }
    /// Says what was wanted, unless that is known already.
    #[must_use]
    pub fn about(mut self, question: Question) -> Self {
        self.about.get_or_insert(Box::new(question));
        self
    }
    /// What keeps the door shut beside the rules of the model, if something does.
    pub fn ground(&self) -> Option<Ground> {
        if let Reason::Other(ground, _) = &self.reason { Some(*ground) } else { None }
    }
    /// One line for the audit trail and the log.
    pub fn summary(&self) -> String {
        match &self.reason {
            Reason::NoRule { wanted, .. } => format!("no rule grants: {wanted}"),
            Reason::Guardrail { doc, .. } => format!("guardrail: {doc}"),
            Reason::RowCondition { entity, rules } => format!("no such object of {entity} within rules {rules:?}"),
            Reason::NewRow(entity, _) => format!("the changed object of {entity} would satisfy no rule"),
            Reason::Member(entity, member) => format!("{entity}.{member} may not be written"),
            Reason::Other(_, text) => text.clone(),
        }
    }
}
