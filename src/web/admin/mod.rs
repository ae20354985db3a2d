//! The administration in the browser: users, effective rights, the record of what happened, the log.
//!
//! Each part is a file; who may use it, and what happens, is decided in [`crate::app::admin`]. What is
//! here turns forms into calls and answers into pages, and decides nothing.

mod audit;
mod handlers;
mod log;
mod matrix;
mod stream;
mod user;
mod users;

pub(super) use handlers::routes;
pub(super) use stream::PULSE;

use super::refused::percent;
use super::reply::Reply;
use super::request::Request;
use super::state::Web;
use crate::access::Part;
use crate::app::Shell;
use crate::model::Tone;
use chrono::NaiveDateTime;
use serde_json::{Value, json};

/// Where a part is found.
fn path(part: Part) -> &'static str {
    match part {
        Part::Users => "/admin/users",
        Part::Matrix => "/admin/matrix",
        Part::Audit => "/admin/audit",
        Part::Log => "/admin/log",
        // It has no page of its own: it lies over all others.
        Part::Explain => "/",
    }
}

fn title(part: Part) -> &'static str {
    match part {
        Part::Users => "Users",
        Part::Matrix => "Effective rights",
        Part::Audit => "What happened",
        Part::Log => "Log",
        Part::Explain => "Reasons on every page",
    }
}

/// The template of a page, and the part whose tab is the current one.
struct Place {
    part: Part,
    template: &'static str,
}

impl Web {
    /// `GET /admin`: the first part that is open to the caller.
    fn admin(&self, request: &Request) -> Reply {
        let (shell, first) = self.app.first_part(&request.ask);
        match first {
            Ok(part) => self.with_cookies(request, &shell, Reply::redirect(path(part))),
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    /// A page of the administration, with the tabs of the parts that are open to the caller.
    fn part(&self, request: &Request, shell: &Shell, status: u16, place: &Place, mut values: Value) -> Reply {
        let tab = |part: &Part| json!({"title": self::title(*part), "href": path(*part), "active": *part == place.part});
        let tabs: Vec<Value> = shell.parts.iter().map(tab).collect();
        if let Some(fields) = values.as_object_mut() {
            fields.insert("tabs".into(), tabs.into());
        }
        self.system(request, shell, status, place.template, title(place.part), &values)
    }

    /// Goes on to another page, which says what was done.
    fn done(&self, request: &Request, shell: &Shell, to: &str, tone: Tone, text: &str) -> Reply {
        let reply = self.with_cookies(request, shell, Reply::redirect(to));
        self.flash(&shell.binding, &[(tone, text.to_owned())], reply)
    }

    /// Without script, a deed that cannot be taken back lightly is asked for first; `None` once it was confirmed.
    fn ask_first(&self, request: &Request, part: Part, question: &str, caption: &str, back: &str) -> Option<Reply> {
        if request.field("_confirmed") == "yes" {
            return None;
        }
        let (shell, open) = self.app.look(&request.ask, part, |_, _| Ok(()));
        if let Err(refusal) = open {
            return Some(self.refused(request, &shell, &refusal));
        }
        let values = json!({
            "question": question, "caption": caption, "tone": "danger", "fields": [], "action": request.path, "back": back,
        });
        Some(self.system(request, &shell, 200, "system/confirm.html", "Please confirm", &values))
    }
}

/// A moment to the second.
fn second(at: NaiveDateTime) -> String {
    at.format("%-d %b %Y, %H:%M:%S").to_string()
}

/// What somebody typed into a filter: trimmed, short, one line.
fn typed(request: &Request, name: &str) -> Option<String> {
    let text: String = request.parameter(name).chars().filter(|c| !c.is_control()).take(200).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The page that is asked for, from 1; anything that is no number is the first.
fn page_number(request: &Request) -> u32 {
    request.parameter("page").parse().unwrap_or(1).max(1)
}

/// An address with those parameters that have a value.
fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let set = parameters.iter().filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = set.map(|(name, value)| format!("{name}={}", percent(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// What the foot of a list says.
struct Paging<'a> {
    path: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    page: u64,
    offset: u64,
    shown: usize,
    total: Option<u64>,
    more: bool,
}

impl Paging<'_> {
    fn json(&self) -> Value {
        let to = |page: u64| {
            let number = page.to_string();
            let page = if page > 1 { number.as_str() } else { "" };
            let parameters: Vec<(&str, &str)> = self.parameters.iter().copied().chain([("page", page)]).collect();
            address(self.path, &parameters)
        };
        let last = self.offset + u64::try_from(self.shown).unwrap_or(u64::MAX);
        json!({
            "from": self.offset + 1, "to": last, "total": self.total, "capped": false,
            "prev": (self.page > 1).then(|| to(self.page - 1)), "next": self.more.then(|| to(self.page + 1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_only_what_is_set_and_every_sign_of_it_is_escaped() {
        assert_eq!(address("/admin/users", &[("q", ""), ("state", "")]), "/admin/users");
        assert_eq!(address("/admin/users", &[("q", "a&b=\"<ü"), ("page", "2")]), "/admin/users?q=a%26b%3D%22%3C%C3%BC&page=2");
    }

    #[test]
    fn the_first_page_has_no_number_and_the_last_no_next() {
        let of =
            |page, more| Paging { path: "/x", parameters: vec![("q", "ä")], page, offset: 25, shown: 3, total: Some(28), more };
        let last = of(2, false).json();
        assert_eq!((&last["prev"], &last["next"]), (&json!("/x?q=%C3%A4"), &Value::Null));
        assert_eq!((&last["from"], &last["to"]), (&json!(26), &json!(28)));
        assert_eq!(of(1, true).json()["next"], json!("/x?q=%C3%A4&page=2"));
    }
}
