//! Every address of the server: who may call it, and what hostile requests to it are answered.
//!
//! The list is held against the sources: a route that is added must be added here, and then is attacked.

use crate::support::actor::Actor;
use crate::support::http::{self, encoded};
use crate::support::project;
use crate::support::server::{Server, people};
use std::collections::BTreeSet;
use std::path::Path;

/// Method, pattern, an address that fits it, and the answers for a visitor and for an employee.
struct Route {
    method: &'static str,
    pattern: &'static str,
    address: &'static str,
    visitor: u16,
    employee: u16,
}

const fn route(method: &'static str, pattern: &'static str, address: &'static str, visitor: u16, employee: u16) -> Route {
    Route { method, pattern, address, visitor, employee }
}

/// A visitor's 303 leads to the sign-in page wherever it is no public deed. Forms are sent with the sender's own token
/// and nothing else.
const ROUTES: &[Route] = &[
    route("GET", "/", "/", 303, 303),
    route("GET", "/health/live", "/health/live", 200, 200),
    route("GET", "/health/ready", "/health/ready", 200, 200),
    route("GET", "/static/{path:.*}", "/static/app.css", 200, 200),
    route("GET", "/p/{name}", "/p/hr.EmployeeHome", 303, 200),
    route("POST", "/p/{name}", "/p/hr.EmployeeHome", 303, 400),
    route("GET", "/sign-in", "/sign-in", 200, 200),
    route("POST", "/sign-in", "/sign-in", 422, 400),
    route("POST", "/sign-in/demo", "/sign-in/demo", 422, 400),
    route("POST", "/sign-out", "/sign-out", 303, 303),
    route("GET", "/forgot", "/forgot", 200, 200),
    route("POST", "/forgot", "/forgot", 422, 400),
    route("GET", "/link/{purpose}/{token}", "/link/register/x", 410, 410),
    route("POST", "/link/{purpose}", "/link/register", 410, 400),
    route("GET", "/account", "/account", 303, 200),
    route("POST", "/account/password", "/account/password", 303, 422),
    route("POST", "/account/sessions/end", "/account/sessions/end", 303, 303),
    route("POST", "/theme", "/theme", 303, 303),
    route("POST", "/xray", "/xray", 303, 303),
    route("GET", "/dev/outbox", "/dev/outbox", 200, 200),
    route("GET", "/dev/outbox/{id}", "/dev/outbox/x", 404, 404),
    route("GET", "/dev/findings", "/dev/findings", 200, 200),
    route("GET", "/admin", "/admin", 303, 403),
    route("GET", "/admin/users", "/admin/users", 303, 403),
    route("POST", "/admin/users/invite", "/admin/users/invite", 303, 403),
    route("GET", "/admin/users/{id}", "/admin/users/1", 303, 403),
    route("POST", "/admin/users/{id}/roles", "/admin/users/1/roles", 303, 403),
    route("POST", "/admin/users/{id}/block", "/admin/users/1/block", 303, 403),
    route("POST", "/admin/users/{id}/unblock", "/admin/users/1/unblock", 303, 403),
    route("POST", "/admin/users/{id}/reset", "/admin/users/1/reset", 303, 403),
    route("POST", "/admin/users/{id}/invite", "/admin/users/1/invite", 303, 403),
    route("POST", "/admin/users/{id}/sessions/end", "/admin/users/1/sessions/end", 303, 403),
    route("GET", "/admin/matrix", "/admin/matrix", 303, 403),
    route("GET", "/admin/audit", "/admin/audit", 303, 403),
    route("GET", "/admin/audit/why", "/admin/audit/why", 303, 403),
    route("GET", "/admin/audit/verify", "/admin/audit/verify", 303, 303),
    route("POST", "/admin/audit/verify", "/admin/audit/verify", 303, 403),
    route("GET", "/admin/log", "/admin/log", 303, 403),
    route("GET", "/admin/log/level", "/admin/log/level", 303, 303),
    route("POST", "/admin/log/level", "/admin/log/level", 303, 403),
    route("GET", "/admin/log/stream", "/admin/log/stream", 303, 403),
];

/// Method and pattern of every route in the sources of the edges.
fn declared() -> BTreeSet<(String, String)> {
    fn walk(folder: &Path, into: &mut BTreeSet<(String, String)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                read(&std::fs::read_to_string(&path).unwrap(), into);
            }
        }
    }
    fn read(text: &str, into: &mut BTreeSet<(String, String)>) {
        assert!(
            !text.contains("web::scope(") && !text.contains("#[get(") && !text.contains("#[post("),
            "routes this test cannot read"
        );
        for line in text.lines().map(str::trim) {
            let start = [".route(\"", ".service(web::resource(\""].iter().find_map(|begin| line.strip_prefix(begin));
            let Some((pattern, rest)) = start.and_then(|rest| rest.split_once('"')) else {
                assert!(!line.contains("web::resource(") || line.contains("web::resource(\""), "{line}");
                continue;
            };
            let mut found = false;
            for (sign, method) in
                [("get(", "GET"), ("post(", "POST"), ("vital(", "POST"), ("hashing(", "POST"), ("deed(", "POST")]
            {
                let word =
                    rest.match_indices(sign).any(|(at, _)| !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
                if word {
                    found = true;
                    into.insert((method.to_owned(), pattern.to_owned()));
                }
            }
            assert!(found, "no method that this test knows: {line}");
        }
    }
    let mut all = BTreeSet::new();
    ["src/web", "src/api", "src/server"].iter().for_each(|folder| walk(&project(folder), &mut all));
    all
}

#[test]
fn every_route_of_the_sources_is_in_the_list_and_no_other() {
    let listed: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.pattern.to_owned())).collect();
    let declared = declared();
    assert_eq!(listed, declared, "the list of routes and the sources differ");
    assert_eq!(listed.len(), ROUTES.len());
}

/// The token of a browser's forms.
fn token(actor: &Actor) -> String {
    actor.open("/").hidden("_csrf").map(str::to_owned).unwrap_or_default()
}

#[test]
fn every_route_answers_a_visitor_and_an_employee_as_listed() {
    let people = people();
    for route in ROUTES {
        for (who, expected) in [(None, route.visitor), (Some("nadia"), route.employee)] {
            let actor = who.map_or_else(|| people.visitor(), |key| people.sign_in(key));
            let csrf = token(&actor);
            let answer = match route.method {
                "POST" => actor.post(route.address, &[("_csrf", csrf.as_str())]),
                _ => actor.get(route.address),
            };
            let what = format!("{who:?} {} {}", route.method, route.address);
            assert_eq!(answer.status, expected, "{what}: {}", answer.body);
            if answer.status == 303 && who.is_none() && !matches!(route.pattern, "/" | "/theme" | "/xray" | "/sign-out") {
                let to = answer.header("location").unwrap();
                assert!(to.starts_with("/sign-in") || to.starts_with("/admin/"), "{what} leads to {to}");
            }
            dressed(&what, &answer);
        }
    }
}

/// What every answer wears.
fn dressed(what: &str, answer: &http::Answer) {
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{what}: no policy"));
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{what}: {policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{what}");
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() >= 12), "{what}");
    assert!(answer.header("cache-control").is_some(), "{what}");
    for cookie in answer.all("set-cookie") {
        let cookie = cookie.to_ascii_lowercase();
        assert!(cookie.contains("httponly") && cookie.contains("samesite=lax") && cookie.contains("path=/"), "{what}: {cookie}");
    }
    assert!(answer.header("server").is_none() && answer.header("x-powered-by").is_none(), "{what}");
}

/// One hostile request: what it is, further headers, and the body of a POST.
struct Attack {
    what: &'static str,
    headers: Vec<(&'static str, String)>,
    suffix: String,
    body: Vec<u8>,
}

fn attacks(csrf: &str) -> Vec<Attack> {
    let attack = |what, headers: &[(&'static str, &str)], suffix: &str, body: &[u8]| Attack {
        what,
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        suffix: suffix.to_owned(),
        body: body.to_vec(),
    };
    let form = |pairs: &[(&str, &str)]| encoded(pairs).into_bytes();
    let own = |more: &str| format!("_csrf={csrf}&{more}").into_bytes();
    vec![
        attack("a huge body", &[], "", &own(&"a".repeat(2 << 20))),
        attack("a huge field", &[], "", &own(&format!("w1={}", "a".repeat(200 << 10)))),
        attack("a thousand fields", &[], "", &own(&(0..1_000).map(|n| format!("f{n}=1")).collect::<Vec<_>>().join("&"))),
        attack("a huge query", &[], &format!("?q={}", "a".repeat(15_000)), &own("")),
        attack("an endless address", &[], &format!("?q={}", "a".repeat(40_000)), &own("")),
        attack("a NUL", &[], "?w1.q=%00&id=%00", &own("_do=%00&_state=%00&email=%00&password=%00&id=%00&token=%00")),
        attack("control characters", &[], "?w1.q=%0d%0aSet-Cookie:%20x=1", &own("_do=%0d%0aX:1&next=/%0d%0aX:1&theme=%1b%5b")),
        attack("broken escapes", &[], "?a=%zz&b=%", b"_csrf=%zz&a=%"),
        attack("bad UTF-8", &[], "?a=%ff%fe%c0%80", b"_csrf=%ff%fe&a=%c0%80"),
        attack("raw bytes", &[], "", &[b'_', b'c', b'=', 0xff, 0xfe, 0x00, 0x80]),
        attack("fields twice", &[], "?a=1&a=2", &own(&format!("_csrf={csrf}&_do=w1&_do=w2&_state=x&_state=y&email=a&email=b"))),
        attack(
            "unknown fields",
            &[],
            "?nothing=1&salary=1",
            &own("salary=1&isAdmin=true&__proto__=x&_unknown=1&roles=Administrator"),
        ),
        attack("JSON", &[("Content-Type", "application/json")], "", br#"{"_csrf": "x", "email": {"$ne": null}}"#),
        attack(
            "multipart",
            &[("Content-Type", "multipart/form-data; boundary=x")],
            "",
            b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--",
        ),
        attack("XML", &[("Content-Type", "text/xml")], "", b"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>"),
        attack("no content type", &[("Content-Type", "")], "", &own("a=1")),
        attack("no token", &[], "", &form(&[("a", "1")])),
        attack("a foreign token", &[], "", &form(&[("_csrf", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")])),
        attack("a foreign origin", &[("Origin", "https://evil.example")], "", &own("")),
        attack("no origin", &[("Origin", "null")], "", &own("")),
        attack("a cross-site form", &[("Sec-Fetch-Site", "cross-site")], "", &own("")),
        attack("a foreign host", &[("Host", "evil.example")], "", &own("")),
        attack("an impossible host", &[("Host", "a b\\c")], "", &own("")),
        attack(
            "a broken session",
            &[("Cookie", "portcullis_session=garbage; portcullis_visitor=%ff; portcullis_flash=x")],
            "",
            &own(""),
        ),
        attack("many cookies", &[("Cookie", &(0..300).map(|n| format!("c{n}=1")).collect::<Vec<_>>().join("; "))], "", &own("")),
        attack("a hostile language", &[("Accept-Language", "../../etc, ';--, \u{1f}")], "", &own("")),
        attack("a forwarded address", &[("X-Forwarded-For", "127.0.0.1, ::1, x"), ("Forwarded", "for=x")], "", &own("")),
        attack(
            "SQL and templates",
            &[],
            "?w1.q='%20OR%201=1--&w1.sort=salary'",
            &own("email='%20OR%201=1--&next={{7*7}}&id=1;DROP%20TABLE%20account"),
        ),
    ]
}

/// What must be refused on its own, whatever the route; the rest may also be ignored.
const ALWAYS_REFUSED: &[&str] = &["an endless address", "a foreign host", "an impossible host"];
/// What must be refused of a form.
const REFUSED_OF_FORMS: &[&str] = &[
    "a huge body",
    "a huge field",
    "a thousand fields",
    "broken escapes",
    "bad UTF-8",
    "raw bytes",
    "JSON",
    "multipart",
    "XML",
    "no content type",
    "a foreign origin",
    "no origin",
    "a cross-site form",
];

#[test]
fn hostile_requests_to_any_route_are_refused_with_a_plain_sentence_and_break_nothing() {
    let people = people();
    for who in [None, Some("nadia"), Some("greta")] {
        // The administrator reaches further in the administration, everybody else in the app.
        let theirs =
            |route: &&Route| who != Some("nadia") || route.pattern.starts_with("/p/") || route.pattern.starts_with("/account");
        for route in ROUTES.iter().filter(theirs).filter(|route| !route.pattern.ends_with("/stream")) {
            // Signing out ends the session that the next attack needs.
            let actor = who.map_or_else(|| people.visitor(), |key| people.sign_in(key));
            let csrf = token(&actor);
            for attack in attacks(&csrf) {
                let twin = actor.twin();
                let address = format!("{}{}", route.address, attack.suffix);
                let headers: Vec<(&str, &str)> = attack.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let body = if route.method == "POST" { attack.body.as_slice() } else { b"" };
                let what = format!("{who:?} {} {}: {}", route.method, route.address, attack.what);
                let head = twin.head(route.method, &address, &headers, body.len());
                let Some(answer) = http::raw(twin.address, &head, body) else { panic!("{what}: no answer") };
                assert!(answer.status < 500, "{what}: {} {}", answer.status, answer.body);
                let health = route.pattern.starts_with("/health/");
                let always = ALWAYS_REFUSED.contains(&attack.what) && !(health && attack.what.contains("host"));
                if always || route.method == "POST" && REFUSED_OF_FORMS.contains(&attack.what) {
                    assert!((400..500).contains(&answer.status), "{what}: {}", answer.status);
                    let plain = answer.body.is_empty() || answer.body.contains(' ');
                    assert!(
                        plain && !answer.body.contains("panicked") && !answer.body.contains("src/"),
                        "{what}: {}",
                        answer.body
                    );
                }
                assert!(answer.all("set-cookie").all(|cookie| !cookie.starts_with("x=")), "{what}: a header was injected");
                let to = answer.header("location").unwrap_or("/");
                assert!(to.starts_with('/') && !to.starts_with("//"), "{what}: leads to {to}");
            }
        }
    }
    unharmed(&people);
}

#[test]
fn methods_that_the_server_does_not_know_are_refused_everywhere() {
    let people = people();
    let actor = people.sign_in("nadia");
    for route in ROUTES {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "X"] {
            let head = actor.head(method, route.address, &[], 0);
            let answer = http::raw(actor.address, &head, b"").expect("an answer");
            assert!((400..500).contains(&answer.status), "{method} {}: {}", route.address, answer.status);
        }
        let other = if route.method == "GET" { "POST" } else { "GET" };
        if ROUTES.iter().all(|known| known.pattern != route.pattern || known.method != other) {
            let answer = actor.ask(other, route.address, &[], b"");
            assert!((400..500).contains(&answer.status), "{other} {}: {}", route.address, answer.status);
        }
        let head = actor.ask("HEAD", route.address, &[], b"");
        assert!(head.status < 500 && head.body.is_empty(), "HEAD {}: {}", route.address, head.status);
    }
    for broken in [
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    ] {
        if let Some(answer) = http::raw(actor.address, broken, b"") {
            assert!((400..500).contains(&answer.status), "{broken:?}: {}", answer.status);
        }
    }
    unharmed(&people);
}

/// After all that: nothing panicked, nothing is a fault, and people still work.
fn unharmed(people: &Server) {
    let log = people.log();
    let bad: Vec<&String> =
        log.iter().filter(|line| line.contains("fault:") || line.contains("panic") || line.starts_with("Critical")).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let home = people.sign_in("tomas").open("/");
    assert_eq!((home.status, home.url.as_str()), (200, "/p/hr.ManagerHome"));
}
