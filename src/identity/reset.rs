//! A forgotten password: a link to the account's own mailbox.
//!
//! The answer to the person who asks is the same whether or not there is an account; mails to one
//! account are limited. A link dies with the password it was made for (ASVS 6.4.1 to 6.4.6).

use super::account::{self, Account, AccountId, AccountState};
use super::link::{LinkError, Opened, Purpose};
use super::password::ChosenPassword;
use super::throttle::{self, Allowance, Counted};
use super::{Actor, Identity, trail};
use crate::audit::EventKind;
use crate::db::{Conn, DbError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// The mail that an existing, active account is to get.
///
/// Queue it in the same transaction: waiting for a mail server would tell that there is an account.
#[derive(Clone, Debug)]
pub struct ResetMail {
    /// To which address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// The text of the link.
    pub token: String,
}

/// Why no reset was begun.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Too many were asked for.
    #[error("too many attempts")]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database did not do it, or there is nothing to make a link of.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl From<DbError> for ResetError {
    fn from(error: DbError) -> Self {
        Self::Link(error.into())
    }
}

#[derive(Serialize, Deserialize)]
struct Ticket {
    account: i64,
    /// Made of the password hash of that moment.
    stamp: String,
}

impl Identity {
    /// Begins a reset for the owner of `email`. `Ok(None)`: there is nobody to mail to; answer the same.
    ///
    /// Commit the transaction also when it is [`ResetError::Throttled`]: the request was counted in it.
    pub fn request_reset(
        &self,
        conn: &mut Conn,
        email: &str,
        address: IpAddr,
        request_id: Option<&str>,
    ) -> Result<Option<ResetMail>, ResetError> {
        let actor = Actor::visitor(address, request_id);
        if let Some(retry_after) = self.count_reset(conn, email, address, &actor)? {
            return Err(ResetError::Throttled { retry_after });
        }
        let account = account::find_by_email(conn, email)?.filter(|account| account.state == AccountState::Active);
        let Some(account) = account.filter(|account| !account.demo) else {
            // As much work as for a known address, and a trace of who fishes for them.
            let event = actor.event(EventKind::UserReset, "a new password was asked for, for no account in use");
            self.record(conn, &event)?;
            return Ok(None);
        };
        let token = self.reset_link(conn, &actor, account.id)?;
        Ok(Some(ResetMail { email: account.email, name: account.name, token }))
    }

    /// The text of a reset link for an active account: for an administrator's button.
    pub fn reset_link(&self, conn: &mut Conn, by: &Actor<'_>, id: AccountId) -> Result<String, LinkError> {
        let account = account::find(conn, id)?.filter(|account| account.state == AccountState::Active);
        let id = account.ok_or(LinkError::Withdrawn)?.id;
        let ticket = Ticket { account: id.0, stamp: self.stamp(conn, id)? };
        let token = self.seal_link(Purpose::Reset, ticket, self.settings.reset_lifetime)?;
        self.record(conn, &by.event(EventKind::UserReset, "a link to choose a new password was made").on(trail::object(id)))?;
        Ok(token)
    }

    /// Whose password it is, if the link can still be used.
    pub fn check_reset(&self, conn: &mut Conn, token: &str) -> Result<Account, LinkError> {
        let link = self.open_link::<Ticket>(Purpose::Reset, token)?;
        self.check_unused(conn, &link)?;
        self.resettable(conn, &link)
    }

    /// Sets the password and ends every session of the account, in the caller's transaction.
    pub fn complete_reset(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        token: &str,
        chosen: &ChosenPassword,
    ) -> Result<AccountId, LinkError> {
        let link = self.open_link::<Ticket>(Purpose::Reset, token)?;
        self.spend(conn, &link, Some(AccountId(link.payload.account)))?;
        let account = self.resettable(conn, &link)?;
        account::set_access(conn, account.id, Some(chosen.hash()), AccountState::Active, self.clock.now())?;
        throttle::reset(conn, &self.account_bucket(&account.email, None))?;
        self.end_sessions(conn, by, account.id, None)?;
        let event = by.event(EventKind::PasswordChanged, "a new password was chosen by link").on(trail::object(account.id));
        self.record(conn, &event)?;
        Ok(account.id)
    }

    fn resettable(&self, conn: &mut Conn, link: &Opened<Ticket>) -> Result<Account, LinkError> {
        let account = account::find(conn, AccountId(link.payload.account))?;
        let account = account.filter(|account| account.state == AccountState::Active).ok_or(LinkError::Withdrawn)?;
        if self.stamp(conn, account.id)? == link.payload.stamp { Ok(account) } else { Err(LinkError::Withdrawn) }
    }

    fn stamp(&self, conn: &mut Conn, id: AccountId) -> Result<String, DbError> {
        let hash = account::password_hash(conn, id)?.unwrap_or_default();
        Ok(URL_SAFE_NO_PAD.encode(self.keys.mac("reset stamp", hash.as_bytes())))
    }

    /// Counts the request for network and account; how long to wait when there were too many.
    fn count_reset(&self, conn: &mut Conn, email: &str, address: IpAddr, actor: &Actor<'_>) -> Result<Option<Duration>, DbError> {
        let now = self.clock.now();
        let per_account = self.settings.reset_allowance;
        let per_network = Allowance { attempts: per_account.attempts.saturating_mul(10), ..per_account };
        let mac = self.masked(email);
        let network = format!("reset network {}", throttle::network(address));
        for (bucket, allowance) in [(network, per_network), (format!("reset account {mac}"), per_account)] {
            if let Counted::Refused { refusals, retry_after } = throttle::count(conn, &bucket, allowance, now)? {
                self.record_throttled(conn, actor, "reset", refusals)?;
                return Ok(Some(retry_after));
            }
        }
        Ok(None)
    }
}
