//! What many requests at once cannot do: hide what others did, flood a mailbox, keep somebody out.

use crate::isolation::{choose, register};
use crate::support::notes::texts;
use crate::support::project;
use crate::support::server::{Kind, Server, Setup, people};
use portcullis::app::{Ask, Asker, Refusal};
use portcullis::audit::{self, Filter, Record};
use portcullis::config::{MailTarget, Secret};
use std::net::IpAddr;

fn on_each(test: impl Fn(&Server)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if let Some(server) = Setup::of(project("apps/people")).on(kind).try_run() {
            test(&server);
        }
    }
}

fn from(address: &str, id: &str) -> Ask {
    Ask {
        session: None,
        visitor: None,
        address: address.parse::<IpAddr>().unwrap(),
        agent: String::new(),
        request_id: id.to_owned(),
        language: "en".into(),
        target: "/p/hr.Employees?Employee=guess".into(),
        xray: false,
    }
}

/// The recorded refusals, latest first.
fn refusals(server: &Server) -> Vec<Record> {
    let app = &server.web().app;
    app.record_waiting();
    let filter = Filter { event: Some("denied".into()), ..Filter::default() };
    app.db.read(|conn| audit::search(conn, &filter, &audit::Page::latest(500))).unwrap().records
}

fn count(record: &Record) -> u64 {
    let found = record.details.iter().find(|detail| detail.name == "count");
    found.map_or(1, |detail| detail.new.as_deref().unwrap().parse().unwrap())
}

#[test]
fn a_flood_of_refusals_leaves_other_peoples_records_alone() {
    on_each(|server| {
        let app = &server.web().app;
        let live = app.live();
        let refuse = |address: &str, id: &str, refusal: &Refusal| {
            let ask = from(address, id);
            app.record_refusal(&ask, &Asker::visitor(app, &live, &ask), refusal);
        };
        let before = refusals(server).iter().map(count).sum::<u64>();
        (0..10_000).for_each(|n| refuse("198.51.100.7", &format!("FLOOD{n:05}"), &Refusal::Gone));
        refuse("203.0.113.9", "OTHER", &Refusal::Gone);
        refuse("198.51.100.7", "ANOTHER-KIND", &Refusal::Forged("a test"));
        assert_eq!(server.sign_in("nadia").get("/p/hr.ClaimDecisions").status, 403);
        (0..10_000).for_each(|n| refuse("198.51.100.7", &format!("AGAIN{n:05}"), &Refusal::Gone));
        let found = refusals(server);
        assert!(found.len() < 60, "{}", found.len());
        assert_eq!(found.iter().map(count).sum::<u64>() - before, 20_003, "none is uncounted");
        let has = |id: &str| found.iter().any(|record| record.request_id.as_deref() == Some(id));
        assert!(has("OTHER") && has("ANOTHER-KIND") && has("FLOOD00000"));
        assert!(found.iter().any(|record| record.caller.as_ref().is_some_and(|who| who.account.is_some())), "and Nadia's");
        let sum = found.iter().max_by_key(|record| count(record)).unwrap();
        assert!(sum.summary.ends_with("(19980 times)"), "{sum:?}");
        assert_eq!(sum.caller.as_ref().unwrap().name, "198.51.100.7");
        let detail = |name: &str| sum.details.iter().any(|detail| detail.name == name && detail.new.is_some());
        assert!(detail("first") && detail("last"), "{sum:?}");
    });
}

#[test]
fn a_flood_of_networks_is_counted_in_bounds() {
    let server = people();
    let app = &server.web().app;
    let live = app.live();
    for n in 0..30_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        let ask = from(&format!("10.{a}.{b}.{c}"), &format!("R{n}"));
        app.record_refusal(&ask, &Asker::visitor(app, &live, &ask), &Refusal::Gone);
    }
    app.record_waiting();
    let total: usize = texts(&app.db, "SELECT CAST(count(*) AS TEXT) FROM audit_record")[0].parse().unwrap();
    assert!(total < 2_500, "{total} records of 30,000 refusals");
}

#[test]
fn refusals_of_one_person_cost_few_transactions_and_keep_a_reference_that_is_found() {
    let server = people();
    let nadia = server.sign_in("nadia");
    let refused = || {
        let (page, statements) = server.statements(|| nadia.open("/p/hr.ClaimDecisions"));
        assert_eq!(page.status, 403);
        let reference = page.answer.body.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next());
        (reference.unwrap().to_owned(), page.shows("They are recorded together"), statements)
    };
    let first = refused();
    assert!(!first.1);
    let last = (0..99).map(|_| refused()).reduce(|_, next| next).unwrap();
    assert!(last.1, "the page says that it was counted");
    assert!(last.2 < first.2, "counting costs no statement: {} {}", last.2, first.2);
    let found = refusals(&server);
    assert_eq!(found.iter().map(count).sum::<u64>(), 100);
    assert!(found.len() <= 21, "{}", found.len());
    let auditor = server.sign_in("arun");
    for reference in [&first.0, &last.0] {
        assert!(found.iter().any(|record| record.request_id.as_ref() == Some(reference)), "{reference}");
        let told = auditor.open(&format!("/admin/audit/why?reference={reference}"));
        assert!(told.status == 200 && !told.shows("No refusal is recorded"), "{}", told.html.text);
    }
}

#[test]
fn what_is_counted_is_recorded_when_the_database_is_back() {
    let server = people();
    let app = &server.web().app;
    let live = app.live();
    let before = refusals(&server).len();
    app.db.close();
    for n in 0..5_000 {
        let ask = from("198.51.100.7", &format!("R{n}"));
        app.record_refusal(&ask, &Asker::visitor(app, &live, &ask), &Refusal::Gone);
        if n % 1_000 == 0 {
            app.record_waiting();
        }
    }
    app.db.reopen().unwrap();
    app.record_all_waiting();
    assert_eq!(refusals(&server).iter().map(count).sum::<u64>(), before as u64 + 5_000);
}

#[test]
fn a_mailbox_gets_three_letters_an_hour_without_a_word_of_the_visitor() {
    let server = people();
    let mails = || server.web().app.mailer.as_outbox().unwrap().list().unwrap().len();
    for n in 0..6 {
        let sent = register(&server.visitor(), "vera.quist@example.org");
        assert_eq!((sent.status, sent.url.as_str()), (200, "/p/hiring.RegistrationSent"), "{n}: the answer tells nothing");
    }
    assert_eq!(mails(), 3);
    let text = server.mail_to("vera.quist@example.org").unwrap();
    assert!(!text.contains("Vera") && !text.contains("Quist"), "{text}");
    for n in 0..4 {
        assert_eq!(register(&server.visitor(), &format!("n{n}@example.org")).url, "/p/hiring.RegistrationSent");
    }
    let eleventh = register(&server.visitor(), "n5@example.org");
    assert_eq!(eleventh.status, 429, "{}", eleventh.html.text);
    assert_eq!(eleventh.answer.header("retry-after"), Some("3600"));
    assert_eq!(mails(), 7);
}

#[test]
fn who_guessed_at_an_address_before_joining_still_joins() {
    let server = people();
    for n in 0..12 {
        let (_, status) = server.password_sign_in("vera.quist@example.org", &format!("I thought I had one {n}"));
        assert!(matches!(status, 422 | 429), "{status}");
    }
    let visitor = server.visitor();
    register(&visitor, "vera.quist@example.org");
    let home = choose(&visitor.open(&server.link_to("vera.quist@example.org")));
    assert_eq!((home.status, home.url.as_str()), (200, "/p/hiring.CandidateHome"), "{}", home.html.text);
}

#[test]
fn a_letter_for_a_new_password_waits_for_the_mail_server() {
    let server = Setup::of(project("apps/people"))
        .with(|settings| settings.mail.target = MailTarget::Smtp(Secret::new("smtp://127.0.0.1:1".to_owned())))
        .run();
    let app = &server.web().app;
    app.db.write(|conn| conn.batch("UPDATE account SET demo = false")).unwrap();
    for email in ["nadia.okafor@people.example", "nobody@people.example"] {
        let page = server.visitor().open("/forgot").fill("E-mail", email);
        let button = page.html.buttons.iter().find(|b| b.name.is_empty() && page.action(b) == "/forgot").unwrap().clone();
        assert_eq!(page.send(&button).status, 200, "{email}");
    }
    assert_eq!(texts(&app.db, "SELECT recipient FROM mail_queue"), ["nadia.okafor@people.example"]);
    let _ = app.deliver();
    let kept = texts(&app.db, "SELECT body FROM mail_queue");
    assert!(kept.len() == 1 && kept[0].contains("/link/reset/"), "it is tried again: {kept:?}");
}

#[test]
fn lookalikes_are_shown_to_whoever_administers_accounts() {
    let server = people();
    let greta = server.sign_in("greta");
    let page = greta.open("/admin/users");
    assert!(!page.shows("looks like"), "{}", page.html.text);
    let invited = page.fill("Name", "Nadia 0kafor").fill("E-mail", "nadia.0kafor@people.example").click("Send the invitation");
    assert_eq!(invited.status, 200, "{}", invited.html.text);
    assert!(invited.shows("The address looks like nadia.okafor@people.example."), "{}", invited.html.text);
    let list = greta.open("/admin/users?q=0kafor");
    assert!(
        list.shows("looks like") && list.answer.body.contains("<bdi>nadia.0kafor@people.example</bdi>"),
        "{}",
        list.html.text
    );
}
