//! `attack`: the app's own attacks on a throw-away instance of it.

use super::say;
use crate::attack::{self, AttackError, Class, Options};
use crate::config::Secret;
#[cfg(feature = "knockout")]
use crate::domain::knockout::Removable;
use crate::log::with_causes;
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
    /// Of so many attacks of one kind try one (each kind at least once)
    #[arg(long, value_name = "N", default_value_t = 1)]
    thin: u64,
    /// With --thin: of each class one for each user role at least, instead of one of each kind; for apps of a hundred entities
    #[arg(long)]
    coarse: bool,
    #[cfg(feature = "knockout")]
    #[command(flatten)]
    removal: Removal,
}

/// Layers taken away, in builds that can.
#[cfg(feature = "knockout")]
#[derive(Args)]
struct Removal {
    /// Take these layers away first
    #[arg(long, hide = true, value_delimiter = ',', value_parser = layer)]
    remove: Vec<Removable>,
    /// All rounds for these apps, as the tables of docs/SECURITY.md
    #[arg(long, hide = true, value_delimiter = ',', value_name = "DIR")]
    knock_out_table: Vec<PathBuf>,
}

#[cfg(feature = "knockout")]
fn layer(id: &str) -> Result<Removable, String> {
    Removable::ALL.into_iter().find(|layer| layer.id() == id).ok_or_else(|| "there is no such layer".to_owned())
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
                say::aside(format_args!(
                    "portcullis: --database takes a postgres:// address; without it the attack makes an SQLite file of its own"
                ));
                return ExitCode::FAILURE;
            }
            url => url.map(Secret::new),
        };
        let stop = Arc::new(AtomicBool::new(false));
        watch(stop.clone());
        let narrowed = self.role.is_some() || self.class.is_some() || self.only.is_some();
        #[cfg(feature = "knockout")]
        if !self.removal.knock_out_table.is_empty() {
            return table(&self.removal.knock_out_table, database.as_ref(), self.seed, self.thin, &stop);
        }
        let options = Options {
            app: self.app,
            database,
            seed: self.seed,
            role: self.role,
            class: self.class,
            only: self.only,
            thin: self.thin,
            coarse: self.coarse,
            stop,
        };
        #[cfg(feature = "knockout")]
        let done = attack::knockout::without(&self.removal.remove, &options);
        #[cfg(not(feature = "knockout"))]
        let done = attack::run(&options);
        match done {
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

#[cfg(feature = "knockout")]
fn table(apps: &[PathBuf], database: Option<&Secret>, seed: u64, thin: u64, stop: &Arc<AtomicBool>) -> ExitCode {
    match attack::knockout::table(apps, database, seed, thin, stop) {
        Ok(table) => {
            let told = super::out(&table.markdown());
            let faults = table.faults();
            faults.iter().for_each(|fault| say::aside(format_args!("portcullis: {fault}")));
            if faults.is_empty() { told } else { ExitCode::FAILURE }
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &AttackError) -> ExitCode {
    say::aside(format_args!("portcullis: {}", with_causes(error)));
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
