//! The program as a process of its own, over an app and a database: started, asked what it took, stopped.

use super::cluster::Cluster;
use super::proc;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgresql,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgresql => "PostgreSQL",
        }
    }
}

/// A program, an app, and data of their own.
pub struct Site {
    program: PathBuf,
    app: PathBuf,
    data: TempDir,
    pub database: Option<Database>,
    patience: Duration,
}

/// A database in a cluster of its own, so that what others left in one does not count.
pub struct Database {
    cluster: Cluster,
    login: String,
    owner: String,
    name: String,
    pub postmaster: u32,
}

impl Database {
    fn start() -> Result<Self, String> {
        let cluster = Cluster::start().ok_or("PostgreSQL cannot be started here")?;
        let (login, owner) = cluster.served_database();
        let name = login.rsplit('/').next().unwrap_or_default().to_owned();
        let folder = cluster.sql("postgres", "SHOW data_directory")?;
        let file = Path::new(folder.trim()).join("postmaster.pid");
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let postmaster = text.lines().next().and_then(|line| line.parse().ok()).ok_or("the cluster has no process")?;
        Ok(Self { cluster, login, owner, name, postmaster })
    }

    /// One number that a question of the superuser has for an answer.
    pub fn number(&self, sql: &str) -> f64 {
        let answer = self.cluster.sql(&self.name, sql).unwrap_or_else(|why| panic!("{why}"));
        answer.trim().parse().unwrap_or_else(|_| panic!("{sql}: {answer:?} is no number"))
    }
}

/// What a start took until the server said that it is ready.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// Seconds.
    pub wall: f64,
    /// Seconds of the server and the database.
    pub cpu: f64,
    /// MiB.
    pub resident: f64,
}

/// A server that runs; it ends with its value.
pub struct Running<'s> {
    child: Child,
    pub address: SocketAddr,
    pub started: Started,
    site: &'s Site,
}

impl Site {
    pub fn new(program: &Path, app: &Path, kind: Kind, patience: Duration) -> Result<Self, String> {
        let database = match kind {
            Kind::Sqlite => None,
            Kind::Postgresql => Some(Database::start()?),
        };
        let data = TempDir::new().map_err(|error| error.to_string())?;
        Ok(Self { program: program.to_owned(), app: app.to_owned(), data, database, patience })
    }

    /// The file of an SQLite database.
    pub fn file(&self) -> PathBuf {
        self.data.path().join("portcullis.db")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PORTCULLIS_")) {
            command.env_remove(name);
        }
        command
            .args(["demo", "--listen", "127.0.0.1:0"])
            .arg("--app")
            .arg(&self.app)
            .arg("--data")
            .arg(self.data.path())
            .current_dir(self.data.path())
            .env("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1")
            .env("PORTCULLIS_LOG_LEVEL", "critical")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(database) = &self.database {
            command.env("PORTCULLIS_DATABASE", &database.login).env("PORTCULLIS_DATABASE_OWNER", &database.owner);
        }
        command
    }

    fn database_cpu(&self) -> f64 {
        self.database.as_ref().map_or(0.0, |database| proc::cpu_of_family(database.postmaster))
    }

    /// Starts the server and waits until it is ready, or says why it is not.
    pub fn start(&self) -> Result<Running<'_>, String> {
        let (begun, before) = (Instant::now(), self.database_cpu());
        let mut child = self.command().spawn().map_err(|error| format!("{}: {error}", self.program.display()))?;
        let address = self.ready(&mut child);
        let wall = begun.elapsed().as_secs_f64();
        let id = child.id();
        let started = Started {
            wall,
            cpu: proc::cpu(id) + self.database_cpu() - before,
            resident: proc::memory(id).map_or(0.0, |memory| memory.resident),
        };
        // From here on the process ends when this value is dropped, also after an error.
        let mut running = Running { child, address: ([127, 0, 0, 1], 0).into(), started, site: self };
        running.address = address?;
        Ok(running)
    }

    fn ready(&self, child: &mut Child) -> Result<SocketAddr, String> {
        let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let (send, received) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(rest) = line.split("is ready at http://").nth(1) {
                    let _ = send.send(rest.split_whitespace().next().unwrap_or_default().to_owned());
                }
            }
        });
        match received.recv_timeout(self.patience) {
            Ok(address) => address.parse().map_err(|_| format!("{address:?} is no address")),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(format!("not ready within {} s", self.patience.as_secs())),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err("the program ended before it was ready".to_owned()),
        }
    }
}

impl Running<'_> {
    /// CPU seconds of the server and the database so far.
    pub fn cpu(&self) -> f64 {
        proc::cpu(self.child.id()) + self.site.database_cpu()
    }

    /// Resident memory of the server, in MiB.
    pub fn resident(&self) -> f64 {
        proc::memory(self.child.id()).map_or(0.0, |memory| memory.resident)
    }

    /// The largest process that serves a connection to the database: resident, and what of it is its own.
    pub fn backend(&self) -> Option<proc::Memory> {
        let database = self.site.database.as_ref()?;
        let own = format!(" {} ", database.name);
        let backends = proc::children(database.postmaster).into_iter().filter(|id| proc::title(*id).contains(&own));
        backends.filter_map(proc::memory).max_by(|one, other| one.resident.total_cmp(&other.resident))
    }

    /// Waits until nothing is done any more, for two minutes at most.
    pub fn settle(&self) {
        let (begun, mut calm) = (Instant::now(), 0);
        while calm < 3 && begun.elapsed() < Duration::from_secs(120) {
            let before = self.cpu();
            std::thread::sleep(Duration::from_millis(500));
            calm = if self.cpu() - before < 0.04 { calm + 1 } else { 0 };
        }
    }

    /// Ends it as Ctrl-C does.
    pub fn stop(mut self) -> Result<(), String> {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let status = sent.and_then(|_| self.child.wait()).map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the program ended with {status}")) }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
