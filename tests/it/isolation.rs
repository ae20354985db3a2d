//! Visitors touch no database, up to the opened link.

use crate::support::actor::{Actor, Page};
use crate::support::project;
use crate::support::server::{Server, Setup, copy, library, people};
use std::time::Duration;

const SECRET: &str = "violet harbour lantern";

/// Fills in the registration form as a person would.
pub fn register(visitor: &Actor, email: &str) -> Page {
    let form = visitor.open("/p/hiring.RegistrationForm");
    let filled = form.fill("First name", "Vera").fill("Last name", "Quist").fill("E-mail", email);
    filled.fill("You may keep this data to handle my applications", "true").click("Send me the link")
}

/// Opens a mailed link and chooses a password there.
pub fn choose(opened: &Page) -> Page {
    opened.clone().fill("New password", SECRET).fill("Once more", SECRET).click("Save the password")
}

#[test]
fn public_pages_are_answered_with_the_database_closed_and_nothing_else_is() {
    let people = people();
    people.web().app.db.close();
    let visitor = people.visitor();
    for path in
        ["/", "/p/hiring.PublicVacancies", "/p/hiring.RegistrationForm", "/p/hiring.RegistrationSent", "/sign-in", "/forgot"]
    {
        let page = visitor.open(path);
        assert_eq!(page.status, 200, "{path}: {}", page.html.text);
        assert!(!page.shows("Not available"), "{path}");
    }
    assert_eq!(visitor.get("/health/live").status, 200);
    assert_eq!(visitor.get("/health/ready").status, 503);
    for page in people
        .web()
        .app
        .live()
        .model
        .pages
        .keys()
        .filter(|page| !page.name.starts_with("Public") && !page.name.starts_with("Registration"))
    {
        let answer = visitor.get(&format!("/p/{page}"));
        assert_eq!(answer.status, 303, "{page} sends a visitor to sign in");
        assert!(answer.header("location").unwrap().starts_with("/sign-in"), "{page}");
        assert!(answer.body.is_empty(), "{page}");
    }
}

#[test]
fn a_visitor_registers_without_one_statement_up_to_the_opened_link() {
    let people = people();
    let visitor = people.visitor();
    let (sent, statements) = people.statements(|| {
        visitor.open("/");
        visitor.open("/p/hiring.PublicVacancies");
        let wrong = register(&visitor, "not an address");
        assert_eq!(wrong.status, 422);
        assert!(wrong.control("E-mail").is_some_and(|field| field.value == "not an address"), "what was typed is still there");
        register(&visitor, "vera.quist@example.org")
    });
    assert_eq!(statements, 0, "the database was asked before the link was opened");
    assert_eq!((sent.status, sent.url.as_str()), (200, "/p/hiring.RegistrationSent"));
    assert!(!sent.shows("vera.quist"), "the page after says no address");
    let link = people.link_to("vera.quist@example.org");
    let (opened, statements) = people.statements(|| visitor.open(&link));
    assert!(statements > 0 && opened.status == 200 && opened.shows("vera.quist@example.org"), "{}", opened.html.text);
    let home = choose(&opened);
    assert_eq!((home.status, home.url.as_str()), (200, "/p/hiring.CandidateHome"), "{}", home.html.text);
    assert!(home.shows("Vera Quist") && !home.has_button("Approve"));
    let (_, status) = people.password_sign_in("vera.quist@example.org", SECRET);
    assert_eq!(status, 303, "the password that was chosen opens the account");
}

#[test]
fn with_the_database_closed_a_registration_is_still_taken() {
    let people = people();
    people.web().app.db.close();
    let visitor = people.visitor();
    assert_eq!(register(&visitor, "vera.quist@example.org").url, "/p/hiring.RegistrationSent");
    let link = people.link_to("vera.quist@example.org");
    assert_eq!(visitor.open(&link).status, 503, "the link needs the database");
    people.web().app.db.reopen().unwrap();
    assert_eq!(visitor.open(&link).status, 200, "and works once it is there again");
}

/// The text of a page without what differs from request to request.
fn words(page: &Page) -> String {
    page.html.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_known_address_is_answered_like_an_unknown_one() {
    let people = people();
    let (visitor, other) = (people.visitor(), people.visitor());
    let known = register(&visitor, "carlo.bianchi@post.example");
    let unknown = register(&other, "nobody.at.all@post.example");
    assert_eq!((known.status, known.url.as_str(), words(&known)), (unknown.status, unknown.url.as_str(), words(&unknown)));
    let (a, b) = (people.mail_to("carlo.bianchi@post.example").unwrap(), people.mail_to("nobody.at.all@post.example").unwrap());
    let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    assert_eq!(line(&a), line(&b));
    // Only whoever reads the mailbox learns that there is an account, and it does not change hands.
    let opened = visitor.open(&people.link_to("carlo.bianchi@post.example"));
    assert_eq!(opened.status, 410);
    assert!(opened.shows("You have an account already") && opened.control("New password").is_none());
    assert_eq!(people.password_sign_in("carlo.bianchi@post.example", SECRET).1, 422);
}

fn mailed(people: &Server) -> (Actor, String) {
    let visitor = people.visitor();
    register(&visitor, "vera.quist@example.org");
    let link = people.link_to("vera.quist@example.org");
    (visitor, link)
}

#[test]
fn a_registration_link_ends_after_its_day() {
    let people = people();
    let (visitor, link) = mailed(&people);
    people.clock.advance(Duration::from_secs(24 * 3_600 - 1));
    let opened = visitor.open(&link);
    assert_eq!(opened.status, 200);
    people.clock.advance(Duration::from_secs(2));
    for late in [visitor.open(&link), choose(&opened)] {
        assert_eq!(late.status, 410);
        assert!(late.shows("expired") && !late.shows("vera.quist@example.org"), "{}", late.html.text);
    }
    assert_eq!(people.password_sign_in("vera.quist@example.org", SECRET).1, 422, "no account was made");
}

#[test]
fn an_altered_link_opens_nothing_and_asks_the_database_nothing() {
    let people = people();
    let (visitor, link) = mailed(&people);
    let token = link.rsplit('/').next().unwrap().to_owned();
    let mut altered: Vec<String> = Vec::new();
    for at in [0, 5, token.len() / 2, token.len() - 2] {
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut text = token.clone();
        text.replace_range(at..=at, other);
        altered.push(format!("/link/register/{text}"));
    }
    altered.push(format!("/link/register/{}", &token[..token.len() - 4]));
    altered.push(format!("/link/register/{token}AAAA"));
    altered.push("/link/register/x".into());
    let ((), statements) = people.statements(|| {
        for link in &altered {
            let page = visitor.open(link);
            assert_eq!(page.status, 410, "{link}");
            assert!(page.control("New password").is_none() && !page.shows("vera.quist"), "{link}");
        }
    });
    assert_eq!(statements, 0, "a forged link costs no statement");
    // A link is for one purpose only.
    for purpose in ["invite", "reset", "bootstrap"] {
        assert_eq!(visitor.open(&format!("/link/{purpose}/{token}")).status, 410, "{purpose}");
    }
    assert_eq!(visitor.open(&format!("/link/other/{token}")).status, 404);
    assert_eq!(visitor.open(&link).status, 200, "the true one still works");
}

/// What the model check cannot know: the elevation admits nobody who does not live in a certain town.
#[test]
fn a_registration_that_the_app_cannot_complete_says_so_makes_nothing_and_keeps_the_link() {
    let folder = tempfile::tempdir().unwrap();
    copy(&project("apps/people"), folder.path());
    let flow = folder.path().join("hiring/microflows/CompleteRegistration.yaml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let narrowed = text.replace(
        "    doc: Candidates come into being",
        "    where: \"this.city == 'Nowhere'\"\n    doc: Candidates come into being",
    );
    assert_ne!(narrowed, text);
    std::fs::write(&flow, narrowed).unwrap();
    let people = Setup::of(folder.path()).run();
    let (visitor, link) = mailed(&people);
    let opened = visitor.open(&link);
    let ended = choose(&opened);
    assert_eq!(ended.status, 422, "{}", ended.html.text);
    assert!(ended.shows("Your registration is not complete") && ended.shows("your link stays valid"), "{}", ended.html.text);
    assert!(!ended.shows("hiring.") && !ended.shows("Candidate"), "{}", ended.html.text);
    assert_eq!(people.password_sign_in("vera.quist@example.org", SECRET).1, 422, "no account was made");
    assert!(people.log().iter().any(|line| line.contains("a registration could not be completed: hiring.CompleteRegistration")));
    assert_eq!(visitor.open(&link).status, 200, "the link still works");
}

#[test]
fn a_used_link_works_no_second_time() {
    let people = people();
    let (visitor, link) = mailed(&people);
    let opened = visitor.open(&link);
    assert_eq!(choose(&opened).url, "/p/hiring.CandidateHome");
    let stranger = people.visitor();
    let again = stranger.open(&link);
    assert_eq!(again.status, 410);
    assert!(!again.shows("New password"));
    let fresh = stranger.open("/sign-in");
    let csrf = fresh.hidden("_csrf").unwrap();
    let token = link.rsplit('/').next().unwrap();
    let taken = stranger.post(
        "/link/register",
        &[("_csrf", csrf), ("token", token), ("password", "quite another phrase"), ("password2", "quite another phrase")],
    );
    assert_eq!(taken.status, 410);
    assert!(taken.header("set-cookie").is_none_or(|cookie| !cookie.starts_with("portcullis_session")));
    assert_eq!(people.password_sign_in("vera.quist@example.org", "quite another phrase").1, 422);
}

#[test]
fn of_two_browsers_that_use_a_link_at_once_exactly_one_wins() {
    let people = people();
    for round in 0..5 {
        let email = format!("vera{round}@example.org");
        register(&people.visitor(), &email);
        let link = people.link_to(&email);
        let pages: Vec<Page> = (0..4).map(|_| people.visitor().open(&link)).collect();
        let ended: Vec<Page> = std::thread::scope(|scope| {
            let tries: Vec<_> = pages.iter().map(|page| scope.spawn(move || choose(page))).collect();
            tries.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let won = ended.iter().filter(|page| page.url == "/p/hiring.CandidateHome").count();
        let lost = ended.iter().filter(|page| page.status == 410).count();
        assert_eq!((won, lost), (1, 3), "{:?}", ended.iter().map(|p| (p.status, p.url.clone())).collect::<Vec<_>>());
        people.clock.advance(Duration::from_secs(3_600));
    }
}

#[test]
fn guests_of_another_app_touch_no_database_either() {
    let library = library();
    let guest = library.visitor();
    let (page, statements) = library.statements(|| {
        assert_eq!(guest.open("/").status, 200);
        guest.open("/p/lending.JoinForm")
    });
    assert_eq!((page.status, statements), (200, 0), "{}", page.html.text);
    let (again, statements) =
        library.statements(|| page.press(&page.html.buttons.iter().find(|b| b.name == "_do").unwrap().clone()));
    assert!(matches!(again.status, 200 | 422) && statements == 0, "{statements}");
    library.web().app.db.close();
    assert_eq!(guest.open("/p/lending.Catalogue").status, 200);
    assert_eq!(guest.get("/p/lending.Readers").status, 303, "what is not for guests stays closed");
}
