//! The caller of a request: always one of three, made only after proof.

use super::account::AccountId;
use super::session::SessionId;
use super::visitor::VisitorId;
use crate::domain::Name;
use std::collections::BTreeSet;

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who has not signed in; known by a signed cookie only.
    Visitor(VisitorId),
    /// Somebody who has signed in.
    User(User),
    /// The server itself, on a schedule.
    Job {
        /// The scheduled event's name.
        name: Name,
    },
}

/// A person who has proved to own an active account.
///
/// INVARIANT: made only by reading a live session (`session::prove`), so the account was active and
/// the roles were the present ones when the request began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    id: AccountId,
    name: String,
    email: String,
    user_roles: BTreeSet<Name>,
    session: SessionId,
}

impl User {
    pub(super) fn proved(id: AccountId, name: String, email: String, user_roles: BTreeSet<Name>, session: SessionId) -> Self {
        Self { id, name, email, user_roles, session }
    }
    /// The account.
    pub fn id(&self) -> AccountId {
        self.id
    }
    /// The person's name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The person's address.
    pub fn email(&self) -> &str {
        &self.email
    }
    /// The user roles, as read with the session; some may be unknown to the model.
    pub fn user_roles(&self) -> &BTreeSet<Name> {
        &self.user_roles
    }
    /// The session that proved this.
    pub fn session(&self) -> &SessionId {
        &self.session
    }
    /// A user out of thin air, for unit tests of the layers above.
    #[cfg(test)]
    pub fn for_test(id: i64, name: &str, user_roles: &[&str]) -> Self {
        let roles = user_roles.iter().map(|role| Name::from(*role)).collect();
        Self::proved(AccountId(id), name.into(), format!("{id}@test.example"), roles, SessionId::for_test(id))
    }
}
