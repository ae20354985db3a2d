//! A button: shown only to those who may do what it does.

use crate::model::{Action, Button, ButtonStyle};
use crate::page::PageError;
use crate::page::told::Told;
use crate::page::view::ButtonNode;
use crate::page::walk::{Life, Offer, Scope, Walk};

/// The button, or `None` when it is not for this caller.
pub(super) fn button(walk: &mut Walk<'_, '_>, id: &str, button: &Button, scope: &Scope) -> Result<Option<ButtonNode>, PageError> {
    let href = match &button.action {
        Action::Open(open) => match walk.href(open, scope)? {
            Some(href) => Some(href),
            None => return Ok(None),
        },
        action if may(walk, action, scope)? => None,
        _ => return Ok(None),
    };
    let caption = walk.plain(&button.caption, scope)?;
    let confirm = button.confirm.as_ref().map(|question| walk.plain(question, scope)).transpose()?;
    let sends = href.is_none();
    let mut value = None;
    if sends {
        walk.form(&scope.form);
        value = Some(send(walk, id, button, scope)?);
        offer(walk, id, button, scope, &caption, confirm.as_ref())?;
    }
    let mark = walk.mark_button(button, scope)?;
    let in_document = scope.row.as_ref().map_or_else(|| id.to_owned(), |(number, _)| format!("{id}-{number}"));
    Ok(Some(ButtonNode {
        id: in_document,
        caption,
        style: match button.style {
            ButtonStyle::Primary => "primary",
            ButtonStyle::Secondary => "secondary",
            ButtonStyle::Danger => "danger",
            ButtonStyle::Link => "link",
        },
        icon: button.icon.clone(),
        confirm,
        form: sends.then(|| scope.form.clone()),
        value,
        novalidate: matches!(button.action, Action::Cancel | Action::Delete),
        mark,
        href,
    }))
}

/// What the button sends: its id, and in a row the row's handle and what is shown of what it acts on. That of the
/// others stands in the state of their form.
// SECURITY: sealed, so that nobody can claim to have seen what they were not shown (test
// `a_row_button_acts_on_what_was_shown_and_on_nothing_later`).
fn send(walk: &mut Walk<'_, '_>, id: &str, button: &Button, scope: &Scope) -> Result<String, PageError> {
    if walk.act.is_some() {
        return Ok(id.to_owned());
    }
    let shown = walk.shown(&button.action, scope)?;
    Ok(match &scope.row {
        Some((_, handle)) => format!("{id}:{handle}:{}", walk.seal_row(id, handle, &shown)),
        None => {
            walk.offers(&scope.form, id, &shown);
            id.to_owned()
        }
    })
}

fn may(walk: &mut Walk<'_, '_>, action: &Action, scope: &Scope) -> Result<bool, PageError> {
    let unguarded = walk.is_unguarded();
    Ok(match action {
        Action::Open(_) => false,
        Action::Run { microflow, .. } => walk.context.grants.run(microflow).is_ok(),
        Action::Save { .. } => scope.view.is_some() && scope.row.is_none() && (scope.saves || unguarded),
        Action::Cancel => true,
        Action::Delete => {
            let Some(this) = scope.this.clone().filter(|this| this.life != Life::New) else { return Ok(false) };
            if unguarded {
                return Ok(true);
            }
            let granted = walk.authority().delete(&this.entity).is_ok();
            granted && walk.could(&this, |rule| rule.delete, scope)?
        }
    })
}

/// In a deed: notes the button that was used, now that it is known to be offered.
fn offer(
    walk: &mut Walk<'_, '_>,
    id: &str,
    button: &Button,
    scope: &Scope,
    caption: &Told<String>,
    confirm: Option<&Told<String>>,
) -> Result<(), PageError> {
    let used = walk.act.as_ref().is_some_and(|act| act.button == id && act.row.is_some() == scope.row.is_some());
    if used {
        let shown = walk.shown(&button.action, scope)?;
        walk.offer = Some(Offer {
            action: button.action.clone(),
            caption: caption.peek().clone(),
            danger: button.style == ButtonStyle::Danger,
            confirm: confirm.map(|question| question.peek().clone()),
            scope: scope.clone(),
            shown,
        });
    }
    Ok(())
}
