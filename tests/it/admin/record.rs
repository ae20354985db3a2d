//! The record of what happened, the matrix, and the log.

use super::browser::House;
use portcullis::app::Live;
use portcullis::audit::{Event, EventKind};
use portcullis::config::Level;
use portcullis::identity::Actor;
use portcullis::model::Findings;
use portcullis::workspace::Snapshots;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn values_in_the_trail_are_withheld_from_whoever_may_not_read_the_member() {
    let house = House::new();
    let told = |old: &str, new: &str| (Some(old.to_owned()), Some(new.to_owned()));
    let mut event = Event::new(EventKind::Changed, "an object was changed").on("lending.Book#1");
    for (name, (old, new)) in [
        ("lending.Book.title", told("canary-title-old", "canary-title-new")),
        ("lending.Reader.birthDate", told("canary-birth-old", "canary-birth-new")),
        ("lending.Book.gone", told("canary-gone-old", "canary-gone-new")),
        ("system.User.name", told("canary-name-old", "canary-name-new")),
        ("sessions", told("canary-plain-old", "canary-plain-new")),
    ] {
        event = event.detail(name, old, new);
    }
    house.web().app.record(&event).unwrap();
    let page = house.signed_in("ella").get("/admin/audit").body;
    assert!(page.contains("canary-title-old") && page.contains("canary-title-new"), "the director reads every book");
    assert!(page.contains("canary-plain-new"), "a plain word is a fact of the trail");
    for withheld in ["canary-gone", "canary-name"] {
        assert!(!page.contains(withheld), "{withheld}: no such member, or readable under a condition only");
    }
    let page = house.signed_in("audra").get("/admin/audit").body;
    assert!(page.contains("lending.Book.title") && page.contains("Values withheld from you"));
    assert!(page.contains("canary-plain-new"));
    for withheld in ["canary-title", "canary-birth", "canary-gone", "canary-name"] {
        assert!(!page.contains(withheld), "{withheld} is no business of an auditor without data rights");
    }
    let searched = house.signed_in("audra").get("/admin/audit?q=canary-title").body;
    assert!(searched.contains("Nothing matches"), "nor can it be searched for");
}

#[test]
fn the_trail_is_filtered_and_verified() {
    let house = House::new();
    house.signed_in("paul").get("/admin/users");
    let mut audra = house.signed_in("audra");
    let page = audra.get("/admin/audit?event=denied&who=brennan").body;
    assert!(page.contains("administer users") && !page.contains("a demo user was made"));
    assert!(audra.get("/admin/audit?to=2001-01-01").body.contains("Nothing matches"));
    assert!(audra.get("/admin/audit?severity=critical").body.contains("Nothing matches"));
    audra.get("/admin/audit");
    let verified = audra.post("/admin/audit/verify", &[]);
    assert!(verified.status == 200 && verified.body.contains("The record is whole"));
    assert_eq!(audra.get("/admin/audit/verify").location.as_deref(), Some("/admin/audit"));
}

/// Where a link of a page leads.
fn link(body: &str, rel: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("rel=\"{rel}\" href=\""))?;
    rest.split('"').next().map(|href| href.replace("&amp;", "&"))
}

#[test]
fn the_record_goes_on_from_a_place_and_a_place_that_is_none_is_the_latest() {
    let house = House::new();
    for n in 0..120 {
        let event = Event::new(EventKind::Configuration, format!("noted {n:03}")).on("lending.Book#7");
        house.web().app.record(&event).unwrap();
    }
    let mut audra = house.signed_in("audra");
    let noted = |body: &str| {
        let all = regex::Regex::new("noted ([0-9]{3})").unwrap();
        all.captures_iter(body).map(|found| found[1].parse::<usize>().unwrap()).collect::<Vec<_>>()
    };
    let first = audra.get("/admin/audit?object=lending.Book%237").body;
    let (mut pages, mut next) = (vec![noted(&first)], link(&first, "next"));
    assert!(link(&first, "prev").is_none(), "nothing is later than the latest");
    let mut last = first.clone();
    while let Some(href) = next {
        // What is added meanwhile moves nothing.
        house.web().app.record(&Event::new(EventKind::Configuration, "added").on("lending.Book#7")).unwrap();
        last = audra.get(&href).body;
        pages.push(noted(&last));
        next = link(&last, "next");
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    assert_eq!(pages.concat(), (0..120).rev().collect::<Vec<_>>());
    assert_eq!(noted(&audra.get(&link(&last, "prev").unwrap()).body), pages[1], "and back");
    let huge = "x".repeat(5_000);
    for none in
        ["", "1", "~~~", "x~1~a~b", "99999999999999~1~a~b", "1~1~'%3B%20DROP~b", "-1~-1~%00~%00", "1~1~%F0%9F%A6%8A~", &huge]
    {
        for name in ["before", "after"] {
            assert_eq!(audra.get(&format!("/admin/audit?{name}={none}")).status, 200, "{name}={none:.40}");
        }
    }
    let nonsense = audra.get("/admin/audit?object=lending.Book%237&before=nonsense").body;
    assert_eq!(noted(&nonsense).first(), Some(&119));
}

#[test]
fn the_matrix_shows_what_the_running_app_enforces() {
    let house = House::new();
    let mut audra = house.signed_in("audra");
    let page = audra.get("/admin/matrix?kind=page&q=lending.Fines").body;
    assert!(page.contains("lending.Fines") && !page.contains("lending.Book"));
    assert!(page.contains(">Steward</th>"), "every user role has its column");
    let one = audra.get("/admin/matrix?kind=member&role=Reader&q=lending.Loan").body;
    assert!(one.contains(">Reader</th>") && !one.contains(">Director</th>"));
    assert!(one.contains("Under a condition") && one.contains("rule "), "a condition can be read");
    assert!(audra.get("/admin/matrix?role=Nobody").body.contains(">Director</th>"), "an unknown role is no filter");
}

#[test]
fn a_changed_level_acts_at_once_and_is_recorded() {
    let house = House::new();
    let logs = &house.web().app.logs;
    let mut ella = house.signed_in("ella");
    ella.get("/admin/log");
    assert!(!logs.admits("lending.Desk", Level::Debug));
    assert_eq!(ella.post("/admin/log/level", &[("node", "lending"), ("level", "debug")]).status, 303);
    assert!(logs.admits("lending.Desk", Level::Debug) && !logs.admits("portcullis.web", Level::Debug));
    assert!(ella.get("/admin/log").body.contains("The level of lending is now debug."));
    assert_eq!(ella.post("/admin/log/level", &[("node", "lending"), ("level", "")]).status, 303);
    assert!(!logs.admits("lending.Desk", Level::Debug));
    assert_eq!(house.events("log.level").len(), 2);
    for (node, level) in [("lending", "loud"), ("not a node", "debug"), ("", ""), ("a..b", "debug"), ("<script>", "trace")] {
        ella.get("/admin/log");
        assert_eq!(ella.post("/admin/log/level", &[("node", node), ("level", level)]).status, 422, "{node:?} {level:?}");
    }
    assert_eq!(house.events("log.level").len(), 2, "what was not done is not recorded");
}

#[test]
fn the_live_log_delivers_a_line_and_ends_after_sign_out() {
    let house = House::new();
    let mut ella = house.signed_in("ella");
    let logs = house.web().app.logs.clone();
    logs.write("lending.Desk", Level::Warning, "kept from before", None);
    let mut lines = BufReader::new(ella.stream("/admin/log/stream?level=warning&node=lending&after=0")).lines();
    let mut next = |wanted: &str| lines.by_ref().map(|line| line.unwrap()).find(|line| line.contains(wanted));
    assert!(next("kept from before").unwrap().starts_with("data: {"));
    logs.write("lending.Desk", Level::Info, "too small a matter", None);
    logs.write("portcullis.other", Level::Error, "of another node", None);
    logs.write("lending.Desk", Level::Error, "two\nlines and <b>", Some("r1"));
    let line = next("data:").unwrap();
    assert!(line.contains(r"two\\nlines and <b>") && line.contains("\"request_id\":\"r1\""), "{line}");
    assert!(house.events("log.opened").iter().any(|event| event.contains("followed live")), "who follows is recorded");
    assert!(next(": still here").is_some(), "a sign of life, and the proof anew");
    ella.get("/account");
    assert_eq!(ella.post("/sign-out", &[]).status, 303);
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(rest.iter().all(|line| !line.starts_with("data:")), "the stream ended: {rest:?}");
}

#[test]
fn the_live_log_ends_when_the_role_is_lost_and_one_reader_cannot_take_every_place() {
    let house = House::new();
    let app = &house.web().app;
    let mut paul = house.signed_in("paul");
    assert_eq!(paul.get("/admin/log/stream").status, 403);
    let give = |roles: &[&str]| {
        let account = house.account("paul");
        let roles = roles.iter().map(|role| (*role).into()).collect();
        app.db
            .write(|conn| {
                app.identity.replace_roles(
                    conn,
                    &Actor::system("test"),
                    account.id,
                    account.version,
                    &roles,
                    &std::collections::BTreeSet::new(),
                )
            })
            .unwrap();
    };
    give(&["Director"]);
    let mut open: Vec<_> = (0..8).map(|_| paul.stream("/admin/log/stream")).collect();
    assert_eq!(paul.get("/admin/log/stream").status, 429, "the ninth of one reader finds no place, though others would");
    assert_eq!(house.web().gate.streams.taken_in_all(), 8);
    give(&["Librarian"]);
    for stream in open.drain(..) {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            assert!(!line.starts_with("data:"), "{line}");
        }
    }
    assert_eq!(paul.get("/admin/log/stream").status, 403);
    assert_eq!(house.web().gate.streams.taken_in_all(), 0, "every place is free again");
}

/// Whatever ends the right to read ends the stream.
#[test]
fn the_live_log_ends_with_the_account_the_session_and_the_model() {
    let house = House::new();
    let app = &house.web().app;
    let by = Actor::system("test");
    let ended = |stream| BufReader::new(stream).lines().map_while(Result::ok).all(|line| !line.starts_with("data:"));
    let follow = || {
        let ella = house.signed_in("ella");
        let stream = ella.stream("/admin/log/stream");
        (ella, stream)
    };

    let (_ella, stream) = follow();
    let account = house.account("ella");
    app.db.write(|conn| app.identity.end_sessions(conn, &by, account.id, None)).unwrap();
    assert!(ended(stream), "the session was ended elsewhere");

    let (_ella, stream) = follow();
    let account = house.account("ella");
    app.db.write(|conn| app.identity.block(conn, &by, account.id, &BTreeSet::new())).unwrap();
    assert!(ended(stream), "the account was blocked");
    let account = house.account("ella");
    app.db.write(|conn| app.identity.unblock(conn, &by, account.id)).unwrap();

    let (_ella, stream) = follow();
    let live = app.live();
    let mut model = (*live.model).clone();
    model.administration.log.clear();
    let snapshots = Arc::new(Snapshots::new(Arc::new(model.clone())));
    app.replace(Live::new(Arc::new(model), snapshots, Findings::default()).unwrap());
    assert!(ended(stream), "the model gives nobody the log any more");
}

#[test]
fn a_lost_role_ends_the_stream_within_seconds_of_its_own_accord() {
    let house = House::at_its_own_pulse();
    let app = &house.web().app;
    let ella = house.signed_in("ella");
    let stream = ella.stream("/admin/log/stream");
    let account = house.account("ella");
    let none = BTreeSet::new();
    app.db
        .write(|conn| app.identity.replace_roles(conn, &Actor::system("test"), account.id, account.version, &none, &none))
        .unwrap();
    let begun = Instant::now();
    assert!(BufReader::new(stream).lines().map_while(Result::ok).all(|line| !line.starts_with("data:")));
    // One second by design; the rest is for a machine with much to do.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}
