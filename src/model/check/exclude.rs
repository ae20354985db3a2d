//! `exclude`: what may be compared, and which ranges there are.

use super::super::source::{self, At, Text};
use super::super::types::{AttributeKind, Entity, Exclusion, Multiplicity};
use super::checker::{Checker, Here};
use crate::domain::Name;

/// Longer texts do not fit into the index that compares them.
const LONGEST: u32 = 200;

impl Checker<'_> {
    pub(super) fn exclusion(&mut self, here: &Here, entity: &Entity, written: &source::Exclusion) -> Option<Exclusion> {
        let place = written.overlap.first().or_else(|| written.same.first()).cloned();
        let place = place.unwrap_or_else(|| At { value: String::new(), line: entity.place.line, column: entity.place.column });
        if !entity.persistable {
            self.error(here, &place, "exclude", "only a persistable entity can have `exclude`: it compares stored objects", None);
            return None;
        }
        let same: Vec<Option<Name>> = written.same.iter().map(|at| self.comparable(here, entity, at)).collect();
        let (from, to) = self.range(here, entity, written, &place)?;
        let member = match &written.member {
            Some(at) => self.own_member(here, entity, at)?,
            None => from.clone(),
        };
        let same: Vec<Name> = same.into_iter().collect::<Option<_>>()?;
        Some(Exclusion { same, from, to, member, message: written.message.clone() })
    }

    /// A member of which two objects can have the same.
    fn comparable(&mut self, here: &Here, entity: &Entity, at: &Text) -> Option<Name> {
        let name = self.own_member(here, entity, at)?;
        let many = entity.associations.get(&name).is_some_and(|a| a.multiplicity == Multiplicity::ManyToMany);
        let attribute = entity.attributes.get(&name);
        let long = attribute.is_some_and(|a| match a.kind {
            AttributeKind::Text => true,
            AttributeKind::String(length) => length > LONGEST,
            _ => false,
        });
        if many || is_calculated(entity, &name) {
            let message = format!("`same` compares stored attributes and to-one associations; `{name}` is neither");
            self.error(here, at, "exclude", message, None);
            return None;
        }
        if long {
            let hint = Some(format!("give it a `length` of at most {LONGEST}"));
            self.error(here, at, "exclude", format!("`{name}` is too long to be compared in `same`"), hint);
            return None;
        }
        Some(name)
    }

    /// The two ends of the range.
    fn range(&mut self, here: &Here, entity: &Entity, written: &source::Exclusion, place: &Text) -> Option<(Name, Name)> {
        let [from, to] = written.overlap.as_slice() else {
            let hint = Some("overlap: [from, to]".to_owned());
            self.error(here, place, "exclude", "`overlap` names two attributes: where the range begins and where it ends", hint);
            return None;
        };
        let (first, last) = (self.own_member(here, entity, from)?, self.own_member(here, entity, to)?);
        let kind = |name: &Name| entity.attributes.get(name).map(|a| a.kind.clone());
        let dates = matches!(
            (kind(&first), kind(&last)),
            (Some(AttributeKind::Date), Some(AttributeKind::Date))
                | (Some(AttributeKind::DateTime), Some(AttributeKind::DateTime))
        );
        if !dates || first == last || is_calculated(entity, &first) || is_calculated(entity, &last) {
            let message = "`overlap` needs two different stored attributes, both of type date or both of type datetime";
            self.error(here, from, "exclude", message, None);
            return None;
        }
        Some((first, last))
    }
}

fn is_calculated(entity: &Entity, name: &Name) -> bool {
    entity.attributes.get(name).is_some_and(|attribute| attribute.calculated.is_some())
}
