//! Opening PostgreSQL: plain on this machine, verified TLS everywhere else.

use super::admit::Authority;
use super::ahead::Ahead;
use super::conn::Mode;
use super::roles::Roles;
use super::{DbError, EVERY, Purpose, Standing};
use crate::config::Secret;
use diesel::result::QueryResult;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use rustls_platform_verifier::BuilderVerifierExt;
use std::future::Future;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A synchronous PostgreSQL connection. Use it on a blocking thread only.
pub type PgConn = AsyncConnectionWrapper<Ahead, DbIo>;

/// How long opening a connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// Limits per session: a statement, a lock, an abandoned transaction. No machine code is compiled for a statement:
/// generated statements are deep and read few rows, so compiling takes seconds where running takes milliseconds, and
/// what asks for it is a guess at the cost, which is far too high where the sizes of tables are not known yet. And few
/// orders of joining are compared: a list joins one row by its key for each association that it follows, so the order
/// hardly matters, and comparing all orders of eight took 74 ms where that of four takes 2 ms; a list that followed 63
/// associations was not planned within the 30 s of a statement.
const SESSION: &str = "-c jit=off -c join_collapse_limit=4 -c statement_timeout=30s -c lock_timeout=5s \
     -c idle_in_transaction_session_timeout=60s";

/// The owner of the schema works as long as it takes: tables are changed and the database is prepared in one transaction,
/// parts of which run for minutes on a large database. What waits for a row or a table still waits for a short time only,
/// because everybody else waits behind it.
const OWNER: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '10min'";

// One runtime drives every database socket, so that a busy web worker cannot stall it.
#[allow(clippy::expect_used, reason = "without threads the process cannot serve at all")]
static DRIVER: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("db-io")
        .enable_all()
        .build()
        .expect("a thread for database input and output")
});

/// Waits for the database on the thread that asked, while its own runtime moves the bytes.
#[derive(Debug, Clone, Copy)]
pub struct DbIo;

impl BlockOn for DbIo {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        DRIVER.handle().block_on(future)
    }
    fn get_runtime() -> Self {
        Self
    }
}

/// A parsed target.
#[derive(Clone)]
pub(super) struct Target {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
}

impl Target {
    /// Reads a `postgres://` URL and refuses one that would send data in the clear over a network.
    pub(super) fn parse(url: &Secret) -> Result<Self, DbError> {
        // A stricter `sslmode` of libpq means what `require` means here: full verification.
        let text = url.expose().replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
        // SECURITY: the parser's message may repeat parts of the URL, and the URL may hold a password.
        let mut config = tokio_postgres::Config::from_str(&text)
            .map_err(|_| DbError::Refused("the database URL cannot be read: postgres://user:password@host:port/name".into()))?;
        let local = is_local(&config);
        let refuses_tls = text.contains("sslmode=disable") || text.contains("sslmode=prefer");
        if !local && refuses_tls {
            return Err(DbError::Refused("sslmode=disable and sslmode=prefer are for a database on this machine only".into()));
        }
        let wants_tls = !local || config.get_ssl_mode() == SslMode::Require;
        config.ssl_mode(if wants_tls { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(CONNECT).keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(Duration::from_secs(10));
        config.application_name("portcullis");
        let options = config.get_options().map_or_else(|| SESSION.to_owned(), |own| format!("{SESSION} {own}"));
        config.options(options);
        let tls = wants_tls.then(verified_tls).transpose()?;
        Ok(Self { config, tls })
    }

    /// Opens a connection, with the names of the roles that work there and the flag that is raised once its socket is gone.
    pub(super) fn connect(&self) -> Result<(PgConn, Roles, Arc<AtomicBool>), DbError> {
        let gone = Arc::new(AtomicBool::new(false));
        let (conn, roles) = DbIo.block_on(async {
            match tokio::time::timeout(CONNECT, self.client(gone.clone())).await {
                Ok(conn) => conn,
                Err(late) => Err(DbError::Unavailable(late.into())),
            }
        })?;
        Ok((PgConn::from(Ahead::new(conn)), roles, gone))
    }

    async fn client(&self, gone: Arc<AtomicBool>) -> Result<(AsyncPgConnection, Roles), DbError> {
        let unavailable = |error: tokio_postgres::Error| DbError::Unavailable(error.into());
        let client = match &self.tls {
            Some(tls) => {
                let (client, socket) = self.config.connect(tls.clone()).await.map_err(unavailable)?;
                tokio::spawn(drive(socket, gone));
                client
            }
            None => {
                let (client, socket) = self.config.connect(tokio_postgres::NoTls).await.map_err(unavailable)?;
                tokio::spawn(drive(socket, gone));
                client
            }
        };
        let roles = greet(&client).await?;
        let conn = AsyncPgConnection::try_from(client).await.map_err(|error| DbError::Unavailable(error.into()))?;
        Ok((conn, roles))
    }
}

/// Asks which database this is, holds the session to the schema that is its own now, and asks for English messages:
/// Diesel tells errors apart by kind only where it knows the kind, the others are told apart by their text. Only a
/// superuser may change the language, so `migrate` sets it for the database when it can.
// SECURITY: names are looked up in that one schema, whatever role is taken on. By default each role looks first into
// a schema of its own name, where a view could stand in another's place
// (`a_schema_named_after_a_role_stands_in_nobodys_way`).
async fn greet(client: &tokio_postgres::Client) -> Result<Roles, DbError> {
    let unavailable = |error: tokio_postgres::Error| DbError::Unavailable(error.into());
    const GREETING: &str = "SELECT current_database()::text, current_setting('lc_messages'), \
        set_config('search_path', coalesce(quote_ident(current_schema()) || ', ', '') || 'pg_temp', false)";
    let row = client.query_one(GREETING, &[]).await.map_err(unavailable)?;
    let (database, language): (String, String) = (row.get(0), row.get(1));
    if !is_english(&language) {
        client.batch_execute("SET lc_messages = 'C'").await.map_err(|_| {
            DbError::Refused(
                "the database server does not speak English (lc_messages), and the login role may not change that; \
                 let a superuser run: ALTER DATABASE … SET lc_messages = 'C'"
                    .into(),
            )
        })?;
    }
    Ok(Roles::of(&database))
}

/// Whether messages in this locale are the untranslated ones.
fn is_english(locale: &str) -> bool {
    let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
    ["C", "POSIX", "en", "English"].contains(&language)
}

async fn drive(socket: impl Future<Output = Result<(), tokio_postgres::Error>>, gone: Arc<AtomicBool>) {
    // Whoever waits on the connection gets the error too; here only the fact matters.
    let _ = socket.await;
    gone.store(true, Ordering::Release);
}

/// A read sees one state. It is not serializable: it would leave marks that make writers fail, could fail itself, and
/// what it shows is decided again by the write that follows from it.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// A write relies on what it read. A table that is read from one end to the other counts as read as a whole, and then
/// everybody who writes to it conflicts; so an index is preferred even where the table is small. The preference is
/// bounded: a plan that reads a table from end to end stays where an index would cost many times as much.
const WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL seq_page_cost = 20";

/// Begins a transaction and takes the role on, in one round trip.
pub(super) fn begin(conn: &mut PgConn, mode: Mode, role: &str) -> QueryResult<()> {
    let begin = match mode {
        Mode::Read => READ,
        Mode::Write => WRITE,
        Mode::OneState => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        Mode::Unserialized => "BEGIN ISOLATION LEVEL READ COMMITTED",
    };
    DbIo.block_on(conn.batch_execute(&format!("{begin}; {role}")))?;
    conn.begun(role);
    Ok(())
}

/// Begins a savepoint in a transaction of this depth, ahead of the next statement.
pub(super) fn nest(conn: &mut PgConn, depth: u32) -> QueryResult<()> {
    conn.step(&format!("SAVEPOINT nested_{depth}"));
    Ok(())
}

/// Keeps or undoes what was done at this depth; for a savepoint, ahead of the next statement.
pub(super) fn end(conn: &mut PgConn, depth: u32, kept: bool, writes: bool) -> QueryResult<()> {
    match (depth.saturating_sub(1), kept) {
        (0, true) => {
            // A read has nothing left to do, as whomever.
            if !writes {
                conn.forget();
            }
            DbIo.block_on(conn.batch_execute("COMMIT"))?;
            conn.forget();
        }
        (0, false) => {
            conn.forget();
            DbIo.block_on(conn.batch_execute("ROLLBACK"))?;
        }
        (outer, true) => conn.step(&format!("RELEASE SAVEPOINT nested_{outer}")),
        (outer, false) => {
            conn.step(&format!("ROLLBACK TO SAVEPOINT nested_{outer}"));
            conn.doubt();
        }
    }
    Ok(())
}

/// Sends what was to be sent ahead of the next statement.
pub(super) fn catch_up(conn: &mut PgConn) -> QueryResult<()> {
    DbIo.block_on(conn.catch_up())
}

/// What takes an authority on until the transaction, or the savepoint it happens in, ends.
pub(super) fn take_on(roles: &Roles, authority: &Authority) -> String {
    let role =
        |name: &str| format!("SET LOCAL ROLE \"{}\"; SET LOCAL portcullis.set = ''; SET LOCAL portcullis.\"user\" = ''", name);
    match authority {
        Authority::Owner => OWNER.to_owned(),
        Authority::System => role(&roles.system()),
        Authority::Trail => role(&roles.audit()),
        Authority::Nobody | Authority::Control => "SET LOCAL ROLE NONE".to_owned(),
        Authority::Set(scope) => {
            let Standing { set, user, now, .. } = &scope.standing;
            let name = match scope.purpose {
                Purpose::Read => roles.reader(set),
                // Without a piece there is no such role, and nothing is written.
                Purpose::Write => roles.writer(scope.standing.watch.as_ref().map_or(EVERY, |watch| &watch.id)),
            };
            // A number, two moments and a name of 16 digits: nothing that could end a text.
            let (user, set) = (user.map(|id| id.0.to_string()).unwrap_or_default(), set.replace(['\'', '"'], ""));
            format!(
                "SET LOCAL ROLE \"{}\"; SET LOCAL portcullis.set = '{set}'; SET LOCAL portcullis.\"user\" = '{user}'; \
                 SET LOCAL portcullis.now = '{}'; SET LOCAL portcullis.today = '{}'",
                name.replace('"', ""),
                now.format("%F %T%.3f"),
                now.format("%F"),
            )
        }
    }
}

/// Whether every host is this machine. A name other than `localhost` never is.
fn is_local(config: &tokio_postgres::Config) -> bool {
    let hosts = config.get_hosts();
    let named = hosts.iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    });
    let addressed = config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
    named && addressed && !(hosts.is_empty() && config.get_hostaddrs().is_empty())
}

fn verified_tls() -> Result<MakeRustlsConnect, DbError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let refused = |error: rustls::Error| DbError::Refused(format!("TLS to the database cannot be set up: {error}"));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_platform_verifier()
        .map_err(refused)?
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, DbError> {
        Target::parse(&Secret::new(url))
    }

    #[test]
    fn a_database_elsewhere_is_reached_by_verified_tls_or_not_at_all() {
        for url in ["postgres://u@db.example/x", "postgres://u@10.0.0.7/x", "postgres://u@db.example/x?sslmode=verify-full"] {
            let target = parse(url).unwrap();
            assert!(target.tls.is_some() && target.config.get_ssl_mode() == SslMode::Require, "{url}");
        }
        for url in ["postgres://u@db.example/x?sslmode=disable", "postgres://u@localhost,db.example/x?sslmode=prefer"] {
            assert!(matches!(parse(url), Err(DbError::Refused(_))), "{url}");
        }
        for url in ["postgres://u@localhost/x?sslmode=disable", "postgres://u@127.0.0.1/x", "postgres://u@%2Ftmp/x"] {
            assert!(parse(url).unwrap().tls.is_none(), "{url}");
        }
        assert!(parse("postgres://u@localhost/x?hostaddr=10.1.1.1&sslmode=disable").is_err());
    }

    #[test]
    fn only_untranslated_messages_count_as_english() {
        for english in ["C", "POSIX", "C.UTF-8", "en_US.UTF-8", "en_GB", "en", "English_United States.1252"] {
            assert!(is_english(english), "{english}");
        }
        for other in ["", "de_DE.UTF-8", "fr_FR", "Catalan_Spain.1252", "cs_CZ", "eng_x", "c"] {
            assert!(!is_english(other), "{other}");
        }
    }

    #[test]
    fn a_broken_url_is_refused_without_repeating_its_password() {
        let error = parse("postgres://u:hunter2@host:port/x").err().unwrap();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
