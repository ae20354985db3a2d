//! Signing in with address and password.
//!
//! Three steps: the attempt is counted and committed; the password is compared outside any
//! transaction; the outcome is recorded. Unknown, blocked and invited accounts take the same steps,
//! do the same work and get the same answer as a wrong password (ASVS 6.3.1, 6.3.8).

use super::account::{self, AccountId, AccountState};
use super::password::{ChosenPassword, Compared, HashError, Password, PasswordHash};
use super::throttle::{self, Counted, Slot};
use super::{Actor, Device, Identity, SessionToken};
use crate::db::{Conn, Db, DbError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::net::IpAddr;
use std::time::Duration;

/// One try to sign in.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The address as typed.
    pub email: &'a str,
    /// The password as typed.
    pub password: &'a Password,
    /// From where.
    pub address: IpAddr,
    /// In which request.
    pub request_id: Option<&'a str>,
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Address or password is wrong, or the account is not in use: one answer for all.
    #[error("address or password is wrong")]
    WrongCredentials,
    /// Too many attempts.
    #[error("too many attempts")]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many people sign in at this moment.
    #[error("too many people sign in at the moment")]
    Busy,
    /// A stored hash is broken.
    #[error("the password cannot be compared")]
    Broken,
    /// The database did not do it.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<HashError> for SignInError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            HashError::Settings(_) | HashError::Broken => Self::Broken,
        }
    }
}

/// The first step of signing in is done: the password was right and the account is active.
///
/// Made only here (and for demo users, in demo mode only); used up by starting a session.
#[derive(Debug)]
pub struct PasswordVerified(AccountId);

impl PasswordVerified {
    pub(super) fn of(account: AccountId) -> Self {
        Self(account)
    }
    /// Whose password it was.
    pub fn account(&self) -> AccountId {
        self.0
    }
}

fn is_right(compared: Compared) -> bool {
    matches!(compared, Compared::Same | Compared::SameButOutdated)
}

/// An attempt that was counted and may be compared.
pub(super) struct Reserved {
    account: Option<AccountId>,
    name: String,
    active: bool,
    hash: Option<PasswordHash>,
    /// Where the attempt was counted.
    counted: Vec<(String, Slot)>,
    account_bucket: String,
}

impl Identity {
    /// Verifies address and password.
    pub fn sign_in(&self, db: &Db, attempt: Attempt<'_>) -> Result<PasswordVerified, SignInError> {
        let reserved = self.reserve(db, attempt.email, attempt)?;
        let right = self.compare_reserved(db, &reserved, attempt.password)?;
        let renewed = match (&right, &reserved.hash) {
            // A busy moment is no reason to fail: the next sign-in renews it.
            (Compared::SameButOutdated, Some(old)) if reserved.active => {
                self.hasher.hash(attempt.password).ok().map(|new| (old.clone(), new))
            }
            _ => None,
        };
        // The session is what must not begin for a closed account, and beginning it asks again. Counting is done in
        // single statements; people of one network who sign in at once must not run again for each other.
        db.write_unserialized(|conn| {
            let still = self.is_unchanged(conn, &reserved)?;
            let Some(id) = reserved.account.filter(|_| is_right(right) && reserved.active && still) else {
                self.record_wrong(conn, &reserved, right, attempt)?;
                return Ok(Err(SignInError::WrongCredentials));
            };
            if let Some((old, new)) = &renewed {
                account::renew_hash(conn, id, &old.0, &new.0)?;
            }
            Self::settle(conn, &reserved)?;
            self.record_signed_in(conn, id, &reserved.name, attempt)?;
            Ok::<_, DbError>(Ok(PasswordVerified(id)))
        })?
    }

    /// Begins a session for somebody who has just chosen this password by a link, in the transaction that keeps it.
    ///
    /// It is no guess: whoever opened the link owns the mailbox. So nothing is counted, and what others guessed before
    /// is forgotten (`guesses_at_an_address_do_not_stop_its_owner_from_joining`).
    pub fn begin_session_chosen(
        &self,
        conn: &mut Conn,
        id: AccountId,
        chosen: &ChosenPassword,
        device: Device<'_>,
        request_id: Option<&str>,
    ) -> Result<SessionToken, SignInError> {
        let kept = account::password_hash(conn, id)?;
        let account = account::find(conn, id)?.filter(|account| account.state == AccountState::Active);
        let account = account.filter(|_| kept.as_deref() == Some(chosen.hash())).ok_or(SignInError::WrongCredentials)?;
        let network = throttle::network(device.address);
        for familiar in [None, Some(network.as_str())] {
            throttle::reset(conn, &self.account_bucket(&account.email, familiar))?;
        }
        let empty = Password::new("");
        let attempt = Attempt { email: &account.email, password: &empty, address: device.address, request_id };
        self.record_signed_in(conn, id, &account.name, attempt)?;
        self.start_session(conn, &PasswordVerified(id), device)
    }

    /// Verifies the password of somebody who is signed in, with the same counting.
    pub(super) fn verify_again(&self, db: &Db, attempt: Attempt<'_>) -> Result<AccountId, SignInError> {
        let reserved = self.reserve(db, attempt.email, attempt)?;
        let right = self.compare_reserved(db, &reserved, attempt.password)?;
        db.write(|conn| {
            let still = self.is_unchanged(conn, &reserved)?;
            let Some(id) = reserved.account.filter(|_| is_right(right) && reserved.active && still) else {
                self.record_wrong(conn, &reserved, right, attempt)?;
                return Ok(Err(SignInError::WrongCredentials));
            };
            Self::settle(conn, &reserved)?;
            Ok::<_, DbError>(Ok(id))
        })?
    }

    /// Counts the attempt for the account and the network, in a transaction of its own.
    ///
    /// Somebody who signed in to this account from this network lately is counted in a bucket of the two alone:
    /// neither strangers elsewhere nor others in this network can use it up. All of a network's other attempts
    /// (made-up names, accounts never used from there) share one bucket, which bounds the work that it can cause.
    // SECURITY: committed before any password is looked at: `of_two_hundred_parallel_guesses_only_ten_are_compared`.
    fn reserve(&self, db: &Db, email: &str, attempt: Attempt<'_>) -> Result<Reserved, SignInError> {
        let (now, network) = (self.clock.now(), throttle::network(attempt.address));
        // The bucket's row is locked while it is counted, and guesses at once wait for each other there. Serialized, all
        // but one of them would run again and again.
        db.write_unserialized(|conn| {
            let found = account::find_by_email(conn, email)?;
            let id = found.as_ref().map(|account| account.id);
            let hash = account::password_hash(conn, id.unwrap_or(AccountId(0)))?.map(PasswordHash);
            let familiar = throttle::is_familiar(conn, id, &network, now)?;
            let account_bucket = self.account_bucket(email, familiar.then_some(network.as_str()));
            let mut buckets = vec![(account_bucket.clone(), self.settings.account_allowance)];
            if !familiar {
                buckets.insert(0, (format!("sign-in network {network}"), self.settings.address_allowance));
            }
            let mut counted = Vec::new();
            for (bucket, allowance) in buckets {
                match throttle::count(conn, &bucket, allowance, now)? {
                    Counted::Admitted(slot) => counted.push((bucket, slot)),
                    Counted::Refused { refusals, retry_after } => {
                        // What is not compared uses nothing up.
                        counted.iter().try_for_each(|(bucket, slot): &(String, Slot)| throttle::refund(conn, bucket, *slot))?;
                        self.record_throttled(conn, &Actor::visitor(attempt.address, attempt.request_id), "sign-in", refusals)?;
                        return Ok(Err(SignInError::Throttled { retry_after }));
                    }
                }
            }
            let active = found.as_ref().is_some_and(|account| account.state == AccountState::Active);
            let name = found.map(|account| account.name).unwrap_or_default();
            Ok::<_, DbError>(Ok(Reserved { account: id, name, active, hash, counted, account_bucket }))
        })?
    }

    /// Compares; an attempt that could not be looked at is given back.
    fn compare_reserved(&self, db: &Db, reserved: &Reserved, password: &Password) -> Result<Compared, SignInError> {
        // No accepted password is that long; comparing an empty one instead is the same work for everybody.
        let empty = Password::new("");
        let oversized = password.is_oversized();
        let compared = self.hasher.compare(if oversized { &empty } else { password }, reserved.hash.as_ref());
        if matches!(compared, Err(HashError::Busy)) {
            // Each bucket's row is locked while it is counted.
            db.write_unserialized(|conn| {
                reserved.counted.iter().try_for_each(|(bucket, slot)| throttle::refund(conn, bucket, *slot))
            })?;
        }
        let compared = compared?;
        Ok(if oversized { Compared::Differs } else { compared })
    }

    /// Records a wrong password; a stored hash that cannot be used is an incident, because nothing of ours wrote it.
    fn record_wrong(&self, conn: &mut Conn, reserved: &Reserved, compared: Compared, by: Attempt<'_>) -> Result<(), DbError> {
        match reserved.account {
            Some(id) if compared == Compared::Unusable => self.record_unusable_hash(conn, id, by),
            id => self.record_failed(conn, id, by),
        }
    }

    /// Whether account and hash are still what they were when the attempt was counted.
    fn is_unchanged(&self, conn: &mut Conn, reserved: &Reserved) -> Result<bool, DbError> {
        let id = reserved.account.unwrap_or(AccountId(0));
        let hash = account::password_hash(conn, id)?.map(PasswordHash);
        let active = account::find(conn, id)?.is_some_and(|account| account.state == AccountState::Active);
        Ok(active && hash == reserved.hash)
    }

    /// A right password: the network gets its attempt back, the account starts anew.
    fn settle(conn: &mut Conn, reserved: &Reserved) -> Result<(), DbError> {
        reserved.counted.iter().try_for_each(|(bucket, slot)| throttle::refund(conn, bucket, *slot))?;
        throttle::reset(conn, &reserved.account_bucket)
    }

    /// The bucket of an account: its address is not readable in it. However an address is spelled, it has one.
    pub(super) fn account_bucket(&self, email: &str, familiar: Option<&str>) -> String {
        let mac = self.masked(email);
        match familiar {
            Some(network) => format!("sign-in account {mac} from {network}"),
            None => format!("sign-in account {mac}"),
        }
    }

    /// An address as a word in which it cannot be read; one word for every spelling. What is no address is one word too.
    pub fn masked(&self, email: &str) -> String {
        let key = account::email_key(email).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(self.keys.mac("throttle account", key.as_bytes()))
    }
}
