//! One-time links: sealed texts with a purpose, a payload and an end.
//!
//! A link needs no row until it is used: it is encrypted and authenticated with a key of its purpose.
//! Using it adds the hash of its nonce to a table, in the transaction of the deed; of two uses at
//! once the second finds the row and fails (ASVS 6.4.1).

use super::Identity;
use super::account::AccountId;
use crate::crypto::{hash_token, random_token};
use crate::db::schema::one_time_link;
use crate::db::{Conn, DbError, Moment, on};
use chrono::{DateTime, NaiveDateTime, TimeDelta};
use diesel::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest link text that is looked at.
const MOST_TOKEN: usize = 12_000;
/// The most that a link may carry, in bytes of JSON.
const MOST_PAYLOAD: usize = 6_000;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To finish a registration.
    Register,
    /// To accept an invitation.
    Invite,
    /// To choose a new password.
    Reset,
    /// To make the first administrator.
    Bootstrap,
}

impl Purpose {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Invite => "invite",
            Self::Reset => "reset",
            Self::Bootstrap => "bootstrap",
        }
    }
    /// Each purpose has a key of its own, so a link of one is noise to another.
    fn key(self) -> &'static str {
        match self {
            Self::Register => "link register",
            Self::Invite => "link invite",
            Self::Reset => "link reset",
            Self::Bootstrap => "link bootstrap",
        }
    }
}

/// Why a link does not do what it was made for.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Its time is over.
    #[error("this link has expired")]
    Expired,
    /// It is not one that this server made for this purpose.
    #[error("this link is not one of ours")]
    Altered,
    /// It was used before.
    #[error("this link was used before")]
    Used,
    /// What it was made for is no longer possible: the account changed meanwhile.
    #[error("this link is no longer valid")]
    Withdrawn,
    /// The address has an account already.
    #[error("there is an account for this address already")]
    AlreadyKnown,
    /// What should go into it does not fit.
    #[error("{0}")]
    Unfit(&'static str),
    /// The database did not do it.
    #[error(transparent)]
    Db(#[from] DbError),
}

#[derive(Serialize, Deserialize)]
struct Envelope<P> {
    nonce: String,
    /// Milliseconds since 1970.
    expires: i64,
    payload: P,
}

/// An opened link: genuine and in time, but perhaps used.
pub(super) struct Opened<P> {
    pub(super) payload: P,
    purpose: Purpose,
    id_hash: String,
    expires: NaiveDateTime,
}

impl Identity {
    /// Makes a link. Asks nothing of the database.
    pub(super) fn seal_link<P: Serialize>(&self, purpose: Purpose, payload: P, lifetime: Duration) -> Result<String, LinkError> {
        let lifetime = TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::days(365));
        let expires = (self.clock.now() + lifetime).and_utc().timestamp_millis();
        let text = serde_json::to_vec(&Envelope { nonce: random_token(), expires, payload })
            .map_err(|_| LinkError::Unfit("this does not fit into a link"))?;
        if text.len() > MOST_PAYLOAD {
            return Err(LinkError::Unfit("this is too long for a link"));
        }
        Ok(self.keys.seal(purpose.key(), purpose.as_str().as_bytes(), &text))
    }

    /// Opens a link. Asks nothing of the database, so it cannot know whether the link was used.
    pub(super) fn open_link<P: DeserializeOwned>(&self, purpose: Purpose, token: &str) -> Result<Opened<P>, LinkError> {
        if token.len() > MOST_TOKEN {
            return Err(LinkError::Altered);
        }
        let text = self.keys.open(purpose.key(), purpose.as_str().as_bytes(), token).map_err(|_| LinkError::Altered)?;
        let Envelope { nonce, expires, payload } = serde_json::from_slice(&text).map_err(|_| LinkError::Altered)?;
        let expires = DateTime::from_timestamp_millis(expires).ok_or(LinkError::Altered)?.naive_utc();
        if expires <= self.clock.now() {
            return Err(LinkError::Expired);
        }
        Ok(Opened { payload, purpose, id_hash: hash_token(&nonce), expires })
    }

    /// Uses a link up, in the transaction of the deed.
    // SECURITY: the primary key decides between two uses at once: `of_two_uses_at_once_exactly_one_wins`.
    pub(super) fn spend<P>(&self, conn: &mut Conn, link: &Opened<P>, account: Option<AccountId>) -> Result<(), LinkError> {
        let now = self.clock.now();
        let rows = on!(conn, |c| {
            let row = (
                one_time_link::id_hash.eq(&link.id_hash),
                one_time_link::purpose.eq(link.purpose.as_str()),
                one_time_link::account_id.eq(account.map(|id| id.0)),
                one_time_link::expires.eq(Moment(link.expires)),
                one_time_link::used.eq(Moment(now)),
                one_time_link::created.eq(Moment(now)),
            );
            diesel::insert_into(one_time_link::table).values(row).on_conflict(one_time_link::id_hash).do_nothing().execute(c)
        })
        .map_err(DbError::from)?;
        if rows == 1 { Ok(()) } else { Err(LinkError::Used) }
    }

    /// Says early, when a link is opened to be read, that it was used before.
    pub(super) fn check_unused<P>(&self, conn: &mut Conn, link: &Opened<P>) -> Result<(), LinkError> {
        let used: i64 =
            on!(conn, |c| one_time_link::table.filter(one_time_link::id_hash.eq(&link.id_hash)).count().get_result(c))
                .map_err(DbError::from)?;
        if used == 0 { Ok(()) } else { Err(LinkError::Used) }
    }
}

/// Forgets used links that would have expired anyway: their seal refuses them from then on.
pub(super) fn purge(conn: &mut Conn, now: NaiveDateTime) -> Result<usize, DbError> {
    let old = Moment(now - TimeDelta::days(1));
    Ok(on!(conn, |c| diesel::delete(one_time_link::table.filter(one_time_link::expires.lt(old))).execute(c))?)
}
