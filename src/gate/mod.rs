//! Layer 1: what every request passes before anything is asked, and every answer before it leaves.
//!
//! Request id, host, method, origin, size; security headers with a nonce per response. The gate
//! deliberately knows nothing of callers and rights.

mod authority;
mod body;
mod cookies;
mod credit;
mod facts;
mod framing;
mod headers;
mod places;
mod queue;
mod session;

pub use authority::Authority;
pub use body::{BodyError, Form, decode, form};
pub use cookies::{BadCookies, SESSION_COOKIE, cookie_name, keep_ours};
pub use credit::Credit;
pub use facts::{Facts, Listening, client_address};
pub use framing::Framing;
pub use headers::dress;
pub use places::{Client, Full, Place, Places};
pub use queue::{Queue, Turn};
pub use session::{COOKIE_TOKEN, Tokens, cookie_key};

use crate::config::{Origin, Settings};
use actix_web::HttpRequest;
use actix_web::http::{Method, header};
use std::net::IpAddr;
use std::time::Duration;

/// The gate's rules, from the settings.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The address people see.
    pub base_url: Origin,
    /// Host names that requests may carry.
    pub hosts: Vec<String>,
    /// Proxies whose word about the client's address is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// Cookies for TLS only.
    pub secure_cookie: bool,
    /// Bytes of a body.
    pub most_body: usize,
    /// Fields of a form.
    pub most_fields: usize,
    /// Bytes of one field.
    pub most_field: usize,
    /// Connections, in all and for each network.
    pub connections: Places,
    /// Bytes of forms that are being read or worked on, in all and for each client.
    pub bodies: Places,
    /// Streams that stay open, in all and for each client.
    pub streams: Places,
    /// Turns of requests.
    pub turns: Turns,
}

/// The queues of requests. What takes long or must always work has seats of its own.
#[derive(Clone, Debug)]
pub struct Turns {
    /// Most requests.
    pub work: Queue,
    /// Those that compare or make a password's hash, which takes a core for a while.
    pub passwords: Queue,
    /// Signing out, and whether the server is ready.
    pub vital: Queue,
}

/// Requests that compare passwords: two more than there are hashes at once may be on their way to or from one.
const BESIDE_HASHES: usize = 2;
/// What must always work: so many at once, and so many that wait.
const VITAL: (usize, u32) = (4, 128);
/// Nobody waits longer for a turn.
const PATIENCE: Duration = Duration::from_secs(5);

impl Turns {
    fn configured(settings: &Settings) -> Self {
        let (limits, size) = (&settings.limits, |count: u32| usize::try_from(count).unwrap_or(usize::MAX));
        let places = || Places::new(limits.requests, limits.requests_per_client);
        let hashing = size(settings.argon2.concurrent).saturating_add(BESIDE_HASHES);
        Self {
            work: Queue::new(size(limits.working), places(), PATIENCE),
            passwords: Queue::new(hashing, places(), PATIENCE),
            vital: Queue::new(VITAL.0, Places::new(VITAL.1, VITAL.1), PATIENCE),
        }
    }
}

/// Why a request does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The host is none of ours (DNS rebinding, icsa-26-321-05).
    Host,
    /// Only GET, HEAD and POST are known.
    Method,
    /// The form comes from another site.
    Origin,
    /// The address is too long.
    TooLong,
    /// The query holds a broken escape, or bytes that are no text.
    Query,
    /// The body comes in chunks: how long it will be is not known.
    Chunked,
    /// A cookie of ours comes twice.
    Cookies,
}

const LONGEST_ADDRESS: usize = 16 * 1_024;

impl Gate {
    /// The rules of these settings.
    pub fn configured(settings: &Settings) -> Self {
        let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            base_url: settings.base_url.clone(),
            hosts: settings.hosts.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            secure_cookie: settings.secure_cookie(),
            most_body: size(settings.limits.body),
            most_fields: size(settings.limits.fields),
            most_field: size(settings.limits.field),
            connections: Places::new(settings.limits.connections, settings.limits.connections_per_address),
            bodies: Places::new(settings.limits.bodies, settings.limits.bodies_per_client),
            streams: Places::new(settings.limits.streams, settings.limits.streams_per_client),
            turns: Turns::configured(settings),
        }
    }

    /// Lets a request in, or says why not.
    pub fn check(&self, request: &HttpRequest) -> Result<(), Stopped> {
        if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) {
            return Err(Stopped::Method);
        }
        let length = request.uri().path_and_query().map_or(0, |whole| whole.as_str().len());
        if length > LONGEST_ADDRESS {
            return Err(Stopped::TooLong);
        }
        if decode(request.query_string()).is_none() {
            return Err(Stopped::Query);
        }
        if request.headers().contains_key(header::TRANSFER_ENCODING) {
            return Err(Stopped::Chunked);
        }
        if !request.path().starts_with("/health/") && !self.host_is_ours(request) {
            return Err(Stopped::Host);
        }
        if *request.method() == Method::POST && !self.is_from_here(request) {
            return Err(Stopped::Origin);
        }
        Ok(())
    }

    /// Host and port are ours: in the `Host` header, and in the address when that is a whole one. The port is the one
    /// that people use or the one that is listened on; a proxy may leave it out.
    // SECURITY: DNS rebinding, and links made of a host that a client chose (icsa-26-321-05;
    // `the_whole_host_and_port_must_be_ours_in_the_header_and_in_the_address`).
    fn host_is_ours(&self, request: &HttpRequest) -> bool {
        let Some(host) = self.named_host(request) else { return false };
        let same = match (request.uri().authority(), request.uri().scheme_str()) {
            (None, None) => true,
            (Some(whole), Some("http" | "https")) => Authority::parse(whole.as_str()).is_some_and(|whole| whole == host),
            _ => false,
        };
        let listening = request.app_data::<Listening>().map(|at| at.0.port());
        let ports: Vec<u16> = listening.into_iter().chain([self.base_url.effective_port()]).collect();
        same && host.is_one_of(&self.hosts, &ports)
    }

    fn named_host(&self, request: &HttpRequest) -> Option<Authority> {
        request.headers().get(header::HOST)?.to_str().ok().and_then(Authority::parse)
    }

    // SECURITY: a browser names the origin of a form; a foreign one is refused before any token is looked at.
    fn is_from_here(&self, request: &HttpRequest) -> bool {
        let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
        if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return false;
        }
        let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
        let Some(origin) = origin.to_str().ok().and_then(|text| Origin::try_from(text.to_owned()).ok()) else { return false };
        let usual = if origin.secure { 443 } else { 80 };
        let here = self.named_host(request).is_some_and(|host| {
            host.is_one_of(std::slice::from_ref(&origin.host), &[origin.effective_port()])
                && host.port.unwrap_or(usual) == origin.effective_port()
        });
        origin == self.base_url || (here && origin.secure == self.base_url.secure)
    }
}
