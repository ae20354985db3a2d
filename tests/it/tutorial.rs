//! The tutorial, carried out: its files are written step by step, its findings compared, its promises looked at over HTTP.

use crate::support::project;
use portcullis::access::matrix::{Matrix, State};
use portcullis::clock::Clock;
use portcullis::config::{Overrides, Settings};
use portcullis::log::Logs;
use portcullis::model::{self, Files};
use portcullis::server::{self, Mode, Running};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the tutorial lets its reader do, in order.
enum Step {
    Remove(String),
    Write(String, String),
    /// `check` answers this.
    Check(String),
}

/// The fenced blocks: `yaml <file>` is a file, `text check` an answer, a line `rm <file>` of `sh` a removal.
fn steps() -> Vec<Step> {
    let text = std::fs::read_to_string(project("docs/TUTORIAL.md")).unwrap();
    let mut steps = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        match info.split_once(' ') {
            Some(("yaml", file)) => steps.push(Step::Write(file.to_owned(), body)),
            Some(("text", "check")) => steps.push(Step::Check(body)),
            None if info == "sh" => {
                let removed = body.lines().filter_map(|line| line.strip_prefix("rm apps/equipment/"));
                steps.extend(removed.map(|file| Step::Remove(file.to_owned())));
            }
            _ => panic!("a block of the tutorial that nobody looks at: {info}"),
        }
    }
    steps
}

/// The reader's app, in a folder of its own.
struct Reader {
    _folder: tempfile::TempDir,
    app: PathBuf,
    data: PathBuf,
    steps: std::vec::IntoIter<Step>,
}

impl Reader {
    /// Does the first step: `portcullis new`.
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("equipment");
        let made = Command::new(env!("CARGO_BIN_EXE_portcullis")).arg("new").arg(&app).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { app, data: folder.path().join("data"), _folder: folder, steps: steps().into_iter() }
    }

    /// Goes on to the next answer of `check`: what the tutorial says, and what there really is.
    fn check(&mut self) -> Option<(String, String)> {
        for step in self.steps.by_ref() {
            match step {
                Step::Remove(file) => std::fs::remove_file(self.app.join(file)).unwrap(),
                Step::Write(file, text) => write(&self.app.join(file), &text),
                Step::Check(said) => return Some((said, model::load(&Files::read(&self.app).unwrap()).1.human())),
            }
        }
        None
    }

    fn serve(&self) -> Running {
        let overrides = Overrides {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            data: Some(self.data.clone()),
            app: Some(self.app.clone()),
            ..Overrides::default()
        };
        let settings = Settings::load(&overrides).unwrap();
        let web = server::assemble(settings, Mode::Demo, Clock::system(), Logs::detached()).unwrap();
        server::start(web, true).unwrap()
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn check_answers_what_the_tutorial_says_at_every_step() {
    let mut reader = Reader::begin();
    let mut seen = Vec::new();
    while let Some((said, found)) = reader.check() {
        assert_eq!(found, said, "answer {} of the tutorial", seen.len() + 1);
        if seen.is_empty() {
            assert_eq!(granted(&reader.app), 1, "the matrix of a new app holds a single yes");
        }
        seen.push(said);
    }
    assert_eq!(seen.len(), 7);
    for code in ["error[expression]", "error[page-member-unreadable]"] {
        assert_eq!(seen.iter().filter(|said| said.contains(code)).count(), 1, "{code}");
    }
}

/// How many cells of the matrix are not no.
fn granted(app: &Path) -> usize {
    let (model, _) = model::load(&Files::read(app).unwrap());
    let matrix = Matrix::of(&Arc::new(model.unwrap()));
    matrix.rows.iter().flat_map(|line| &line.cells).filter(|cell| cell.state != State::No).count()
}

#[test]
fn the_browser_shows_what_the_tutorial_promises() {
    let mut reader = Reader::begin();
    (0..5).for_each(|_| drop(reader.check().unwrap()));
    let server = reader.serve();
    let mut emil = Browser::sign_in(&server, "Emil Sand");
    emil.open("/");
    assert!(emil.shows("My requests") && emil.shows("You have not asked for anything yet."));
    assert!(!emil.shows("All requests"));
    emil.open("/p/main.RequestNew");
    emil.click("Ask", &[("What do you need?", "Standing desk"), ("About how much is it?", "-1")]);
    assert_eq!(emil.status, 422);
    assert!(emil.shows("Standing desk") && emil.shows("aria-invalid"), "{}", emil.page);
    emil.click("Ask", &[("What do you need?", "Standing desk"), ("About how much is it?", "420")]);
    emil.open("/p/main.MyRequests");
    assert!(emil.shows("Standing desk") && emil.shows("420.00") && emil.shows(">Asked<"), "{}", emil.page);

    let mut ada = Browser::sign_in(&server, "Ada Keller");
    ada.open("/p/main.MyRequests");
    assert_eq!(ada.status, 403);
    assert!(ada.shows("Not for you") && !ada.shows("Standing desk"));

    let (said, found) = reader.check().unwrap();
    assert_eq!(found, said);
    emil.wait_for("/p/main.MyRequests", "/dev/findings");
    assert!(emil.shows("Standing desk"), "the last good model still runs");
    emil.open("/dev/findings");
    assert!(emil.shows("page-member-unreadable") && emil.shows("system.User.name"));

    reader.check().unwrap();
    let mut mara = Browser::sign_in(&server, "Mara Wolf");
    mara.wait_for("/p/main.MyRequests", "All requests");
    emil.open("/p/main.MyRequests");
    assert!(!emil.shows("All requests"));
    emil.open("/p/main.AllRequests");
    assert_eq!(emil.status, 403);
    mara.open("/p/main.AllRequests");
    assert!(mara.shows("Standing desk") && mara.shows("Emil Sand"), "{}", mara.page);
    assert!(!mara.shows("emil@equipment.example"), "only the name was granted");
    mara.follow("/p/main.RequestDecide?");
    assert!(!mara.shows("class=\"control") && mara.shows("420.00"), "{}", mara.page);
    mara.click("Grant", &[]);
    mara.open("/p/main.AllRequests");
    assert!(mara.shows(">Granted<"), "{}", mara.page);

    emil.open("/p/main.MyRequests");
    emil.follow("/p/main.RequestDetail?");
    assert!(emil.shows("Standing desk") && !emil.shows("class=\"control") && !emil.shows("Withdraw"), "{}", emil.page);
}

/// A browser without script that knows just enough.
struct Browser {
    agent: ureq::Agent,
    base: String,
    cookies: BTreeMap<String, String>,
    at: String,
    status: u16,
    page: String,
}

impl Browser {
    /// Uses the button of a demo user.
    fn sign_in(server: &Running, name: &str) -> Self {
        let agent = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build().new_agent();
        let base = format!("http://{}", server.address);
        let mut browser = Self { agent, base, cookies: BTreeMap::new(), at: String::new(), status: 0, page: String::new() };
        browser.open("/sign-in");
        let form = browser.page.split("<form").find(|form| form.contains(&format!(">{name}<"))).unwrap().to_owned();
        let fields = ["_csrf", "key"].map(|field| (field.to_owned(), hidden(&form, field).unwrap()));
        browser.send("/sign-in/demo", &fields);
        assert_eq!(browser.status, 303, "{}", browser.page);
        browser
    }

    fn shows(&self, text: &str) -> bool {
        self.page.contains(text)
    }

    fn open(&mut self, path: &str) {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let answer = self.agent.get(format!("{}{path}", self.base)).header("cookie", self.cookie()).call().unwrap();
            let next = self.keep(&path, answer);
            match next {
                Some(next) => path = next,
                None => return,
            }
        }
    }

    /// Opens a page again and again until it shows a text.
    fn wait_for(&mut self, path: &str, text: &str) {
        let patience = Instant::now();
        while patience.elapsed() < Duration::from_secs(30) {
            self.open(path);
            if self.shows(text) {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{path} never showed {text}: {}", self.page);
    }

    /// Follows the first link that begins like this.
    fn follow(&mut self, begin: &str) {
        let rest = self.page.split(begin).nth(1).unwrap_or_else(|| panic!("no link {begin}: {}", self.page));
        let link = format!("{begin}{}", rest.split('"').next().unwrap()).replace("&amp;", "&");
        self.open(&link);
    }

    /// Fills fields, found by their labels, and uses a button, found by its caption.
    fn click(&mut self, caption: &str, typed: &[(&str, &str)]) {
        let end = self.page.find(&format!("<span>{caption}</span></button>")).unwrap_or_else(|| panic!("{}", self.page));
        let button = &self.page[self.page[..end].rfind("<button").unwrap()..end];
        let (form, value) = (attribute(button, "form").unwrap(), attribute(button, "value").unwrap());
        let state = self.page.split("<form").find(|one| attribute(one, "id").as_deref() == Some(&form)).unwrap().to_owned();
        let mut fields: Vec<(String, String)> =
            ["_csrf", "_back", "_state"].iter().filter_map(|name| Some(((*name).to_owned(), hidden(&state, name)?))).collect();
        for (label, text) in typed {
            let label = self.page.split("<label").find(|one| one.contains(&format!(">{label}<"))).unwrap();
            let id = attribute(label, "for").unwrap();
            let control = self.page.split('<').find(|tag| attribute(tag, "id").as_deref() == Some(&id)).unwrap();
            fields.push((attribute(control, "name").unwrap(), (*text).to_owned()));
        }
        fields.push(("_do".to_owned(), value));
        let at = self.at.clone();
        self.send(&at, &fields);
    }

    fn send(&mut self, path: &str, fields: &[(String, String)]) {
        let request = self.agent.post(format!("{}{path}", self.base)).header("cookie", self.cookie());
        let answer = request.send_form(fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))).unwrap();
        self.keep(path, answer);
    }

    fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Keeps cookies and page; gives where a redirect leads.
    fn keep(&mut self, path: &str, mut answer: ureq::http::Response<ureq::Body>) -> Option<String> {
        for line in answer.headers().get_all("set-cookie") {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        self.status = answer.status().as_u16();
        self.page = answer.body_mut().read_to_string().unwrap();
        path.clone_into(&mut self.at);
        answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned())
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
    Some(rest.split('"').next()?.replace("&amp;", "&").replace("&#x2F;", "/"))
}

/// The value of a hidden field.
fn hidden(form: &str, name: &str) -> Option<String> {
    let field = form.split("<input").find(|field| attribute(field, "name").as_deref() == Some(name))?;
    attribute(field, "value")
}
