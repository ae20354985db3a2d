//! Accounts and the user roles they hold.
//!
//! Reading is free of side effects; the raw writes are for this module's deeds only.

mod looks;
mod write;

pub use looks::{Doubt, doubts};
pub(super) use write::{
    Row, advance, grant, insert, password_hash, renew_hash, revoke_others, set_access, set_last_seen, set_name,
};

use crate::db::schema::{account, account_role};
use crate::db::{Conn, DbError, Moment, on};
use crate::domain::Name;
use crate::domain::text::{composed, folded, is_unseen};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

diesel::define_sql_function!(
    /// Text in lower case.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text
);

/// The key of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Its owner may sign in.
    Active,
    /// Closed by an administrator.
    Blocked,
    /// Made by invitation; no password chosen yet.
    Invited,
}

impl AccountState {
    /// The word for it, in the database and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Invited => "invited",
        }
    }
    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Blocked, Self::Invited].into_iter().find(|state| state.as_str() == word)
    }
}

/// An account, without its password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its key.
    pub id: AccountId,
    /// Grows with each change; a change names the version it was made from.
    pub version: i64,
    /// The person's name.
    pub name: String,
    /// The address, in lower case.
    pub email: String,
    /// Whether it may be used.
    pub state: AccountState,
    /// Whether it exists for the demo only.
    pub demo: bool,
    /// When it was made.
    pub created: NaiveDateTime,
    /// When its owner last used the server, to the minute.
    pub last_seen: Option<NaiveDateTime>,
}

type Columned = (i64, i64, String, String, String, bool, Moment, Option<Moment>);
type Columns = (
    account::id,
    account::version,
    account::name,
    account::email,
    account::state,
    account::demo,
    account::created,
    account::last_seen,
);
const COLUMNS: Columns = (
    account::id,
    account::version,
    account::name,
    account::email,
    account::state,
    account::demo,
    account::created,
    account::last_seen,
);

impl Account {
    fn from_row((id, version, name, email, state, demo, created, last_seen): Columned) -> Self {
        // A state that nobody knows is a closed one.
        let state = AccountState::parse(&state).unwrap_or(AccountState::Blocked);
        let last_seen = last_seen.map(|at| at.0);
        Self { id: AccountId(id), version, name, email, state, demo, created: created.0, last_seen }
    }
}

/// The address as it is kept: trimmed, composed, lower case. `None` when it is not one plain address, or when it holds a
/// character that shows nothing or reorders the text around it.
// SECURITY: an address that reads as another person's is none: `names_and_addresses_hide_and_reorder_nothing`.
pub fn normal_email(typed: &str) -> Option<String> {
    let email = typed.trim();
    (crate::mail::is_address(email) && !email.chars().any(is_unseen)).then(|| composed(&email.to_lowercase()).into_owned())
}

/// The key under which an address is one account's: without regard to case and composition. Taken of addresses that
/// are older than the rules of [`normal_email`] as well.
pub(super) fn email_key(typed: &str) -> Option<String> {
    let email = typed.trim();
    crate::mail::is_address(email).then(|| folded(email))
}

/// A person's name as it is kept: trimmed, composed, 1 to 100 characters, none of which shows nothing or reorders the
/// text around it.
pub fn normal_name(typed: &str) -> Option<String> {
    if typed.len() > 10_000 {
        return None;
    }
    let name = composed(typed.trim());
    ((1..=100).contains(&name.chars().count()) && !name.chars().any(is_unseen)).then(|| name.into_owned())
}

/// Which accounts a search wants.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// Part of the name or the address; empty for all.
    pub text: String,
    /// Only those in this state.
    pub state: Option<AccountState>,
}

/// One page of a search.
#[derive(Clone, Debug)]
pub struct AccountPage {
    /// The accounts, by name.
    pub accounts: Vec<Account>,
    /// How many there are in all.
    pub total: i64,
}

/// The account of this key.
pub fn find(conn: &mut Conn, id: AccountId) -> Result<Option<Account>, DbError> {
    let row = on!(conn, |c| account::table.filter(account::id.eq(id.0)).select(COLUMNS).get_result::<Columned>(c).optional())?;
    Ok(row.map(Account::from_row))
}

/// The account of this address, however its letters are composed and whichever case they have.
///
/// Of two older accounts whose addresses differ only in that, each is found by its own spelling.
pub fn find_by_email(conn: &mut Conn, typed: &str) -> Result<Option<Account>, DbError> {
    let Some(key) = email_key(typed) else { return Ok(None) };
    let spelled = typed.trim().to_lowercase();
    let rows = on!(conn, |c| {
        let found = account::table.filter(account::email.eq(&spelled).or(account::email_key.eq(&key)));
        found.select(COLUMNS).order(account::id).limit(3).load::<Columned>(c)
    })?;
    let mut found: Vec<Account> = rows.into_iter().map(Account::from_row).collect();
    let exact = found.iter().position(|account| account.email == spelled);
    Ok(if found.is_empty() { None } else { Some(found.swap_remove(exact.unwrap_or(0))) })
}

/// The accounts that fit, by name, `limit` of them from `offset` on.
pub fn search(conn: &mut Conn, filter: &AccountFilter, limit: i64, offset: i64) -> Result<AccountPage, DbError> {
    let pattern = like_pattern(&filter.text);
    let state = filter.state.map(AccountState::as_str);
    macro_rules! fitting {
        () => {{
            let mut query = account::table.into_boxed();
            if let Some(pattern) = &pattern {
                let named = lower(account::name).like(pattern).escape('\\');
                query = query.filter(named.or(account::email.like(pattern).escape('\\')));
            }
            if let Some(state) = state {
                query = query.filter(account::state.eq(state));
            }
            query
        }};
    }
    let total = on!(&mut *conn, |c| fitting!().count().get_result(c))?;
    let (limit, offset) = (limit.clamp(0, 500), offset.max(0));
    let rows = on!(conn, |c| {
        let query = fitting!().select(COLUMNS).order((account::name, account::id));
        query.limit(limit).offset(offset).load::<Columned>(c)
    })?;
    Ok(AccountPage { accounts: rows.into_iter().map(Account::from_row).collect(), total })
}

/// `%text%` with the marks of LIKE escaped; `None` for an empty text.
fn like_pattern(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(100).filter(|c| *c != '\0').collect();
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    (!escaped.is_empty()).then(|| format!("%{escaped}%"))
}

/// The user roles of an account. Names that the model no longer has are for the caller to ignore.
pub fn roles(conn: &mut Conn, id: AccountId) -> Result<BTreeSet<Name>, DbError> {
    Ok(roles_of(conn, &[id])?.remove(&id).unwrap_or_default())
}

/// The user roles of several accounts; one without any is absent.
pub fn roles_of(conn: &mut Conn, ids: &[AccountId]) -> Result<BTreeMap<AccountId, BTreeSet<Name>>, DbError> {
    let keys: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<(i64, String)> = on!(conn, |c| {
        let query = account_role::table.filter(account_role::account_id.eq_any(&keys));
        query.select((account_role::account_id, account_role::user_role)).load(c)
    })?;
    let mut roles: BTreeMap<AccountId, BTreeSet<Name>> = BTreeMap::new();
    for (id, role) in rows {
        roles.entry(AccountId(id)).or_default().insert(Name::from(role));
    }
    Ok(roles)
}

/// The demo accounts.
pub(super) fn demo_accounts(conn: &mut Conn) -> Result<Vec<Account>, DbError> {
    let rows = on!(conn, |c| account::table.filter(account::demo.eq(true)).select(COLUMNS).load::<Columned>(c))?;
    Ok(rows.into_iter().map(Account::from_row).collect())
}
