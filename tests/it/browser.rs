//! The journeys of the app that ships, in a real browser: several people, each with a browser of their own.

use crate::support::chromium::{Browser, Chromium, Taste, free_port};
use crate::support::project;
use chrono::{Datelike, Days, NaiveDate, Weekday};
use portcullis::clock::Clock;
use portcullis::config::{Overrides, Settings};
use portcullis::log::Logs;
use portcullis::server::{self, Mode, Running};

/// The app, running in this process on a fresh database.
struct Site {
    running: Running,
    base: String,
    _data: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            file: None,
            listen: Some(([127, 0, 0, 1], free_port()).into()),
            data: Some(data.path().join("var")),
            app: Some(project("apps/people")),
        };
        let settings = Settings::load(&overrides).unwrap();
        let web = server::assemble(settings, Mode::Demo, Clock::system(), Logs::detached()).unwrap();
        let running = server::start(web, true).unwrap();
        let base = format!("http://{}", running.address);
        Self { running, base, _data: data }
    }

    /// A browser in which a demo user has signed in.
    fn signed_in(&self, chromium: &Chromium, name: &str, taste: Taste) -> Browser {
        let browser = chromium.person(name, &self.base, taste);
        sign_in(&browser, name);
        browser
    }
}

fn sign_in(browser: &Browser, name: &str) {
    browser.open("/sign-in");
    browser.click_at(&format!("//ul[contains(@class, 'demo-list')]//button[contains(., '{name}')]"));
    browser.sees(name);
}

#[test]
fn a_visitor_becomes_an_employee_whose_leave_is_approved() {
    let Some(chromium) = Chromium::start() else { return };
    let site = Site::start();
    let visitor = chromium.person("visitor", &site.base, Taste::default());
    visitor.open("/");
    visitor.sees("Work with us");
    visitor.is_content();
}
