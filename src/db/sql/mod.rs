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
use std::collections::BTreeSet;
use std::sync::Arc;

pub use statement::{execute, fetch, fetch_flat};

use super::Dialect;
use super::admit::is_generated;

/// A value that is known only when the statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Param {
    /// The account that asks; empty for a visitor.
    User,
    /// The moment the request came.
    Now,
    /// The date the request came.
    Today,
    /// The object that a question is about.
    Object,
    /// The object from which a question follows an association.
    Start,
}

/// What the [`Param`]s stand for in one run.
#[derive(Clone, Debug)]
pub struct Params {
    user: Bound,
    now: Bound,
    today: Bound,
    object: Bound,
    start: Bound,
    /// Whether what is asked in this run is asked too seldom to be kept prepared.
    passing: bool,
}

impl Params {
    /// Binds the run's values.
    pub fn new(user: Option<ObjectId>, now: NaiveDateTime, today: NaiveDate) -> Self {
        Self {
            user: key(user),
            now: Bound::Moment(Some(now.into())),
            today: Bound::Date(Some(today)),
            object: key(None),
            start: key(None),
            passing: false,
        }
    }
    /// The same run, for a question about these objects.
    pub fn about(&self, object: Option<ObjectId>, start: Option<ObjectId>) -> Self {
        Self { object: key(object), start: key(start), ..self.clone() }
    }
    /// For a run whose statements are not kept prepared: each that is kept holds memory for as long as its connection.
    pub fn passing(self) -> Self {
        Self { passing: true, ..self }
    }
    /// Whether this is such a run.
    pub fn is_passing(&self) -> bool {
        self.passing
    }
    fn value(&self, param: Param) -> &Bound {
        match param {
            Param::User => &self.user,
            Param::Now => &self.now,
            Param::Today => &self.today,
            Param::Object => &self.object,
            Param::Start => &self.start,
        }
    }
}

fn key(object: Option<ObjectId>) -> Bound {
    Bound::BigInt(object.map(|id| id.0))
}

/// A statement or a part of one. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sql {
    pieces: Arc<Vec<Piece>>,
    uncacheable: bool,
    /// Whether it was looked through for what SQLite does not ask its guard about, and has nothing of it.
    honest: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Raw(&'static str),
    /// The text of several pieces, as one database is given it, and the names in it that only the owner gives.
    Text(Arc<str>, Arc<[Name]>),
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
        self.honest = false;
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
    /// The names in it, without their quotes; of what was [`Self::written`] only those of generated objects.
    pub fn idents(&self) -> impl Iterator<Item = &str> {
        fn names(piece: &Piece) -> &[Name] {
            match piece {
                Piece::Ident(name) => std::slice::from_ref(name),
                Piece::Text(_, names) => names,
                _ => &[],
            }
        }
        self.pieces.iter().flat_map(names).map(Name::as_str)
    }
    /// The names and words in it, as SQLite is given them.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        fn words(text: &str) -> impl Iterator<Item = &str> {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        }
        self.pieces.iter().flat_map(move |piece| {
            let (name, text) = match piece {
                Piece::Ident(name) => (Some(name.as_str()), ""),
                Piece::Raw(text) | Piece::RawBy { sqlite: text, .. } => (None, *text),
                Piece::Text(text, _) => (None, &**text),
                _ => (None, ""),
            };
            name.into_iter().chain(words(text))
        })
    }
    /// The text a database of this dialect is given, for golden tests and plans.
    pub fn text(&self, dialect: Dialect) -> String {
        statement::text(self, dialect)
    }

    /// The same statement with as few pieces as it has values, for a database of this dialect only: for one that runs
    /// often. One that deceives stays as it is, so that it is refused.
    pub fn written(&self, dialect: Dialect) -> Self {
        if dialect == Dialect::Sqlite && self.deceives() {
            return self.clone();
        }
        let (mut pieces, mut text, mut names) = (Vec::new(), String::new(), BTreeSet::new());
        for piece in self.pieces.iter().map(Some).chain([None]) {
            match piece {
                None | Some(Piece::Bind(_) | Piece::Param(_)) => {
                    let names = std::mem::take(&mut names).into_iter().collect();
                    pieces.extend((!text.is_empty()).then(|| Piece::Text(text.as_str().into(), names)));
                    text.clear();
                    pieces.extend(piece.cloned());
                }
                Some(other) => {
                    literal::write(other, dialect, &mut text);
                    names.extend(generated(other));
                }
            }
        }
        Self { pieces: Arc::new(pieces), uncacheable: self.uncacheable, honest: true }
    }

    fn push(&mut self, piece: Piece) -> &mut Self {
        self.honest = false;
        Arc::make_mut(&mut self.pieces).push(piece);
        self
    }
}

/// The names in a piece that only the owner gives.
fn generated(piece: &Piece) -> Vec<Name> {
    match piece {
        Piece::Ident(name) if is_generated(name) => vec![name.clone()],
        Piece::Text(_, names) => names.to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
