//! The administration: who may use which part of it, and what each part does.
//!
//! Guarantees: the session, the roles and the right to the part are read in the very transaction of
//! the deed, so a role that was taken a moment ago gives nothing; every deed is recorded in that
//! transaction; every refusal is recorded. Whoever has no session causes no statement.
//! Deliberately not here: rights of their own. What a part shows or does is what the model's
//! `administration` and `mayAssign` say; there is no administrator who may do everything.

mod logs;
mod matrix;
mod reasons;
mod trail;
mod users;

pub use matrix::{MatrixPage, MatrixQuery};
pub use reasons::{Decided, Reasoned};
pub use trail::{ToldDetail, ToldRecord, TrailPage};
pub use users::{MailedLink, RoleChoice, UserLine, UserList, UserPage};

use super::{App, Ask, Asker, Duty, Live, Refusal, Shell};
use crate::access::{Denied, Ground, Layer, Part, Reason};
use crate::audit::Event;
use crate::db::Conn;
use crate::domain::Name;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an administrator is told when nobody can be given these roles together now.
const UNPREPARED: &str = "Nobody holds these roles together yet, and the database could not be prepared for them, so nothing \
    was changed. The reason stands in the log; the operator can mend it with `portcullis migrate --apply`.";

/// Somebody who may use a part of the administration, as proved in the transaction of what they do.
pub struct Administrator<'a> {
    app: &'a App,
    live: &'a Arc<Live>,
    asker: &'a Asker,
    ask: &'a Ask,
}

/// What is needed to do something: the part it belongs to, and the token of the form.
struct Door<'a> {
    part: Part,
    csrf: Option<&'a str>,
}

impl App {
    /// The parts of the administration with a page that a caller may use now.
    pub(super) fn parts_of(asker: &Asker) -> Vec<Part> {
        let open = |part: &Part| part.has_page() && asker.account().is_some() && asker.grants.administer(*part).is_ok();
        Part::ALL.into_iter().filter(open).collect()
    }

    /// Shows something of a part of the administration.
    pub fn look<T>(
        &self,
        ask: &Ask,
        part: Part,
        act: impl Fn(&Administrator<'_>, &mut Conn) -> Result<T, Refusal>,
    ) -> (Shell, Result<T, Refusal>) {
        let door = Door { part, csrf: None };
        self.enter(ask, door, act, |db, work| db.read(work))
    }

    /// Does something in a part of the administration: all of it, with its record, or nothing. Where it gives
    /// somebody rights that the database was not told of, it is told first, and all is done once more.
    pub fn administer<T>(
        &self,
        ask: &Ask,
        part: Part,
        csrf: &str,
        act: impl Fn(&Administrator<'_>, &mut Conn) -> Result<T, Refusal>,
    ) -> (Shell, Result<T, Refusal>) {
        let enter = || self.enter(ask, Door { part, csrf: Some(csrf) }, &act, |db, work| db.write(work));
        let (shell, done) = enter();
        match done {
            Err(Refusal::Unprepared(grants)) => {
                let live = self.live();
                // Grants of a model that was replaced meanwhile are nobody's any more.
                let current = live.model.fingerprint == grants.model().fingerprint;
                match if current { self.prepare(&live, &grants) } else { Ok(()) } {
                    Ok(()) => enter(),
                    // Why stands in the log.
                    Err(_) => (shell, Err(Refusal::Said(UNPREPARED.to_owned()))),
                }
            }
            done => (shell, done),
        }
    }

    /// Looks at something on the word of a form, because looking is costly; changes nothing.
    fn check<T>(
        &self,
        ask: &Ask,
        part: Part,
        csrf: &str,
        act: impl Fn(&Administrator<'_>, &mut Conn) -> Result<T, Refusal>,
    ) -> (Shell, Result<T, Refusal>) {
        let door = Door { part, csrf: Some(csrf) };
        self.enter(ask, door, act, |db, work| db.read(work))
    }

    /// Looks, and leaves a record of having looked: writes, although nothing is changed and no form was sent.
    fn witness<T>(
        &self,
        ask: &Ask,
        part: Part,
        act: impl Fn(&Administrator<'_>, &mut Conn) -> Result<T, Refusal>,
    ) -> (Shell, Result<T, Refusal>) {
        let door = Door { part, csrf: None };
        self.enter(ask, door, act, |db, work| db.write(work))
    }

    /// The first part that the caller may use.
    pub fn first_part(&self, ask: &Ask) -> (Shell, Result<Part, Refusal>) {
        let live = self.live();
        let (asker, found) = match self.asker(&live, ask) {
            Ok(asker) => {
                let first = Self::parts_of(&asker).first().copied();
                let signed_in = asker.account().is_some();
                let closed = || {
                    if signed_in {
                        closed(Ground::NoAdministration, "no part of the administration is open")
                    } else {
                        Refusal::sign_in_first()
                    }
                };
                (asker, first.ok_or_else(closed))
            }
            Err(refusal) => (Asker::visitor(self, &live, ask), Err(refusal)),
        };
        if let Err(refusal) = &found {
            self.record_refusal(ask, &asker, refusal);
        }
        (Shell::of(&live, &asker, &ask.language, None), found)
    }

    /// Whether somebody who was let into a part would still be let in. Asks without a trace: it neither counts as
    /// use of the session nor is a refusal recorded.
    // SECURITY: an open stream does not keep a session alive; whatever cannot be decided ends it
    // (`the_live_log_delivers_a_line_and_ends_after_sign_out`).
    pub fn may_still(&self, ask: &Ask, part: Part) -> bool {
        // A node that must not go on shows nothing more, however long its streams have been open.
        if matches!(self.duty(), Duty::Relieved(..)) {
            return false;
        }
        let live = self.live();
        let proved = self.db.read(|conn| self.prove(conn, &live, ask));
        proved.is_ok_and(|asker| asker.is_some_and(|asker| asker.grants.administer(part).is_ok()))
    }

    fn enter<T>(
        &self,
        ask: &Ask,
        door: Door<'_>,
        act: impl Fn(&Administrator<'_>, &mut Conn) -> Result<T, Refusal>,
        run: impl FnOnce(&crate::db::Db, Work<'_, T>) -> Result<T, Refusal>,
    ) -> (Shell, Result<T, Refusal>) {
        let live = self.live();
        let mut proved = None;
        let result = match ask.session {
            // Whoever has no session touches no database, not even to be refused.
            None => Err(Refusal::sign_in_first()),
            Some(_) => {
                let work = |conn: &mut Conn| {
                    // Each run proves the caller again.
                    proved = None;
                    let asker = self.prove(conn, &live, ask)?.ok_or_else(Refusal::sign_in_first)?;
                    let asker: &Asker = proved.insert(asker);
                    asker.grants.administer(door.part)?;
                    if let Some(token) = door.csrf {
                        asker.check_csrf(token)?;
                    }
                    act(&Administrator { app: self, live: &live, asker, ask }, conn)
                };
                run(&self.db, Box::new(work))
            }
        };
        let asker = match proved {
            Some(asker) => {
                self.keep_alive(ask);
                asker
            }
            None => Asker::visitor(self, &live, ask),
        };
        // What only waits for the database to be told is asked once more, and then recorded.
        if let Some(refusal) = result.as_ref().err().filter(|refusal| refusal.unprepared().is_none()) {
            self.record_refusal(ask, &asker, refusal);
        }
        (Shell::of(&live, &asker, &ask.language, None), result)
    }
}

/// What happens within the transaction, as often as it is run.
type Work<'w, T> = Box<dyn FnMut(&mut Conn) -> Result<T, Refusal> + 'w>;

impl Administrator<'_> {
    /// The user roles that may be given to others.
    fn assignable(&self) -> BTreeSet<Name> {
        self.asker.grants.assignable()
    }

    /// Appends an event of the administrator's to the trail, in the transaction of the deed and last in it.
    fn record(&self, conn: &mut Conn, event: Event) -> Result<(), Refusal> {
        let event = self.app.told_by(event, self.asker, self.ask);
        let app = self.app;
        crate::audit::record(conn, &app.keys, &app.settings.node, &app.clock, &event).map_err(super::act::fault)
    }
}

/// A door that stays shut, with the reason for the trail.
fn closed(ground: Ground, why: &str) -> Refusal {
    Refusal::Denied(Denied::new(Layer::ActionAccess, Reason::Other(ground, why.to_owned())))
}

impl From<crate::identity::AccountError> for Refusal {
    fn from(error: crate::identity::AccountError) -> Self {
        use crate::identity::AccountError;
        match error {
            AccountError::Unknown => Self::Gone,
            AccountError::Stale => Self::Stale,
            AccountError::Db(error) => error.into(),
            told => Self::Said(super::sentence(&told.to_string())),
        }
    }
}
