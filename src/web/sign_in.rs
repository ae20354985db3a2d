//! Signing in and out, forgotten passwords.

use super::refused::{percent, seconds};
use super::reply::{Reply, SessionAct};
use super::request::{Request, local};
use super::state::Web;
use crate::app::{Asker, Live, Refusal, Shell};
use crate::domain::Name;
use crate::identity::password::Password;
use crate::identity::{Attempt, Device, PasswordVerified, SignInError};
use crate::mail::Letter;
use crate::page;
use serde_json::{Value, json};
use std::sync::Arc;

impl Web {
    /// The caller as a visitor, whatever cookie came along.
    pub(super) fn as_visitor(&self, request: &Request) -> (Arc<Live>, Asker, Shell) {
        let live = self.app.live();
        let asker = Asker::visitor(&self.app, &live, &request.ask);
        let shell = Shell::of(&live, &asker, &request.ask.language, None);
        (live, asker, shell)
    }

    /// `GET /sign-in`
    pub fn sign_in_page(&self, request: &Request) -> Reply {
        let next = local(request.parameter("next")).unwrap_or_default().to_owned();
        self.sign_in_form(request, 200, &next, "", None, None)
    }

    fn sign_in_form(
        &self,
        request: &Request,
        status: u16,
        next: &str,
        email: &str,
        error: Option<&str>,
        wait: Option<u64>,
    ) -> Reply {
        let (live, _, shell) = self.as_visitor(request);
        let demo: Vec<Value> = self
            .app
            .demo
            .iter()
            .flat_map(|demo| demo.users.iter())
            .map(|one| {
                let roles: Vec<&str> = one.user.roles.iter().map(Name::as_str).collect();
                json!({"name": one.user.name, "email": one.user.email, "role": roles.join(", "), "key": one.user.key})
            })
            .collect();
        let register = live.model.registration_page().map(page::path);
        let wait = wait.map(|seconds| format!("{seconds} seconds"));
        let values = json!({
            "error": error, "retry_after": wait, "next": next, "email": email, "demo_users": demo, "registration_href": register,
        });
        self.system(request, &shell, status, "system/sign_in.html", "Sign in", &values)
    }

    /// `POST /sign-in`
    pub fn sign_in(&self, request: &Request) -> Reply {
        let (_, asker, shell) = self.as_visitor(request);
        if let Err(refusal) = asker.check_csrf(request.field("_csrf")) {
            return self.refused(request, &shell, &refusal);
        }
        let next = local(request.field("next")).unwrap_or("/").to_owned();
        let (email, password) = (request.field("email").to_owned(), Password::new(request.field("password")));
        let ask = &request.ask;
        let attempt = Attempt { email: &email, password: &password, address: ask.address, request_id: Some(&ask.request_id) };
        let again = |status, text: &str, wait: Option<u64>| {
            let mut reply = self.sign_in_form(request, status, &next, &email, Some(text), wait);
            reply.retry_after = wait;
            reply
        };
        match self.app.identity.sign_in(&self.app.db, attempt) {
            Ok(proof) => self.begin(request, &shell, proof, &next),
            Err(SignInError::WrongCredentials) => again(422, "E-mail or password is not right.", None),
            Err(SignInError::Throttled { retry_after }) => {
                again(429, "Too many tries for this account or from this network.", Some(seconds(retry_after)))
            }
            Err(SignInError::Busy) => again(503, "Many people are signing in right now. Please try again in a moment.", Some(2)),
            Err(SignInError::Broken) => self.refused(request, &shell, &Refusal::Fault("a stored hash is broken".into())),
            Err(SignInError::Db(error)) => self.refused(request, &shell, &error.into()),
        }
    }

    fn begin(&self, request: &Request, shell: &Shell, proof: PasswordVerified, next: &str) -> Reply {
        let device = Device { address: request.ask.address, agent: &request.ask.agent, replaces: request.ask.session.as_deref() };
        match self.app.identity.begin_session(&self.app.db, proof, device) {
            Ok(token) => Reply::redirect(next).session(SessionAct::Begin(token.expose().to_owned())),
            Err(SignInError::Db(error)) => self.refused(request, shell, &error.into()),
            Err(error) => self.refused(request, shell, &Refusal::Said(error.to_string())),
        }
    }

    /// `POST /sign-in/demo`: one click, in demo mode only.
    pub fn sign_in_demo(&self, request: &Request) -> Reply {
        let (_, asker, shell) = self.as_visitor(request);
        let Some(demo) = &self.app.demo else { return self.nowhere(request) };
        if let Err(refusal) = asker.check_csrf(request.field("_csrf")) {
            return self.refused(request, &shell, &refusal);
        }
        let next = local(request.field("next")).unwrap_or("/").to_owned();
        let id = Some(request.ask.request_id.as_str());
        let proof = self.app.db.write(|conn| self.app.identity.sign_in_demo(conn, &demo.users, request.field("key"), id));
        match proof {
            Ok(proof) => self.begin(request, &shell, proof, &next),
            Err(SignInError::Db(error)) => self.refused(request, &shell, &error.into()),
            Err(_) => self.refused(request, &shell, &Refusal::Said("There is no such demo user.".into())),
        }
    }

    /// `POST /sign-out`
    pub fn sign_out(&self, request: &Request) -> Reply {
        let live = self.app.live();
        let asker = match self.app.asker(&live, &request.ask) {
            Ok(asker) => asker,
            Err(refusal) => {
                let (_, _, shell) = self.as_visitor(request);
                return self.refused(request, &shell, &refusal);
            }
        };
        let shell = Shell::of(&live, &asker, &request.ask.language, None);
        let crate::identity::Caller::User(user) = &asker.caller else { return Reply::redirect("/").session(SessionAct::End) };
        if let Err(refusal) = asker.check_csrf(request.field("_csrf")) {
            return self.refused(request, &shell, &refusal);
        }
        match self.app.db.write(|conn| self.app.identity.sign_out(conn, user, Some(&request.ask.request_id))) {
            Ok(_) => Reply::redirect("/sign-in").session(SessionAct::End),
            Err(error) => self.refused(request, &shell, &error.into()),
        }
    }

    /// `GET /forgot`
    pub fn forgot_page(&self, request: &Request) -> Reply {
        let (_, _, shell) = self.as_visitor(request);
        let values = json!({"email": "", "sent": false, "error": null});
        self.system(request, &shell, 200, "system/forgot.html", "Forgotten password", &values)
    }

    /// `POST /forgot`: the same answer whether or not the address is known.
    pub fn forgot(&self, request: &Request) -> Reply {
        let (_, asker, shell) = self.as_visitor(request);
        if let Err(refusal) = asker.check_csrf(request.field("_csrf")) {
            return self.refused(request, &shell, &refusal);
        }
        let email = request.field("email");
        let form = |status, sent: bool, error: Option<&str>| {
            let values = json!({"email": email, "sent": sent, "error": error});
            self.system(request, &shell, status, "system/forgot.html", "Forgotten password", &values)
        };
        if !crate::mail::is_address(email) {
            return form(422, false, Some("This is not an e-mail address."));
        }
        match self.app.forgot(&request.ask, email) {
            Ok(()) => form(200, true, None),
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    /// Mails one of the product's own letters; says whether it left. A failure stands in the log.
    pub(super) fn send_letter(&self, letter: Letter, email: &str, name: &str, purpose: &str, token: &str) -> bool {
        let app = &self.app;
        let link = format!("{}/link/{purpose}/{}", app.settings.base_url, percent(token));
        let title = app.live().model.title.clone();
        let sent = letter
            .write(&title, email, name, &link, "it is used, for a limited time")
            .and_then(|mail| app.mailer.send(&mail, app.clock.now()));
        if let Err(error) = &sent {
            app.logs.write(
                "portcullis.mail",
                crate::config::Level::Error,
                &format!("a {purpose} letter was not sent: {error}"),
                None,
            );
        }
        sent.is_ok()
    }

    /// `POST /theme`
    pub fn theme(&self, request: &Request) -> Reply {
        let theme = match request.field("theme") {
            "light" => "light",
            "dark" => "dark",
            _ => "auto",
        };
        let back = request.came_from.clone().unwrap_or_else(|| "/".into());
        Reply::redirect(back).cookie("portcullis_theme", theme, Some(31_536_000))
    }
}
