//! By whose hand rows are written, and which layer's no it was.

use crate::access::{ObjectError, Rights, WriteError};
use crate::db::sql::{Params, Sql, execute};
use crate::db::{Conn, DbError, Purpose};
use crate::domain::QName;
use crate::domain::knockout::{Removable, stands};
use crate::store::Store;
use crate::store::error::write;
use std::convert::Infallible;

/// By whose hand.
#[derive(Clone, Copy)]
pub(super) enum Hand<'r> {
    /// In the name of a set of rights, and with nothing more.
    Set(&'r Rights),
    /// The server's own: what follows from the model, whoever began it.
    System,
}

/// An error on its way through a savepoint.
struct Tried(WriteError);

impl From<DbError> for Tried {
    fn from(error: DbError) -> Self {
        Self(write(error))
    }
}

/// How a write came out that was undone.
enum Rehearsed {
    Done(usize),
    Failed(DbError),
}

impl From<DbError> for Rehearsed {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

impl Store<'_> {
    /// Writes objects of an entity, or their links, by a hand.
    pub(super) fn deed<T>(
        &mut self,
        hand: Hand<'_>,
        entity: &QName,
        write: impl FnOnce(&mut Conn, &Params) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let params = &self.params;
        match hand {
            Hand::Set(rights) if stands(Removable::DatabaseEngine) => {
                let standing = self.statements.standing_to_write(rights, entity, self.caller, self.conn.dialect());
                let standing = standing.map_err(|error| DbError::Other(error.into()))?;
                self.conn.within(&standing, Purpose::Write, |conn| write(conn, params))
            }
            _ => write(self.conn, params),
        }
    }

    /// Writes in the name of a set of rights, and holds the written row against the rules.
    ///
    /// The database looks at the row while it is written, the layer above after it. So when the database refuses, the
    /// row is written by the system's hand for a moment, only to learn whether the rules above refuse it too: then it
    /// is an ordinary refusal. Else the layers disagree.
    pub(super) fn held<T>(
        &mut self,
        rights: &Rights,
        act: impl Fn(&mut Store<'_>, Hand<'_>) -> Result<T, WriteError>,
        settle: impl Fn(&mut Store<'_>, &T) -> Result<(), WriteError>,
    ) -> Result<T, WriteError> {
        let done = match stands(Removable::DatabaseEngine) {
            true => self.tried(|store| act(store, Hand::Set(rights))),
            false => act(self, Hand::System),
        };
        match done {
            Err(WriteError::Object(ObjectError::Disagreement(found))) => {
                let again = self.tried::<T>(|store| {
                    let done = act(store, Hand::System)?;
                    settle(store, &done)?;
                    // Nothing of it stays: an error is what undoes it.
                    Err(WriteError::Stale)
                });
                match again {
                    Err(denied @ WriteError::Object(ObjectError::Denied(_))) => Err(denied),
                    _ => Err(ObjectError::Disagreement(found).into()),
                }
            }
            Err(error) => Err(error),
            Ok(value) => settle(self, &value).map(|()| value),
        }
    }

    /// How many objects of an entity a statement changes in the name of a set of rights; of that nothing stays.
    pub(super) fn rehearsed(&mut self, rights: &Rights, entity: &QName, sql: &Sql) -> Result<usize, DbError> {
        let standing = match stands(Removable::DatabaseEngine) {
            true => Some(self.statements.standing_to_write(rights, entity, self.caller, self.conn.dialect())),
            false => None,
        };
        let standing = standing.transpose().map_err(|error| DbError::Other(error.into()))?;
        if let Some(standing) = &standing {
            // What looks at the statement stays for the next one.
            self.conn.make_ready(standing, Purpose::Write, sql)?;
        }
        let params = &self.params;
        // An error is what undoes it.
        let undone = self.conn.savepoint(|conn| {
            let rows = match &standing {
                Some(standing) => conn.within(standing, Purpose::Write, |conn| execute(conn, sql, params)),
                None => execute(conn, sql, params),
            };
            Err::<Infallible, _>(rows.map_or_else(Rehearsed::Failed, Rehearsed::Done))
        });
        match undone {
            Ok(never) => match never {},
            Err(Rehearsed::Done(rows)) => Ok(rows),
            Err(Rehearsed::Failed(error)) => Err(error),
        }
    }

    /// Work of which nothing stays when it fails.
    fn tried<T>(&mut self, work: impl FnOnce(&mut Store<'_>) -> Result<T, WriteError>) -> Result<T, WriteError> {
        let Self { statements, caller, footing, params, recorder, .. } = self;
        let done = self.conn.savepoint(|conn| {
            let (params, events, kept) = (params.clone(), Vec::new(), Default::default());
            let (caller, footing) = (*caller, *footing);
            work(&mut Store { conn, statements, caller, footing, params, recorder, events, kept, broken: false }).map_err(Tried)
        });
        done.map_err(|Tried(error)| error)
    }
}
