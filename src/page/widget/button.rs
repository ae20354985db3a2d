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
    if sends {
        walk.form(&scope.form);
        offer(walk, id, button, scope, &caption, confirm.as_ref());
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
        value: sends.then(|| value(id, scope)),
        novalidate: matches!(button.action, Action::Cancel | Action::Delete),
        mark,
        href,
    }))
}

/// What the button sends: its id, and in a row the row's handle and version.
fn value(id: &str, scope: &Scope) -> String {
    let version = scope.this.as_ref().map_or(0, |this| if let Life::Stored(version) = this.life { version } else { 0 });
    match &scope.row {
        Some((_, handle)) => format!("{id}:{handle}:{version}"),
        None => id.to_owned(),
    }
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
            let rules = walk.rules(&this.entity, |rule| rule.delete);
            // In rows only the right as such is asked: one condition a row would be many questions.
            granted && (scope.row.is_some() || walk.could_hold(&this, &rules, scope)?)
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
) {
    let used = walk.act.as_ref().is_some_and(|act| act.button == id && act.row.is_some() == scope.row.is_some());
    if used {
        walk.offer = Some(Offer {
            action: button.action.clone(),
            caption: caption.peek().clone(),
            danger: button.style == ButtonStyle::Danger,
            confirm: confirm.map(|question| question.peek().clone()),
            scope: scope.clone(),
        });
    }
}
