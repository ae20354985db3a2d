//! Somebody has to be able to administer users.
//!
//! Guarantees: no change of roles and no block takes the last administrator who can sign in, also when two are made
//! at the same moment; while nobody can, a link for a new administrator is good.
//! Deliberately not here: which user roles make an administrator; the model says that.

use super::account::{self, AccountId, AccountState};
use super::deeds::AccountError;
use crate::db::schema::{account as accounts, account_role};
use crate::db::{Conn, DbError, on};
use crate::domain::Name;
use diesel::prelude::*;
use std::collections::BTreeSet;

/// How many accounts with any of these user roles can sign in: in use, and with a password. Demo accounts end with
/// the demo; they count only where that is asked for.
pub fn able_holders(conn: &mut Conn, roles: &BTreeSet<Name>, demo_too: bool) -> Result<usize, DbError> {
    count(conn, roles, demo_too, None)
}

/// Refuses what takes `id` from the administrators when nobody else is left who can sign in as one. Call it in the
/// transaction of the change, before it is made; `stays` says whether the account is an administrator afterwards.
// SECURITY: the question and the change are one serialized write, so of two administrators who remove each other at
// the same moment one finds themselves alone: `of_two_administrators_who_remove_each_other_one_is_left`.
pub(super) fn check_one_remains(
    conn: &mut Conn,
    id: AccountId,
    administrators: &BTreeSet<Name>,
    stays: bool,
) -> Result<(), AccountError> {
    if stays || !is_able(conn, id, administrators)? || count(conn, administrators, true, Some(id))? > 0 {
        return Ok(());
    }
    Err(AccountError::LastAdministrator)
}

fn is_able(conn: &mut Conn, id: AccountId, administrators: &BTreeSet<Name>) -> Result<bool, DbError> {
    let active = account::find(conn, id)?.is_some_and(|account| account.state == AccountState::Active);
    Ok(active && account::password_hash(conn, id)?.is_some() && !account::roles(conn, id)?.is_disjoint(administrators))
}

fn count(conn: &mut Conn, roles: &BTreeSet<Name>, demo_too: bool, without: Option<AccountId>) -> Result<usize, DbError> {
    let roles: Vec<&str> = roles.iter().map(Name::as_str).collect();
    // No account has the key 0.
    let without = without.map_or(0, |id| id.0);
    let found: Vec<i64> = on!(conn, |c| {
        let held = account_role::table.inner_join(accounts::table).filter(account_role::user_role.eq_any(&roles));
        held.filter(accounts::state.eq(AccountState::Active.as_str()))
            .filter(accounts::password_hash.is_not_null())
            .filter(accounts::demo.eq(false).or(accounts::demo.eq(demo_too)))
            .filter(accounts::id.ne(without))
            .select(accounts::id)
            .distinct()
            .load(c)
    })?;
    Ok(found.len())
}
