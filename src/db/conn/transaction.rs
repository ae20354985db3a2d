//! Transactions and savepoints: how they begin, and how they end.
//!
//! Guarantees: one that could not be undone leaves a connection that takes nothing more.

use super::super::admit::Authority;
use super::super::lane::{Ended, Leases};
use super::super::line::Lender;
use super::super::{DbError, postgres, retry, sqlite, stock};
use super::{Conn, Mode, Wire};
use diesel::result::{Error, QueryResult};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

impl Conn {
    /// Runs `f` so that its changes can be undone without ending the transaction around it.
    pub fn savepoint<T, E: From<DbError>>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.nest()?;
        let mark = self.leases.mark();
        let done = self.settle(f, |error| error);
        if done.is_err() {
            self.leases.back_to(mark);
            self.settle_shelf(false);
        }
        done
    }

    /// Runs `f` in an outermost transaction with this authority.
    pub(in crate::db) fn transaction<T, E: From<DbError>>(
        &mut self,
        mode: Mode,
        authority: Authority,
        lender: Option<Lender>,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin(mode, authority)?;
        self.lender = lender;
        let done = match mode.writes() {
            true => self.settle(|conn| decided(conn, f), unsettled),
            false => self.settle(f, |error| error),
        };
        (self.lender, self.lent) = (None, None);
        if done.is_err() {
            self.settle_shelf(true);
        }
        self.rest_shelf();
        let ended = match (&done, self.lost) {
            (Ok(_), _) => Ended::Kept,
            (Err(_), false) => Ended::Undone,
            (Err(_), true) => Ended::Unknown,
        };
        self.lanes.end(std::mem::take(&mut self.leases), ended);
        done
    }

    fn begin(&mut self, mode: Mode, authority: Authority) -> Result<(), DbError> {
        self.fresh(mode, authority)?;
        let role = self.role();
        self.control(|conn| match &mut conn.wire {
            Wire::Sqlite(c, _) => sqlite::begin(c, mode),
            Wire::Pg(c, _) => postgres::begin(c, mode, &role),
        })?;
        (self.depth, self.stuck) = (1, false);
        Ok(())
    }

    /// Begins a read transaction on SQLite whose state of the data is that of this moment, not of its first read.
    pub(super) fn begin_now(&mut self, authority: Authority) -> Result<(), DbError> {
        self.fresh(Mode::Read, authority)?;
        if let Wire::Sqlite(c, guard) = &mut self.wire {
            guard.set(Authority::Owner);
            let begun = sqlite::begin(c, Mode::Read).and_then(|()| sqlite::look(c));
            guard.set(self.authority.clone());
            begun?;
        }
        (self.depth, self.stuck) = (1, false);
        Ok(())
    }

    /// Gets ready to begin. Until it has begun nobody may use the connection again: PostgreSQL may have begun without
    /// taking the role on.
    fn fresh(&mut self, mode: Mode, authority: Authority) -> Result<(), DbError> {
        if self.depth > 0 || self.stuck {
            return Err(Error::AlreadyInTransaction.into());
        }
        (self.mode, self.authority) = (mode, authority);
        // What a transaction left that ended in a panic has no end that anybody knows.
        (self.leases, self.lost, self.as_it_is) = (Leases::default(), false, false);
        (self.commits, self.asked) = (self.committed(), false);
        self.stuck = true;
        Ok(())
    }

    /// How many commits of this process there were (SQLite).
    pub(super) fn committed(&self) -> u64 {
        self.counts.as_ref().map_or(0, |counts| counts.committed.load(Ordering::SeqCst))
    }

    /// Begins a savepoint.
    fn nest(&mut self) -> Result<(), DbError> {
        if self.depth == 0 || self.stuck {
            return Err(Error::NotInTransaction.into());
        }
        let depth = self.depth;
        self.control(|conn| match &mut conn.wire {
            Wire::Sqlite(c, _) => sqlite::nest(c, depth),
            Wire::Pg(c, _) => postgres::nest(c, depth),
        })?;
        self.depth += 1;
        Ok(())
    }

    /// Ends the transaction or the innermost savepoint. One that could not be undone leaves a connection that takes
    /// nothing more, and that the pool drops.
    pub(super) fn end(&mut self, kept: bool) -> Result<(), DbError> {
        if self.depth == 0 || self.stuck {
            return Err(Error::BrokenTransactionManager.into());
        }
        let (depth, writes) = (self.depth, self.mode.writes());
        let done = self.control(|conn| match &mut conn.wire {
            Wire::Sqlite(c, _) => sqlite::end(c, depth, kept),
            Wire::Pg(c, _) => postgres::end(c, depth, kept, writes),
        });
        match &done {
            Ok(()) => self.depth -= 1,
            Err(_) => self.stuck |= !kept,
        }
        done
    }

    fn settle<T, E: From<DbError>>(
        &mut self,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
        as_error: fn(DbError) -> DbError,
    ) -> Result<T, E> {
        match f(self) {
            Ok(value) => match self.commit() {
                Ok(()) => Ok(value),
                Err(error) => {
                    // A commit that failed for a reason that leaves the transaction open is undone;
                    // when that fails too, the pool sees a broken connection and drops it.
                    let _ = self.end(false);
                    let error = as_error(error);
                    self.lost |= matches!(error, DbError::Unsettled(_));
                    Err(error.into())
                }
            },
            Err(error) => {
                // The error that ended the work matters more than one of the rollback, after
                // which the pool drops the connection.
                let _ = self.end(false);
                Err(error)
            }
        }
    }

    /// Keeps what was done. On SQLite nobody begins a pair of connections meanwhile.
    fn commit(&mut self) -> Result<(), DbError> {
        let counts = self.counts.clone().filter(|_| self.mode.writes() && self.depth == 1);
        let _alone = counts.as_ref().map(|counts| counts.commits.write().unwrap_or_else(PoisonError::into_inner));
        let done = self.end(true);
        // Counted even if it failed: nobody need know whether something of it is there.
        if let Some(counts) = &counts {
            counts.committed.fetch_add(1, Ordering::SeqCst);
        }
        done
    }

    /// Moves the transaction on, which no set of rights may.
    pub(super) fn control(&mut self, step: impl FnOnce(&mut Self) -> QueryResult<()>) -> Result<(), DbError> {
        if let Wire::Sqlite(_, guard) = &self.wire {
            guard.set(Authority::Control);
        }
        let done = step(self);
        if let Wire::Sqlite(_, guard) = &self.wire {
            guard.set(self.authority.clone());
        }
        done.map_err(DbError::from)
    }
}

/// Runs the work of a write transaction. After a conflict nothing of it is kept, even if the work did not mind.
fn decided<T, E: From<DbError>>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
    let value = f(conn)?;
    match (retry::has_conflict(), stock::has_missed()) {
        (true, _) => Err(DbError::Contended { runs: 1 }.into()),
        (false, true) => Err(DbError::Unprepared.into()),
        (false, false) => Ok(value),
    }
}

/// Whoever loses the database while it keeps a transaction cannot know what became of it.
fn unsettled(error: DbError) -> DbError {
    match error {
        DbError::Unavailable(source) => DbError::Unsettled(source),
        other => other,
    }
}
