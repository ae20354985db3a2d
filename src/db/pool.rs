//! The pool of connections.

use super::conn::{Conn, Mode};
use super::{DbError, DbTarget, Dialect, migrate, postgres, sqlite};
use diesel::connection::{Connection, Instrumentation, InstrumentationEvent};
use r2d2::ManageConnection;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The database: cheap to clone, shared by everybody who may use it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    target: DbTarget,
    size: u32,
    counts: Arc<Counts>,
    pools: RwLock<Option<Pools>>,
}

/// SQLite has one writer, so writers queue here in order instead of colliding in the file.
#[derive(Clone)]
struct Pools {
    read: r2d2::Pool<Maker>,
    write: r2d2::Pool<Maker>,
}

#[derive(Default)]
struct Counts {
    statements: AtomicU64,
    cached: AtomicU64,
    generation: AtomicU64,
}

impl Db {
    /// Opens the database and proves that it answers; creates an SQLite file that is not there.
    pub fn open(target: &DbTarget, size: u32) -> Result<Self, DbError> {
        let db = Self::lazy(target, size)?;
        db.ping()?;
        Ok(db)
    }

    /// Makes the pool without waiting for the database to answer.
    pub fn lazy(target: &DbTarget, size: u32) -> Result<Self, DbError> {
        let counts = Arc::new(Counts::default());
        let pools = Pools::new(target, size.max(1), &counts)?;
        let inner = Inner { target: target.clone(), size: size.max(1), counts, pools: RwLock::new(Some(pools)) };
        Ok(Self(Arc::new(inner)))
    }

    /// Runs `f` in one transaction that sees one state of the data and cannot change it.
    pub fn read<T, E: From<DbError>>(&self, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        self.run(Mode::Read, f)
    }

    /// Runs `f` in one transaction; all of it happens or nothing. A conflict is [`DbError::Busy`], never a silent retry.
    pub fn write<T, E: From<DbError>>(&self, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        self.run(Mode::Write, f)
    }

    /// Brings the system tables up to date.
    pub fn migrate(&self) -> Result<(), DbError> {
        let mut line = self.line(Mode::Write)?;
        migrate::migrate(&mut line.conn)?;
        self.bump_generation();
        Ok(())
    }

    /// The migrations of the system tables that have not run yet.
    pub fn pending_migrations(&self) -> Result<Vec<String>, DbError> {
        migrate::pending(&mut self.line(Mode::Write)?.conn)
    }

    /// What was opened.
    pub(super) fn target(&self) -> &DbTarget {
        &self.0.target
    }

    /// Which SQL is spoken; known without asking the database.
    pub fn dialect(&self) -> Dialect {
        match self.0.target {
            DbTarget::Sqlite(_) => Dialect::Sqlite,
            DbTarget::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Asks the database for a sign of life.
    pub fn ping(&self) -> Result<(), DbError> {
        self.read(|conn| conn.batch("SELECT 1"))
    }

    /// How many statements have run so far, transaction control included.
    pub fn statements(&self) -> u64 {
        self.0.counts.statements.load(Ordering::SeqCst)
    }

    /// How many statements have been prepared and kept so far.
    pub fn prepared(&self) -> u64 {
        self.0.counts.cached.load(Ordering::SeqCst)
    }

    /// Forgets every pooled connection, and with it every prepared statement: call it after a schema change.
    pub fn bump_generation(&self) {
        self.0.counts.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets go of the database: whatever asks from now on is told that it is unavailable.
    pub fn close(&self) {
        *self.0.pools.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Opens again after [`Db::close`].
    pub fn reopen(&self) -> Result<(), DbError> {
        let pools = Pools::new(&self.0.target, self.0.size, &self.0.counts)?;
        *self.0.pools.write().unwrap_or_else(PoisonError::into_inner) = Some(pools);
        Ok(())
    }

    fn run<T, E: From<DbError>>(&self, mode: Mode, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        let mut line = self.line(mode)?;
        line.conn.transaction(mode, f)
    }

    fn line(&self, mode: Mode) -> Result<r2d2::PooledConnection<Maker>, DbError> {
        let pool = {
            let pools = self.0.pools.read().unwrap_or_else(PoisonError::into_inner);
            let pools = pools.as_ref().ok_or_else(|| DbError::Unavailable("the database is closed".into()))?;
            match mode {
                Mode::Read => pools.read.clone(),
                Mode::Write => pools.write.clone(),
            }
        };
        pool.get().map_err(|error| {
            // All connections exist and are in use: the database is there, but everybody wants it.
            let crowded = pool.state().connections >= pool.max_size();
            if crowded { DbError::Busy(error.into()) } else { DbError::Unavailable(error.into()) }
        })
    }
}

impl Pools {
    fn new(target: &DbTarget, size: u32, counts: &Arc<Counts>) -> Result<Self, DbError> {
        let maker = |source| Maker { source, counts: counts.clone() };
        Ok(match target {
            DbTarget::Sqlite(path) => Self {
                read: pool(maker(Source::Sqlite(path.clone(), Mode::Read)), size),
                write: pool(maker(Source::Sqlite(path.clone(), Mode::Write)), 1),
            },
            DbTarget::Postgres(url) => {
                let shared = pool(maker(Source::Postgres(Box::new(postgres::Target::parse(url)?))), size);
                Self { read: shared.clone(), write: shared }
            }
        })
    }
}

fn pool(maker: Maker, size: u32) -> r2d2::Pool<Maker> {
    r2d2::Pool::builder()
        .max_size(size)
        // At least one: the pool replaces a broken connection only to keep this many idle, and
        // without a replacement nobody wakes those who wait for it.
        .min_idle(Some(1))
        .test_on_check_out(true)
        .connection_timeout(postgres::CONNECT)
        .idle_timeout(Some(Duration::from_secs(600)))
        .max_lifetime(Some(Duration::from_secs(1800)))
        .error_handler(Box::new(r2d2::NopErrorHandler))
        .build_unchecked(maker)
}

enum Source {
    Sqlite(std::path::PathBuf, Mode),
    Postgres(Box<postgres::Target>),
}

/// Makes connections for the pool and judges the used ones.
struct Maker {
    source: Source,
    counts: Arc<Counts>,
}

/// A pooled connection.
struct Line {
    conn: Conn,
    gone: Arc<AtomicBool>,
    generation: u64,
}

impl Maker {
    fn usable(&self, line: &Line) -> Result<(), DbError> {
        let current = self.counts.generation.load(Ordering::SeqCst) == line.generation;
        if current && !line.gone.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(DbError::Unavailable("the connection is of yesterday".into()))
    }
}

impl ManageConnection for Maker {
    type Connection = Line;
    type Error = DbError;

    fn connect(&self) -> Result<Line, DbError> {
        let generation = self.counts.generation.load(Ordering::SeqCst);
        let (mut conn, gone) = match &self.source {
            Source::Sqlite(path, mode) => {
                let mut conn = sqlite::open(path, *mode)?;
                sqlite::check_build(&mut conn)?;
                (Conn::Sqlite(conn), Arc::default())
            }
            Source::Postgres(target) => {
                let (conn, gone) = target.connect()?;
                (Conn::Pg(conn), gone)
            }
        };
        let counter = Counter(self.counts.clone());
        super::on!(&mut conn, |c| c.set_instrumentation(counter));
        Ok(Line { conn, gone, generation })
    }

    // Asks nothing of the server: a lost socket raises a flag by itself, so no request pays for a round trip.
    fn is_valid(&self, line: &mut Line) -> Result<(), DbError> {
        self.usable(line)
    }

    fn has_broken(&self, line: &mut Line) -> bool {
        self.usable(line).is_err() || line.conn.is_broken()
    }
}

/// Counts every statement on every connection of the pool.
struct Counter(Arc<Counts>);

impl Instrumentation for Counter {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { .. } => self.0.statements.fetch_add(1, Ordering::SeqCst),
            InstrumentationEvent::CacheQuery { .. } => self.0.cached.fetch_add(1, Ordering::SeqCst),
            _ => 0,
        };
    }
}
