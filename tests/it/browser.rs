//! The journeys of the app that ships, in a real browser: several people, each with a browser of their own.

use crate::support::chromium::{Browser, Chromium, Taste, free_port};
use crate::support::project;
use crate::support::server::{Server, Setup, start};
use chrono::{Days, NaiveDate};
use portcullis::config::Origin;
use portcullis::identity::DemoUsers;

/// The app that ships, on a fresh copy of its demo data, at an address that links in mails can name.
struct Site {
    server: Server,
    base: String,
}

impl Site {
    fn start() -> Self {
        let listen = ([127, 0, 0, 1], free_port()).into();
        let origin = Origin::of_listen(listen);
        let base = origin.to_string();
        let setup = Setup::of(project("apps/people")).scheduled().with(move |settings| {
            settings.listen = listen;
            settings.base_url = origin;
        });
        Self { server: setup.run(), base }
    }

    fn demo_users(&self) -> &DemoUsers {
        &self.server.web().app.demo.as_ref().unwrap().users
    }

    /// A browser in which a demo user has signed in.
    fn signed_in(&self, chromium: &Chromium, name: &str, taste: Taste) -> Browser {
        let browser = chromium.person(name, &self.base, taste);
        sign_in(&browser, name);
        browser
    }
}

/// One click of the demo users' list.
fn sign_in(browser: &Browser, name: &str) {
    browser.open("/sign-in");
    browser.click_at(&format!("//ul[contains(@class, 'demo-list')]//button[contains(., '{name}')]"));
    browser.sees_no("Demo: sign in with one click");
}

/// A Monday some weeks ahead.
fn monday(weeks: u64) -> NaiveDate {
    start().date() + Days::new(weeks * 7)
}

const VACANCY: &str = "Software engineer, meter data";
const PASSWORD: &str = "seven amber lanterns drift";

#[test]
fn a_visitor_becomes_an_employee_whose_leave_is_approved() {
    let Some(chromium) = Chromium::start() else { return };
    let site = Site::start();
    let ada = chromium.person("Ada", &site.base, Taste::default());
    let people = ["Rosa Ferreira", "Helen Marsh", "Greta Vogel", "Tomas Lindqvist"];
    let [rosa, helen, greta, tomas] = people.map(|name| site.signed_in(&chromium, name, Taste::default()));

    register(&ada);
    ada.click("Open vacancies");
    ada.open_row(VACANCY);
    ada.click("Apply");
    ada.fill("Why this post", "I like meters, and I like them exact.");
    ada.click("Send application");
    ada.sees("is received");
    ada.sees("Received");

    rosa.click("Applications");
    rosa.open_row("Ada Quill");
    rosa.click("Shortlist");
    rosa.sees("Ada Quill is on the shortlist");

    helen.click("Applications");
    helen.open_row("Ada Quill");
    helen.click("Hire");
    helen.fill("Salary per year", "61500.00");
    helen.click("Hire");
    helen.sees("Hire this candidate?");
    helen.click_at("//dialog//button[normalize-space(.)='Hire']");
    helen.sees("Ada Quill is now employee number");

    ada.click("My applications");
    ada.sees("Hired");
    assert_eq!(ada.count("//nav//a[normalize-space(.)='My leave']"), 0, "only the administrator gives the role");

    greta.click("Administration");
    greta.fill("Search", "quill");
    greta.sees_no("nadia.okafor@people.example");
    greta.open_row("Ada Quill");
    greta.tick("Employee");
    greta.click("Save the roles");
    greta.sees("saved");

    ada.click("My applications");
    ada.click("My leave");
    ask_for_leave(&ada, monday(6));

    tomas.click("Leave decisions");
    tomas.click_in_row("Ada Quill", "Approve");
    tomas.sees("Approved: Ada Quill");

    ada.click("My leave");
    ada.sees("Approved");
    ada.sees("Tomas Lindqvist");
    for browser in [ada, rosa, helen, greta, tomas] {
        browser.is_content();
    }
}

/// From the public page to a candidate who has signed in.
fn register(ada: &Browser) {
    ada.open("/");
    ada.sees(VACANCY);
    ada.click_at("//main//a[normalize-space(.)='Register']");
    ada.fill("First name", "Ada");
    ada.fill("Last name", "Quill");
    ada.fill("E-mail", "ada.quill@post.example");
    ada.click("Send me the link");
    ada.sees("Without your consent");
    ada.tick("You may keep this data");
    ada.click("Send me the link");
    ada.sees("Look into your mailbox");

    ada.open("/dev/outbox");
    ada.click_at("//li[contains(., 'ada.quill@post.example')]//a");
    ada.click_at("//pre//a");
    ada.sees("ada.quill@post.example");
    ada.fill("New password", PASSWORD);
    ada.fill("Once more", PASSWORD);
    ada.click("Save the password");
    ada.sees("Welcome, Ada Quill");
}

/// A week from a Monday, after a first try that ends before it begins.
fn ask_for_leave(ada: &Browser, monday: NaiveDate) {
    ada.click("Request leave");
    ada.choose("Kind", "Study leave");
    ada.fill_date("First day", monday);
    ada.fill_date("Last day", monday - Days::new(3));
    ada.click("Send request");
    ada.sees("The last day lies before the first");
    assert_eq!(ada.attributes("//*[@aria-invalid='true']", "type"), ["date"], "the error stands at its field");
    ada.fill_date("Last day", monday + Days::new(4));
    ada.click("Send request");
    ada.sees("Requested: 5 working days");
}

#[test]
fn everything_works_with_scripts_switched_off() {
    let Some(chromium) = Chromium::start() else { return };
    let site = Site::start();
    let nadia = chromium.person("Nadia", &site.base, Taste { no_script: true, ..Taste::default() });
    let account = site.demo_users().iter().find(|one| one.user.key == "nadia").unwrap();

    nadia.open("/sign-in");
    assert_eq!(nadia.attributes("/html", "class"), Vec::<String>::new(), "scripts are off");
    nadia.fill("E-mail", &account.user.email);
    nadia.fill("Password", "not the right one");
    nadia.click("Sign in");
    nadia.sees("E-mail or password is not right");
    nadia.fill("Password", &account.password);
    nadia.click("Sign in");
    nadia.sees("Good to see you, Nadia Okafor");

    look_for_colleagues(&nadia);

    nadia.click("My leave");
    ask_for_leave(&nadia, monday(9));
    let day = monday(9).format("%-d %b %Y").to_string();
    nadia.click_in_row(&day, "Withdraw");
    nadia.sees("Withdraw this request?");
    nadia.click("Cancel");
    nadia.click_in_row(&day, "Withdraw");
    nadia.click_at("//main//form//button[normalize-space(.)='Withdraw']");
    nadia.sees("Withdrawn");
    nadia.is_content();
}

/// Search, sort and pages of a list, as plain forms and links.
fn look_for_colleagues(nadia: &Browser) {
    let names = || nadia.texts("//tbody//td[@data-label='Name']");
    nadia.click("Find a colleague");
    nadia.sees("1–25 of 3");
    let first = names();
    nadia.click("Next");
    nadia.sees("26–50 of 3");
    assert!(names().iter().all(|name| !first.contains(name)), "the second page shows others");
    nadia.click("Name");
    nadia.sees("1–25 of 3");
    let ascending = names();
    nadia.click("Name");
    nadia.click_at("//th[@aria-sort='descending']");
    assert_ne!(names(), ascending);
    nadia.fill("Search", "okafor");
    nadia.click("Apply");
    nadia.sees("Nadia Okafor");
    assert!(names().iter().all(|name| name.contains("Okafor")), "{:?}", names());
    nadia.fill("Search", "nobody of this name");
    nadia.click("Apply");
    nadia.sees("Nothing matches");
}

/// Every page that a menu leads to, and the first thing in each list there, for every demo user.
#[test]
fn no_page_breaks_the_rules_for_content_or_the_width_of_a_phone() {
    let Some(chromium) = Chromium::start() else { return };
    let site = Site::start();
    let users: Vec<String> = site.demo_users().iter().map(|one| one.user.name.clone()).collect();
    let mut pages = 0;
    for (index, name) in users.iter().enumerate() {
        let browser = site.signed_in(&chromium, name, Taste { phone: true, dark: index % 2 == 0, no_script: false });
        let dark = browser.script("return matchMedia('(prefers-color-scheme: dark)').matches");
        assert_eq!(dark, index % 2 == 0);
        let mut open =
            browser.attributes("//aside//*[contains(@class, 'sidebar-nav') or contains(@class, 'popup-list')]//a", "href");
        if open.iter().any(|path| path == "/admin") {
            browser.open("/admin");
            open.extend(browser.attributes("//nav[@class='subnav']//a", "href"));
        }
        let menu = open.len();
        for number in 0..usize::MAX {
            let Some(path) = open.get(number).cloned() else { break };
            browser.open(&path);
            let status = browser.script("return performance.getEntriesByType('navigation')[0].responseStatus");
            assert_eq!(status, 200, "{name}: {path}");
            let wider = browser.script("return document.documentElement.scrollWidth - innerWidth");
            assert!(wider.as_i64().unwrap() <= 0, "{name}: {path} is {wider} too wide for a phone");
            browser.is_content();
            if number < menu {
                open.extend(browser.attributes("//table[1]/tbody/tr[1]//a[@class='row-link']", "href"));
            }
            pages += 1;
        }
    }
    assert!(pages > 60, "{pages} pages were looked at");
}

/// The other tests trust the browser to complain; here it has something to complain about.
#[test]
fn the_browser_refuses_what_the_content_policy_does_not_allow() {
    let Some(chromium) = Chromium::start() else { return };
    let site = Site::start();
    let browser = chromium.person("visitor", &site.base, Taste::default());
    browser.open("/");
    browser.sees(VACANCY);
    browser.is_content();
    let plant = "const made = document.createElement('p'); made.setAttribute('style', 'color: red'); document.body.append(made);";
    browser.script(plant);
    assert!(browser.complaints().iter().any(|text| text.contains("style-src")), "an inline style was not refused");
    browser
        .script("const made = document.createElement('img'); made.src = 'http://127.0.0.1:9/x.png'; document.body.append(made);");
    assert!(browser.complaints().iter().any(|text| text.contains("img-src")), "a foreign picture was not refused");
    let markup = "try { document.body.innerHTML = '<p>changed</p>'; return 'taken' } catch (refused) { return refused.name }";
    assert_eq!(browser.script(markup), "TypeError", "text was taken as markup");
}
