//! Addresses → functions of [`Web`]: here, and for `/admin` in `admin`, HTTP is spoken.

use super::hop::{Lane, hop, hop_by, in_turn, respond};
use super::links::purpose;
use super::packed;
use super::reply::Reply;
use super::request::{Request, local};
use super::state::Web;
use crate::app::{Ask, Duty};
use crate::gate::{self, BadCookies, COOKIE_TOKEN, Client, Credit, Facts, Form, Stopped};
use actix_session::Session;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use std::net::IpAddr;

/// All addresses. `admin` adds those of the administration.
pub fn routes(config: &mut ServiceConfig) {
    let get =
        |act: fn(&Web, &Request) -> Reply| web::get().to(move |request, state, session| simple(request, state, session, act));
    let post = |act: fn(&Web, &Request) -> Reply| {
        web::post().to(move |request, state, session, body| with_form(request, state, session, body, Lane::Work, act))
    };
    let hashing = |act: fn(&Web, &Request) -> Reply| {
        web::post().to(move |request, state, session, body| with_form(request, state, session, body, Lane::Passwords, act))
    };
    let vital = |act: fn(&Web, &Request) -> Reply| {
        web::post().to(move |request, state, session, body| with_form(request, state, session, body, Lane::Vital, act))
    };
    config
        .route("/", get(Web::home))
        .route("/health/live", web::get().to(async || HttpResponse::Ok().body("live")))
        .route("/health/ready", web::get().to(ready))
        .route("/static/{path:.*}", web::get().to(asset))
        .service(web::resource("/p/{name}").route(web::get().to(show)).route(web::post().to(send)))
        .service(web::resource("/sign-in").route(get(Web::sign_in_page)).route(hashing(Web::sign_in)))
        .route("/sign-in/demo", post(Web::sign_in_demo))
        .route("/sign-out", vital(Web::sign_out))
        .service(web::resource("/forgot").route(get(Web::forgot_page)).route(post(Web::forgot)))
        .route("/link/{purpose}/{token}", web::get().to(link))
        .route("/link/{purpose}", web::post().to(use_link))
        .route("/account", get(Web::account_page))
        .route("/account/password", hashing(Web::change_password))
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
    let token = session.get::<String>(COOKIE_TOKEN).ok().flatten();
    let account = state.app.account_hint(token.as_deref());
    let target = request.uri().path_and_query().map_or("/".to_owned(), |whole| whole.as_str().to_owned());
    Request {
        ask: Ask {
            session: token,
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
        packs: packed::may_be_packed(request),
        client: account.map_or_else(|| Client::network(facts.address), |account| Client::Account(account.0)),
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

pub(super) async fn simple(
    request: HttpRequest,
    state: Data<Web>,
    session: Session,
    act: fn(&Web, &Request) -> Reply,
) -> HttpResponse {
    let read = read(&request, &state, &session);
    hop(state, session, read, act).await
}

/// Reads the form, then hops.
pub(super) async fn formed(
    request: HttpRequest,
    state: Data<Web>,
    session: Session,
    body: Payload,
    lane: Lane,
    act: impl FnOnce(&Web, &Request) -> Reply + Send + 'static,
) -> HttpResponse {
    let mut read = read(&request, &state, &session);
    let place = match gate::form(&state.gate, &request, body, read.client).await {
        Ok(Form { fields, place }) => {
            read.form = fields;
            place
        }
        Err(error) => return respond(&state, None, state.unreadable(&error)),
    };
    hop_by(lane, state, session, read, move |web, read| {
        let reply = act(web, read);
        drop(place);
        reply
    })
    .await
}

pub(super) async fn with_form(
    request: HttpRequest,
    state: Data<Web>,
    session: Session,
    body: Payload,
    lane: Lane,
    act: fn(&Web, &Request) -> Reply,
) -> HttpResponse {
    formed(request, state, session, body, lane, act).await
}

async fn show(request: HttpRequest, state: Data<Web>, session: Session, name: Path<String>) -> HttpResponse {
    let read = read(&request, &state, &session);
    hop(state, session, read, move |web, read| web.show_page(read, &name)).await
}

async fn send(request: HttpRequest, state: Data<Web>, session: Session, name: Path<String>, body: Payload) -> HttpResponse {
    formed(request, state, session, body, Lane::Work, move |web, read| web.send_page(read, &name)).await
}

async fn link(request: HttpRequest, state: Data<Web>, session: Session, parts: Path<(String, String)>) -> HttpResponse {
    let read = read(&request, &state, &session);
    let (word, token) = parts.into_inner();
    hop(state, session, read, move |web, read| match purpose(&word) {
        Some(purpose) => web.link_page(read, purpose, &token),
        None => web.nowhere(read),
    })
    .await
}

async fn use_link(request: HttpRequest, state: Data<Web>, session: Session, word: Path<String>, body: Payload) -> HttpResponse {
    formed(request, state, session, body, Lane::Passwords, move |web, read| match purpose(&word) {
        Some(purpose) => web.use_link(read, purpose),
        None => web.nowhere(read),
    })
    .await
}

async fn outbox_mail(request: HttpRequest, state: Data<Web>, session: Session, id: Path<String>) -> HttpResponse {
    let read = read(&request, &state, &session);
    hop(state, session, read, move |web, read| web.outbox_mail(read, &id)).await
}

async fn ready(request: HttpRequest, state: Data<Web>) -> HttpResponse {
    let address = request.extensions().get::<Facts>().map_or(IpAddr::from([0, 0, 0, 0]), |facts| facts.address);
    let looked = in_turn(Lane::Vital, &state, Client::network(address), |web| match (web.app.duty(), web.app.db.ping()) {
        (Duty::Serving, Ok(())) => Reply::text(200, "ready"),
        (Duty::Leaving, _) => Reply::text(503, "this node is leaving"),
        (Duty::Relieved(..), _) => Reply::text(503, "this node stepped down"),
        (Duty::Serving, Err(_)) => Reply::text(503, "the database cannot be reached"),
    });
    respond(&state, None, looked.await.unwrap_or_else(|reply| reply))
}

async fn asset(request: HttpRequest, state: Data<Web>, path: Path<String>) -> HttpResponse {
    let version =
        gate::decode(request.query_string()).unwrap_or_default().into_iter().find(|(key, _)| key == "v").map(|(_, value)| value);
    let Some(answer) = state.assets.answer(&path, version.as_deref(), packed::takes_gzip(&request)) else {
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
