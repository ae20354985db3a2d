//! `demo` and `serve`.

use super::say;
use crate::clock::Clock;
use crate::config::{Overrides, Settings};
use crate::log::{Logs, with_causes};
use crate::server::{self, Mode, StartError};
use crate::web::Web;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Where settings come from, besides `portcullis.toml` and `PORTCULLIS_*`.
#[derive(Args, Clone)]
pub(super) struct Flags {
    /// Address and port to listen on (default 127.0.0.1:8080)
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Folder for everything the server writes (default var)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder of the app (default apps/people)
    #[arg(long, value_name = "DIR")]
    app: Option<PathBuf>,
    /// Settings file (default portcullis.toml, if it is there)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Flags {
    /// The resolved settings, or every fault in them.
    pub(super) fn settings(&self) -> Result<Settings, ExitCode> {
        let overrides =
            Overrides { file: self.config.clone(), listen: self.listen, data: self.data.clone(), app: self.app.clone() };
        Settings::load(&overrides).map_err(|error| {
            say::aside(format_args!("the settings cannot be used:\n{error}"));
            ExitCode::FAILURE
        })
    }
}

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    flags: Flags,
}

impl Serve {
    pub(super) fn run(self, mode: Mode) -> ExitCode {
        let settings = match self.flags.settings() {
            Ok(settings) => settings,
            Err(code) => return code,
        };
        let logs = Logs::start(&settings.log);
        let started = server::assemble(settings, mode, Clock::system(), logs).and_then(|web| server::run(web, announce));
        match started {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }
}

pub(super) fn failed(error: &StartError) -> ExitCode {
    say::aside(format_args!("portcullis: {}", with_causes(error)));
    ExitCode::FAILURE
}

fn announce(web: &Web, address: SocketAddr) {
    let app = &web.app;
    say::line(format_args!("{} is ready at http://{address}", app.live().model.title));
    if let Some(demo) = &app.demo {
        say::line(format_args!("\nDemo users (also one click each at http://{address}/sign-in):"));
        for one in demo.users.iter() {
            let roles: Vec<&str> = one.user.roles.iter().map(|role| role.as_str()).collect();
            say::line(format_args!("  {:<28} {:<34} {}", roles.join(", "), one.user.email, one.password));
        }
        say::line(format_args!(
            "\nOutgoing mail is kept at http://{address}/dev/outbox. Ctrl-C stops the server; its data stays."
        ));
    } else if let Err(error) = bootstrap(web) {
        say::aside(format_args!("the start link could not be made: {error}"));
    }
}

/// The one-time link that creates an administrator, while nobody who can sign in is one.
fn bootstrap(web: &Web) -> Result<(), crate::identity::LinkError> {
    let app = &web.app;
    let administrators = app.live().model.administrators();
    let Some(role) = administrators.first() else { return Ok(()) };
    if let Some(token) = app.db.read(|conn| app.identity.bootstrap_link(conn, &administrators))? {
        say::line(format_args!(
            "\nNobody who can sign in is {role}. This link creates one; it works once:\n  {}/link/bootstrap/{token}",
            app.settings.base_url
        ));
    }
    Ok(())
}
