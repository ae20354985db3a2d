//! The server's clockwork: what other nodes did, scheduled events, waiting mail and refusals, upkeep,
//! the agreement check of the layers, and in demo mode the model's files.
//!
//! Threads of their own, so that nothing that concerns all nodes waits for a long job, nothing for the sealing of the
//! trail, and an author for none of them; a turn that fails is logged and tried again. It decides nothing: the use cases do.

mod reload;

use self::reload::Reload;
use crate::app::{App, Refusal, Runs};
use crate::audit::Unsealed;
use crate::config::Level;
use crate::db::Contention;
use crate::model::Timing;
use crate::store;
use crate::web::Web;
use chrono::NaiveDateTime;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(500);
const UPKEEP_SECONDS: i64 = 3_600;
const STATISTICS_SECONDS: i64 = 60;
/// How often it is told how writes fared against each other.
const CONTENTION_SECONDS: i64 = 60;
/// So many turns of sealing apart it is looked what other nodes refused, and at the lanes of every process.
const FOLLOW_TURNS: u32 = 10;
/// So many apart the ends of the trail are noted in the file.
const FILE_TURNS: u32 = 4;
const ALL_TURNS: u32 = 7_200;
/// An event that is to run at the start does not when it began so shortly before, on whichever node.
const AT_START_SECONDS: i64 = 60;

/// The running clockwork; stops when dropped.
pub struct Schedule {
    web: Arc<Web>,
    stop: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    sealing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Schedule {
    /// Starts it.
    pub fn start(web: Arc<Web>) -> std::io::Result<Self> {
        let mut all = Self { web: web.clone(), stop: Vec::new(), threads: Vec::new(), sealing: None };
        all.spawn_sealing(web.clone())?;
        let (watched, ending, mut clockwork) = (web.clone(), web.clone(), Clockwork::new(web));
        let mut troubles = Troubles::default();
        // What waits at the end is recorded before the process is gone.
        all.spawn("watch", TICK, move || watch(&watched.app, &mut troubles), move || ending.app.record_all_waiting())?;
        if all.web.app.demo.is_some() {
            let mut reload = Reload::new(all.web.clone());
            all.spawn("reload", reload::LOOK, move || reload.turn(), || ())?;
        }
        all.spawn("schedule", TICK, move || clockwork.turn(), || ())?;
        Ok(all)
    }

    fn spawn(
        &mut self,
        name: &str,
        pause: Duration,
        mut turn: impl FnMut() + Send + 'static,
        end: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let (stop, stopped) = channel::<()>();
        let run = move || {
            turn();
            while matches!(stopped.recv_timeout(pause), Err(RecvTimeoutError::Timeout)) {
                turn();
            }
            end();
        };
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(run)?);
        self.stop.push(stop);
        Ok(())
    }

    /// What is recorded is sealed each turn, and at once when it is critical.
    fn spawn_sealing(&mut self, web: Arc<Web>) -> std::io::Result<()> {
        let (stop, stopped) = channel::<()>();
        let run = move || {
            let mut sealing = Sealing::default();
            while !matches!(stopped.try_recv(), Err(TryRecvError::Disconnected)) {
                sealing.turn(&web.app);
                web.app.db.await_hurry(TICK);
            }
            sealing.turn(&web.app);
            sealing.file(&web.app);
        };
        self.sealing = Some((stop, std::thread::Builder::new().name("seal".into()).spawn(run)?));
        Ok(())
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.stop.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        // Last, so that what the others recorded at their end is sealed too.
        if let Some((stop, thread)) = self.sealing.take() {
            drop(stop);
            self.web.app.db.hurry();
            let _ = thread.join();
        }
    }
}

/// The sealing of the trail, turn by turn.
#[derive(Default)]
struct Sealing {
    turns: u32,
    troubles: Troubles,
}

impl Sealing {
    fn turn(&mut self, app: &App) {
        let all = self.turns.is_multiple_of(ALL_TURNS);
        if self.turns.is_multiple_of(FILE_TURNS) {
            self.file(app);
        }
        if all {
            let checked = app.check_anchors();
            self.troubles.tell(app, "the ends of the trail are not compared", checked);
        }
        let sealed = app.seal(if all { Unsealed::All } else { Unsealed::Ours });
        if self.turns.is_multiple_of(FOLLOW_TURNS) {
            let followed = app.follow_denials();
            self.troubles.tell(app, "what other nodes refused is not known", followed);
        }
        // What failed is tried again the next turn, also when it was all lanes.
        self.turns = if sealed.is_err() && all { 0 } else { self.turns.wrapping_add(1) };
        self.troubles.tell(app, "what was recorded is not sealed", sealed);
    }

    fn file(&mut self, app: &App) {
        let filed = app.file_anchors();
        self.troubles.tell(app, "the ends of the trail are not noted in the file beside the secret", filed);
    }
}

/// What must not wait for a long job: what other nodes did, and the refusals that wait to be recorded.
fn watch(app: &App, troubles: &mut Troubles) {
    let looked = app.follow();
    troubles.tell(app, "what other nodes did is not known", looked);
    app.record_waiting();
}

/// A trouble that lasts is told once.
#[derive(Default)]
struct Troubles(BTreeMap<&'static str, String>);

impl Troubles {
    fn tell(&mut self, app: &App, what: &'static str, done: Result<(), Refusal>) {
        let Err(refusal) = done else {
            self.0.remove(what);
            return;
        };
        let text = format!("{what}: {refusal}");
        if self.0.insert(what, text.clone()).is_none_or(|before| before != text) {
            app.logs.write("portcullis.schedule", Level::Warning, &text, None);
        }
    }
}

struct Clockwork {
    web: Arc<Web>,
    started: bool,
    troubles: Troubles,
    upkeep: Option<NaiveDateTime>,
    layers: Option<NaiveDateTime>,
    /// When it was told last how writes fared, and how then.
    contention: Option<(NaiveDateTime, Contention)>,
    /// When it was looked last whether tables have grown, and how large they were when their statistics were gathered.
    statistics: Option<NaiveDateTime>,
    sizes: store::Sizes,
}

impl Clockwork {
    fn new(web: Arc<Web>) -> Self {
        Self {
            web,
            started: false,
            troubles: Troubles::default(),
            upkeep: None,
            layers: None,
            contention: None,
            statistics: None,
            sizes: store::Sizes::new(),
        }
    }

    fn app(&self) -> &App {
        &self.web.app
    }

    fn turn(&mut self) {
        let web = self.web.clone();
        let _same_model = web.app.at_jobs();
        // A node that leaves, or runs a model that is no longer in force, leaves the work to others.
        if self.web.app.may_work().is_ok() {
            let done = self.events();
            self.troubles.tell(&self.web.app, "scheduled events wait", done);
            let delivered = self.app().deliver().map(drop);
            self.troubles.tell(&self.web.app, "mail waits", delivered);
        }
        let now = self.app().clock.now();
        if self.upkeep.is_none_or(|at| (now - at).num_seconds() >= UPKEEP_SECONDS) && self.app().upkeep().is_ok() {
            self.upkeep = Some(now);
        }
        self.layers(now);
        self.contention(now);
        self.statistics(now);
    }

    /// At the start and once an hour: whether the layers still decide alike.
    fn layers(&mut self, now: NaiveDateTime) {
        if self.layers.is_some_and(|at| (now - at).num_seconds() < UPKEEP_SECONDS) {
            return;
        }
        self.layers = Some(now);
        let (level, text) = match self.app().check_layers() {
            Ok(found) => {
                let (sets, of, differences) = (found.sets, found.of, found.differences.len());
                let text = format!("{} rows for {sets} of {of} sets of roles, {differences} difference(s)", found.rows);
                (Level::Debug, text)
            }
            Err(refusal) => (Level::Error, format!("the layers could not be compared: {refusal}")),
        };
        self.app().logs.write("portcullis.layers", level, &text, None);
    }

    /// Once a minute: whether tables have grown so much that the database plans by what is no longer so.
    fn statistics(&mut self, now: NaiveDateTime) {
        if self.statistics.is_some_and(|at| (now - at).num_seconds() < STATISTICS_SECONDS) {
            return;
        }
        self.statistics = Some(now);
        let (app, live) = (self.app(), self.app().live());
        let done = app.db.read(|conn| store::outgrown(conn, &live.statements, &self.sizes)).and_then(|grown| {
            store::gather(&app.db, &live.statements, &grown)?;
            Ok(grown)
        });
        let (level, text) = match done {
            Ok(grown) if grown.is_empty() => return,
            Ok(grown) => {
                let names: Vec<&str> = grown.keys().map(|name| name.as_str()).collect();
                let text = format!("statistics gathered: {}", names.join(", "));
                self.sizes.extend(grown);
                (Level::Info, text)
            }
            Err(error) => (Level::Warning, format!("statistics could not be gathered: {error}")),
        };
        self.app().logs.write("portcullis.database", level, &text, None);
    }

    /// Once a minute: how many writes ran again because they met others, if any did.
    fn contention(&mut self, now: NaiveDateTime) {
        let (at, before) = *self.contention.get_or_insert((now, Contention::default()));
        let after = self.app().db.contention();
        if (now - at).num_seconds() < CONTENTION_SECONDS {
            return;
        }
        self.contention = Some((now, after));
        if let Some((level, text)) = contended(before, after) {
            self.app().logs.write("portcullis.database", level, &text, None);
        }
    }

    fn events(&mut self) -> Result<(), Refusal> {
        let live = self.app().live();
        let runs = if live.model.schedule.is_empty() { Runs::new() } else { self.app().runs(&live)? };
        let starting = !std::mem::replace(&mut self.started, true);
        for event in &live.model.schedule {
            let now = self.app().clock.now();
            let last = runs.get(&event.name).copied().flatten();
            let due = match last {
                None => true,
                Some(last) if starting && event.at_start && (now - last).num_seconds() >= AT_START_SECONDS => true,
                Some(last) => is_due(event.timing, last, now),
            };
            if due {
                // What went wrong is in the log and the trail.
                let _ = self.app().run_event(event, last);
            }
        }
        Ok(())
    }
}

/// What to say of writes that met each other since the last time; nothing when none did.
fn contended(before: Contention, after: Contention) -> Option<(Level, String)> {
    let writes = after.writes - before.writes;
    match (after.retries - before.retries, after.given_up - before.given_up) {
        (0, 0) => None,
        (retries, 0) => Some((Level::Info, format!("{writes} write transactions ran again {retries} times for conflicts"))),
        (retries, lost) => {
            let text = format!("{writes} write transactions ran again {retries} times for conflicts; {lost} were given up");
            Some((Level::Warning, text))
        }
    }
}

/// Whether an event that ran (or was first seen) at `last` is due again.
fn is_due(timing: Timing, last: NaiveDateTime, now: NaiveDateTime) -> bool {
    match timing {
        Timing::Every(seconds) => (now - last).num_seconds() >= i64::try_from(seconds).unwrap_or(i64::MAX),
        Timing::Daily(minute) => {
            let today = now.date().and_hms_opt(minute / 60, minute % 60, 0);
            today.is_some_and(|at| now >= at && last < at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn a_daily_event_runs_once_a_day_at_its_minute() {
        let at = |day: u32, hour: u32, minute: u32| {
            NaiveDate::from_ymd_opt(2026, 3, day).unwrap().and_hms_opt(hour, minute, 0).unwrap()
        };
        let daily = Timing::Daily(150);
        assert!(!is_due(daily, at(1, 1, 0), at(1, 2, 29)));
        assert!(is_due(daily, at(1, 1, 0), at(1, 2, 30)));
        assert!(!is_due(daily, at(1, 2, 30), at(1, 23, 0)));
        assert!(is_due(daily, at(1, 2, 30), at(2, 2, 31)));
    }

    #[test]
    fn writes_that_ran_again_are_told_of_and_others_are_not() {
        let at = |writes, retries, given_up| Contention { writes, retries, given_up };
        assert_eq!(contended(at(5, 2, 1), at(90, 2, 1)), None);
        let (level, text) = contended(at(5, 2, 1), at(90, 5, 1)).unwrap();
        assert!(level == Level::Info && text.starts_with("85 ") && text.contains(" 3 times"), "{text}");
        let (level, text) = contended(at(5, 2, 1), at(90, 22, 3)).unwrap();
        assert!(level == Level::Warning && text.contains("2 were given up"), "{text}");
    }

    #[test]
    fn a_repeated_event_waits_its_time() {
        let at = |second: u32| NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_opt(0, 0, second).unwrap();
        assert!(!is_due(Timing::Every(30), at(0), at(29)));
        assert!(is_due(Timing::Every(30), at(0), at(30)));
    }
}
