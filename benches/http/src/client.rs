//! A small HTTP client: one kept connection, requests made beforehand.

use anyhow::{Context, bail};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    body_at: usize,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024), body_at: 0 })
    }

    /// Sends a request and reads the whole answer; gives its status.
    pub fn send(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        self.body_at = loop {
            self.more()?;
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let length: usize = match self.header("content-length") {
            Some(text) => text.parse().context("content-length")?,
            None => 0,
        };
        while self.buffer.len() < self.body_at + length {
            self.more()?;
        }
        let status = self.buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        status.and_then(|digits| digits.parse().ok()).context("no status")
    }

    fn more(&mut self) -> anyhow::Result<()> {
        let at = self.buffer.len();
        self.buffer.resize(at + 32 * 1024, 0);
        let read = self.stream.read(&mut self.buffer[at..])?;
        self.buffer.truncate(at + read);
        if read == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    fn head(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.body_at]).into_owned()
    }

    /// The body of the last answer.
    pub fn body(&self) -> String {
        String::from_utf8_lossy(&self.buffer[self.body_at..]).into_owned()
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers(name).into_iter().next()
    }

    fn headers(&self, name: &str) -> Vec<String> {
        let head = self.head();
        let pairs = head.lines().filter_map(|line| line.split_once(": "));
        pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
    }

    /// `name=value` of each cookie that the last answer set.
    pub fn cookies(&self) -> Vec<String> {
        let set = self.headers("set-cookie");
        set.iter().filter_map(|cookie| cookie.split(';').next()).map(str::to_owned).collect()
    }
}

/// A GET.
pub fn get(address: SocketAddr, path: &str, cookies: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookies}\r\n\r\n").into_bytes()
}

/// A form that is sent.
pub fn post(address: SocketAddr, path: &str, cookies: &str, fields: &[(String, String)]) -> Vec<u8> {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
    let body = pairs.join("&");
    let kind = "application/x-www-form-urlencoded";
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookies}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The values of `attribute` in the tags of a page that contain `mark`, unescaped as far as handles and tokens need it.
pub fn attributes(html: &str, mark: &str, attribute: &str) -> Vec<String> {
    let start = format!("{attribute}=\"");
    let tags = html.split('<').filter_map(|rest| rest.split('>').next()).filter(|tag| tag.contains(mark));
    let value = |tag: &str| Some(tag.split_once(&start)?.1.split('"').next()?.replace("&amp;", "&").replace("&#x2F;", "/"));
    tags.filter_map(value).collect()
}
