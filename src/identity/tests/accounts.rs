use super::*;
use crate::db::Dialect;
use crate::db::testing::each;

#[test]
fn accounts_are_searched_by_part_of_name_or_address_with_paging() {
    each(|db| {
        let identity = identity();
        let roles = names(&["Employee"]);
        for n in 0..25 {
            let (email, name) = (format!("p{n:02}_x@b.example"), format!("Person {n:02}"));
            db.write(|conn| {
                identity.create_account(conn, &actor(), &NewAccount { email: &email, name: &name, roles: &roles }, None)
            })
            .unwrap();
        }
        let find = |text: &str, state, limit, offset| {
            let filter = AccountFilter { text: text.into(), state };
            db.read(|conn| search(conn, &filter, limit, offset)).unwrap()
        };
        let page = find("", None, 10, 20);
        assert_eq!((page.accounts.len(), page.total, page.accounts[0].name.as_str()), (5, 25, "Person 20"));
        assert_eq!(find("PERSON 1", None, 50, 0).total, 10);
        assert_eq!(find("p03_X@B", None, 50, 0).total, 1);
        assert_eq!(find("%", None, 50, 0).total, 0, "a mark of LIKE is itself");
        assert_eq!(find("p0__x", None, 50, 0).total, 0);
        assert_eq!(find("\\", None, 50, 0).total, 0);
        assert_eq!(find("a\0b", None, 50, 0).total, 0);
        assert_eq!(find("", Some(AccountState::Active), 50, 0).total, 0);
        assert_eq!(find("", Some(AccountState::Invited), -5, -5).total, 25);
        let ids: Vec<_> = page.accounts.iter().map(|account| account.id).collect();
        assert_eq!(db.read(|conn| roles_of(conn, &ids)).unwrap().len(), 5);
    });
}

#[test]
fn an_address_belongs_to_one_account_whatever_its_case() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "Ada@B.example", &[]);
        let none = BTreeSet::new();
        let again = NewAccount { email: "ADA@b.EXAMPLE", name: "Other", roles: &none };
        assert!(matches!(
            db.write(|conn| identity.create_account(conn, &actor(), &again, None)),
            Err(AccountError::AlreadyKnown)
        ));
        for email in [
            "",
            "ada",
            "a@b\r\nBcc: x@y.example",
            "a b@c.example",
            "a@b.example,c@d.example",
            &format!("{}@b.example", "x".repeat(300)),
        ] {
            let new = NewAccount { email, name: "Other", roles: &none };
            assert!(
                matches!(db.write(|conn| identity.create_account(conn, &actor(), &new, None)), Err(AccountError::Email)),
                "{email:.40}"
            );
        }
        for name in ["", "  ", "a\nb", &"x".repeat(101)] {
            let new = NewAccount { email: "new@b.example", name, roles: &none };
            assert!(
                matches!(db.write(|conn| identity.create_account(conn, &actor(), &new, None)), Err(AccountError::Name)),
                "{name:.40}"
            );
        }
    });
}

#[test]
fn of_two_administrators_who_change_roles_at_once_one_is_told() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &["Employee"]);
        let version = db.read(|conn| find(conn, id)).unwrap().unwrap().version;
        let replace = |version, roles: &[&str]| {
            db.write(|conn| identity.replace_roles(conn, &actor(), id, version, &names(roles), &names(&[])))
        };
        replace(version, &["Employee", "Manager"]).unwrap();
        assert!(matches!(replace(version, &["Auditor"]), Err(AccountError::Stale)));
        assert_eq!(db.read(|conn| roles(conn, id)).unwrap(), names(&["Employee", "Manager"]));
        assert!(matches!(
            db.write(|conn| identity.replace_roles(conn, &actor(), AccountId(999), 1, &names(&[]), &names(&[]))),
            Err(AccountError::Unknown)
        ));
        let events = recorded(db, "user.role");
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].details[0].new.as_deref(), Some("Employee, Manager"));
    });
}

#[test]
fn blocking_ends_every_session_at_once_and_unblocking_brings_none_back() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let token = signed_in(&identity, db, "ada@b.example");
        db.write(|conn| identity.block(conn, &actor(), id, &names(&[]))).unwrap();
        assert!(load(&identity, db, &token).is_none());
        db.write(|conn| identity.unblock(conn, &actor(), id)).unwrap();
        assert!(load(&identity, db, &token).is_none());
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_ok());
        assert_eq!((recorded(db, "user.blocked").len(), recorded(db, "user.unblocked").len()), (1, 1));
    });
}

#[test]
fn renaming_needs_the_present_version() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        let rename = |version, name: &str| db.write(|conn| identity.rename(conn, &actor(), id, version, name));
        rename(1, "Ada King").unwrap();
        assert!(matches!(rename(1, "Somebody"), Err(AccountError::Stale)));
        assert!(matches!(rename(2, "\u{7}"), Err(AccountError::Name)));
        assert_eq!(db.read(|conn| find(conn, id)).unwrap().unwrap().name, "Ada King");
    });
}

#[test]
fn the_own_password_is_changed_with_the_present_one_and_other_sessions_end() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "ada@b.example", &[]);
        let (here, there) = (signed_in(&identity, db, "ada@b.example"), signed_in(&identity, db, "ada@b.example"));
        let user = load(&identity, db, &here).unwrap().user;
        let change = |present: &str, new: &str| {
            identity.change_password(db, &user, &Password::new(present), &Password::new(new), home(), None)
        };
        assert!(matches!(change(OTHER, OTHER), Err(ChangeError::WrongPassword)));
        assert!(matches!(change(GOOD, "short"), Err(ChangeError::Problems(_))));
        assert!(matches!(change(GOOD, "ada lovelace rules"), Err(ChangeError::Problems(_))));
        assert!(load(&identity, db, &there).is_some());
        change(GOOD, OTHER).unwrap();
        assert!(load(&identity, db, &here).is_some() && load(&identity, db, &there).is_none());
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_err());
        assert!(try_sign_in(&identity, db, "ada@b.example", OTHER, home()).is_ok());
        (0..10).for_each(|_| drop(change("wrong and wrong again", GOOD)));
        assert!(matches!(change(OTHER, GOOD), Err(ChangeError::Throttled { .. })));
    });
}

#[test]
fn a_deed_that_cannot_be_recorded_does_not_happen() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "ada@b.example", &[]);
        // The trail takes nothing any more.
        let full = match db.dialect() {
            Dialect::Sqlite => "CREATE TRIGGER full BEFORE INSERT ON audit_record BEGIN SELECT RAISE(ABORT, 'full'); END",
            Dialect::Postgres => {
                "CREATE TRIGGER full_up BEFORE INSERT ON audit_record FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()"
            }
        };
        db.owner(|conn| conn.batch(full)).unwrap();
        assert!(db.write(|conn| identity.block(conn, &actor(), id, &names(&[]))).is_err());
        assert_eq!(db.read(|conn| find(conn, id)).unwrap().unwrap().state, AccountState::Active);
        assert!(try_sign_in(&identity, db, "ada@b.example", GOOD, home()).is_err(), "nor does a sign-in");
    });
}

fn try_create(identity: &Identity, db: &Db, email: &str, name: &str) -> Result<AccountId, AccountError> {
    let none = BTreeSet::new();
    db.write(|conn| identity.create_account(conn, &actor(), &NewAccount { email, name, roles: &none }, None))
}

#[test]
fn an_address_is_one_account_however_its_letters_are_composed() {
    each(|db| {
        let identity = identity();
        let id = active(&identity, db, "rene\u{301}.STRASSE@b.example", &[]);
        for same in ["ren\u{e9}.strasse@b.example", "RENÉ.straße@B.EXAMPLE", " rene\u{301}.straẞe@b.example "] {
            assert_eq!(db.read(|conn| find_by_email(conn, same)).unwrap().unwrap().id, id, "{same}");
            assert!(try_sign_in(&identity, db, same, GOOD, home()).is_ok(), "{same}");
            assert!(matches!(try_create(&identity, db, same, "Other"), Err(AccountError::AlreadyKnown)), "{same}");
        }
        for other in ["rene.strasse@b.example", "ren\u{e9}.strase@b.example", "rеné.strasse@b.example"] {
            assert_eq!(db.read(|conn| find_by_email(conn, other)).unwrap(), None, "{other}");
        }
        assert_eq!(db.read(|conn| find(conn, id)).unwrap().unwrap().email, "rené.strasse@b.example");
    });
}

#[test]
fn names_and_addresses_hide_and_reorder_nothing() {
    each(|db| {
        let identity = identity();
        for c in
            ['\u{202e}', '\u{2066}', '\u{200f}', '\u{200b}', '\u{200d}', '\u{feff}', '\u{ad}', '\u{3164}', '\u{e0041}', '\u{85}']
        {
            let name = try_create(&identity, db, "ada@b.example", &format!("Ada{c} Lovelace"));
            assert!(matches!(name, Err(AccountError::Name)), "{c:?}");
            let email = try_create(&identity, db, &format!("ad{c}a@b.example"), "Ada");
            assert!(matches!(email, Err(AccountError::Email)), "{c:?}");
            let asked = Registration { email: "a@b.example".into(), name: format!("A{c}B"), data: serde_json::Value::Null };
            assert!(identity.registration_link(&asked, Duration::from_secs(60)).is_err(), "{c:?}");
        }
        assert!(matches!(try_create(&identity, db, "ada@b.example", &"e\u{301}".repeat(9_000_000)), Err(AccountError::Name)));
        for fine in ["محمد بن موسى", "Nguyễn Thị Minh Khai", "山田 太郎", "O’Brien-Smith"] {
            let id = try_create(&identity, db, &format!("p{}@b.example", fine.len()), fine).unwrap();
            assert_eq!(db.read(|conn| find(conn, id)).unwrap().unwrap().name, fine);
        }
        let id = try_create(&identity, db, "z@b.example", "Zoe\u{308}").unwrap();
        let account = db.read(|conn| find(conn, id)).unwrap().unwrap();
        assert_eq!(account.name, "Zo\u{eb}");
        let renamed = db.write(|conn| identity.rename(conn, &actor(), id, account.version, "Z\u{202e}oe"));
        assert!(matches!(renamed, Err(AccountError::Name)));
    });
}

#[test]
fn lookalikes_are_pointed_out_and_others_are_not() {
    each(|db| {
        let identity = identity();
        let paul = try_create(&identity, db, "paul@b.example", "Paul Smith").unwrap();
        let digit = try_create(&identity, db, "pau1@b.example", "Pat Jones").unwrap();
        let name = try_create(&identity, db, "other@b.example", "Pаul Smith").unwrap();
        let same = try_create(&identity, db, "third@b.example", "Paul Smith").unwrap();
        let plain = try_create(&identity, db, "quite@b.example", "Somebody Else").unwrap();
        let of = |id| {
            let account = db.read(|conn| find(conn, id)).unwrap().unwrap();
            db.read(|conn| doubts(conn, std::slice::from_ref(&account))).unwrap().remove(&id).unwrap_or_default()
        };
        assert_eq!(of(paul), [Doubt::Address("pau1@b.example".into()), Doubt::Name("other@b.example".into())]);
        assert_eq!(of(digit), [Doubt::Address("paul@b.example".into())]);
        assert!(of(name).contains(&Doubt::Scripts) && of(name).contains(&Doubt::Name("paul@b.example".into())));
        assert_eq!(of(same), [Doubt::Name("other@b.example".into())], "two people may have one name");
        assert_eq!(of(plain), []);
        let version = db.read(|conn| find(conn, plain)).unwrap().unwrap().version;
        db.write(|conn| identity.rename(conn, &actor(), plain, version, "Pau1 Smith")).unwrap();
        assert!(of(plain).contains(&Doubt::Name("paul@b.example".into())), "a new name is looked at as well");
    });
}

#[test]
fn accounts_from_before_keep_their_owners() {
    each(|db| {
        let identity = identity();
        let one = active(&identity, db, "ren\u{e9}@b.example", &[]);
        let other = active(&identity, db, "someone@b.example", &[]);
        let old = "UPDATE account SET email_key = NULL, email_look = NULL, name_look = NULL";
        let apart = format!("UPDATE account SET email = 'rene\u{301}@b.example' WHERE id = {other}");
        db.write(|conn| conn.batch(old).and_then(|()| conn.batch(&apart))).unwrap();
        let found = |typed: &str| db.read(|conn| find_by_email(conn, typed)).unwrap().map(|account| account.id);
        assert_eq!(found("ren\u{e9}@b.example"), Some(one), "also before anything is computed");
        for _ in 0..2 {
            db.migrate().unwrap();
            assert_eq!(found("ren\u{e9}@b.example"), Some(one));
            assert_eq!(found("RENE\u{301}@b.example"), Some(other), "each keeps its own spelling");
            assert_eq!(found("REN\u{c9}@b.example"), Some(one));
        }
        assert!(matches!(try_create(&identity, db, "ren\u{e9}@b.example", "Third"), Err(AccountError::AlreadyKnown)));
        assert!(matches!(try_create(&identity, db, "rene\u{301}@b.example", "Third"), Err(AccountError::AlreadyKnown)));
        for email in ["ren\u{e9}@b.example", "rene\u{301}@b.example"] {
            assert!(try_sign_in(&identity, db, email, GOOD, home()).is_ok(), "{email:?}");
        }
    });
}
