//! An installation of the notes, made and run as an operator does it.

use super::actor::Actor;
use super::notes;
use super::process::{Process, portcullis};
use super::server::cluster;
use portcullis::audit;
use portcullis::config::{DbTarget, Secret};
use portcullis::crypto::Keys;
use portcullis::db::Db;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const WORDS: &str = "lantern orchard violet tram";

/// The database, the secret and the app of an installation; its nodes run `portcullis serve`.
pub struct Town {
    app: TempDir,
    room: TempDir,
    /// As who logs in, and as the owner, where they differ.
    urls: (String, Option<String>),
}

impl Town {
    /// On a database of the shared cluster; `None` without PostgreSQL, which is told.
    pub fn found() -> Option<Self> {
        let (login, owner) = cluster::shared()?.served_database();
        Some(Self::over(TempDir::new().unwrap(), (login, Some(owner))))
    }

    /// On an SQLite file.
    pub fn small() -> Self {
        let room = TempDir::new().unwrap();
        // The folder of the database is there before the node that it is for.
        portcullis::config::create_private_dir(&room.path().join("one")).unwrap();
        let url = format!("sqlite:{}", room.path().join("one/notes.db").display());
        Self::over(room, (url, None))
    }

    /// Makes the secret and the tables.
    fn over(room: TempDir, urls: (String, Option<String>)) -> Self {
        let town = Self { app: notes::app(), room, urls };
        town.done(&mut town.command("one", &["secret", "create"]));
        // Only this command knows the owner.
        let mut migrate = town.command("migrate", &["migrate", "--apply"]);
        migrate.envs(town.urls.1.iter().map(|owner| ("PORTCULLIS_DATABASE_OWNER", owner)));
        town.done(&mut migrate);
        town
    }

    /// A command with the settings of a node.
    pub fn command(&self, node: &str, arguments: &[&str]) -> Command {
        let mut command = portcullis(arguments);
        command
            .current_dir(self.room.path())
            .env("PORTCULLIS_APP", self.app.path())
            .env("PORTCULLIS_DATA", self.room.path().join(node))
            .env("PORTCULLIS_DATABASE", &self.urls.0)
            .env("PORTCULLIS_SECRET_FILE", self.secret())
            .env("PORTCULLIS_LISTEN", "127.0.0.1:0")
            .env("PORTCULLIS_NODE", node)
            .env("PORTCULLIS_POOL", "4")
            .env("PORTCULLIS_DRAIN", "2s")
            .env("PORTCULLIS_MAIL_TARGET", "smtp://127.0.0.1:1")
            .env("PORTCULLIS_MAIL_FROM", "notes@notes.example");
        command
    }

    /// The secret is not next to the data.
    fn secret(&self) -> PathBuf {
        self.room.path().join("keys/secret.key")
    }

    /// Whether a command ended well, and all that it said.
    pub fn ended(&self, command: &mut Command) -> (bool, String) {
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), format!("{out}{err}"))
    }

    /// `migrate`, as the owner.
    pub fn migrate(&self, how: &str) -> String {
        let mut migrate = self.command("one", &["migrate", how]);
        migrate.envs(self.urls.1.iter().map(|owner| ("PORTCULLIS_DATABASE_OWNER", owner)));
        self.done(&mut migrate)
    }

    /// Does something to the database as whoever owns it can: on SQLite the first, on PostgreSQL the second.
    pub fn as_owner(&self, sql: [&str; 2]) {
        let (target, sql) = match (&self.urls.1, self.urls.0.strip_prefix("sqlite:")) {
            (Some(owner), _) => (DbTarget::Postgres(Secret::new(owner.as_str())), sql[1]),
            (None, Some(path)) => (DbTarget::Sqlite(path.into()), sql[0]),
            (None, None) => panic!("a database of which nobody is the owner"),
        };
        Db::open(&target, 1).unwrap().owner(|conn| conn.batch(sql)).unwrap();
    }

    /// Makes an account where that is possible beside a running server, so that there is something to record.
    pub fn invite_beside(&self, _node: &Process) {
        if self.urls.1.is_some() {
            self.invite(0);
        }
    }

    fn done(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        out.into_owned()
    }

    /// A running node.
    pub fn node(&self, name: &str) -> Process {
        Process::start(&mut self.command(name, &["serve"]))
    }

    /// A running node that people reach through a balancer.
    pub fn node_behind(&self, name: &str, balancer: SocketAddr) -> Process {
        let mut command = self.command(name, &["serve"]);
        command.env("PORTCULLIS_BASE_URL", format!("http://{balancer}")).env("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1");
        Process::start(&mut command)
    }

    /// Makes an account and gives the path of the link that opens it.
    pub fn invite(&self, number: usize) -> String {
        let email = format!("writer{number}@notes.example");
        let create = ["account", "create", "--email", &email, "--name", "Wim Rade", "--role", "Writer"];
        let said = self.done(&mut self.command("command", &create));
        format!("/link/{}", said.trim().split("/link/").nth(1).unwrap())
    }

    /// Opens the link of an invitation; who it is for is signed in then.
    pub fn accept(link: &str, address: SocketAddr) -> Actor {
        let actor = Actor::new(address);
        let page = actor.open(link).fill("New password", WORDS).fill("Once more", WORDS);
        assert_eq!(page.click("Save the password").status, 200);
        actor
    }

    /// Somebody who writes notes, signed in at an address.
    pub fn writer(&self, number: usize, address: SocketAddr) -> Actor {
        Self::accept(&self.invite(number), address)
    }

    pub fn db(&self) -> Db {
        let target = match self.urls.0.strip_prefix("sqlite:") {
            Some(path) => DbTarget::Sqlite(path.into()),
            None => DbTarget::Postgres(Secret::new(self.urls.0.as_str())),
        };
        Db::open(&target, 1).unwrap()
    }

    /// Whether every chain of the trail is whole.
    pub fn trail_is_whole(&self, db: &Db) -> bool {
        let keys = Keys::load_file(&self.secret()).unwrap();
        db.read(|conn| audit::verify(conn, &keys, None)).unwrap().is_whole()
    }

    /// What `audit verify` says of a trail that is whole.
    pub fn verified(&self) -> String {
        self.done(&mut self.command("one", &["audit", "verify"]))
    }
}
