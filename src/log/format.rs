//! How a line is printed.

use super::{Entry, Level};
use crate::config::LogFormat;
use crate::domain::DATETIME_FORMAT;
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// The version of the JSON format: it changes when a key changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// Where lines are printed.
pub(super) struct Output {
    format: LogFormat,
    colour: bool,
    writer: Option<Mutex<Box<dyn Write + Send>>>,
}

impl Output {
    pub(super) fn stderr(format: LogFormat) -> Self {
        let stderr = std::io::stderr();
        let colour = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { format, colour, writer: Some(Mutex::new(Box::new(stderr))) }
    }
    pub(super) fn to(format: LogFormat, writer: Box<dyn Write + Send>) -> Self {
        Self { format, colour: false, writer: Some(Mutex::new(writer)) }
    }
    pub(super) fn none() -> Self {
        Self { format: LogFormat::Pretty, colour: false, writer: None }
    }

    pub(super) fn print(&self, entry: &Entry) {
        let Some(writer) = &self.writer else { return };
        let mut line = match self.format {
            LogFormat::Pretty => entry.pretty(self.colour),
            LogFormat::Json => entry.json().to_string(),
        };
        line.push('\n');
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody could be told that the log cannot be written, and the server goes on without it.
        let _ = writer.write_all(line.as_bytes()).and_then(|()| writer.flush());
    }
}

impl Entry {
    /// The moment as it is written.
    pub fn time(&self) -> String {
        self.at.format(DATETIME_FORMAT).to_string()
    }

    /// The text, then `name=value` for each field.
    pub fn told(&self) -> String {
        let mut told = self.text.clone();
        for (name, value) in &self.fields {
            told.push_str(&match value {
                Value::String(text) if bare(text) => format!(" {name}={text}"),
                other => format!(" {name}={other}"),
            });
        }
        told
    }

    /// For a terminal: time, level, node, text, then `name=value`.
    pub fn pretty(&self, colour: bool) -> String {
        let (on, off) = if colour { (paint(self.level), "\x1b[0m") } else { ("", "") };
        let mut line = format!("{} {on}{:<8}{off} {} {}", self.time(), self.level.id().to_uppercase(), self.node, self.told());
        if let Some(id) = &self.request_id {
            line.push_str(&format!(" request={id}"));
        }
        line
    }

    /// For a collector: one object.
    pub fn json(&self) -> Value {
        let fields: Map<String, Value> = self.fields.iter().cloned().collect();
        json!({
            "schema": SCHEMA,
            "number": self.number,
            "at": self.time(),
            "level": self.level.id(),
            "node": self.node,
            "text": self.text,
            "request_id": self.request_id,
            "fields": fields,
        })
    }
}

fn bare(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', '"', '=', '\\'])
}

fn paint(level: Level) -> &'static str {
    match level {
        Level::Trace | Level::Debug => "\x1b[2m",
        Level::Info => "\x1b[32m",
        Level::Warning => "\x1b[33m",
        Level::Error => "\x1b[31m",
        Level::Critical => "\x1b[1;31m",
    }
}
