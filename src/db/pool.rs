//! The database: its pools, and the few connections that are in none.

use super::admit::Authority;
use super::conn::{Conn, Mode};
use super::lane::Lanes;
use super::line::{self, Counts, Lender, Line, Maker, Queue, Source};
use super::retry::{self, Contention, Runs};
use super::sql::Params;
use super::stock::{self, Need, Rounds};
use super::{DbError, DbTarget, Dialect, migrate, notes, postgres, roles, supply};
use crate::clock::Clock;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How long a request waits for others that prepare.
const PATIENCE: Duration = Duration::from_secs(30);

/// The database: cheap to clone, shared by everybody who may use it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    target: DbTarget,
    /// The owner of the schema, where it is not who the server is (PostgreSQL).
    owner: Option<Maker>,
    size: u32,
    counts: Arc<Counts>,
    pools: RwLock<Option<Pools>>,
}

/// SQLite has one writer, so writers queue here in order instead of colliding in the file.
#[derive(Clone)]
struct Pools {
    read: Queue,
    write: Queue,
    /// SQLite: users' reads have connections on which the system never prepares a statement.
    users: Option<Lender>,
}

impl Db {
    /// Opens the database and proves that it answers; creates an SQLite file that is not there.
    pub fn open(target: &DbTarget, size: u32) -> Result<Self, DbError> {
        Self::owned(target, None, size)
    }

    /// Opens the database like [`Db::open`], with the owner of the schema for [`Db::owner`] and [`Db::migrate`].
    pub fn owned(target: &DbTarget, owner: Option<&DbTarget>, size: u32) -> Result<Self, DbError> {
        let db = Self::make(target, owner, size)?;
        db.ping().map_err(|error| match (error, Self::source(target, Mode::Read)) {
            // The pool tells only that there was none; one more try tells why.
            (DbError::Unavailable(cause), Ok(source)) => match (Maker { source, counts: Arc::default() }).open() {
                Err(why @ DbError::Refused(_)) => why,
                _ => DbError::Unavailable(cause),
            },
            (error, _) => error,
        })?;
        Ok(db)
    }

    /// Makes the pool without waiting for the database to answer.
    pub fn lazy(target: &DbTarget, size: u32) -> Result<Self, DbError> {
        Self::make(target, None, size)
    }

    fn make(target: &DbTarget, owner: Option<&DbTarget>, size: u32) -> Result<Self, DbError> {
        let counts = Arc::new(Counts::default());
        let owner = match (owner, target) {
            (Some(DbTarget::Postgres(_)), DbTarget::Postgres(_)) | (None, _) => owner,
            _ => return Err(DbError::Refused("only a PostgreSQL database has an owner of its own".into())),
        };
        let owner = owner.map(|owner| Self::source(owner, Mode::Write)).transpose()?;
        let owner = owner.map(|source| Maker { source, counts: counts.clone() });
        let pools = Pools::new(target, size.max(1), &counts)?;
        let inner = Inner { target: target.clone(), owner, size: size.max(1), counts, pools: RwLock::new(Some(pools)) };
        Ok(Self(Arc::new(inner)))
    }

    /// Runs `f` in one transaction that sees one state of the data and cannot change it.
    ///
    /// Where `f` needs something that was not generated yet, that is made, and **`f` is run again as a whole**.
    pub fn read<T, E: From<DbError>>(&self, mut f: impl FnMut(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        let mut rounds = Rounds::default();
        loop {
            let (done, missed) = stock::watched(&rounds, || {
                let pools = self.pools()?;
                let mut line = line::take(&pools.read)?;
                line.conn.transaction(Mode::Read, Authority::System, pools.users, &mut f)
            });
            // What is missing still was an error to the work, which answers for what it made of that.
            if missed.is_empty() || !rounds.go_on(&missed) {
                return done;
            }
            self.provide(&missed)?;
        }
    }

    /// Makes what is missing of this in PostgreSQL's schema, as its owner.
    pub fn provide(&self, needs: &[Need]) -> Result<(), DbError> {
        let stock = &self.0.counts.stock;
        let failed = || stock.failed.load(Ordering::SeqCst);
        let before = failed();
        let _one = stock.making.lock().unwrap_or_else(PoisonError::into_inner);
        let needs: Vec<Need> = needs.iter().filter(|need| !stock.has(need)).cloned().collect();
        if needs.is_empty() || self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        if before != failed() {
            // Who waited for one that failed does not wait for the same once more, one after the other.
            return Err(DbError::Unprepared);
        }
        let done = self.supply(&needs);
        if done.is_err() {
            stock.failed.fetch_add(1, Ordering::SeqCst);
        }
        done
    }

    fn supply(&self, needs: &[Need]) -> Result<(), DbError> {
        let now = Clock::system().now();
        let params = Params::new(None, now, now.date());
        let missing = self.read(|conn| notes::missing(conn, needs, &params))?;
        if !missing.is_empty() {
            self.owner(|conn| {
                supply::preparing(conn, PATIENCE)?;
                supply::make(conn, &missing, &params)
            })?;
        }
        needs.iter().for_each(|need| self.0.counts.stock.note(need));
        Ok(())
    }

    /// This was made here by hand.
    #[cfg(test)]
    pub(super) fn know(&self, need: &Need) {
        self.0.counts.stock.note(need);
    }

    /// Runs `f` in one transaction as if nobody else wrote meanwhile; all of it happens or nothing.
    ///
    /// Where others wrote meanwhile and their work does not go with this, **`f` is run again as a whole**, a bounded
    /// number of times, and then fails as [`DbError::Contended`]. So `f` begins anew each time: what it changes
    /// outside of the database must be set back at its beginning, or done after the commit.
    pub fn write<T, E: From<DbError>>(&self, f: impl FnMut(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        self.again(Mode::Write, f)
    }

    /// The same without "as if nobody else wrote meanwhile": each statement sees what others committed before it, and
    /// what one statement read may be out of date in the next. For work that decides within single statements, or
    /// decides nothing, and that would only get into the way of serialized writes. Say at each use why that is enough.
    pub fn write_unserialized<T, E: From<DbError>>(&self, f: impl FnMut(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        self.again(Mode::Unserialized, f)
    }

    /// The same as if nothing were committed by others between its first statement and its last. Where they changed a row
    /// that `f` changes, it is run again. For work that compares what several statements read, and that need not know
    /// what others only added meanwhile.
    pub fn write_of_one_state<T, E: From<DbError>>(&self, f: impl FnMut(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        self.again(Mode::OneState, f)
    }

    fn again<T, E: From<DbError>>(&self, mode: Mode, mut f: impl FnMut(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        let counters = &self.0.counts.contention;
        counters.writes.fetch_add(1, Ordering::Relaxed);
        let (mut runs, mut rounds) = (Runs::begin(), Rounds::default());
        loop {
            // SQLite's writers take turns at their one connection; unserialized work is in nobody's way.
            let turn = match mode == Mode::Write && self.dialect() == Dialect::Postgres {
                true if runs.is_hard() => Some(self.0.counts.turns.alone()),
                true => Some(self.0.counts.turns.together()),
                false => None,
            };
            let mut line = line::take(&self.pools()?.write)?;
            let run = || retry::watched(|| line.conn.transaction(mode, Authority::System, None, &mut f));
            let ((done, conflict), missed) = stock::watched(&rounds, run);
            // Nobody waits with a connection or a turn.
            drop((line, turn));
            if !missed.is_empty() && !conflict && rounds.go_on(&missed) {
                self.provide(&missed)?;
                continue;
            }
            if !conflict {
                return done;
            }
            // What the run ended with was computed from a state that never was: nobody learns of it.
            if let Err(contended) = runs.pause() {
                counters.given_up.fetch_add(1, Ordering::Relaxed);
                return Err(contended.into());
            }
            counters.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How writes fared against each other so far.
    pub fn contention(&self) -> Contention {
        self.0.counts.contention.read()
    }

    /// Runs `f` in one write transaction of the owner of the schema: for synchronisation and preparing only.
    ///
    /// It is not serialized: owners wait for each other at a lock, and must see what the one before them did, which a
    /// state that was fixed before the wait would hide.
    pub fn owner<T, E: From<DbError>>(&self, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        retry::watched(|| self.with_owner(|conn| conn.transaction(Mode::Unserialized, Authority::Owner, None, f))).0
    }

    /// Whether the owner of the schema is told apart from whom the server logs in as.
    pub fn has_owner(&self) -> bool {
        self.0.owner.is_some()
    }

    /// Brings the system tables up to date, and the roles that work on them.
    pub fn migrate(&self) -> Result<(), DbError> {
        let login = match self.dialect() {
            Dialect::Sqlite => None,
            Dialect::Postgres => {
                let conn = &mut line::take(&self.pools()?.read)?.conn;
                conn.roles().cloned().zip(Some(roles::login(conn)?))
            }
        };
        self.with_owner(|conn| {
            conn.rest(Authority::Owner);
            let done = migrate::migrate(conn, login.as_ref());
            conn.rest(Authority::System);
            done
        })?;
        self.bump_generation();
        Ok(())
    }

    /// Brings the system tables up to what they were before this migration.
    #[cfg(test)]
    pub fn migrate_before(&self, first: &str) -> Result<(), DbError> {
        self.with_owner(|conn| {
            conn.rest(Authority::Owner);
            let done = migrate::before(conn, first);
            conn.rest(Authority::System);
            done
        })
    }

    /// Whether the system tables and the roles are as this program needs them.
    pub fn is_ready(&self) -> Result<bool, DbError> {
        Ok(self.has_roles()? && self.pending_migrations()?.is_empty())
    }

    /// Whether transactions can begin: PostgreSQL has the roles for them once `migrate` made them.
    fn has_roles(&self) -> Result<bool, DbError> {
        let conn = &mut line::take(&self.pools()?.read)?.conn;
        match conn.roles().cloned() {
            Some(roles) => roles::are_ready(conn, &roles),
            None => Ok(true),
        }
    }

    /// Why whom the server logs in as is mightier than a server may be, each with the cure; empty when all is well.
    pub fn too_mighty(&self) -> Result<Vec<String>, DbError> {
        let conn = &mut line::take(&self.pools()?.read)?.conn;
        match conn.roles().cloned() {
            Some(roles) => roles::too_mighty(conn, &roles),
            None => Ok(Vec::new()),
        }
    }

    /// The migrations of the system tables that have not run yet.
    pub fn pending_migrations(&self) -> Result<Vec<String>, DbError> {
        if self.has_roles()? {
            return self.read(migrate::pending);
        }
        // An empty database, or one of before there were roles, which only its owner reads.
        migrate::pending(&mut line::take(&self.pools()?.read)?.conn)
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.0.counts.lanes
    }

    /// The migrations of the system tables that a newer program ran, and this one does not know.
    pub fn unknown_migrations(&self) -> Result<Vec<String>, DbError> {
        if self.has_roles()? {
            return self.read(migrate::unknown);
        }
        migrate::unknown(&mut line::take(&self.pools()?.read)?.conn)
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
        line::take(&self.pools()?.read)?.conn.batch("SELECT 1")
    }

    /// How many statements have run so far, transaction control included.
    pub fn statements(&self) -> u64 {
        self.0.counts.statements.load(Ordering::SeqCst)
    }

    /// How often PostgreSQL has been waited for so far; statements that are prepared count once.
    pub fn round_trips(&self) -> u64 {
        self.0.counts.trips.load(Ordering::Relaxed)
    }

    /// How many statements have been prepared and kept so far.
    pub fn prepared(&self) -> u64 {
        self.0.counts.cached.load(Ordering::SeqCst)
    }

    /// Forgets every pooled connection, and with it every prepared statement: call it after a schema change.
    ///
    /// Those that nobody uses go at once, because each keeps the schema in memory. Those in use go when they come back.
    pub fn bump_generation(&self) {
        self.0.counts.stock.forget_all();
        self.0.counts.generation.fetch_add(1, Ordering::SeqCst);
        let mut pools = self.0.pools.write().unwrap_or_else(PoisonError::into_inner);
        // Pools that cannot be recreated stay; no connection of before is taken from them.
        if pools.is_some()
            && let Ok(fresh) = Pools::new(&self.0.target, self.0.size, &self.0.counts)
        {
            *pools = Some(fresh);
        }
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

    fn pools(&self) -> Result<Pools, DbError> {
        let pools = self.0.pools.read().unwrap_or_else(PoisonError::into_inner);
        pools.clone().ok_or_else(|| DbError::Unavailable("the database is closed".into()))
    }

    /// The owner's work is rare, and a connection that may do anything does not lie about.
    fn with_owner<T, E: From<DbError>>(&self, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        let pools = self.pools()?;
        match &self.0.owner {
            Some(maker) => {
                let Line { mut conn, .. } = maker.open()?;
                let ours = line::take(&pools.read)?.conn.roles().cloned();
                if conn.roles() != ours.as_ref() {
                    return Err(DbError::Refused("database_owner leads to another database than database".into()).into());
                }
                f(&mut conn)
            }
            None => {
                let conn = &mut line::take(&pools.write)?.conn;
                // What stands on it may speak of what the owner is about to change.
                conn.clear_shelf()?;
                f(conn)
            }
        }
    }

    fn source(target: &DbTarget, mode: Mode) -> Result<Source, DbError> {
        Ok(match target {
            DbTarget::Sqlite(path) => Source::Sqlite(path.clone(), mode, Authority::System),
            DbTarget::Postgres(url) => Source::Postgres(Box::new(postgres::Target::parse(url)?)),
        })
    }
}

/// Reading a file is work of this process, so more connections than its cores can serve read no faster; each keeps in
/// memory what is generated and prepared on it.
fn most_readers() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    cores.saturating_mul(2).max(4)
}

impl Pools {
    fn new(target: &DbTarget, size: u32, counts: &Arc<Counts>) -> Result<Self, DbError> {
        let pool = |source, size| Maker { source, counts: counts.clone() }.pool(size);
        Ok(match target {
            DbTarget::Sqlite(path) => {
                let size = size.min(most_readers());
                Self {
                    read: pool(Db::source(target, Mode::Read)?, size),
                    write: pool(Db::source(target, Mode::Write)?, 1),
                    users: Some(Lender(pool(Source::Sqlite(path.clone(), Mode::Read, Authority::Nobody), size))),
                }
            }
            DbTarget::Postgres(_) => {
                let shared = pool(Db::source(target, Mode::Write)?, size);
                Self { read: shared.clone(), write: shared, users: None }
            }
        })
    }
}
