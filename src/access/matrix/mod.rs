//! The effective rights matrix: what each user role may do, asked of the very code that the server asks.
//!
//! Guarantees: every page, microflow, snapshot, entity, member, part of the administration and user role of the
//! model has its rows; each cell is what [`super::Grants`] of that role alone answers, guardrails included, so the
//! matrix cannot say more or less than the server does.
//! Deliberately not here: data, and what a person with several roles may do (rights add up, guardrails still deny).

mod compute;
mod doors;
mod render;
#[cfg(test)]
mod tests;

pub use doors::Doors;

use crate::domain::{Name, QName};
use serde::Serialize;

/// The version of the JSON shape: it changes when a key changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The matrix of a model, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// [`SCHEMA`]
    pub schema: u32,
    /// The app's name.
    pub app: String,
    /// The user roles, in the order of the cells.
    pub roles: Vec<String>,
    /// What there is to be done.
    pub rows: Vec<Line>,
    /// The access rules with a condition that cells refer to.
    pub rules: Vec<RuleLine>,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    /// A page, to be opened.
    Page,
    /// A microflow, to be run from a page.
    Microflow,
    /// A public snapshot, to be read.
    Snapshot,
    /// An entity, whose objects are created and deleted.
    Entity,
    /// An attribute or association, to be read and written.
    Member,
    /// A part of the administration, to be used.
    Administration,
    /// A user role, to be assigned to others.
    Role,
}

impl LineKind {
    /// All of them, in the order of the matrix.
    pub const ALL: [Self; 7] =
        [Self::Page, Self::Microflow, Self::Snapshot, Self::Entity, Self::Member, Self::Administration, Self::Role];

    /// The word for it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Microflow => "microflow",
            Self::Snapshot => "snapshot",
            Self::Entity => "entity",
            Self::Member => "member",
            Self::Administration => "administration",
            Self::Role => "role",
        }
    }
}

/// One row: one operation on one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is about.
    pub kind: LineKind,
    /// Its name.
    pub object: String,
    /// What would be done.
    pub operation: &'static str,
    /// What holds for all roles: the extra rights of an elevated microflow.
    pub note: String,
    /// The answer for each user role.
    pub cells: Vec<Verdict>,
}

/// Whether a role may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// In any case.
    Yes,
    /// For objects that satisfy one of the rules.
    Conditional,
    /// Never.
    No,
}

impl State {
    /// The word for it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Conditional => "conditional",
            Self::No => "no",
        }
    }
}

/// The answer for one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it may.
    pub state: State,
    /// The numbers of the rules that give it, when it depends on them.
    pub rules: Vec<usize>,
    /// Their conditions, or the guardrail that denies.
    pub note: String,
}

/// An access rule with a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleLine {
    /// The entity.
    pub entity: String,
    /// The number of the rule there.
    pub number: usize,
    /// The condition as written.
    pub condition: String,
    /// Its documentation line.
    pub doc: String,
}

impl Matrix {
    /// The matrix of one user role; `None` when the model has no such role.
    pub fn of_role(&self, role: &str) -> Option<Self> {
        let at = self.roles.iter().position(|name| name == role)?;
        let rows = self.rows.iter().map(|line| Line { cells: line.cells.get(at).cloned().into_iter().collect(), ..line.clone() });
        Some(Self { roles: vec![role.to_owned()], rows: rows.collect(), ..self.clone() }.with_its_rules())
    }

    /// The rows of a kind (all if left out) whose name contains a text, whatever its case.
    pub fn filtered(&self, kind: Option<LineKind>, text: &str) -> Self {
        let text = text.to_lowercase();
        let wanted = |line: &&Line| kind.is_none_or(|kind| line.kind == kind) && line.object.to_lowercase().contains(&text);
        Self { rows: self.rows.iter().filter(wanted).cloned().collect(), ..self.clone() }.with_its_rules()
    }

    /// The row, if there is one.
    pub fn line(&self, kind: LineKind, object: &str, operation: &str) -> Option<&Line> {
        self.rows.iter().find(|line| line.kind == kind && line.object == object && line.operation == operation)
    }

    /// Drops the rules that no row refers to.
    fn with_its_rules(mut self) -> Self {
        let Self { rows, rules, .. } = &mut self;
        rules.retain(|rule| {
            let refers = |line: &Line| {
                line.entity() == Some(rule.entity.as_str()) && line.cells.iter().any(|cell| cell.rules.contains(&rule.number))
            };
            rows.iter().any(refers)
        });
        self
    }
}

impl Line {
    /// The entity that its rules belong to.
    fn entity(&self) -> Option<&str> {
        match self.kind {
            LineKind::Entity => Some(&self.object),
            LineKind::Member => self.object.rsplit_once('.').map(|(entity, _)| entity),
            _ => None,
        }
    }
}

fn member_name(entity: &QName, member: &Name) -> String {
    format!("{entity}.{member}")
}
