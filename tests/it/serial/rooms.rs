//! Rooms that are booked once at a time, by an app of which nothing is declared but a handler that looks.

use super::{at_once, each, press_at_once, statuses};
use crate::support::actor::{Actor, Page};
use crate::support::http::Answer;
use crate::support::notes::texts;
use crate::support::server::{Kind, Server, Setup, written};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const APP: &str = "\
app: rooms
title: Rooms
level: prototype
language: en
modules: [rooms]
userRoles:
  Guest: {anonymous: true, moduleRoles: [rooms.Guest]}
  Clerk: {moduleRoles: [rooms.Clerk]}
  Boss: {moduleRoles: [rooms.Clerk], mayAssign: [Clerk, Boss]}
administration: {users: [Boss]}
navigation:
  - {userRoles: [Clerk, Boss], home: rooms.New}
demoUsers:
  - {key: c0, name: Clerk Null, email: c0@rooms.example, userRoles: [Clerk]}
  - {key: c1, name: Clerk One, email: c1@rooms.example, userRoles: [Clerk]}
  - {key: c2, name: Clerk Two, email: c2@rooms.example, userRoles: [Clerk]}
  - {key: ada, name: Ada Moss, email: ada@rooms.example, userRoles: [Boss]}
  - {key: bea, name: Bea Lind, email: bea@rooms.example, userRoles: [Boss]}
";
const MODULE: &str = "\
roles: {Clerk: Books, Guest: Visits}
";
const DOMAIN: &str = "\
entities:
  Booking:
    attributes:
      room: {type: string, length: 20, required: true}
      from: {type: integer, required: true}
      to: {type: integer, required: true}
    events:
      - {on: before commit, run: Check}
      - {on: after commit, run: Confirm}
    access:
      - {roles: [Clerk], create: true, delete: true, read: [room, from, to], write: [room, from, to]}
  Wish:
    persistable: false
    attributes: {room: {type: string, length: 20, required: true}}
    access:
      - {roles: [Clerk], create: true, read: [room], write: [room]}
";
/// Of overlapping bookings of a room only one is kept; and it takes its time to find out.
const CHECK: &str = "\
roles: []
parameters: {Booking: Booking}
do:
  - retrieve:
      as: Other
      entity: Booking
      where: \"this != $Booking && this.room == $Booking.room && this.from < $Booking.to && this.to > $Booking.from\"
      first: true
  - decide:
      if: \"$Other != empty\"
      then:
        - raise: {message: The room is taken}
";
const CONFIRM: &str = "\
roles: []
parameters: {Booking: Booking}
do:
  - log: {node: rooms.Booked, level: info, text: \"booked {$Booking.room}\"}
  - sendMail: {to: \"'desk@rooms.example'\", subject: Booked, text: \"{$Booking.room}\"}
";
/// Reads all bookings again and again before it writes one: a slow writer.
const SLOW: &str = "\
roles: [Clerk]
parameters: {Wish: Wish}
do:
  - retrieve: {as: All, entity: Booking, limit: 60}
  - set: {variable: Seen, value: \"0\"}
  - loop:
      over: $All
      as: One
      do:
        - loop:
            over: $All
            as: Another
            do:
              - set: {variable: Seen, value: \"$Seen + 1\"}
  - create: {as: Made, entity: Booking, set: {room: $Wish.room, from: \"1\", to: \"2\"}}
  - message: {text: Booked, tone: success}
";
const NEW: &str = "\
title: New booking
roles: [Clerk]
content:
  - dataView:
      source: {new: Booking}
      content:
        - input: {member: room, label: Room}
        - input: {member: from, label: From}
        - input: {member: to, label: To}
        - button: {caption: Book, save: {then: stay}}
";
const SLOWLY: &str = "\
title: Book slowly
roles: [Clerk]
content:
  - dataView:
      source: {new: Wish}
      content:
        - input: {member: room, label: Room}
        - button: {caption: Book slowly, run: {microflow: Slow, with: {Wish: this}}}
";

fn app() -> TempDir {
    written(&[
        ("app.yaml", APP),
        ("rooms/module.yaml", MODULE),
        ("rooms/domain.yaml", DOMAIN),
        ("rooms/microflows/Check.yaml", CHECK),
        ("rooms/microflows/Confirm.yaml", CONFIRM),
        ("rooms/microflows/Slow.yaml", SLOW),
        ("rooms/pages/New.yaml", NEW),
        ("rooms/pages/Slowly.yaml", SLOWLY),
    ])
}

fn booked(server: &Server) -> Vec<String> {
    texts(&server.web().app.db, "SELECT room FROM rooms_booking ORDER BY room, id")
}

fn form(who: &Actor, room: &str, from: usize, to: usize) -> Page {
    who.open("/p/rooms.New").fill("Room", room).fill("From", &from.to_string()).fill("To", &to.to_string())
}

#[test]
fn of_six_overlapping_bookings_at_once_one_is_accepted_and_told_of_once() {
    let folder = app();
    each(folder.path(), |server| {
        let clerks: Vec<Actor> = ["c0", "c1", "c2"].iter().map(|key| server.sign_in(key)).collect();
        let mut rooms = Vec::new();
        for round in 0..4 {
            let room = format!("room {round}");
            let pages = (0..6).map(|n| form(&clerks[n % 3], &room, n, n + 10)).collect();
            let answers = press_at_once(pages, "Book");
            assert_eq!(statuses(&answers), [303, 422, 422, 422, 422, 422]);
            for refused in answers.iter().filter(|answer| answer.status == 422) {
                assert!(refused.body.contains("The room is taken") && refused.body.contains(&room), "the text is kept");
            }
            rooms.push(room);
        }
        assert_eq!(booked(server), rooms);
        // Bookings that do not overlap are all kept.
        let pages = (0..6).map(|n| form(&clerks[n % 3], "row", n * 10, n * 10 + 10)).collect();
        assert_eq!(statuses(&press_at_once(pages, "Book")), [303; 6]);
        assert_eq!(booked(server).iter().filter(|room| *room == "row").count(), 6);
        // What a run wanted that was not kept was never sent, written into the log or recorded.
        let db = &server.web().app.db;
        assert_eq!(texts(db, "SELECT recipient FROM mail_queue").len(), 10);
        assert_eq!(server.log().iter().filter(|line| line.contains("rooms.Booked")).count(), 10);
        let recorded = "SELECT summary FROM audit_record WHERE event = 'object.created' AND object LIKE 'rooms.Booking#%'";
        assert_eq!(texts(db, recorded).len(), 10);
        assert_eq!(texts(db, "SELECT summary FROM audit_record WHERE event = 'denied'").len(), 0);
        assert_eq!(db.contention().given_up, 0, "{:?}", db.contention());
    });
}

/// Lets PostgreSQL end every transaction that books in favour of another, or no longer.
const IN_THE_WAY: &str = "CREATE FUNCTION in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END $$; \
    CREATE TRIGGER in_the_way BEFORE INSERT ON rooms_booking FOR EACH ROW EXECUTE FUNCTION in_the_way()";
const OUT_OF_THE_WAY: &str = "DROP TRIGGER in_the_way ON rooms_booking; DROP FUNCTION in_the_way()";

#[test]
fn a_form_that_is_given_up_keeps_its_text_and_can_be_sent_again() {
    let folder = app();
    let Some(server) = Setup::of(folder.path()).on(Kind::Postgres).try_run() else { return };
    let db = &server.web().app.db;
    let page = form(&server.sign_in("c0"), "blue room", 1, 2);
    db.owner(|conn| conn.batch(IN_THE_WAY)).unwrap();
    let before = db.contention();
    let busy = page.send(page.button("Book"));
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("2")), "{}", busy.body);
    assert!(busy.body.contains("Other people are changing the same data") && busy.body.contains("blue room"));
    let after = db.contention();
    assert_eq!((after.retries - before.retries, after.given_up - before.given_up), (9, 1));
    let rows = ["SELECT room FROM rooms_booking", "SELECT form_hash FROM form_once", "SELECT recipient FROM mail_queue"];
    assert!(rows.iter().all(|sql| texts(db, sql).is_empty()));
    let judged = "SELECT summary FROM audit_record WHERE event = 'denied' OR event = 'incident'";
    assert_eq!(texts(db, judged).len(), 0, "what a conflict caused is neither a denial nor an incident");
    db.owner(|conn| conn.batch(OUT_OF_THE_WAY)).unwrap();
    assert_eq!(page.send(page.button("Book")).status, 303);
    assert_eq!(booked(&server), ["blue room"]);
}

/// The account and its present version.
fn account(server: &Server, email: &str) -> (i64, String) {
    let db = &server.web().app.db;
    let found = db.read(|conn| portcullis::identity::find_by_email(conn, email)).unwrap().unwrap();
    (found.id.0, found.version.to_string())
}

fn roles(server: &Server, email: &str) -> Vec<String> {
    let (id, _) = account(server, email);
    let held = server.web().app.db.read(|conn| portcullis::identity::roles(conn, portcullis::identity::AccountId(id)));
    held.unwrap().iter().map(ToString::to_string).collect()
}

/// Gives somebody exactly these roles through the administration.
fn assign(boss: &Actor, csrf: &str, account: &(i64, String), roles: &[&str]) -> Answer {
    let mut pairs = vec![("_csrf", csrf), ("version", account.1.as_str())];
    pairs.extend(roles.iter().map(|role| ("role", *role)));
    boss.post(&format!("/admin/users/{}/roles", account.0), &pairs)
}

fn block(boss: &Actor, csrf: &str, account: &(i64, String)) -> Answer {
    boss.post(&format!("/admin/users/{}/block", account.0), &[("_csrf", csrf), ("_confirmed", "yes")])
}

/// Whether it was done; somebody whose session is over is led to sign in.
fn is_done(answer: &Answer) -> bool {
    assert!(answer.status < 500, "{} {}", answer.status, answer.body);
    answer.status == 303 && !answer.header("location").unwrap().starts_with("/sign-in")
}

fn token(who: &Actor) -> String {
    who.open("/p/rooms.New").hidden("_csrf").unwrap().to_owned()
}

#[test]
fn two_administrators_who_take_the_role_from_each_other_leave_one() {
    let folder = app();
    each(folder.path(), |server| {
        for round in 0..3 {
            let (ada, bea) = (server.sign_in("ada"), server.sign_in("bea"));
            let moves = vec![
                (ada.clone(), token(&ada), account(server, "bea@rooms.example")),
                (bea.clone(), token(&bea), account(server, "ada@rooms.example")),
            ];
            let done = at_once(moves, |(boss, csrf, other)| match round {
                2 => is_done(&block(&boss, &csrf, &other)),
                _ => is_done(&assign(&boss, &csrf, &other, &["Clerk"])),
            });
            assert_eq!(done.iter().filter(|done| **done).count(), 1, "round {round}: {done:?}");
            let (winner, lost) = if done[0] { (&ada, "bea@rooms.example") } else { (&bea, "ada@rooms.example") };
            assert_eq!(winner.open("/admin/users").status, 200, "one is left, and can go on");
            if round < 2 {
                assert_eq!(roles(server, lost), ["Clerk"]);
                assert!(is_done(&assign(winner, &token(winner), &account(server, lost), &["Boss"])));
            }
        }
    });
}

#[test]
fn a_write_is_never_kept_after_its_role_was_taken() {
    let folder = app();
    each(folder.path(), |server| {
        let (ada, clerk) = (server.sign_in("ada"), server.sign_in("c0"));
        let csrf = token(&ada);
        for n in 0..40 {
            let form = form(&clerk, &format!("seed {n}"), 1, 2);
            assert_eq!(form.send(form.button("Book")).status, 303);
        }
        for round in 0..4 {
            let forms: Vec<Page> =
                (0..6).map(|n| clerk.open("/p/rooms.Slowly").fill("Room", &format!("round {round} {n}"))).collect();
            let (taken, c0) = (AtomicBool::new(false), account(server, "c0@rooms.example"));
            let mut moves: Vec<Option<Page>> = forms.into_iter().map(Some).collect();
            moves.insert(0, None);
            let kept_then = at_once(moves, |page| match page {
                Some(page) => {
                    let late = taken.load(Ordering::SeqCst);
                    let answer = page.send(page.button("Book slowly"));
                    assert!(!late || answer.status != 303, "a write that began after the removal was kept");
                    None
                }
                None => {
                    // The writers are at it.
                    ada.open("/p/rooms.New");
                    assert!(match round {
                        3 => is_done(&block(&ada, &csrf, &c0)),
                        _ => is_done(&assign(&ada, &csrf, &c0, &[])),
                    });
                    taken.store(true, Ordering::SeqCst);
                    // Whatever is kept of this account's writes is there by now.
                    Some(booked(server))
                }
            });
            let then = kept_then.into_iter().flatten().next().unwrap();
            assert_eq!(booked(server), then, "round {round}: a write was kept after its role was taken");
            if round < 3 {
                assert!(is_done(&assign(&ada, &csrf, &account(server, "c0@rooms.example"), &["Clerk"])));
            }
        }
    });
}
