//! The raw writes that the deeds are made of. Each deed records itself; nothing here does.

use super::{AccountId, AccountState};
use crate::db::schema::{account, account_role};
use crate::db::{Conn, DbError, Moment, on};
use crate::domain::Name;
use crate::domain::text::{folded, look};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::BTreeSet;

/// A new row.
pub(in crate::identity) struct Row<'a> {
    pub(in crate::identity) email: &'a str,
    pub(in crate::identity) name: &'a str,
    pub(in crate::identity) state: AccountState,
    pub(in crate::identity) password_hash: Option<&'a str>,
    pub(in crate::identity) demo: bool,
}

/// Adds an account; `None` when the address is taken (also by a transaction that just ended), in whichever case and
/// composition.
pub(in crate::identity) fn insert(conn: &mut Conn, new: &Row<'_>, now: NaiveDateTime) -> Result<Option<AccountId>, DbError> {
    let now = Moment(now);
    let id: Option<i64> = on!(conn, |c| {
        let row = (
            account::name.eq(new.name),
            account::email.eq(new.email),
            account::email_key.eq(folded(new.email)),
            account::email_look.eq(look(new.email)),
            account::name_look.eq(look(new.name)),
            account::state.eq(new.state.as_str()),
            account::password_hash.eq(new.password_hash),
            account::demo.eq(new.demo),
            account::created.eq(now),
            account::changed.eq(now),
        );
        let insert = diesel::insert_into(account::table).values(row).on_conflict_do_nothing();
        insert.returning(account::id).get_result(c).optional()
    })?;
    Ok(id.map(AccountId))
}

/// The kept hash of an account's password.
pub(in crate::identity) fn password_hash(conn: &mut Conn, id: AccountId) -> Result<Option<String>, DbError> {
    let hash: Option<Option<String>> =
        on!(conn, |c| { account::table.filter(account::id.eq(id.0)).select(account::password_hash).get_result(c).optional() })?;
    Ok(hash.flatten())
}

/// Sets (or removes) the hash and the state, as a new version.
pub(in crate::identity) fn set_access(
    conn: &mut Conn,
    id: AccountId,
    hash: Option<&str>,
    state: AccountState,
    now: NaiveDateTime,
) -> Result<(), DbError> {
    on!(conn, |c| {
        let set = (
            account::password_hash.eq(hash),
            account::state.eq(state.as_str()),
            account::version.eq(account::version + 1),
            account::changed.eq(Moment(now)),
        );
        diesel::update(account::table.filter(account::id.eq(id.0))).set(set).execute(c)
    })?;
    Ok(())
}

/// Replaces one kept hash by another of the same password; nothing happens when it changed meanwhile.
pub(in crate::identity) fn renew_hash(conn: &mut Conn, id: AccountId, old: &str, new: &str) -> Result<(), DbError> {
    on!(conn, |c| {
        let same = account::table.filter(account::id.eq(id.0)).filter(account::password_hash.eq(old));
        diesel::update(same).set(account::password_hash.eq(new)).execute(c)
    })?;
    Ok(())
}

/// Notes that the owner was here.
pub(in crate::identity) fn set_last_seen(conn: &mut Conn, id: AccountId, now: NaiveDateTime) -> Result<(), DbError> {
    on!(conn, |c| {
        diesel::update(account::table.filter(account::id.eq(id.0))).set(account::last_seen.eq(Moment(now))).execute(c)
    })?;
    Ok(())
}

/// Takes the account to a next version if it is still at `version`; says whether it was.
pub(in crate::identity) fn advance(conn: &mut Conn, id: AccountId, version: i64, now: NaiveDateTime) -> Result<bool, DbError> {
    let rows = on!(conn, |c| {
        let same = account::table.filter(account::id.eq(id.0)).filter(account::version.eq(version));
        diesel::update(same).set((account::version.eq(version + 1), account::changed.eq(Moment(now)))).execute(c)
    })?;
    Ok(rows == 1)
}

/// Sets the name.
pub(in crate::identity) fn set_name(conn: &mut Conn, id: AccountId, name: &str) -> Result<(), DbError> {
    on!(conn, |c| {
        let set = (account::name.eq(name), account::name_look.eq(look(name)));
        diesel::update(account::table.filter(account::id.eq(id.0))).set(set).execute(c)
    })?;
    Ok(())
}

/// Grants user roles that the account does not hold yet.
pub(in crate::identity) fn grant(
    conn: &mut Conn,
    id: AccountId,
    roles: &BTreeSet<Name>,
    by: Option<AccountId>,
    now: NaiveDateTime,
) -> Result<(), DbError> {
    let rows: Vec<_> = roles
        .iter()
        .map(|role| {
            (
                account_role::account_id.eq(id.0),
                account_role::user_role.eq(role.as_str()),
                account_role::granted_by.eq(by.map(|by| by.0)),
                account_role::granted_at.eq(Moment(now)),
            )
        })
        .collect();
    for row in rows {
        on!(&mut *conn, |c| {
            let insert = diesel::insert_into(account_role::table).values(row);
            insert.on_conflict((account_role::account_id, account_role::user_role)).do_nothing().execute(c)
        })?;
    }
    Ok(())
}

/// Takes every user role that is not in `kept`.
pub(in crate::identity) fn revoke_others(conn: &mut Conn, id: AccountId, kept: &BTreeSet<Name>) -> Result<(), DbError> {
    let kept: Vec<&str> = kept.iter().map(Name::as_str).collect();
    on!(conn, |c| {
        let others = account_role::table.filter(account_role::account_id.eq(id.0)).filter(account_role::user_role.ne_all(kept));
        diesel::delete(others).execute(c)
    })?;
    Ok(())
}
