//! Addresses → functions of [`Web`]: here, and for `/admin` in `admin`, HTTP is spoken.

use super::links::purpose;
use super::reply::{Body, Reply, SessionAct};
use super::request::{Request, local};
use super::state::Web;
use crate::app::{Ask, Duty};
use crate::gate::{self, BadCookies, COOKIE_TOKEN, Credit, Facts, Form, Stopped};
use actix_session::Session;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use std::net::IpAddr;
use std::sync::Arc;

/// All addresses. `admin` adds those of the administration.
pub fn routes(config: &mut ServiceConfig) {
    let get =
        |act: fn(&Web, &Request) -> Reply| web::get().to(move |request, state, session| simple(request, state, session, act));
    let post = |act: fn(&Web, &Request) -> Reply| {
        web::post().to(move |request, state, session, body| with_form(request, state, session, body, act))
    };
    config
        .route("/", get(Web::home))
        .route("/health/live", web::get().to(async || HttpResponse::Ok().body("live")))
        .route("/health/ready", web::get().to(ready))
        .route("/static/{path:.*}", web::get().to(asset))
        .service(web::resource("/p/{name}").route(web::get().to(show)).route(web::post().to(send)))
        .service(web::resource("/sign-in").route(get(Web::sign_in_page)).route(post(Web::sign_in)))
        .route("/sign-in/demo", post(Web::sign_in_demo))
        .route("/sign-out", post(Web::sign_out))
        .service(web::resource("/forgot").route(get(Web::forgot_page)).route(post(Web::forgot)))
        .route("/link/{purpose}/{token}", web::get().to(link))
        .route("/link/{purpose}", web::post().to(use_link))
        .route("/account", get(Web::account_page))
        .route("/account/password", post(Web::change_password))
        .route("/account/sessions/end", post(Web::end_own_session))
        .route("/theme", post(Web::theme))
        .route("/xray", post(Web::switch_xray))
        .route("/dev/outbox", get(Web::outbox))
        .route("/dev/outbox/{id}", web::get().to(outbox_mail))
        .route("/dev/findings", get(Web::findings))
        .configure(super::admin::routes)
        .default_service(web::route().to(|request, state, session| simple(request, state, session, Web::nowhere)));
}

/// The gate around every request: lets it in or not, and dresses the answer.
pub async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(state) = request.app_data::<Data<Web>>().cloned() else {
        return Ok(request.into_response(HttpResponse::InternalServerError().finish()));
    };
    let facts = Facts::of(&state.gate, &request);
    request.extensions_mut().insert(facts.clone());
    let credit = request.conn_data::<Credit>().cloned();
    let cookies = gate::keep_ours(request.headers_mut(), state.gate.secure_cookie).map_err(|BadCookies| Stopped::Cookies);
    let verdict = cookies.and_then(|()| state.gate.check(request.request())).map_err(|stopped| state.stopped(stopped));
    let verdict = verdict.and_then(|()| state.on_duty(request.method().is_safe(), request.path()));
    let mut response = match verdict {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(reply) => {
            let (request, _) = request.into_parts();
            let response = respond(&state, None, reply);
            ServiceResponse::new(request, response)
        }
    };
    gate::dress(&state.gate, &facts, response.headers_mut());
    // What nobody read of the request may be thrown away now.
    if let Some(credit) = credit {
        credit.grant();
    }
    if state.app.duty() != Duty::Serving {
        // The proxy's idle connections are gone before the process is.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// What the functions of `Web` see of a request.
pub(super) fn read(request: &HttpRequest, state: &Web, session: &Session) -> Request {
    let facts = request.extensions().get::<Facts>().cloned();
    let facts = facts.unwrap_or(Facts { request_id: String::new(), nonce: String::new(), address: IpAddr::from([0, 0, 0, 0]) });
    let cookie = |name: &str| {
        let name = gate::cookie_name(state.gate.secure_cookie, name);
        request.cookie(&name).map(|cookie| cookie.value().to_owned())
    };
    let text = |name: header::HeaderName| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let target = request.uri().path_and_query().map_or("/".to_owned(), |whole| whole.as_str().to_owned());
    Request {
        ask: Ask {
            session: session.get::<String>(COOKIE_TOKEN).ok().flatten(),
            visitor: cookie("portcullis_visitor"),
            address: facts.address,
            agent: text(header::USER_AGENT).chars().filter(|c| !c.is_control()).take(200).collect(),
            request_id: facts.request_id,
            language: language(state, &cookie("portcullis_language"), &text(header::ACCEPT_LANGUAGE)),
            target,
            xray: cookie(super::XRAY).as_deref() == Some("on"),
        },
        nonce: facts.nonce,
        path: request.path().to_owned(),
        query: gate::decode(request.query_string()).unwrap_or_default(),
        form: Vec::new(),
        theme: cookie("portcullis_theme")
            .filter(|theme| matches!(theme.as_str(), "light" | "dark"))
            .unwrap_or_else(|| "auto".into()),
        flash: cookie("portcullis_flash"),
        came_from: came_from(request, state),
    }
}

/// The first language the reader asks for that the app has.
fn language(state: &Web, chosen: &Option<String>, accepted: &str) -> String {
    let model = state.app.live().model.clone();
    let known = |word: &str| *word == *model.language || model.texts.contains_key(word);
    let asked = accepted.split(',').map(|one| one.split([';', '-']).next().unwrap_or_default().trim().to_ascii_lowercase());
    chosen.iter().cloned().chain(asked).find(|word| known(word)).unwrap_or_else(|| model.language.clone())
}

/// The page of ours that led here, for buttons that close.
fn came_from(request: &HttpRequest, state: &Web) -> Option<String> {
    let referer = request.headers().get(header::REFERER)?.to_str().ok()?;
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    let scheme = if state.gate.base_url.secure { "https" } else { "http" };
    let base = state.gate.base_url.to_string();
    let rest = referer.strip_prefix(&format!("{scheme}://{host}")).or_else(|| referer.strip_prefix(&base))?;
    let here = rest.split('?').next() == Some(request.path());
    local(rest).filter(|path| path.starts_with("/p/") && !here).map(str::to_owned)
}

/// One hop to the blocking pool. When too many wait already, the answer is an early 503.
pub(super) async fn hop(
    state: Data<Web>,
    session: Option<Session>,
    act: impl FnOnce(&Web) -> Reply + Send + 'static,
) -> HttpResponse {
    let Ok(place) = state.places.clone().try_acquire_owned() else {
        let mut reply = Reply::text(503, "The server is busy. Nothing was changed. Please try again in a moment.");
        reply.retry_after = Some(2);
        return respond(&state, None, reply);
    };
    let inner: Arc<Web> = state.clone().into_inner();
    let done = web::block(move || {
        let reply = act(&inner);
        drop(place);
        reply
    })
    .await;
    let reply = done.unwrap_or_else(|_| Reply::text(500, "Something went wrong. Nothing was changed."));
    respond(&state, session.as_ref(), reply)
}

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
        Body::Html(html) => response.content_type("text/html; charset=utf-8").body(html),
        Body::Text(text) => response.content_type("text/plain; charset=utf-8").body(text),
        Body::Redirect(to) => response.insert_header((header::LOCATION, to)).finish(),
    }
}

pub(super) async fn simple(
    request: HttpRequest,
    state: Data<Web>,
    session: Session,
    act: fn(&Web, &Request) -> Reply,
) -> HttpResponse {
    let read = read(&request, &state, &session);
    hop(state, Some(session), move |web| act(web, &read)).await
}

/// Reads the form, then hops.
pub(super) async fn formed(
    request: HttpRequest,
    state: Data<Web>,
    session: Session,
    body: Payload,
    act: impl FnOnce(&Web, &Request) -> Reply + Send + 'static,
) -> HttpResponse {
    let mut read = read(&request, &state, &session);
    let account = state.app.account_hint(read.ask.session.as_deref()).map(|account| account.0);
    let place = match gate::form(&state.gate, &request, body, account).await {
        Ok(Form { fields, place }) => {
            read.form = fields;
            place
        }
        Err(error) => return respond(&state, None, state.unreadable(&error)),
    };
    hop(state, Some(session), move |web| {
        let reply = act(web, &read);
        drop((read, place));
        reply
    })
    .await
}

pub(super) async fn with_form(
    request: HttpRequest,
    state: Data<Web>,
    session: Session,
    body: Payload,
    act: fn(&Web, &Request) -> Reply,
) -> HttpResponse {
    formed(request, state, session, body, act).await
}

async fn show(request: HttpRequest, state: Data<Web>, session: Session, name: Path<String>) -> HttpResponse {
    let read = read(&request, &state, &session);
    hop(state, Some(session), move |web| web.show_page(&read, &name)).await
}

async fn send(request: HttpRequest, state: Data<Web>, session: Session, name: Path<String>, body: Payload) -> HttpResponse {
    formed(request, state, session, body, move |web, read| web.send_page(read, &name)).await
}

async fn link(request: HttpRequest, state: Data<Web>, session: Session, parts: Path<(String, String)>) -> HttpResponse {
    let read = read(&request, &state, &session);
    let (word, token) = parts.into_inner();
    hop(state, Some(session), move |web| match purpose(&word) {
        Some(purpose) => web.link_page(&read, purpose, &token),
        None => web.nowhere(&read),
    })
    .await
}

async fn use_link(request: HttpRequest, state: Data<Web>, session: Session, word: Path<String>, body: Payload) -> HttpResponse {
    formed(request, state, session, body, move |web, read| match purpose(&word) {
        Some(purpose) => web.use_link(read, purpose),
        None => web.nowhere(read),
    })
    .await
}

async fn outbox_mail(request: HttpRequest, state: Data<Web>, session: Session, id: Path<String>) -> HttpResponse {
    let read = read(&request, &state, &session);
    hop(state, Some(session), move |web| web.outbox_mail(&read, &id)).await
}

async fn ready(state: Data<Web>) -> HttpResponse {
    hop(state, None, |web| match (web.app.duty(), web.app.db.ping()) {
        (Duty::Serving, Ok(())) => Reply::text(200, "ready"),
        (Duty::Leaving, _) => Reply::text(503, "this node is leaving"),
        (Duty::Relieved(..), _) => Reply::text(503, "this node stepped down"),
        (Duty::Serving, Err(_)) => Reply::text(503, "the database cannot be reached"),
    })
    .await
}

async fn asset(request: HttpRequest, state: Data<Web>, path: Path<String>) -> HttpResponse {
    let version =
        gate::decode(request.query_string()).unwrap_or_default().into_iter().find(|(key, _)| key == "v").map(|(_, value)| value);
    let accepts = request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(answer) = state.assets.answer(&path, version.as_deref(), accepts.contains("gzip")) else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("There is no such file.");
    };
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, answer.cache)).insert_header((header::ETAG, answer.tag.clone()));
    response.insert_header((header::VARY, "Accept-Encoding")).content_type(answer.content_type);
    if known == Some(answer.tag.as_str()) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    if let Some(encoding) = answer.encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    response.body(answer.body.to_vec())
}
