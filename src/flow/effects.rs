//! What a run wants done outside the data.

use super::FlowError;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::{LogLevel, Place};
use std::collections::{BTreeMap, BTreeSet};

const MOST_MAILS: usize = 200;
const MOST_LINES: usize = 1_000;

/// Collected while flows run; nothing of it has happened yet.
///
/// Mails, publications and registrations are carried out after the commit, elevated runs are
/// recorded inside the transaction; log lines stand even when the run failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Mails to send.
    pub mails: Vec<Outgoing>,
    /// Snapshots to publish.
    pub published: Vec<Published>,
    /// Links to mail to visitors who register.
    pub registrations: Vec<RegistrationRequest>,
    /// Lines for the log.
    pub log: Vec<LogLine>,
    /// Runs with more than the caller's own rights.
    pub elevated: Vec<ElevatedRun>,
    /// Where the run failed, innermost flow first.
    pub failed_at: Vec<(QName, Place)>,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// One address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// A snapshot's new list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Which snapshot.
    pub snapshot: QName,
    /// Its objects: attribute → value.
    pub objects: Vec<BTreeMap<Name, Value>>,
}

/// A visitor's wish for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRequest {
    /// The address the link is mailed to.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// The object that travels with the link.
    pub data: ObjectId,
}

/// A line of the log, safe to write as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The log node.
    pub node: String,
    /// How important.
    pub level: LogLevel,
    /// What.
    pub text: String,
}

/// A run with declared extra rights, and which of them it used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElevatedRun {
    /// The flow.
    pub flow: QName,
    /// What it did with them, as in `change hr.Employee`.
    pub used: BTreeSet<String>,
}

impl Effects {
    pub(super) fn mail(&mut self, mail: Outgoing) -> Result<(), FlowError> {
        if self.mails.len() >= MOST_MAILS {
            return Err(FlowError::Exhausted("it sends more than 200 mails"));
        }
        self.mails.push(mail);
        Ok(())
    }

    /// Keeps a line; the last one that fits says that more were left out.
    pub(super) fn line(&mut self, node: &str, level: LogLevel, text: String) {
        let text = match self.log.len() {
            MOST_LINES.. => return,
            length if length + 1 == MOST_LINES => "further lines of this run are left out".into(),
            _ => text,
        };
        self.log.push(LogLine { node: node.to_owned(), level, text });
    }

    /// Drops all that depends on the data having been written.
    pub fn rolled_back(&mut self) {
        self.mails.clear();
        self.published.clear();
        self.registrations.clear();
    }
}
