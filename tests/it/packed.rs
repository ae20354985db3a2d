//! What is compressed, and what nobody learns from how well.

use crate::isolation::register;
use crate::support::actor::{Actor, Page};
use crate::support::http::Answer;
use crate::support::server::people;
use regex::Regex;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

const GZIP: (&str, &str) = ("Accept-Encoding", "gzip, deflate, br, zstd");

fn packed(actor: &Actor, path: &str, more: &[(&str, &str)]) -> Answer {
    let all: Vec<(&str, &str)> = [GZIP].into_iter().chain(more.iter().copied()).collect();
    actor.ask("GET", path, &all, b"")
}

/// A page without what differs from answer to answer.
fn steady(body: &str) -> String {
    let drawn = r#"(nonce|name="_csrf" value|name="_state" value|name="token" value|name="_do" value)="[^"]*"|<p class="reference">.*?</p>"#;
    Regex::new(drawn).unwrap().replace_all(body, "…").into_owned()
}

/// So many bytes of no meaning there are at most.
const PADDING: usize = 0x7f;

#[test]
fn a_page_is_compressed_for_clients_that_take_it_and_is_the_same_page() {
    let server = people();
    let (helen, greta, auditor) = (server.sign_in("helen"), server.sign_in("greta"), server.sign_in("arun"));
    for (actor, path) in [
        (&helen, "/p/hr.Employees"),
        (&helen, "/account"),
        (&greta, "/admin/matrix"),
        (&auditor, "/admin/audit"),
        (&greta, "/admin/audit"),
        (&server.visitor(), "/sign-in"),
        (&helen, "/p/hr.Nowhere"),
    ] {
        actor.get(path);
        let (plain, small) = (actor.get(path), packed(actor, path, &[]));
        assert_eq!(plain.status, small.status, "{path}");
        assert_eq!((plain.header("content-encoding"), small.header("content-encoding")), (None, Some("gzip")), "{path}");
        assert_eq!(steady(&plain.body), steady(&small.body), "{path}");
        for answer in [&plain, &small] {
            let length = answer.header("content-length").unwrap();
            assert!(length == answer.length.to_string() && answer.header("transfer-encoding").is_none(), "{path}: {length}");
            assert!(answer.header("vary").unwrap().contains("Accept-Encoding"), "{path}");
            assert!(
                answer.header("content-type").unwrap().starts_with("text/html")
                    && answer.header("content-security-policy").is_some()
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
        // Beside the bytes of no meaning that make the length vary.
        assert!((small.length - PADDING) * 2 < plain.length, "{path}: {} of {}", small.length, plain.length);
    }
    let matrix = packed(&greta, "/admin/matrix", &[]);
    assert!(matrix.body.len() > 100_000 && matrix.length * 8 < matrix.body.len(), "{} of {}", matrix.length, matrix.body.len());
    let refused = helen.ask("GET", "/p/hr.Employees", &[("Accept-Encoding", "gzip;q=0, identity")], b"");
    assert_eq!((refused.header("content-encoding"), refused.status), (None, 200));
}

#[test]
fn a_page_that_another_site_asked_for_is_not_compressed() {
    let server = people();
    let helen = server.sign_in("helen");
    let encoding = |site: &str| {
        let answer = packed(&helen, "/p/hr.Employees?Employees.q=guess", &[("Sec-Fetch-Site", site)]);
        answer.header("content-encoding").map(str::to_owned)
    };
    for own in ["same-origin", "none"] {
        assert_eq!(encoding(own).as_deref(), Some("gzip"), "{own}");
    }
    for other in ["cross-site", "same-site", "anything"] {
        assert_eq!(encoding(other), None, "{other}");
    }
}

#[test]
fn a_page_with_the_token_of_a_link_is_not_compressed() {
    let server = people();
    let visitor = server.visitor();
    register(&visitor, "vera.quist@example.org");
    let link = server.link_to("vera.quist@example.org");
    let opened = packed(&visitor, &link, &[]);
    assert_eq!((opened.status, opened.header("content-encoding")), (200, None));
    assert!(opened.body.contains("name=\"token\"") && opened.length > 1_024, "it would be worth it: {}", opened.length);
    let mail = server.web().app.mailer.as_outbox().unwrap().list().unwrap().pop().unwrap();
    let shown = packed(&visitor, &format!("/dev/outbox/{}", mail.id), &[]);
    assert_eq!((shown.status, shown.header("content-encoding")), (200, None));
}

#[test]
fn static_files_are_compressed_once_and_the_live_log_is_not_held_back() {
    let server = people();
    let greta = server.sign_in("greta");
    let page = greta.get("/admin/log").body;
    let sheet = page.split('"').find(|part| part.starts_with("/static/") && part.contains(".css")).unwrap();
    let (plain, small) = (greta.get(sheet), packed(&greta, sheet, &[("Sec-Fetch-Site", "cross-site")]));
    assert!(small.header("content-encoding") == Some("gzip") && small.length * 3 < plain.length && small.body == plain.body);
    assert_ne!(plain.header("etag"), small.header("etag"));
    let without = greta.ask("GET", sheet, &[("Accept-Encoding", "br, gzip;q=0")], b"");
    assert_eq!(without.header("content-encoding"), None);

    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    stream.write_all(greta.head("GET", "/admin/log/stream", &[GZIP], 0).as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(
        head[0].contains(" 200 ") && !head.iter().any(|line| line.to_lowercase().starts_with("content-encoding")),
        "{head:?}"
    );
    server.web().app.logs.write("portcullis.test", portcullis::config::Level::Warning, "a line for the reader", None);
    assert!(lines.any(|line| line.contains("a line for the reader")), "it comes while the stream is open");
}

/// The tokens of all forms of a page.
fn tokens(page: &Page) -> BTreeSet<String> {
    let found = page.html.controls.iter().filter(|control| control.name == "_csrf");
    found.map(|control| control.value.clone()).collect()
}

fn one_token(page: &Page) -> String {
    let all = tokens(page);
    assert_eq!(all.len(), 1, "one mask for all forms of an answer, so that they do not make it longer: {all:?}");
    all.into_iter().next().unwrap()
}

#[test]
fn no_two_answers_carry_the_same_token_and_both_tokens_are_taken() {
    let server = people();
    let (auditor, other) = (server.sign_in("arun"), server.sign_in("arun"));
    let drawn: Vec<String> = (0..3).map(|_| one_token(&auditor.open("/admin/audit"))).collect();
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 3);
    let verify = |actor: &Actor, token: &str| actor.post("/admin/audit/verify", &[("_csrf", token)]).status;
    for token in drawn.iter().rev() {
        assert_eq!(verify(&auditor, token), 200);
        assert_eq!(verify(&auditor, token), 200, "a page may be used twice");
        assert_eq!(verify(&other, token), 400, "in another session of the same person it is worth nothing");
    }
    let good = &drawn[0];
    let flipped = |at: usize| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let mixed = format!("{}{}", &drawn[0][..43], &drawn[1][43..]);
    for forged in
        [flipped(0), flipped(50), mixed, good[..43].to_owned(), good[43..].to_owned(), format!("{good}A"), String::new()]
    {
        assert_eq!(verify(&auditor, &forged), 400, "{forged}");
    }

    let visitor = server.visitor();
    let (first, second) = (one_token(&visitor.open("/sign-in")), one_token(&visitor.open("/sign-in")));
    assert_ne!(first, second);
    let demo = |actor: &Actor, token: &str| actor.post("/sign-in/demo", &[("_csrf", token), ("key", "nadia")]).status;
    assert_eq!(demo(&server.visitor(), &first), 400);
    assert_eq!((demo(&visitor.twin(), &second), demo(&visitor.twin(), &first)), (303, 303));
}

/// Runs of signs that look like a secret: long, with small and capital letters and digits.
fn suspicious(body: &str) -> BTreeSet<String> {
    let runs = Regex::new("[A-Za-z0-9_-]{20,}").unwrap();
    let mixed = |text: &str| {
        let has = |what: fn(&u8) -> bool| text.bytes().filter(what).count() > 1;
        has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
    };
    runs.find_iter(body).map(|found| found.as_str().to_owned()).filter(|text| mixed(text)).collect()
}

#[test]
fn what_stays_the_same_in_two_answers_is_a_name_and_no_secret() {
    let server = people();
    assert_eq!(suspicious(r#"value="aB3dE6gH9jK2mN5pQ8sT1vW""#).len(), 1, "a secret would be seen");
    let model = server.web().app.live().model.clone();
    for key in ["tomas", "helen", "greta"] {
        let actor = server.sign_in(key);
        let pages = model.pages.keys().map(|page| format!("/p/{page}"));
        let more = ["/account", "/admin/users", "/admin/matrix", "/admin/audit", "/admin/log"].map(str::to_owned);
        for path in pages.chain(more) {
            let seen: Vec<BTreeSet<String>> = (0..2).map(|_| suspicious(&actor.open(&path).answer.body)).collect();
            for same in seen[0].intersection(&seen[1]) {
                // Handles name objects, and sessions have a name that is the hash of their token: neither opens anything.
                let handle = same.len() == 22;
                let session = same.len() == 43 && path == "/account";
                assert!(handle || session, "{key} {path}: {same}");
            }
        }
    }
}
