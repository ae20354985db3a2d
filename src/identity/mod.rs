//! Who is asking: accounts, passwords, sign-in, sessions, visitors, one-time links.
//!
//! Guarantees: a [`User`] exists only after a proof (a session that is alive and whose account is
//! active, read anew each time); a [`Session`] exists only after [`PasswordVerified`]; a guess is
//! counted before it is compared; tokens are kept as hashes only; whoever asks about an unknown
//! address learns nothing and waits as long; each deed and its record are one transaction.
//!
//! Deliberately absent: what a caller may do (`access` decides), who may administer whom (`app`
//! decides before it calls), further factors (they would stand between [`PasswordVerified`] and the
//! session), and any account or password by default.

mod account;
mod administrators;
mod bootstrap;
mod caller;
mod deeds;
mod demo;
mod invitation;
mod link;
pub mod password;
mod registration;
mod reset;
mod role_sets;
mod session;
mod settings;
mod sign_in;
#[cfg(test)]
mod tests;
mod throttle;
mod trail;
mod visitor;

pub use account::{
    Account, AccountFilter, AccountId, AccountPage, AccountState, Doubt, doubts, find, find_by_email, normal_email, normal_name,
    roles, roles_of, search,
};
pub use administrators::able_holders;
pub use bootstrap::Founder;
pub use caller::{Caller, User};
pub use deeds::{AccountError, ChangeError, NewAccount};
pub use demo::{DemoError, DemoMode, DemoUser, DemoUsers, SignIn as DemoSignIn};
pub use link::{LinkError, Purpose};
pub use registration::Registration;
pub use reset::{ResetError, ResetMail};
pub use role_sets::role_sets;
pub use session::{Device, Session, SessionId, SessionInfo, SessionToken};
pub use settings::IdentitySettings;
pub use sign_in::{Attempt, PasswordVerified, SignInError};
pub use throttle::{Allowance, network};
pub use trail::Actor;
pub use visitor::VisitorId;

use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::{Conn, DbError};
use password::{ChoiceError, ChosenPassword, HashError, Hasher, Password, PasswordContext};

/// The one place that proves callers and changes accounts.
#[derive(Debug)]
pub struct Identity {
    keys: Keys,
    clock: Clock,
    node: String,
    hasher: Hasher,
    settings: IdentitySettings,
}

impl Identity {
    /// Prepares everything; `node` names this process in the audit trail. Refuses hash settings that Argon2 does not take.
    pub fn new(keys: Keys, clock: Clock, node: &str, settings: IdentitySettings) -> Result<Self, HashError> {
        let hasher = Hasher::new(settings.hash, settings.permits())?;
        Ok(Self { keys, clock, node: node.to_owned(), hasher, settings })
    }

    /// Checks a new password and hashes it. Call it outside a transaction: it takes time on purpose.
    pub fn choose_password(&self, password: &Password, email: &str, name: &str) -> Result<ChosenPassword, ChoiceError> {
        let about = PasswordContext { email, name, app: &self.settings.app };
        ChosenPassword::choose(&self.hasher, password, about)
    }

    /// Forgets ended sessions, expired links and old throttle buckets; returns how many rows went. Memory that no
    /// password is hashed in at the moment goes back to the system.
    pub fn purge(&self, conn: &mut Conn) -> Result<usize, DbError> {
        self.hasher.release_idle();
        let now = self.clock.now();
        Ok(session::purge(conn, now)? + link::purge(conn, now)? + throttle::purge(conn, now, self.settings.longest_window())?)
    }
}
