//! Which forms may be carried out once only.

use super::{Deed, Target};
use crate::domain::QName;
use crate::model::Model;
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
    let unstored = state.views.values().any(|view| !matches!(view, ViewState::Stored { .. }));
    let does = match flow {
        _ if makes => "new".to_owned(),
        Some(flow) if unstored => format!("run {flow}"),
        _ => return None,
    };
    (!state.nonce.is_empty()).then(|| format!("{}\n{does}", state.nonce))
}
