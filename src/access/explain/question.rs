//! What can be explained, as one line of text that can be kept and read back.

use crate::access::Part;
use crate::access::denied::{Denied, Reason};
use crate::domain::{Name, ObjectId, QName};
use crate::model::Deny;
use std::fmt;

/// Between what is wanted and the microflow that wants it.
const WITHIN: &str = " in ";

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Being shown it.
    Read,
    /// Changing it.
    Write,
    /// Making it.
    Create,
    /// Deleting it.
    Delete,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Create, Self::Delete];

    /// The word for it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }
}

/// An operation on an entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Which.
    pub op: Op,
    /// The entity.
    pub entity: QName,
    /// One object of it.
    pub object: Option<ObjectId>,
    /// One member of it.
    pub member: Option<Name>,
}

/// A question that has an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// May the page be opened?
    Open(QName),
    /// May the microflow be run from a page?
    Run(QName),
    /// May the microflow be called by another one, by an event, or as a job?
    Call(QName),
    /// May the part of the administration be used?
    Administer(Part),
    /// May that be done to objects?
    Data(Wanted),
    /// May a microflow do that, for whoever runs it?
    Within(QName, Wanted),
}

impl Question {
    /// The same, wanted by a microflow.
    pub fn within(wanted: Wanted, flow: Option<&QName>) -> Self {
        match flow {
            Some(flow) => Self::Within(flow.clone(), wanted),
            None => Self::Data(wanted),
        }
    }

    /// What somebody wanted who was refused, as far as the refusal tells.
    pub fn of(denied: &Denied) -> Option<Self> {
        let data = |op, entity: &QName, member: Option<&Name>| {
            Some(Self::Data(Wanted { op, entity: entity.clone(), object: None, member: member.cloned() }))
        };
        if let Some(about) = &denied.about {
            return Some((**about).clone());
        }
        match &denied.reason {
            Reason::NoRule { wanted, .. } => Self::parse(wanted),
            Reason::Member(entity, member) => data(Op::Write, entity, Some(member)),
            Reason::NewRow(entity, _) => data(Op::Write, entity, None),
            Reason::RowCondition { entity, .. } => data(Op::Read, entity, None),
            Reason::Guardrail { act, .. } => Some(act.into()),
            Reason::Other(..) => None,
        }
    }

    /// Reads back what [`fmt::Display`] wrote; the words of permits are known too.
    pub fn parse(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ')?;
        if let Some((rest, flow)) = rest.split_once(WITHIN) {
            let Some(Self::Data(wanted)) = Self::parse(&format!("{verb} {rest}")) else { return None };
            return QName::parse(flow).map(|flow| Self::Within(flow, wanted));
        }
        let op = match verb {
            "open" => return QName::parse(rest).map(Self::Open),
            "run" => return QName::parse(rest).map(Self::Run),
            "call" => return QName::parse(rest).map(Self::Call),
            "administer" => return Part::ALL.into_iter().find(|part| part.id() == rest).map(Self::Administer),
            "read" | "view" | "load" => Op::Read,
            "write" | "change" => Op::Write,
            "create" => Op::Create,
            "delete" => Op::Delete,
            _ => return None,
        };
        let (module, rest) = rest.split_once('.')?;
        let (rest, member) = match rest.split_once('.') {
            Some((_, member)) if member.contains(['.', '#']) => return None,
            Some((rest, member)) => (rest, Some(Name::new(member)).filter(|name| name.as_str() != "*")),
            None => (rest, None),
        };
        let (name, object) = match rest.split_once('#') {
            Some((name, key)) => (name, Some(ObjectId(key.parse().ok()?))),
            None => (rest, None),
        };
        let entity = QName::parse(&format!("{module}.{name}"))?;
        Some(Self::Data(Wanted { op, entity, object, member }))
    }
}

impl From<&Deny> for Question {
    fn from(deny: &Deny) -> Self {
        let data = |op, entity: &QName, member: Option<&Name>| {
            Self::Data(Wanted { op, entity: entity.clone(), object: None, member: member.cloned() })
        };
        match deny {
            Deny::Open(page) => Self::Open(page.clone()),
            Deny::Run(flow) => Self::Run(flow.clone()),
            Deny::Create(entity) => data(Op::Create, entity, None),
            Deny::Delete(entity) => data(Op::Delete, entity, None),
            Deny::Read(member) => data(Op::Read, &member.entity, Some(&member.name)),
            Deny::Write(member) => data(Op::Write, &member.entity, Some(&member.name)),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op.id(), self.entity)?;
        if let Some(object) = self.object {
            write!(f, "#{}", object.0)?;
        }
        self.member.as_ref().map_or(Ok(()), |member| write!(f, ".{member}"))
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(page) => write!(f, "open {page}"),
            Self::Run(flow) => write!(f, "run {flow}"),
            Self::Call(flow) => write!(f, "call {flow}"),
            Self::Administer(part) => write!(f, "administer {}", part.id()),
            Self::Data(wanted) => wanted.fmt(f),
            Self::Within(flow, wanted) => write!(f, "{wanted}{WITHIN}{flow}"),
        }
    }
}
