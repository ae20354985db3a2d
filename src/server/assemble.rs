//! From settings to a server that is ready to listen.

use crate::app::seed::{self, Seeded};
use crate::app::{App, Demo, Live};
use crate::audit::{AnchorFile, Event, EventKind, accept_anchors, anchor_faults};
use crate::clock::Clock;
use crate::config::{DbTarget, Settings, create_private_dir};
use crate::crypto::{KeyError, Keys};
use crate::db::{Db, DbError, Dialect, Hold};
use crate::domain::knockout;
use crate::gate::Gate;
use crate::identity::{DemoError, DemoMode, Identity, IdentitySettings};
use crate::log::Logs;
use crate::mail::{MailError, Mailer};
use crate::model::{self, Files, Findings, Level, Model, Severity};
use crate::store::{self, Statements, SyncError};
use crate::web::Web;
use crate::web::assets::Assets;
use crate::workspace::Snapshots;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How a server is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With demo users and an outbox, on this machine only.
    Demo,
    /// Strict.
    Serve,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This build can take layers away.
    #[error("{0}: this build can take layers of the defence away, to test the others. It serves nobody")]
    Knockout(&'static str),
    /// The model has errors; they say where and how to mend.
    #[error("the model has errors:\n\n{}", .0.human())]
    Model(Findings),
    /// The model's folder cannot be read.
    #[error("the app cannot be read: {0}")]
    Files(std::io::Error),
    /// What is missing for `serve`.
    #[error("refused to start; {} thing(s) to mend:\n{}", .0.len(), .0.iter().map(|gap| format!("  - {gap}")).collect::<Vec<_>>().join("\n"))]
    Gaps(Vec<String>),
    /// Demo mode is for this machine only.
    #[error(
        "demo mode listens on this machine only (127.0.0.1 or [::1]); {0} could be reached by others. `portcullis serve` is for others"
    )]
    Reachable(std::net::SocketAddr),
    /// The secret.
    #[error("{0}")]
    Keys(#[from] KeyError),
    /// The database.
    #[error("the database cannot be used: {0}")]
    Db(#[from] DbError),
    /// The database does not fit the model.
    #[error("{0}")]
    Sync(#[from] SyncError),
    /// Mail.
    #[error("{0}")]
    Mail(#[from] MailError),
    /// Demo users.
    #[error("{0}")]
    Demo(#[from] DemoError),
    /// Another process has the SQLite file.
    #[error("another process uses {}: an SQLite file is for one at a time; stop the other, or use PostgreSQL for several nodes", .0.display())]
    InUse(PathBuf),
    /// Another process is this node.
    #[error("another process serves as node `{0}`: give each node of a database a name of its own (`node`)")]
    NameTaken(String),
    /// A newer program has changed the database.
    #[error(
        "the database is newer than this program: it has the migration(s) {}, which this version does not know. \
         Start the newer program, or put back a backup of before", .0.join(", ")
    )]
    Newer(Vec<String>),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// Loads and checks a model.
pub fn load(folder: &Path) -> Result<(Model, Findings), StartError> {
    let files = Files::read(folder).map_err(StartError::Files)?;
    let (model, findings) = model::load(&files);
    match model {
        Some(model) => Ok((model, findings)),
        None => Err(StartError::Model(findings)),
    }
}

/// What is wanted of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// To look at it, beside a server that runs.
    Look,
    /// To change it: an SQLite file is one process's own.
    Change,
}

/// How often, and how long apart, a node asks for its name: a killed process of that name is soon forgotten.
const NAME_TRIES: u32 = 30;
const NAME_PAUSE: Duration = Duration::from_millis(200);

/// Opens the database of some settings, with its system tables up to date. The hold is for an SQLite file only.
pub fn open_database(settings: &Settings, wanted: Use) -> Result<(Db, Option<Hold>), StartError> {
    create_private_dir(&settings.data).map_err(|error| StartError::Other(format!("{}: {error}", settings.data.display())))?;
    let hold = match &settings.database {
        DbTarget::Sqlite(path) => {
            let hold = Hold::file(&settings.database)?;
            if hold.is_none() && wanted == Use::Change {
                return Err(StartError::InUse(path.clone()));
            }
            hold
        }
        DbTarget::Postgres(_) => None,
    };
    let db = Db::owned(&settings.database, settings.database_owner.as_ref(), settings.pool)?;
    // SECURITY: an older program does not know what a newer one relies on, such as a rule that the database enforces.
    let unknown = db.unknown_migrations()?;
    if !unknown.is_empty() {
        return Err(StartError::Newer(unknown));
    }
    if hold.is_some() || db.dialect() == Dialect::Postgres {
        bring_up_to_date(&db)?;
    } else if !db.pending_migrations()?.is_empty() {
        return Err(StartError::Other("the running server is of another version: stop it, then try again".into()));
    }
    Ok((db, hold))
}

/// When there is nothing to do nothing is done: rights that others changed are to be seen, not put back in silence.
fn bring_up_to_date(db: &Db) -> Result<(), StartError> {
    if db.is_ready()? {
        return Ok(());
    }
    db.migrate().map_err(|error| match error {
        DbError::Forbidden(_) if !db.has_owner() => StartError::Gaps(vec![
            "database: its tables or roles are not those of this version, and the role that logs in may not change \
             them; set database_owner and run `portcullis migrate --apply`"
                .to_owned(),
        ]),
        other => other.into(),
    })
}

/// The node's name, for this process alone.
fn take_name(db: &Db, node: &str) -> Result<Hold, StartError> {
    for tried in 0..NAME_TRIES {
        if tried > 0 {
            std::thread::sleep(NAME_PAUSE);
        }
        if let Some(hold) = db.hold(node)? {
            return Ok(hold);
        }
    }
    Err(StartError::NameTaken(node.to_owned()))
}

/// `serve` refuses to log in as somebody whom the engine's own rules do not bind; a demo only says so.
fn refuse_might(db: &Db, mode: Mode, logs: &Logs) -> Result<(), StartError> {
    let might = db.too_mighty()?;
    match mode {
        Mode::Serve if !might.is_empty() => return Err(StartError::Gaps(might)),
        Mode::Serve => {}
        Mode::Demo => might.iter().for_each(|line| logs.write("portcullis.db", crate::config::Level::Info, line, None)),
    }
    Ok(())
}

/// `serve` refuses to start over system tables whose guards are not as they were made; a demo puts them back.
fn refuse_unguarded(db: &Db, mode: Mode, logs: &Logs) -> Result<(), StartError> {
    let faults = db.guard_faults()?;
    if mode == Mode::Serve && !faults.is_empty() {
        let hint = "find out who did it, then run `portcullis migrate --apply`, which restores them".to_owned();
        return Err(StartError::Gaps(faults.into_iter().map(|fault| format!("database: {fault}")).chain([hint]).collect()));
    }
    if !faults.is_empty() {
        for restored in db.restore_guards()? {
            logs.write("portcullis.database", crate::config::Level::Warning, &format!("restored: {restored}"), None);
        }
    }
    Ok(())
}

/// `serve` refuses to start over a trail that does not agree with what was noted of it; a demo goes on, and records that.
fn refuse_unanchored(db: &Db, keys: &Keys, settings: &Settings, mode: Mode) -> Result<Option<Event>, StartError> {
    let file = AnchorFile::beside(&settings.secret_file, &settings.node);
    let noted = file.noted(keys);
    let faults = db.read(|conn| anchor_faults(conn, keys, Some(&noted)))?;
    if faults.is_empty() {
        return Ok(None);
    }
    let faults = faults.into_iter().map(|(node, fault)| format!("audit trail: node {node}: {fault}"));
    if mode == Mode::Serve {
        let hint =
            "run `portcullis audit verify`; if you restored a backup, `portcullis audit accept` goes on with it and records that";
        return Err(StartError::Gaps(faults.chain([hint.to_owned()]).collect()));
    }
    accept_anchors(db, keys, &file).map_err(|error| StartError::Other(error.to_string()))?;
    let event = Event::new(EventKind::TrailAccepted, "the trail was accepted as it is");
    Ok(Some(faults.fold(event.by(None, "start"), |event, fault| event.detail("fault", None, Some(fault)))))
}

/// What a demo's database begins with, given the app's folder.
pub type Fill<'f> = dyn FnMut(&Settings, &Model, &Db, &Demo, &Clock) -> Result<usize, StartError> + 'f;

/// Builds everything but the listening.
pub fn assemble(settings: Settings, mode: Mode, clock: Clock, logs: Logs) -> Result<Web, StartError> {
    let loaded = load(&settings.app)?;
    assemble_with(settings, mode, clock, logs, loaded, &mut seed_data)
}

/// The demo data of the app.
fn seed_data(settings: &Settings, model: &Model, db: &Db, demo: &Demo, clock: &Clock) -> Result<usize, StartError> {
    match seed::load(&settings.app, model, db, demo, clock).map_err(|error| StartError::Other(error.to_string()))? {
        Seeded::Rows(rows) => Ok(rows),
        Seeded::AlreadyThere => Ok(0),
    }
}

/// Builds everything but the listening, for a model and first data of the caller's.
pub fn assemble_with(
    settings: Settings,
    mode: Mode,
    clock: Clock,
    logs: Logs,
    (model, findings): (Model, Findings),
    fill: &mut Fill<'_>,
) -> Result<Web, StartError> {
    if let (Mode::Serve, Some(marker)) = (mode, knockout::marker()) {
        return Err(StartError::Knockout(marker));
    }
    let demo_mode = match mode {
        Mode::Demo => Some(DemoMode::on(settings.listen).ok_or(StartError::Reachable(settings.listen))?),
        Mode::Serve => None,
    };
    if mode == Mode::Serve {
        refuse_gaps(&settings, &model, &findings)?;
    }
    create_private_dir(&settings.data).map_err(|error| StartError::Other(format!("{}: {error}", settings.data.display())))?;
    let keys = match mode {
        Mode::Demo if settings.secret_file.parent() == Some(settings.data.as_path()) => Keys::load_or_create(&settings.data)?,
        _ => Keys::load_file(&settings.secret_file)?,
    };
    let (db, hold) = open_database(&settings, Use::Change)?;
    refuse_might(&db, mode, &logs)?;
    refuse_unguarded(&db, mode, &logs)?;
    let accepted = refuse_unanchored(&db, &keys, &settings, mode)?;
    let hold = match hold {
        Some(file) => file,
        None => take_name(&db, &settings.node)?,
    };
    let model = Arc::new(model);
    let snapshots = Arc::new(Snapshots::new(model.clone()));
    let live = Live::new(model.clone(), snapshots, findings).map_err(|error| StartError::Other(error.to_string()))?;
    synchronise(&db, &live.statements, mode, &clock, &logs)?;
    let identity =
        Identity::new(keys.clone(), clock.clone(), &settings.node, IdentitySettings::configured(&settings, &model.title))
            .map_err(|error| StartError::Other(error.to_string()))?;
    let demo = match demo_mode {
        Some(proof) => {
            let users = db.write(|conn| identity.ensure_demo_users(conn, proof, &Demo::users_of(&model)))?;
            Some(Demo { mode: proof, users })
        }
        None => {
            db.write(|conn| identity.purge_demo_users(conn))?;
            None
        }
    };
    if let Some(demo) = &demo {
        let rows = fill(&settings, &model, &db, demo, &clock)?;
        if rows > 0 {
            store::gather_outgrown(&db, &live.statements)?;
            logs.write("portcullis.seed", crate::config::Level::Info, &format!("demo data: {rows} rows"), None);
        }
    }
    let mailer = Mailer::configured(&settings.mail)?;
    let gate = Gate::configured(&settings);
    let app = App::new(settings, keys, clock, db, hold, identity, mailer, logs, demo, live);
    app.follow().map_err(|error| StartError::Other(error.to_string()))?;
    let event =
        Event::new(EventKind::Configuration, format!("the server started ({mode:?})")).on(app.live().model.fingerprint.clone());
    app.record(&event).map_err(|error| StartError::Other(error.to_string()))?;
    if let Some(event) = accepted {
        app.record(&event).map_err(|error| StartError::Other(error.to_string()))?;
    }
    let assets = Assets::load().map_err(|error| StartError::Other(error.to_string()))?;
    Web::new(Arc::new(app), gate, Arc::new(assets)).map_err(|error| StartError::Other(error.to_string()))
}

fn refuse_gaps(settings: &Settings, model: &Model, findings: &Findings) -> Result<(), StartError> {
    let mut gaps = Vec::new();
    if model.level == Level::Prototype {
        gaps.push("app.yaml: the security level is prototype; set `level: production`".to_owned());
    }
    let open = findings.0.iter().filter(|finding| finding.severity == Severity::Gap);
    gaps.extend(open.map(|finding| format!("{}: {}", finding.place(), finding.message)));
    gaps.extend(settings.check_production().iter().map(|gap| format!("{}: {} – {}", gap.key, gap.what, gap.mend)));
    for variable in model.secrets.values() {
        let file = format!("{variable}_FILE");
        if std::env::var_os(variable).is_none() && std::env::var_os(&file).is_none() {
            gaps.push(format!("the secret constant {variable} is not set; set {variable} or {file}"));
        }
    }
    if gaps.is_empty() { Ok(()) } else { Err(StartError::Gaps(gaps)) }
}

/// Demo mode follows the model; `serve` follows it only into an empty database, else asks for `migrate`.
fn synchronise(db: &Db, statements: &Statements, mode: Mode, clock: &Clock, logs: &Logs) -> Result<(), StartError> {
    let now = clock.now();
    // Where the server may not prepare sets of rights they have to be prepared already.
    let alone = mode == Mode::Serve && !store::can_prepare(db)?;
    let plan = match alone {
        true => db.read(|conn| store::plan(conn, statements, now))?,
        false => db.read(|conn| store::plan_tables(conn, statements, now))?,
    };
    if mode == Mode::Serve && !plan.drift().is_empty() {
        return Err(SyncError::EngineDrift(plan.drift().to_vec()).into());
    }
    for difference in plan.drift() {
        let text = format!("generated objects are made anew: {difference}");
        logs.write("portcullis.database", crate::config::Level::Warning, &text, None);
    }
    if plan.is_empty() {
        return Ok(());
    }
    if mode == Mode::Serve && !plan.is_first() && (alone || !plan.only_prepares()) {
        let todo = plan.summary(db.dialect()).into_iter().map(|line| format!("database: {line}"));
        let hint = "look at `portcullis migrate --plan`, then run `portcullis migrate --apply`".to_owned();
        return Err(StartError::Gaps(todo.chain([hint]).collect()));
    }
    store::apply(db, statements, &BTreeSet::new(), now)?;
    Ok(())
}
