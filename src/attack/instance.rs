//! The throw-away server that is attacked: a place of its own, canary data in place of demo data, gone afterwards.
//!
//! Guarantees: it listens on this machine only; nothing outside its own private folder (and, on PostgreSQL, its own new
//! database) is written; both are removed when the value is dropped, however the attack ended. The clock stands still,
//! so the same seed gives the same attack.

use super::AttackError;
use super::canary::{self, Canaries};
use super::oracle::Who;
use super::probe;
use super::world::World;
use crate::app::{App, Demo};
use crate::clock::Clock;
use crate::config::{DbTarget, Overrides, Secret, Settings, create_private_dir};
use crate::crypto::random_bytes;
use crate::db::{Db, Scratch};
use crate::domain::{Name, ObjectId};
use crate::log::Logs;
use crate::model::{DemoUser, Model};
use crate::server::{self, Mode, Running, StartError};
use chrono::{NaiveDate, NaiveDateTime};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settings of the instance: hashes cost next to nothing, because its passwords are random and live for minutes.
const SETTINGS: &str = "pool = 4\n[argon2]\nmemory = 64\niterations = 1\n\
    [limits]\nconnections = 8000\nconnections_per_address = 4000\n";

/// A person of the attack: each user role has two, the attacker and the twin whose data is foreign.
#[derive(Clone, Debug)]
pub struct Person {
    /// Role and account.
    pub who: Who,
    /// The key of the sign-in button.
    pub key: String,
    /// The address.
    pub email: String,
    /// Whether this is the second of the role.
    pub twin: bool,
}

/// The running instance.
pub struct Instance {
    // Dropped in this order: the server, its database, its folder.
    running: Running,
    _scratch: Option<Scratch>,
    _folder: Folder,
    /// The model with the attack's own pages.
    pub model: Arc<Model>,
    /// The people.
    pub people: Vec<Person>,
    /// The data.
    pub canaries: Canaries,
    /// The moment at which everything happens.
    pub now: NaiveDateTime,
}

/// A private folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn make() -> std::io::Result<Self> {
        // In memory where the machine offers that: nothing here is to outlive the attack.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let name: String = random_bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = base.join(format!("portcullis-attack-{}-{name}", std::process::id()));
        create_private_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            // Nobody may be listening any more.
            let _ = writeln!(std::io::stderr(), "{} is still there: {error}", self.0.display());
        }
    }
}

impl Instance {
    /// Starts one for an app, on SQLite or in a new database beside the one that an address names. The server runs the
    /// model as `alter` leaves it; the attack knows it as it is written.
    pub fn start(app: &Path, database: Option<&Secret>, seed: u64, alter: &dyn Fn(&mut Model)) -> Result<Self, AttackError> {
        let (mut model, findings) = server::load(app)?;
        let people = people(&model);
        model.demo_users = people.iter().map(|(_, _, user)| user.clone()).collect();
        probe::equip(&mut model);
        let written = Arc::new(model.clone());
        alter(&mut model);
        let folder = Folder::make().map_err(|error| AttackError::Place(error.to_string()))?;
        let scratch = database.map(Scratch::create).transpose()?;
        let settings = settings(app, &folder.0, scratch.as_ref())?;
        let now = NaiveDate::from_ymd_opt(2026, 3, 2).and_then(|day| day.and_hms_opt(9, 0, 0)).unwrap_or_default();
        let mut grown = None;
        let mut fill = |_: &Settings, model: &Model, db: &Db, demo: &Demo, _: &Clock| {
            let data = plant(model, db, demo, &people, now, seed).map_err(|error| StartError::Other(error.to_string()))?;
            Ok(grown.insert(data).1.world.rows.values().map(std::collections::BTreeMap::len).sum())
        };
        let web = server::assemble_with(settings, Mode::Demo, Clock::fixed(now), Logs::detached(), (model, findings), &mut fill)?;
        let running = server::start(web, false)?;
        let (people, canaries) = grown.ok_or_else(|| AttackError::Place("there is no data to attack".into()))?;
        Ok(Self { running, _scratch: scratch, _folder: folder, model: written, people, canaries, now })
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.running.address
    }
    /// Its parts, for system work beside the server.
    pub fn app(&self) -> &App {
        &self.running.web.app
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.running.web.app.db.close();
    }
}

fn settings(app: &Path, folder: &Path, scratch: Option<&Scratch>) -> Result<Settings, AttackError> {
    let overrides = Overrides {
        file: None,
        listen: Some(([127, 0, 0, 1], 0).into()),
        data: Some(folder.join("data")),
        app: Some(app.to_owned()),
    };
    // Nothing of the environment: a variable that names a real database must not reach this instance.
    let mut settings = Settings::of_text(SETTINGS, &overrides).map_err(|error| AttackError::Place(error.to_string()))?;
    if let Some(scratch) = scratch {
        settings.database = DbTarget::Postgres(scratch.url().clone());
    }
    Ok(settings)
}

/// Two people for each user role that can sign in, and for the role that holds nothing.
fn people(model: &Model) -> Vec<(Name, bool, DemoUser)> {
    let roles = model.user_roles.iter().filter(|(_, role)| !role.anonymous).map(|(name, _)| name.clone());
    let one = |(number, (role, twin)): (usize, (Name, bool))| {
        let word = if twin { "twin" } else { "lead" };
        let user = DemoUser {
            key: Name::new(format!("attack-{number}")),
            name: format!("Zq{word}{number} Canary{number}"),
            email: format!("zq{word}{number}@canary.example"),
            user_roles: [role.clone()].into(),
        };
        (role, twin, user)
    };
    roles.chain([Name::new(probe::NOBODY)]).flat_map(|role| [(role.clone(), false), (role, true)]).enumerate().map(one).collect()
}

/// Writes the canary data.
fn plant(
    model: &Model,
    db: &Db,
    demo: &Demo,
    people: &[(Name, bool, DemoUser)],
    now: NaiveDateTime,
    seed: u64,
) -> Result<(Vec<Person>, Canaries), AttackError> {
    let person = |(role, twin, user): &(Name, bool, DemoUser)| {
        let account = demo.users.account(&user.key)?;
        let who = Who { role: role.clone(), user: Some(ObjectId(account.0)) };
        Some(Person { who, key: user.key.to_string(), email: user.email.clone(), twin: *twin })
    };
    let people: Vec<Person> = people.iter().filter_map(person).collect();
    let accounts = db.read(|conn| World::read(conn, model, now))?;
    let all: Vec<Who> = people.iter().map(|person| person.who.clone()).collect();
    let canaries = canary::grow(model, accounts.clone(), &all, now, seed);
    db.write(|conn| canaries.world.put_back(conn, model, now, &accounts))?;
    Ok((people, canaries))
}
