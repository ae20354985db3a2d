//! The log: looking at it, following it, and its levels.

use super::Administrator;
use crate::access::Part;
use crate::app::{App, Ask, Refusal, Shell};
use crate::audit::{Event, EventKind};
use crate::config::Level;
use crate::db::Conn;

impl Administrator<'_> {
    /// Records that the log is read: it may tell more than its reader's own rights.
    fn opens_log(&self, conn: &mut Conn, how: &str) -> Result<(), Refusal> {
        self.record(conn, Event::new(EventKind::LogOpened, how))
    }
}

impl App {
    /// Opens the log for somebody; `live` to follow it.
    pub fn open_log(&self, ask: &Ask, live: bool) -> (Shell, Result<(), Refusal>) {
        let how = if live { "the log was followed live" } else { "the log was opened" };
        self.witness(ask, Part::Log, |administrator, conn| administrator.opens_log(conn, how))
    }

    /// Gives a log node a level of its own, or (`None`) lets it follow the node above it. Acts at once,
    /// on other nodes within a second.
    pub fn change_level(&self, ask: &Ask, csrf: &str, node: &str, level: Option<Level>) -> (Shell, Result<(), Refusal>) {
        let known = self.logs.levels().into_iter().find(|known| known.node == node);
        let before = known.as_ref().filter(|known| known.own).map(|known| known.level);
        let (shell, result) = self.administer(ask, Part::Log, csrf, |administrator, conn| {
            self.logs.check_level(node, level).map_err(|error| Refusal::Said(crate::app::sentence(&error.to_string())))?;
            self.keep_level(conn, node, level)?;
            let object = if node.is_empty() { "all log nodes".to_owned() } else { format!("log node {node}") };
            let word = |level: Option<Level>| Some(level.map_or("as above", Level::id).to_owned());
            let event = Event::new(EventKind::LevelChanged, "a log level was changed").on(object);
            administrator.record(conn, event.detail("level", word(before), word(level)))
        });
        // What could not be recorded does not stand.
        if result.is_ok() && self.logs.set_level(node, level).is_err() {
            self.note(Level::Warning, "portcullis.log", "the level takes effect with the next look at the database", ask);
        }
        (shell, result)
    }
}
