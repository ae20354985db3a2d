//! Turns of requests: too many are refused early, and nobody takes all of them.

use crate::support::actor::Actor;
use crate::support::http::{Answer, encoded};
use crate::support::project;
use crate::support::server::{Server, Setup};
use portcullis::gate::{Client, Turn};
use std::net::IpAddr;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long something may take on a machine with much to do.
const PATIENCE: Duration = Duration::from_secs(40);

/// A server with so many turns, and so many requests that may be here.
fn server(working: u32, requests: u32) -> Server {
    let change = move |settings: &mut portcullis::config::Settings| {
        settings.trusted_proxies = vec![IpAddr::from([127, 0, 0, 1])];
        (settings.limits.working, settings.limits.requests, settings.limits.requests_per_client) = (working, requests, requests);
    };
    Setup::of(project("apps/people")).with(change).run()
}

/// Somebody whose next click changes something.
struct Ready {
    actor: Actor,
    token: String,
    from: String,
}

impl Ready {
    fn of(actor: Actor, from: &str) -> Self {
        let token = actor.open("/sign-in").hidden("_csrf").unwrap().to_owned();
        Self { actor, token, from: from.to_owned() }
    }
    fn click(self) -> JoinHandle<Answer> {
        let Self { actor, token, from } = self;
        std::thread::spawn(move || {
            let form = encoded(&[("_csrf", token.as_str()), ("key", "nadia")]);
            actor.ask("POST", "/sign-in/demo", &[("X-Forwarded-For", &from)], form.as_bytes())
        })
    }
}

/// Keeps every writer waiting until something is sent or it is dropped.
fn slow(server: &Server) -> Sender<()> {
    let (release, released) = channel::<()>();
    let (begin, begun) = channel();
    let db = server.web().app.db.clone();
    std::thread::spawn(move || {
        db.write(|conn| {
            conn.batch("UPDATE setting SET value = value")?;
            begin.send(()).unwrap();
            let _ = released.recv_timeout(PATIENCE);
            Ok::<_, portcullis::db::DbError>(())
        })
        .unwrap();
    });
    begun.recv_timeout(PATIENCE).unwrap();
    release
}

fn soon(server: &Server, expected: (usize, usize)) {
    let begun = Instant::now();
    while server.web().gate.turns.work.taken_and_waiting() != expected {
        let now = server.web().gate.turns.work.taken_and_waiting();
        assert!(begun.elapsed() < PATIENCE, "{now:?} and not {expected:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn look(server: &Server, path: &str, from: &str) -> Answer {
    server.visitor().ask("GET", path, &[("X-Forwarded-For", from)], b"")
}

#[test]
fn with_one_turn_the_next_are_refused_at_once_and_none_hangs() {
    let server = server(1, 1);
    let person = server.sign_in("tomas");
    let token = person.open("/account").hidden("_csrf").unwrap().to_owned();
    let first = Ready::of(server.visitor(), "203.0.113.1");
    let release = slow(&server);
    let first = first.click();
    soon(&server, (1, 0));
    for n in 0..20 {
        let (path, begun) = (["/sign-in", "/p/hr.Employees", "/account", "/"][n % 4], Instant::now());
        let answer = look(&server, path, &format!("198.51.100.{n}"));
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")), "{path}");
        assert!(answer.body.contains("busy") && answer.body.contains("Nothing was changed"), "{}", answer.body);
        assert!(
            answer.header("content-type").unwrap().starts_with("text/plain")
                && answer.header("content-security-policy").is_some()
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{path}: {:?}", begun.elapsed());
    }
    assert_eq!(server.visitor().post("/sign-in/demo", &[("_csrf", "x")]).status, 503, "a form too");
    for path in ["/health/live", "/health/ready", "/static/app.css"] {
        assert_eq!(look(&server, path, "198.51.100.1").status, 200, "{path} has no turn to wait for");
    }
    drop(release);
    assert_eq!(first.join().unwrap().status, 303, "the slow one is answered");
    soon(&server, (0, 0));
    assert_eq!(look(&server, "/sign-in", "198.51.100.1").status, 200);
    assert_eq!(person.post("/sign-out", &[("_csrf", token.as_str())]).status, 303);
}

/// All turns, as slow requests of many clients would have them.
fn all_turns(server: &Server) -> Vec<Turn> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let queue = &server.web().gate.turns.work;
    let turn = |n: u8| runtime.block_on(queue.turn(Client::network(IpAddr::from([192, 0, 2, n])))).unwrap();
    (0..4).map(turn).collect()
}

#[test]
fn signing_out_and_health_checks_do_not_wait_for_a_turn() {
    let server = server(4, 4);
    let person = server.sign_in("tomas");
    let token = person.open("/account").hidden("_csrf").unwrap().to_owned();
    let turns = all_turns(&server);
    assert_eq!(person.get("/account").status, 503);
    assert_eq!((look(&server, "/health/ready", "").status, look(&server, "/health/live", "").status), (200, 200));
    let left = person.post("/sign-out", &[("_csrf", token.as_str())]);
    assert_eq!((left.status, left.header("location")), (303, Some("/sign-in")));
    drop(turns);
    assert_eq!(person.get("/account").status, 303, "the session is over");
}

#[test]
fn passwords_are_compared_beside_other_work_and_do_not_keep_it_waiting() {
    let server = server(4, 4);
    let page = |actor: &Actor| actor.open("/sign-in").hidden("_csrf").unwrap().to_owned();
    let guest = server.visitor();
    let token = page(&guest);
    let turns = all_turns(&server);
    let guess = [("_csrf", token.as_str()), ("email", "nobody@people.example"), ("password", "correct horse battery")];
    assert_eq!(guest.post("/sign-in", &guess).status, 422, "it has turns of its own");
    drop(turns);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let passwords = &server.web().gate.turns.passwords;
    let turn = |n: u8| runtime.block_on(passwords.turn(Client::network(IpAddr::from([192, 0, 2, n])))).unwrap();
    let held: Vec<Turn> = (0..4).map(turn).collect();
    assert_eq!(look(&server, "/sign-in", "198.51.100.1").status, 200, "and those who look at pages do not wait for passwords");
    drop(held);
}

#[test]
fn one_client_cannot_take_all_turns_wherever_it_comes_from() {
    for signed_in in [false, true] {
        let server = server(4, 100);
        let nadia = server.sign_in("nadia");
        assert_eq!(nadia.get("/account").status, 200);
        let flood: Vec<Ready> = (0..6)
            .map(|n| match signed_in {
                // One account from six networks, and one network with six visitors.
                true => Ready::of(nadia.clone(), &format!("203.0.113.{n}")),
                false => Ready::of(server.visitor(), "203.0.113.77"),
            })
            .collect();
        let release = slow(&server);
        let flood: Vec<JoinHandle<Answer>> = flood.into_iter().map(Ready::click).collect();
        soon(&server, (2, 4));
        for n in 0..5 {
            assert_eq!(look(&server, "/sign-in", &format!("198.51.100.{n}")).status, 200, "others find a turn");
        }
        drop(release);
        let statuses: Vec<u16> = flood.into_iter().map(|click| click.join().unwrap().status).collect();
        assert_eq!(statuses, [303; 6], "and all that waited are answered");
        soon(&server, (0, 0));
    }
}
