//! Listening.

use super::assemble::StartError;
use super::signals::{Signals, Told};
use crate::gate::{Tokens, cookie_key};
use crate::schedule::Schedule;
use crate::web::{self, Web};
use actix_session::SessionMiddleware;
use actix_session::config::CookieContentSecurity;
use actix_web::cookie::SameSite;
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

/// The name of the session cookie.
const COOKIE: &str = "portcullis_session";

/// Threads per worker that may work on requests: more would only wait for the database.
const MOST_THREADS: usize = 32;

/// Builds the HTTP server of a web.
fn listen(web: Data<Web>, workers: usize) -> std::io::Result<(Server, SocketAddr)> {
    let address = web.app.settings.listen;
    let key = cookie_key(&web.app.keys);
    let secure = web.gate.secure_cookie;
    let server = HttpServer::new(move || {
        let session = SessionMiddleware::builder(Tokens, key.clone())
            .cookie_name(COOKIE.to_owned())
            .cookie_secure(secure)
            .cookie_http_only(true)
            .cookie_same_site(SameSite::Lax)
            .cookie_path("/".to_owned())
            .cookie_content_security(CookieContentSecurity::Signed)
            .build();
        App::new().app_data(web.clone()).wrap(session).wrap(from_fn(web::guard)).configure(web::routes)
    })
    .workers(workers)
    .worker_max_blocking_threads(MOST_THREADS)
    .client_request_timeout(Duration::from_secs(10))
    .keep_alive(Duration::from_secs(30))
    .max_connections(2_000)
    .shutdown_timeout(10)
    .disable_signals();
    let server = server.bind(address)?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), bound))
}

/// Runs until the process is told to stop. Told by SIGTERM it first is not ready any more, and serves on for the
/// drain time, so that a balancer can send people elsewhere; then, and at once when told by Ctrl-C or twice, it
/// takes nothing new and finishes the requests under way.
pub fn run(web: Web, ready: impl FnOnce(&Web, SocketAddr) + Send) -> Result<(), StartError> {
    let web = Data::new(web);
    let address = web.app.settings.listen;
    let failed = move |error: std::io::Error| StartError::Other(format!("cannot listen on {address}: {error}"));
    actix_web::rt::System::new().block_on(async move {
        let mut signals = Signals::new().map_err(failed)?;
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let (server, bound) = listen(web.clone(), workers).map_err(failed)?;
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
    let web = Data::new(web);
    let (tell, told) = channel();
    let inner = web.clone();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            match listen(inner, 2) {
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
