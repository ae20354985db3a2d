//! What was generated in PostgreSQL's schema, as far as this process has seen it, and what a transaction missed of it.
//!
//! Guarantees: a statement with the rights of a set runs only where what it names was made and given to that set; what
//! is missing ends the transaction, even if the work ignores the error, so that it can be made outside of it and the
//! work be run again.
//! Deliberately not here: making it (`supply`), and what it says (`crate::store::engine`).

use super::admit::{Scope, is_generated};
use super::pieces::Piece;
use super::sql::Sql;
use super::{Conn, DbError, Dialect, Purpose, Standing};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// At most so many things that one transaction missed are remembered: it ends with the first.
const MOST: usize = 100;
/// At most so many times work is run again for what it missed: a page names a few dozen things.
const MOST_ROUNDS: u32 = 60;

/// Something that a transaction missed.
#[derive(Clone, Debug)]
pub struct Need {
    /// The id of the set of rights, as it appears in names.
    pub set: Arc<str>,
    /// What the set is called.
    pub rights: Arc<str>,
    /// What was not made, or not given to the set; nothing where the set itself was not made.
    pub piece: Option<Arc<Piece>>,
}

/// The ids of pieces that were given to each set.
#[derive(Default)]
pub(super) struct Stock {
    given: RwLock<HashMap<Arc<str>, HashSet<Arc<str>>>>,
    /// Held by the thread of this process that makes something.
    pub making: Mutex<()>,
    /// How often that failed.
    pub failed: AtomicU64,
}

// INVARIANT: one thread works in one transaction at a time, so what a thread missed is what its transaction missed.
thread_local! {
    static MISSED: RefCell<Vec<Need>> = const { RefCell::new(Vec::new()) };
    /// Whether an earlier run of the present work missed something.
    static AGAIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the present transaction missed something.
pub(super) fn has_missed() -> bool {
    MISSED.with_borrow(|missed| !missed.is_empty())
}

/// Runs one transaction, after `rounds` of the same work; returns what it missed.
pub(super) fn watched<T>(rounds: &Rounds, run: impl FnOnce() -> T) -> (T, Vec<Need>) {
    // A transaction on another connection may be open on this thread: what it missed is not this one's.
    let _restored = Restored(MISSED.replace(Vec::new()), AGAIN.replace(rounds.made > 0));
    let done = run();
    (done, MISSED.take())
}

/// Puts back what the outer transaction missed, also when the work panics.
struct Restored(Vec<Need>, bool);

impl Drop for Restored {
    fn drop(&mut self) {
        MISSED.set(std::mem::take(&mut self.0));
        AGAIN.set(self.1);
    }
}

impl Need {
    fn new(standing: &Standing, piece: Option<Arc<Piece>>) -> Self {
        Self { set: standing.set.clone(), rights: standing.rights.clone(), piece }
    }
}

impl Stock {
    /// Whether this was made, and given to the set.
    pub(super) fn has(&self, need: &Need) -> bool {
        let given = self.given.read().unwrap_or_else(PoisonError::into_inner);
        let set = given.get(&need.set);
        set.is_some_and(|given| need.piece.as_ref().is_none_or(|piece| given.contains(&piece.id)))
    }

    /// This was made, and given to the set.
    pub(super) fn note(&self, need: &Need) {
        let mut given = self.given.write().unwrap_or_else(PoisonError::into_inner);
        let of_set = given.entry(need.set.clone()).or_default();
        of_set.extend(need.piece.iter().map(|piece| piece.id.clone()));
    }

    /// What a set reaches is not there any more, or not all of it.
    pub(super) fn forget(&self, set: &str) {
        self.given.write().unwrap_or_else(PoisonError::into_inner).remove(set);
    }

    /// Nothing of what was known counts any more.
    pub(super) fn forget_all(&self) {
        self.given.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn require(&self, needs: Vec<Need>) -> Result<(), DbError> {
        let missing: Vec<Need> = needs.into_iter().filter(|need| !self.has(need)).collect();
        if missing.is_empty() { Ok(()) } else { Err(miss(missing)) }
    }
}

/// Ends the transaction for want of these.
fn miss(needs: Vec<Need>) -> DbError {
    MISSED.with_borrow_mut(|missed| {
        let room = MOST.saturating_sub(missed.len());
        missed.extend(needs.into_iter().take(room));
    });
    DbError::Unprepared
}

impl Conn {
    /// What taking the rights of a set on needs: the set's own role to read, that of the piece that looks at the
    /// write to write.
    pub(super) fn require_role(&self, standing: &Standing, purpose: Purpose) -> Result<(), DbError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        match (purpose, &standing.watch) {
            (Purpose::Read, _) => self.stock.require(vec![Need::new(standing, None)]),
            (Purpose::Write, Some(watch)) => self.stock.require(vec![Need::new(standing, Some(watch.clone()))]),
            // SECURITY: where nothing looks at a write there is none (`a_set_writes_nothing_where_no_piece_looks_at_it`).
            (Purpose::Write, None) => Err(DbError::Forbidden("nothing looks at this write".into())),
        }
    }

    /// What a statement that is about to run with these rights names. What a write names was given to its role with it.
    pub(super) fn require_pieces(&self, scope: &Scope, sql: &Sql) -> Result<(), DbError> {
        if scope.purpose == Purpose::Write {
            return Ok(());
        }
        let named = scope.standing.reach.wanted(sql, false);
        self.stock.require(named.into_iter().map(|piece| Need::new(&scope.standing, Some(piece))).collect())
    }

    /// Whether an earlier run of the present work missed something: then it is worth while to list what else it needs.
    pub fn runs_again(&self) -> bool {
        AGAIN.get()
    }

    /// What the present work is going to need: what is missing of it is made at once, and not one after the other.
    pub fn foresee(&self, needs: Vec<Need>) -> Result<(), DbError> {
        if self.dialect() == Dialect::Sqlite { Ok(()) } else { self.stock.require(needs) }
    }

    /// After an error under the rights of a set: where something is not there, or was not given, although it was known
    /// to be, others took it away meanwhile. Then it is looked at again, and the work is run once more.
    pub(super) fn look_again(&self, scope: &Scope, sql: &Sql, error: &DbError) {
        let standing = &scope.standing;
        if self.dialect() == Dialect::Sqlite || self.is_as_it_is() || !is_gone(error) {
            return;
        }
        self.stock.forget(&standing.set);
        let named = standing.reach.wanted(sql, false);
        let pieces = named.into_iter().chain(standing.watch.clone()).map(Some);
        miss(pieces.chain([None]).map(|piece| Need::new(standing, piece)).collect());
    }
}

/// The runs of one transaction that missed something.
#[derive(Default)]
pub(super) struct Rounds {
    made: u32,
    last: Vec<(Arc<str>, Option<Arc<str>>)>,
}

impl Rounds {
    /// Whether to make what was missed and run once more: not for ever, and not when that did not help.
    pub(super) fn go_on(&mut self, missed: &[Need]) -> bool {
        let named = missed.iter().map(|need| (need.set.clone(), need.piece.as_ref().map(|piece| piece.id.clone())));
        let named: Vec<_> = named.collect();
        self.made = self.made.saturating_add(1);
        let on = self.made < MOST_ROUNDS && named != self.last;
        self.last = named;
        on
    }
}

/// Whether the database says that something generated, or a role, is not there or was not given.
fn is_gone(error: &DbError) -> bool {
    let (DbError::Other(source) | DbError::Forbidden(source)) = error else { return false };
    let text = source.to_string();
    let missing = ["relation \"", "role \"", "function "].iter().any(|what| text.starts_with(what));
    let kept = text.strip_prefix("permission denied for view ").or_else(|| text.strip_prefix("permission denied for function "));
    (missing && text.ends_with(" does not exist")) || kept.is_some_and(is_generated)
}
