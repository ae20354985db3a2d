//! What a plan comes to, in the words of the model and with counts: so much that it fits on a screen.

use super::Plan;
use super::layout::{Column, ColumnKind, TableLayout};
use crate::db::Dialect;
use std::collections::BTreeMap;

/// At most so many names stand in one line.
const MOST_NAMED: usize = 6;

/// What happens to something of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Drops,
    Adds,
    Renames,
    Changes,
    Fills,
}

/// What something of the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Entity,
    Attribute,
    Association,
    Index,
    Exclusion,
}

/// Everything that happens to the tables of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(BTreeMap<(Act, Thing), Vec<String>>);

impl Act {
    fn word(self) -> &'static str {
        match self {
            Self::Drops => "Drops",
            Self::Adds => "Adds",
            Self::Renames => "Renames",
            Self::Changes => "Changes",
            Self::Fills => "Fills",
        }
    }
}

impl Thing {
    /// What the values of a column are.
    pub(super) fn of_column(column: &Column) -> Self {
        if matches!(column.kind, ColumnKind::Reference { .. }) { Self::Association } else { Self::Attribute }
    }

    /// What a table was made for.
    pub(super) fn of_table(table: &TableLayout) -> Self {
        if table.link { Self::Association } else { Self::Entity }
    }

    fn words(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Entity, 1) => "entity",
            (Self::Entity, _) => "entities",
            (Self::Attribute, 1) => "attribute",
            (Self::Attribute, _) => "attributes",
            (Self::Association, 1) => "association",
            (Self::Association, _) => "associations",
            (Self::Index, 1) => "index",
            (Self::Index, _) => "indexes",
            (Self::Exclusion, 1) => "`exclude`",
            (Self::Exclusion, _) => "`exclude`s",
        }
    }
}

impl Changes {
    pub(super) fn note(&mut self, act: Act, thing: Thing, name: impl Into<String>) {
        self.0.entry((act, thing)).or_default().push(name.into());
    }

    /// Whether any table gets another shape: views stand on shapes, and not on indexes.
    pub(super) fn reshape(&self) -> bool {
        self.0.keys().any(|(_, thing)| !matches!(thing, Thing::Index | Thing::Exclusion))
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let line = |((act, thing), names): (&(Act, Thing), &Vec<String>)| {
            format!("{} {} {}: {}", act.word(), names.len(), thing.words(names.len()), some_of(names))
        };
        self.0.iter().map(line)
    }
}

/// The first of many, and how many more there are.
pub(super) fn some_of(names: &[String]) -> String {
    let first = names.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

impl Plan {
    /// What will be done, in the words of the model; [`Plan::losses`] names what is lost.
    pub fn summary(&self, dialect: Dialect) -> Vec<String> {
        let mut lines: Vec<String> = self.changes.lines().collect();
        if lines.is_empty() {
            // No table changes: what there is to do is a note.
            lines.extend(self.steps.iter().map(|step| capital(&step.what)));
        }
        lines.extend(self.engine.summary(dialect));
        lines
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_first_few_and_counts_the_others() {
        let mut changes = Changes::default();
        (0..200).for_each(|at| changes.note(Act::Adds, Thing::Entity, format!("m.E{at}")));
        changes.note(Act::Drops, Thing::Index, "m.E1 (name)");
        let lines: Vec<String> = changes.lines().collect();
        assert_eq!(lines, ["Drops 1 index: m.E1 (name)", "Adds 200 entities: m.E0, m.E1, m.E2, m.E3, m.E4, m.E5 and 194 more"]);
    }
}
