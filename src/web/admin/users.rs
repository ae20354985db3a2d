//! The list of accounts, and inviting somebody.

use super::super::account::moment;
use super::super::reply::Reply;
use super::super::request::Request;
use super::super::state::Web;
use super::{Paging, Place, page_number, path, typed};
use crate::access::Part;
use crate::app::admin::{MailedLink, UserList};
use crate::app::{Refusal, Shell};
use crate::identity::{AccountFilter, AccountState, Doubt};
use crate::mail::Letter;
use crate::model::Tone;
use serde_json::{Value, json};

const PLACE: Place = Place { part: Part::Users, template: "admin/users.html" };

impl Web {
    /// `GET /admin/users`
    pub(super) fn users_page(&self, request: &Request) -> Reply {
        let filter = filter(request);
        let page = i64::from(page_number(request));
        let (shell, list) = self.app.look(&request.ask, Part::Users, |admin, conn| admin.users(conn, &filter, page));
        match list {
            Ok(list) => self.users(request, &shell, 200, &filter, &list, None),
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    fn users(
        &self,
        request: &Request,
        shell: &Shell,
        status: u16,
        filter: &AccountFilter,
        list: &UserList,
        error: Option<&str>,
    ) -> Reply {
        let users = list.users.iter().map(|line| {
            let account = &line.account;
            let roles: Vec<&str> = line.roles.iter().map(|role| role.as_str()).collect();
            json!({
                "id": account.id.0, "name": account.name, "email": account.email, "state": account.state.as_str(),
                "roles": roles, "doubts": words(&line.doubts), "last_seen": account.last_seen.map(moment), "href": format!("{}/{}", path(Part::Users), account.id),
            })
        });
        let users: Vec<Value> = users.collect();
        let state = filter.state.map(AccountState::as_str);
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        let paging = Paging {
            path: path(Part::Users),
            parameters: vec![("q", &filter.text), ("state", state.unwrap_or_default())],
            page: number(list.page),
            offset: number(list.offset),
            shown: list.users.len(),
            total: Some(number(list.total)),
            more: list.page * list.size < list.total,
        };
        let wanted: Vec<&str> = request.fields("role").collect();
        let roles: Vec<Value> = list
            .assignable
            .iter()
            .map(|role| json!({"name": role.as_str(), "checked": wanted.contains(&role.as_str())}))
            .collect();
        let values = json!({
            "q": filter.text, "state_filter": state, "users": users, "paging": paging.json(),
            "invite": {
                "name": request.field("name"), "email": request.field("email"), "roles": roles,
                "errors": error.into_iter().collect::<Vec<_>>(),
            },
        });
        self.part(request, shell, status, &PLACE, values)
    }

    /// `POST /admin/users/invite`
    pub(super) fn invite_user(&self, request: &Request) -> Reply {
        let roles: Vec<&str> = request.fields("role").collect();
        let (email, name, csrf) = (request.field("email"), request.field("name"), request.field("_csrf"));
        let (shell, made) =
            self.app.administer(&request.ask, Part::Users, csrf, |admin, conn| admin.invite(conn, email, name, &roles));
        match made {
            Ok(link) => self.mailed(request, &shell, &link, Letter::Invitation),
            Err(Refusal::Said(text)) => {
                let filter = AccountFilter::default();
                let (shell, list) = self.app.look(&request.ask, Part::Users, |admin, conn| admin.users(conn, &filter, 1));
                match list {
                    Ok(list) => self.users(request, &shell, 422, &filter, &list, Some(&text)),
                    Err(refusal) => self.refused(request, &shell, &refusal),
                }
            }
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    /// Mails a link that was made, and says truthfully whether it left. The deed stands either way: it can be mailed again.
    pub(super) fn mailed(&self, request: &Request, shell: &Shell, link: &MailedLink, letter: Letter) -> Reply {
        let (purpose, what) = match letter {
            Letter::Reset => ("reset", "A link to choose a new password"),
            _ => ("invite", "An invitation"),
        };
        let to = format!("{}/{}", path(Part::Users), link.account);
        if self.send_letter(letter, &link.email, &link.name, purpose, &link.token) {
            let mut text = format!("{what} is on its way to {}.", link.email);
            for doubt in &link.doubts {
                text = format!("{text} {doubt}");
            }
            let tone = if link.doubts.is_empty() { Tone::Success } else { Tone::Warning };
            return self.done(request, shell, &to, tone, &text);
        }
        self.app.record_unsent(link, &request.ask.request_id);
        let text = format!(
            "{what} could not be mailed to {}: the mail server did not take it. Please send it again from here in a few minutes.",
            link.email
        );
        self.done(request, shell, &to, Tone::Danger, &text)
    }
}

/// Why an account could be taken for another, in words.
pub(super) fn words(doubts: &[Doubt]) -> Vec<String> {
    doubts.iter().map(Doubt::to_string).collect()
}

fn filter(request: &Request) -> AccountFilter {
    AccountFilter { text: typed(request, "q").unwrap_or_default(), state: AccountState::parse(request.parameter("state")) }
}
