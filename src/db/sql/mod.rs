//! Dynamic statements: pieces of fixed text, quoted names, inlined integers and bound values.
//!
//! Guarantees: text that is not a literal of the program's source reaches the database only as a
//! quoted name or a bound value; every value is bound with the type its kind has, empty ones too;
//! the same statement with other values has the same text, so it is prepared once per connection.
//! Deliberately not here: what a statement may ask. That is the reader's table.

mod bound;
mod deceit;
mod dialects;
mod literal;
mod statement;

use crate::domain::{Kind, Name, ObjectId, Value};
use bound::Bound;
use chrono::{NaiveDate, NaiveDateTime};
use std::sync::Arc;

pub use statement::{execute, fetch, fetch_flat};

use super::Dialect;

/// A value that is known only when the statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Param {
    /// The account that asks; empty for a visitor.
    User,
    /// The moment the request came.
    Now,
    /// The date the request came.
    Today,
}

/// What the [`Param`]s stand for in one run.
#[derive(Clone, Debug)]
pub struct Params {
    user: Bound,
    now: Bound,
    today: Bound,
    /// Whether what is asked in this run is asked too seldom to be kept prepared.
    passing: bool,
}

impl Params {
    /// Binds the run's values.
    pub fn new(user: Option<ObjectId>, now: NaiveDateTime, today: NaiveDate) -> Self {
        let (now, today) = (Bound::Moment(Some(now.into())), Bound::Date(Some(today)));
        Self { user: Bound::BigInt(user.map(|id| id.0)), now, today, passing: false }
    }
    /// For a run whose statements are not kept prepared: each that is kept holds memory for as long as its connection.
    pub fn passing(self) -> Self {
        Self { passing: true, ..self }
    }
    fn value(&self, param: Param) -> &Bound {
        match param {
            Param::User => &self.user,
            Param::Now => &self.now,
            Param::Today => &self.today,
        }
    }
}

/// A statement or a part of one. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sql {
    pieces: Arc<Vec<Piece>>,
    uncacheable: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Raw(&'static str),
    RawBy {
        sqlite: &'static str,
        pg: &'static str,
    },
    Ident(Name),
    Int(i64),
    Bind(Bound),
    Param(Param),
    /// A statement inside a statement, as one text.
    Quoted(Sql),
}

impl Sql {
    /// An empty statement.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds text of the program's own.
    pub fn raw(&mut self, text: &'static str) -> &mut Self {
        self.push(Piece::Raw(text))
    }
    /// Adds text of the program's own where the dialects differ.
    pub fn raw_by(&mut self, sqlite: &'static str, pg: &'static str) -> &mut Self {
        self.push(Piece::RawBy { sqlite, pg })
    }
    /// Adds a name, quoted. It is a name of the model, never one from a request.
    pub fn ident(&mut self, name: impl Into<Name>) -> &mut Self {
        self.push(Piece::Ident(name.into()))
    }
    /// Adds a whole number as text: for limits, which must not be bound if SQLite is to keep its plan.
    pub fn int(&mut self, number: i64) -> &mut Self {
        self.push(Piece::Int(number))
    }
    /// Adds a bound value. A value that does not fit the kind makes the statement fail when it runs.
    pub fn bind(&mut self, value: &Value, kind: &Kind) -> &mut Self {
        self.push(Piece::Bind(Bound::new(value, kind)))
    }
    /// Adds a value that is filled in when the statement runs.
    pub fn param(&mut self, param: Param) -> &mut Self {
        self.push(Piece::Param(param))
    }
    /// Adds another statement as one text, for bodies of functions.
    pub fn quoted(&mut self, body: &Self) -> &mut Self {
        self.push(Piece::Quoted(body.clone()))
    }
    /// Adds all of another statement.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.uncacheable |= other.uncacheable;
        Arc::make_mut(&mut self.pieces).extend(other.pieces.iter().cloned());
        self
    }
    /// Marks a statement whose text differs from run to run (lists of any length), so that it is not kept.
    pub fn uncacheable(&mut self) -> &mut Self {
        self.uncacheable = true;
        self
    }
    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
    /// The names in it, without their quotes.
    pub fn idents(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| if let Piece::Ident(name) = piece { Some(name.as_str()) } else { None })
    }
    /// The names and words in it, as SQLite is given them.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let words = |text: &'static str| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        self.pieces.iter().flat_map(move |piece| {
            let (name, text) = match piece {
                Piece::Ident(name) => (Some(name.as_str()), ""),
                Piece::Raw(text) | Piece::RawBy { sqlite: text, .. } => (None, *text),
                _ => (None, ""),
            };
            name.into_iter().chain(words(text))
        })
    }
    /// The text a database of this dialect is given, for golden tests and plans.
    pub fn text(&self, dialect: Dialect) -> String {
        statement::text(self, dialect)
    }

    fn push(&mut self, piece: Piece) -> &mut Self {
        Arc::make_mut(&mut self.pieces).push(piece);
        self
    }
}

#[cfg(test)]
mod tests;
