//! In demo mode: the model's files are watched, and a changed model takes effect by itself.
//!
//! Guarantees: a model with an error leaves the last good one running; files are read when they have stopped changing, so
//! that a file an editor is still writing is not taken for the author's; and a folder that could not be read is looked
//! at again. It has a thread of its own, so that an author does not wait for a job or for the comparison of the layers.

use crate::app::Live;
use crate::audit::{Event, EventKind};
use crate::config::Level;
use crate::model::{self, Files, Findings, Severity};
use crate::web::Web;
use crate::workspace::Snapshots;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// What is known of the files without reading them: the newest change, how many there are, and their bytes, so that a
/// file that was removed or exchanged for an older one counts as a change too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamp {
    newest: Option<SystemTime>,
    files: u64,
    bytes: u64,
}

/// The watch over the model's files.
pub(super) struct Reload {
    web: Arc<Web>,
    /// The files that were dealt with last.
    done: Stamp,
    /// The files at the last look.
    seen: Stamp,
}

impl Reload {
    pub(super) fn new(web: Arc<Web>) -> Self {
        let now = Stamp::of(&web.app.settings.app);
        Self { web, done: now, seen: now }
    }

    /// Looks once, and follows a change that is complete.
    pub(super) fn turn(&mut self) {
        let folder = &self.web.app.settings.app;
        let now = Stamp::of(folder);
        let before = std::mem::replace(&mut self.seen, now);
        if now == self.done || now != before {
            return;
        }
        let Ok(files) = Files::read(folder) else { return };
        // What changed while it was read is looked at again.
        if Stamp::of(folder) != now {
            return;
        }
        self.done = now;
        let (model, findings) = model::load(&files);
        let app = &self.web.app;
        match model {
            Some(model) if model.fingerprint == app.live().model.fingerprint => app.reject(None),
            Some(model) => self.replace(model, findings),
            None => {
                let errors = findings.count(Severity::Error);
                self.log(&format!("the changed model has {errors} error(s); the last good one is still running"));
                app.reject(Some(findings));
            }
        }
    }

    fn replace(&self, model: model::Model, findings: Findings) {
        let app = &self.web.app;
        let model = Arc::new(model);
        let snapshots = Arc::new(Snapshots::new(model.clone()));
        let live = match Live::new(model.clone(), snapshots, findings) {
            Ok(live) => live,
            Err(error) => return self.log(&error.to_string()),
        };
        if let Err(error) = self.web.adopt(live) {
            return self.log(&error.to_string());
        }
        if let Err(refusal) = app.follow() {
            self.log(&refusal.to_string());
        }
        let event = Event::new(EventKind::ModelReloaded, "a changed model took effect").on(model.fingerprint.clone());
        if let Err(refusal) = app.record(&event) {
            self.log(&refusal.to_string());
        }
        self.log("the changed model is running");
    }

    fn log(&self, text: &str) {
        self.web.app.logs.write("portcullis.model", Level::Warning, text, None);
    }
}

impl Stamp {
    fn of(folder: &Path) -> Self {
        let mut stamp = Self::default();
        let mut todo = vec![folder.to_path_buf()];
        while let Some(at) = todo.pop() {
            for entry in std::fs::read_dir(at).into_iter().flatten().flatten() {
                let Ok(about) = entry.metadata() else { continue };
                if about.is_dir() {
                    todo.push(entry.path());
                }
                stamp.newest = stamp.newest.max(about.modified().ok());
                stamp.files = stamp.files.saturating_add(1);
                stamp.bytes = stamp.bytes.saturating_add(about.len());
            }
        }
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;
    use std::fs::{File, create_dir, remove_file, write};
    use std::time::{Duration, SystemTime};

    #[test]
    fn every_change_of_the_files_is_seen_without_reading_them() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("hr");
        create_dir(&inner).unwrap();
        let (one, two) = (folder.path().join("app.yaml"), inner.join("domain.yaml"));
        write(&one, "a: 1").unwrap();
        write(&two, "b: 2").unwrap();
        let mut before = Stamp::of(folder.path());
        assert_eq!(Stamp::of(folder.path()), before);
        let mut changed = |what: &str| {
            let now = Stamp::of(folder.path());
            assert_ne!(now, before, "{what}");
            before = now;
        };
        write(&two, "b: 2345").unwrap();
        changed("another length");
        let older = SystemTime::now() - Duration::from_secs(86_400);
        for file in [&one, &two] {
            File::options().write(true).open(file).unwrap().set_modified(older).unwrap();
        }
        for place in [inner.as_path(), folder.path()] {
            File::open(place).unwrap().set_modified(older).unwrap();
        }
        changed("an older file in its place");
        remove_file(&two).unwrap();
        changed("a file less");
    }
}
