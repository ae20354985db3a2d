//! The administration over HTTP: who may use which part, and that nobody raises themselves or others with it.

mod browser;

use browser::{Browser, House};
use portcullis::audit::{Event, EventKind};
use portcullis::config::Level;
use portcullis::identity::{AccountState, Actor, NewAccount};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};

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
    assert_eq!(house.events("denied").len(), POSTS.len() * 3);
}

#[test]
fn nobody_changes_their_own_roles() {
    let house = House::new();
    let ella = house.account("ella");
    let mut browser = house.signed_in("ella");
    let page = browser.get(&format!("/admin/users/{}", ella.id));
    assert!(page.body.contains("Nobody changes their own roles") && !page.body.contains("Save the roles"));
    assert!(!page.body.contains("/block\"") && !page.body.contains("/reset\""));
    let version = ella.version.to_string();
    for deed in ["roles", "block", "unblock", "reset", "invite"] {
        let fields = [("role", "Reader"), ("role", "Librarian"), ("version", &version), ("_confirmed", "yes")];
        let answer = browser.post(&format!("/admin/users/{}/{deed}", ella.id), &fields);
        assert_eq!(answer.status, 403, "{deed}");
    }
    assert_eq!(house.roles("ella"), ["Director"]);
    assert_eq!(house.account("ella"), ella);
    assert_eq!(house.events("denied").len(), 5);
}

#[test]
fn roles_beyond_may_assign_are_refused_and_recorded() {
    let house = House::new();
    let mina = house.account("mina");
    let (address, version) = (format!("/admin/users/{}/roles", mina.id), mina.version.to_string());
    let mut ella = house.signed_in("ella");
    ella.get(&format!("/admin/users/{}", mina.id));
    let forged: [&[&str]; 8] = [
        &["Director"],
        &["Reader", "Director"],
        &["Guest"],
        &["Nobody"],
        &["reader"],
        &["Reader "],
        &[""],
        &["Reader,Librarian"],
    ];
    for roles in forged {
        let mut fields = vec![("version", version.as_str())];
        fields.extend(roles.iter().map(|role| ("role", *role)));
        assert_eq!(ella.post(&address, &fields).status, 403, "{roles:?}");
        assert_eq!(house.roles("mina"), ["Reader"], "{roles:?}");
    }
    assert_eq!(house.events("denied").len(), forged.len());
    // Sent twice, it is given once.
    let twice = [("version", version.as_str()), ("role", "Librarian"), ("role", "Librarian"), ("role", "Reader")];
    assert_eq!(ella.post(&address, &twice).status, 303);
    assert_eq!(house.roles("mina"), ["Librarian", "Reader"]);
    assert_eq!(house.events("user.role").len(), 1);
}

#[test]
fn roles_that_are_not_the_assigners_to_give_stay_as_they_are() {
    let house = House::new();
    let dora = house.account("dora");
    let mut ella = house.signed_in("ella");
    let address = format!("/admin/users/{}", dora.id);
    let page = ella.get(&address).body;
    let boxes: Vec<&str> = page.split("<input class=\"check-box\"").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    let of = |role: &str| *boxes.iter().find(|one| one.contains(&format!("value=\"{role}\""))).unwrap();
    assert!(of("Director").contains(" checked") && of("Director").contains(" disabled"));
    assert!(!of("Reader").contains(" checked") && !of("Reader").contains(" disabled"));
    assert!(!page.contains("value=\"Guest\""), "visitors' role is nobody's to hold");
    let version = dora.version.to_string();
    assert_eq!(ella.post(&format!("{address}/roles"), &[("version", &version)]).status, 303);
    assert_eq!(house.roles("dora"), ["Director"], "what was not hers to take is still there");
}

#[test]
fn an_invitation_gives_no_role_beyond_may_assign_and_no_second_account() {
    let house = House::new();
    let mut sten = house.signed_in("sten");
    let page = sten.get("/admin/users").body;
    assert!(page.contains("value=\"Reader\"") && !page.contains("value=\"Librarian\"") && !page.contains("value=\"Director\""));
    for role in ["Librarian", "Director", "Steward", "Guest"] {
        let fields = [("email", "new@library.example"), ("name", "New"), ("role", role)];
        assert_eq!(sten.post("/admin/users/invite", &fields).status, 403, "{role}");
        assert!(house.find("new@library.example").is_none(), "{role}");
    }
    sten.get("/admin/users");
    let known = [("email", "MINA.sato@library.example"), ("name", "Somebody else"), ("role", "Reader")];
    let again = sten.post("/admin/users/invite", &known);
    assert_eq!(again.status, 422);
    assert!(again.body.contains("There is an account for this address already."), "and says so");
    assert!(again.body.contains("value=\"Somebody else\""), "what was typed is still there");
    for (email, name) in [("nonsense", "X"), ("a@b\r\nBcc: c@d", "X"), ("x@library.example", ""), ("x@library.example", "\u{7}")]
    {
        let answer = sten.post("/admin/users/invite", &[("email", email), ("name", name), ("role", "Reader")]);
        assert_eq!(answer.status, 422, "{email:?} {name:?}");
    }
    assert!(house.mails().is_empty());
}

#[test]
fn whoever_is_invited_gets_a_mail_chooses_a_password_and_has_the_role() {
    let house = House::new();
    let mut ella = house.signed_in("ella");
    ella.get("/admin/users");
    let fields = [("email", "Nora@Library.example"), ("name", "Nora Lind"), ("role", "Librarian")];
    let sent = ella.post("/admin/users/invite", &fields);
    let nora = house.find("nora@library.example").unwrap();
    assert_eq!(sent.location, Some(format!("/admin/users/{}", nora.id)));
    assert_eq!(nora.state, AccountState::Invited);
    let page = ella.get(&sent.location.unwrap()).body;
    assert!(page.contains("An invitation is on its way to nora@library.example."));
    let mails = house.mails();
    assert_eq!(mails.len(), 1);
    let link = mails[0].lines().find_map(|line| line.split_once("/link/invite/")).unwrap().1.trim().to_owned();
    assert!(!page.contains(&link), "the link is for the mailbox only");
    let mut guest = house.visitor();
    assert_eq!(guest.get(&format!("/link/invite/{link}")).status, 200);
    let password = "a long enough phrase 7";
    let chosen = guest.post("/link/invite", &[("token", &link), ("password", password), ("password2", password)]);
    assert_eq!(chosen.status, 303, "{}", chosen.body);
    assert_eq!(house.find("nora@library.example").unwrap().state, AccountState::Active);
    assert_eq!(house.roles("nora@library.example"), ["Librarian"]);
}

#[test]
fn a_mail_that_does_not_leave_is_told_truthfully_and_can_be_sent_again() {
    let house = House::new();
    let mut ella = house.signed_in("ella");
    ella.get("/admin/users");
    house.break_mail();
    let sent = ella.post("/admin/users/invite", &[("email", "nora@library.example"), ("name", "Nora"), ("role", "Reader")]);
    let address = sent.location.unwrap();
    let page = ella.get(&address).body;
    assert!(page.contains("could not be mailed") && page.contains("Send the invitation again"));
    assert!(!page.contains("on its way"));
    assert_eq!(house.events("mail.failed").len(), 1);
    house.mend_mail();
    assert_eq!(ella.post(&format!("{address}/invite"), &[]).status, 303);
    assert!(ella.get(&address).body.contains("on its way to nora@library.example"));
    assert_eq!(house.mails().len(), 1);
}

#[test]
fn a_changed_role_holds_from_the_other_sessions_next_click_on() {
    let house = House::new();
    let (mut ella, mut paul) = (house.signed_in("ella"), house.signed_in("paul"));
    assert_eq!(paul.get("/p/lending.DeskHome").status, 200);
    let account = house.account("paul");
    ella.get(&format!("/admin/users/{}", account.id));
    let fields = [("version", account.version.to_string()), ("role", "Reader".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(ella.post(&format!("/admin/users/{}/roles", account.id), &fields).status, 303);
    assert_eq!(paul.get("/p/lending.DeskHome").status, 403);
    assert_eq!(paul.get("/p/lending.MyLoans").status, 200);
}

#[test]
fn a_version_that_somebody_else_overtook_changes_nothing() {
    let house = House::new();
    let mina = house.account("mina");
    let (mut ella, mut dora) = (house.signed_in("ella"), house.signed_in("dora"));
    let (address, version) = (format!("/admin/users/{}/roles", mina.id), mina.version.to_string());
    for browser in [&mut ella, &mut dora] {
        browser.get(&format!("/admin/users/{}", mina.id));
    }
    assert_eq!(dora.post(&address, &[("version", &version), ("role", "Librarian")]).status, 303);
    for stale in [version.as_str(), "", "x", "-1", "99999999999999999999"] {
        let late = ella.post(&address, &[("version", stale), ("role", "Reader")]);
        assert_eq!(late.status, 409, "{stale}");
        assert!(late.body.contains("Somebody else changed this account meanwhile"));
    }
    assert_eq!(house.roles("mina"), ["Librarian"]);
}

#[test]
fn a_blocked_persons_session_ends_at_their_next_request() {
    let house = House::new();
    let (mut ella, mut mina) = (house.signed_in("ella"), house.signed_in("mina"));
    assert_eq!(mina.get("/p/lending.MyLoans").status, 200);
    let address = format!("/admin/users/{}", house.account("mina").id);
    ella.get(&address);
    let asked = ella.post(&format!("{address}/block"), &[]);
    assert!(asked.status == 200 && asked.body.contains("Block this account?"), "without script it is asked for first");
    assert_eq!(mina.get("/p/lending.MyLoans").status, 200, "and nothing happened yet");
    assert_eq!(ella.post(&format!("{address}/block"), &[("_confirmed", "yes")]).status, 303);
    let next = mina.get("/p/lending.MyLoans");
    assert_eq!((next.status, next.location.unwrap().starts_with("/sign-in")), (303, true));
    assert_eq!(house.account("mina").state, AccountState::Blocked);
    let page = ella.get(&address).body;
    assert!(page.contains("an account was blocked") && page.contains("Ella Nyberg"), "it stands with the account's events");
    assert_eq!(ella.post(&format!("{address}/reset"), &[]).status, 422, "no link for a blocked account");
    ella.get(&address);
    assert_eq!(ella.post(&format!("{address}/unblock"), &[]).status, 303);
    assert_eq!(house.account("mina").state, AccountState::Active);
    assert_eq!(mina.get("/p/lending.MyLoans").status, 303, "the old session stays dead");
}

#[test]
fn sessions_are_ended_by_the_administrator_and_ones_own_but_this_one() {
    let house = House::new();
    let (mut ella, mut other, mut mina) = (house.signed_in("ella"), house.signed_in("ella"), house.signed_in("mina"));
    let end = |browser: &mut Browser, key: &str| {
        let address = format!("/admin/users/{}", house.account(key).id);
        assert!(browser.get(&address).body.contains("End all"));
        assert_eq!(browser.post(&format!("{address}/sessions/end"), &[("_confirmed", "yes")]).status, 303);
    };
    end(&mut ella, "mina");
    assert_eq!(mina.get("/p/lending.MyLoans").status, 303);
    end(&mut ella, "ella");
    assert_eq!(other.get("/admin/users").status, 303);
    assert_eq!(ella.get("/admin/users").status, 200);
}

#[test]
fn accounts_above_the_administrator_are_out_of_reach() {
    let house = House::new();
    let (ella, mina, dora) = (house.account("ella"), house.account("mina"), house.account("dora"));
    let mut sten = house.signed_in("sten");
    let page = sten.get(&format!("/admin/users/{}", ella.id)).body;
    assert!(page.contains("neither yours nor yours to give") && !page.contains("/block\""));
    for deed in ["block", "unblock", "reset", "invite", "sessions/end"] {
        let answer = sten.post(&format!("/admin/users/{}/{deed}", ella.id), &[("_confirmed", "yes")]);
        assert_eq!(answer.status, 403, "{deed}");
    }
    assert_eq!(house.account("ella"), ella);
    sten.get("/admin/users");
    assert_eq!(sten.post(&format!("/admin/users/{}/reset", mina.id), &[]).status, 303, "readers are within reach");
    assert_eq!(house.mails().len(), 1);
    // A peer can be stopped: somebody may have stolen that account.
    let mut peer = house.signed_in("ella");
    peer.get("/admin/users");
    assert_eq!(peer.post(&format!("/admin/users/{}/block", dora.id), &[("_confirmed", "yes")]).status, 303);
    assert_eq!(house.account("dora").state, AccountState::Blocked);
}

#[test]
fn an_account_that_is_not_there_is_not_there() {
    let house = House::new();
    let mut ella = house.signed_in("ella");
    ella.get("/admin/users");
    for id in ["0", "-1", "4711", "99999999999999999999", "x", "%00", "1%20OR%201=1"] {
        assert_eq!(ella.get(&format!("/admin/users/{id}")).status, 404, "{id}");
        for deed in ["roles", "block", "unblock", "reset", "invite", "sessions/end"] {
            ella.get("/admin/users");
            let answer = ella.post(&format!("/admin/users/{id}/{deed}"), &[("_confirmed", "yes"), ("version", "1")]);
            assert_eq!(answer.status, 404, "{id}/{deed}");
        }
    }
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
fn the_live_log_ends_when_the_role_is_lost_and_has_room_for_twenty() {
    let house = House::new();
    let app = &house.web().app;
    let mut paul = house.signed_in("paul");
    assert_eq!(paul.get("/admin/log/stream").status, 403);
    let give = |roles: &[&str]| {
        let account = house.account("paul");
        let roles = roles.iter().map(|role| (*role).into()).collect();
        app.db
            .write(|conn| app.identity.replace_roles(conn, &Actor::system("test"), account.id, account.version, &roles))
            .unwrap();
    };
    give(&["Director"]);
    let mut open: Vec<_> = (0..20).map(|_| paul.stream("/admin/log/stream")).collect();
    assert_eq!(paul.get("/admin/log/stream").status, 503, "the twenty-first finds no place");
    give(&["Librarian"]);
    for stream in open.drain(..) {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            assert!(!line.starts_with("data:"), "{line}");
        }
    }
    assert_eq!(paul.get("/admin/log/stream").status, 403);
    assert_eq!(house.web().streams.available_permits(), 20, "every place is free again");
}
