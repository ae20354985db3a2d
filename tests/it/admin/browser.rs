//! A server of its own for each test, and a person at a browser without script.

use crate::support::project;
use portcullis::clock::Clock;
use portcullis::config::{Argon2, MailTarget, Overrides, Settings};
use portcullis::identity::{self, Account};
use portcullis::log::Logs;
use portcullis::server::{self, Mode, Running};
use portcullis::web::Web;
use portcullis::{audit, db::DbError};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;

/// A running library with three kinds of administrators.
pub struct House {
    running: Running,
    folder: tempfile::TempDir,
}

const ROLES: &str = "  Director: {moduleRoles:";
const MORE_ROLES: &str = "  Steward: {moduleRoles: [lending.Desk], mayAssign: [Reader], doc: Looks after readers' accounts}
  Auditor: {moduleRoles: [lending.Control], doc: Reads the record}
  Director: {moduleRoles:";
const ADMINISTRATION: &str = "administration:
  users: [Director]
  matrix: [Director]
  audit: [Director]
";
const MORE_ADMINISTRATION: &str = "administration:
  users: [Director, Steward]
  matrix: [Director, Auditor]
  audit: [Director, Auditor]
";
const USERS: &str = "demoUsers:\n";
const MORE_USERS: &str = "demoUsers:
  - {key: dora, name: Dora Quist, email: dora.quist@library.example, userRoles: [Director]}
  - {key: sten, name: Sten Aho, email: sten.aho@library.example, userRoles: [Steward]}
  - {key: audra, name: Audra Moss, email: audra.moss@library.example, userRoles: [Auditor]}
";

impl House {
    pub fn new() -> Self {
        Self::with(|app| app)
    }

    /// A library whose streams look after their readers as often as others' do.
    pub fn at_its_own_pulse() -> Self {
        Self::made(|app| app, None)
    }

    /// A library whose `app.yaml` is changed.
    pub fn with(change: impl FnOnce(String) -> String) -> Self {
        Self::made(change, Some(Duration::from_millis(20)))
    }

    fn made(change: impl FnOnce(String) -> String, pulse: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("app");
        copy(&project("tests/apps/library"), &model);
        let text = std::fs::read_to_string(model.join("app.yaml")).unwrap();
        let text = text.replace(ROLES, MORE_ROLES).replace(ADMINISTRATION, MORE_ADMINISTRATION).replace(USERS, MORE_USERS);
        assert!(["Director, Steward]", "Director, Auditor]", "sten.aho"].iter().all(|made| text.contains(made)), "{text}");
        std::fs::write(model.join("app.yaml"), change(text)).unwrap();
        let module = model.join("lending/module.yaml");
        let text = std::fs::read_to_string(&module).unwrap();
        std::fs::write(&module, text.replace("roles:\n", "roles:\n  Control: Reads the record of what happened\n")).unwrap();
        let overrides = Overrides {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            data: Some(folder.path().join("var")),
            app: Some(model),
            ..Overrides::default()
        };
        let mut settings = Settings::load(&overrides).unwrap();
        settings.argon2 = Argon2 { memory: 64, iterations: 1, parallelism: 1, concurrent: 2 };
        let mut web = server::assemble(settings, Mode::Demo, Clock::system(), Logs::detached()).unwrap();
        web.pulse = pulse.unwrap_or(web.pulse);
        Self { running: server::start(web, false).unwrap(), folder }
    }

    pub fn web(&self) -> &Web {
        &self.running.web
    }

    pub fn visitor(&self) -> Browser {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let agent = config.timeout_global(Some(Duration::from_secs(30))).build().new_agent();
        let base = format!("http://{}", self.running.address);
        let mut browser = Browser { base, agent, cookies: BTreeMap::new(), token: String::new() };
        browser.get("/sign-in");
        browser
    }

    /// A demo user, signed in, on a page with a form.
    pub fn signed_in(&self, key: &str) -> Browser {
        let mut browser = self.visitor();
        assert_eq!(browser.post("/sign-in/demo", &[("key", key)]).status, 303, "{key} signs in");
        browser.get("/account");
        browser
    }

    fn email(key: &str) -> String {
        let names = ["ella.nyberg", "dora.quist", "sten.aho", "audra.moss", "paul.brennan", "mina.sato"];
        let name = names.iter().find(|name| name.split('.').next() == Some(key));
        name.map_or(key.to_owned(), |name| format!("{name}@library.example"))
    }

    pub fn find(&self, email: &str) -> Option<Account> {
        self.web().app.db.read(|conn| identity::find_by_email(conn, email)).unwrap()
    }
    /// The account of a demo user, as it is now; when it was last seen does not matter.
    pub fn account(&self, key: &str) -> Account {
        Account { last_seen: None, ..self.find(&Self::email(key)).unwrap() }
    }
    /// The roles of a demo user or of an address, in order.
    pub fn roles(&self, key: &str) -> Vec<String> {
        let id = self.find(&Self::email(key)).unwrap().id;
        let roles = self.web().app.db.read(|conn| identity::roles(conn, id)).unwrap();
        roles.iter().map(ToString::to_string).collect()
    }

    /// Recorded events of a kind, in words, latest first.
    pub fn events(&self, kind: &str) -> Vec<String> {
        self.web().app.record_waiting();
        let filter = audit::Filter { event: Some(kind.to_owned()), ..audit::Filter::default() };
        let page = audit::Page::latest(500);
        let found = self.web().app.db.read(|conn| audit::search(conn, &filter, &page));
        let found: Result<audit::Found, DbError> = found;
        let told = |record: audit::Record| {
            assert!(record.request_id.is_some(), "{kind} names its request");
            format!("{} {}", record.summary, record.object.unwrap_or_default())
        };
        found.unwrap().records.into_iter().map(told).collect()
    }

    fn outbox(&self) -> PathBuf {
        match &self.web().app.settings.mail.target {
            MailTarget::Outbox(folder) => folder.clone(),
            MailTarget::Smtp(_) => panic!("the demo keeps its mail"),
        }
    }
    /// The texts of all mails, latest first.
    pub fn mails(&self) -> Vec<String> {
        let outbox = self.web().app.mailer.as_outbox().unwrap();
        outbox.list().unwrap().into_iter().map(|mail| mail.text).collect()
    }
    /// No mail leaves from now on.
    pub fn break_mail(&self) {
        std::fs::rename(self.outbox(), self.folder.path().join("away")).unwrap();
        std::fs::write(self.outbox(), "in the way").unwrap();
    }
    /// Mail leaves again.
    pub fn mend_mail(&self) {
        std::fs::remove_file(self.outbox()).unwrap();
        std::fs::rename(self.folder.path().join("away"), self.outbox()).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A browser without script: cookies, and the token of the last page.
pub struct Browser {
    base: String,
    agent: Agent,
    cookies: BTreeMap<String, String>,
    token: String,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

type Got = ureq::http::Response<ureq::Body>;

impl Browser {
    fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn fetch(&self, path: &str) -> Got {
        self.agent.get(format!("{}{path}", self.base)).header("cookie", self.cookie()).call().unwrap()
    }

    pub fn get(&mut self, path: &str) -> Answer {
        let got = self.fetch(path);
        self.keep(got)
    }

    /// The body of a page that does not end by itself.
    pub fn stream(&self, path: &str) -> impl Read + use<> {
        let got = self.fetch(path);
        assert_eq!(got.status().as_u16(), 200, "{path}");
        assert_eq!(got.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert_eq!(got.headers()["cache-control"], "no-store");
        got.into_body().into_reader()
    }

    /// Sends a form with the token of the last page that had one.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token.clone();
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("_csrf", token.as_str())]).collect();
        self.post_as_is(path, &fields)
    }

    /// Sends exactly these fields.
    pub fn post_as_is(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let request = self.agent.post(format!("{}{path}", self.base)).header("cookie", self.cookie());
        let got = request.content_type("application/x-www-form-urlencoded").send(body.join("&")).unwrap();
        self.keep(got)
    }

    fn keep(&mut self, mut got: Got) -> Answer {
        for set in got.headers().get_all("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = got.status().as_u16();
        let location = got.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let endless = status == 200 && got.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream");
        let body = if endless { String::new() } else { got.body_mut().read_to_string().unwrap() };
        if let Some((_, rest)) = body.split_once("name=\"_csrf\" value=\"") {
            self.token = rest.split('"').next().unwrap().to_owned();
        }
        Answer { status, location, body }
    }
}

/// Percent-encodes everything but letters and digits.
pub fn encode(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
