//! What a form that was sent does: one transaction, all or nothing.

use super::visit::{Again, Carried, Next, Refilled};
use super::{App, Ask, Asker, Live, Refusal, Shell};
use crate::access::Feedback;
use crate::audit::{self, Event, EventKind};
use crate::config::Level;
use crate::db::Conn;
use crate::domain::QName;
use crate::flow::Effects;
use crate::model::{LogLevel, Tone};
use crate::page::{ClientQuery, Posted, View};
use crate::store::{Caller, Store};
use std::sync::Arc;

/// What somebody reads whose button came too late.
const CHANGED_MEANWHILE: &str = "Somebody changed this since you opened it. Nothing was saved. This is the current data.";
/// What somebody reads whose form was given up for others.
const BUSY: &str = "Other people are changing the same data at this moment. Nothing was changed. Please try again.";

/// A form as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// All fields but the token and the way back.
    pub pairs: Vec<(String, String)>,
    /// The form's token.
    pub csrf: String,
}

/// What became of it.
pub enum Done {
    /// Done; go on to this page (or back, or stay).
    Gone {
        /// The page to go to; `None` goes back where the page was opened from.
        to: Option<String>,
        /// Stay on the same page.
        stay: bool,
        /// What to say there.
        messages: Vec<(Tone, String)>,
    },
    /// Not done: the same page, with what was typed and what is wrong.
    Again(Box<View>),
    /// Not done, because somebody changed what the page showed: the page as it is now, with what was typed.
    Stale(Box<View>),
    /// Not done, because others were at the same data again and again: the same page, with what was typed.
    Busy(Box<View>),
    /// Not done: a question first.
    Confirm {
        /// The question.
        question: String,
        /// The button's caption.
        caption: String,
        /// Whether it destroys something.
        danger: bool,
    },
}

impl App {
    /// Carries out a form of a page.
    pub fn act(&self, ask: &Ask, page: &QName, query: &ClientQuery, sent: &Sent) -> (Shell, Result<Done, Refusal>) {
        let live = self.live();
        let mut known = None;
        let carried = match ask.session {
            Some(_) => self.twice(&live, Again::unprepared, || self.act_signed_in(&live, ask, page, query, sent, &mut known)),
            None => Ok(None),
        };
        let (asker, carried) = match (known, carried) {
            (Some(asker), Ok(Some(carried))) => (asker, Ok(carried)),
            (Some(asker), Err(again)) => (asker, Err(again)),
            (None, Err(again)) => (Asker::visitor(self, &live, ask), Err(again)),
            (_, Ok(None) | Ok(Some(_))) => {
                let asker = Asker::visitor(self, &live, ask);
                let carried = match asker.check_csrf(&sent.csrf) {
                    Ok(()) => self.visitor(&live, &asker, ask).act(page, query, &sent.pairs),
                    Err(refusal) => Err(Again::Refused(refusal)),
                };
                (asker, carried)
            }
        };
        let result = self.told(&live, &asker, ask, page, query, &sent.pairs, carried);
        if let Err(refusal) = &result {
            self.record_refusal(ask, &asker, refusal);
        }
        (Shell::of(&live, &asker, &ask.language, Some(page)), result)
    }

    /// `Ok(None)`: the session is over, so a visitor asks.
    fn act_signed_in(
        &self,
        live: &Arc<Live>,
        ask: &Ask,
        page: &QName,
        query: &ClientQuery,
        sent: &Sent,
        known: &mut Option<Asker>,
    ) -> Result<Option<Carried>, Again> {
        self.db.write(|conn| {
            // Each run proves the caller again.
            *known = None;
            let Some(asker) = self.prove_prepared(conn, live, ask)? else { return Ok(None) };
            let asker = known.insert(asker);
            asker.check_csrf(&sent.csrf)?;
            let carried = self.act_stored(conn, live, asker, ask, page, query, sent)?;
            Ok(Some(carried))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn act_stored(
        &self,
        conn: &mut Conn,
        live: &Live,
        asker: &Asker,
        ask: &Ask,
        page: &QName,
        query: &ClientQuery,
        sent: &Sent,
    ) -> Result<Carried, Again> {
        let recorder = self.recorder(asker, ask);
        let caller = Caller { user: asker.account(), now: self.clock.now() };
        let mut objects = Store::new(conn, &live.statements, caller, &recorder);
        let carried = self.visit(live, asker, ask).act(&mut objects, page, query, &sent.pairs)?;
        self.enqueue(objects.conn(), &carried.effects)?;
        self.keep_snapshots(objects.conn(), live, &carried.effects)?;
        objects.finish()?;
        for event in elevated(&carried.effects) {
            let event = self.told_by(event, asker, ask);
            audit::record(conn, &self.keys, &self.settings.node, &self.clock, &event).map_err(fault)?;
        }
        Ok(carried)
    }

    /// After the commit (or the roll-back): effects outside the data, and the answer.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn told(
        &self,
        live: &Arc<Live>,
        asker: &Asker,
        ask: &Ask,
        page: &QName,
        query: &ClientQuery,
        pairs: &[(String, String)],
        carried: Result<Carried, Again>,
    ) -> Result<Done, Refusal> {
        match carried {
            Ok(carried) => {
                self.write_log(&carried.effects, Some(&ask.request_id));
                self.show_snapshots(live, &carried.effects, Some(&ask.request_id));
                let (to, stay) = match carried.next {
                    Next::Page(url) => (Some(url), false),
                    Next::Back => (None, false),
                    Next::Stay => (None, true),
                };
                Ok(Done::Gone { to, stay, messages: carried.messages })
            }
            Err(Again::Form(posted, effects)) => {
                self.write_log(&effects, Some(&ask.request_id));
                let again = Refilled { posted: *posted, pairs: pairs.to_vec() };
                self.shown_again(live, asker, ask, page, query, &again).map(Done::Again)
            }
            Err(Again::Unoffered(posted, denied)) => {
                self.record_refused_offer(ask, asker, &denied);
                let again = Refilled { posted: *posted, pairs: pairs.to_vec() };
                // What cannot be shown any more is answered as it would be asked for.
                self.shown_again(live, asker, ask, page, query, &again).map(Done::Again)
            }
            Err(Again::Stale(posted)) => self.shown_afresh(live, asker, ask, page, query, *posted, pairs),
            Err(Again::Confirm { question, caption, danger }) => Ok(Done::Confirm { question, caption, danger }),
            // The form's token was right: who asks was proved in the run that was given up.
            Err(Again::Refused(refusal @ Refusal::Busy(_))) if asker.account().is_some() => {
                self.note(Level::Warning, "portcullis.refusal", &format!("{} {refusal}", ask.target), ask);
                let message = live.model.translate(&ask.language, BUSY).to_owned();
                let posted = self.visit(live, asker, ask).given_up(pairs, message);
                self.shown_again(live, asker, ask, page, query, &Refilled { posted, pairs: pairs.to_vec() }).map(Done::Busy)
            }
            Err(Again::Refused(refusal)) => Err(refusal),
        }
    }

    fn shown_again(
        &self,
        live: &Arc<Live>,
        asker: &Asker,
        ask: &Ask,
        page: &QName,
        query: &ClientQuery,
        again: &Refilled,
    ) -> Result<Box<View>, Refusal> {
        let (_, view) = match asker.account() {
            Some(_) => self.show(ask, page, query, Some(again)),
            None => {
                (Shell::of(live, asker, &ask.language, Some(page)), self.visitor(live, asker, ask).show(page, query, Some(again)))
            }
        };
        view.map(Box::new)
    }

    /// The page as it is now, because somebody changed what it showed.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn shown_afresh(
        &self,
        live: &Arc<Live>,
        asker: &Asker,
        ask: &Ask,
        page: &QName,
        query: &ClientQuery,
        mut posted: Posted,
        pairs: &[(String, String)],
    ) -> Result<Done, Refusal> {
        let said = live.model.translate(&ask.language, CHANGED_MEANWHILE).to_owned();
        posted.feedback.push(Feedback { object: None, member: None, message: said });
        let again = Refilled { posted, pairs: pairs.to_vec() };
        match self.shown_again(live, asker, ask, page, query, &again) {
            // What the page was about is not there any more, or not for this person: nobody looked for it.
            Err(Refusal::Gone | Refusal::Denied(_)) => Err(Refusal::Stale),
            other => other.map(Done::Stale),
        }
    }

    /// The lines that flows wrote.
    pub(super) fn write_log(&self, effects: &Effects, request_id: Option<&str>) {
        for line in &effects.log {
            let level = match line.level {
                LogLevel::Trace => Level::Trace,
                LogLevel::Debug => Level::Debug,
                LogLevel::Info => Level::Info,
                LogLevel::Warning => Level::Warning,
                LogLevel::Error => Level::Error,
                LogLevel::Critical => Level::Critical,
            };
            self.logs.write(&line.node, level, &line.text, request_id);
        }
        for (flow, place) in &effects.failed_at {
            self.logs.write("portcullis.flow", Level::Info, &format!("{flow} ended at {place}"), request_id);
        }
    }
}

/// Runs with extra rights, and publications, for the trail.
pub(super) fn elevated(effects: &Effects) -> impl Iterator<Item = Event> {
    let runs = effects.elevated.iter().map(|run| {
        let used: Vec<&str> = run.used.iter().map(String::as_str).collect();
        let event = Event::new(EventKind::ElevatedRun, "a microflow ran with declared extra rights").on(run.flow.to_string());
        event.detail("used", None, Some(used.join(", ")))
    });
    let published = effects.published.iter().map(|published| {
        let event =
            Event::new(EventKind::SnapshotPublished, "a public snapshot was published").on(published.snapshot.to_string());
        event.detail("objects", None, Some(published.objects.len().to_string()))
    });
    runs.chain(published)
}

pub(super) fn fault(audit::AuditError::Db(error): audit::AuditError) -> Refusal {
    error.into()
}
