//! The one place where refusals are answered.

use super::reply::Reply;
use super::request::Request;
use super::state::Web;
use crate::app::{Refusal, Shell};
use crate::gate::{BodyError, Full, Stopped};
use serde_json::{Value, json};
use std::time::Duration;

/// What a refusal page says: it tells what a person can do and leaks nothing.
struct Said {
    status: u16,
    title: &'static str,
    text: String,
    picture: &'static str,
    reference: bool,
    retry_after: Option<u64>,
}

fn said(status: u16, title: &'static str, text: &str, picture: &'static str) -> Said {
    Said { status, title, text: text.to_owned(), picture, reference: false, retry_after: None }
}

impl Web {
    /// Answers a refusal: visitors are asked to sign in, what must not be learned of looks absent,
    /// the rest is told plainly with a reference.
    pub fn refused(&self, request: &Request, shell: &Shell, refusal: &Refusal) -> Reply {
        let found = match refusal {
            Refusal::Denied(_) if shell.user.is_none() => {
                let next = percent(&request.ask.target);
                return self.with_cookies(request, shell, Reply::redirect(format!("/sign-in?next={next}")));
            }
            Refusal::Denied(denied) if denied.conceal => gone(),
            Refusal::Denied(_) => Said {
                reference: true,
                ..said(
                    403,
                    "Not for you",
                    "Your roles do not open this door. If you need it for your work, ask an administrator and give them the reference below.",
                    "not_for_you",
                )
            },
            Refusal::Disagreement(_) => Said {
                reference: true,
                ..said(
                    403,
                    "Closed to be safe",
                    "Two of the server's safeguards did not agree about this, so it stays shut. Nothing was changed. It has been recorded; please give an administrator the reference below.",
                    "not_for_you",
                )
            },
            Refusal::Forged(_) => Said {
                reference: true,
                ..said(
                    400,
                    "That did not come from our page",
                    "The request does not fit the page it claims to come from. Nothing was changed. Please go back, reload the page and try again.",
                    "bad_request",
                )
            },
            Refusal::Gone => gone(),
            Refusal::Expired => said(
                409,
                "This page was out of date",
                "The app or the data behind this page has changed since you opened it. Nothing was saved. Please open the page again.",
                "gone",
            ),
            Refusal::Stale => said(
                409,
                "Somebody else was faster",
                "This was changed by somebody else while you were working on it. Nothing was saved. Please open it again and look at the new state.",
                "gone",
            ),
            Refusal::Said(text) => said(422, "This cannot be done", text, "bad_request"),
            Refusal::TooFast(wait) => {
                let seconds = seconds(*wait);
                Said {
                    retry_after: Some(seconds),
                    ..said(429, "Too many tries", &format!("Please wait {seconds} seconds and try again."), "too_fast")
                }
            }
            Refusal::Unavailable(_) | Refusal::Unprepared(_) => Said {
                retry_after: Some(5),
                ..said(
                    503,
                    "Not available right now",
                    "The data cannot be reached at the moment. Nothing was changed. Please try again shortly.",
                    "busy",
                )
            },
            Refusal::Busy(_) => Said {
                retry_after: Some(2),
                ..said(
                    503,
                    "Busy right now",
                    "Other people are changing the same data at this moment. Nothing was changed. Please try again.",
                    "busy",
                )
            },
            Refusal::Unsettled(_) => Said {
                retry_after: Some(5),
                ..said(
                    503,
                    "Please look again",
                    "The connection to the data broke off at the very moment of saving, so it is not known whether your change was kept. Please look before you try again.",
                    "busy",
                )
            },
            Refusal::Fault(_) => Said {
                reference: true,
                ..said(
                    500,
                    "Something went wrong",
                    "This is our fault, not yours. Nothing was changed. If it happens again, tell an administrator the reference below.",
                    "broken",
                )
            },
        };
        self.refusal_page(request, shell, found)
    }

    /// A registration that the app could not complete.
    pub(super) fn unfinished(&self, request: &Request, shell: &Shell) -> Reply {
        let text = "This app could not set up your account, and that is not your fault. Nothing was created, and your link stays valid: please open it again later. An administrator can find the reason by the reference below.";
        let said = said(422, "Your registration is not complete", text, "broken");
        self.refusal_page(request, shell, Said { reference: true, ..said })
    }

    fn refusal_page(&self, request: &Request, shell: &Shell, found: Said) -> Reply {
        let home = json!({"href": "/", "caption": "To the start page"});
        let back = request.came_from.as_ref().map(|path| json!({"href": path, "caption": "Back"}));
        let actions: Vec<Value> = back.into_iter().chain([home]).collect();
        let reference = found.reference.then(|| self.app.reference(&request.ask.request_id));
        let (reference, counted) = reference.map_or((None, false), |reference| (Some(reference.id), reference.counted));
        let values = json!({"status": found.status, "text": found.text, "counted": counted, "actions": actions, "illustration": found.picture});
        let html = |frame: &_| self.renderer().refusal(found.title, frame, &values, reference.as_deref());
        let mut reply = self.framed(request, shell, found.status, "system/error.html", html);
        reply.retry_after = found.retry_after;
        reply
    }

    /// A request that the gate stopped, in words.
    pub fn stopped(&self, stopped: Stopped) -> Reply {
        match stopped {
            Stopped::Host => Reply::text(421, "This server does not answer for that host name."),
            Stopped::Method => Reply::text(405, "This server knows GET, HEAD and POST only."),
            Stopped::Origin => Reply::text(403, "This form was sent from another site. Nothing was changed."),
            Stopped::TooLong => Reply::text(414, "This address is too long."),
            Stopped::Chunked => Reply::text(411, "This server takes forms with a Content-Length only. Nothing was changed."),
            Stopped::Cookies => Reply::text(
                400,
                "Your browser sent a cookie of this site twice, so it is not clear who you are. Nothing was changed. \
                 Please remove the cookies of this site in your browser and sign in again.",
            ),
            Stopped::Query => Reply::text(400, "This address is broken: its query is not text. Nothing was changed."),
        }
    }

    /// Whether this node takes such a request at present; the answer, if it does not. Nothing was looked at yet.
    pub fn on_duty(&self, safe: bool, path: &str) -> Result<(), Reply> {
        if path.starts_with("/health/") || path.starts_with("/static/") || self.app.takes(!safe) {
            return Ok(());
        }
        let mut reply =
            Reply::text(503, "This server is being replaced by a newer one. Nothing was changed. Please try again in a moment.");
        reply.retry_after = Some(2);
        Err(reply)
    }

    /// A form that could not be read, in words.
    pub fn unreadable(&self, error: &BodyError) -> Reply {
        match error {
            BodyError::TooLarge => Reply::text(413, "This is more than the server takes at once. Nothing was changed."),
            BodyError::NotAForm => Reply::text(415, "This is not a form that the server reads. Nothing was changed."),
            BodyError::Interrupted => Reply::text(408, "The form did not arrive whole. Nothing was changed."),
            BodyError::Busy => {
                let text = "The server is busy with other forms. Nothing was changed. Please try again in a moment.";
                Reply { retry_after: Some(5), ..Reply::text(503, text) }
            }
            BodyError::Greedy => {
                let text =
                    "Too many forms from here are on their way at once. Nothing was changed. Please try again in a moment.";
                Reply { retry_after: Some(5), ..Reply::text(429, text) }
            }
        }
    }

    /// There is no turn for a request, in words. Nothing was looked at yet.
    pub fn crowded(&self, full: Full) -> Reply {
        let text = match full {
            Full::All => "The server is busy. Nothing was changed. Please try again in a moment.",
            Full::Client => "Too many requests of yours are under way. Nothing was changed. Please try again in a moment.",
        };
        Reply { retry_after: Some(2), ..Reply::text(503, text) }
    }

    /// An address that leads nowhere.
    pub fn nowhere(&self, request: &Request) -> Reply {
        let live = self.app.live();
        let asker = crate::app::Asker::visitor(&self.app, &live, &request.ask);
        let shell = Shell::of(&live, &asker, &request.ask.language, None);
        self.refused(request, &shell, &Refusal::Gone)
    }
}

/// The same for what never was and for what must not be learned of, the reference included.
fn gone() -> Said {
    let text = "There is nothing here for you: it was moved or removed, or it never was.";
    Said { reference: true, ..said(404, "Not here", text, "gone") }
}

/// A wait in whole seconds, rounded up: who comes back after them is not too early.
pub fn seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
}

/// Percent-encodes for a query value.
pub fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
