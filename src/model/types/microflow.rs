//! Microflows and their activities.

use super::app::{Place, Tone};
use super::entity::AccessRule;
use super::page::{Open, Path};
use crate::domain::{ByName, Kind, Name, QName};
use crate::expr::{Aggregate, Template, Typed};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A microflow.
#[derive(Clone, Debug)]
pub struct Microflow {
    /// Name.
    pub name: QName,
    /// Documentation.
    pub doc: String,
    /// Module roles that may run it from a page.
    pub roles: BTreeSet<QName>,
    /// Parameters.
    pub parameters: ByName<Name, Kind>,
    /// Runs under the caller's own rights.
    pub apply_entity_access: bool,
    /// May be run with objects that somebody changed since they were shown.
    pub any_version: bool,
    /// Else: exactly these rights in addition. Entity → rules.
    pub elevation: ByName<QName, Vec<Arc<AccessRule>>>,
    /// What it gives.
    pub returns: Option<Kind>,
    /// Activities.
    pub body: Vec<Activity>,
    /// Where it is declared.
    pub place: Place,
}

/// An activity of a microflow.
#[derive(Clone, Debug)]
pub struct Activity {
    /// What it does.
    pub kind: ActivityKind,
    /// Where it is declared.
    pub place: Place,
}

/// What an activity does.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each activity and its keys are documented in docs/MODEL.md")]
pub enum ActivityKind {
    RetrieveAssociation {
        output: Name,
        from: Name,
        entity: QName,
        member: Name,
        many: bool,
    },
    Retrieve {
        output: Name,
        entity: QName,
        condition: Option<Typed>,
        sort: Vec<(Path, bool)>,
        first: bool,
        limit: Option<u32>,
        offset: u32,
    },
    Create {
        output: Name,
        entity: QName,
        set: Vec<(Name, Typed)>,
    },
    Change {
        object: Name,
        entity: QName,
        set: Vec<(Name, Typed)>,
    },
    Lock {
        object: Name,
        entity: QName,
    },
    Delete {
        object: Name,
        entity: QName,
    },
    Aggregate {
        output: Name,
        list: Name,
        entity: QName,
        function: ListFunction,
        of: Option<Name>,
    },
    Set {
        variable: Name,
        value: Typed,
    },
    Decide {
        condition: Typed,
        then: Vec<Activity>,
        otherwise: Vec<Activity>,
    },
    Loop {
        over: Name,
        element: Name,
        body: Vec<Activity>,
    },
    Call {
        microflow: QName,
        with: Vec<(Name, Typed)>,
        output: Option<Name>,
    },
    ShowPage(Open),
    ClosePage,
    Message {
        text: Template,
        tone: Tone,
    },
    Feedback {
        object: Name,
        member: Name,
        message: Template,
    },
    Log {
        node: String,
        level: LogLevel,
        text: Template,
    },
    SendMail {
        to: Typed,
        subject: Template,
        text: Template,
    },
    Publish {
        snapshot: QName,
        list: Name,
    },
    Register {
        email: Typed,
        name: Typed,
        data: Name,
    },
    End {
        value: Option<Typed>,
    },
    Raise {
        message: Template,
    },
}

/// The function of an aggregate activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFunction {
    /// As in expressions.
    Plain(Aggregate),
    /// The mean, 8 digits after the point, half to even; empty over nothing.
    Average,
}

/// Mendix's log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}
