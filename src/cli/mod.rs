//! The commands.
//!
//! Each prints to standard output what was asked for and to standard error what went wrong; the
//! exit code says whether it worked. The module only wires other modules together.

mod check;
mod matrix;
mod new;

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
    /// Check a model: every finding with its place, exit 1 on an error
    Check(check::Check),
    /// Print who may do what: user role by page, microflow, entity, member and operation
    Matrix(matrix::Rights),
    /// Begin an app that passes the production gate and gives nobody anything
    New(new::New),
    /// Print the JSON Schema of the model files
    Schema(check::Schema),
}

/// Runs the command line.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Check(command) => command.run(),
        Command::Matrix(command) => command.run(),
        Command::New(command) => command.run(),
        Command::Schema(command) => command.run(),
    }
}
