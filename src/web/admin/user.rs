//! One account.

use super::super::account::moment;
use super::super::reply::Reply;
use super::super::request::Request;
use super::super::state::Web;
use super::{Place, path, second};
use crate::access::Part;
use crate::app::admin::UserPage;
use crate::app::{Refusal, Shell};
use crate::identity::AccountId;
use crate::mail::Letter;
use crate::model::Tone;
use serde_json::{Value, json};

const PLACE: Place = Place { part: Part::Users, template: "admin/user.html" };

impl Web {
    /// `GET /admin/users/<id>`
    pub(super) fn user_page(&self, request: &Request, id: AccountId) -> Reply {
        self.user(request, id, 200, None)
    }

    fn user(&self, request: &Request, id: AccountId, status: u16, error: Option<&str>) -> Reply {
        let (shell, page) = self.app.look(&request.ask, Part::Users, |admin, conn| admin.user(conn, id));
        match page {
            Ok(page) => self.part(request, &shell, status, &PLACE, values(&page, error)),
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    /// `POST /admin/users/<id>/roles`
    pub(super) fn assign_roles(&self, request: &Request, id: AccountId) -> Reply {
        let roles: Vec<&str> = request.fields("role").collect();
        let csrf = request.field("_csrf");
        // A version that no page of ours wrote fits no account.
        let version = request.field("version").parse().unwrap_or(-1);
        let (shell, done) =
            self.app.administer(&request.ask, Part::Users, csrf, |admin, conn| admin.assign(conn, id, version, &roles));
        self.after(request, &shell, id, done, "The roles are saved. They hold from the next click on.")
    }

    /// `POST /admin/users/<id>/block`
    pub(super) fn block_user(&self, request: &Request, id: AccountId) -> Reply {
        let question = "Block this account? Its owner is signed out everywhere at once and cannot sign in until it is unblocked.";
        if let Some(question) = self.ask_first(request, Part::Users, question, "Block", &here(id)) {
            return question;
        }
        let csrf = request.field("_csrf");
        let (shell, done) = self.app.administer(&request.ask, Part::Users, csrf, |admin, conn| admin.block(conn, id));
        self.after(request, &shell, id, done, "The account is blocked. Its sessions have ended.")
    }

    /// `POST /admin/users/<id>/unblock`
    pub(super) fn unblock_user(&self, request: &Request, id: AccountId) -> Reply {
        let csrf = request.field("_csrf");
        let (shell, done) = self.app.administer(&request.ask, Part::Users, csrf, |admin, conn| admin.unblock(conn, id));
        self.after(request, &shell, id, done, "The account is open again.")
    }

    /// `POST /admin/users/<id>/reset`
    pub(super) fn reset_user(&self, request: &Request, id: AccountId) -> Reply {
        let csrf = request.field("_csrf");
        let (shell, made) = self.app.administer(&request.ask, Part::Users, csrf, |admin, conn| admin.reset(conn, id));
        match made {
            Ok(link) => self.mailed(request, &shell, &link, Letter::Reset),
            Err(refusal) => self.after(request, &shell, id, Err(refusal), ""),
        }
    }

    /// `POST /admin/users/<id>/invite`
    pub(super) fn invite_again(&self, request: &Request, id: AccountId) -> Reply {
        let csrf = request.field("_csrf");
        let (shell, made) = self.app.administer(&request.ask, Part::Users, csrf, |admin, conn| admin.invite_again(conn, id));
        match made {
            Ok(link) => self.mailed(request, &shell, &link, Letter::Invitation),
            Err(refusal) => self.after(request, &shell, id, Err(refusal), ""),
        }
    }

    /// `POST /admin/users/<id>/sessions/end`
    pub(super) fn end_sessions(&self, request: &Request, id: AccountId) -> Reply {
        let question = "End all sessions of this person? What they are typing at this moment is lost.";
        if let Some(question) = self.ask_first(request, Part::Users, question, "End all sessions", &here(id)) {
            return question;
        }
        let csrf = request.field("_csrf");
        let (shell, done) = self.app.administer(&request.ask, Part::Users, csrf, |admin, conn| admin.end_sessions(conn, id));
        let text = match done {
            Ok(0) => "There was no session to end.",
            _ => "The sessions have ended.",
        };
        self.after(request, &shell, id, done.map(drop), text)
    }

    /// Back to the account: with what was done, or with why it was not.
    fn after(&self, request: &Request, shell: &Shell, id: AccountId, done: Result<(), Refusal>, text: &str) -> Reply {
        match done {
            Ok(()) => self.done(request, shell, &here(id), Tone::Success, text),
            Err(Refusal::Said(text)) => self.user(request, id, 422, Some(&text)),
            Err(Refusal::Stale) => {
                let text = "Somebody else changed this account meanwhile. Nothing was saved; this is the new state.";
                self.user(request, id, 409, Some(text))
            }
            Err(refusal) => self.refused(request, shell, &refusal),
        }
    }
}

fn here(id: AccountId) -> String {
    format!("{}/{id}", path(Part::Users))
}

fn values(page: &UserPage, error: Option<&str>) -> Value {
    let account = &page.account;
    let role = |role: &crate::app::admin::RoleChoice| json!({"name": role.name.as_str(), "doc": role.doc, "held": role.held, "assignable": role.assignable});
    let session = |one: &crate::identity::SessionInfo| json!({"started": moment(one.started), "last_seen": moment(one.last_seen), "address": one.address, "agent": one.agent});
    let event = |one: &crate::audit::Record| {
        let by = one.caller.as_ref().map(|who| who.name.as_str());
        json!({
            "at": second(one.at), "what": one.summary, "by": by, "severity": one.severity.id(),
            "request_id": one.request_id.as_deref().unwrap_or_default(),
        })
    };
    json!({
        "account": {
            "id": account.id.0, "name": account.name, "email": account.email, "state": account.state.as_str(),
            "created": moment(account.created), "last_seen": account.last_seen.map(moment), "version": account.version.to_string(),
        },
        "doubts": super::users::words(&page.doubts), "self": page.own, "within_reach": page.within_reach, "some_assignable": page.roles.iter().any(|role| role.assignable),
        "roles": page.roles.iter().map(role).collect::<Vec<_>>(),
        "sessions": page.sessions.iter().map(session).collect::<Vec<_>>(),
        "events": page.events.iter().map(event).collect::<Vec<_>>(),
        "errors": error.into_iter().collect::<Vec<_>>(),
    })
}
