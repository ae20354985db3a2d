//! The log: its last lines, and the levels of its nodes.

use super::super::reply::Reply;
use super::super::request::Request;
use super::super::state::Web;
use super::{Place, path, typed};
use crate::access::Part;
use crate::config::Level;
use crate::log::{Entry, Filter, NodeLevel};
use crate::model::Tone;
use serde_json::{Value, json};

const PLACE: Place = Place { part: Part::Log, template: "admin/log.html" };
/// Lines that the page begins with.
const LINES: usize = 200;

impl Web {
    /// `GET /admin/log`
    pub(super) fn log_page(&self, request: &Request) -> Reply {
        let (shell, open) = self.app.open_log(&request.ask, false);
        if let Err(refusal) = open {
            return self.refused(request, &shell, &refusal);
        }
        let filter = filter(request);
        let logs = &self.app.logs;
        let known = logs.levels();
        let recent = logs.recent(&filter);
        let last = recent.last().map_or(0, |entry| entry.number);
        let first = recent.len().saturating_sub(LINES);
        let nodes: Vec<Value> = known.iter().map(|node| self::node(&known, node)).collect();
        let values = json!({
            "nodes": nodes, "levels": Level::ALL.map(Level::id), "level": filter.level.map(Level::id), "node": filter.node,
            "recent": recent.iter().skip(first).map(|entry| line(entry)).collect::<Vec<_>>(), "last": last.to_string(),
        });
        self.part(request, &shell, 200, &PLACE, values)
    }

    /// `GET /admin/log/level`: a page that was loaded again.
    pub(super) fn to_log(&self, _: &Request) -> Reply {
        Reply::redirect(path(Part::Log))
    }

    /// `POST /admin/log/level`
    pub(super) fn set_level(&self, request: &Request) -> Reply {
        let (node, word) = (request.field("node"), request.field("level"));
        let level = Level::parse(word);
        let (shell, done) = match (level, word) {
            (None, word) if !word.is_empty() => {
                let (shell, open) = self.app.look(&request.ask, Part::Log, |_, _| Ok(()));
                (shell, open.and(Err(crate::app::Refusal::Said("There is no such level.".into()))))
            }
            _ => self.app.change_level(&request.ask, request.field("_csrf"), node, level),
        };
        match done {
            Ok(()) => {
                let name = if node.is_empty() { "all nodes without a level of their own" } else { node };
                let text = match level {
                    Some(level) => format!("The level of {name} is now {level}."),
                    None => format!("{name} follows the node above it again."),
                };
                self.done(request, &shell, path(Part::Log), Tone::Success, &text)
            }
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }
}

/// A node for the list of levels, with the level that it would follow.
fn node(known: &[NodeLevel], node: &NodeLevel) -> Value {
    let covers = |above: &NodeLevel| {
        let rest = node.node.strip_prefix(above.node.as_str());
        above.own && (above.node.is_empty() || rest.is_some_and(|rest| rest.starts_with('.')))
    };
    let above = known.iter().filter(|other| other.node != node.node && covers(other)).max_by_key(|other| other.node.len());
    json!({
        "name": node.node, "level": node.level.id(), "own": node.own, "root": node.node.is_empty(),
        "above": above.map(|above| above.level.id()),
    })
}

/// Which lines are wanted.
pub(super) fn filter(request: &Request) -> Filter {
    Filter { level: Level::parse(request.parameter("level")), node: typed(request, "node"), request_id: None }
}

/// A line, for the page and for the stream.
pub(super) fn line(entry: &Entry) -> Value {
    json!({
        "at": entry.time(), "time": entry.at.format("%H:%M:%S%.3f").to_string(), "level": entry.level.id(), "node": entry.node,
        "text": entry.told(), "request_id": entry.request_id,
    })
}
