//! A model that runs, with everything compiled from it.

use crate::access::matrix::{Doors, Matrix};
use crate::access::{Grants, SharedRights};
use crate::domain::Name;
use crate::model::{Findings, Model};
use crate::store::{Collision, Statements};
use crate::workspace::Snapshots;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

/// How many role sets are kept compiled; beyond that the oldest go, whatever they cost to make again.
const MOST_ROLE_SETS: usize = 500;

/// User roles, and whether their holder is signed in.
type RoleSet = (BTreeSet<Name>, bool);

/// A model that runs.
pub struct Live {
    /// The model.
    pub model: Arc<Model>,
    /// Compiled statements.
    pub statements: Statements,
    /// Public snapshots.
    pub snapshots: Arc<Snapshots>,
    /// Gaps and warnings of the model.
    pub findings: Findings,
    /// Who may come in where: the second decision about pages and microflows.
    pub doors: Doors,
    matrix: OnceLock<Matrix>,
    grants: Mutex<HashMap<RoleSet, Arc<Grants>>>,
    /// What several of them come to alike.
    shared: SharedRights,
}

impl Live {
    /// Prepares a checked model.
    pub fn new(model: Arc<Model>, snapshots: Arc<Snapshots>, findings: Findings) -> Result<Self, Collision> {
        let statements = Statements::new(&model)?;
        let doors = Doors::of(&model);
        let (matrix, grants, shared) = (OnceLock::new(), Mutex::default(), SharedRights::default());
        Ok(Self { model, statements, snapshots, findings, doors, matrix, grants, shared })
    }

    /// The grants of a signed-in person's user roles, as they are now.
    pub fn grants_of(&self, user_roles: &BTreeSet<Name>) -> Arc<Grants> {
        self.compiled(user_roles.clone(), true)
    }

    /// The effective rights of every user role; computed when it is first asked for.
    pub fn matrix(&self) -> &Matrix {
        self.matrix.get_or_init(|| Matrix::of(&self.model))
    }

    /// The grants of visitors.
    pub fn visitor_grants(&self) -> Arc<Grants> {
        self.compiled(self.model.anonymous_role().cloned().into_iter().collect(), false)
    }

    fn compiled(&self, roles: BTreeSet<Name>, signed_in: bool) -> Arc<Grants> {
        let mut all = self.grants.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if all.len() > MOST_ROLE_SETS {
            all.clear();
        }
        let key = (roles, signed_in);
        if let Some(found) = all.get(&key) {
            return found.clone();
        }
        let made = Arc::new(Grants::compile_sharing(&self.model, &key.0, signed_in, &self.shared));
        all.insert(key, made.clone());
        made
    }
}
