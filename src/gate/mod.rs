//! Layer 1: what every request passes before anything is asked, and every answer before it leaves.
//!
//! Request id, host, method, origin, size; security headers with a nonce per response. The gate
//! deliberately knows nothing of callers and rights.

mod body;
mod facts;
mod headers;
mod session;

pub use body::{BodyError, decode, form};
pub use facts::{Facts, client_address};
pub use headers::dress;
pub use session::{COOKIE_TOKEN, Tokens, cookie_key};

use crate::config::{Origin, Settings};
use actix_web::HttpRequest;
use actix_web::http::{Method, header};
use std::net::IpAddr;

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
        if !request.path().starts_with("/health/") && !self.host_is_ours(request) {
            return Err(Stopped::Host);
        }
        if *request.method() == Method::POST && !self.is_from_here(request) {
            return Err(Stopped::Origin);
        }
        Ok(())
    }

    fn host_is_ours(&self, request: &HttpRequest) -> bool {
        let Some(host) = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()) else { return false };
        let bare = match host.rfind(':') {
            Some(at) if !host.ends_with(']') => host.get(..at).unwrap_or_default(),
            _ => host,
        };
        let bare = bare.to_ascii_lowercase();
        self.hosts.contains(&bare)
    }

    // SECURITY: a browser names the origin of a form; a foreign one is refused before any token is looked at.
    fn is_from_here(&self, request: &HttpRequest) -> bool {
        let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
        if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return false;
        }
        let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
        let Some(origin) = origin.to_str().ok().and_then(|text| Origin::try_from(text.to_owned()).ok()) else { return false };
        let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let named = match origin.port {
            Some(port) => format!("{}:{port}", origin.host),
            None => origin.host.clone(),
        };
        origin == self.base_url || (named.eq_ignore_ascii_case(host) && origin.secure == self.base_url.secure)
    }
}
