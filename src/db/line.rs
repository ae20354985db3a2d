//! Connections of a pool: made, judged, lent.

use super::admit::Authority;
use super::conn::{Conn, Mode, Wire};
use super::lane::Lanes;
use super::retry::Counters;
use super::stock::Stock;
use super::turns::Turns;
use super::{DbError, postgres, sqlite};
use crate::log::with_causes;
use diesel::connection::{Connection, Instrumentation, InstrumentationEvent};
use r2d2::ManageConnection;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// What the connections of a database count together.
#[derive(Default)]
pub(super) struct Counts {
    pub statements: AtomicU64,
    /// How often PostgreSQL was waited for.
    pub trips: Arc<AtomicU64>,
    pub cached: AtomicU64,
    pub generation: AtomicU64,
    pub contention: Counters,
    pub turns: Turns,
    /// Held while a writer of this process commits to SQLite, and shared while two connections begin at one state.
    pub commits: RwLock<()>,
    /// How many commits there were; it changes only while that is held.
    pub committed: AtomicU64,
    /// What was generated in PostgreSQL's schema, as far as it is known here.
    pub stock: Arc<Stock>,
    /// Where the trail's lanes end.
    pub lanes: Arc<Lanes>,
}

/// Where connections lead, and as whom.
#[derive(Clone)]
pub(super) enum Source {
    /// A file, for this use, with this authority while nothing runs.
    Sqlite(PathBuf, Mode, Authority),
    Postgres(Box<postgres::Target>),
}

/// Makes connections for the pool and judges the used ones.
#[derive(Clone)]
pub(super) struct Maker {
    pub source: Source,
    pub counts: Arc<Counts>,
}

/// A pooled connection.
pub(super) struct Line {
    pub conn: Conn,
    gone: Arc<AtomicBool>,
    generation: u64,
}

impl Maker {
    /// Opens a connection.
    pub(super) fn open(&self) -> Result<Line, DbError> {
        let generation = self.counts.generation.load(Ordering::SeqCst);
        let kept = Arc::<AtomicUsize>::default();
        let counter = Counter { counts: self.counts.clone(), kept: kept.clone() };
        Ok(match &self.source {
            Source::Sqlite(path, mode, rest) => {
                let (wire, guard) = sqlite::open(path, *mode, counter)?;
                let mut conn =
                    Conn::new(Wire::Sqlite(wire, guard), kept).counting(self.counts.clone()).in_lanes(self.counts.lanes.clone());
                conn.rest(rest.clone());
                Line { conn, gone: Arc::default(), generation }
            }
            Source::Postgres(target) => {
                let (mut wire, roles, gone) = target.connect()?;
                wire.set_instrumentation(counter);
                wire.counting(self.counts.trips.clone());
                let conn = Conn::new(Wire::Pg(wire, roles), kept).in_lanes(self.counts.lanes.clone());
                let conn = conn.stocked(self.counts.stock.clone());
                Line { conn, gone, generation }
            }
        })
    }

    /// A pool of at most so many.
    pub(super) fn pool(self, size: u32) -> Queue {
        let opening = match &self.source {
            Source::Sqlite(..) => OPENING,
            Source::Postgres(_) => postgres::CONNECT,
        };
        let lines = r2d2::Pool::builder()
            .max_size(size)
            // None beforehand: a quiet server needs few, and each keeps the schema in memory.
            .min_idle(Some(0))
            .test_on_check_out(true)
            .connection_timeout(postgres::CONNECT)
            .idle_timeout(Some(Duration::from_secs(600)))
            .max_lifetime(Some(Duration::from_secs(1800)))
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(self);
        Queue { lines, opening }
    }

    fn usable(&self, line: &Line) -> Result<(), DbError> {
        let current = self.counts.generation.load(Ordering::SeqCst) == line.generation;
        if current && !line.gone.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(DbError::Unavailable("the connection is of yesterday".into()))
    }
}

/// How soon somebody who waits for a connection asks again.
const AGAIN: Duration = Duration::from_millis(100);
/// So long may a file take to be opened, on a machine that is busy with other things. A failure to open is
/// reported sooner.
const OPENING: Duration = Duration::from_secs(30);

/// A pool, and how long opening one of its connections may take.
#[derive(Clone)]
pub(super) struct Queue {
    lines: r2d2::Pool<Maker>,
    opening: Duration,
}

/// Takes a connection from a pool.
pub(super) fn take(queue: &Queue) -> Result<r2d2::PooledConnection<Maker>, DbError> {
    // The pool does not wake those who wait when a broken connection goes: they ask again now and then, and so have
    // another made in its place.
    let (mut waited, mut why) = (Duration::ZERO, String::new());
    loop {
        match queue.lines.get_timeout(AGAIN) {
            Ok(line) => return Ok(line),
            // It gives the reason of a failure only once; later messages are shorter.
            Err(error) if error.to_string().len() >= why.len() => why = error.to_string(),
            Err(_) => {}
        }
        waited += AGAIN;
        // All connections exist and are in use: the database is there, but everybody wants it.
        let crowded = queue.lines.state().connections >= queue.lines.max_size();
        let failed = why.contains(": ");
        let patience = if crowded || failed { postgres::CONNECT } else { queue.opening };
        if waited >= patience {
            return Err(if crowded { DbError::Busy(why.into()) } else { DbError::Unavailable(why.into()) });
        }
    }
}

/// Why a connection cannot be used. The pool hands on the text only, so the text has the causes.
#[derive(Debug, thiserror::Error)]
#[error("{}", with_causes(.0))]
pub(super) struct Unusable(DbError);

impl ManageConnection for Maker {
    type Connection = Line;
    type Error = Unusable;

    fn connect(&self) -> Result<Line, Unusable> {
        self.open().map_err(Unusable)
    }

    // Asks nothing of the server: a lost socket raises a flag by itself, so no request pays for a round trip.
    fn is_valid(&self, line: &mut Line) -> Result<(), Unusable> {
        self.usable(line).map_err(Unusable)
    }

    fn has_broken(&self, line: &mut Line) -> bool {
        self.usable(line).is_err() || line.conn.is_broken()
    }
}

/// Lends connections for users' reads to the transactions that need one.
#[derive(Clone)]
pub(super) struct Lender(pub Queue);

/// A lent connection. It goes back without a transaction and without authority.
pub(super) struct Lent(r2d2::PooledConnection<Maker>);

impl Lender {
    pub(super) fn lend(&self) -> Result<Lent, DbError> {
        take(&self.0).map(Lent)
    }
}

impl Lent {
    pub(super) fn conn(&mut self) -> &mut Conn {
        &mut self.0.conn
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.conn.hand_back();
    }
}

/// Counts every statement on every connection of the pool.
struct Counter {
    counts: Arc<Counts>,
    /// How many statements this connection keeps prepared.
    kept: Arc<AtomicUsize>,
}

impl Instrumentation for Counter {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { .. } => drop(self.counts.statements.fetch_add(1, Ordering::SeqCst)),
            InstrumentationEvent::CacheQuery { .. } => {
                self.counts.cached.fetch_add(1, Ordering::SeqCst);
                self.kept.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}
