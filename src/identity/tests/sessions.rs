use super::*;
use crate::db::testing::each;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_session_proves_its_user_with_present_roles() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &["Employee", "Manager"]);
        let token = signed_in(&identity, db, "ada@b.example");
        let user = load(&identity, db, &token).unwrap().user;
        assert_eq!((user.id(), user.name(), user.email()), (id, "Ada Lovelace", "ada@b.example"));
        assert_eq!(*user.user_roles(), names(&["Employee", "Manager"]));

        let account = db.read(|conn| find(conn, id)).unwrap().unwrap();
        db.write(|conn| identity.replace_roles(conn, &actor(), id, account.version, &names(&["Auditor"]), &names(&[]))).unwrap();
        assert_eq!(*load(&identity, db, &token).unwrap().user.user_roles(), names(&["Auditor"]), "at the next request");
    });
}

#[test]
fn an_account_without_roles_has_a_session_without_roles() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let token = signed_in(&identity, db, "ada@b.example");
        assert!(load(&identity, db, &token).unwrap().user.user_roles().is_empty());
    });
}

#[test]
fn the_database_does_not_hold_the_token_and_forged_tokens_are_nobody() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let token = signed_in(&identity, db, "ada@b.example");
        let session = load(&identity, db, &token).unwrap();
        let name = session.user.session().as_str().to_owned();
        assert_ne!(name, token.expose());
        let huge = "A".repeat(1_000_000);
        for forged in ["", "A", &name, &huge, "' OR 1=1 --", "\0", &token.expose()[1..]] {
            assert!(identity.load_session(db, forged).unwrap().is_none(), "{forged:.50}");
        }
        assert!(!format!("{token:?}").contains(token.expose()));
    });
}

#[test]
fn an_idle_session_ends_and_a_used_one_goes_on() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let (used, idle) = (signed_in(&identity, db, "ada@b.example"), signed_in(&identity, db, "ada@b.example"));
        for _ in 0..3 {
            identity.clock.advance(20 * MINUTE);
            assert!(load(&identity, db, &used).is_some());
        }
        assert!(load(&identity, db, &idle).is_none());
    });
}

#[test]
fn a_session_ends_after_its_absolute_time_however_much_it_is_used() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let token = signed_in(&identity, db, "ada@b.example");
        for _ in 0..47 {
            identity.clock.advance(15 * MINUTE);
            assert!(load(&identity, db, &token).is_some());
        }
        identity.clock.advance(15 * MINUTE);
        assert!(load(&identity, db, &token).is_none());
        assert!(db.read(|conn| identity.sessions_of(conn, AccountId(1))).unwrap().is_empty());
    });
}

#[test]
fn use_is_noted_at_most_once_a_minute() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let token = signed_in(&identity, db, "ada@b.example");
        load(&identity, db, &token);
        let (before, start) = (db.statements(), identity.clock.now());
        identity.clock.advance(Duration::from_secs(59));
        load(&identity, db, &token);
        let one = db.statements() - before;
        assert_eq!(load(&identity, db, &token).unwrap().last_seen, start);
        identity.clock.advance(Duration::from_secs(1));
        load(&identity, db, &token);
        assert_eq!(load(&identity, db, &token).unwrap().last_seen, start + MINUTE);
        assert_eq!(db.read(|conn| find(conn, id)).unwrap().unwrap().last_seen, Some(start + MINUTE));
        assert!(one <= 3, "one read transaction with one statement: {one}");
    });
}

#[test]
fn signing_out_kills_the_session_and_only_that_one() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let (here, there) = (signed_in(&identity, db, "ada@b.example"), signed_in(&identity, db, "ada@b.example"));
        let user = load(&identity, db, &here).unwrap().user;
        assert!(db.write(|conn| identity.sign_out(conn, &user, None)).unwrap());
        assert!(!db.write(|conn| identity.sign_out(conn, &user, None)).unwrap(), "once is enough");
        assert!(load(&identity, db, &here).is_none() && load(&identity, db, &there).is_some());
        assert_eq!(recorded(db, "sign-out").len(), 1);
        assert_eq!(db.read(|conn| identity.sessions_of(conn, id)).unwrap().len(), 1);
    });
}

#[test]
fn sessions_are_listed_and_ended_by_their_owner_only() {
    each(|db| {
        let identity = identity();
        let ada = active(&identity, db, "ada@b.example", &[]);
        let bob = active(&identity, db, "bob@b.example", &[]);
        let (first, second) = (signed_in(&identity, db, "ada@b.example"), signed_in(&identity, db, "ada@b.example"));
        let list = db.read(|conn| identity.sessions_of(conn, ada)).unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!((list[0].address.as_str(), list[0].agent.as_str()), ("192.0.2.1", "Firefox"));
        let id = load(&identity, db, &first).unwrap().user.session().clone();
        assert!(!db.write(|conn| identity.end_session(conn, &actor(), bob, &id)).unwrap(), "not somebody else's");
        assert!(load(&identity, db, &first).is_some());
        assert!(db.write(|conn| identity.end_session(conn, &actor(), ada, &SessionId::new(id.as_str()))).unwrap());
        assert!(load(&identity, db, &first).is_none() && load(&identity, db, &second).is_some());
        assert_eq!(db.write(|conn| identity.end_sessions(conn, &actor(), ada, None)).unwrap(), 1);
        assert!(load(&identity, db, &second).is_none());
        assert_eq!(recorded(db, "session.ended").len(), 2);
    });
}

#[test]
fn a_rotated_session_has_another_token_and_csrf_token_and_the_old_one_is_dead() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let old = signed_in(&identity, db, "ada@b.example");
        let before = load(&identity, db, &old).unwrap();
        let new = db.write(|conn| identity.rotate_session(conn, &before.user)).unwrap().unwrap();
        let after = load(&identity, db, &new).unwrap();
        assert!(load(&identity, db, &old).is_none());
        assert!(!after.csrf.is_in(&before.csrf.masked()));
        assert!(db.write(|conn| identity.rotate_session(conn, &before.user)).unwrap().is_none());
    });
}

#[test]
fn csrf_tokens_belong_to_one_session() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let (a, b) = (signed_in(&identity, db, "ada@b.example"), signed_in(&identity, db, "ada@b.example"));
        let csrf = |token| load(&identity, db, token).unwrap().csrf;
        assert!(csrf(&a).is_in(&csrf(&a).masked()));
        assert!(!csrf(&a).is_in(&csrf(&b).masked()));
    });
}

#[test]
fn session_data_outlives_a_request_and_what_is_huge_is_not_kept() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let token = signed_in(&identity, db, "ada@b.example");
        let id = load(&identity, db, &token).unwrap().user.session().clone();
        let put = |key: &str, value: &str| {
            db.write(|conn| identity.change_session_data(conn, &id, |data| drop(data.insert(key.into(), value.into())))).unwrap();
        };
        put("flash", "Saved \u{1F98A} \"quoted\"");
        put("huge", &"x".repeat(1_000_000));
        let data = load(&identity, db, &token).unwrap().data;
        assert_eq!(data.get("flash").map(String::as_str), Some("Saved \u{1F98A} \"quoted\""));
        assert_eq!(data.len(), 1);
        db.write(|conn| identity.change_session_data(conn, &id, |data| data.clear())).unwrap();
        assert!(load(&identity, db, &token).unwrap().data.is_empty());
    });
}

#[test]
fn an_account_has_a_bounded_number_of_sessions() {
    each(|db| {
        let identity = identity_with(Keys::ephemeral(), |settings| settings.sessions_per_account = 3);
        let id = active(&identity, db, "ada@b.example", &[]);
        let mut tokens = Vec::new();
        for _ in 0..5 {
            identity.clock.advance(Duration::from_secs(1));
            tokens.push(signed_in(&identity, db, "ada@b.example"));
        }
        assert_eq!(db.read(|conn| identity.sessions_of(conn, id)).unwrap().len(), 3);
        let alive: Vec<bool> = tokens.iter().map(|token| load(&identity, db, token).is_some()).collect();
        assert_eq!(alive, [false, false, true, true, true]);
    });
}

#[test]
fn a_proof_does_not_outlive_the_account() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let proof = try_sign_in(&identity, db, "ada@b.example", GOOD, home()).unwrap();
        db.write(|conn| identity.block(conn, &actor(), id, &names(&[]))).unwrap();
        let device = Device { address: home(), agent: "x", replaces: None };
        assert!(matches!(identity.begin_session(db, proof, device), Err(SignInError::WrongCredentials)));
    });
}

#[test]
fn old_rows_are_purged_and_live_ones_stay() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        signed_in(&identity, db, "ada@b.example");
        identity.clock.advance(40 * 24 * 60 * MINUTE);
        let token = signed_in(&identity, db, "ada@b.example");
        assert!(db.write(|conn| identity.purge(conn)).unwrap() >= 1);
        assert!(load(&identity, db, &token).is_some());
    });
}

#[test]
fn a_session_that_another_replaces_ends_and_is_recorded_whosever_it_was() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        active(&identity, db, "bea@b.example", &[]);
        let (old, other) = (signed_in(&identity, db, "ada@b.example"), signed_in(&identity, db, "ada@b.example"));
        let again = |replaces: &str| {
            let proof = try_sign_in(&identity, db, "bea@b.example", GOOD, home()).unwrap();
            let device = Device { address: home(), agent: "", replaces: Some(replaces) };
            identity.begin_session(db, proof, device).unwrap()
        };
        let before = recorded(db, "session.ended").len();
        let new = again(old.expose());
        assert!(load(&identity, db, &old).is_none());
        assert!(load(&identity, db, &other).is_some() && load(&identity, db, &new).is_some());
        assert_eq!(recorded(db, "session.ended").len(), before + 1);
        for nothing in ["", "forged", old.expose(), &"A".repeat(100_000)] {
            again(nothing);
        }
        assert_eq!(recorded(db, "session.ended").len(), before + 1, "what is no live session ends nothing");
        assert!(load(&identity, db, &other).is_some());
    });
}

#[test]
fn who_somebody_is_stays_so_until_the_write_that_read_it_is_over() {
    each(|db| {
        let identity = identity();
        for (n, what) in ["roles", "block", "session"].into_iter().enumerate() {
            let email = format!("ada{n}@b.example");
            let id = active(&identity, db, &email, &["Employee"]);
            let token = signed_in(&identity, db, &email);
            let (over, (tell, told)) = (std::sync::atomic::AtomicBool::new(false), std::sync::mpsc::channel());
            let take = || match what {
                "roles" => {
                    let version = db.read(|conn| find(conn, id)).unwrap().unwrap().version;
                    db.write(|conn| identity.replace_roles(conn, &actor(), id, version, &names(&[]), &names(&[]))).unwrap();
                }
                "block" => db.write(|conn| identity.block(conn, &actor(), id, &names(&[]))).unwrap(),
                _ => assert_eq!(db.write(|conn| identity.end_sessions(conn, &actor(), id, None)).unwrap(), 1),
            };
            std::thread::scope(|scope| {
                let mut taking = None;
                let roles = db.write(|conn| {
                    let user = identity.prove_session(conn, token.expose())?.map(|session| session.user);
                    taking.get_or_insert_with(|| {
                        let (tell, take, over) = (tell.clone(), &take, &over);
                        scope.spawn(move || {
                            take();
                            let _ = tell.send(over.load(std::sync::atomic::Ordering::SeqCst));
                        })
                    });
                    let early = told.recv_timeout(Duration::from_millis(400));
                    assert!(early.is_err(), "{what}: taken while a write relied on it");
                    over.store(true, std::sync::atomic::Ordering::SeqCst);
                    Ok::<_, DbError>(user.map(|user| user.user_roles().clone()))
                });
                assert_eq!(roles.unwrap(), Some(names(&["Employee"])), "{what}");
                assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(true), "{what}");
            });
            // What is proved from now on is the new state.
            let now = db.write(|conn| identity.prove_session(conn, token.expose())).unwrap();
            assert!(now.is_none_or(|session| session.user.user_roles().is_empty()), "{what}");
        }
    });
}
