//! `check` and `schema`: what an author asks before anything runs.

use super::say;
use crate::model::{self, Files, Severity, source};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// How to print.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Human,
    /// For tools.
    Json,
}

#[derive(Args)]
pub(super) struct Check {
    /// The app's folder
    #[arg(default_value = "apps/people")]
    dir: PathBuf,
    /// How to print the findings
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        let files = match Files::read(&self.dir) {
            Ok(files) => files,
            Err(error) => {
                say::aside(format_args!("{}: {error}", self.dir.display()));
                return ExitCode::FAILURE;
            }
        };
        let (_, findings) = model::load(&files);
        match self.format {
            Format::Human => say::text(findings.human()),
            Format::Json => match serde_json::to_string_pretty(&serde_json::json!({ "findings": findings.0 })) {
                Ok(text) => say::line(text),
                Err(error) => say::aside(error),
            },
        }
        ExitCode::from(u8::from(findings.count(Severity::Error) > 0))
    }
}

/// Which file the schema is for.
#[derive(Clone, Copy, ValueEnum)]
enum Part {
    App,
    Module,
    Domain,
    Page,
    Snippet,
    Microflow,
}

#[derive(Args)]
pub(super) struct Schema {
    /// Which kind of file; all of them in one object if left out
    #[arg(value_enum)]
    part: Option<Part>,
}

impl Schema {
    pub(super) fn run(self) -> ExitCode {
        let all = [Part::App, Part::Module, Part::Domain, Part::Page, Part::Snippet, Part::Microflow];
        let value = match self.part {
            Some(part) => schema(part),
            None => all
                .iter()
                .map(|part| (part.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default(), schema(*part)))
                .collect(),
        };
        match serde_json::to_string_pretty(&value) {
            Ok(text) => say::line(text),
            Err(error) => say::aside(error),
        }
        ExitCode::SUCCESS
    }
}

fn schema(part: Part) -> serde_json::Value {
    match part {
        Part::App => schemars::schema_for!(source::App),
        Part::Module => schemars::schema_for!(source::Module),
        Part::Domain => schemars::schema_for!(source::Domain),
        Part::Page => schemars::schema_for!(source::Page),
        Part::Snippet => schemars::schema_for!(source::Snippet),
        Part::Microflow => schemars::schema_for!(source::Microflow),
    }
    .to_value()
}
