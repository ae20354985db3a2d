//! The log, live: server-sent events for as long as the reader may read them.

use super::super::handlers::read;
use super::super::hop::respond;
use super::super::reply::Reply;
use super::super::state::Web;
use super::log;
use crate::access::Part;
use crate::app::Ask;
use crate::config::Level;
use crate::gate::{Client, Full, Place};
use crate::log::{Feed, Line};
use actix_session::Session;
use actix_web::http::header;
use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde_json::json;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

/// How often it is asked anew whether the reader may still read.
pub(in crate::web) const PULSE: Duration = Duration::from_secs(1);
/// A sign of life is sent after so many proofs: proxies cut what is silent.
const QUIET: u32 = 15;
/// A proof that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(10);

/// `GET /admin/log/stream`
pub(super) async fn follow(request: HttpRequest, state: Data<Web>, session: Session) -> HttpResponse {
    let asked = read(&request, &state, &session);
    let (inner, opening) = (state.clone().into_inner(), asked.clone());
    let opened = web::block(move || {
        let _same_model = inner.app.at_work();
        let (shell, opened) = inner.app.open_log(&opening.ask, true);
        opened.map_err(|refusal| inner.refused(&opening, &shell, &refusal))
    });
    match opened.await {
        Ok(Ok(())) => {}
        Ok(Err(reply)) => return respond(&state, Some(&session), reply),
        Err(_) => return respond(&state, None, Reply::text(500, "Something went wrong.")),
    }
    let account = state.app.account_hint(asked.ask.session.as_deref()).map(|account| Client::Account(account.0));
    let clients: Vec<Client> = account.into_iter().chain([Client::network(asked.ask.address)]).collect();
    let place = match state.gate.streams.take(&clients, 1) {
        Ok(place) => place,
        Err(full) => return respond(&state, None, crowded(full)),
    };
    // A browser that lost the connection says what it saw last; a page says what it shows already.
    let seen = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let after = seen.unwrap_or(asked.parameter("after")).parse().ok();
    let feed = state.app.logs.subscribe(log::filter(&asked), after);
    let mut pulse = interval(state.pulse);
    pulse.reset();
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stop = Box::pin(stopping());
    let follower = Follower { feed, state, ask: asked.ask, pulse, quiet: 0, stop, greeted: false, _place: place };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        // A proxy in between must not hold lines back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events)
}

/// There is no place for another reader.
fn crowded(full: Full) -> Reply {
    let (status, text) = match full {
        Full::All => (503, "Too many people follow the log at this moment. Please try again later."),
        Full::Client => (429, "You follow the log in too many windows. Please close one of them."),
    };
    Reply { retry_after: Some(30), ..Reply::text(status, text) }
}

/// One reader.
struct Follower {
    feed: Feed,
    state: Data<Web>,
    ask: Ask,
    pulse: Interval,
    quiet: u32,
    stop: Pin<Box<dyn Future<Output = ()>>>,
    greeted: bool,
    _place: Place,
}

impl Follower {
    /// The next event; `None` ends the stream.
    // SECURITY: the pulse comes before any line, so a busy log cannot put off the moment at which a reader who may
    // no longer read is cut off (`the_live_log_delivers_a_line_and_ends_after_sign_out`).
    async fn next(&mut self) -> Option<Bytes> {
        if !self.greeted {
            self.greeted = true;
            return Some(Bytes::from_static(b"retry: 3000\n\n"));
        }
        loop {
            tokio::select! {
                biased;
                () = &mut self.stop => return None,
                _ = self.pulse.tick() => {
                    if !self.may_still().await {
                        return None;
                    }
                    self.quiet += 1;
                    if self.quiet >= QUIET {
                        self.quiet = 0;
                        return Some(Bytes::from_static(b": still here\n\n"));
                    }
                }
                line = self.feed.next() => return line.map(|line| self.event(&line)),
            }
        }
    }

    async fn may_still(&self) -> bool {
        let (web, ask) = (self.state.clone().into_inner(), self.ask.clone());
        let proof = web::block(move || {
            let _same_model = web.app.at_work();
            web.app.may_still(&ask, Part::Log)
        });
        timeout(PATIENCE, proof).await.is_ok_and(|proved| proved.unwrap_or(false))
    }

    fn event(&self, line: &Line) -> Bytes {
        let text = match line {
            Line::Entry(entry) => format!("id: {}\ndata: {}\n\n", entry.number, log::line(entry)),
            Line::Lost(count) => {
                let at = self.state.app.clock.now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
                let text = format!("{count} lines came faster than they could be shown and are left out here");
                let told =
                    json!({"at": at, "level": Level::Warning.id(), "node": "portcullis.log", "text": text, "request_id": null});
                format!("data: {told}\n\n")
            }
        };
        Bytes::from(text)
    }
}

/// Ends when the process is told to stop: open streams must not hold it up.
async fn stopping() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    pending().await
}
