//! One connection, of either kind, and its transactions.
//!
//! Guarantees: a statement runs with the rights that the transaction has at the moment, and these are
//! back to what they were when the work that borrowed others is over, however it ended.

mod transaction;

use super::admit::{Authority, Scope};
use super::guard::Guard;
use super::lane::{Lanes, Leases};
use super::line::{Counts, Lender, Lent};
use super::postgres::{self, PgConn};
use super::roles::Roles;
use super::stock::Stock;
use super::{DbError, Purpose, Standing, sqlite};
use crate::domain::knockout::{Removable, stands};
use diesel::connection::{CacheSize, Connection, SimpleConnection, TransactionManager};
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

/// So many statements are kept prepared on a connection, beside those of one transaction. Each takes some 10 to 40 kB of
/// this process on SQLite,
pub(super) const MOST_PREPARED: usize = 150;
/// and some 180 kB of the database's on PostgreSQL, which keeps their plans.
pub(super) const MOST_PREPARED_THERE: usize = 100;

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3, bundled.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A connection to the database. Inside [`super::Db::read`] and [`super::Db::write`] it is in a transaction.
pub struct Conn {
    wire: Wire,
    authority: Authority,
    mode: Mode,
    /// Where a reading connection gets the one that users' statements run on (SQLite).
    lender: Option<Lender>,
    lent: Option<Box<Lent>>,
    /// What SQLite's connections of one database share.
    counts: Option<Arc<Counts>>,
    /// How deep the transaction is: 1, and one more for each savepoint in it.
    depth: u32,
    /// Whether a transaction was begun only by half, or could not be undone.
    stuck: bool,
    /// How many commits of this process came before the present transaction (SQLite).
    commits: u64,
    /// Whether something was asked in it.
    asked: bool,
    /// The ends of the trail's lanes between transactions,
    lanes: Arc<Lanes>,
    /// and what the present transaction adds to them.
    leases: Leases,
    /// Whether the present transaction's end is not known.
    lost: bool,
    /// Whether what is generated and not there is an answer like any other.
    as_it_is: bool,
    /// What was generated in PostgreSQL's schema, as far as it is known here.
    pub(super) stock: Arc<Stock>,
    /// How many statements the connection keeps prepared.
    kept: Arc<AtomicUsize>,
}

/// What typed statements run on, and what holds them to their authority.
#[allow(clippy::large_enum_variant, reason = "there are as many as the pool has, and boxing costs each use")]
pub enum Wire {
    /// SQLite, which asks its guard.
    Sqlite(SqliteConnection, Guard),
    /// PostgreSQL, which knows roles.
    Pg(PgConn, Roles),
}

/// The same typed expression, compiled once per backend: `on!(conn, |c| table.load(c))`.
macro_rules! on {
    ($conn:expr, |$c:ident| $e:expr) => {
        match $crate::db::Conn::wire($conn) {
            $crate::db::Wire::Sqlite($c, _) => $e,
            $crate::db::Wire::Pg($c, _) => $e,
        }
    };
}
pub(crate) use on;

/// What a transaction may do, and what it may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Sees one state of the data and changes nothing.
    Read,
    /// Changes data as if it ran alone: what it read is still true when it is kept.
    Write,
    /// Changes data by what one state of it said, which others may have changed meanwhile. Of two that change the same
    /// row or add the same key, one fails.
    OneState,
    /// Changes data, and each statement sees what others committed before it: only the statement itself is atomic.
    Unserialized,
}

impl Mode {
    fn writes(self) -> bool {
        self != Self::Read
    }
}

impl Conn {
    pub(super) fn new(wire: Wire, kept: Arc<AtomicUsize>) -> Self {
        Self {
            wire,
            kept,
            authority: Authority::Owner,
            mode: Mode::Read,
            lender: None,
            lent: None,
            counts: None,
            depth: 0,
            stuck: false,
            commits: 0,
            asked: false,
            lanes: Arc::default(),
            leases: Leases::default(),
            lost: false,
            as_it_is: false,
            stock: Arc::default(),
        }
    }

    /// With what is known of generated objects.
    pub(super) fn stocked(self, stock: Arc<Stock>) -> Self {
        Self { stock, ..self }
    }

    /// With the lanes of the database that it leads to.
    pub(super) fn in_lanes(self, lanes: Arc<Lanes>) -> Self {
        Self { lanes, ..self }
    }

    pub(super) fn lanes(&mut self) -> (&Lanes, &mut Leases) {
        (&self.lanes, &mut self.leases)
    }

    pub(super) fn counting(self, counts: Arc<Counts>) -> Self {
        Self { counts: Some(counts), ..self }
    }

    /// Which SQL this connection speaks.
    pub fn dialect(&self) -> Dialect {
        match self.wire {
            Wire::Sqlite(..) => Dialect::Sqlite,
            Wire::Pg(..) => Dialect::Postgres,
        }
    }

    /// What typed statements run on.
    pub fn wire(&mut self) -> &mut Wire {
        self.asked = true;
        &mut self.wire
    }

    /// Whether this is a write transaction, where what is read can be locked until it ends.
    pub fn writes(&self) -> bool {
        self.mode.writes()
    }

    /// The names of the roles that work here; SQLite has none.
    pub fn roles(&self) -> Option<&Roles> {
        match &self.wire {
            Wire::Sqlite(..) => None,
            Wire::Pg(_, roles) => Some(roles),
        }
    }

    /// Runs `f` with the rights of a set and nothing more. In a read transaction only [`Purpose::Read`].
    ///
    /// On SQLite a read transaction reads for users on a connection of their own. From the first such read on
    /// both connections see the same state of the data until the transaction ends.
    pub fn within<T, E: From<DbError>>(
        &mut self,
        standing: &Standing,
        purpose: Purpose,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if !stands(Removable::DatabaseEngine) {
            return f(self);
        }
        if self.mode == Mode::Read && purpose == Purpose::Write {
            return Err(DbError::Refused("a read transaction does not write, whatever the rights".into()).into());
        }
        self.require_role(standing, purpose)?;
        let authority = Authority::Set(Arc::new(Scope::new(standing, purpose)));
        match self.user_line()? {
            Some(line) => line.acting(authority, f),
            None => self.acting(authority, f),
        }
    }

    /// Runs `f` so that an error about something generated is the answer, and no reason to look at it and run the work
    /// once more: for comparing what is there with what was to be made.
    pub fn as_it_is<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.as_it_is, true);
        let done = f(self);
        self.as_it_is = before;
        done
    }

    /// Whether the present work compares what is there.
    pub(super) fn is_as_it_is(&self) -> bool {
        self.as_it_is
    }

    /// Where very many statements are kept prepared all of them go: there is no telling which ones are used, and those
    /// that are come back.
    pub(super) fn rest_prepared(&mut self) {
        let most = if self.dialect() == Dialect::Sqlite { MOST_PREPARED } else { MOST_PREPARED_THERE };
        if self.kept.load(Ordering::Relaxed) <= most {
            return;
        }
        let size = |wire: &mut Wire, size| match wire {
            Wire::Sqlite(c, _) => c.set_prepared_statement_cache_size(size),
            Wire::Pg(c, _) => c.set_prepared_statement_cache_size(size),
        };
        size(&mut self.wire, CacheSize::Disabled);
        size(&mut self.wire, CacheSize::Unbounded);
        self.kept.store(0, Ordering::Relaxed);
    }

    /// Runs `f` as the role that may only append to the trail.
    pub fn recording<T, E: From<DbError>>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.acting(Authority::Trail, f)
    }

    /// Runs statements that take no values, for schema changes. Never with text from outside.
    pub fn batch(&mut self, sql: &str) -> Result<(), DbError> {
        on!(self, |c| c.batch_execute(sql)).map_err(DbError::from)
    }

    /// Runs `f` with another authority, and goes back to the present one.
    pub(super) fn acting<T, E: From<DbError>>(
        &mut self,
        authority: Authority,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let before = std::mem::replace(&mut self.authority, authority);
        let done = match self.assume() {
            Ok(()) => f(self),
            Err(error) => Err(error.into()),
        };
        self.authority = before;
        // After an error of the engine PostgreSQL takes no statement, this one neither, until what was
        // done is undone; and undoing gives the role back.
        let back = self.assume();
        let value = done?;
        back?;
        Ok(value)
    }

    /// Makes the present authority that of the next statement. PostgreSQL takes it on together with that statement.
    fn assume(&mut self) -> Result<(), DbError> {
        let role = self.role();
        match &mut self.wire {
            Wire::Sqlite(_, guard) => guard.set(self.authority.clone()),
            // What is taken on outside of a transaction would stay.
            Wire::Pg(..) if self.depth == 0 => return Err(Error::NotInTransaction.into()),
            Wire::Pg(c, _) => c.want(role),
        }
        Ok(())
    }

    /// Takes the present authority on without a statement: whether that can be done at all.
    pub fn take_on(&mut self) -> Result<(), DbError> {
        match &mut self.wire {
            Wire::Sqlite(..) => Ok(()),
            Wire::Pg(c, _) => Ok(postgres::catch_up(c)?),
        }
    }

    /// How PostgreSQL is told of the present authority.
    fn role(&self) -> String {
        self.roles().map(|roles| postgres::take_on(roles, &self.authority)).unwrap_or_default()
    }

    /// Gives the connection an authority outside of a transaction.
    pub(super) fn rest(&mut self, authority: Authority) {
        if let Wire::Sqlite(_, guard) = &self.wire {
            guard.set(authority.clone());
        }
        self.authority = authority;
    }

    /// The connection for users' reads that belongs to this read transaction; `None` where this one serves.
    fn user_line(&mut self) -> Result<Option<&mut Self>, DbError> {
        let Some(lender) = self.lender.clone() else { return Ok(None) };
        if self.lent.is_none() {
            let mut line = lender.lend()?;
            let counts = self.counts.clone();
            // INVARIANT: both see one state of the data, because what the system reads is compared with what users
            // read. What this transaction read before was to prove who asks; it goes on from here.
            let _still = counts.as_ref().map(|counts| counts.commits.read().unwrap_or_else(PoisonError::into_inner));
            if self.committed() == self.commits {
                // Nothing was committed since it began, so its state is the present one: that of what it asked first.
                if !self.asked {
                    self.look()?;
                }
            } else {
                self.end(false)?;
                self.begin_now(self.authority.clone())?;
            }
            line.conn().begin_now(Authority::Nobody)?;
            self.lent = Some(Box::new(line));
        }
        Ok(self.lent.as_mut().map(|line| line.conn()))
    }

    /// Fixes the state of the data that a read transaction on SQLite sees.
    fn look(&mut self) -> Result<(), DbError> {
        if let Wire::Sqlite(c, guard) = &mut self.wire {
            guard.set(Authority::Owner);
            let looked = sqlite::look(c);
            guard.set(self.authority.clone());
            looked?;
        }
        Ok(())
    }

    /// Ends the read transaction of a lent connection; it keeps no authority. There is nothing to undo, and what was
    /// generated on it stays for the next.
    pub(super) fn hand_back(&mut self) {
        if self.depth > 0 && self.end(true).is_err() {
            // A rollback that fails leaves a broken connection, which the pool drops.
            let _ = self.end(false);
            self.settle_shelf(true);
        }
        self.rest_shelf();
        self.rest(Authority::Nobody);
    }

    /// The connection for users' reads that belongs to this transaction by now.
    pub(super) fn lent(&mut self) -> Option<&mut Self> {
        self.lent.as_mut().map(|line| line.conn())
    }

    /// Changes what was generated behind the back of the shelf, where users' reads of this transaction run.
    #[cfg(test)]
    pub fn behind(&mut self, text: &str) -> Result<(), DbError> {
        match self.lent() {
            Some(line) => line.behind(text),
            None => self.acting(Authority::Owner, |conn| {
                let writes = conn.mode.writes();
                if !writes {
                    conn.batch("PRAGMA query_only=OFF")?;
                }
                conn.batch(text)?;
                if writes { Ok(()) } else { conn.batch("PRAGMA query_only=ON") }
            }),
        }
    }

    /// Nobody uses this connection again.
    pub(super) fn give_up(&mut self) {
        self.stuck = true;
    }

    /// What has to stand at the head of a dynamic statement now.
    pub(super) fn tag(&self) -> Option<Arc<Scope>> {
        match &self.authority {
            Authority::Set(scope) => Some(scope.clone()),
            _ => None,
        }
    }

    /// Runs a dynamic statement, the only kind that a set's authority admits.
    pub(super) fn asking<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        if let Wire::Sqlite(_, guard) = &self.wire {
            guard.asking(true);
        }
        let done = run(self);
        if let Wire::Sqlite(_, guard) = &self.wire {
            guard.asking(false);
        }
        done
    }

    /// Whether the connection is in the middle of something and must not be used again.
    pub(super) fn is_broken(&mut self) -> bool {
        self.stuck || self.depth > 0 || on!(self, |c| broken(c))
    }
}

fn broken<C: Connection>(conn: &mut C) -> bool {
    C::TransactionManager::is_broken_transaction_manager(conn)
}
