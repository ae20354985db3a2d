//! Two nodes on one PostgreSQL: a request may go to either at any time.

use crate::isolation::register;
use crate::support::notes;
use crate::support::project;
use crate::support::server::{Kind, Server, Setup};
use portcullis::app::{Duty, Relief};
use portcullis::config::{Level, MailTarget, Secret};
use portcullis::db::sql::{Params, Sql, execute};
use portcullis::model::{self, Files};
use portcullis::server::{Mode, StartError};
use portcullis::store;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Two nodes of an app; `None` without PostgreSQL, which is told.
fn pair(app: impl AsRef<Path>) -> Option<(Server, Server)> {
    let first = Setup::of(app.as_ref()).on(Kind::Postgres).with(|settings| settings.node = "one".into()).try_run()?;
    let second = Setup::of(app.as_ref()).beside(&first, "two").unwrap();
    Some((first, second))
}

fn library() -> Option<(Server, Server)> {
    pair(project("tests/apps/library"))
}

/// Waits for what happens by itself: within a second, on a machine that is not busy with other tests.
fn soon(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !happened() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_signs_in_on_one_node_is_known_on_the_other_and_who_leaves_is_not_at_the_next_request() {
    let Some((one, two)) = library() else { return };
    let mina = one.sign_in("mina");
    let there = mina.at(two.address());
    assert_eq!(there.open("/p/lending.MyLoans").status, 200);
    let home = mina.open("/");
    let csrf = home.hidden("_csrf").unwrap().to_owned();
    assert_eq!(mina.twin().post("/sign-out", &[("_csrf", csrf.as_str())]).status, 303);
    let after = there.get("/p/lending.MyLoans");
    assert!(after.status == 303 && after.header("location").unwrap().starts_with("/sign-in"), "{}", after.status);
    assert!(!after.body.contains("My loans"));
}

#[test]
fn a_role_that_is_taken_on_one_node_opens_nothing_on_the_other_at_the_next_request() {
    let Some((one, two)) = library() else { return };
    let mina = two.sign_in("mina");
    assert_eq!(mina.look("/p/lending.MyLoans").status, 200);
    let ella = one.sign_in("ella");
    let list = ella.open("/admin/users");
    let href = list.html.links.iter().find(|(_, text)| text.contains("Mina")).map(|(href, _)| href.clone()).unwrap();
    let page = ella.open(&href);
    let (csrf, version) = (page.hidden("_csrf").unwrap().to_owned(), page.hidden("version").unwrap().to_owned());
    let fields = [("_csrf", csrf.as_str()), ("version", version.as_str())];
    assert_eq!(ella.post(&format!("{href}/roles"), &fields).status, 303);
    let refused = mina.look("/p/lending.MyLoans");
    assert!(refused.status == 403 && !refused.shows("My loans"), "{} {}", refused.status, refused.html.text);
    let menu = mina.open("/");
    assert!(menu.link("My loans").is_none(), "nor is it offered");
}

#[test]
fn wrong_passwords_on_one_node_count_on_the_other() {
    let Some((one, two)) = library() else { return };
    let tries: Vec<u16> =
        (0..6).map(|n| [&one, &two][n % 2].password_sign_in("mina.sato@library.example", "wrong wrong wrong").1).collect();
    assert_eq!(tries, [422, 422, 422, 422, 422, 429], "three on each are six in all");
    assert_eq!(two.password_sign_in("mina.sato@library.example", "wrong wrong wrong").1, 429);
}

#[test]
fn a_form_opened_on_one_node_is_taken_by_the_other_and_a_link_works_once_on_both() {
    let Some((one, two)) = library() else { return };
    let paul = one.sign_in("paul");
    let form = paul.open("/p/lending.AuthorNew").fill("Name", "Ines Falk");
    let button = form.html.buttons.iter().find(|button| button.caption == "Save").unwrap().clone();
    let sent = paul.at(two.address()).post(&form.action(&button), &form.payload(&button));
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert!(paul.open("/p/lending.Authors").shows("Ines Falk"));

    let visitor = one.visitor();
    let join = visitor.open("/p/lending.JoinForm").fill("First name", "Vera").fill("Last name", "Quist");
    let join = join.fill("E-mail", "vera@readers.example").fill("I keep the rules of the house", "true");
    assert_eq!(join.click("Send me the link").status, 200);
    let link = one.link_to("vera@readers.example");
    let words = "violet harbour lantern";
    let choose = |server: &Server| server.visitor().open(&link);
    let page = choose(&two).fill("New password", words).fill("Once more", words).click("Save the password");
    assert_eq!(page.status, 200, "{}", page.html.text);
    assert_eq!(choose(&one).status, 410, "used on one, used on both");
    assert_eq!(one.password_sign_in("vera@readers.example", words).1, 303);
}

#[test]
fn registration_letters_count_over_all_nodes() {
    let Some((one, two)) = pair(project("apps/people")) else { return };
    let ask = |server: &Server, n: usize| register(&server.visitor(), &format!("v{n}@example.org")).status;
    (0..6).for_each(|n| assert_eq!(ask(&one, n), 200));
    // The clockwork does this twice a second.
    one.web().app.follow().unwrap();
    two.web().app.follow().unwrap();
    let answers: Vec<u16> = (6..11).map(|n| ask(&two, n)).collect();
    assert_eq!(answers, [200, 200, 200, 200, 429]);
    let (_, statements) = two.statements(|| ask(&two, 11));
    assert_eq!(statements, 0, "counting asks the database nothing");
}

#[test]
fn a_log_level_set_on_one_node_is_in_force_on_the_other_and_on_one_that_starts_later() {
    let Some(first) = Setup::of(project("tests/apps/library")).on(Kind::Postgres).scheduled().try_run() else { return };
    let app = || Setup::of(project("tests/apps/library"));
    let second = app().scheduled().beside(&first, "two").unwrap();
    let ella = first.sign_in("ella");
    let csrf = ella.open("/admin/log").hidden("_csrf").unwrap().to_owned();
    let set = |node: &str, level: &str| {
        let fields = [("_csrf", csrf.as_str()), ("node", node), ("level", level)];
        assert_eq!(ella.post("/admin/log/level", &fields).status, 303);
    };
    let admits = |server: &Server, level| server.logs.admits("lending.Fines", level);
    assert!(!admits(&second, Level::Trace));
    set("lending", "trace");
    assert!(admits(&first, Level::Trace), "at once where it was set");
    soon("the level", || admits(&second, Level::Trace));
    set("", "critical");
    soon("the level of the root", || !second.logs.admits("portcullis.web", Level::Error));
    assert!(admits(&second, Level::Trace), "a node's own level stands");
    let third = app().beside(&first, "three").unwrap();
    assert!(admits(&third, Level::Trace) && !third.logs.admits("portcullis.web", Level::Error));
    set("lending", "");
    soon("following the root again", || !admits(&second, Level::Error));
}

#[test]
fn a_scheduled_flow_runs_once_and_what_it_publishes_is_shown_on_both() {
    let app = notes::app();
    let Some(one) = Setup::of(app.path()).on(Kind::Postgres).scheduled().try_run() else { return };
    let two = Setup::of(app.path()).scheduled().beside(&one, "two").unwrap();
    let beats = || notes::texts(&one.web().app.db, "SELECT CAST(number AS TEXT) FROM notes_beat").len();
    for round in 1..=4 {
        soon("the run", || beats() == round);
        for server in [&one, &two] {
            soon("the board", || {
                let page = server.visitor().look("/p/notes.Board");
                page.status == 200 && page.shows(&format!("beat {round}"))
            });
        }
        one.clock.advance(Duration::from_secs(10));
    }
    soon("the last run", || beats() == 5);
    // Two more turns of both clocks: nothing is due, so nothing runs.
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(beats(), 5);
    let failed = notes::texts(&one.web().app.db, "SELECT summary FROM audit_record WHERE event = 'flow.failed'");
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn of_many_that_would_run_an_event_at_once_exactly_one_does() {
    let app = notes::app();
    let Some((one, two)) = pair(app.path()) else { return };
    let live = one.web().app.live();
    let event = live.model.schedule.first().unwrap();
    for round in 1..=10 {
        let last = one.web().app.runs(&live).unwrap()[&event.name];
        one.clock.advance(Duration::from_secs(10));
        let ran: usize = std::thread::scope(|scope| {
            let all: Vec<_> = [&one, &two, &one, &two]
                .into_iter()
                .map(|server| scope.spawn(move || server.web().app.run_event(event, last).unwrap()))
                .collect();
            all.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
        });
        assert_eq!(ran, 1, "round {round}");
    }
    assert_eq!(notes::texts(&two.web().app.db, "SELECT CAST(number AS TEXT) FROM notes_beat").len(), 10);
}

#[test]
fn each_queued_mail_is_sent_once_however_many_nodes_deliver() {
    let Some((one, two)) = library() else { return };
    let now = one.clock.now();
    for n in 0..30 {
        let mut sql = Sql::new();
        sql.raw("INSERT INTO mail_queue (recipient, subject, body, due) VALUES ('r").int(n);
        sql.raw("@readers.example', 'Overdue', 'Please', '2026-03-01 00:00:00')");
        one.web().app.db.write(|conn| execute(conn, &sql, &Params::new(None, now, now.date()))).unwrap();
    }
    let sent: usize = std::thread::scope(|scope| {
        let all: Vec<_> =
            [&one, &two, &one, &two].into_iter().map(|s| scope.spawn(move || s.web().app.deliver().unwrap())).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    let mails = one.web().app.mailer.as_outbox().unwrap().list().unwrap();
    let to: BTreeSet<String> = mails.iter().map(|mail| mail.to.clone()).collect();
    assert_eq!((sent, mails.len(), to.len()), (30, 30, 30));
    assert_eq!(notes::texts(&one.web().app.db, "SELECT recipient FROM mail_queue"), Vec::<String>::new());
}

#[test]
fn a_node_that_runs_another_model_than_the_one_applied_steps_down_and_comes_back_with_it() {
    let (old, new) = (notes::app(), notes::edition("Notes and more"));
    let Some((one, two)) = pair(old.path()) else { return };
    let ada = one.sign_in("ada");
    let form = notes::Form::open(&ada);
    assert_eq!(form.send(two.address(), "before").unwrap().status, 303);
    let apply = |app: &Path| {
        let model = model::load(&Files::read(app).unwrap()).0.unwrap();
        let statements = store::Statements::new(&Arc::new(model)).unwrap();
        store::apply(&one.web().app.db, &statements, &BTreeSet::new(), one.clock.now()).unwrap();
    };
    apply(new.path());
    two.web().app.follow().unwrap();
    assert!(matches!(two.web().app.duty(), Duty::Relieved(_, Relief::Model)));
    let there = ada.at(two.address());
    assert_eq!((there.get("/health/ready").status, there.get("/health/live").status), (503, 200));
    let refused = form.send(two.address(), "while relieved").unwrap();
    assert!(refused.status == 503 && refused.body.contains("Nothing was changed"), "{}", refused.body);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(there.get("/p/notes.All").status, 200, "for the drain time pages are still shown");
    assert!(two.web().app.may_work().is_err(), "jobs are left to others");
    two.clock.advance(two.web().app.settings.drain);
    assert_eq!(there.get("/p/notes.All").status, 503, "then nothing is");
    assert_eq!(two.visitor().get("/p/notes.Board").status, 503, "for nobody");
    let strict = Setup { mode: Mode::Serve, ..Setup::of(old.path()) }.with(|settings| {
        settings.mail.target = MailTarget::Smtp(Secret::new("smtp://127.0.0.1:1"));
        settings.mail.from_is_set = true;
        settings.argon2.memory = 47_104;
    });
    let started = strict.beside(&one, "three");
    let why = started.err().unwrap().to_string();
    assert!(why.contains("migrate"), "a node does not start with another model: {why}");
    apply(old.path());
    two.web().app.follow().unwrap();
    assert_eq!(two.web().app.duty(), Duty::Serving);
    assert_eq!(form.send(two.address(), "after").unwrap().status, 303);
    let kept: Vec<String> = notes::stored(&one.web().app.db).into_iter().collect();
    assert_eq!(kept, ["after", "before"]);
}

#[test]
fn two_nodes_of_one_name_are_refused_and_the_name_is_free_again_afterwards() {
    let Some((one, two)) = library() else { return };
    let again = || Setup::of(project("tests/apps/library")).beside(&one, "two");
    let refused = again().err().unwrap();
    assert!(matches!(refused, StartError::NameTaken(_)) && refused.to_string().contains("`two`"), "{refused}");
    assert_eq!(two.visitor().get("/health/ready").status, 200, "the one that was there is not disturbed");
    drop(two);
    assert_eq!(again().unwrap().visitor().get("/health/ready").status, 200);
}
