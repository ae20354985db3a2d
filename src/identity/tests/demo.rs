use super::*;
use crate::db::testing::each;

fn mode() -> DemoMode {
    DemoMode::on("127.0.0.1:8080".parse().unwrap()).unwrap()
}
fn user(key: &str, roles: &[&str]) -> DemoUser {
    DemoUser { key: key.into(), name: format!("Demo {key}"), email: format!("{key}@people.example"), roles: names(roles) }
}

#[test]
fn demo_mode_is_for_this_machine_only() {
    for far in ["0.0.0.0:8080", "192.0.2.1:80", "[::]:8080", "[2001:db8::1]:80"] {
        assert!(DemoMode::on(far.parse().unwrap()).is_none(), "{far}");
    }
    for near in ["127.0.0.1:8080", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        assert!(DemoMode::on(near.parse().unwrap()).is_some(), "{near}");
    }
}

#[test]
fn demo_users_sign_in_by_button_or_by_the_password_of_this_run() {
    each(|db| {
        let identity = identity();
        let users = [user("emma", &["Employee"]), user("otto", &["Auditor"])];
        let first = db.write(|conn| identity.ensure_demo_users(conn, mode(), &users)).unwrap();
        let second = db.write(|conn| identity.ensure_demo_users(conn, mode(), &users)).unwrap();
        let password = |run: &DemoUsers, key: &str| run.iter().find(|one| one.user.key == key).unwrap().password.clone();
        assert_ne!(password(&first, "emma"), password(&second, "emma"));
        assert!(try_sign_in(&identity, db, "emma@people.example", &password(&first, "emma"), home()).is_err());
        assert!(try_sign_in(&identity, db, "emma@people.example", &password(&second, "emma"), home()).is_ok());
        let proof = db.write(|conn| identity.sign_in_demo(conn, &second, "otto", None)).unwrap();
        let token = identity.begin_session(db, proof, Device { address: home(), agent: "", replaces: None }).unwrap();
        assert_eq!(*load(&identity, db, &token).unwrap().user.user_roles(), names(&["Auditor"]));
        assert!(db.write(|conn| identity.sign_in_demo(conn, &second, "nobody", None)).is_err());
    });
}

#[test]
fn demo_users_end_with_demo_mode() {
    each(|db| {
        let identity = identity();
        let users = db.write(|conn| identity.ensure_demo_users(conn, mode(), &[user("emma", &["Administrator"])])).unwrap();
        let password = users.iter().next().unwrap().password.clone();
        let proof = db.write(|conn| identity.sign_in_demo(conn, &users, "emma", None)).unwrap();
        let token = identity.begin_session(db, proof, Device { address: home(), agent: "", replaces: None }).unwrap();
        assert_eq!(db.write(|conn| identity.purge_demo_users(conn)).unwrap(), 1);
        assert!(load(&identity, db, &token).is_none());
        assert!(try_sign_in(&identity, db, "emma@people.example", &password, home()).is_err());
        assert!(db.write(|conn| identity.sign_in_demo(conn, &users, "emma", None)).is_err());
        assert_eq!(db.write(|conn| identity.purge_demo_users(conn)).unwrap(), 0);
        let admin = names(&["Administrator"]);
        assert!(db.write(|conn| identity.bootstrap_link(conn, &admin)).unwrap().is_some(), "a demo administrator does not count");
    });
}

#[test]
fn a_demo_user_that_the_model_no_longer_names_is_closed() {
    each(|db| {
        let identity = identity();
        let before = db.write(|conn| identity.ensure_demo_users(conn, mode(), &[user("emma", &[]), user("otto", &[])])).unwrap();
        db.write(|conn| identity.ensure_demo_users(conn, mode(), &[user("otto", &[])])).unwrap();
        assert!(db.write(|conn| identity.sign_in_demo(conn, &before, "emma", None)).is_err());
        assert!(db.write(|conn| identity.sign_in_demo(conn, &before, "otto", None)).is_ok());
    });
}

#[test]
fn a_demo_user_never_takes_over_a_real_account() {
    each(|db| {
        let identity = identity();
        active(&identity, db, "emma@people.example", &["Employee"]);
        let made = db.write(|conn| identity.ensure_demo_users(conn, mode(), &[user("emma", &["Administrator"])]));
        assert!(matches!(made, Err(DemoError::Taken(_))));
        let id = try_sign_in(&identity, db, "emma@people.example", GOOD, home()).unwrap().account();
        assert_eq!(db.read(|conn| roles(conn, id)).unwrap(), names(&["Employee"]));
    });
}
