//! What administrators and owners do with accounts. Whether they may is decided before, elsewhere.

use super::account::{self, Account, AccountId, AccountState};
use super::administrators::check_one_remains;
use super::password::{ChoiceError, ChosenPassword, HashError, Password, PasswordProblem};
use super::{Actor, Attempt, Identity, SignInError, User, normal_email, normal_name, trail};
use crate::audit::EventKind;
use crate::db::{Conn, Db, DbError};
use crate::domain::Name;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account.
    #[error("there is no such account")]
    Unknown,
    /// Somebody changed it meanwhile.
    #[error("somebody else changed this account meanwhile")]
    Stale,
    /// Nobody could administer users afterwards.
    #[error("at least one administrator who can sign in must remain")]
    LastAdministrator,
    /// Another account has the address.
    #[error("there is an account for this address already")]
    AlreadyKnown,
    /// The address is none.
    #[error("this is not an e-mail address")]
    Email,
    /// The name is empty or too long.
    #[error("a name has 1 to 100 characters, all of them visible")]
    Name,
    /// The database did not do it.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why the own password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The present password is wrong.
    #[error("the present password is wrong")]
    WrongPassword,
    /// The new one breaks these rules.
    #[error("the password is not accepted")]
    Problems(Vec<PasswordProblem>),
    /// Too many attempts.
    #[error("too many attempts")]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many passwords are checked at this moment.
    #[error("too many passwords are being checked at the moment")]
    Busy,
    /// A hash is broken.
    #[error("the password cannot be compared")]
    Broken,
    /// The database did not do it.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<SignInError> for ChangeError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::WrongCredentials => Self::WrongPassword,
            SignInError::Throttled { retry_after } => Self::Throttled { retry_after },
            SignInError::Busy => Self::Busy,
            SignInError::Broken => Self::Broken,
            SignInError::Db(error) => Self::Db(error),
        }
    }
}
impl From<ChoiceError> for ChangeError {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Problems(problems) => Self::Problems(problems),
            ChoiceError::Hash(HashError::Busy) => Self::Busy,
            ChoiceError::Hash(_) => Self::Broken,
        }
    }
}

/// An account to make.
#[derive(Clone, Debug)]
pub struct NewAccount<'a> {
    /// The address.
    pub email: &'a str,
    /// The person's name.
    pub name: &'a str,
    /// The user roles it starts with.
    pub roles: &'a BTreeSet<Name>,
}

impl Identity {
    /// Makes an account: active when a password was chosen, else invited.
    pub fn create_account(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        new: &NewAccount<'_>,
        chosen: Option<&ChosenPassword>,
    ) -> Result<AccountId, AccountError> {
        let email = normal_email(new.email).ok_or(AccountError::Email)?;
        let name = normal_name(new.name).ok_or(AccountError::Name)?;
        let state = if chosen.is_some() { AccountState::Active } else { AccountState::Invited };
        let row =
            account::Row { email: &email, name: &name, state, password_hash: chosen.map(ChosenPassword::hash), demo: false };
        let now = self.clock.now();
        let id = account::insert(conn, &row, now)?.ok_or(AccountError::AlreadyKnown)?;
        account::grant(conn, id, new.roles, by.account(), now)?;
        let event = by.event(EventKind::UserCreated, "an account was made").on(trail::object(id));
        self.record(conn, &event.detail("roles", None, Some(list(new.roles))))?;
        Ok(id)
    }

    /// Makes an invited account and the link to mail.
    pub fn invite(&self, conn: &mut Conn, by: &Actor<'_>, new: &NewAccount<'_>) -> Result<(AccountId, String), super::LinkError> {
        let id = self.create_account(conn, by, new, None).map_err(|error| match error {
            AccountError::AlreadyKnown => super::LinkError::AlreadyKnown,
            AccountError::Email => super::LinkError::Unfit("this is not an e-mail address"),
            AccountError::Name => super::LinkError::Unfit("a name has 1 to 100 characters, all of them visible"),
            AccountError::Unknown | AccountError::Stale | AccountError::LastAdministrator => super::LinkError::Withdrawn,
            AccountError::Db(error) => super::LinkError::Db(error),
        })?;
        Ok((id, self.invitation_link(conn, by, id)?))
    }

    /// Gives the account exactly these user roles, if nobody changed it since `version` was read, and unless it is the
    /// last one that can sign in with a role of `administrators` and would hold none any more.
    pub fn replace_roles(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        id: AccountId,
        version: i64,
        roles: &BTreeSet<Name>,
        administrators: &BTreeSet<Name>,
    ) -> Result<(), AccountError> {
        let now = self.clock.now();
        existing(conn, id)?;
        check_one_remains(conn, id, administrators, !roles.is_disjoint(administrators))?;
        if !account::advance(conn, id, version, now)? {
            return Err(AccountError::Stale);
        }
        let before = account::roles(conn, id)?;
        if before == *roles {
            return Ok(());
        }
        account::revoke_others(conn, id, roles)?;
        account::grant(conn, id, roles, by.account(), now)?;
        let event = by.event(EventKind::RoleChanged, "user roles were changed").on(trail::object(id));
        Ok(self.record(conn, &event.detail("roles", Some(list(&before)), Some(list(roles))))?)
    }

    /// Sets the person's name, if nobody changed the account since `version` was read.
    pub fn rename(&self, conn: &mut Conn, by: &Actor<'_>, id: AccountId, version: i64, name: &str) -> Result<(), AccountError> {
        let name = normal_name(name).ok_or(AccountError::Name)?;
        let before = existing(conn, id)?.name;
        if !account::advance(conn, id, version, self.clock.now())? {
            return Err(AccountError::Stale);
        }
        account::set_name(conn, id, &name)?;
        let event = by.event(EventKind::Changed, "an account was renamed").on(trail::object(id));
        Ok(self.record(conn, &event.detail("system.User.name", Some(before), Some(name)))?)
    }

    /// Closes the account and ends its sessions; a demo account is closed the same way. Not the last one that can sign
    /// in with a role of `administrators`.
    pub fn block(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        id: AccountId,
        administrators: &BTreeSet<Name>,
    ) -> Result<(), AccountError> {
        if existing(conn, id)?.state == AccountState::Blocked {
            return Ok(());
        }
        check_one_remains(conn, id, administrators, false)?;
        let hash = account::password_hash(conn, id)?;
        account::set_access(conn, id, hash.as_deref(), AccountState::Blocked, self.clock.now())?;
        self.end_sessions(conn, by, id, None)?;
        Ok(self.record(conn, &by.event(EventKind::UserBlocked, "an account was blocked").on(trail::object(id)))?)
    }

    /// Opens a blocked account again; one that never had a password is invited again.
    pub fn unblock(&self, conn: &mut Conn, by: &Actor<'_>, id: AccountId) -> Result<(), AccountError> {
        if existing(conn, id)?.state != AccountState::Blocked {
            return Ok(());
        }
        let hash = account::password_hash(conn, id)?;
        let state = if hash.is_some() { AccountState::Active } else { AccountState::Invited };
        account::set_access(conn, id, hash.as_deref(), state, self.clock.now())?;
        Ok(self.record(conn, &by.event(EventKind::UserUnblocked, "an account was opened again").on(trail::object(id)))?)
    }

    /// Changes one's own password, proved by the present one, and ends one's other sessions (ASVS 6.2.2, 6.2.3, 7.4.3).
    pub fn change_password(
        &self,
        db: &Db,
        user: &User,
        present: &Password,
        new: &Password,
        address: IpAddr,
        request_id: Option<&str>,
    ) -> Result<(), ChangeError> {
        let chosen = self.choose_password(new, user.email(), user.name());
        if let Err(ChoiceError::Problems(problems)) = chosen {
            return Err(ChangeError::Problems(problems));
        }
        let id = self.verify_again(db, Attempt { email: user.email(), password: present, address, request_id })?;
        let chosen = chosen?;
        let by = Actor::user(user, request_id);
        db.write(|conn| {
            account::set_access(conn, id, Some(chosen.hash()), AccountState::Active, self.clock.now())?;
            self.end_sessions(conn, &by, id, Some(user.session()))?;
            self.record(conn, &by.event(EventKind::PasswordChanged, "the own password was changed").on(trail::object(id)))
        })?;
        Ok(())
    }
}

fn existing(conn: &mut Conn, id: AccountId) -> Result<Account, AccountError> {
    account::find(conn, id)?.ok_or(AccountError::Unknown)
}

fn list(roles: &BTreeSet<Name>) -> String {
    roles.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
