//! Somebody with a browser: cookies, pages, links and buttons. Nothing is known but what a page says.

use super::html::{self, Button, Html};
use super::http::{self, Answer, encoded};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// Somebody with a browser. Clones share the cookies.
#[derive(Clone)]
pub struct Actor {
    pub address: SocketAddr,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

/// What a browser shows.
#[derive(Clone)]
pub struct Page {
    pub actor: Actor,
    /// Path and query.
    pub url: String,
    pub status: u16,
    pub answer: Answer,
    pub html: Html,
    filled: Vec<(String, String)>,
}

impl Actor {
    /// A fresh browser.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookies: Arc::default() }
    }

    /// The cookies as they would be sent.
    pub fn cookies(&self) -> String {
        let all = self.cookies.lock().unwrap();
        all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
    /// The same browser, on its way to another address of the same server.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, cookies: self.cookies.clone() }
    }
    /// Another browser with a copy of these cookies.
    pub fn twin(&self) -> Self {
        Self { address: self.address, cookies: Arc::new(Mutex::new(self.cookies.lock().unwrap().clone())) }
    }

    /// The head of a request of this browser.
    pub fn head(&self, method: &str, target: &str, more: &[(&str, &str)], length: usize) -> String {
        let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        let named = |name: &str| more.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !named("host") {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        let cookies = self.cookies();
        if !cookies.is_empty() && !named("cookie") {
            head.push_str(&format!("Cookie: {cookies}\r\n"));
        }
        if method == "POST" && !named("content-type") {
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        }
        if (method == "POST" || length > 0) && !named("content-length") {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        more.iter()
            .filter(|(_, value)| !value.is_empty())
            .for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head + "\r\n"
    }

    /// One request and its answer; cookies are kept, redirects are not followed.
    pub fn ask(&self, method: &str, target: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = http::raw(self.address, &self.head(method, target, more, body.len()), body);
        let answer = answer.unwrap_or_else(|| panic!("no answer to {method} {target}"));
        self.keep(&answer);
        answer
    }

    fn keep(&self, answer: &Answer) {
        let mut cookies = self.cookies.lock().unwrap();
        for line in answer.all("set-cookie") {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).unwrap_or(("", ""));
            if value.is_empty() || line.to_ascii_lowercase().contains("max-age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The same without an answer being certain.
    pub fn try_get(&self, target: &str) -> Option<Answer> {
        let answer = http::raw(self.address, &self.head("GET", target, &[], 0), b"")?;
        self.keep(&answer);
        Some(answer)
    }

    pub fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[], b"")
    }
    pub fn post<K: AsRef<str>, V: AsRef<str>>(&self, target: &str, pairs: &[(K, V)]) -> Answer {
        self.ask("POST", target, &[], encoded(pairs).as_bytes())
    }

    /// Opens an address and follows redirects, as a browser does.
    pub fn open(&self, target: &str) -> Page {
        let answer = self.get(target);
        self.follow(target, answer, None)
    }

    /// Opens an address and stays there.
    pub fn look(&self, target: &str) -> Page {
        let answer = self.get(target);
        self.page(target, answer)
    }

    fn page(&self, url: &str, answer: Answer) -> Page {
        let html = html::read(&answer.body);
        Page { actor: self.clone(), url: url.to_owned(), status: answer.status, html, answer, filled: Vec::new() }
    }

    fn follow(&self, url: &str, mut answer: Answer, referer: Option<&str>) -> Page {
        let mut at = url.to_owned();
        for _ in 0..6 {
            if answer.status != 303 {
                return self.page(&at, answer);
            }
            at = answer.header("location").unwrap().to_owned();
            let referer = referer.map(|from| format!("http://{}{from}", self.address));
            let more: Vec<(&str, &str)> = referer.iter().map(|from| ("Referer", from.as_str())).collect();
            answer = self.ask("GET", &at, &more, b"");
        }
        panic!("{url} leads in circles");
    }
}

impl Page {
    pub fn shows(&self, text: &str) -> bool {
        self.html.text.contains(text)
    }
    pub fn control(&self, label: &str) -> Option<&html::Control> {
        self.html.controls.iter().find(|control| control.label == label && !control.hidden)
    }
    pub fn hidden(&self, name: &str) -> Option<&str> {
        self.html.controls.iter().find(|control| control.name == name && control.hidden).map(|control| control.value.as_str())
    }
    pub fn has_button(&self, caption: &str) -> bool {
        self.html.buttons.iter().any(|button| button.caption == caption)
    }
    pub fn link(&self, caption: &str) -> Option<&str> {
        self.html.links.iter().find(|(_, text)| text == caption).map(|(href, _)| href.as_str())
    }

    /// Follows a link, telling where it stood.
    pub fn go(&self, href: &str) -> Page {
        let from = format!("http://{}{}", self.actor.address, self.url);
        let answer = self.actor.ask("GET", href, &[("Referer", &from)], b"");
        self.actor.follow(href, answer, Some(&self.url))
    }

    /// Types into, ticks or chooses from the field with this label.
    #[must_use]
    pub fn fill(mut self, label: &str, value: &str) -> Self {
        let control =
            self.control(label).unwrap_or_else(|| panic!("{}: no field {label:?}: {}", self.url, self.html.text)).clone();
        let value = match control.options.iter().find(|(_, caption)| caption == value) {
            Some((chosen, _)) => chosen.clone(),
            None => value.to_owned(),
        };
        self.filled.push((control.name, value));
        self
    }

    /// The button with this caption.
    pub fn button(&self, caption: &str) -> &Button {
        let found = self.html.buttons.iter().find(|button| button.caption == caption);
        found.unwrap_or_else(|| panic!("{}: no button {caption:?}: {}", self.url, self.html.text))
    }

    /// What a browser would send when this button is used.
    pub fn payload(&self, button: &Button) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for control in self.html.controls.iter().filter(|control| control.form == button.form && !control.name.is_empty()) {
            let typed = self.filled.iter().rev().find(|(name, _)| *name == control.name).map(|(_, value)| value.clone());
            match (control.checkbox, typed) {
                (true, Some(typed)) if typed.is_empty() => {}
                (true, Some(_)) => pairs.push((control.name.clone(), control.value.clone())),
                (true, None) if !control.checked => {}
                (_, typed) => pairs.push((control.name.clone(), typed.unwrap_or_else(|| control.value.clone()))),
            }
        }
        if !button.name.is_empty() {
            pairs.push((button.name.clone(), button.value.clone()));
        }
        pairs
    }

    /// Where this button sends its form.
    pub fn action(&self, button: &Button) -> String {
        let form = self.html.forms.iter().find(|form| form.key == button.form);
        form.unwrap_or_else(|| panic!("{}: no form for {button:?}", self.url)).action.clone()
    }

    /// Uses a button and looks at the answer itself.
    pub fn send(&self, button: &Button) -> Answer {
        self.actor.post(&self.action(button), &self.payload(button))
    }

    /// Uses the button with this caption and goes where it leads.
    pub fn click(&self, caption: &str) -> Page {
        self.press(self.button(caption))
    }

    /// Uses a button, confirms when asked, and goes where it leads.
    pub fn press(&self, button: &Button) -> Page {
        let action = self.action(button);
        let answer = self.actor.post(&action, &self.payload(button));
        let page = self.actor.follow(&action, answer, Some(&self.url));
        let asked = page.html.buttons.iter().find(|button| button.name == "_confirmed").cloned();
        match asked {
            Some(confirm) => page.press(&confirm),
            None => page,
        }
    }
}
