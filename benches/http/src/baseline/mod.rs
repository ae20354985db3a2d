//! What a careful programmer writes by hand: prepared statements, a pool, escaped HTML, no security at all.

mod html;
mod over_diesel;
mod over_rusqlite;

pub use over_diesel::Diesel;
pub use over_rusqlite::Rusqlite;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path, Query, ServiceConfig, block, get, post};
use actix_web::{App, HttpResponse, HttpServer};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;

/// One employee, as the list and the record show them.
#[derive(Serialize)]
pub struct Person {
    pub id: i64,
    pub number: i64,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub job_title: String,
    pub status: String,
    pub joined: String,
    pub salary: i64,
}

/// What a form sends.
#[derive(Clone, Deserialize)]
pub struct Sent {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub job_title: String,
}

/// The queries, by either library.
pub trait Queries: Send + Sync + 'static {
    fn list(&self, department: i64, limit: i64) -> anyhow::Result<Vec<Person>>;
    /// How many there are, counted up to `cap`.
    fn total(&self, department: i64, cap: i64) -> anyhow::Result<i64>;
    fn one(&self, id: i64) -> anyhow::Result<Option<Person>>;
    fn create(&self, department: i64, sent: &Sent) -> anyhow::Result<i64>;
    fn change(&self, id: i64, sent: &Sent) -> anyhow::Result<()>;
}

#[derive(Deserialize)]
struct ListQuery {
    department: i64,
    #[serde(default)]
    total: bool,
}

#[derive(Serialize)]
struct Listed {
    rows: Vec<Person>,
    more: bool,
    total: Option<i64>,
}

type State = Data<dyn Queries>;

enum Answer {
    Html(u16, String),
    Json(String),
    Elsewhere(String),
}

/// One hop to the blocking pool, as in the server that is compared.
async fn hop(state: State, act: impl FnOnce(&dyn Queries) -> anyhow::Result<Answer> + Send + 'static) -> HttpResponse {
    match block(move || act(&**state)).await {
        Ok(Ok(Answer::Html(status, html))) => {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html)
        }
        Ok(Ok(Answer::Json(json))) => HttpResponse::Ok().content_type("application/json").body(json),
        Ok(Ok(Answer::Elsewhere(to))) => HttpResponse::SeeOther().insert_header(("location", to)).finish(),
        Ok(Err(error)) => HttpResponse::InternalServerError().body(error.to_string()),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

const PAGE: i64 = 20;
const MOST_COUNTED: i64 = 10_000;

fn rows(queries: &dyn Queries, asked: &ListQuery) -> anyhow::Result<(Vec<Person>, bool, Option<i64>)> {
    let mut rows = queries.list(asked.department, PAGE + 1)?;
    let more = rows.len() as i64 > PAGE;
    rows.truncate(PAGE as usize);
    let total = if asked.total { Some(queries.total(asked.department, MOST_COUNTED + 1)?) } else { None };
    Ok((rows, more, total))
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/health/ready", get().to(async || HttpResponse::Ok().body("ready")))
        .route(
            "/list",
            get().to(|state: State, asked: Query<ListQuery>| {
                hop(state, move |queries| {
                    let (rows, more, total) = rows(queries, &asked)?;
                    Ok(Answer::Html(200, html::list(&rows, more, total)))
                })
            }),
        )
        .route(
            "/list.json",
            get().to(|state: State, asked: Query<ListQuery>| {
                hop(state, move |queries| {
                    let (rows, more, total) = rows(queries, &asked)?;
                    Ok(Answer::Json(serde_json::to_string(&Listed { rows, more, total })?))
                })
            }),
        )
        .route(
            "/record/{id}",
            get().to(|state: State, id: Path<i64>| {
                hop(state, move |queries| {
                    Ok(match queries.one(*id)? {
                        Some(person) => Answer::Html(200, html::record(&person)),
                        None => Answer::Html(404, html::gone()),
                    })
                })
            }),
        )
        .route(
            "/create",
            post().to(|state: State, sent: Form<Sent>| {
                hop(state, move |queries| {
                    queries.create(1, &sent)?;
                    Ok(Answer::Elsewhere("/list?department=1".to_owned()))
                })
            }),
        )
        .route(
            "/change/{id}",
            post().to(|state: State, id: Path<i64>, sent: Form<Sent>| {
                hop(state, move |queries| {
                    queries.change(*id, &sent)?;
                    Ok(Answer::Elsewhere(format!("/record/{id}")))
                })
            }),
        );
}

/// Serves with as many workers as the server that is compared.
pub fn serve(listen: SocketAddr, queries: impl Queries) -> anyhow::Result<()> {
    let state: State = Data::from(Arc::new(queries) as Arc<dyn Queries>);
    actix_web::rt::System::new().block_on(async move {
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let server = HttpServer::new(move || App::new().app_data(state.clone()).configure(routes)).workers(workers).bind(listen)?;
        println!("{}", serde_json::json!({"address": server.addrs()[0], "passwords": {}}));
        server.run().await?;
        Ok(())
    })
}
