//! Questions about a model that more than one layer asks.

use super::check::{each_activity, each_widget};
use super::types::*;
use crate::domain::{Name, QName};
use crate::expr::{Typed, sql_gap};

impl Model {
    /// Why the database does not compute the member at the end of a path of stored objects: then nothing can be sorted,
    /// filtered, searched or summed by it. `None` when it does.
    pub fn memory_only(&self, entity: &QName, path: &[Name]) -> Option<String> {
        let (last, way) = path.split_last()?;
        let mut at = self.entities.get(entity)?;
        for name in way {
            let own = at.associations.get(name).map(|association| &association.target);
            at = self.entities.get(own.or_else(|| at.inverses.get(name).map(|inverse| &inverse.owner))?)?;
        }
        let calculated = at.attributes.get(last).filter(|_| at.persistable)?.calculated.as_ref()?;
        sql_gap(calculated).map(|gap| gap.message)
    }

    /// The page on which a visitor registers: one that the anonymous role may open, with a button
    /// that runs a flow which registers.
    pub fn registration_page(&self) -> Option<&QName> {
        let role = self.user_roles.get(self.anonymous_role()?)?;
        let mut open =
            self.pages.values().filter(|page| !page.roles.is_disjoint(&role.module_roles) && page.parameters.is_empty());
        open.find(|page| self.registers(page)).map(|page| &page.name)
    }

    fn registers(&self, page: &Page) -> bool {
        let mut found = false;
        each_widget(&page.content, &mut |widget| {
            if let WidgetKind::Button(Button { action: Action::Run { microflow, .. }, .. }) = &widget.kind {
                found |= self.microflows.get(microflow).is_some_and(|flow| flow_registers(flow));
            }
        });
        found
    }
}

impl Page {
    /// The constraints that its lists and choices put to the store, each with the entity it is about.
    pub fn constraints(&self) -> Vec<(&QName, &Typed)> {
        let mut found = Vec::new();
        each_widget(&self.content, &mut |widget| {
            let (entity, condition) = match &widget.kind {
                WidgetKind::DataGrid(grid) => (&grid.source.entity, &grid.source.condition),
                WidgetKind::ListView(list) => (&list.source.entity, &list.source.condition),
                WidgetKind::Stat(stat) => (&stat.source.entity, &stat.source.condition),
                WidgetKind::Reference(reference) => (&reference.target, &reference.condition),
                _ => return,
            };
            found.extend(condition.as_ref().map(|condition| (entity, condition)));
        });
        found
    }
}

impl Microflow {
    /// The constraints that its retrievals put to the store, each with the entity it is about.
    pub fn constraints(&self) -> Vec<(&QName, &Typed)> {
        let mut found = Vec::new();
        each_activity(&self.body, &mut |activity| {
            if let ActivityKind::Retrieve { entity, condition: Some(condition), .. } = &activity.kind {
                found.push((entity, condition));
            }
        });
        found
    }

    /// The microflows that it calls.
    pub fn calls(&self) -> Vec<&QName> {
        let mut found = Vec::new();
        each_activity(&self.body, &mut |activity| {
            if let ActivityKind::Call { microflow, .. } = &activity.kind {
                found.push(microflow);
            }
        });
        found
    }
}

fn flow_registers(flow: &Microflow) -> bool {
    let mut found = false;
    each_activity(&flow.body, &mut |activity| found |= matches!(activity.kind, ActivityKind::Register { .. }));
    found
}

#[cfg(test)]
mod tests {
    use crate::model::{Files, load};
    use std::path::Path;

    #[test]
    fn the_page_on_which_a_visitor_registers_is_found_in_the_model() {
        let read = |app: &str| load(&Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(app)).unwrap()).0.unwrap();
        assert_eq!(read("apps/people").registration_page().map(ToString::to_string).as_deref(), Some("hiring.RegistrationForm"));
        assert_eq!(read("tests/apps/library").registration_page().map(ToString::to_string).as_deref(), Some("lending.JoinForm"));
    }
}
