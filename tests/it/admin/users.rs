//! Users: nobody raises themselves or others, and what is done bites at once.

use super::browser::{Browser, House};
use portcullis::identity::AccountState;

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
