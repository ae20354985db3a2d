//! A browser with one connection that stays open, for benchmarks over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Somebody with a browser, behind a proxy that says which network they are in.
pub struct Browser {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    cookies: Vec<(String, String)>,
    from: String,
}

/// What came back; the status is 0 when nothing did.
#[derive(Default)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// Where it leads.
    pub location: Option<String>,
}

impl Browser {
    pub fn new(address: SocketAddr, from: &str) -> Self {
        Self { address, stream: None, cookies: Vec::new(), from: from.into() }
    }

    /// One request, on a new connection when the present one is gone.
    pub fn ask(&mut self, method: &str, path: &str, form: &str) -> Answer {
        self.attempt(method, path, form).unwrap_or_else(|| {
            self.stream = None;
            self.attempt(method, path, form).unwrap_or_default()
        })
    }

    /// Opens an address and follows where it leads.
    pub fn open(&mut self, path: &str) -> Answer {
        let mut answer = self.ask("GET", path, "");
        for _ in 0..5 {
            let Some(next) = answer.location.take() else { break };
            answer = self.ask("GET", &next, "");
        }
        answer
    }

    fn attempt(&mut self, method: &str, path: &str, form: &str) -> Option<Answer> {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let (host, from) = (self.address, &self.from);
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {from}\r\nCookie: {cookies}\r\n");
        if method == "POST" {
            let length = form.len();
            head += &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n");
        }
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).ok()?;
            stream.set_nodelay(true).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
            self.stream = Some(BufReader::new(stream));
        }
        self.stream.as_mut()?.get_mut().write_all(format!("{head}\r\n{form}").as_bytes()).ok()?;
        self.receive()
    }

    fn receive(&mut self) -> Option<Answer> {
        let stream = self.stream.as_mut()?;
        let (mut answer, mut length, mut line) = (Answer::default(), 0, String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            match text.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)) {
                None => answer.status = text.split(' ').nth(1)?.parse().ok()?,
                Some((name, value)) if name == "content-length" => length = value.parse().ok()?,
                Some((name, value)) if name == "location" => answer.location = Some(value.to_owned()),
                Some((name, value)) if name == "set-cookie" => {
                    let (name, value) = value.split(';').next()?.split_once('=')?;
                    self.cookies.retain(|(known, _)| known != name);
                    self.cookies.push((name.into(), value.into()));
                }
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Some(answer)
    }

    /// The token of the sign-in page.
    pub fn token(&mut self) -> String {
        let page = self.ask("GET", "/sign-in", "").body;
        page.split("name=\"_csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// Signs a demo user in with the one-click button.
    pub fn signed_in(address: SocketAddr, key: &str, from: &str) -> Self {
        let mut browser = Self::new(address, from);
        let token = browser.token();
        let answer = browser.ask("POST", "/sign-in/demo", &format!("_csrf={token}&key={key}"));
        assert_eq!(answer.status, 303, "{key} cannot sign in: {}", answer.body);
        browser
    }

    /// Another connection of the same session.
    pub fn twin(&self) -> Self {
        Self { address: self.address, stream: None, cookies: self.cookies.clone(), from: self.from.clone() }
    }
}
