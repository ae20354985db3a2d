use super::*;
use crate::db::testing::each;
use serde_json::json;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn asked(email: &str) -> Registration {
    Registration { email: email.into(), name: "Ada Lovelace".into(), data: json!({"phone": "0123"}) }
}
fn role() -> Name {
    Name::from("Candidate")
}
fn register(identity: &Identity, db: &Db, token: &str) -> Result<AccountId, LinkError> {
    let chosen = chosen(identity, GOOD);
    db.write(|conn| identity.complete_registration(conn, &actor(), token, &chosen, &role()))
}

#[test]
fn a_registration_asks_nothing_of_the_database_until_its_link_is_used() {
    each(|db| {
        let identity = identity();
        let before = db.statements();
        let token = identity.registration_link(&asked(" Ada@B.example"), DAY).unwrap();
        let opened = identity.open_registration(&token).unwrap();
        assert_eq!(db.statements(), before);
        assert_eq!((opened.email.as_str(), &opened.data), ("ada@b.example", &json!({"phone": "0123"})));
        assert!(!token.contains("ada") && !token.contains("phone"));
        let id = register(&identity, db, &token).unwrap();
        let account = db.read(|conn| find(conn, id)).unwrap().unwrap();
        assert_eq!((account.state, account.name.as_str()), (AccountState::Active, "Ada Lovelace"));
        assert_eq!(db.read(|conn| roles(conn, id)).unwrap(), names(&["Candidate"]));
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_ok());
        assert_eq!(recorded(db, "user.created").len(), 1);
    });
}

#[test]
fn a_registration_link_fails_once_used_expired_altered_or_known() {
    each(|db| {
        let identity = identity();
        let token = identity.registration_link(&asked("ada@b.example"), DAY).unwrap();
        let second = identity.registration_link(&asked("ADA@b.example"), DAY).unwrap();
        register(&identity, db, &token).unwrap();
        assert!(matches!(register(&identity, db, &token), Err(LinkError::Used)));
        assert!(matches!(db.read(|conn| identity.check_registration(conn, &token)), Err(LinkError::Used)));
        assert!(matches!(register(&identity, db, &second), Err(LinkError::AlreadyKnown)));
        assert!(matches!(db.read(|conn| identity.check_registration(conn, &second)), Err(LinkError::AlreadyKnown)));

        let late = identity.registration_link(&asked("late@b.example"), DAY).unwrap();
        let foreign = super::identity().registration_link(&asked("late@b.example"), DAY).unwrap();
        let huge = "A".repeat(1_000_000);
        let mut altered = late.clone().into_bytes();
        altered[30] = if altered[30] == b'A' { b'B' } else { b'A' };
        for forged in [foreign.as_str(), "", "A", &huge, &late[1..], std::str::from_utf8(&altered).unwrap(), "🦊"] {
            assert!(matches!(register(&identity, db, forged), Err(LinkError::Altered)), "{forged:.40}");
        }
        identity.clock.advance(DAY);
        assert!(matches!(identity.open_registration(&late), Err(LinkError::Expired)));
        assert!(matches!(register(&identity, db, &late), Err(LinkError::Expired)));
        assert_eq!(db.read(|conn| search(conn, &AccountFilter::default(), 10, 0)).unwrap().total, 1);
    });
}

#[test]
fn of_two_uses_at_once_exactly_one_wins() {
    each(|db| {
        let identity = identity();
        for round in 0..5 {
            let token = identity.registration_link(&asked(&format!("{round}@b.example")), DAY).unwrap();
            let done: Vec<_> = std::thread::scope(|scope| {
                let uses: Vec<_> = (0..4).map(|_| scope.spawn(|| register(&identity, db, &token))).collect();
                uses.into_iter().map(|each| each.join().unwrap()).collect()
            });
            assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1, "{done:?}");
            assert_eq!(done.iter().filter(|result| matches!(result, Err(LinkError::Used))).count(), 3, "{done:?}");
        }
    });
}

#[test]
fn a_failed_use_does_not_use_the_link_up() {
    each(|db| {
        let identity = identity();
        let token = identity.registration_link(&asked("ada@b.example"), DAY).unwrap();
        let chosen = chosen(&identity, GOOD);
        let failed: Result<(), LinkError> = db.write(|conn| {
            identity.complete_registration(conn, &actor(), &token, &chosen, &role())?;
            Err(LinkError::Withdrawn)
        });
        assert!(failed.is_err());
        assert!(register(&identity, db, &token).is_ok());
    });
}

#[test]
fn what_does_not_fit_into_a_registration_is_refused() {
    let identity = identity();
    let huge = Registration { data: json!("x".repeat(100_000)), ..asked("ada@b.example") };
    let unnamed = Registration { name: " ".into(), ..asked("ada@b.example") };
    for wrong in [huge, unnamed, asked("nobody"), asked("a@b.example\r\nBcc: c@d.example")] {
        assert!(matches!(identity.registration_link(&wrong, DAY), Err(LinkError::Unfit(_))), "{:.60}", wrong.email);
    }
}

#[test]
fn a_link_of_one_purpose_is_worthless_for_another() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let reset = db.write(|conn| identity.reset_link(conn, &actor(), id)).unwrap();
        let chosen = chosen(&identity, OTHER);
        assert!(matches!(register(&identity, db, &reset), Err(LinkError::Altered)));
        assert!(matches!(db.write(|conn| identity.accept_invitation(conn, &actor(), &reset, &chosen)), Err(LinkError::Altered)));
        let founder = Founder { email: "x@y.example", name: "Xavier", chosen: &chosen };
        let made = db.write(|conn| identity.complete_bootstrap(conn, &actor(), &reset, founder, &names(&["Administrator"])));
        assert!(matches!(made, Err(LinkError::Altered)));
    });
}

#[test]
fn an_invited_person_chooses_a_password_once() {
    each(|db| {
        let identity = identity();
        let roles_wanted = names(&["Employee"]);
        let new = NewAccount { email: "ivy@b.example", name: "Ivy", roles: &roles_wanted };
        let (id, token) = db.write(|conn| identity.invite(conn, &actor(), &new)).unwrap();
        let again = db.write(|conn| identity.invitation_link(conn, &actor(), id)).unwrap();
        assert_eq!(db.read(|conn| identity.check_invitation(conn, &token)).unwrap().email, "ivy@b.example");
        let chosen = chosen(&identity, GOOD);
        let accept = |token: &str| db.write(|conn| identity.accept_invitation(conn, &actor(), token, &chosen));
        assert_eq!(accept(&token).unwrap(), id);
        assert!(matches!(accept(&token), Err(LinkError::Used)));
        assert!(matches!(accept(&again), Err(LinkError::Withdrawn)), "the second link cannot set the password again");
        assert!(try_sign_in(&identity, db, "ivy@b.example", GOOD, home()).is_ok());
        assert!(matches!(db.write(|conn| identity.invite(conn, &actor(), &new)), Err(LinkError::AlreadyKnown)));
    });
}

#[test]
fn an_invitation_of_a_blocked_account_is_withdrawn() {
    each(|db| {
        let identity = identity();
        let none = BTreeSet::new();
        let new = NewAccount { email: "ivy@b.example", name: "Ivy", roles: &none };
        let (id, token) = db.write(|conn| identity.invite(conn, &actor(), &new)).unwrap();
        db.write(|conn| identity.block(conn, &actor(), id, &names(&[]))).unwrap();
        let chosen = chosen(&identity, GOOD);
        let accept = || db.write(|conn| identity.accept_invitation(conn, &actor(), &token, &chosen));
        assert!(matches!(accept(), Err(LinkError::Withdrawn)));
        db.write(|conn| identity.unblock(conn, &actor(), id)).unwrap();
        assert_eq!(db.read(|conn| find(conn, id)).unwrap().unwrap().state, AccountState::Invited);
        assert!(accept().is_ok());
    });
}

fn ask_reset(identity: &Identity, db: &Db, email: &str, from: IpAddr) -> Result<Option<ResetMail>, ResetError> {
    db.write(|conn| Ok::<_, DbError>(identity.request_reset(conn, email, from, None))).unwrap()
}

#[test]
fn reset_letters_are_limited_by_a_window_that_slides_and_by_every_spelling_of_an_address() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "rené@b.example", &[]);
        let ask = |email: &str, n: u8| ask_reset(&identity, db, email, address(&format!("198.51.100.{n}")));
        for (n, email) in [(1, "rené@b.example"), (2, "RENÉ@B.example"), (3, "rene\u{301}@b.example")] {
            assert!(ask(email, n).unwrap().is_some(), "{email}");
            identity.clock.advance(Duration::from_secs(10 * 60));
        }
        match ask(" René@b.example", 4) {
            Err(ResetError::Throttled { retry_after }) => assert_eq!(retry_after, Duration::from_secs(30 * 60)),
            other => panic!("{other:?}"),
        }
        identity.clock.advance(Duration::from_secs(30 * 60));
        assert!(ask("rené@b.example", 5).unwrap().is_some());
        assert!(ask("rené@b.example", 6).is_err(), "one place became free, not three");
    });
}

#[test]
fn a_reset_link_works_once_and_ends_every_session() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let token = signed_in(&identity, db, "ada@b.example");
        let mail = ask_reset(&identity, db, "ADA@b.example", home()).unwrap().unwrap();
        let second = ask_reset(&identity, db, "ada@b.example", home()).unwrap().unwrap();
        assert_eq!((mail.email.as_str(), mail.name.as_str()), ("ada@b.example", "Ada Lovelace"));
        assert_eq!(db.read(|conn| identity.check_reset(conn, &mail.token)).unwrap().id, id);
        let chosen = chosen(&identity, OTHER);
        let reset = |token: &str| db.write(|conn| identity.complete_reset(conn, &actor(), token, &chosen));
        assert_eq!(reset(&mail.token).unwrap(), id);
        assert!(matches!(reset(&mail.token), Err(LinkError::Used)));
        assert!(matches!(reset(&second.token), Err(LinkError::Withdrawn)), "it was made for the password before");
        assert!(load(&identity, db, &token).is_none());
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_err());
        assert!(try_sign_in(&identity, db, "ada@b.example", OTHER, home()).is_ok());
        assert_eq!(recorded(db, "password.changed").len(), 1);
    });
}

#[test]
fn a_reset_link_expires_and_does_not_open_a_blocked_account() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let token = db.write(|conn| identity.reset_link(conn, &actor(), id)).unwrap();
        let chosen = chosen(&identity, OTHER);
        let reset = || db.write(|conn| identity.complete_reset(conn, &actor(), &token, &chosen));
        db.write(|conn| identity.block(conn, &actor(), id, &names(&[]))).unwrap();
        assert!(matches!(reset(), Err(LinkError::Withdrawn)));
        assert!(matches!(db.write(|conn| identity.reset_link(conn, &actor(), id)), Err(LinkError::Withdrawn)));
        identity.clock.advance(DAY);
        assert!(matches!(reset(), Err(LinkError::Expired)));
    });
}

#[test]
fn asking_for_a_reset_tells_nothing_and_cannot_flood_a_mailbox() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        for email in ["ada@b.example", "nobody@b.example"] {
            for n in 0..3 {
                let asked = ask_reset(&identity, db, email, address(&format!("198.51.100.{n}"))).unwrap();
                assert_eq!(asked.is_some(), email.starts_with("ada"));
            }
            let fourth = ask_reset(&identity, db, email, address("203.0.113.9"));
            assert!(matches!(fourth, Err(ResetError::Throttled { .. })), "known or not, the fourth is refused: {email}");
        }
    });
}

#[test]
fn the_bootstrap_link_is_good_only_while_nobody_holds_the_role() {
    each(|db| {
        let identity = identity();
        let admin = names(&["Administrator"]);
        active(&identity, db, "ada@b.example", &["Employee"]);
        let link = || db.write(|conn| identity.bootstrap_link(conn, &admin)).unwrap();
        let (first, second) = (link().unwrap(), link().unwrap());
        let chosen = chosen(&identity, GOOD);
        let complete = |token: &str, email: &str| {
            let founder = Founder { email, name: "Root Person", chosen: &chosen };
            db.write(|conn| identity.complete_bootstrap(conn, &actor(), token, founder, &admin))
        };
        assert!(matches!(complete(&first, "not an address"), Err(LinkError::Unfit(_))));
        assert!(
            matches!(complete(&first, "ada@b.example"), Err(LinkError::AlreadyKnown)),
            "it does not raise an existing account"
        );
        assert!(db.read(|conn| identity.check_bootstrap(conn, &first, &admin)).is_ok());
        let id = complete(&first, "root@b.example").unwrap();
        assert_eq!(db.read(|conn| roles(conn, id)).unwrap(), names(&["Administrator"]));
        assert!(matches!(complete(&first, "evil@b.example"), Err(LinkError::Used)));
        assert!(matches!(complete(&second, "evil@b.example"), Err(LinkError::Withdrawn)));
        assert!(matches!(db.read(|conn| identity.check_bootstrap(conn, &second, &admin)), Err(LinkError::Withdrawn)));
        assert!(link().is_none());
    });
}

#[test]
fn of_two_bootstrap_links_exactly_one_makes_an_administrator() {
    each(|db| {
        let identity = identity();
        let admin = names(&["Administrator"]);
        let links: Vec<String> =
            (0..4).map(|_| db.write(|conn| identity.bootstrap_link(conn, &admin)).unwrap().unwrap()).collect();
        let chosen = chosen(&identity, GOOD);
        let made: Vec<_> = std::thread::scope(|scope| {
            let tries: Vec<_> = links
                .iter()
                .enumerate()
                .map(|(n, token)| {
                    let (identity, chosen, admin) = (&identity, &chosen, &admin);
                    let email = format!("root{n}@b.example");
                    scope.spawn(move || {
                        let founder = Founder { email: &email, name: "Root Person", chosen };
                        db.write(|conn| identity.complete_bootstrap(conn, &actor(), token, founder, admin))
                    })
                })
                .collect();
            tries.into_iter().map(|each| each.join().unwrap()).collect()
        });
        assert_eq!(made.iter().filter(|result| result.is_ok()).count(), 1, "{made:?}");
        assert_eq!(db.read(|conn| able_holders(conn, &admin, false)).unwrap(), 1);
    });
}

#[test]
fn guesses_at_an_address_do_not_stop_its_owner_from_joining() {
    each(|db| {
        let identity = identity();
        (0..60).for_each(|_| drop(try_sign_in(&identity, db, "hal@b.example", OTHER, home())));
        let asked = Registration { email: "Hal@b.example".into(), name: "Hal".into(), data: serde_json::Value::Null };
        let token = identity.registration_link(&asked, DAY).unwrap();
        let chosen = chosen(&identity, GOOD);
        let other = identity.choose_password(&Password::new(OTHER), "x@y.example", "Xavier").unwrap();
        let role = Name::from("Candidate");
        let device = Device { address: home(), agent: "", replaces: None };
        let session = db.write(|conn| {
            let id = identity.complete_registration(conn, &actor(), &token, &chosen, &role).unwrap();
            let wrong = identity.begin_session_chosen(conn, id, &other, device, None);
            assert!(matches!(wrong, Err(SignInError::WrongCredentials)), "only the password that is kept proves");
            identity.begin_session_chosen(conn, id, &chosen, device, None)
        });
        assert!(load(&identity, db, &session.unwrap()).is_some());
        assert!(try_sign_in(&identity, db, "hal@b.example", GOOD, home()).is_ok(), "and later as well");
        let id = find_by(&identity, db, "hal@b.example");
        db.write(|conn| identity.block(conn, &actor(), id, &BTreeSet::new())).unwrap();
        let blocked = db.write(|conn| identity.begin_session_chosen(conn, id, &chosen, device, None));
        assert!(matches!(blocked, Err(SignInError::WrongCredentials)));
    });
}

fn find_by(_: &Identity, db: &Db, email: &str) -> AccountId {
    db.read(|conn| find_by_email(conn, email)).unwrap().unwrap().id
}
