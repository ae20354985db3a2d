//! Demo users: they exist while demo mode runs, on this machine only.
//!
//! [`DemoMode`] is the proof of demo mode; without it nothing here makes an account usable. Each start
//! gives each of them a new random password. [`Identity::purge_demo_users`] closes what an earlier demo left.

use super::account::{self, AccountId, AccountState};
use super::password::{HashError, Password};
use super::sign_in::{PasswordVerified, SignInError};
use super::{Actor, Identity, trail};
use crate::audit::EventKind;
use crate::crypto::random_bytes;
use crate::db::{Conn, DbError};
use crate::domain::Name;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Demo mode is on: the server listens on this machine only.
#[derive(Clone, Copy, Debug)]
pub struct DemoMode(());

impl DemoMode {
    /// Demo mode for a server that listens on `address`; `None` when others could reach it.
    pub fn on(address: SocketAddr) -> Option<Self> {
        address.ip().to_canonical().is_loopback().then_some(Self(()))
    }
}

/// A demo user as the model names it.
#[derive(Clone, Debug)]
pub struct DemoUser {
    /// The key of its button.
    pub key: String,
    /// The person's name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The user roles.
    pub roles: BTreeSet<Name>,
}

/// One usable demo user, to print and to show on the sign-in page.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// What the model says.
    pub user: DemoUser,
    /// The password of this run.
    pub password: String,
    account: AccountId,
}

/// The demo users of this run.
#[derive(Clone, Debug)]
pub struct DemoUsers {
    mode: DemoMode,
    by_key: BTreeMap<String, SignIn>,
}

impl DemoUsers {
    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = &SignIn> {
        self.by_key.values()
    }
    /// The account of the demo user with this key.
    pub fn account(&self, key: &str) -> Option<AccountId> {
        self.by_key.get(key).map(|user| user.account)
    }
    /// The proof of demo mode.
    pub fn mode(&self) -> DemoMode {
        self.mode
    }
}

/// Why there are no demo users.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A real account has the address.
    #[error("{0} belongs to an account that is not a demo user")]
    Taken(String),
    /// The model names an address or a name that is none.
    #[error("demo user {0}: the name or the address cannot be used")]
    Unfit(String),
    /// No hash could be made.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The database did not do it.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Identity {
    /// Makes the demo users, or opens them again, with new passwords; closes those that the model no longer names.
    pub fn ensure_demo_users(&self, conn: &mut Conn, mode: DemoMode, users: &[DemoUser]) -> Result<DemoUsers, DemoError> {
        let wanted: BTreeSet<String> = users.iter().map(|user| user.email.to_lowercase()).collect();
        for left in account::demo_accounts(conn)?.into_iter().filter(|account| !wanted.contains(&account.email)) {
            self.close_demo_account(conn, left.id)?;
        }
        let mut by_key = BTreeMap::new();
        for user in users {
            let password = URL_SAFE_NO_PAD.encode(random_bytes::<12>());
            let account = self.ensure_demo_user(conn, user, &password)?;
            by_key.insert(user.key.clone(), SignIn { user: user.clone(), password, account });
        }
        Ok(DemoUsers { mode, by_key })
    }

    fn ensure_demo_user(&self, conn: &mut Conn, user: &DemoUser, password: &str) -> Result<AccountId, DemoError> {
        let unfit = || DemoError::Unfit(user.key.clone());
        let email = account::normal_email(&user.email).ok_or_else(unfit)?;
        let name = account::normal_name(&user.name).ok_or_else(unfit)?;
        let hash = self.hasher.hash_random(&Password::new(password))?;
        let (now, by) = (self.clock.now(), Actor::system("demo mode"));
        let row =
            account::Row { email: &email, name: &name, state: AccountState::Active, password_hash: Some(&hash.0), demo: true };
        let id = match account::insert(conn, &row, now)? {
            Some(id) => {
                self.record(conn, &by.event(EventKind::UserCreated, "a demo user was made").on(trail::object(id)))?;
                id
            }
            None => {
                let known = account::find_by_email(conn, &email)?.filter(|account| account.demo);
                let known = known.ok_or_else(|| DemoError::Taken(email.clone()))?;
                account::set_access(conn, known.id, Some(&hash.0), AccountState::Active, now)?;
                account::set_name(conn, known.id, &name)?;
                if known.state != AccountState::Active {
                    let event = by.event(EventKind::UserUnblocked, "a demo user was opened again").on(trail::object(known.id));
                    self.record(conn, &event)?;
                }
                known.id
            }
        };
        account::revoke_others(conn, id, &user.roles)?;
        account::grant(conn, id, &user.roles, None, now)?;
        Ok(id)
    }

    /// Signs in the demo user of a button, without its password.
    pub fn sign_in_demo(
        &self,
        conn: &mut Conn,
        users: &DemoUsers,
        key: &str,
        request_id: Option<&str>,
    ) -> Result<PasswordVerified, SignInError> {
        let found = users.by_key.get(key).ok_or(SignInError::WrongCredentials)?;
        let account = account::find(conn, found.account)?.filter(|account| account.demo && account.state == AccountState::Active);
        let account = account.ok_or(SignInError::WrongCredentials)?;
        let by = Actor::proved(account.id, &account.name, request_id);
        self.record(conn, &by.event(EventKind::SignedIn, "signed in by a demo button").on(trail::object(account.id)))?;
        Ok(PasswordVerified::of(account.id))
    }

    /// Closes every demo account: no password, no session, blocked. Returns how many were open.
    pub fn purge_demo_users(&self, conn: &mut Conn) -> Result<usize, DbError> {
        let open: Vec<AccountId> = account::demo_accounts(conn)?
            .into_iter()
            .filter(|account| account.state != AccountState::Blocked)
            .map(|account| account.id)
            .collect();
        for id in &open {
            self.close_demo_account(conn, *id)?;
        }
        Ok(open.len())
    }

    fn close_demo_account(&self, conn: &mut Conn, id: AccountId) -> Result<(), DbError> {
        let by = Actor::system("demo mode");
        account::set_access(conn, id, None, AccountState::Blocked, self.clock.now())?;
        self.end_sessions(conn, &by, id, None)?;
        self.record(conn, &by.event(EventKind::UserBlocked, "a demo user was closed").on(trail::object(id)))
    }
}
