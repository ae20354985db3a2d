//! A PostgreSQL connection on which control statements travel with the next statement.
//!
//! Savepoints and changes of role are kept until something has to be asked, and are then sent in front of it without
//! waiting for their answer: one round trip instead of one for each.
//!
//! Guarantees: what waits is sent before anything else that is sent, and in order. It is sent only inside of a
//! transaction, and when it fails, that transaction takes nothing more: the statement behind it fails at the server, and
//! the error is that of what waited.
//! Deliberately not here: beginning a transaction. If that failed, a statement sent behind it would run outside of one.

use diesel::connection::{CacheSize, Instrumentation};
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{ConnectionResult, QueryResult};
use diesel_async::{AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::join;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What is asked of PostgreSQL, with what is sent ahead of it.
pub struct Ahead {
    inner: AsyncPgConnection,
    /// Steps of the transaction that were not sent yet.
    steps: String,
    /// What takes on the present authority, and what the server took on last; `None` where that is not known.
    wanted: String,
    taken: Option<String>,
    trips: Arc<AtomicU64>,
    /// How many statements are kept prepared.
    kept: Arc<AtomicUsize>,
}

/// So many statements are kept prepared on a connection at most: the server keeps the text and the plan of each, and each
/// set of rights has its own.
pub(super) const MOST_PREPARED: usize = 100;

type Asked<'a, T> = Pin<Box<dyn Future<Output = QueryResult<T>> + Send + 'a>>;

impl Ahead {
    pub(super) fn new(inner: AsyncPgConnection) -> Self {
        let (trips, kept) = (Arc::default(), Arc::default());
        Self { inner, steps: String::new(), wanted: String::new(), taken: Some(String::new()), trips, kept }
    }

    /// Counts round trips here from now on; the statements that are kept prepared are counted there.
    pub(super) fn counting(&mut self, trips: Arc<AtomicU64>, kept: Arc<AtomicUsize>) {
        (self.trips, self.kept) = (trips, kept);
    }

    /// The transaction is over. Where very many statements are kept prepared all of them go: there is no telling which
    /// ones are used, and those that are come back.
    pub(super) fn rest(&mut self) {
        if self.kept.load(Ordering::Relaxed) > MOST_PREPARED {
            self.inner.set_prepared_statement_cache_size(CacheSize::Disabled);
            self.inner.set_prepared_statement_cache_size(CacheSize::Unbounded);
            self.kept.store(0, Ordering::Relaxed);
        }
    }

    /// A transaction has begun, with this authority.
    pub(super) fn begun(&mut self, taken: &str) {
        self.steps.clear();
        self.wanted = taken.to_owned();
        self.taken = Some(taken.to_owned());
    }

    /// A step of the transaction, to be made before the next statement.
    pub(super) fn step(&mut self, sql: &str) {
        if !self.steps.is_empty() {
            self.steps.push_str("; ");
        }
        self.steps.push_str(sql);
    }

    /// What takes on the authority of the next statement.
    pub(super) fn want(&mut self, authority: String) {
        self.wanted = authority;
    }

    /// What the server took on is not known: a savepoint that is undone gives back what was before it.
    pub(super) fn doubt(&mut self) {
        self.taken = None;
    }

    /// Drops what waits: the transaction ends without it.
    pub(super) fn forget(&mut self) {
        self.begun("");
    }

    /// What has to be sent now, in front of what is asked.
    fn due(&mut self) -> Option<String> {
        let mut due = std::mem::take(&mut self.steps);
        if self.taken.as_ref() != Some(&self.wanted) {
            if !due.is_empty() && !self.wanted.is_empty() {
                due.push_str("; ");
            }
            due.push_str(&self.wanted);
            self.taken = Some(self.wanted.clone());
        }
        self.trips.fetch_add(1, Ordering::Relaxed);
        (!due.is_empty()).then_some(due)
    }

    /// Sends what waits, if anything does.
    pub(super) async fn catch_up(&mut self) -> QueryResult<()> {
        if self.steps.is_empty() && self.taken.as_ref() == Some(&self.wanted) {
            return Ok(());
        }
        match self.due() {
            Some(due) => self.inner.batch_execute(&due).await,
            None => Ok(()),
        }
    }
}

/// Sends what is due and what is asked one right behind the other.
// SECURITY: the statement is not held back until the role is known to be taken on. When it is not, the server has
// aborted the transaction by the time it reads the statement, and refuses it
// (`a_statement_behind_a_role_that_cannot_be_taken_on_does_not_run`).
fn behind<'a, T: Send + 'a>(conn: &'a AsyncPgConnection, due: Option<String>, asked: Asked<'a, T>) -> Asked<'a, T> {
    let Some(due) = due else { return asked };
    Box::pin(async move {
        let mut control = conn;
        let (done, answer) = join(control.batch_execute(&due), asked).await;
        done.and(answer)
    })
}

impl SimpleAsyncConnection for Ahead {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        match self.due() {
            Some(due) => self.inner.batch_execute(&format!("{due}; {query}")).await,
            None => self.inner.batch_execute(query).await,
        }
    }
}

impl AsyncConnectionCore for Ahead {
    type LoadFuture<'conn, 'query> = Asked<'conn, Self::Stream<'conn, 'query>>;
    type ExecuteFuture<'conn, 'query> = Asked<'conn, usize>;
    type Stream<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Stream<'conn, 'query>;
    type Row<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Row<'conn, 'query>;
    type Backend = diesel::pg::Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Self::Backend> + QueryId + 'query,
    {
        let due = self.due();
        let mut conn = &self.inner;
        let asked = conn.load(source);
        behind(&self.inner, due, asked)
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Self::Backend> + QueryId + 'query,
    {
        let due = self.due();
        let mut conn = &self.inner;
        let asked = conn.execute_returning_count(source);
        behind(&self.inner, due, asked)
    }
}

impl AsyncConnection for Ahead {
    type TransactionManager = AnsiTransactionManager;

    async fn establish(database_url: &str) -> ConnectionResult<Self> {
        AsyncPgConnection::establish(database_url).await.map(Self::new)
    }
    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.inner.transaction_state()
    }
    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.instrumentation()
    }
    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.set_instrumentation(instrumentation);
    }
    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner.set_prepared_statement_cache_size(size);
    }
}
