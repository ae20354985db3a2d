//! What identity promises, on both databases.

mod accounts;
mod administrators;
mod demo;
mod links;
mod sessions;
mod sign_in;

use super::password::{ChosenPassword, HashSettings, Password};
use super::*;
use crate::audit::{Filter, Page, Record};
use crate::db::Db;
use crate::domain::Name;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

pub(super) const GOOD: &str = "correct horse battery";
pub(super) const OTHER: &str = "wholly different staple";

/// An identity with cheap hashes and a clock that stands still.
pub(super) fn identity() -> Identity {
    identity_with(Keys::ephemeral(), |_| ())
}

fn identity_with(keys: Keys, change: impl FnOnce(&mut IdentitySettings)) -> Identity {
    let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap().naive_utc();
    let mut settings = IdentitySettings {
        app: "People".into(),
        hash: HashSettings { memory_kib: 64, passes: 1, lanes: 1 },
        hashes_waiting: 1000,
        hash_patience: Duration::from_secs(60),
        ..IdentitySettings::default()
    };
    change(&mut settings);
    Identity::new(keys, Clock::fixed(start), "test", settings).unwrap()
}

fn names(roles: &[&str]) -> BTreeSet<Name> {
    roles.iter().map(|role| Name::from(*role)).collect()
}
fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}
fn home() -> IpAddr {
    address("192.0.2.1")
}
fn actor() -> Actor<'static> {
    Actor::system("test")
}
fn chosen(identity: &Identity, password: &str) -> ChosenPassword {
    identity.choose_password(&Password::new(password), "x@y.example", "Xavier").unwrap()
}

/// An active account of `email` with the password [`GOOD`].
fn active(identity: &Identity, db: &Db, email: &str, roles: &[&str]) -> AccountId {
    let (roles, chosen) = (names(roles), chosen(identity, GOOD));
    let new = NewAccount { email, name: "Ada Lovelace", roles: &roles };
    db.write(|conn| identity.create_account(conn, &actor(), &new, Some(&chosen))).unwrap()
}

fn try_sign_in(identity: &Identity, db: &Db, email: &str, password: &str, from: IpAddr) -> Result<PasswordVerified, SignInError> {
    identity.sign_in(db, Attempt { email, password: &Password::new(password), address: from, request_id: Some("r-1") })
}

/// A session of an account with the password [`GOOD`].
fn signed_in(identity: &Identity, db: &Db, email: &str) -> SessionToken {
    let proof = try_sign_in(identity, db, email, GOOD, home()).unwrap();
    identity.begin_session(db, proof, Device { address: home(), agent: "Firefox", replaces: None }).unwrap()
}

fn load(identity: &Identity, db: &Db, token: &SessionToken) -> Option<Session> {
    identity.load_session(db, token.expose()).unwrap()
}

/// The recorded events of one kind.
fn recorded(db: &Db, event: &str) -> Vec<Record> {
    let filter = Filter { event: Some(event.into()), ..Filter::default() };
    db.read(|conn| crate::audit::search(conn, &filter, &Page::latest(500))).unwrap().records
}
