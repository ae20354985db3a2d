//! Servers in this process, each on a free port of this machine with data of its own.

use super::actor::Actor;
use super::project;
use portcullis::clock::Clock;
use portcullis::config::{DbTarget, Overrides, Secret, Settings};
use portcullis::domain::{ObjectId, QName};
use portcullis::log::Logs;
use portcullis::server::{self, Mode, Pace, Running, StartError};
use portcullis::web::Web;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use tempfile::TempDir;

/// The clusters of PostgreSQL that unit tests use too.
#[path = "../../../src/db/testing/cluster.rs"]
#[allow(dead_code, reason = "some of it is for unit tests only")]
pub mod cluster;

/// When every test begins: a Monday.
pub fn start() -> chrono::NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(2026, 3, 2).unwrap().and_hms_opt(9, 0, 0).unwrap()
}

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// The address of a new, empty database; `None` when there is no PostgreSQL (which is told and counted).
pub fn postgres() -> Option<String> {
    Some(cluster::shared()?.database())
}

/// How to start a server.
pub struct Setup {
    pub app: PathBuf,
    pub mode: Mode,
    pub kind: Kind,
    pub clock: Clock,
    pub scheduled: bool,
    pub pace: Pace,
    pub change: Box<dyn FnOnce(&mut Settings)>,
}

impl Setup {
    pub fn of(app: impl Into<PathBuf>) -> Self {
        let clock = Clock::fixed(start());
        Self {
            app: app.into(),
            mode: Mode::Demo,
            kind: Kind::Sqlite,
            clock,
            scheduled: false,
            pace: Pace::default(),
            change: Box::new(|_| ()),
        }
    }
    pub fn on(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
    pub fn scheduled(self) -> Self {
        Self { scheduled: true, ..self }
    }
    pub fn with(self, change: impl FnOnce(&mut Settings) + 'static) -> Self {
        Self { change: Box::new(change), ..self }
    }
    /// Starts it; `None` when it needs PostgreSQL and there is none (which is told and counted).
    pub fn try_run(self) -> Option<Server> {
        let database = match self.kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(cluster::shared()?.served_database()),
        };
        let data = room();
        if database.is_none()
            && self.mode == Mode::Demo
            && let Some(seeded) = template(&self.app)
        {
            copy(&seeded, data.path());
        }
        Some(self.begin(data, database).unwrap())
    }
    pub fn run(self) -> Server {
        self.try_run().unwrap()
    }
    /// Starts it over data that is there already.
    pub fn over(self, data: TempDir) -> Result<Server, StartError> {
        self.begin(data, None)
    }

    /// Starts it over this database, given as who logs in and as its owner.
    pub fn over_database(self, urls: (String, String)) -> Server {
        self.begin(room(), Some(urls)).unwrap()
    }
    /// Starts another node of a server: the same database, secret, clock and outbox.
    pub fn beside(self, first: &Server, node: &str) -> Result<Server, StartError> {
        let Settings { database, database_owner, secret_file, mail, .. } = first.web().app.settings.clone();
        let (node, change, clock) = (node.to_owned(), self.change, first.clock.clone());
        let change = Box::new(move |settings: &mut Settings| {
            (settings.database, settings.database_owner) = (database, database_owner);
            (settings.secret_file, settings.mail, settings.node) = (secret_file, mail, node);
            change(settings);
        });
        Self { change, clock, ..self }.begin(room(), None)
    }

    fn begin(self, data: TempDir, database: Option<(String, String)>) -> Result<Server, StartError> {
        let mut settings = settings(&self.app, data.path());
        if let Some((login, owner)) = database {
            settings.database = DbTarget::Postgres(Secret::new(login));
            settings.database_owner = Some(DbTarget::Postgres(Secret::new(owner)));
        }
        (self.change)(&mut settings);
        let logs = Logs::detached();
        let web = server::assemble(settings, self.mode, self.clock.clone(), logs.clone())?;
        let running = server::start_at_pace(web, self.scheduled, self.pace)?;
        Ok(Server { running: Some(running), clock: self.clock, logs, data: Some(data) })
    }
}

/// A folder for data: in memory where the machine offers that, because tests of a server wait for no disk.
fn room() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.or_else(|_| TempDir::new()).unwrap()
}

/// Settings of a test: cheap hashes, everything in one folder.
pub fn settings(app: &Path, data: &Path) -> Settings {
    let file = data.join("portcullis.toml");
    std::fs::create_dir_all(data).unwrap();
    std::fs::write(&file, "pool = 4\n[argon2]\nmemory = 64\niterations = 1\n").unwrap();
    let overrides = Overrides {
        file: Some(file),
        listen: Some(([127, 0, 0, 1], 0).into()),
        data: Some(data.to_owned()),
        app: Some(app.to_owned()),
    };
    let mut settings = Settings::load(&overrides).unwrap();
    // Tests of a server for others may run as root.
    settings.allow_root = true;
    settings
}

/// The data folder of an app of this project, seeded once in this process.
fn template(app: &Path) -> Option<PathBuf> {
    static MADE: OnceLock<Mutex<BTreeMap<PathBuf, PathBuf>>> = OnceLock::new();
    if !app.starts_with(project("")) {
        return None;
    }
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(known) = made.get(app) {
        return Some(known.clone());
    }
    let all = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for old in std::fs::read_dir(&all).into_iter().flatten().flatten() {
        let name = old.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix("seeded-").and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(old.path());
        }
    }
    let folder = all.join(format!("seeded-{}-{}", std::process::id(), made.len()));
    let web = server::assemble(settings(app, &folder), Mode::Demo, Clock::fixed(start()), Logs::detached());
    let web = web.unwrap_or_else(|error| panic!("{}: {error}", app.display()));
    web.app.db.close();
    drop(web);
    made.insert(app.to_owned(), folder.clone());
    Some(folder)
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A running server; ends with its value.
pub struct Server {
    running: Option<Running>,
    pub clock: Clock,
    pub logs: Logs,
    data: Option<TempDir>,
}

impl Server {
    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }
    /// The server's parts, to look behind the scenes.
    pub fn web(&self) -> &Arc<Web> {
        &self.running().web
    }
    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.running().address
    }
    /// Stops it; its data stays for another.
    pub fn stop(mut self) -> TempDir {
        self.web().app.db.close();
        drop(self.running.take());
        self.data.take().unwrap()
    }

    /// Somebody who has not signed in.
    pub fn visitor(&self) -> Actor {
        Actor::new(self.running().address)
    }
    /// A demo user, signed in with the one-click button.
    pub fn sign_in(&self, key: &str) -> Actor {
        let actor = self.visitor();
        let page = actor.open("/sign-in");
        let csrf = page.hidden("_csrf").expect("a token on the sign-in page").to_owned();
        let answer = actor.post("/sign-in/demo", &[("_csrf", csrf.as_str()), ("key", key)]);
        assert_eq!(answer.status, 303, "{key} cannot sign in: {}", answer.body);
        actor
    }
    /// Signs in with a password; tells the answer's status.
    pub fn password_sign_in(&self, email: &str, password: &str) -> (Actor, u16) {
        let actor = self.visitor();
        let page = actor.open("/sign-in");
        let csrf = page.hidden("_csrf").unwrap().to_owned();
        let answer = actor.post("/sign-in", &[("_csrf", csrf.as_str()), ("email", email), ("password", password)]);
        (actor, answer.status)
    }

    /// The handle of an object, as the server itself would write it.
    pub fn handle(&self, entity: &str, id: i64) -> String {
        self.web().app.keys.handle(&QName::parse(entity).unwrap(), ObjectId(id))
    }
    /// The newest mail to an address: its text.
    pub fn mail_to(&self, address: &str) -> Option<String> {
        let outbox = self.web().app.mailer.as_outbox()?;
        let mails = outbox.list().unwrap();
        let found = mails.iter().filter(|mail| mail.to.contains(address)).max_by_key(|mail| mail.id.clone())?;
        Some(outbox.read(&found.id).unwrap().unwrap().text)
    }
    /// The path of the link in the newest mail to an address.
    pub fn link_to(&self, address: &str) -> String {
        let text = self.mail_to(address).unwrap_or_else(|| panic!("no mail to {address}"));
        let at = text.find("/link/").expect("a link in the mail");
        text[at..].split_whitespace().next().unwrap().to_owned()
    }
    /// Statements asked of the database while something is done.
    pub fn statements<T>(&self, act: impl FnOnce() -> T) -> (T, u64) {
        let before = self.web().app.db.statements();
        let done = act();
        (done, self.web().app.db.statements() - before)
    }
    /// Texts of the log, newest last.
    pub fn log(&self) -> Vec<String> {
        self.logs
            .recent(&Default::default())
            .iter()
            .map(|entry| format!("{:?} {} {}", entry.level, entry.node, entry.text))
            .collect()
    }
}

/// The app that ships, with its demo data.
pub fn people() -> Server {
    Setup::of(project("apps/people")).run()
}

/// The small test app, with its demo data.
pub fn library() -> Server {
    Setup::of(project("tests/apps/library")).run()
}

/// An app of its own, given as files.
pub fn written(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}
