//! What identity tells the audit trail, always in the deed's own transaction and last in it.

use super::account::AccountId;
use super::caller::User;
use super::{Attempt, Identity};
use crate::audit::{AuditError, Event, EventKind, record};
use crate::db::{Conn, DbError};
use crate::domain::ObjectId;
use std::net::IpAddr;

/// Who does a deed, and in which request.
#[derive(Clone, Debug)]
pub struct Actor<'a> {
    account: Option<AccountId>,
    name: String,
    request_id: Option<&'a str>,
}

impl<'a> Actor<'a> {
    /// Somebody who has not signed in.
    pub fn visitor(address: IpAddr, request_id: Option<&'a str>) -> Self {
        Self { account: None, name: address.to_canonical().to_string(), request_id }
    }
    /// Somebody who has signed in.
    pub fn user(user: &User, request_id: Option<&'a str>) -> Self {
        Self { account: Some(user.id()), name: user.name().to_owned(), request_id }
    }
    /// Somebody who proved to own an account just now.
    pub(super) fn proved(account: AccountId, name: &str, request_id: Option<&'a str>) -> Self {
        Self { account: Some(account), name: name.to_owned(), request_id }
    }
    /// The server itself or its command line, by a name such as `start` or `command line`.
    pub fn system(name: &str) -> Self {
        Self { account: None, name: name.to_owned(), request_id: None }
    }
    /// The account, if one was proved.
    pub fn account(&self) -> Option<AccountId> {
        self.account
    }

    pub(super) fn event(&self, kind: EventKind, summary: &str) -> Event {
        let event = Event::new(kind, summary).by(self.account.map(|id| ObjectId(id.0)), &self.name);
        match self.request_id {
            Some(id) => event.in_request(id),
            None => event,
        }
    }
}

/// How an account is named in the trail.
pub(super) fn object(id: AccountId) -> String {
    format!("system.User#{id}")
}

impl Identity {
    /// Appends an event to the trail.
    pub(super) fn record(&self, conn: &mut Conn, event: &Event) -> Result<(), DbError> {
        record(conn, &self.keys, &self.node, &self.clock, event).map_err(|AuditError::Db(error)| error)
    }

    pub(super) fn record_signed_in(
        &self,
        conn: &mut Conn,
        id: AccountId,
        name: &str,
        attempt: Attempt<'_>,
    ) -> Result<(), DbError> {
        let actor = Actor::proved(id, name, attempt.request_id);
        let address = attempt.address.to_canonical().to_string();
        let event = actor.event(EventKind::SignedIn, "signed in with a password").on(object(id));
        self.record(conn, &event.detail("address", None, Some(address)))
    }

    /// The typed address is not recorded: people type passwords there by mistake.
    pub(super) fn record_failed(&self, conn: &mut Conn, id: Option<AccountId>, attempt: Attempt<'_>) -> Result<(), DbError> {
        let actor = Actor::visitor(attempt.address, attempt.request_id);
        let event = match id {
            Some(id) => actor.event(EventKind::SignInFailed, "a sign-in failed").on(object(id)),
            None => actor.event(EventKind::SignInFailed, "a sign-in failed for an address that no account has"),
        };
        self.record(conn, &event)
    }

    /// A stored password hash that is none, or costs more than is admitted: somebody else wrote to the table.
    pub(super) fn record_unusable_hash(&self, conn: &mut Conn, id: AccountId, attempt: Attempt<'_>) -> Result<(), DbError> {
        let actor = Actor::visitor(attempt.address, attempt.request_id);
        let text = "the stored password hash of this account cannot be used: it is broken, or asks for more memory or time than is \
                    admitted; mail its owner a reset link";
        self.record(conn, &actor.event(EventKind::Incident, text).on(object(id)))
    }

    /// Records the first refusal of a window and then the 10th, 100th, …, so that a flood of guesses is
    /// not a flood of records.
    pub(super) fn record_throttled(&self, conn: &mut Conn, actor: &Actor<'_>, what: &str, refusals: i32) -> Result<(), DbError> {
        let power_of_ten = std::iter::successors(Some(1_i32), |n| n.checked_mul(10)).any(|n| n == refusals);
        if !power_of_ten {
            return Ok(());
        }
        let event = actor.event(EventKind::SignInThrottled, &format!("too many attempts: {what}"));
        self.record(conn, &event.detail("refusals", None, Some(refusals.to_string())))
    }

    pub(super) fn record_ended(&self, conn: &mut Conn, by: &Actor<'_>, account: AccountId, count: usize) -> Result<(), DbError> {
        let event = by.event(EventKind::SessionEnded, "sessions were ended").on(object(account));
        self.record(conn, &event.detail("sessions", None, Some(count.to_string())))
    }
}
