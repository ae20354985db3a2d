use super::*;
use crate::db::testing::each;

fn is_wrong(result: &Result<PasswordVerified, SignInError>) -> bool {
    matches!(result, Err(SignInError::WrongCredentials))
}
fn is_throttled(result: &Result<PasswordVerified, SignInError>) -> bool {
    matches!(result, Err(SignInError::Throttled { .. }))
}

#[test]
fn the_right_password_signs_in_and_is_recorded() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "Ada@B.example", &["Employee"]);
        assert_eq!(try_sign_in(&identity, db, " ADA@b.example ", GOOD, home()).unwrap().account(), id);
        let events = recorded(db, "sign-in.ok");
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].request_id.as_deref(), Some("r-1"));
    });
}

#[test]
fn wrong_unknown_blocked_and_invited_get_the_same_answer_and_are_recorded() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let blocked = active(&identity, db, "blocked@b.example", &[]);
        db.write(|conn| identity.block(conn, &actor(), blocked, &names(&[]))).unwrap();
        let none = BTreeSet::new();
        let invited = NewAccount { email: "invited@b.example", name: "Ivy", roles: &none };
        db.write(|conn| identity.invite(conn, &actor(), &invited)).unwrap();
        let huge = "x".repeat(1_000_000);
        let tries = [
            ("ada@b.example", OTHER),
            ("ada@b.example", "Correct horse battery"),
            ("ada@b.example", ""),
            ("ada@b.example", &huge),
            ("nobody@b.example", GOOD),
            ("nobody@b.example", "this is nobody's password"),
            ("blocked@b.example", GOOD),
            ("invited@b.example", GOOD),
            ("invited@b.example", ""),
            ("' OR 1=1 --", GOOD),
            ("", GOOD),
            (&huge, GOOD),
            ("a\0@b.example", "\0"),
        ];
        for (email, password) in tries {
            assert!(is_wrong(&try_sign_in(&identity, db, email, password, home())), "{email:.40} {password:.40}");
        }
        let failed = recorded(db, "sign-in.failed");
        assert_eq!(failed.len(), tries.len());
        assert!(!format!("{failed:?}").contains("nobody@"), "what was typed is not recorded");
        assert!(recorded(db, "sign-in.ok").is_empty());
    });
}

#[test]
fn of_two_hundred_parallel_guesses_only_ten_are_compared() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let results: Vec<_> = std::thread::scope(|scope| {
            let guess =
                |n: u8| try_sign_in(&identity, db, "ada@b.example", &format!("{OTHER} {n}"), address(&format!("198.51.100.{n}")));
            let guesses: Vec<_> = (0..200_u8).map(|n| scope.spawn(move || guess(n))).collect();
            guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
        });
        let wrong = results.iter().filter(|result| is_wrong(result)).count();
        let throttled = results.iter().filter(|result| is_throttled(result)).count();
        let busy = results.iter().filter(|result| matches!(result, Err(SignInError::Db(error)) if error.is_passing())).count();
        assert!(wrong <= 10, "{wrong} were compared");
        assert_eq!(wrong + throttled + busy, 200, "{results:?}");
        assert!(recorded(db, "sign-in.failed").len() <= 10);
        assert!(
            is_throttled(&try_sign_in(&identity, db, "ada@b.example", GOOD, address("203.0.113.9"))),
            "the right one comes too late"
        );
    });
}

#[test]
fn the_window_ends_and_the_wait_is_told() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        (0..10).for_each(|_| assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", OTHER, home()))));
        identity.clock.advance(Duration::from_secs(60));
        match try_sign_in(&identity, db, "ada@b.example", GOOD, home()) {
            Err(SignInError::Throttled { retry_after }) => assert_eq!(retry_after, Duration::from_secs(14 * 60)),
            other => panic!("{other:?}"),
        }
        identity.clock.advance(Duration::from_secs(14 * 60));
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_ok());
        let throttled = recorded(db, "sign-in.throttled");
        assert_eq!(throttled.len(), 1);
    });
}

#[test]
fn a_flood_of_refused_guesses_is_not_a_flood_of_records() {
    each(|db| {
        let identity = identity();
        (0..10 + 25).for_each(|_| drop(try_sign_in(&identity, db, "nobody@b.example", OTHER, home())));
        let refusals: Vec<_> = recorded(db, "sign-in.throttled").iter().map(|r| r.details[0].new.clone().unwrap()).collect();
        assert_eq!(refusals.len(), 2, "the first and the tenth: {refusals:?}");
    });
}

#[test]
fn one_network_cannot_try_many_accounts() {
    each(|db| {
        let identity = identity();
        let guess = |n: u32, from: &str| try_sign_in(&identity, db, &format!("{n}@b.example"), OTHER, address(from));
        assert!((0..50).all(|n| is_wrong(&guess(n, &format!("2001:db8::{n:x}")))));
        assert!(is_throttled(&guess(51, "2001:db8::ffff:1")), "the whole /64 is one network");
        assert!(is_wrong(&guess(52, "2001:db8:0:1::1")), "another network is not concerned");
    });
}

#[test]
fn strangers_cannot_lock_the_owner_out_of_a_familiar_network() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        signed_in(&identity, db, "ada@b.example");
        (0..20).for_each(|_| drop(try_sign_in(&identity, db, "ada@b.example", OTHER, address("203.0.113.9"))));
        assert!(is_throttled(&try_sign_in(&identity, db, "ada@b.example", GOOD, address("203.0.113.9"))));
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_ok());
        (0..10).for_each(|_| assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", OTHER, home()))));
        assert!(
            is_throttled(&try_sign_in(&identity, db, "ada@b.example", GOOD, home())),
            "a familiar network is limited as well"
        );
    });
}

#[test]
fn made_up_names_do_not_lock_out_the_people_of_a_network() {
    each(|db| {
        let identity = identity();
        for email in ["ada@b.example", "eve@b.example"] {
            active(&identity, db, email, &[]);
        }
        signed_in(&identity, db, "ada@b.example");
        let made_up = |n: u32| try_sign_in(&identity, db, &format!("made-up-{n}@b.example"), OTHER, home());
        assert_eq!((0..80).filter(|n| is_wrong(&made_up(*n))).count(), 50, "the work that a network can cause is bounded");
        assert!(is_throttled(&try_sign_in(&identity, db, "eve@b.example", GOOD, home())), "who was never seen there waits");
        assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", OTHER, home())));
        assert!(try_sign_in(&identity, db, "ADA@b.example", GOOD, home()).is_ok(), "who was, does not");
        let guesses = (0..30).filter(|_| is_wrong(&try_sign_in(&identity, db, "ada@b.example", OTHER, home()))).count();
        assert_eq!(guesses, 10, "their own bucket is limited as ever");
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, address("203.0.113.9")).is_ok(), "and is nobody else's");
    });
}

#[test]
fn a_familiar_ipv6_network_is_familiar_under_another_address_of_it() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let proof = try_sign_in(&identity, db, "ada@b.example", GOOD, address("2001:db8:1:2::1")).unwrap();
        let device = Device { address: address("2001:db8:1:2::1"), agent: "", replaces: None };
        identity.begin_session(db, proof, device).unwrap();
        (0..20).for_each(|_| drop(try_sign_in(&identity, db, "ada@b.example", OTHER, address("203.0.113.9"))));
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, address("2001:db8:1:2:a:b:c:d")).is_ok());
        assert!(is_throttled(&try_sign_in(&identity, db, "ada@b.example", GOOD, address("2001:db8:1:3::1"))));
    });
}

#[test]
fn the_window_slides_so_its_edge_admits_no_second_round() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let guess = || try_sign_in(&identity, db, "ada@b.example", OTHER, home());
        assert!(is_wrong(&guess()));
        identity.clock.advance(Duration::from_millis(14 * 60_000 + 59_500));
        assert!((0..9).all(|_| is_wrong(&guess())));
        match guess() {
            Err(SignInError::Throttled { retry_after }) => assert_eq!(retry_after, Duration::from_millis(500), "exactly"),
            other => panic!("{other:?}"),
        }
        identity.clock.advance(Duration::from_millis(499));
        assert!(is_throttled(&guess()));
        identity.clock.advance(Duration::from_millis(1));
        assert_eq!((0..10).filter(|_| is_wrong(&guess())).count(), 1, "one became old enough, not ten");
    });
}

#[test]
fn refused_attempts_do_not_prolong_the_wait() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let guess = |password| try_sign_in(&identity, db, "ada@b.example", password, home());
        assert!((0..10).all(|_| is_wrong(&guess(OTHER))));
        for _ in 0..15 {
            identity.clock.advance(Duration::from_secs(59));
            assert!(is_throttled(&guess(OTHER)));
        }
        identity.clock.advance(Duration::from_secs(15));
        assert!(guess(GOOD).is_ok());
    });
}

#[test]
fn a_hash_that_cannot_be_used_looks_like_a_wrong_password() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        for hash in ["$argon2id$v=19$m=6900000,t=4294967295,p=1$c2FsdHNhbHQ$ERERERERERERERERERERERERERE", "", "plain"] {
            let sql = format!("UPDATE account SET password_hash = '{hash}' WHERE id = {id}");
            db.write(|conn| conn.batch(&sql)).unwrap();
            assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", GOOD, home())), "{hash}");
            assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", "", home())), "{hash}");
        }
        let incidents = recorded(db, "incident");
        assert_eq!(incidents.len(), 6);
        let object = format!("system.User#{id}");
        assert!(incidents.iter().all(|one| one.object.as_deref() == Some(object.as_str()) && one.severity.id() == "critical"));
        assert!(!format!("{incidents:?}").contains("argon2id"), "what is stored is not recorded");
        assert!(recorded(db, "sign-in.failed").is_empty());
        active(&identity, db, "eve@b.example", &[]);
        assert!(try_sign_in(&identity, db, "eve@b.example", GOOD, home()).is_ok(), "nobody else is concerned");
    });
}

#[test]
fn a_password_kept_as_it_was_typed_opens_and_is_kept_composed_from_then_on() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let typed = "cafe\u{301} au lait 99";
        let composed = "caf\u{e9} au lait 99";
        let salt = argon2::password_hash::phc::Salt::new(b"0123456789abcdef").unwrap();
        let old = argon2::password_hash::PasswordHasher::hash_password_with_salt(
            &argon2::Argon2::new(
                argon2::Algorithm::Argon2id,
                argon2::Version::V0x13,
                argon2::Params::new(64, 1, 1, None).unwrap(),
            ),
            typed.as_bytes(),
            &salt,
        );
        let sql = format!("UPDATE account SET password_hash = '{}' WHERE id = {id}", old.unwrap());
        db.write(|conn| conn.batch(&sql)).unwrap();
        assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", composed, home())));
        assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", "cafe au lait 99", home())));
        assert!(try_sign_in(&identity, db, "ada@b.example", typed, home()).is_ok());
        assert!(try_sign_in(&identity, db, "ada@b.example", composed, home()).is_ok(), "another keyboard opens it now");
        assert!(try_sign_in(&identity, db, "ada@b.example", typed, home()).is_ok());
    });
}

#[test]
fn good_sign_ins_use_nothing_up() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        (0..9).for_each(|_| assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", OTHER, home()))));
        (0..60).for_each(|_| assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_ok()));
    });
}

#[test]
fn a_hash_of_another_cost_is_renewed_at_sign_in() {
    each(|db| {
        let keys = Keys::ephemeral();
        let old = identity_with(keys.clone(), |_| ());
        let id = active(&old, db, "ada@b.example", &[]);
        let costly = identity_with(keys, |settings| settings.hash.memory_kib = 128);
        let hash = || db.read(|conn| account::password_hash(conn, id)).unwrap().unwrap();
        assert!(hash().contains("m=64,"));
        assert!(is_wrong(&try_sign_in(&costly, db, "ada@b.example", OTHER, home())));
        assert!(hash().contains("m=64,"), "a wrong password renews nothing");
        assert!(try_sign_in(&costly, db, "ada@b.example", GOOD, home()).is_ok());
        assert!(hash().contains("m=128,"));
        assert!(try_sign_in(&costly, db, "ada@b.example", GOOD, home()).is_ok());
    });
}

#[test]
fn a_busy_server_says_so_and_counts_nothing() {
    each(|db| {
        let identity = identity_with(Keys::ephemeral(), |settings| {
            settings.hashes_at_once = 1;
            settings.hashes_waiting = 0;
        });
        active(&identity, db, "ada@b.example", &[]);
        let held = identity.hasher.hold().unwrap();
        for _ in 0..15 {
            assert!(matches!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()), Err(SignInError::Busy)));
        }
        drop(held);
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_ok());
    });
}

#[test]
fn a_closed_database_is_told_and_signs_nobody_in() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        db.close();
        assert!(
            matches!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()), Err(SignInError::Db(error)) if error.is_passing())
        );
        db.reopen().unwrap();
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_ok());
    });
}

#[test]
fn the_operators_settings_take_effect() {
    use crate::config::{Overrides, Settings};
    let mut given = Settings::load(&Overrides::default()).unwrap();
    given.argon2.memory = 64;
    given.argon2.iterations = 1;
    given.throttle.account_failures = 2;
    let settings = IdentitySettings::configured(&given, "People");
    assert_eq!((settings.session_idle, settings.session_absolute), (given.session.idle, given.session.absolute));
    each(|db| {
        let identity = Identity::new(Keys::ephemeral(), Clock::system(), "test", settings.clone()).unwrap();
        active(&identity, db, "ada@b.example", &[]);
        (0..2).for_each(|_| assert!(is_wrong(&try_sign_in(&identity, db, "ada@b.example", OTHER, home()))));
        assert!(is_throttled(&try_sign_in(&identity, db, "ada@b.example", GOOD, home())));
    });
}

#[test]
fn unknown_accounts_cost_as_many_statements_as_known_ones() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let cost = |email: &str| {
            let before = db.statements();
            assert!(is_wrong(&try_sign_in(&identity, db, email, OTHER, home())));
            db.statements() - before
        };
        cost("ada@b.example");
        assert_eq!(cost("ada@b.example"), cost("nobody@b.example"));
    });
}
