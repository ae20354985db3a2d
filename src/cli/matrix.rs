//! `matrix`: who may do what, as the server would decide it.

use super::say;
use crate::access::matrix::Matrix;
use crate::domain::did_you_mean;
use crate::model::{self, Files};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// How to print.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a terminal.
    Table,
    /// For a spreadsheet, and to be kept under review.
    Csv,
    /// For tools.
    Json,
}

#[derive(Args)]
pub(super) struct Rights {
    /// The app's folder
    #[arg(default_value = "apps/people")]
    dir: PathBuf,
    /// How to print the matrix
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Only this user role
    #[arg(long)]
    role: Option<String>,
}

impl Rights {
    pub(super) fn run(self) -> ExitCode {
        match self.text() {
            Ok(text) => super::out(&text),
            Err(why) => {
                say::aside(format_args!("{}", why.trim_end()));
                ExitCode::FAILURE
            }
        }
    }

    fn text(&self) -> Result<String, String> {
        let files = Files::read(&self.dir).map_err(|error| format!("{}: {error}", self.dir.display()))?;
        let (model, findings) = model::load(&files);
        let model = model.ok_or_else(|| findings.human())?;
        let mut matrix = Matrix::of(&Arc::new(model));
        if let Some(role) = &self.role {
            matrix = matrix.of_role(role).ok_or_else(|| {
                let near = did_you_mean(role, matrix.roles.iter().map(String::as_str));
                let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                format!("{} has no user role {role}{hint}", self.dir.display())
            })?;
        }
        match self.format {
            Format::Table => Ok(matrix.table()),
            Format::Csv => Ok(matrix.csv()),
            Format::Json => serde_json::to_string_pretty(&matrix).map_err(|error| error.to_string()),
        }
    }
}
