//! Demo mode: the proof that it is on, and its users.

use crate::identity::{DemoMode, DemoUser, DemoUsers};
use crate::model::Model;

/// Demo mode, running.
pub struct Demo {
    /// The proof.
    pub mode: DemoMode,
    /// The users of this run.
    pub users: DemoUsers,
}

impl Demo {
    /// The demo users that a model names.
    pub fn users_of(model: &Model) -> Vec<DemoUser> {
        let one = |user: &crate::model::DemoUser| DemoUser {
            key: user.key.to_string(),
            name: user.name.clone(),
            email: user.email.clone(),
            roles: user.user_roles.clone(),
        };
        model.demo_users.iter().map(one).collect()
    }
}
