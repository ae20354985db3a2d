//! Writes per second and retries per write, with 1, 8 and 64 writers at once, on SQLite and PostgreSQL.
//!
//! Each write is what a request of a signed-in person does in its transaction: the session is proved, a row is tested
//! against the rules, changed, tested again, and recorded in the audit trail. `serialized` is how the server runs it;
//! `by statement` is the same work at READ COMMITTED, where a check can be passed twice. Whole cells take turns,
//! so what else the machine does falls on all of them.
//!
//! `cargo bench --bench writes` prints the tables of docs/PERFORMANCE.md; `-- 5` measures each cell for five seconds.

// A benchmark that cannot go on ends with a message, and nobody depends on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

/// The clusters of PostgreSQL that tests use too.
#[path = "../src/db/testing/cluster.rs"]
#[allow(dead_code, reason = "some of it is for tests only")]
mod cluster;

use portcullis::access::{Authority, Filter, FilterOp, Objects, Query};
use portcullis::app::Live;
use portcullis::clock::Clock;
use portcullis::config::{DbTarget, Overrides, Secret, Settings};
use portcullis::db::{Conn, DbError};
use portcullis::domain::{Name, ObjectId, QName, Value};
use portcullis::identity::Device;
use portcullis::log::Logs;
use portcullis::server::{self, Mode};
use portcullis::store::{Caller, Recorder, Store};
use portcullis::web::Web;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WRITERS: [usize; 3] = [1, 8, 64];
/// Rows, and how many of them are one team.
const ROWS: usize = 640;
const TEAM: usize = 20;
const USERS: usize = 8;

const DOMAIN: &str = "\
entities:
  Task:
    attributes:
      team: {type: integer, required: true}
      points: {type: integer, required: true}
    indexes: [[team]]
    access:
      - {roles: [Clerk], create: true, read: [team, points], write: [team, points], where: \"this.team >= 0\"}
  Ticket:
    attributes:
      number: {type: autonumber}
      points: {type: integer, required: true}
    access:
      - {roles: [Clerk], create: true, read: [number, points], write: [points]}
";
const HOME: &str = "title: Tasks\nroles: [Clerk]\ncontent:\n  - heading: {text: Tasks}\n";

fn app_yaml() -> String {
    let users: String = (0..USERS)
        .map(|n| format!("  - {{key: w{n}, name: Writer {n}, email: w{n}@tasks.example, userRoles: [Clerk]}}\n"))
        .collect();
    format!(
        "app: tasks\ntitle: Tasks\nlevel: prototype\nlanguage: en\nmodules: [tasks]\nuserRoles:\n  Clerk: {{moduleRoles: \
         [tasks.Clerk]}}\nnavigation:\n  - {{userRoles: [Clerk], home: tasks.Home}}\ndemoUsers:\n{users}"
    )
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Each writer changes a row of its own.
    OwnRow,
    /// Reads a team, and changes one of it.
    Checked,
    /// All change the same row.
    OneRow,
    /// Each makes a new object with the next automatic number.
    Numbered,
}

impl Work {
    const ALL: [(Self, &'static str); 4] = [
        (Self::OwnRow, "a row of one's own"),
        (Self::Checked, "one of twenty that were read"),
        (Self::OneRow, "the same row"),
        (Self::Numbered, "a new one with a number"),
    ];

    /// The row of a writer's turn, and the team that is read for it.
    fn target(self, writer: usize, turn: u64) -> (usize, Option<usize>) {
        // Numbers that look random and are the same each time.
        let random = (turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (writer as u64).wrapping_mul(0xD1B5_4A32_D192_ED03)) >> 33;
        match self {
            Self::OwnRow => (writer % ROWS, None),
            Self::Checked => {
                let row = random as usize % ROWS;
                (row, Some(row / TEAM))
            }
            Self::OneRow | Self::Numbered => (0, None),
        }
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The server without its listening, with rows and people who are signed in.
struct Shop {
    web: Web,
    live: Arc<Live>,
    sessions: Vec<String>,
    recorder: Recorder,
    rows: Vec<ObjectId>,
    _folder: tempfile::TempDir,
}

impl Shop {
    fn open(database: Option<(String, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("app.yaml", app_yaml()),
            ("tasks/module.yaml", "roles: {Clerk: Works}\n".to_owned()),
            ("tasks/domain.yaml", DOMAIN.to_owned()),
            ("tasks/pages/Home.yaml", HOME.to_owned()),
        ];
        for (path, text) in files {
            let file = folder.path().join("app").join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let (data, app) = (Some(folder.path().join("var")), Some(folder.path().join("app")));
        let mut settings = Settings::load(&Overrides { data, app, ..Overrides::default() }).unwrap();
        if let Some((login, owner)) = database {
            settings.database = DbTarget::Postgres(Secret::new(login));
            settings.database_owner = Some(DbTarget::Postgres(Secret::new(owner)));
        }
        let web = server::assemble(settings, Mode::Demo, Clock::system(), Logs::detached()).unwrap();
        let (live, sessions) = (web.app.live(), sessions(&web));
        let recorder = Recorder {
            keys: web.app.keys.clone(),
            node: web.app.settings.node.clone(),
            clock: web.app.clock.clone(),
            who: None,
            request_id: Some("bench".into()),
        };
        let mut shop = Self { web, live, sessions, recorder, rows: Vec::new(), _folder: folder };
        shop.rows = (0..ROWS).map(|row| shop.make(row)).collect();
        shop
    }

    fn make(&self, row: usize) -> ObjectId {
        let team = i64::try_from(row / TEAM).unwrap();
        let values = BTreeMap::from([(Name::new("team"), Value::Integer(team)), (Name::new("points"), Value::Integer(0))]);
        let made = self.web.app.db.write(|conn| {
            self.within(conn, 0, |store, grants| Ok(store.create(&grants.create(&entity(), values.keys())?, &values)?))
        });
        made.unwrap_or_else(|error: Failed| panic!("{error}"))
    }

    /// The work of a signed-in person in a transaction.
    fn within<T>(
        &self,
        conn: &mut Conn,
        writer: usize,
        act: impl FnOnce(&mut Store<'_>, &dyn Authority) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let session = self.web.app.identity.prove_session(conn, &self.sessions[writer % self.sessions.len()])?;
        let user = session.ok_or("the session is over")?.user;
        let grants = self.live.grants_of(user.user_roles());
        let caller = Caller { user: Some(ObjectId(user.id().0)), now: self.web.app.clock.now() };
        let mut store = Store::new(conn, &self.live.statements, caller, &self.recorder);
        let done = act(&mut store, &*grants)?;
        store.finish()?;
        Ok(done)
    }

    fn write(&self, conn: &mut Conn, work: Work, writer: usize, turn: u64) -> Result<(), Failed> {
        let (row, team) = work.target(writer, turn);
        let points = Value::Integer(i64::try_from(turn % 1_000).unwrap());
        let values = BTreeMap::from([(Name::new("points"), points)]);
        self.within(conn, writer, |store, grants| {
            if work == Work::Numbered {
                let ticket = QName::new("tasks", "Ticket");
                store.create(&grants.create(&ticket, values.keys())?, &values)?;
                return Ok(());
            }
            if let Some(team) = team {
                let mut query = Query::of(&entity(), vec![vec![Name::new("points")]]);
                let value = Value::Integer(i64::try_from(team).unwrap());
                query.filters = vec![Filter { path: vec![Name::new("team")], op: FilterOp::Equal, value }];
                let found = store.load(&grants.load(&entity())?, &query)?.len();
                assert_eq!(found, TEAM);
            }
            Ok(store.change(&grants.change(&entity(), values.keys())?, self.rows[row], None, &values)?)
        })
    }

    /// Lets this many write for a while.
    fn measure(&self, work: Work, writers: usize, serialized: bool, time: Duration) -> Figure {
        let (db, end, turns) = (&self.web.app.db, AtomicBool::new(false), AtomicU64::new(0));
        let (kept, lost) = (AtomicU64::new(0), AtomicU64::new(0));
        let before = db.contention();
        let start = Instant::now();
        std::thread::scope(|scope| {
            for writer in 0..writers {
                let (end, turns, kept, lost) = (&end, &turns, &kept, &lost);
                scope.spawn(move || {
                    while !end.load(Ordering::Relaxed) {
                        let turn = turns.fetch_add(1, Ordering::Relaxed);
                        let write = |conn: &mut Conn| self.write(conn, work, writer, turn);
                        let done = if serialized { db.write(write) } else { db.write_unserialized(write) };
                        let counted = match done {
                            Ok(()) => kept,
                            Err(error) if error.downcast_ref::<DbError>().is_some_and(DbError::is_passing) => lost,
                            Err(error) => panic!("{error:?}"),
                        };
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            std::thread::sleep(time);
            end.store(true, Ordering::Relaxed);
        });
        let kept = kept.into_inner() as f64;
        Figure {
            per_second: kept / start.elapsed().as_secs_f64(),
            retries: (db.contention().retries - before.retries) as f64 / kept.max(1.0),
            lost: lost.into_inner(),
        }
    }
}

fn entity() -> QName {
    QName::new("tasks", "Task")
}

/// Sessions of several people, as many as there are writers at most.
fn sessions(web: &Web) -> Vec<String> {
    let app = &web.app;
    let users = &app.demo.as_ref().unwrap().users;
    let device = Device { address: IpAddr::from([127, 0, 0, 1]), agent: "bench", replaces: None };
    let one = |n: usize| {
        let key = format!("w{}", n % USERS);
        let proof = app.db.write(|conn| app.identity.sign_in_demo(conn, users, &key, None)).unwrap();
        app.identity.begin_session(&app.db, proof, device).unwrap().expose().to_owned()
    };
    (0..WRITERS[2]).map(one).collect()
}

/// What was measured in a cell.
struct Figure {
    per_second: f64,
    retries: f64,
    lost: u64,
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} | {:.2} | {}", self.per_second, self.retries, self.lost)
    }
}

fn table(name: &str, shop: &Shop, both: bool, time: Duration) {
    println!("\n{name}\n");
    let head = "| changed | writers | writes/s | retries per write | given up |";
    println!("{head}{}", if both { " by statement: writes/s | retries per write | given up |" } else { "" });
    println!("| --- | ---: | ---: | ---: | ---: |{}", if both { " ---: | ---: | ---: |" } else { "" });
    for (work, what) in Work::ALL {
        for writers in WRITERS {
            let serialized = shop.measure(work, writers, true, time);
            let other = if both { format!(" {} |", shop.measure(work, writers, false, time)) } else { String::new() };
            println!("| {what} | {writers} | {serialized} |{other}");
        }
    }
}

fn main() {
    // `cargo test --benches` runs this too, only to see that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(2);
    let time = Duration::from_secs(seconds);
    table("SQLite", &Shop::open(None), false, time);
    match cluster::Cluster::start() {
        Some(cluster) => table("PostgreSQL", &Shop::open(Some(cluster.served_database())), true, time),
        None => println!("\nPostgreSQL: not there"),
    }
}
