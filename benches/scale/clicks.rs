//! What people do: look at lists, fill in forms, give others roles.

use super::browser::Browser;
use super::site::Running;
use super::synthetic::{Person, Synthetic, form_of, list_of, role};
use portcullis::attack::html;
use std::time::Instant;

/// The entity of which the lists and forms are that are compared: it has rows, and every role has rights on it.
const COMPARED: usize = 0;
/// How often two servers take turns.
const TURNS: usize = 5;
/// CPU seconds that a turn takes at least, so that the clock's ticks do not matter.
const TURN: f64 = 0.6;

/// Something that is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Click {
    List,
    Form,
    /// The saving alone, not the form before it.
    Create,
}

impl Click {
    pub const ALL: [Self; 3] = [Self::List, Self::Form, Self::Create];
}

/// A form as a browser would send it.
struct Filled {
    action: String,
    body: String,
}

/// Fills in the form that has this button.
fn filled(page: &str, button: &str, values: &[(&str, &str)]) -> Option<Filled> {
    let page = html::read(page);
    let button = page.buttons.iter().find(|one| one.caption == button)?;
    let action = page.forms.iter().find(|form| form.key == button.form)?.action.clone();
    let own = page.controls.iter().filter(|control| control.form == button.form && !control.name.is_empty());
    let value = |control: &html::Control| {
        let typed = values.iter().find(|(label, _)| !control.hidden && *label == control.label);
        typed.map_or_else(|| control.value.clone(), |(_, value)| (*value).to_owned())
    };
    let boxes = |control: &&html::Control| !control.checkbox || control.checked;
    let mut pairs: Vec<String> =
        own.filter(boxes).map(|control| format!("{}={}", encoded(&control.name), encoded(&value(control)))).collect();
    if !button.name.is_empty() {
        pairs.push(format!("{}={}", encoded(&button.name), encoded(&button.value)));
    }
    Some(Filled { action, body: pairs.join("&") })
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Somebody at a server.
pub struct Side<'r> {
    running: &'r Running<'r>,
    browser: Browser,
}

impl<'r> Side<'r> {
    /// The first person, who holds the first role only.
    pub fn new(running: &'r Running<'r>) -> Self {
        Self { running, browser: Browser::signed_in(running.address, "u0", "203.0.113.1") }
    }

    fn form(&mut self) -> Filled {
        let page = self.browser.open(&form_of(COMPARED));
        let form = filled(&page.body, "Save", &[("Name", "Made by the benchmark"), ("Code", "B1")]);
        form.unwrap_or_else(|| panic!("{} {}: no form to fill in", page.status, page.body))
    }

    /// CPU microseconds for one of so many.
    fn cost(&mut self, click: Click, count: usize) -> f64 {
        let forms: Vec<Option<Filled>> =
            (0..count).map(|_| if click == Click::Create { Some(self.form()) } else { None }).collect();
        let before = self.running.cpu();
        for form in &forms {
            let (answer, expected) = match (click, form) {
                (Click::List, _) => (self.browser.ask("GET", &list_of(COMPARED), ""), 200),
                (Click::Form, _) => (self.browser.ask("GET", &form_of(COMPARED), ""), 200),
                (Click::Create, Some(form)) => (self.browser.ask("POST", &form.action, &form.body), 303),
                (Click::Create, None) => unreachable!("a form was opened for each"),
            };
            assert_eq!(answer.status, expected, "{click:?}: {}", answer.body);
        }
        (self.running.cpu() - before) * 1e6 / count as f64
    }

    /// How many make a turn long enough.
    fn count(&mut self, click: Click) -> usize {
        self.cost(click, 30);
        let cost = self.cost(click, 60).max(100.0);
        ((TURN * 1e6 / cost) as usize).clamp(60, 3_000)
    }
}

/// What something costs: CPU microseconds, and as a multiple of the same at the reference.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub micros: f64,
    pub ratio: f64,
}

/// Lets a server and the reference take turns; the median turn counts.
pub fn compare(reference: &mut Side<'_>, side: &mut Side<'_>, click: Click) -> Cost {
    let count = reference.count(click).max(side.count(click));
    let turn = |_| {
        let (base, own) = (reference.cost(click, count), side.cost(click, count));
        (own, own / base)
    };
    let (micros, ratios): (Vec<f64>, Vec<f64>) = (0..TURNS).map(turn).unzip();
    Cost { micros: median(micros), ratio: median(ratios) }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Gives people who hold one role a pair that nobody held before, and lets each of them click: seconds for each.
pub fn combine(app: &Synthetic, running: &Running<'_>, most: usize) -> Vec<f64> {
    let mut admin = Browser::signed_in(running.address, "admin", "203.0.113.2");
    let pairs = app.unheld();
    let chosen = app.people.iter().zip(&pairs).take(most);
    chosen.map(|(person, pair)| combine_one(&mut admin, running, person, *pair, app)).collect()
}

fn combine_one(admin: &mut Browser, running: &Running<'_>, person: &Person, pair: [usize; 2], app: &Synthetic) -> f64 {
    let mut browser = Browser::signed_in(running.address, &person.key, "203.0.113.3");
    let entity = app.reach(&pair).last().copied().unwrap_or(COMPARED);
    let found = admin.open(&format!("/admin/users?q={}", encoded(&format!("{}@example.org", person.key)))).body;
    let links = html::read(&found).links;
    let account = links.iter().map(|(href, _)| href).find(|href| {
        href.strip_prefix("/admin/users/").is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let account = account.unwrap_or_else(|| panic!("no account of {}: {found}", person.key)).clone();
    let page = admin.open(&account).body;
    let form = filled(&page, "Save the roles", &[]).unwrap_or_else(|| panic!("{page}"));
    // Boxes that are ticked are sent, and these are ticked now.
    let kept: Vec<&str> = form.body.split('&').filter(|pair| !pair.starts_with("role=")).collect();
    let body = format!("{}&role={}&role={}", kept.join("&"), role(pair[0]), role(pair[1]));
    let begun = Instant::now();
    let saved = admin.ask("POST", &form.action, &body);
    let next = browser.ask("GET", &list_of(entity), "");
    let took = begun.elapsed().as_secs_f64();
    assert_eq!((saved.status, next.status), (303, 200), "{}{}", saved.body, next.body);
    took
}
