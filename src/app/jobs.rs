//! What the server does by itself: scheduled events and upkeep.

use super::act::{elevated, fault};
use super::context::Joined;
use super::{App, Refusal};
use crate::access::Grants;
use crate::audit::{self, Event, EventKind, Who};
use crate::config::Level;
use crate::db::DbError;
use crate::domain::QName;
use crate::flow::{self, Budget, Effects, FlowContext};
use crate::model::ScheduledEvent;
use crate::store::{self, Caller, Recorder, Store};
use crate::workspace::Workspace;
use chrono::NaiveDateTime;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

impl App {
    /// Runs a scheduled event that last began at `last`, unless another node does or did: nobody's rights but the
    /// flow's own elevation, in one transaction. Says whether it ran here.
    pub fn run_event(&self, event: &ScheduledEvent, last: Option<NaiveDateTime>) -> Result<bool, Refusal> {
        let result = self.run_job(&event.name, &event.microflow, last);
        if let Err(Refusal::Unavailable(_) | Refusal::Busy(_) | Refusal::Unsettled(_)) = &result {
            // The database was not there, or others were faster: it is tried again, here or on another node.
            return result;
        }
        if let Err(refusal) = &result {
            let text = format!("the scheduled event {} failed: {refusal}", event.name);
            self.logs.write("portcullis.schedule", Level::Error, &text, None);
            let record = Event::new(EventKind::FlowFailed, text).on(event.microflow.to_string()).by(None, job(&event.name));
            self.db.write(|conn| {
                // It counts as a run, or each turn would try it again.
                if self.take_run(conn, &event.name, last)? {
                    audit::record(conn, &self.keys, &self.settings.node, &self.clock, &record).map_err(fault)?;
                }
                Ok::<_, Refusal>(())
            })?;
        }
        result
    }

    fn run_job(&self, name: &QName, microflow: &QName, last: Option<NaiveDateTime>) -> Result<bool, Refusal> {
        let live = self.live();
        let grants = Grants::none(&live.model);
        let permit = grants.call(microflow)?;
        self.prepare_job(&live, &grants)?;
        let mut effects = Effects::default();
        let recorder = Recorder {
            keys: self.keys.clone(),
            node: self.settings.node.clone(),
            clock: self.clock.clone(),
            who: Some(Who { account: None, name: job(name) }),
            request_id: None,
        };
        let done = self.db.write(|conn| {
            // What an earlier run wanted is not wanted any more.
            effects = Effects::default();
            if !self.take_run(conn, name, last)? {
                return Ok(false);
            }
            let now = self.clock.now();
            let mut store = Store::new(conn, &live.statements, Caller { user: None, now }, &recorder);
            let workspace = Workspace::new(live.model.clone(), None, grants.roles().clone(), now).for_job();
            let mut objects = Joined { workspace: Rc::new(RefCell::new(workspace)), store: &mut store };
            let mut context = FlowContext {
                grants: &grants,
                objects: &mut objects,
                account: None,
                language: &live.model.language,
                now,
                effects: &mut effects,
                budget: Budget::start(&self.clock),
            };
            flow::run_job(&permit, BTreeMap::new(), &mut context)?;
            self.enqueue(store.conn(), &effects)?;
            self.keep_snapshots(store.conn(), &live, &effects)?;
            store.finish()?;
            for event in elevated(&effects) {
                let event = event.by(None, job(name));
                audit::record(conn, &self.keys, &self.settings.node, &self.clock, &event).map_err(fault)?;
            }
            Ok::<_, Refusal>(true)
        });
        self.write_log(&effects, None);
        let ran = done?;
        self.show_snapshots(&live, &effects, None);
        Ok(ran)
    }

    /// Forgets ended sessions, expired links, old counters, and forms that are too old to be sent.
    pub fn upkeep(&self) -> Result<usize, Refusal> {
        self.drop_unused();
        // Each statement removes what is over by itself, whatever else goes on.
        Ok(self.db.write_unserialized(|conn| {
            Ok::<_, DbError>(self.identity.purge(conn)? + self.forget_letters(conn)? + self.forget_forms(conn)?)
        })?)
    }
}

impl App {
    /// Drops what was generated for rights that nobody has held for a while, where this server may.
    fn drop_unused(&self) {
        let live = self.live();
        // A node that runs a model which is no longer in force knows nothing of what the others use.
        if self.may_work().is_err() || !matches!(store::can_prepare(&self.db), Ok(true)) {
            return;
        }
        let (level, text) = match store::drop_unused(&self.db, &live.statements, self.clock.now()) {
            Ok(0) => return,
            Ok(dropped) => (Level::Info, format!("dropped what was generated for rights that nobody holds: {dropped}")),
            Err(error) => (Level::Warning, format!("what was generated for rights that nobody holds stays for now: {error}")),
        };
        self.logs.write("portcullis.database", level, &text, None);
    }
}

fn job(name: &QName) -> String {
    format!("job {name}")
}
