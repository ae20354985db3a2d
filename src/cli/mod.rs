//! The commands.
//!
//! Each prints to standard output what was asked for and to standard error what went wrong; the
//! exit code says whether it worked. The module only wires other modules together.

mod attack;
mod check;
mod explain;
mod matrix;
mod new;
mod say;
mod serve;
mod upkeep;

use crate::domain::knockout;
use crate::server::{self, Mode};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A low-code business-app server that falls shut.
#[derive(Parser)]
#[command(name = "portcullis", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the app with made-up people and data, on this machine only
    Demo(serve::Serve),
    /// Run the app for others: strict, nothing made up
    Serve(serve::Serve),
    /// Check a model: every finding with its place, exit 1 on an error
    Check(check::Check),
    /// Print who may do what: user role by page, microflow, entity, member and operation
    Matrix(matrix::Rights),
    /// Say why somebody may, or may not, do something: rule by rule, part by part
    Explain(explain::Explain),
    /// Begin an app that passes the production gate and gives nobody anything
    New(new::New),
    /// Attack a throw-away instance of the app: exit 0 only if nothing was gained
    Attack(attack::Attack),
    /// Bring the database in step with the model
    Migrate(upkeep::Migrate),
    /// The record of what happened
    Audit(upkeep::Audit),
    /// Accounts
    Account(upkeep::Account),
    /// The installation's root secret
    Secret(upkeep::Secret),
    /// Print the resolved settings, without secrets
    Settings(upkeep::Show),
    /// Print the JSON Schema of the model files
    Schema(check::Schema),
}

/// Prints what was asked for.
fn out(text: &str) -> ExitCode {
    say::line(text.trim_end());
    ExitCode::SUCCESS
}

/// Runs the command line.
pub fn run() -> ExitCode {
    let command = Cli::parse().command;
    server::keep_secrets_in_memory();
    if let Some(marker) = knockout::marker() {
        say::aside(format_args!(
            "{marker}: this build can take layers of the defence away. It is for tests on this machine only"
        ));
    }
    let code = match command {
        Command::Demo(command) => command.run(Mode::Demo),
        Command::Serve(command) => command.run(Mode::Serve),
        Command::Attack(command) => command.run(),
        Command::Migrate(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Account(command) => command.run(),
        Command::Secret(command) => command.run(),
        Command::Settings(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Matrix(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::New(command) => command.run(),
        Command::Schema(command) => command.run(),
    };
    say::ended(code)
}
