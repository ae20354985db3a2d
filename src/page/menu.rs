//! The menu and the start page, as far as they are the caller's.

use super::query::path;
use super::view::MenuMark;
use crate::access::Grants;
use crate::domain::QName;
use crate::model::{MenuItem, Navigation};
use serde::Serialize;

/// An entry of the menu: a link, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MenuEntry {
    /// Caption.
    pub title: String,
    /// Icon name.
    pub icon: Option<String>,
    /// Where it leads; a group leads nowhere itself.
    pub href: Option<String>,
    /// It is, or holds, the present page.
    pub active: bool,
    /// Entries of a group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<MenuEntry>,
}

/// The caller's menu: of all their roles together, only pages they may open, each once.
pub fn menu(grants: &Grants, language: &str, current: Option<&QName>) -> Vec<MenuEntry> {
    let mut entries: Vec<MenuEntry> = Vec::new();
    for item in navigation(grants).flat_map(|navigation| &navigation.menu) {
        let Some(entry) = entry(grants, language, current, item) else { continue };
        match entries.iter_mut().find(|known| known.title == entry.title && known.href == entry.href) {
            Some(known) => {
                let more: Vec<_> = entry.items.into_iter().filter(|item| !known.items.contains(item)).collect();
                known.items.extend(more);
                known.active |= entry.active;
            }
            None => entries.push(entry),
        }
    }
    entries
}

/// The caller's start page: the first that they may open.
pub fn home(grants: &Grants) -> Option<QName> {
    navigation(grants).filter_map(|navigation| navigation.home.clone()).find(|page| grants.open(page).is_ok())
}

/// The entries of the app's menus that the caller does not have, each page once, with what `why` says of it.
pub(super) fn absent(grants: &Grants, language: &str, why: impl Fn(&QName) -> String) -> Vec<MenuMark> {
    let mut found: Vec<MenuMark> = Vec::new();
    let mut open: Vec<&MenuItem> = grants.model().navigation.iter().rev().flat_map(|all| all.menu.iter().rev()).collect();
    while let Some(item) = open.pop() {
        open.extend(item.items.iter().rev());
        let Some(page) = item.page.as_ref().filter(|page| grants.open(page).is_err()) else { continue };
        if !found.iter().any(|known| known.page == page.to_string()) {
            let title = grants.model().translate(language, &item.title).to_owned();
            found.push(MenuMark { title, page: page.to_string(), why: why(page) });
        }
    }
    found
}

fn navigation(grants: &Grants) -> impl Iterator<Item = &Navigation> {
    grants.model().navigation.iter().filter(|navigation| !navigation.user_roles.is_disjoint(grants.roles()))
}

fn entry(grants: &Grants, language: &str, current: Option<&QName>, item: &MenuItem) -> Option<MenuEntry> {
    let items: Vec<_> = item.items.iter().filter_map(|item| entry(grants, language, current, item)).collect();
    let open = item.page.as_ref().filter(|page| grants.open(page).is_ok());
    if open.is_none() && items.is_empty() {
        return None;
    }
    let active = open.is_some_and(|page| Some(page) == current) || items.iter().any(|item| item.active);
    let title = grants.model().translate(language, &item.title).to_owned();
    Some(MenuEntry { title, icon: item.icon.clone(), href: open.map(path), active, items })
}
