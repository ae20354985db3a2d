//! One's own account: password and sessions.

use super::reply::{Reply, SessionAct};
use super::request::Request;
use super::state::Web;
use crate::app::{Asker, Refusal, Shell, binding_of_session};
use crate::identity::password::Password;
use crate::identity::{Actor, Caller, ChangeError, SessionId, User};
use crate::model::Tone;
use chrono::NaiveDateTime;
use serde_json::json;

/// A moment for people.
pub(super) fn moment(at: NaiveDateTime) -> String {
    at.format("%-d %b %Y, %H:%M UTC").to_string()
}

impl Web {
    /// Runs `act` for a signed-in person; a visitor is asked to sign in.
    pub(super) fn signed_in(&self, request: &Request, act: impl FnOnce(&Asker, &Shell, &User) -> Reply) -> Reply {
        let live = self.app.live();
        match self.app.asker(&live, &request.ask) {
            Ok(asker) => {
                let shell = Shell::of(&live, &asker, &request.ask.language, None);
                match &asker.caller {
                    Caller::User(user) => act(&asker, &shell, user),
                    _ => self.refused(request, &shell, &Refusal::sign_in_first()),
                }
            }
            Err(refusal) => {
                let (_, _, shell) = self.as_visitor(request);
                self.refused(request, &shell, &refusal)
            }
        }
    }

    /// `GET /account`
    pub fn account_page(&self, request: &Request) -> Reply {
        self.signed_in(request, |_, shell, user| self.account(request, shell, user, 200, &[], None))
    }

    fn account(
        &self,
        request: &Request,
        shell: &Shell,
        user: &User,
        status: u16,
        errors: &[String],
        done: Option<&str>,
    ) -> Reply {
        let sessions = match self.app.db.read(|conn| self.app.identity.sessions_of(conn, user.id())) {
            Ok(sessions) => sessions,
            Err(error) => return self.refused(request, shell, &error.into()),
        };
        let sessions: Vec<_> = sessions
            .iter()
            .map(|one| {
                json!({
                    "id": one.id.as_str(), "started": moment(one.started), "last_seen": moment(one.last_seen),
                    "address": one.address, "agent": one.agent, "current": one.id == *user.session(),
                })
            })
            .collect();
        let roles: Vec<&str> = user.user_roles().iter().map(|role| role.as_str()).collect();
        let values = json!({"name": user.name(), "email": user.email(), "roles": roles, "sessions": sessions, "errors": errors, "done": done});
        self.system(request, shell, status, "system/account.html", "My account", &values)
    }

    /// `POST /account/password`
    pub fn change_password(&self, request: &Request) -> Reply {
        self.signed_in(request, |asker, shell, user| {
            if let Err(refusal) = asker.check_csrf(request.field("_csrf")) {
                return self.refused(request, shell, &refusal);
            }
            let [current, new, again] = ["current", "password", "password2"].map(|name| Password::new(request.field(name)));
            if !new.same_as(&again) {
                return self.account(request, shell, user, 422, &["The two passwords differ.".to_owned()], None);
            }
            let ask = &request.ask;
            let done = self.app.identity.change_password(&self.app.db, user, &current, &new, ask.address, Some(&ask.request_id));
            match done {
                Ok(()) => self.password_changed(request, shell, user),
                Err(ChangeError::Problems(problems)) => {
                    let errors: Vec<String> = problems.iter().map(|problem| crate::app::sentence(&problem.to_string())).collect();
                    self.account(request, shell, user, 422, &errors, None)
                }
                Err(ChangeError::WrongPassword) => {
                    self.account(request, shell, user, 422, &["The current password is not right.".to_owned()], None)
                }
                Err(ChangeError::Throttled { retry_after }) => self.refused(request, shell, &Refusal::TooFast(retry_after)),
                Err(ChangeError::Busy) => {
                    self.refused(request, shell, &Refusal::Unavailable("many passwords are being checked".into()))
                }
                Err(ChangeError::Broken) => self.refused(request, shell, &Refusal::Fault("a stored hash is broken".into())),
                Err(ChangeError::Db(error)) => self.refused(request, shell, &error.into()),
            }
        })
    }

    /// The session gets a new id, so that one somebody may have seen before is worth nothing (ASVS 7.2.4).
    fn password_changed(&self, request: &Request, shell: &Shell, user: &User) -> Reply {
        match self.app.db.write(|conn| self.app.identity.rotate_session(conn, user)) {
            Ok(Some(token)) => {
                let said = [(Tone::Success, "Your password is changed. Your other sessions have ended.".to_owned())];
                let reply = Reply::redirect("/account").session(SessionAct::Begin(token.expose().to_owned()));
                self.flash(&binding_of_session(token.expose()), &said, reply)
            }
            Ok(None) => Reply::redirect("/sign-in").session(SessionAct::End),
            Err(error) => self.refused(request, shell, &error.into()),
        }
    }

    /// `POST /account/sessions/end`
    pub fn end_own_session(&self, request: &Request) -> Reply {
        self.signed_in(request, |asker, shell, user| {
            if let Err(refusal) = asker.check_csrf(request.field("_csrf")) {
                return self.refused(request, shell, &refusal);
            }
            let id = SessionId::new(request.field("id"));
            let by = Actor::user(user, Some(&request.ask.request_id));
            let own = id == *user.session();
            match self.app.db.write(|conn| self.app.identity.end_session(conn, &by, user.id(), &id)) {
                Ok(_) if own => Reply::redirect("/sign-in").session(SessionAct::End),
                Ok(_) => Reply::redirect("/account"),
                Err(error) => self.refused(request, shell, &error.into()),
            }
        })
    }
}
