//! Listening.

use super::assemble::StartError;
use super::door::Door;
use super::process::allow_connections;
use super::signals::{Signals, Told};
use super::wire::{Pace, Wire};
use crate::config::Level;
use crate::gate::{Listening, SESSION_COOKIE, Tokens, cookie_key, cookie_name};
use crate::schedule::Schedule;
use crate::web::{self, Web};
use actix_http::{HttpService, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_session::SessionMiddleware;
use actix_session::config::CookieContentSecurity;
use actix_web::App;
use actix_web::body::BoxBody;
use actix_web::cookie::SameSite;
use actix_web::dev::{AppConfig, Server, ServerHandle, Service, ServiceFactory, ServiceResponse, fn_service};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpSocket;

/// Threads per worker that may work on requests: more would only wait for the database.
const MOST_THREADS: usize = 32;

/// An idle connection is kept so long.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// What is still under way may still come for so long when a connection is closed.
const LINGER: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Builds the HTTP server of a web.
fn listen(web: Data<Web>, workers: usize, pace: Pace) -> std::io::Result<(Server, SocketAddr)> {
    let listener = bind(web.app.settings.listen)?;
    let bound = listener.local_addr()?;
    let (door, width) = (Door::new(&web.gate, pace), door_width(&web));
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let factory = move || {
        let (door, stopping) = (door.clone(), stopping.clone());
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(pace.head)
            .client_disconnect_timeout(LINGER)
            .local_addr(bound)
            .on_connect_ext(|wire: &Wire, data| {
                data.insert(wire.credit());
            })
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .h1(map_config(application(&web, bound), |()| AppConfig::default()));
        fn_service(move |stream| door.clone().open(stream)).and_then(http)
    };
    let server = builder
        .workers(workers)
        .worker_max_blocking_threads(MOST_THREADS)
        .max_concurrent_connections(width)
        .shutdown_timeout(10)
        .disable_signals()
        .listen("portcullis", listener, factory)?;
    Ok((server.run(), bound))
}

/// A listener whose address is free again as soon as the process before it has ended.
fn bind(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// The library stops accepting at its own limit. The door's comes first: it says so, and to whom.
fn door_width(web: &Web) -> usize {
    usize::try_from(web.app.settings.limits.connections).unwrap_or(usize::MAX).saturating_add(256)
}

/// What answers requests, behind the session cookie and the gate.
fn application(
    web: &Data<Web>,
    bound: SocketAddr,
) -> impl ServiceFactory<
    Request,
    Config = AppConfig,
    Response = ServiceResponse<BoxBody>,
    Error = Response<BoxBody>,
    InitError = (),
    Service = impl Service<Request, Response = ServiceResponse<BoxBody>, Error = Response<BoxBody>> + use<>,
> + use<> {
    let secure = web.gate.secure_cookie;
    let session = SessionMiddleware::builder(Tokens, cookie_key(&web.app.keys))
        .cookie_name(cookie_name(secure, SESSION_COOKIE))
        .cookie_secure(secure)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".to_owned())
        .cookie_content_security(CookieContentSecurity::Signed)
        .build();
    let app = App::new().app_data(web.clone()).app_data(Listening(bound)).wrap(session).wrap(from_fn(web::guard));
    app.configure(web::routes).into_factory().map_err(|error: actix_web::Error| error.error_response().into())
}

/// Runs until the process is told to stop. Told by SIGTERM it first is not ready any more, and serves on for the
/// drain time, so that a balancer can send people elsewhere; then, and at once when told by Ctrl-C or twice, it
/// takes nothing new and finishes the requests under way.
pub fn run(web: Web, ready: impl FnOnce(&Web, SocketAddr) + Send) -> Result<(), StartError> {
    let web = Data::new(web);
    let address = web.app.settings.listen;
    if let Some(text) = allow_connections(web.app.settings.limits.connections) {
        web.app.logs.write("portcullis.server", Level::Warning, &text, None);
    }
    let failed = move |error: std::io::Error| StartError::Other(format!("cannot listen on {address}: {error}"));
    actix_web::rt::System::new().block_on(async move {
        let mut signals = Signals::new().map_err(failed)?;
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let (server, bound) = listen(web.clone(), workers, Pace::default()).map_err(failed)?;
        let schedule = Schedule::start(web.clone().into_inner()).map_err(failed)?;
        let handle = server.handle();
        let leaving = web.clone();
        actix_web::rt::spawn(async move {
            let drain = match signals.next().await {
                Told::Terminate if leaving.app.demo.is_none() => leaving.app.settings.drain,
                _ => Duration::ZERO,
            };
            leaving.app.leave();
            tokio::select! {
                () = tokio::time::sleep(drain) => {}
                _ = signals.next() => {}
            }
            handle.stop(true).await;
        });
        // What is said at the start asks the database, and nobody may wait for a database on a thread that
        // drives sockets.
        std::thread::scope(|scope| scope.spawn(|| ready(&web, bound)).join())
            .map_err(|_| StartError::Other("what is said at the start could not be said".into()))?;
        let ended = server.await.map_err(failed);
        drop(schedule);
        ended
    })
}

/// A server in this process, for tests; stops when dropped.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its parts.
    pub web: Arc<Web>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
    schedule: Option<Schedule>,
}

/// Starts a server in a thread of its own; with `scheduled`, its clockwork too.
pub fn start(web: Web, scheduled: bool) -> Result<Running, StartError> {
    start_at_pace(web, scheduled, Pace::default())
}

/// The same for clients that may be only so slow.
pub fn start_at_pace(web: Web, scheduled: bool, pace: Pace) -> Result<Running, StartError> {
    let web = Data::new(web);
    let (tell, told) = channel();
    let inner = web.clone();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            match listen(inner, 2, pace) {
                Ok((server, address)) => {
                    let _ = tell.send(Ok((address, server.handle())));
                    let _ = server.await;
                }
                Err(error) => {
                    let _ = tell.send(Err(error));
                }
            }
        });
    });
    let other = |error: String| StartError::Other(error);
    let (address, handle) = told.recv().map_err(|error| other(error.to_string()))?.map_err(|error| other(error.to_string()))?;
    let web = web.into_inner();
    let schedule = if scheduled { Some(Schedule::start(web.clone()).map_err(|error| other(error.to_string()))?) } else { None };
    Ok(Running { address, web, handle, thread: Some(thread), schedule })
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.schedule.take());
        let handle = self.handle.clone();
        actix_web::rt::System::new().block_on(async move { handle.stop(false).await });
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
