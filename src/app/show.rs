//! Showing a page: the walk from the asker to the view, in one read transaction.

use super::visit::{Refilled, Visit};
use super::{App, Ask, Asker, Live, Refusal};
use crate::access::{ObjectError, Part};
use crate::crypto::FormSecret;
use crate::db::Conn;
use crate::domain::QName;
use crate::model::{Level, Severity};
use crate::page::{self, ClientQuery, MenuEntry, View};
use crate::store;
use crate::workspace::Closed;
use std::sync::Arc;

/// The signed-in person, for the frame of a page.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Who {
    /// Full name.
    pub name: String,
    /// First letters.
    pub initials: String,
    /// Address.
    pub email: String,
    /// User roles.
    pub roles: Vec<String>,
}

/// The frame of a page: what stands around it. Holds nothing but what the caller knows of themselves.
#[derive(Clone)]
pub struct Shell {
    /// The person; `None` for a visitor.
    pub user: Option<Who>,
    /// What every form carries.
    pub csrf: FormSecret,
    /// The menu.
    pub menu: Vec<MenuEntry>,
    /// The parts of the administration that are open to the person.
    pub parts: Vec<Part>,
    /// Whether reasons on every page are for the person.
    pub explains: bool,
    /// The title of the app.
    pub app_title: String,
    /// How many gaps a prototype has.
    pub gaps: Option<usize>,
    /// The visitor cookie to set.
    pub new_visitor: Option<String>,
    /// What flash messages are sealed to.
    pub binding: String,
    /// The start page.
    pub home: Option<QName>,
    /// The model, for texts.
    pub live: Arc<Live>,
}

impl Shell {
    /// The frame for a caller.
    pub fn of(live: &Arc<Live>, asker: &Asker, language: &str, page: Option<&QName>) -> Self {
        let model = &live.model;
        let (name, email) = asker.name_and_email();
        let roles = asker.grants.roles().iter().map(ToString::to_string).collect();
        let user =
            asker.account().map(|_| Who { name: name.to_owned(), initials: initials(name), email: email.to_owned(), roles });
        let gaps = live.findings.count(Severity::Gap);
        Self {
            user,
            csrf: asker.csrf.clone(),
            menu: page::menu(&asker.grants, language, page),
            parts: App::parts_of(asker),
            explains: asker.explains,
            app_title: model.title.clone(),
            gaps: (model.level == Level::Prototype).then_some(gaps),
            new_visitor: asker.new_visitor.clone(),
            binding: asker.binding.clone(),
            home: page::home(&asker.grants),
            live: live.clone(),
        }
    }
}

fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    let first = words.first().and_then(|word| word.chars().next());
    let last = words.last().filter(|_| words.len() > 1).and_then(|word| word.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

impl App {
    /// The page for whoever asks, with its frame; or the frame and why not.
    pub fn show(&self, ask: &Ask, page: &QName, query: &ClientQuery, again: Option<&Refilled>) -> (Shell, Result<View, Refusal>) {
        let live = self.live();
        let once = || match ask.session {
            None => Ok(None),
            Some(_) => self.twice(&live, Refusal::unprepared, || {
                self.db.read(|conn| {
                    let Some(asker) = self.prove_prepared(conn, &live, ask)? else { return Ok::<_, Refusal>(None) };
                    let view = self.show_stored(conn, &live, &asker, ask, page, query, again);
                    Ok(Some((asker, view)))
                })
            }),
        };
        // Two connections may look at the data a commit apart: only a difference that stays is one.
        let signed_in = match once() {
            Ok(Some((_, Err(Refusal::Disagreement(_))))) => once(),
            other => other,
        };
        let (asker, result) = match signed_in {
            Ok(Some((asker, view))) => {
                self.keep_alive(ask);
                (asker, view)
            }
            Ok(None) => {
                let asker = Asker::visitor(self, &live, ask);
                let view = self.visitor(&live, &asker, ask).show(page, query, again);
                (asker, view)
            }
            Err(refusal) => (Asker::visitor(self, &live, ask), Err(refusal)),
        };
        if let Err(refusal) = &result {
            self.record_refusal(ask, &asker, refusal);
        }
        (Shell::of(&live, &asker, &ask.language, Some(page)), result)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn show_stored(
        &self,
        conn: &mut Conn,
        live: &Live,
        asker: &Asker,
        ask: &Ask,
        page: &QName,
        query: &ClientQuery,
        again: Option<&Refilled>,
    ) -> Result<View, Refusal> {
        let recorder = self.recorder(asker, ask);
        let caller = store::Caller { user: asker.account(), now: self.clock.now() };
        let mut objects = store::Store::new(conn, &live.statements, caller, &recorder);
        if let Some(page) = live.model.pages.get(page).filter(|page| asker.grants.open(&page.name).is_ok()) {
            objects.foresee(&asker.grants, || page::shown_entities(&live.model, page))?;
        }
        let view = self.visit(live, asker, ask).show(&mut objects, page, query, again)?;
        objects.finish().map_err(|error: ObjectError| Refusal::from(error))?;
        Ok(view)
    }

    pub(super) fn visit<'a>(&'a self, live: &'a Live, asker: &'a Asker, ask: &'a Ask) -> Visit<'a> {
        let xray = ask.xray && asker.explains;
        Visit { live, asker, clock: &self.clock, keys: &self.keys, language: &ask.language, xray }
    }

    /// Notes that the session is in use, at most once a minute.
    pub(super) fn keep_alive(&self, ask: &Ask) {
        if let Some(token) = &ask.session
            && self.session_is_due(token)
        {
            // A failure here only means that the session is noted by the next request.
            let _ = self.identity.load_session(&self.db, token);
        }
    }
}

impl super::visitor::VisitorContext<'_> {
    pub(super) fn show(&self, page: &QName, query: &ClientQuery, again: Option<&Refilled>) -> Result<View, Refusal> {
        self.visit.show(&mut Closed, page, query, again)
    }
}
