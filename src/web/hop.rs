//! From a request to the blocking pool and back to HTTP.
//!
//! Guarantees: nothing is worked on before it is the client's turn; too many requests are refused early; each answer is
//! made of a [`Reply`] in one place. Deliberately not here: what is done.

use super::packed;
use super::reply::{Body, Reply, SessionAct};
use super::request::Request;
use super::state::Web;
use crate::gate::{self, COOKIE_TOKEN, Client, Queue, Turns};
use actix_session::Session;
use actix_web::HttpResponse;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data};
use std::sync::Arc;

/// Which turns a request waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane {
    /// Ordinary work.
    Work,
    /// What compares or makes a password's hash.
    Passwords,
    /// What must always work.
    Vital,
}

impl Lane {
    fn of(self, turns: &Turns) -> &Queue {
        match self {
            Self::Work => &turns.work,
            Self::Passwords => &turns.passwords,
            Self::Vital => &turns.vital,
        }
    }
}

/// One hop to the blocking pool, when it is the request's turn. When too many wait already, the answer is an early 503.
pub(super) async fn hop(
    state: Data<Web>,
    session: Session,
    request: Request,
    act: impl FnOnce(&Web, &Request) -> Reply + Send + 'static,
) -> HttpResponse {
    hop_by(Lane::Work, state, session, request, act).await
}

pub(super) async fn hop_by(
    lane: Lane,
    state: Data<Web>,
    session: Session,
    request: Request,
    act: impl FnOnce(&Web, &Request) -> Reply + Send + 'static,
) -> HttpResponse {
    let client = request.client;
    let work = move |web: &Web| {
        let reply = act(web, &request);
        if request.packs { packed::pack(reply) } else { reply }
    };
    match in_turn(lane, &state, client, work).await {
        Ok(reply) => respond(&state, Some(&session), reply),
        Err(reply) => respond(&state, None, reply),
    }
}

/// Works in the blocking pool when it is the client's turn. The turn lasts as long as the work does, also when
/// nobody waits for the answer any more.
pub(super) async fn in_turn(
    lane: Lane,
    state: &Data<Web>,
    client: Client,
    work: impl FnOnce(&Web) -> Reply + Send + 'static,
) -> Result<Reply, Reply> {
    let turn = lane.of(&state.gate.turns).turn(client).await.map_err(|full| state.crowded(full))?;
    let inner: Arc<Web> = state.clone().into_inner();
    let done = web::block(move || {
        let working = inner.app.at_work();
        let reply = work(&inner);
        drop(working);
        drop(turn);
        reply
    });
    done.await.map_err(|_| Reply::text(500, "Something went wrong. Nothing was changed."))
}

/// What decides whether a text is compressed.
const VARIES: &str = "Accept-Encoding, Sec-Fetch-Site";

/// A reply as HTTP.
pub(super) fn respond(state: &Web, session: Option<&Session>, reply: Reply) -> HttpResponse {
    if let Some(session) = session {
        match reply.session {
            SessionAct::Keep => {}
            SessionAct::Begin(token) => {
                session.clear();
                session.renew();
                if session.insert(COOKIE_TOKEN, token).is_err() {
                    return HttpResponse::InternalServerError().finish();
                }
            }
            SessionAct::End => session.purge(),
        }
    }
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value, lives) in reply.cookies {
        let name = gate::cookie_name(state.gate.secure_cookie, name);
        let mut cookie =
            Cookie::build(name, value).path("/").http_only(true).same_site(SameSite::Lax).secure(state.gate.secure_cookie);
        if let Some(seconds) = lives {
            cookie = cookie.max_age(Duration::seconds(seconds));
        }
        response.cookie(cookie.finish());
    }
    if let Some(seconds) = reply.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    match reply.body {
        Body::Html(html) => response.insert_header((header::VARY, VARIES)).content_type(Body::HTML).body(html),
        Body::Text(text) => response.insert_header((header::VARY, VARIES)).content_type(Body::TEXT).body(text),
        Body::Packed { kind, bytes } => response
            .insert_header((header::VARY, VARIES))
            .insert_header((header::CONTENT_ENCODING, "gzip"))
            .content_type(kind)
            .body(bytes),
        Body::Redirect(to) => response.insert_header((header::LOCATION, to)).finish(),
    }
}
