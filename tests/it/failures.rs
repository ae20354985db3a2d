//! When something is wrong: a truthful answer, nothing half done, and recovery without a restart.

use crate::isolation::{choose, register};
use crate::support::actor::Page;
use crate::support::http::Answer;
use crate::support::project;
use crate::support::server::{Server, Setup, people};
use portcullis::audit;
use portcullis::config::{MailTarget, Secret};
use std::time::Duration;

/// Nadia's own details, open to be changed.
fn details(people: &Server, who: &str) -> Page {
    let actor = people.sign_in(who);
    let profile = actor.open("/p/hr.MyProfile");
    let link = profile.html.links.iter().find(|(href, _)| href.starts_with("/p/hr.MyDetails")).map(|(href, _)| href.clone());
    let page = match link {
        Some(href) => profile.go(&href),
        None => {
            let button = profile.html.buttons.iter().find(|button| button.name == "_do").expect("a way to one's details").clone();
            profile.press(&button)
        }
    };
    assert!(page.status == 200 && page.control("Phone").is_some(), "{} {}", page.url, page.html.text);
    page
}

fn phone(people: &Server, who: &str) -> String {
    details(people, who).control("Phone").unwrap().value.clone()
}

#[test]
fn without_the_database_people_are_told_and_afterwards_go_on_where_they_were() {
    let people = people();
    let page = details(&people, "nadia");
    let before = page.control("Phone").unwrap().value.clone();
    let db = &people.web().app.db;
    db.close();
    for answer in
        [page.actor.get("/p/hr.EmployeeHome"), page.actor.get("/"), page.actor.get("/account"), page.actor.get("/admin/users")]
    {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.header("retry-after").is_some() && answer.body.contains("try again"), "{}", answer.body);
        assert!(!answer.body.contains("the database is closed"), "details stand in the log only");
    }
    let filled = page.clone().fill("Phone", "+44 1632 960111");
    let sent = filled.send(filled.button("Save"));
    assert_eq!(sent.status, 503, "{}", sent.body);
    assert_eq!(people.password_sign_in("nadia.okafor@people.example", "x").1, 503);
    assert_eq!(page.actor.get("/health/live").status, 200);
    db.reopen().unwrap();
    assert_eq!(page.actor.get("/health/ready").status, 200);
    assert_eq!(phone(&people, "nadia"), before, "nothing was half done");
    // The same form, sent again by the same session, is taken.
    assert_eq!(filled.send(filled.button("Save")).status, 303);
    assert_eq!(phone(&people, "nadia"), "+44 1632 960111");
    assert!(!people.log().iter().any(|line| line.contains("panic")), "{:?}", people.log());
}

#[test]
fn while_mail_cannot_be_sent_a_registration_keeps_what_was_typed_and_can_be_sent_again() {
    let people = people();
    let MailTarget::Outbox(folder) = people.web().app.settings.mail.target.clone() else { panic!("an outbox") };
    let away = folder.with_extension("away");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let visitor = people.visitor();
    let (refused, statements) = people.statements(|| register(&visitor, "vera.quist@example.org"));
    assert_eq!((refused.status, statements), (422, 0), "{}", refused.html.text);
    assert!(refused.shows("could not be sent") && refused.shows("Nothing was lost"), "{}", refused.html.text);
    assert_eq!(refused.control("E-mail").unwrap().value, "vera.quist@example.org", "what was typed is still there");
    assert!(!refused.answer.body.contains("in the way") && !refused.answer.body.contains(&folder.display().to_string()));
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    let sent = refused.click("Send me the link");
    assert_eq!(sent.url, "/p/hiring.RegistrationSent", "{}", sent.html.text);
    let home = choose(&visitor.open(&people.link_to("vera.quist@example.org")));
    assert_eq!(home.url, "/p/hiring.CandidateHome");
}

#[test]
fn a_mail_server_that_is_not_there_is_told_truthfully() {
    let people = Setup::of(project("apps/people"))
        .with(|settings| settings.mail.target = MailTarget::Smtp(Secret::new("smtp://127.0.0.1:1".to_owned())))
        .run();
    let refused = register(&people.visitor(), "vera.quist@example.org");
    assert_eq!(refused.status, 422);
    assert!(refused.shows("could not be sent") && refused.control("E-mail").is_some(), "{}", refused.html.text);
    assert!(!refused.shows("RegistrationSent") && !refused.answer.body.contains("127.0.0.1:1<"), "{}", refused.html.text);
    // A forgotten password is answered alike for everybody, and the failure stands in the log.
    let form = people.visitor().open("/forgot");
    let sent = form.fill("E-mail", "nadia.okafor@people.example");
    let button =
        sent.html.buttons.iter().find(|button| button.name.is_empty() && sent.action(button) == "/forgot").unwrap().clone();
    assert_eq!(sent.send(&button).status, 200);
}

#[test]
fn of_a_form_sent_many_times_at_once_one_is_taken() {
    let people = people();
    let page = details(&people, "nadia");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let page = &page;
        let sends: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn(move || {
                    let filled = page.clone().fill("Phone", &format!("+44 1632 96020{n}"));
                    filled.send(filled.button("Save"))
                })
            })
            .collect();
        sends.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let taken: Vec<usize> = (0..8).filter(|n| answers[*n].status == 303).collect();
    assert_eq!(taken.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| matches!(answer.status, 303 | 409 | 503)), "the others are told that they were late");
    assert_eq!(phone(&people, "nadia"), format!("+44 1632 96020{}", taken[0]));
}

#[test]
fn a_leave_request_is_decided_once_however_often_the_button_is_used() {
    let people = people();
    let tomas = people.sign_in("tomas");
    let list = tomas.open("/p/hr.LeaveDecisions");
    let href = list.html.rows.iter().find_map(|(_, row)| row.href.clone()).expect("a request to decide");
    let page = list.go(&href);
    assert!(page.has_button("Approve"), "{}", page.html.text);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let sends: Vec<_> = (0..6).map(|_| scope.spawn(|| page.send(page.button("Approve")).status)).collect();
        sends.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 303 | 400 | 409 | 422 | 503)), "{statuses:?}");
    assert!(!tomas.open(&href).has_button("Approve"));
}

#[test]
fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    let people = people();
    let (first, second) = (details(&people, "nadia"), details(&people, "nadia"));
    let first = first.fill("Phone", "+44 1632 960301");
    assert_eq!(first.send(first.button("Save")).status, 303);
    let second = second.fill("Phone", "+44 1632 960302");
    let late = second.send(second.button("Save"));
    assert_eq!(late.status, 409);
    assert!(late.body.contains("Nothing was saved"));
    assert_eq!(phone(&people, "nadia"), "+44 1632 960301");
}

#[test]
fn handles_of_other_things_open_nothing() {
    let people = people();
    let nadia = people.sign_in("nadia");
    let true_one = people.handle("hr.Employee", 1);
    let mut altered = true_one.clone();
    altered.replace_range(3..4, if true_one.as_bytes()[3] == b'A' { "B" } else { "A" });
    let swapped =
        [people.handle("hr.Department", 1), people.handle("system.User", 1), people.handle("hiring.Candidate", 1), altered];
    let own = ["1", "-1", "~", "~x", "", "%00", "../1", &"A".repeat(5_000)].map(str::to_owned);
    for handle in swapped.iter().chain(&own) {
        let answer = nadia.get(&format!("/p/hr.EmployeeDetail?Employee={handle}"));
        assert!(matches!(answer.status, 404 | 403), "{handle}: {}", answer.status);
    }
    let unseen = nadia.get(&format!("/p/hr.EmployeeDetail?Employee={}", people.handle("hr.Employee", 999_999)));
    assert_eq!(unseen.status, 404, "an object that never was is answered like a handle that is none");
    assert_eq!(nadia.get(&format!("/p/hr.EmployeeDetail?Employee={true_one}")).status, 200);
}

#[test]
fn the_session_just_begun_is_never_the_one_that_has_to_go() {
    let people = people();
    let first = people.sign_in("nadia");
    for _ in 0..40 {
        assert_eq!(people.sign_in("nadia").get("/account").status, 200);
        people.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(first.get("/account").status, 303, "the oldest has ended");
}

#[test]
fn looking_for_what_is_not_ones_own_is_recorded_and_looks_like_nothing_at_all() {
    let people = people();
    let nadia = people.sign_in("nadia");
    let denials = || {
        let filter = audit::Filter { event: Some("denied".into()), ..Default::default() };
        let found = people.web().app.db.read(|conn| audit::search(conn, &filter, &audit::Page::latest(50))).unwrap();
        found.records.len()
    };
    let foreign = (1..20)
        .map(|id| format!("/p/hr.LeaveDetail?Request={}", people.handle("hr.LeaveRequest", id)))
        .find(|target| nadia.get(target).status == 404)
        .expect("a request of somebody else");
    let before = denials();
    let answer = nadia.get(&foreign);
    let never = nadia.get(&format!("/p/hr.LeaveDetail?Request={}", people.handle("hr.LeaveRequest", 999_999)));
    assert_eq!((answer.status, never.status), (404, 404));
    assert_eq!(denials(), before + 2, "both are in the record");
    let text = |answer: &Answer| crate::support::html::read(&answer.body).text.split("Reference").next().unwrap().to_owned();
    assert_eq!(text(&answer), text(&never), "one looks like the other, but for the number of the request");
}

#[test]
fn a_query_that_is_no_text_is_refused_and_not_passed_over() {
    let people = people();
    let nadia = people.sign_in("nadia");
    for broken in ["%ff=1", "a=%zz", "a=%"] {
        let answer = nadia.get(&format!("/p/hr.Employees?{broken}"));
        assert_eq!(answer.status, 400, "{broken}");
        assert!(answer.body.contains("not text") && !answer.body.contains("Okafor"), "{}", answer.body);
    }
    assert_eq!(people.visitor().get("/sign-in?next=%2Fp%2Fcaf%C3%A9").status, 200, "text in any language is a query");
}
