//! Addresses of the administration.

use super::super::handlers::{formed, read, simple, with_form};
use super::super::hop::{Lane, hop};
use super::super::reply::Reply;
use super::super::request::Request;
use super::super::state::Web;
use super::stream;
use crate::identity::AccountId;
use actix_session::Session;
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};

/// Adds the addresses below `/admin`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/admin", get(Web::admin))
        .service(web::resource("/admin/users").route(get(Web::users_page)))
        .route("/admin/users/invite", post(Web::invite_user))
        .service(web::resource("/admin/users/{id}").route(web::get().to(user)))
        .route("/admin/users/{id}/roles", deed(Web::assign_roles))
        .route("/admin/users/{id}/block", deed(Web::block_user))
        .route("/admin/users/{id}/unblock", deed(Web::unblock_user))
        .route("/admin/users/{id}/reset", deed(Web::reset_user))
        .route("/admin/users/{id}/invite", deed(Web::invite_again))
        .route("/admin/users/{id}/sessions/end", deed(Web::end_sessions))
        .route("/admin/matrix", get(Web::matrix_page))
        .route("/admin/audit", get(Web::audit_page))
        .route("/admin/audit/why", get(Web::why_page))
        .service(web::resource("/admin/audit/verify").route(get(Web::to_audit)).route(post(Web::verify_audit)))
        .route("/admin/log", get(Web::log_page))
        .service(web::resource("/admin/log/level").route(get(Web::to_log)).route(post(Web::set_level)))
        .route("/admin/log/stream", web::get().to(stream::follow));
}

fn get(act: fn(&Web, &Request) -> Reply) -> Route {
    web::get().to(move |request, state, session| simple(request, state, session, act))
}

fn post(act: fn(&Web, &Request) -> Reply) -> Route {
    web::post().to(move |request, state, session, body| with_form(request, state, session, body, Lane::Work, act))
}

/// A form about one account.
fn deed(act: fn(&Web, &Request, AccountId) -> Reply) -> Route {
    web::post().to(move |request: HttpRequest, state: Data<Web>, session: Session, body: Payload, id: Path<String>| {
        formed(request, state, session, body, Lane::Work, move |web, read| act(web, read, account(&id)))
    })
}

async fn user(request: HttpRequest, state: Data<Web>, session: Session, id: Path<String>) -> HttpResponse {
    let read = read(&request, &state, &session);
    hop(state, session, read, move |web, read| web.user_page(read, account(&id))).await
}

/// The account of an address; what is no key is the key of nobody.
fn account(text: &str) -> AccountId {
    AccountId(text.parse().unwrap_or(0))
}
