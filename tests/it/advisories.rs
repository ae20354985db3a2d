//! Holes that other low-code servers had, one test each, named after its id.

use crate::support::actor::{Actor, Page};
use crate::support::server::{Server, Setup, people, written};
use portcullis::model::{self, Files};

/// A page without what differs from request to request.
fn stable(page: &Page) -> String {
    page.html.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn answer(actor: &Actor, url: &str) -> (u16, String) {
    let page = actor.look(url);
    // A refusal page shows its reference, and each answer has its own.
    let id = page.answer.header("x-request-id").unwrap();
    (page.status, stable(&page).replace(id, "…"))
}

const APP: &str = "\
app: bare
title: Bare
level: prototype
language: en
modules: [bare]
userRoles:
  Guest: {anonymous: true, moduleRoles: []}
  Nobody: {moduleRoles: []}
  Keeper: {moduleRoles: [bare.Keeper]}
demoUsers:
  - {key: nobody, name: No Body, email: nobody@bare.example, userRoles: [Nobody]}
  - {key: keeper, name: Kay Keeper, email: kay@bare.example, userRoles: [Keeper]}
";
const DOMAIN: &str = "\
entities:
  Thing:
    attributes: {word: {type: string}}
    access: [{roles: [Keeper], create: true, read: [word], write: [word]}]
";
const PAGE: &str = "\
title: Things
layout: app
roles: [Keeper]
content:
  - dataGrid: {source: {entity: Thing}, columns: [{show: word, title: Word}]}
  - dataView:
      source: {new: Thing, set: {}}
      content:
        - input: {member: word, label: Word}
        - button: {caption: Save, save: {then: stay}}
";

#[test]
fn cve_2026_7891_a_guest_without_rights_reads_nothing_not_even_the_users() {
    let folder = written(&[
        ("app.yaml", APP),
        ("bare/module.yaml", "roles: {Keeper: Keeps}\n"),
        ("bare/domain.yaml", DOMAIN),
        ("bare/pages/Things.yaml", PAGE),
    ]);
    let server = Setup::of(folder.path()).run();
    let keeper = server.sign_in("keeper");
    let page = keeper.open("/p/bare.Things").fill("Word", "canary").click("Save");
    assert!(page.shows("canary"), "{}", page.html.text);
    let live = server.web().app.live();
    for (key, grants) in [("", live.visitor_grants()), ("nobody", live.grants_of(&["Nobody".into()].into()))] {
        for entity in live.model.entities.keys() {
            assert!(grants.view(entity).is_err(), "{key} reads {entity}");
        }
        let actor = if key.is_empty() { server.visitor() } else { server.sign_in(key) };
        let things = server.handle("bare.Thing", 1);
        for url in [
            "/",
            "/p/bare.Things",
            &format!("/p/bare.Things?Thing={things}"),
            "/p/system.User",
            "/admin/users",
            "/account",
            "/dev/outbox",
            "/dev/findings",
        ] {
            let page = actor.open(url);
            assert!(page.status < 500, "{url}: {}", page.status);
            assert!(!page.answer.body.contains("canary"), "{key} {url}");
            let demo = page.url.starts_with("/sign-in");
            assert!(demo || !page.shows("kay@bare.example"), "{key} reads users at {url}");
        }
    }
}

#[test]
fn icsa_22_069_13_a_hidden_member_is_asked_about_like_one_that_never_was() {
    let people = people();
    let rosa = people.sign_in("rosa");
    let grid = grid_of(&rosa.look("/p/hr.Employees"));
    for hidden in ["salary", "nationalId", "clearance", "department.head.salary"] {
        for ask in ["sort=%", "sort=-%", "f.%=1", "f.%=", "g.%=1", "sum=%"] {
            let of = |member: &str| answer(&rosa, &format!("/p/hr.Employees?{grid}.{}", ask.replace('%', member)));
            let (found, never) = (of(hidden), of("nosuchmember"));
            assert_eq!(found, never, "{hidden} {ask}");
            assert_eq!(found.0, 400, "{hidden} {ask}");
        }
    }
}

fn grid_of(page: &Page) -> String {
    page.html.rows.first().unwrap_or_else(|| panic!("{} has no grid: {}", page.url, page.html.text)).0.clone()
}

/// Sorting and filtering see a withheld value as nothing at all: when it changes, not one byte of the answer does.
#[test]
fn icsa_22_069_13_a_withheld_value_moves_no_row_and_no_count() {
    let people = people();
    let nadia = people.sign_in("nadia");
    let first = nadia.look("/p/hr.Employees");
    let grid = grid_of(&first);
    let withheld: Vec<String> = first
        .html
        .rows
        .iter()
        .filter(|(_, row)| row.cell("Salary").is_some_and(|cell| cell.withheld))
        .filter_map(|(_, row)| row.href.clone())
        .take(2)
        .collect();
    assert_eq!(withheld.len(), 2, "{}", first.html.text);
    let questions = ["", "sort=salary", "sort=-salary", "q=a", "sort=salary&%.p=2"];
    let ask = || {
        questions.map(|question| {
            answer(
                &nadia,
                &format!("/p/hr.Employees?{grid}.{}", if question.is_empty() { "p=1" } else { question }.replace('%', &grid)),
            )
        })
    };
    let before = ask();
    assert!(before.iter().all(|(status, _)| *status == 200), "{before:?}");
    let helen = people.sign_in("helen");
    for (href, pay) in withheld.iter().zip(["1", "999999"]) {
        let handle = href.split("Employee=").nth(1).unwrap();
        let form = helen.open(&format!("/p/hr.SalaryChangeNew?Employee={handle}"));
        let done = form.fill("New salary per year", pay).fill("Reason", "A canary").click("Change pay");
        assert!(done.status == 200 && !done.url.contains("SalaryChangeNew"), "{} {}", done.url, done.html.text);
    }
    assert_eq!(ask(), before, "a withheld value told something");
}

#[test]
fn cve_2023_23835_a_question_that_cannot_be_answered_bypasses_no_rule() {
    let people = people();
    let nadia = people.sign_in("nadia");
    let first = nadia.look("/p/hr.Employees");
    let grid = grid_of(&first);
    let all = first.html.rows.len();
    for question in [
        "f.department=1",
        "f.department=%27",
        "f.status=Nothing",
        "f.status=1e999",
        "sort=number%27",
        "sort=,",
        "p=-1",
        "p=0",
        "p=99999999999999999999",
        "p=x",
        "q=%25%25",
        "q=%5C",
        "q=_",
        "q=%27%20OR%201=1--",
        "q=%00",
        "f.status=Active%27%20OR%20%271",
    ] {
        let page = nadia.look(&format!("/p/hr.Employees?{grid}.{question}"));
        assert!(matches!(page.status, 200 | 400 | 404), "{question}: {}", page.status);
        assert!(page.html.rows.len() <= all, "{question} shows more");
        for word in ["SQL", "sqlite", "syntax", "cast", "panick"] {
            assert!(!page.shows(word), "{question} says {word}");
        }
        let left = page.html.rows.iter().any(|(_, row)| row.cells.iter().any(|cell| cell.text == "Has left"));
        assert!(!left, "{question} shows a row outside the rule");
    }
}

/// A field of one's own record: who may write the first of the payload may not write the others.
#[test]
fn cve_2021_33718_every_member_of_a_payload_is_looked_at() {
    let people = people();
    let (page, inputs) = own_details(&people);
    let before = shown(&people);
    for (member, field) in inputs.iter().filter(|(member, _)| !matches!(member.as_str(), "phone" | "bankAccount")) {
        let button = page.button("Save");
        let mut pairs = page.clone().fill("Phone", "+44 1632 960999").payload(button);
        pairs.push((field.clone(), "1".into()));
        let sent = page.actor.post(&page.action(button), &pairs);
        assert_eq!(sent.status, 400, "{member}");
        assert!(sent.body.contains("Nothing was changed"), "{member}");
    }
    assert_eq!(shown(&people), before, "not even the first member was written");
    assert!(inputs.len() > 6, "{inputs:?}");
}

fn own_details(people: &Server) -> (Page, Vec<(String, String)>) {
    let profile = people.sign_in("nadia").open("/p/hr.MyProfile");
    let href = profile.html.links.iter().find(|(href, _)| href.starts_with("/p/hr.MyDetails")).map(|(href, _)| href.clone());
    let page = href
        .map_or_else(|| profile.press(profile.html.buttons.iter().find(|b| b.name == "_do").unwrap()), |href| profile.go(&href));
    let model = people.web().app.live().model.clone();
    let mut inputs = Vec::new();
    model::each_widget(
        &model.pages[&portcullis::domain::QName::new("hr", "MyDetails")].content,
        &mut |widget| match &widget.kind {
            model::WidgetKind::Input(input) => inputs.push((input.member.to_string(), widget.id.clone())),
            model::WidgetKind::Reference(reference) => inputs.push((reference.member.to_string(), widget.id.clone())),
            _ => {}
        },
    );
    (page, inputs)
}

fn shown(people: &Server) -> String {
    let (page, _) = own_details(people);
    let controls = page.html.controls.iter().filter(|control| !control.hidden).map(|control| control.value.clone());
    controls.chain(page.html.fields.iter().map(|field| format!("{field:?}"))).collect::<Vec<_>>().join("|")
}

#[test]
fn icsa_21_315_05_members_that_the_server_keeps_follow_the_rules() {
    let people = people();
    let nadia = people.sign_in("nadia");
    let page = nadia.look("/p/hr.Employees");
    let grid = grid_of(&page);
    for kept in ["created", "changed", "changedBy", "owner", "id", "version"] {
        let (status, _) = answer(&nadia, &format!("/p/hr.Employees?{grid}.sort={kept}"));
        assert_eq!(status, 400, "{kept}");
    }
    let (details, _) = own_details(&people);
    for kept in ["created", "changed", "changedBy", "owner", "id", "version", "number"] {
        let button = details.button("Save");
        let mut pairs = details.payload(button);
        pairs.push((kept.into(), "1".into()));
        assert_eq!(details.actor.post(&details.action(button), &pairs).status, 400, "{kept}");
    }
}

#[test]
fn icsa_23_320_04_the_state_of_a_page_serves_its_own_session_only() {
    let people = people();
    let (page, _) = own_details(&people);
    let filled = page.fill("Phone", "+44 1632 960777");
    let button = filled.button("Save").clone();
    let (action, pairs) = (filled.action(&button), filled.payload(&button));
    let before = shown(&people);
    // Somebody else's session, another session of the same person, and nobody's: each with a token of its own.
    for other in [people.sign_in("tomas"), people.sign_in("nadia"), people.visitor()] {
        let csrf = other.open("/").hidden("_csrf").unwrap().to_owned();
        let stolen: Vec<(String, String)> = pairs
            .iter()
            .map(|(name, value)| (name.clone(), if name == "_csrf" { csrf.clone() } else { value.clone() }))
            .collect();
        let sent = other.post(&action, &stolen);
        assert!(matches!(sent.status, 400 | 403 | 404 | 303), "{}", sent.status);
        assert!(sent.status != 303 || sent.header("location").unwrap().starts_with("/sign-in"));
    }
    // The same session, another page.
    let elsewhere = filled.actor.post("/p/hr.LeaveRequestNew", &pairs);
    assert_eq!(elsewhere.status, 400, "a state of one page does not serve another");
    // Cut or altered.
    for at in [1, 20, 60] {
        let altered: Vec<(String, String)> = pairs
            .iter()
            .map(|(name, value)| {
                let mut value = value.clone();
                if name == "_state" {
                    let other = if value.as_bytes()[at] == b'A' { "B" } else { "A" };
                    value.replace_range(at..=at, other);
                }
                (name.clone(), value)
            })
            .collect();
        assert_eq!(filled.actor.post(&action, &altered).status, 400);
    }
    assert_eq!(shown(&people), before);
    assert_eq!(filled.send(&button).status, 303, "its own session may send it");
}

#[test]
fn icsa_24_319_12_of_two_hundred_parallel_guesses_few_are_compared() {
    let people = people();
    let visitor = people.visitor();
    let csrf = visitor.open("/sign-in").hidden("_csrf").unwrap().to_owned();
    let allowed = people.web().app.settings.throttle.account_failures as usize;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..200)
            .map(|n| {
                let (visitor, csrf) = (&visitor, &csrf);
                scope.spawn(move || {
                    let guess = format!("wrong guess number {n}");
                    let pairs =
                        [("_csrf", csrf.as_str()), ("email", "nadia.okafor@people.example"), ("password", guess.as_str())];
                    visitor.twin().post("/sign-in", &pairs).status
                })
            })
            .collect();
        guesses.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let compared = statuses.iter().filter(|status| **status == 422).count();
    assert!(compared <= allowed, "{compared} of 200 were compared; {allowed} are allowed");
    assert!(statuses.iter().all(|status| matches!(status, 422 | 429 | 503)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 429).count() > 100, "{statuses:?}");
}

#[test]
fn icsa_26_321_05_pages_of_demo_mode_answer_no_other_site() {
    let people = people();
    let actor = people.sign_in("nadia");
    for path in ["/dev/outbox", "/dev/findings", "/sign-in", "/p/hr.EmployeeHome"] {
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "0.0.0.0"] {
            let answer = actor.ask("GET", path, &[("Host", host)], b"");
            assert_eq!(answer.status, 421, "{path} {host}");
            assert!(!answer.body.contains("mail") && !answer.body.contains("_csrf"), "{path} {host}");
        }
    }
    let csrf = actor.open("/").hidden("_csrf").unwrap().to_owned();
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let body = format!("_csrf={csrf}");
        let sent = actor.ask("POST", "/sign-out", &[(name, value)], body.as_bytes());
        assert_eq!(sent.status, 403, "{name}: {value}");
    }
    assert_eq!(actor.get("/p/hr.EmployeeHome").status, 200, "still signed in");
    let outside = Setup::of(crate::support::project("apps/people"))
        .with(|settings| settings.listen = ([0, 0, 0, 0], 0).into())
        .over(tempfile::TempDir::new().unwrap());
    assert!(outside.is_err(), "demo mode listens on this machine only");
}

#[test]
fn icsa_25_168_01_a_path_leads_to_nothing_outside() {
    let people = people();
    let nadia = people.sign_in("nadia");
    let climbs = [
        "../secret.key",
        "..%2fsecret.key",
        "%2e%2e%2fsecret.key",
        "..%5csecret.key",
        "....//secret.key",
        "%252e%252e/secret.key",
        "/etc/passwd",
        "%00",
        "~",
        "C:%5cx",
    ];
    for climb in climbs {
        for place in ["/static/", "/dev/outbox/", "/link/register/", "/p/", "/admin/users/"] {
            let answer = nadia.get(&format!("{place}{climb}"));
            assert!(matches!(answer.status, 303 | 400 | 403 | 404 | 410), "{place}{climb}: {}", answer.status);
            assert!(!answer.body.contains("root:") && answer.body.len() < 20_000, "{place}{climb}");
        }
    }
    // A model folder is read as what lies in it, not as what a link in it points to.
    let outside = written(&[("Things.yaml", PAGE), ("pages/Things.yaml", PAGE)]);
    for (from, to) in [("Things.yaml", "bare/pages/Things.yaml"), ("pages", "bare/pages")] {
        let app = written(&[("app.yaml", APP), ("bare/module.yaml", "roles: {Keeper: Keeps}\n"), ("bare/domain.yaml", DOMAIN)]);
        let link = app.path().join(to);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(outside.path().join(from), link).unwrap();
        let pages = Files::read(app.path()).ok().and_then(|files| model::load(&files).0).map_or(0, |model| model.pages.len());
        assert_eq!(pages, 0, "{to} was followed");
    }
}

/// Strapi: an answer that says yes or no about a hidden member.
#[test]
fn cve_2026_27886_a_filter_on_a_hidden_member_answers_nothing() {
    let people = people();
    let carlo = people.sign_in("carlo");
    let page = carlo.look("/p/hiring.CandidateHome");
    let grid = grid_of(&page);
    for member in ["rating", "rejectNote", "hiredAs", "candidate.email"] {
        for value in ["1", "5", ""] {
            let of = |member: &str| answer(&carlo, &format!("/p/hiring.CandidateHome?{grid}.f.{member}={value}"));
            assert_eq!(of(member), of("nosuchmember"), "{member}={value}");
            assert_eq!(of(member).0, 400);
        }
    }
    assert!(!page.answer.body.to_lowercase().contains("rating"));
}

/// Odoo: a line without a group means everybody.
#[test]
fn odoo_a_rule_without_roles_is_no_rule() {
    for rule in [
        "{read: [word]}",
        "{roles: [], read: [word]}",
        "{roles: ['*'], read: [word]}",
        "{roles: [Keeper], read: ['*']}",
        "{roles: all, read: [word]}",
    ] {
        let domain = format!("entities:\n  Thing:\n    attributes: {{word: {{type: string}}}}\n    access: [{rule}]\n");
        let app = written(&[("app.yaml", APP), ("bare/module.yaml", "roles: {Keeper: Keeps}\n"), ("bare/domain.yaml", &domain)]);
        let (model, findings) = model::load(&Files::read(app.path()).unwrap());
        let Some(model) = model else { continue };
        let rules = &model.entities[&portcullis::domain::QName::new("bare", "Thing")].rules;
        assert!(rules.iter().all(|rule| rule.roles.is_empty()), "{rule}: {}", findings.human());
    }
}

/// Directus: null stands for withheld.
#[test]
fn directus_withheld_is_never_shown_as_empty() {
    let people = people();
    let nadia = people.sign_in("nadia");
    let page = nadia.look("/p/hr.Employees");
    let (mut withheld, mut plain) = (0, 0);
    for (_, row) in &page.html.rows {
        let cell = row.cell("Salary").unwrap();
        withheld += usize::from(cell.withheld);
        plain += usize::from(!cell.withheld && !cell.text.is_empty());
        assert!(cell.withheld == cell.text.is_empty(), "{cell:?}");
    }
    assert!(withheld > 0, "{plain}");
    assert!(page.answer.body.contains("You may not see this value"));
}

/// PocketBase: a token that cannot be ended.
#[test]
fn pocketbase_sessions_an_ended_session_is_refused_at_the_next_request() {
    let people = people();
    let nadia = people.sign_in("nadia");
    let stolen = nadia.twin();
    let page = nadia.open("/account");
    let out = page.html.forms.iter().find(|form| form.action == "/sign-out").unwrap().key.clone();
    let button = page.html.buttons.iter().find(|button| button.form == out).unwrap().clone();
    assert_eq!(page.send(&button).status, 303);
    for url in ["/p/hr.EmployeeHome", "/account", "/"] {
        let answer = stolen.get(url);
        assert_eq!(answer.status, 303, "{url}");
        assert!(!answer.body.contains("Nadia"), "{url}");
    }
}

/// Mendix: rows that a rule withholds come back blank, so their number leaks.
#[test]
fn mendix_withheld_rows_are_in_no_list_and_in_no_count() {
    let people = people();
    let (nadia, helen) = (people.sign_in("nadia"), people.sign_in("helen"));
    let url = "/p/hr.MyLeave";
    let mine = nadia.look(url);
    assert_eq!(mine.status, 200);
    let blank =
        mine.html.rows.iter().filter(|(_, row)| row.cells.iter().all(|cell| cell.text.is_empty() || cell.withheld)).count();
    assert_eq!(blank, 0, "a row that shows nothing tells that it is there");
    // Helen sees every employee that is there, Nadia those who have not left: the counts differ by exactly these.
    let count = |actor: &Actor| {
        let text = stable(&actor.look("/p/hr.Employees"));
        let at = text.find(" of ").unwrap_or_else(|| panic!("no total: {text}"));
        text[at + 4..].split(' ').next().unwrap().replace(',', "").parse::<usize>().unwrap()
    };
    let grid = grid_of(&helen.look("/p/hr.Employees"));
    let left = stable(&helen.look(&format!("/p/hr.Employees?{grid}.f.status=Left")));
    assert!(left.contains("Has left"), "{left}");
    assert!(count(&nadia) < count(&helen));
    let none = nadia.look(&format!("/p/hr.Employees?{grid}.f.status=Left"));
    assert!(none.html.rows.is_empty() && none.status == 200, "{}", none.html.text);
}
