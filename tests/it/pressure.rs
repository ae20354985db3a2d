//! Many clients, slow clients and clients that send what no browser would: none of them leaves others without service.

use crate::support::actor::Actor;
use crate::support::project;
use crate::support::server::{Server, Setup, people};
use portcullis::config::{Origin, Settings};
use portcullis::server::Pace;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long something may take on a machine with much to do.
const PATIENCE: Duration = Duration::from_secs(40);

fn with(change: impl FnOnce(&mut Settings) + 'static) -> Server {
    Setup::of(project("apps/people")).with(change).run()
}

/// A connection, from an address of this machine.
fn connect(server: SocketAddr, from: [u8; 4]) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        socket.connect(server).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

const HOME: [u8; 4] = [127, 0, 0, 1];

/// All that comes until the server closes.
fn rest(mut stream: TcpStream) -> String {
    let (mut all, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(count) = stream.read(&mut chunk) {
        if count == 0 {
            break;
        }
        all.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Sends bytes as they are; what comes back until the server closes.
fn exchange(server: SocketAddr, bytes: &str) -> String {
    let mut stream = connect(server, HOME);
    stream.write_all(bytes.as_bytes()).unwrap();
    rest(stream)
}

/// The head of one answer on a connection that stays open.
fn head(stream: &mut TcpStream) -> String {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        all.push(byte[0]);
    }
    String::from_utf8(all).unwrap()
}

/// Waits until something holds, as it must soon.
fn soon(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[test]
fn one_address_cannot_take_all_connections() {
    let server = with(|settings| (settings.limits.connections, settings.limits.connections_per_address) = (100, 10));
    let (at, taken) = (server.address(), server.web().gate.connections.clone());
    let idle: Vec<TcpStream> = (0..10).map(|_| connect(at, HOME)).collect();
    soon("ten idle connections are counted", || taken.taken_in_all() == 10);
    let refused = rest(connect(at, HOME));
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("Retry-After: "), "{refused}");
    let mut other = connect(at, [127, 0, 0, 2]);
    other.write_all(LIVE.as_bytes()).unwrap();
    assert!(rest(other).starts_with("HTTP/1.1 200 "), "another address comes in");
    drop(idle);
    soon("places come back", || taken.taken_in_all() == 0);
    assert!(exchange(at, LIVE).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_trusted_proxy_has_more_connections_than_one_client_but_not_more_than_there_are() {
    let server = with(|settings| {
        settings.trusted_proxies = vec![IpAddr::from(HOME)];
        (settings.limits.connections, settings.limits.connections_per_address) = (6, 1);
    });
    let (at, taken) = (server.address(), server.web().gate.connections.clone());
    let idle: Vec<TcpStream> = (0..6).map(|_| connect(at, HOME)).collect();
    soon("six connections of the proxy are counted", || taken.taken_in_all() == 6);
    let refused = rest(connect(at, HOME));
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("Retry-After: "), "{refused}");
    drop(idle);
    soon("places come back", || taken.taken_in_all() == 0);
}

/// A form that is announced, and never comes.
fn stalled(server: SocketAddr, from: &str, cookies: &str, length: usize) -> TcpStream {
    let mut stream = connect(server, HOME);
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nHost: {server}\r\nX-Forwarded-For: {from}\r\nCookie: {cookies}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn small_forms(settings: &mut Settings) {
    settings.trusted_proxies = vec![IpAddr::from(HOME)];
    (settings.limits.field, settings.limits.body) = (60_000, 65_536);
    (settings.limits.bodies_per_client, settings.limits.bodies) = (131_072, 262_144);
}

#[test]
fn forms_have_a_budget_in_all_and_for_each_network_and_are_refused_before_they_are_read() {
    let server = with(small_forms);
    let (at, bodies) = (server.address(), server.web().gate.bodies.clone());
    let wait = |bytes: u64| soon("the form is counted", || bodies.taken_in_all() == bytes);
    let mut held = Vec::new();
    for count in 1..=2 {
        held.push(stalled(at, "2001:db8::1", "", 60_000));
        wait(count * 60_000);
    }
    let refused = rest(stalled(at, "2001:db8::ffff:1", "", 60_000));
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("retry-after: "), "of one network: {refused}");
    assert!(refused.contains("content-security-policy") && refused.contains("Nothing was changed"), "{refused}");
    for count in 3..=4 {
        held.push(stalled(at, &format!("203.0.113.{count}"), "", 60_000));
        wait(count * 60_000);
    }
    let refused = rest(stalled(at, "198.51.100.1", "", 60_000));
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: "), "of all: {refused}");
    let sent = "_csrf=x&email=a&password=b";
    let mut small = stalled(at, "198.51.100.1", "", sent.len());
    small.write_all(sent.as_bytes()).unwrap();
    assert!(head(&mut small).starts_with("HTTP/1.1 400 "), "a small form of somebody else is read");
    // Who announces a form and does not send it is cut off, and the budget is whole again.
    let late = rest(held.remove(0));
    assert!(late.starts_with("HTTP/1.1 408 "), "{late}");
    soon("the budget comes back", || bodies.taken_in_all() == 0);
}

#[test]
fn forms_of_one_account_share_a_budget_wherever_they_come_from() {
    let server = with(small_forms);
    let (at, bodies) = (server.address(), server.web().gate.bodies.clone());
    let nadia = server.sign_in("nadia");
    assert_eq!(nadia.get("/account").status, 200);
    let cookies = nadia.cookies();
    let _held: Vec<TcpStream> = (1..=2).map(|last| stalled(at, &format!("203.0.113.{last}"), &cookies, 60_000)).collect();
    soon("two forms are counted", || bodies.taken_in_all() == 120_000);
    let refused = rest(stalled(at, "203.0.113.3", &cookies, 60_000));
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    let mut other = stalled(at, "203.0.113.3", "", 3);
    other.write_all(b"a=b").unwrap();
    assert!(head(&mut other).starts_with("HTTP/1.1 400 "), "the same network without the session is another client");
}

#[test]
fn a_form_beyond_the_limit_is_refused_by_its_announcement() {
    let server = people();
    let refused = rest(stalled(server.address(), "", "", 2 << 20));
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    assert_eq!(server.web().gate.bodies.taken_in_all(), 0);
}

#[test]
fn a_slow_head_is_cut_off_also_when_it_is_not_the_first_of_its_connection() {
    let pace = Pace { head: Duration::from_millis(500), ..Pace::default() };
    let server = Setup { pace, ..Setup::of(project("apps/people")) }.run();
    let taken = server.web().gate.connections.clone();
    let mut slow = connect(server.address(), HOME);
    slow.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(head(&mut slow).starts_with("HTTP/1.1 200 "));
    slow.write_all(b"GET /health/live HTTP/1.1\r\nX: ").unwrap();
    let begun = Instant::now();
    while taken.taken_in_all() > 0 {
        assert!(begun.elapsed() < PATIENCE, "a byte now and then keeps the connection");
        // The server may have closed already.
        let _ = slow.write_all(b"x");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn who_does_not_take_the_answer_is_cut_off() {
    let pace = Pace { taking: Duration::from_millis(500), ..Pace::default() };
    let server = Setup { pace, ..Setup::of(project("apps/people")) }.run();
    let taken = server.web().gate.connections.clone();
    let page = server.visitor().get("/sign-in").body;
    let sheet = page.split('"').find(|part| part.starts_with("/static/") && part.contains(".css")).unwrap().to_owned();
    let mut slow = connect(server.address(), HOME);
    let asked = format!("GET {sheet} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    slow.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..300 {
        if slow.write_all(asked.as_bytes()).is_err() {
            break;
        }
    }
    soon("the connection is counted", || taken.taken_in_all() <= 1);
    soon("the connection of who reads nothing is closed", || taken.taken_in_all() == 0);
    drop(slow);
}

#[test]
fn what_two_servers_could_read_differently_is_refused_on_the_wire() {
    let server = people();
    let at = server.address();
    let after = format!("GET /health/live HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    let good = format!("GET /health/live HTTP/1.1\r\nHost: {at}\r\n\r\n{after}");
    assert_eq!(exchange(at, &good).matches("HTTP/1.1 200 ").count(), 2, "two requests on one connection");
    let body = format!("POST /sign-in HTTP/1.1\r\nHost: {at}\r\nContent-Length: 4\r\n\r\n\n\n\n\n{after}");
    assert_eq!(exchange(at, &body).matches("HTTP/1.1 ").count(), 2, "a body is of any bytes");
    let faults = [
        format!("GET /health/live HTTP/1.1\nHost: {at}\n\n"),
        format!("GET /health/live HTTP/1.1\r\nHost: {at}\nX: y\r\n\r\n"),
        format!("GET /health/live HTTP/1.1\r\nHost: {at}\r\nX: y\n\r\n"),
        format!("GET /health/live HTTP/1.1\r\nHost: {at}\r\nX: y\r\n z\r\n\r\n"),
        format!("GET /health/live HTTP/1.1\r\nHost: {at}\r\nHost: {at}\r\n\r\n"),
        format!("GET /health/live HTTP/1.1\r\nHost: {at}\r\nHost: evil.example\r\n\r\n"),
        format!("GET /health/live HTTP/1.1\r\nHost : {at}\r\n\r\n"),
        format!("GET /health/live HTTP/1.1\r\nHost: {at}\r\nX: a\x0bb\r\n\r\n"),
        format!("POST /sign-in HTTP/1.1\r\nHost: {at}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST /sign-in HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        format!("POST /sign-in HTTP/1.1\r\nHost: {at}\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n"),
        format!("POST /sign-in HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n"),
    ];
    for fault in faults {
        let said = exchange(at, &format!("{fault}{after}"));
        assert!(said.starts_with("HTTP/1.1 400 "), "{fault:?}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "nothing after it is a request: {fault:?}: {said}");
    }
    let chunked = format!("POST /sign-in HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{after}");
    let said = exchange(at, &chunked);
    assert!(said.starts_with("HTTP/1.1 411 ") && said.matches("HTTP/1.1 ").count() == 1, "{said}");
    assert!(exchange(at, &after).starts_with("HTTP/1.1 200 "), "others are not disturbed");
}

#[test]
fn the_whole_host_and_port_must_be_ours_in_the_header_and_in_the_address() {
    let server = people();
    let (at, port) = (server.address(), server.address().port());
    let status = |target: &str, host: &str| {
        let said = exchange(at, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        said.split(' ').nth(1).map(|status| status.parse::<u16>().unwrap())
    };
    let ours = [format!("127.0.0.1:{port}"), format!("LOCALHOST:{port}"), format!("[0:0::1]:{port}"), "localhost".to_owned()];
    for host in &ours {
        assert_eq!(status("/sign-in", host), Some(200), "{host}");
    }
    let foreign = [
        "127.0.0.1:80@evil.example".to_owned(),
        format!("127.0.0.1:{port}@evil.example:{port}"),
        format!("evil.example:{port}"),
        format!("127.0.0.1:{}", port.wrapping_add(1).max(1)),
        "127.0.0.1:".to_owned(),
        "127.0.0.1:80:80".to_owned(),
        "localhost.".to_owned(),
        format!("localhost.:{port}"),
        format!("user@localhost:{port}"),
        format!("localhost:{port}/x"),
        "::1".to_owned(),
        String::new(),
    ];
    for host in &foreign {
        assert_eq!(status("/sign-in", host), Some(421), "{host}");
    }
    let whole = |authority: &str, host: &str| status(&format!("http://{authority}/sign-in"), host);
    assert_eq!(whole(&ours[0], &ours[0]), Some(200));
    assert_eq!(whole(&ours[0], "evil.example"), Some(421));
    for other in ["evil.example", "127.0.0.1:80@evil.example", "localhost"] {
        assert_ne!(whole(other, &ours[0]), Some(200), "{other} in the address, and ours in the header");
    }
    assert_ne!(whole(&format!("user@{}", ours[0]), &ours[0]), Some(200), "a user has no place in it");
    assert_eq!(status(&format!("ftp://{}/sign-in", ours[0]), &ours[0]), Some(421));
    let origin = |origin: &str| {
        let head = format!(
            "POST /theme HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            ours[0]
        );
        exchange(at, &head).split(' ').nth(1).map(|status| status.parse::<u16>().unwrap())
    };
    assert_eq!(origin(&format!("http://127.0.0.1:{port}")), Some(303));
    for foreign in
        ["http://127.0.0.1", "http://127.0.0.1:80", "null", &format!("https://127.0.0.1:{port}"), "http://evil.example"]
    {
        assert_eq!(origin(foreign), Some(403), "{foreign}");
    }
}

#[test]
fn a_session_cookie_counts_by_its_exact_name_and_once() {
    let server = people();
    let nadia = server.sign_in("nadia");
    let cookies = nadia.cookies();
    let token = cookies.split("; ").find_map(|pair| pair.strip_prefix("portcullis_session=")).unwrap();
    let with = |line: &str| server.visitor().ask("GET", "/account", &[("Cookie", line)], b"");
    assert_eq!(with(&format!("portcullis_session={token}")).status, 200);
    for name in ["portcullis%5Fsession", "%70ortcullis_session", "PORTCULLIS_SESSION", "__Host-portcullis_session"] {
        assert_eq!(with(&format!("{name}={token}")).status, 303, "{name}");
    }
    for twice in
        [format!("portcullis_session={token}; portcullis_session=x"), format!("portcullis_session=x; portcullis_session={token}")]
    {
        let answer = with(&twice);
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("cookie") && !answer.body.contains("Okafor"), "{}", answer.body);
    }
    let two = [("Cookie", &*format!("portcullis_session={token}")), ("cookie", "portcullis_session=x")];
    assert_eq!(server.visitor().ask("GET", "/account", &two, b"").status, 400, "in two lines");
}

#[test]
fn over_tls_every_cookie_is_one_that_only_this_host_can_set() {
    let server = with(|settings| {
        settings.base_url = Origin::try_from("https://people.example".to_owned()).unwrap();
        settings.hosts.push("people.example".to_owned());
    });
    let nadia = server.sign_in("nadia");
    let names: Vec<String> = nadia.cookies().split("; ").map(|pair| pair.split('=').next().unwrap().to_owned()).collect();
    assert!(names.contains(&"__Host-portcullis_session".to_owned()), "{names:?}");
    assert!(
        names.contains(&"__Host-portcullis_visitor".to_owned()) && names.iter().all(|name| name.starts_with("__Host-")),
        "{names:?}"
    );
    assert_eq!(nadia.get("/account").status, 200);
    let csrf = nadia.open("/account").hidden("_csrf").unwrap().to_owned();
    let theme = nadia.post("/theme", &[("_csrf", csrf.as_str()), ("theme", "dark")]);
    for line in theme.all("set-cookie") {
        assert!(
            line.starts_with("__Host-") && line.contains("Secure") && line.contains("Path=/") && !line.contains("Domain"),
            "{line}"
        );
    }
    let plain = nadia.cookies().replace("__Host-", "");
    assert_eq!(server.visitor().ask("GET", "/account", &[("Cookie", &plain)], b"").status, 303, "as a neighbour could set them");
    let disguised = nadia.cookies().replace("__Host-", "__%48ost-");
    assert_eq!(server.visitor().ask("GET", "/account", &[("Cookie", &disguised)], b"").status, 303);
}

#[test]
fn a_new_sign_in_ends_the_old_session_of_that_browser_and_no_other() {
    let server = people();
    let (browser, elsewhere) = (server.sign_in("nadia"), server.sign_in("nadia"));
    let old = browser.twin();
    let again = |actor: &Actor, key: &str| {
        let page = actor.open("/sign-in");
        let csrf = page.hidden("_csrf").unwrap().to_owned();
        assert_eq!(actor.post("/sign-in/demo", &[("_csrf", csrf.as_str()), ("key", key)]).status, 303);
    };
    assert_eq!(old.get("/account").status, 200);
    again(&browser, "tomas");
    assert!(browser.open("/account").shows("Tomas"));
    assert_eq!(old.get("/account").status, 303, "the old session is over");
    assert_eq!(elsewhere.get("/account").status, 200, "that of another browser goes on");
    let second = browser.twin();
    again(&browser, "tomas");
    assert_eq!((second.get("/account").status, browser.get("/account").status), (303, 200), "also of the same person");
}
