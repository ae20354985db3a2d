//! Pages of the app: showing them, and sending their forms.

use super::reply::Reply;
use super::request::{Request, local};
use super::state::Web;
use crate::app::{Done, Refusal, Sent, Shell};
use crate::domain::QName;
use crate::page::{self, ClientQuery, View};
use serde_json::json;

impl Web {
    /// `GET /p/<module>.<Page>`
    pub fn show_page(&self, request: &Request, name: &str) -> Reply {
        let (page, query) = match (QName::parse(name), ClientQuery::new(request.query.clone())) {
            (Some(page), Ok(query)) => (page, query),
            _ => return self.nowhere(request),
        };
        let (shell, view) = self.app.show(&request.ask, &page, &query, None);
        match view {
            Ok(view) => self.page(request, &shell, 200, &view),
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    fn page(&self, request: &Request, shell: &Shell, status: u16, view: &View) -> Reply {
        let mut frame = self.shell(request, shell);
        let problems = view.problems.iter().map(|text| super::render::Message { tone: "danger".into(), text: text.clone() });
        frame.messages.extend(problems);
        match self.renderer().page(&frame, view) {
            Ok(html) => self.with_cookies(request, shell, Reply::html(status, html)),
            Err(error) => self.refused(request, shell, &Refusal::Fault(error.to_string())),
        }
    }

    /// `POST /p/<module>.<Page>`
    pub fn send_page(&self, request: &Request, name: &str) -> Reply {
        let (page, query) = match (QName::parse(name), ClientQuery::new(request.query.clone())) {
            (Some(page), Ok(query)) => (page, query),
            _ => return self.nowhere(request),
        };
        let csrf = request.field("_csrf").to_owned();
        let back = local(request.field("_back")).map(str::to_owned);
        let pairs = request.form.iter().filter(|(name, _)| !matches!(name.as_str(), "_csrf" | "_back")).cloned().collect();
        let (shell, done) = self.app.act(&request.ask, &page, &query, &Sent { pairs, csrf });
        let request = &Request { came_from: back.clone(), ..request.clone() };
        match done {
            Ok(Done::Gone { to, stay, messages }) => {
                let here = format!("{}{}", page::path(&page), query.text());
                let home = "/".to_owned();
                let to = if stay { here } else { to.or(back).unwrap_or(home) };
                self.flash(&shell.binding, &messages, self.with_cookies(request, &shell, Reply::redirect(to)))
            }
            Ok(Done::Again(view)) => self.page(request, &shell, 422, &view),
            Ok(Done::Stale(view)) => self.page(request, &shell, 409, &view),
            Ok(Done::Busy(view)) => {
                let mut reply = self.page(request, &shell, 503, &view);
                reply.retry_after = Some(2);
                reply
            }
            Ok(Done::Confirm { question, caption, danger }) => {
                let fields: Vec<_> = request
                    .form
                    .iter()
                    .filter(|(name, _)| name != "_csrf")
                    .map(|(name, value)| json!({"name": name, "value": value}))
                    .collect();
                let here = format!("{}{}", page::path(&page), query.text());
                let tone = if danger { "danger" } else { "info" };
                let values = json!({"question": question, "caption": caption, "tone": tone, "fields": fields, "action": here, "back": here});
                self.system(request, &shell, 200, "system/confirm.html", "Please confirm", &values)
            }
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    /// `GET /`: the start page of whoever asks.
    pub fn home(&self, request: &Request) -> Reply {
        let live = self.app.live();
        let asker = match self.app.asker(&live, &request.ask) {
            Ok(asker) => asker,
            Err(refusal) => {
                let visitor = crate::app::Asker::visitor(&self.app, &live, &request.ask);
                let shell = Shell::of(&live, &visitor, &request.ask.language, None);
                return self.refused(request, &shell, &refusal);
            }
        };
        let shell = Shell::of(&live, &asker, &request.ask.language, None);
        match (&shell.home, &shell.user) {
            (Some(home), _) => {
                Reply { cookies: Vec::new(), ..self.with_cookies(request, &shell, Reply::redirect(page::path(home))) }
            }
            (None, None) => self.with_cookies(request, &shell, Reply::redirect("/sign-in")),
            (None, Some(_)) => {
                let admin = (!shell.parts.is_empty()).then(|| json!({"href": "/admin", "caption": "Administration"}));
                let text = "Your account has no start page yet. Somebody who administers users can give you a role.";
                let values = json!({"text": text, "actions": admin.into_iter().collect::<Vec<_>>()});
                self.system(request, &shell, 200, "system/welcome.html", "Welcome", &values)
            }
        }
    }
}
