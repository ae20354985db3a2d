//! The agreement check: for each set of roles, what the database is asked against what memory decides.
//!
//! Guarantees: every user role alone and every combination that somebody holds is looked at, over a
//! bounded sample of each entity's rows; a difference is recorded as an incident, also while another
//! layer hides it. Deliberately not here: mending anything.

use super::act::fault;
use super::{App, Refusal};
use crate::access::{Authority, Disagreement, Grants};
use crate::audit::{self, Event};
use crate::clock::Clock;
use crate::config::Level;
use crate::crypto::Keys;
use crate::db::Db;
use crate::domain::{Name, ObjectId};
use crate::identity;
use crate::store::{Caller, Recorder, Statements, Store};
use std::collections::{BTreeMap, BTreeSet};

/// So many holders of each set of roles are looked at.
const EXAMPLES: usize = 2;

/// What a check looked at, and what differed.
#[derive(Debug, Default)]
pub struct Agreement {
    /// Sets of roles.
    pub sets: usize,
    /// Rows, counted for each caller.
    pub rows: usize,
    /// What layers decided differently.
    pub differences: Vec<Disagreement>,
}

/// Compares the layers that decide about rows and members, for everybody whom the database knows.
pub fn compare_layers(db: &Db, statements: &Statements, keys: &Keys, clock: &Clock) -> Result<Agreement, Refusal> {
    let model = statements.model();
    let held = db.read(|conn| identity::role_sets(conn, EXAMPLES))?;
    let anybody = held.values().flatten().next().copied();
    let single = model.user_roles.iter().filter(|(_, role)| !role.anonymous).map(|(name, _)| BTreeSet::from([name.clone()]));
    let mut sets: BTreeMap<BTreeSet<Name>, Vec<ObjectId>> = single.map(|roles| (roles, Vec::from_iter(anybody))).collect();
    sets.extend(held);
    let recorder = Recorder { keys: keys.clone(), node: String::new(), clock: clock.clone(), who: None, request_id: None };
    let now = clock.now();
    let turn = u64::try_from(now.and_utc().timestamp()).unwrap_or(0);
    let mut all = Agreement { sets: sets.len(), ..Agreement::default() };
    for (roles, callers) in sets {
        let grants = Grants::compile(model, &roles, true);
        for user in callers {
            // Each in a transaction of its own, so that no snapshot is held for long.
            let compared = db.read(|conn| {
                let caller = Caller { user: Some(user), now };
                Store::new(conn, statements, caller, &recorder).compare(grants.rights(), turn).map_err(Refusal::from)
            })?;
            all.rows += compared.rows;
            all.differences.extend(compared.differences);
        }
    }
    Ok(all)
}

impl Agreement {
    /// The incidents to record, each once: whoever else would meet the same difference adds nothing.
    pub fn incidents(&self) -> Vec<Event> {
        let mut told = BTreeSet::new();
        let new = self.differences.iter().filter(|found| told.insert((&found.about, &found.first.1, &found.second.1)));
        new.map(|found| super::recording::incident_found(found).by(None, "job layers")).collect()
    }
}

impl App {
    /// Compares the layers, and records what differs.
    pub fn check_layers(&self) -> Result<Agreement, Refusal> {
        let live = self.live();
        let agreement = compare_layers(&self.db, &live.statements, &self.keys, &self.clock)?;
        for event in agreement.incidents() {
            let about = event.object.clone().unwrap_or_default();
            self.logs.write("portcullis.layers", Level::Critical, &format!("layers disagree about {about}"), None);
            self.db.write(|conn| audit::record(conn, &self.keys, &self.settings.node, &self.clock, &event).map_err(fault))?;
        }
        Ok(agreement)
    }
}
