//! A private PostgreSQL cluster, started from the installed binaries and gone with the test process.
//!
//! Needs the standard library only, so that integration tests can include the file.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A running cluster. Dropping it stops the server and removes its files; so does the end of the process.
pub struct Cluster {
    binaries: PathBuf,
    dir: PathBuf,
    port: u16,
    user: Option<String>,
    guard: Child,
}

/// How many tests were skipped in this process for want of PostgreSQL.
pub static SKIPPED: AtomicU32 = AtomicU32::new(0);
static NAMES: AtomicU32 = AtomicU32::new(0);

/// The cluster that the tests of this process share, each with a database of its own.
///
/// Without PostgreSQL the test counts as skipped, unless `PORTCULLIS_REQUIRE` names `postgresql`.
pub fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    available(SHARED.get_or_init(Cluster::start).as_ref())
}

/// Counts a test as skipped when there is no cluster, or fails it when there has to be one.
pub fn available<T>(cluster: Option<T>) -> Option<T> {
    if cluster.is_none() {
        let required = std::env::var("PORTCULLIS_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|part| part.trim() == "postgresql"), "PostgreSQL is required but cannot be started");
        let count = SKIPPED.fetch_add(1, Ordering::SeqCst) + 1;
        // Past the test harness, which would keep it to itself when the test passes.
        let line = format!("skipped: no PostgreSQL ({count} skipped so far)\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    cluster
}

impl Cluster {
    /// Starts a cluster, or tells on standard error why it cannot.
    pub fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(cluster) => Some(cluster),
            Err(why) => {
                eprintln!("no PostgreSQL: {why}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let binaries = PathBuf::from(output(Command::new("pg_config").arg("--bindir"))?.trim());
        let user = server_user()?;
        let dir = output(&mut as_user(user.as_deref(), "mktemp", &["-d", "/tmp/portcullis-pg-XXXXXXXX"]))?;
        let dir = PathBuf::from(dir.trim());
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_err(|e| e.to_string())?.port();
        let guard = guard(&binaries, &dir, user.as_deref()).map_err(|e| e.to_string())?;
        let cluster = Self { binaries, dir, port, user, guard };
        let data = cluster.data();
        output(&mut cluster.command("initdb", &["-D", &data, "-U", "portcullis", "-A", "trust", "-E", "UTF8", "--no-sync"]))?;
        cluster.up()?;
        cluster.sql("postgres", "CREATE ROLE owner LOGIN CREATEROLE; CREATE ROLE server LOGIN NOINHERIT")?;
        Ok(cluster)
    }

    /// Starts the server.
    pub fn up(&self) -> Result<(), String> {
        let (data, log) = (self.data(), self.dir.join("log").display().to_string());
        // Nothing has to outlive a crash of the machine, and the log is to take little of its disk.
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c max_wal_size=64MB \
             -c wal_level=minimal -c max_wal_senders=0 -c max_connections=200 -c shared_buffers=16MB",
            self.port,
            self.dir.display()
        );
        output(&mut self.command("pg_ctl", &["-D", &data, "-w", "-s", "-l", &log, "-o", &options, "start"])).map(drop)
    }

    /// Stops the server at once, as a crash would.
    pub fn down(&self) -> Result<(), String> {
        output(&mut self.command("pg_ctl", &["-D", &self.data(), "-w", "-s", "-m", "immediate", "stop"])).map(drop)
    }

    /// The URL of a new, empty database, for a superuser who does all.
    pub fn database(&self) -> String {
        self.create("portcullis")
    }

    /// The URLs of a new, empty database: for a role that may nothing but log in, and for its owner.
    pub fn served_database(&self) -> (String, String) {
        let owner = self.create("owner");
        (owner.replacen("owner@", "server@", 1), owner)
    }

    fn create(&self, owner: &str) -> String {
        let name = format!("test_{}", NAMES.fetch_add(1, Ordering::SeqCst));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {owner}")).unwrap();
        format!("postgres://{owner}@127.0.0.1:{}/{name}", self.port)
    }

    /// Removes the database at this URL, which is no longer used: hundreds of tests would fill a disk with theirs.
    #[allow(dead_code, reason = "integration tests leave theirs to the end of the process")]
    pub fn remove(&self, url: &str) {
        let name = url.rsplit('/').next().unwrap_or_default();
        self.sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    }

    /// Runs statements as the superuser.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let at = ["-h", "127.0.0.1", "-p", &port, "-U", "portcullis", "-d", database];
        let mut arguments = at.to_vec();
        // Each statement in a transaction of its own, as making a database wants.
        arguments.extend(["-qAt", "-v", "ON_ERROR_STOP=1"]);
        let parts: Vec<&str> = sql.split("; ").collect();
        parts.iter().for_each(|part| arguments.extend(["-c", part]));
        output(&mut self.command("psql", &arguments))
    }

    fn data(&self) -> String {
        self.dir.join("data").display().to_string()
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        as_user(self.user.as_deref(), &self.binaries.join(program).display().to_string(), arguments)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A shell that waits until this process is gone (its end of the pipe closes), then cleans up.
fn guard(binaries: &Path, dir: &Path, user: Option<&str>) -> std::io::Result<Child> {
    let script =
        format!("cat; {}/pg_ctl -D {dir}/data -m immediate -s stop; rm -rf {dir}", binaries.display(), dir = dir.display());
    let mut command = as_user(user, "sh", &["-c", &script]);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// The server refuses to run as root: then another user of this machine runs it.
fn server_user() -> Result<Option<String>, String> {
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        return Ok(None);
    }
    let known = |name: &&str| {
        Command::new("id").args(["-u", name]).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    };
    ["postgres", "nobody"]
        .iter()
        .find(|name| known(name))
        .map(|name| Some((*name).to_owned()))
        .ok_or_else(|| "no user to run it as".into())
}

fn as_user(user: Option<&str>, program: &str, arguments: &[&str]) -> Command {
    let mut command = match user {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups", "--", program]);
            command
        }
    };
    command.args(arguments).current_dir("/").stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> Result<String, String> {
    let run = command.stderr(Stdio::piped()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if run.status.success() {
        return Ok(String::from_utf8_lossy(&run.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&run.stderr)))
}
