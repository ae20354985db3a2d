//! `attack`: the app's own attacks on a throw-away instance of it.

use crate::attack::{self, AttackError, Class, Options};
use crate::config::Secret;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How to print.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// For tools.
    Json,
}

/// Attacks a throw-away instance of the app, with made-up data, over HTTP on this machine.
#[derive(Args)]
pub(super) struct Attack {
    /// Folder of the app
    #[arg(long, value_name = "DIR", default_value = "apps/people")]
    app: PathBuf,
    /// `postgres://…`: a server on which a new database is made and removed again; the one that is named is not touched
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// How to print what came of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Only attackers of this user role
    #[arg(long)]
    role: Option<String>,
    /// Only this class
    #[arg(long, value_parser = class)]
    class: Option<Class>,
    /// Only the attack of this id, or those whose ids begin with it
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// What the data and the choices follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn class(id: &str) -> Result<Class, String> {
    Class::named(id).ok_or_else(|| {
        let known: Vec<&str> = Class::ALL.iter().map(|class| class.id()).collect();
        format!("there is no such class; there are {}", known.join(", "))
    })
}

impl Attack {
    pub(super) fn run(self) -> ExitCode {
        let database = match self.database {
            Some(url) if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) => {
                eprintln!("portcullis: --database takes a postgres:// address; without it the attack makes an SQLite file of its own");
                return ExitCode::FAILURE;
            }
            url => url.map(Secret::new),
        };
        let stop = Arc::new(AtomicBool::new(false));
        watch(stop.clone());
        let narrowed = self.role.is_some() || self.class.is_some() || self.only.is_some();
        let options =
            Options { app: self.app, database, seed: self.seed, role: self.role, class: self.class, only: self.only, stop };
        match attack::run(&options) {
            Ok(report) => {
                let text = match self.format {
                    Format::Text => report.table(),
                    Format::Json => serde_json::to_string_pretty(&report).unwrap_or_default(),
                };
                let told = super::out(&text);
                if report.is_clean(narrowed) { told } else { ExitCode::FAILURE }
            }
            Err(error) => failed(&error),
        }
    }
}

fn failed(error: &AttackError) -> ExitCode {
    eprintln!("portcullis: {error}");
    ExitCode::FAILURE
}

/// Ctrl-C ends the attack after the request under way, so that what was made is removed.
fn watch(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            stop.store(true, Ordering::SeqCst);
        }
    });
}
