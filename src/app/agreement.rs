//! The agreement check: for each set of roles, what the database is asked against what memory decides.
//!
//! Guarantees: every user role alone, every combination that somebody holds and what jobs run under is looked
//! at, over a bounded sample of each entity's rows: what the statements of the layers above are given, and what
//! the database gives alone. Where there are many, a check looks at some of them, and the next one goes on where it
//! ended. What was generated is held against what was made. A difference is recorded as an
//! incident, also while another layer hides it. Deliberately not here: mending anything.

use super::act::fault;
use super::{App, Refusal};
use crate::access::{Authority, Disagreement, Grants, Layer};
use crate::audit::{self, Event};
use crate::clock::Clock;
use crate::config::Level;
use crate::crypto::Keys;
use crate::db::{Conn, Db};
use crate::domain::{Name, ObjectId};
use crate::identity;
use crate::store::{self, Caller, Circle, Compared, Recorder, Statements, Store};
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// So many holders of each set of roles are looked at.
const EXAMPLES: usize = 2;
/// While somebody prepares the database, what was asked before and after does not fit together: it is asked again,
/// so many times in all, before a difference counts.
const ATTEMPTS: usize = 3;
/// At most so many differences from what was made are told at once.
const MOST_CHANGED: usize = 50;

/// A running server looks at so many entities in one check, counted for each set of roles and holder; what is begun is
/// looked at to its end.
const MOST_AT_ONCE: usize = 2_000;

/// How much one check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// The set of roles to begin with; those beyond the last are the first again.
    from: usize,
    /// So many entities, at least.
    most: usize,
}

impl Round {
    /// Everything.
    pub const ALL: Self = Self { from: 0, most: usize::MAX };

    /// So many entities, from this set of roles on.
    pub fn new(from: usize, most: usize) -> Self {
        Self { from, most }
    }
}

/// What a check looked at, and what differed.
#[derive(Debug, Default)]
pub struct Agreement {
    /// Sets of roles that were looked at,
    pub sets: usize,
    /// of so many.
    pub of: usize,
    /// The set that comes next.
    pub next: usize,
    /// Rows, counted for each caller.
    pub rows: usize,
    /// What layers decided differently.
    pub differences: Vec<Disagreement>,
    /// Rows that stand in a circle of a tree.
    pub circles: Vec<Circle>,
}

/// Compares the layers that decide about rows and members, for everybody whom the database knows, or for some of them.
pub fn compare_layers(db: &Db, statements: &Statements, keys: &Keys, clock: &Clock, round: Round) -> Result<Agreement, Refusal> {
    let model = statements.model();
    let held = db.read(|conn| identity::role_sets(conn, EXAMPLES))?;
    let anybody = held.values().flatten().next().copied();
    let single = model.user_roles.iter().filter(|(_, role)| !role.anonymous).map(|(name, _)| BTreeSet::from([name.clone()]));
    let mut sets: BTreeMap<BTreeSet<Name>, Vec<ObjectId>> = single.map(|roles| (roles, Vec::from_iter(anybody))).collect();
    sets.extend(held);
    let recorder = Recorder { keys: keys.clone(), node: String::new(), clock: clock.clone(), who: None, request_id: None };
    let now = clock.now();
    let turn = u64::try_from(now.and_utc().timestamp()).unwrap_or(0);
    let mut all = Agreement { of: sets.len(), ..Agreement::default() };
    let mut looked = 0_usize;
    let mut compare = |grants: &Grants, user: Option<ObjectId>| {
        // Each in a transaction of its own, so that no snapshot is held for long.
        let ask = || {
            db.read(|conn| {
                let mut store = Store::new(conn, statements, Caller { user, now }, &recorder).passing();
                let above = store.compare(grants.rights(), turn)?;
                let alone = store.compare_alone(grants, turn)?;
                let differences = above.differences.into_iter().chain(alone.differences).collect();
                Ok(Compared { entities: above.entities, rows: above.rows + alone.rows, differences })
            })
        };
        let found = steadily(|| incomparable(&grants.rights().key, ask()))?;
        all.rows += found.rows;
        all.differences.extend(found.differences);
        Ok::<_, Refusal>(found.entities)
    };
    let (mut taken, from) = (0, round.from.checked_rem(sets.len()).unwrap_or(0));
    for (roles, callers) in sets.iter().cycle().skip(from).take(sets.len()) {
        if looked >= round.most {
            break;
        }
        taken += 1;
        let grants = Grants::compile(model, roles, true);
        for user in callers {
            looked += compare(&grants, Some(*user))?;
        }
    }
    compare(&Grants::none(model), None)?;
    (all.sets, all.next) = (taken, from + taken);
    let changed = steadily(|| {
        let mut differences = db.read(|conn| changed(conn, now))?;
        differences.extend(db.guard_faults()?.into_iter().map(not_as_made));
        Ok(Compared { differences, ..Compared::default() })
    })?;
    all.differences.extend(changed.differences);
    // Before a model was applied there are no trees to look at.
    all.circles = db.read(|conn| match store::model_in_force(conn)?.is_empty() {
        true => Ok(Vec::new()),
        false => store::circles(conn, statements, now),
    })?;
    Ok(all)
}

/// What cannot be compared, for a reason that does not pass, is a difference too: nobody escapes by breaking it.
fn incomparable(about: &str, found: Result<Compared, Refusal>) -> Result<Compared, Refusal> {
    match found {
        Err(Refusal::Fault(_)) => {
            let (first, second) = ((Layer::EntityAccess, "not to be compared"), (Layer::Release, "to be compared"));
            let told = |(layer, text): (Layer, &str)| (layer, text.to_owned());
            let about = format!("the decisions for {about}");
            let differences = vec![Disagreement { about, first: told(first), second: told(second) }];
            Ok(Compared { differences, ..Compared::default() })
        }
        found => found,
    }
}

/// Asks again while there is a difference.
fn steadily(mut ask: impl FnMut() -> Result<Compared, Refusal>) -> Result<Compared, Refusal> {
    let mut found = ask()?;
    for _ in 1..ATTEMPTS {
        if found.differences.is_empty() {
            break;
        }
        found = ask()?;
    }
    Ok(found)
}

/// What was generated and is not what was made.
fn changed(conn: &mut Conn, now: NaiveDateTime) -> Result<Vec<Disagreement>, Refusal> {
    let found = store::drift(conn, now).map_err(|error| Refusal::Unavailable(error.to_string()))?;
    Ok(found.into_iter().take(MOST_CHANGED).map(not_as_made).collect())
}

fn not_as_made(about: String) -> Disagreement {
    let (first, second) = (Layer::DatabaseEngine, Layer::EntityAccess);
    Disagreement { about, first: (first, "not as it was made".into()), second: (second, "made of the rules".into()) }
}

/// The server's login became more than a server's may be.
fn unbound(fault: String) -> Disagreement {
    let (first, second) = (Layer::DatabaseEngine, Layer::EntityAccess);
    Disagreement { about: fault, first: (first, "does not bind the server".into()), second: (second, "binds the server".into()) }
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
    /// Compares the layers for the sets of roles that are next, and records what differs. A server for others also looks
    /// whether it still logs in as somebody whom the database's rules bind.
    pub fn check_layers(&self) -> Result<Agreement, Refusal> {
        let live = self.live();
        let round = Round { from: self.compared.load(Ordering::Relaxed), most: MOST_AT_ONCE };
        let mut agreement = compare_layers(&self.db, &live.statements, &self.keys, &self.clock, round)?;
        self.compared.store(agreement.next, Ordering::Relaxed);
        if self.demo.is_none() {
            agreement.differences.extend(self.db.too_mighty()?.into_iter().map(unbound));
        }
        for circle in &agreement.circles {
            self.logs.write("portcullis.trees", Level::Error, &circle.to_string(), None);
        }
        for event in agreement.incidents() {
            let about = event.object.clone().unwrap_or_default();
            self.logs.write("portcullis.layers", Level::Critical, &format!("layers disagree about {about}"), None);
            self.db.write(|conn| audit::record(conn, &self.keys, &self.settings.node, &self.clock, &event).map_err(fault))?;
        }
        Ok(agreement)
    }
}
