//! Who may use which part, and what the parts bear.

use super::browser::{self, House};
use portcullis::config::Level;
use portcullis::identity::{Actor, NewAccount};
use std::collections::BTreeSet;

const PARTS: [&str; 5] = ["/admin/users", "/admin/matrix", "/admin/audit", "/admin/log", "/admin/log/stream"];

#[test]
fn each_part_is_open_to_the_roles_that_the_model_names_and_to_nobody_else() {
    let house = House::new();
    let may = [
        ("ella", [true, true, true, true]),
        ("sten", [true, false, false, false]),
        ("audra", [false, true, true, false]),
        ("paul", [false; 4]),
        ("mina", [false; 4]),
    ];
    for (key, open) in may {
        let mut browser = house.signed_in(key);
        let first = PARTS.iter().zip(open).find(|(_, open)| *open).map(|(path, _)| *path);
        let admin = browser.get("/admin");
        assert_eq!(admin.location.as_deref(), first, "{key} at /admin");
        assert_eq!(admin.status, if first.is_some() { 303 } else { 403 }, "{key} at /admin");
        for (path, open) in PARTS.iter().zip(open) {
            let page = browser.get(path);
            assert_eq!(page.status, if open { 200 } else { 403 }, "{key} at {path}");
            for (tab, shown) in PARTS.iter().zip(may.iter().find(|(name, _)| *name == key).unwrap().1) {
                let link = page.body.contains(&format!("<li><a href=\"{tab}\""));
                assert!(!open || link == shown, "{key} at {path} sees the tab {tab}: {link}");
            }
        }
        assert_eq!(browser.get("/admin/log/stream").status == 403, !open[3], "{key} at the stream");
    }
    let denials = house.events("denied");
    assert_eq!(denials.len(), 4 + 3 + 6 + 6, "every refusal is recorded: {denials:?}");
    assert!(denials.iter().any(|event| event.contains("administer users") && event.contains("/admin/users")));
}

#[test]
fn a_visitor_is_sent_to_sign_in_and_causes_no_statement() {
    let house = House::new();
    let mut visitor = house.visitor();
    let before = house.web().app.db.statements();
    for path in ["/admin", "/admin/users", "/admin/users/1", "/admin/matrix", "/admin/audit", "/admin/log", "/admin/log/stream"] {
        let page = visitor.get(path);
        assert_eq!((page.status, page.location.as_deref()), (303, Some(format!("/sign-in?next={path}").as_str())), "{path}");
    }
    for path in POSTS {
        assert_eq!(visitor.post_as_is(path, &[]).status, 303, "{path}");
    }
    assert_eq!(house.web().app.db.statements(), before);
}

#[test]
fn a_part_that_nobody_is_named_for_is_closed() {
    let house = House::with(|app| app.replace("  log: [Director]\n", ""));
    let mut ella = house.signed_in("ella");
    assert_eq!(ella.get("/admin/log").status, 403);
    assert_eq!(ella.get("/admin/log/stream").status, 403);
    assert!(!ella.get("/admin/users").body.contains("/admin/log"));
    assert_eq!(ella.post("/admin/log/level", &[("node", "x"), ("level", "trace")]).status, 403);
    assert!(!house.web().app.logs.admits("x", Level::Trace));
}

const POSTS: [&str; 9] = [
    "/admin/users/invite",
    "/admin/users/1/roles",
    "/admin/users/1/block",
    "/admin/users/1/unblock",
    "/admin/users/1/reset",
    "/admin/users/1/invite",
    "/admin/users/1/sessions/end",
    "/admin/audit/verify",
    "/admin/log/level",
];

#[test]
fn a_form_without_the_sessions_token_does_nothing() {
    let house = House::new();
    let mina = house.account("mina");
    let mut ella = house.signed_in("ella");
    for path in POSTS {
        let path = path.replace("/1/", &format!("/{}/", mina.id));
        let version = mina.version.to_string();
        let fields =
            [("role", "Librarian"), ("version", &version), ("email", "x@library.example"), ("name", "X"), ("_confirmed", "yes")];
        for token in [None, Some(""), Some("AAAAAAAA")] {
            let mut sent = fields.to_vec();
            sent.extend(token.map(|token| ("_csrf", token)));
            assert_eq!(ella.post_as_is(&path, &sent).status, 400, "{path} with {token:?}");
        }
    }
    assert_eq!(house.account("mina"), mina, "nothing happened to the account");
    assert_eq!(house.roles("mina"), ["Reader"]);
    assert!(house.find("x@library.example").is_none());
    let recorded: usize = house.events("denied").iter().map(|event| times(event)).sum();
    assert_eq!(recorded, POSTS.len() * 3);
}

/// How many refusals a record stands for.
fn times(event: &str) -> usize {
    let counted = event.split_once(" times)").and_then(|(before, _)| before.rsplit_once('('));
    counted.map_or(1, |(_, number)| number.parse().unwrap())
}

const HOSTILE: [&str; 12] =
    ["'", "\"><script>alert(1)</script>", "%", "_", "\\", "!", "' OR '1'='1", "\u{0}", "🦊", "{{ 7*7 }}", "\u{202e}abc", "%' --"];

#[test]
fn hostile_search_text_finds_nothing_and_breaks_nothing() {
    let house = House::new();
    let mut ella = house.signed_in("ella");
    let huge = "a".repeat(1_500);
    for text in HOSTILE.iter().copied().chain([huge.as_str()]) {
        let q = browser::encode(text);
        let addresses = [
            format!("/admin/users?q={q}&state={q}&page={q}"),
            format!("/admin/matrix?q={q}&kind={q}&role={q}&page={q}"),
            format!("/admin/audit?q={q}&who={q}&event={q}&severity={q}&from={q}&to={q}&request={q}&page={q}"),
            format!("/admin/log?level={q}&node={q}&after={q}"),
        ];
        for address in addresses {
            let page = ella.get(&address);
            assert_eq!(page.status, 200, "{address:.80}");
            assert!(!page.body.contains("<script>alert") && !page.body.contains(">49<"), "{address:.80}");
        }
    }
    for text in ["'", "%", "_", "\\"] {
        let page = ella.get(&format!("/admin/users?q={}", browser::encode(text))).body;
        assert!(page.contains("Nothing matches") && !page.contains("Mina Sato"), "{text} is no pattern");
    }
    let found = ella.get("/admin/users?q=SATO&state=active").body;
    assert!(found.contains("Mina Sato") && !found.contains("Paul Brennan"));
    assert!(!ella.get("/admin/users?state=blocked").body.contains("Mina Sato"));
}

#[test]
fn pages_of_the_lists_have_bounds() {
    let house = House::new();
    let app = &house.web().app;
    app.db
        .write(|conn| {
            for number in 0..30 {
                let (email, name) = (format!("p{number}@library.example"), format!("Person {number:02}"));
                let new = NewAccount { email: &email, name: &name, roles: &BTreeSet::new() };
                app.identity.create_account(conn, &Actor::system("test"), &new, None).unwrap();
            }
            Ok::<_, portcullis::db::DbError>(())
        })
        .unwrap();
    let mut ella = house.signed_in("ella");
    let rows = |page: &str| page.matches("class=\"row-link\"").count();
    let first = ella.get("/admin/users?q=person").body;
    assert_eq!((rows(&first), first.contains("of 30")), (25, true));
    assert!(
        first.contains("href=\"/admin/users?q=person&amp;page=2\"") || first.contains("href=\"/admin/users?q=person&page=2\"")
    );
    assert_eq!(rows(&ella.get("/admin/users?q=person&page=2").body), 5);
    for beyond in ["3", "99999", "4294967295"] {
        let page = ella.get(&format!("/admin/users?q=person&page={beyond}")).body;
        assert!(rows(&page) == 5 && page.contains("Person 29"), "page {beyond} is the last one");
    }
    for none in ["0", "-1", "x", "99999999999999999999"] {
        assert_eq!(rows(&ella.get(&format!("/admin/users?q=person&page={none}")).body), 25, "page {none} is the first one");
        assert_eq!(ella.get(&format!("/admin/audit?page={none}")).status, 200);
        assert_eq!(ella.get(&format!("/admin/matrix?page={none}")).status, 200);
    }
    assert_eq!(ella.get("/admin/audit?page=4294967295").status, 200);
    assert_eq!(ella.get("/admin/audit?from=0001-01-01&to=9999-12-31").status, 200);
}
