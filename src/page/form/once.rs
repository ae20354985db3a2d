//! Which forms may be carried out once only.

use super::{Deed, Target};
use crate::domain::QName;
use crate::model::{Action, Model, Page, WidgetKind, each_widget};
use crate::page::context::{FormState, ViewState};

/// What a form is known by, if it must not be carried out twice: when it makes an object that is stored, or runs a
/// microflow with an object that is not stored. Which of its buttons made the object is all the same.
pub fn once(model: &Model, state: &FormState, deed: &Deed) -> Option<String> {
    let stored = |entity: &QName| model.entity(entity).is_none_or(|found| found.persistable);
    let (changes, flow) = match deed {
        Deed::Save { changes, .. } => (changes, None),
        Deed::Run { changes, microflow, .. } => (changes, Some(microflow)),
        Deed::Delete { .. } | Deed::Cancel | Deed::Confirm { .. } => return None,
    };
    let makes = changes.iter().any(|change| change.target == Target::New && stored(&change.entity));
    known(state, makes, flow)
}

/// What a form would be known by, going by its page alone: it may have been carried out before, and what it acts on be
/// another since.
pub fn once_before(model: &Model, page: &Page, state: &FormState, posted: &[(String, String)]) -> Option<String> {
    let act = posted.iter().find(|(key, _)| key == "_do").and_then(|(_, act)| act.split(':').next())?;
    let stored = |entity: &QName| model.entity(entity).is_none_or(|found| found.persistable);
    let (mut makes, mut flow) = (false, None);
    each_widget(&page.content, &mut |widget| match &widget.kind {
        WidgetKind::DataView(view) => makes |= state.views.get(&widget.id) == Some(&ViewState::New) && stored(&view.entity),
        WidgetKind::Button(button) if widget.id == act => {
            flow = if let Action::Run { microflow, .. } = &button.action { Some(microflow.clone()) } else { None };
        }
        _ => {}
    });
    known(state, makes, flow.as_ref())
}

fn known(state: &FormState, makes: bool, flow: Option<&QName>) -> Option<String> {
    let unstored = state.views.values().any(|view| !matches!(view, ViewState::Stored { .. }));
    let does = match flow {
        _ if makes => "new".to_owned(),
        Some(flow) if unstored => format!("run {flow}"),
        _ => return None,
    };
    (!state.nonce.is_empty()).then(|| format!("{}\n{does}", state.nonce))
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Target};
    use super::*;
    use crate::domain::ObjectId;
    use crate::model::{Files, load};
    use std::collections::BTreeMap;

    const APP: &str = "app: x\ntitle: X\nlevel: prototype\nlanguage: en\nmodules: [m]\nuserRoles:\n  A: {moduleRoles: [m.R]}\n";
    const DOMAIN: &str = "entities:\n  Kept:\n    attributes: {note: {type: string}}\n  Held:\n    persistable: false\n    attributes: {note: {type: string}}\n";

    #[test]
    fn what_makes_something_or_starts_a_flow_with_what_is_not_stored_is_known_again_and_nothing_else() {
        let files = [("app.yaml", APP), ("m/module.yaml", "roles: {R: Works}\n"), ("m/domain.yaml", DOMAIN)];
        let model = load(&Files::of(files)).0.unwrap();
        let name = |text: &str| QName::new("m", text);
        let change = |entity: &str, target| Change { view: "v".into(), entity: name(entity), target, values: BTreeMap::new() };
        let save = |changes| Deed::Save { changes, close: true, message: None };
        let run = |flow: &str, changes| Deed::Run { microflow: name(flow), arguments: Vec::new(), changes };
        let state = |nonce: &str, view| FormState {
            page: "m.P".into(),
            model: String::new(),
            form: "f".into(),
            arguments: BTreeMap::new(),
            nonce: nonce.into(),
            views: [("v".to_owned(), view)].into(),
            drawn: None,
        };
        let (new, stored) = (state("n", ViewState::New), state("n", ViewState::Stored { handle: "h".into(), version: 1 }));
        let known = |state: &FormState, deed: &Deed| once(&model, state, deed);

        let made = known(&new, &save(vec![change("Kept", Target::New)]));
        assert!(made.is_some());
        assert_eq!(made, known(&new, &run("F", vec![change("Kept", Target::New)])), "whichever button makes it");
        assert_ne!(made, known(&state("other", ViewState::New), &save(vec![change("Kept", Target::New)])));
        let (first, second) = (run("F", vec![change("Held", Target::New)]), run("G", vec![change("Held", Target::New)]));
        assert!(known(&new, &first).is_some() && known(&new, &first) != known(&new, &second), "two flows are two deeds");
        assert!(known(&state("n", ViewState::Fresh { handle: "~".into() }), &run("F", Vec::new())).is_some());

        assert_eq!(known(&stored, &save(vec![change("Kept", Target::Stored(ObjectId(1), 1))])), None, "its version guards it");
        assert_eq!(known(&stored, &run("F", Vec::new())), None);
        assert_eq!(known(&new, &save(vec![change("Held", Target::New)])), None, "nothing is stored");
        assert_eq!(known(&new, &Deed::Cancel), None);
        assert_eq!(
            known(&state("", ViewState::New), &save(vec![change("Kept", Target::New)])),
            None,
            "drawn by an older program"
        );
    }
}
