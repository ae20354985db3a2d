//! Portcullis over HTTP, beside hand-written actix handlers that ask the same without any security.
//!
//! Every server is a process of its own, so that its CPU time per request can be read. `drive` prepares the
//! data, starts the servers, loads them in turn and prints a Markdown table. See `docs/PERFORMANCE.md`.

mod baseline;
mod client;
mod data;
mod drive;
mod measure;
mod ratio;
mod report;
mod served;

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare everything and print the tables
    Drive(drive::Options),
    /// Compare the instructions of each request with those of the hand-written one, and with what was reviewed
    Ratio(ratio::Options),
    /// Make the database of the bench app with so many employees
    Prepare {
        #[arg(long)]
        data: PathBuf,
        #[arg(long)]
        rows: u32,
    },
    /// Fill a database that has its schema: without Portcullis, which opens SQLite under its guard only
    Fill {
        #[arg(long)]
        data: PathBuf,
        #[arg(long)]
        rows: u32,
    },
    /// Hand-written handlers over rusqlite
    BaselineRusqlite(At),
    /// Hand-written handlers over typed diesel
    BaselineDiesel(At),
    /// Portcullis with the bench app
    Portcullis(At),
}

#[derive(clap::Args)]
struct At {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[arg(long)]
    data: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Drive(options) => drive::drive(&options),
        Command::Ratio(options) => ratio::check(&options),
        Command::Prepare { data, rows } => data::prepare(&data, rows),
        Command::Fill { data, rows } => data::fill(&data, rows),
        Command::BaselineRusqlite(at) => baseline::serve(at.listen, baseline::Rusqlite::open(&at.data)?),
        Command::BaselineDiesel(at) => baseline::serve(at.listen, baseline::Diesel::open(&at.data)?),
        Command::Portcullis(at) => served::serve(at.listen, &at.data),
    }
}
