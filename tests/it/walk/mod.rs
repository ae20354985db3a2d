//! The walk of the access matrix: what the matrix says, the server does, and nothing besides.

mod kinds;
mod oracle;
mod places;
mod probe;
mod reading;
mod writing;

use crate::support::server::{Server, Setup};
use crate::support::{app, project};
use oracle::{Oracle, Who};
use portcullis::domain::{Name, ObjectId, QName};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The probing copy of `apps/people`, written once in this process.
fn probing_app() -> &'static PathBuf {
    static WRITTEN: OnceLock<PathBuf> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("seeded-{}-probe", std::process::id()));
        probe::copy_of(&project("apps/people"), &app("apps/people"), &folder);
        folder
    })
}

fn probing() -> Server {
    Setup::of(probing_app()).run()
}

/// Each user role with the demo user who has it alone; `None` for visitors.
fn everybody(server: &Server) -> Vec<(Name, Option<String>)> {
    let model = server.web().app.live().model.clone();
    let key = |role: &Name| {
        let only = model.demo_users.iter().find(|user| user.user_roles.len() == 1 && user.user_roles.contains(role));
        only.map(|user| user.key.to_string())
    };
    let all: Vec<_> = model.user_roles.keys().map(|role| (role.clone(), key(role))).collect();
    assert!(all.iter().all(|(role, key)| key.is_some() != model.user_roles[role].anonymous), "a role has no demo user: {all:?}");
    all
}

/// The account of a demo user.
fn account(oracle: &Oracle, server: &Server, key: &str) -> ObjectId {
    let model = server.web().app.live().model.clone();
    let email = &model.demo_users.iter().find(|user| user.key.as_str() == key).unwrap().email;
    let users = &oracle.rows[&QName::parse("system.User").unwrap()];
    let found = users.iter().find(|(_, row)| row.values().any(|value| value.as_text() == Some(email)));
    *found.unwrap_or_else(|| panic!("no account of {email}")).0
}

fn who(oracle: &Oracle, server: &Server, role: &Name, key: Option<&str>) -> Who {
    Who { role: role.clone(), user: key.map(|key| account(oracle, server, key)) }
}
