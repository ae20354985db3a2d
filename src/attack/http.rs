//! One attacker's end of the wire: a connection that is kept, and the cookies of one browser.

use crate::clock::Clock;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::http;

/// A request, ready to be sent and to be told again as a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers beside those of a browser.
    pub headers: Vec<(String, String)>,
    /// The body, a form unless a header says otherwise.
    pub body: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status; 0 when there was no answer.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// How long it took.
    pub took: Duration,
}

/// A browser.
pub struct Client {
    agent: ureq::Agent,
    address: SocketAddr,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Request {
    /// `GET`
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: "GET".into(), target: target.into(), headers: Vec::new(), body: None }
    }
    /// `POST` with a form.
    pub fn post<K: AsRef<str>, V: AsRef<str>>(target: impl Into<String>, pairs: &[(K, V)]) -> Self {
        Self { method: "POST".into(), body: Some(encoded(pairs)), ..Self::get(target) }
    }
    /// With another method.
    pub fn by(self, method: &str) -> Self {
        Self { method: method.into(), ..self }
    }
    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
    /// Everything that the attacker says: what comes back of it is no gain.
    pub fn said(&self) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        let mut all = format!("{} {} {}", self.target, decoded(&self.target), decoded(body));
        self.headers.iter().for_each(|(_, value)| all.extend([" ", value]));
        all
    }
    /// As a command for a shell.
    pub fn curl(&self, base: &str, cookies: &str) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let mut out = format!("curl -si -X {} {}", self.method, quoted(&format!("{base}{}", self.target)));
        if !cookies.is_empty() {
            let _ = write!(out, " -b {}", quoted(cookies));
        }
        for (name, value) in &self.headers {
            let _ = write!(out, " -H {}", quoted(&format!("{name}: {value}")));
        }
        if let Some(body) = &self.body {
            let _ = write!(out, " --data-raw {}", quoted(body));
        }
        out
    }
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
    /// Everything that the attacker hears.
    pub fn heard(&self) -> String {
        let mut all = self.body.clone();
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie")) {
            let _ = write!(all, "\n{name}: {} {value}", decoded(value));
        }
        all
    }
}

impl Client {
    /// A fresh browser.
    pub fn new(address: SocketAddr) -> Self {
        Self::patient(address, Duration::from_secs(60))
    }

    /// Another browser with a copy of these cookies that waits so long for a whole answer.
    pub fn brief(address: SocketAddr, of: &Self, wait: Duration) -> Self {
        let brief = Self::patient(address, wait);
        *brief.jar() = of.jar().clone();
        brief
    }

    fn patient(address: SocketAddr, wait: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .proxy(None)
            .user_agent("portcullis-attack")
            .timeout_global(Some(wait))
            .max_response_header_size(256 * 1024)
            .build();
        Self { agent: config.new_agent(), address, cookies: Mutex::default() }
    }

    /// Another browser with a copy of these cookies.
    pub fn twin(&self) -> Self {
        let twin = Self::new(self.address);
        *twin.jar() = self.jar().clone();
        twin
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cookies as they would be sent.
    pub fn cookies(&self) -> String {
        self.jar().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Where the server is.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends a request; keeps the cookies, follows nothing.
    pub fn send(&self, request: &Request) -> Answer {
        let begun = Clock::system().instant();
        let (head, body) = match self.exchange(request) {
            Ok(mut answer) => {
                let body = answer.body_mut().with_config().limit(64 << 20).lossy_utf8(true).read_to_string().unwrap_or_default();
                (answer, body)
            }
            // What the client itself refuses to send, and a connection that was closed, is no answer.
            Err(_) => return Answer { took: begun.elapsed(), ..Answer::default() },
        };
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: Vec<(String, String)> = head.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        self.keep(&headers);
        Answer { status: head.status().as_u16(), headers, body, took: begun.elapsed() }
    }

    fn exchange(&self, request: &Request) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let mut head = http::Request::builder().method(request.method.as_str()).uri(format!("{}{}", self.base(), request.target));
        let cookies = self.cookies();
        let named = |name: &str| request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !cookies.is_empty() && !named("cookie") {
            head = head.header("cookie", cookies);
        }
        if request.body.is_some() && !named("content-type") {
            head = head.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in &request.headers {
            head = head.header(name.as_str(), value.as_str());
        }
        match &request.body {
            Some(body) => self.agent.run(head.body(body.as_str())?),
            None => self.agent.run(head.body(())?),
        }
    }

    fn keep(&self, headers: &[(String, String)]) {
        let mut jar = self.jar();
        for (_, line) in headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).unwrap_or(("", ""));
            if value.is_empty() || line.to_ascii_lowercase().contains("max-age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// Encodes pairs as a form.
pub fn encoded<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let one = |(key, value): &(K, V)| format!("{}={}", escaped(key.as_ref()), escaped(value.as_ref()));
    pairs.iter().map(one).collect::<Vec<_>>().join("&")
}

/// Percent-encodes everything but letters, digits and `-_.~`.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The other way round; what is no escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        let hex = more.get(..2).and_then(|two| std::str::from_utf8(two).ok()).and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_can_be_told_as_a_command_whatever_is_in_it() {
        let request = Request::post("/p/a?x=1", &[("a'b", "c d")]).with("Origin", "null");
        assert_eq!(
            request.curl("http://h", "s=1"),
            "curl -si -X POST 'http://h/p/a?x=1' -b 's=1' -H 'Origin: null' --data-raw 'a%27b=c%20d'"
        );
    }

    #[test]
    fn what_was_said_is_known_escaped_and_plain() {
        assert!(Request::get("/p/a?w1.q=%7Aq1+2").said().contains("w1.q=zq1 2"));
        assert!(Request::post("/", &[("a", "zq ü")]).said().contains("a=zq ü"));
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }
}
