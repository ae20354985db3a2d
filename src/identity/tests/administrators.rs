//! Somebody who can sign in stays an administrator.

use super::*;
use crate::db::testing::each;
use std::sync::Barrier;

fn admins() -> BTreeSet<Name> {
    names(&["Administrator", "Owner"])
}

fn able(db: &Db) -> usize {
    db.read(|conn| able_holders(conn, &admins(), false)).unwrap()
}

fn version(db: &Db, id: AccountId) -> i64 {
    db.read(|conn| find(conn, id)).unwrap().unwrap().version
}

fn take_roles(identity: &Identity, db: &Db, id: AccountId, left: &[&str]) -> Result<(), AccountError> {
    let version = version(db, id);
    db.write(|conn| identity.replace_roles(conn, &actor(), id, version, &names(left), &admins()))
}

fn block(identity: &Identity, db: &Db, id: AccountId) -> Result<(), AccountError> {
    db.write(|conn| identity.block(conn, &actor(), id, &admins()))
}

fn is_last<T: std::fmt::Debug>(done: &Result<T, AccountError>) -> bool {
    matches!(done, Err(AccountError::LastAdministrator))
}

#[test]
fn the_last_administrator_keeps_the_role_and_is_not_blocked() {
    each(|db| {
        let identity = identity();
        let ada = active(&identity, db, "ada@b.example", &["Administrator", "Employee"]);
        active(&identity, db, "eve@b.example", &["Employee"]);
        assert!(is_last(&take_roles(&identity, db, ada, &["Employee"])));
        assert!(is_last(&block(&identity, db, ada)));
        let kept = db.read(|conn| roles(conn, ada)).unwrap();
        assert_eq!((kept, able(db)), (names(&["Administrator", "Employee"]), 1));
        // Another role of an administrator is as good, and what has nothing to do with it may change.
        take_roles(&identity, db, ada, &["Owner"]).unwrap();
        take_roles(&identity, db, ada, &["Owner", "Employee"]).unwrap();
        let bea = active(&identity, db, "bea@b.example", &["Administrator"]);
        block(&identity, db, ada).unwrap();
        assert!(is_last(&block(&identity, db, bea)));
        assert_eq!(able(db), 1);
    });
}

#[test]
fn administrators_who_cannot_sign_in_do_not_count() {
    each(|db| {
        let identity = identity();
        let ada = active(&identity, db, "ada@b.example", &["Administrator"]);
        let blocked = active(&identity, db, "bea@b.example", &["Administrator"]);
        block(&identity, db, blocked).unwrap();
        let (email, roles) = ("ivo@b.example", names(&["Administrator"]));
        let new = NewAccount { email, name: "Ivo Invited", roles: &roles };
        db.write(|conn| identity.create_account(conn, &actor(), &new, None)).unwrap();
        let without_password = active(&identity, db, "pat@b.example", &["Administrator"]);
        let sql = format!("UPDATE account SET password_hash = NULL WHERE id = {without_password}");
        db.owner(|conn| conn.batch(&sql)).unwrap();
        assert_eq!(able(db), 1);
        assert!(is_last(&block(&identity, db, ada)) && is_last(&take_roles(&identity, db, ada, &[])));
        // Those who do not count may be changed freely.
        take_roles(&identity, db, blocked, &[]).unwrap();
        block(&identity, db, without_password).unwrap();
        assert_eq!(able(db), 1);
    });
}

#[test]
fn of_two_administrators_who_remove_each_other_one_is_left() {
    each(|db| {
        let identity = identity();
        for round in 0..6 {
            let both = [
                active(&identity, db, &format!("ada{round}@b.example"), &["Administrator"]),
                active(&identity, db, &format!("bea{round}@b.example"), &["Administrator"]),
            ];
            let together = Barrier::new(2);
            let done: Vec<_> = std::thread::scope(|scope| {
                let removes = |(at, id): (usize, AccountId)| {
                    let (identity, together) = (&identity, &together);
                    scope.spawn(move || {
                        together.wait();
                        // Taking the role and closing the account are the same loss.
                        if (at + round) % 3 == 0 { block(identity, db, id) } else { take_roles(identity, db, id, &["Employee"]) }
                    })
                };
                let all: Vec<_> = both.into_iter().enumerate().map(removes).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(able(db), 1, "{done:?}");
            assert_eq!(done.iter().filter(|one| is_last(*one)).count(), 1, "{done:?}");
            // The next round has its own two.
            db.owner(|conn| conn.batch("UPDATE account SET state = 'blocked'")).unwrap();
        }
    });
}

#[test]
fn while_no_administrator_can_sign_in_a_link_makes_one() {
    each(|db| {
        let identity = identity();
        let ada = active(&identity, db, "ada@b.example", &["Administrator"]);
        let link = || db.read(|conn| identity.bootstrap_link(conn, &admins())).unwrap();
        assert!(link().is_none());
        for lost in [
            format!("UPDATE account SET state = 'blocked' WHERE id = {ada}"),
            format!("UPDATE account SET state = 'invited' WHERE id = {ada}"),
            format!("UPDATE account SET password_hash = NULL WHERE id = {ada}"),
            format!("DELETE FROM account_role WHERE account_id = {ada}"),
        ] {
            db.owner(|conn| conn.batch(&lost)).unwrap();
            let token = link().unwrap_or_else(|| panic!("no link after {lost}"));
            assert!(db.read(|conn| identity.check_bootstrap(conn, &token, &admins())).is_ok());
            let back = "UPDATE account SET state = 'active', password_hash = 'x'";
            db.owner(|conn| conn.batch(back)).unwrap();
            let sql = format!(
                "INSERT INTO account_role (account_id, user_role, granted_at) VALUES ({ada}, 'Owner', '2026-01-01 00:00:00.000') \
                 ON CONFLICT DO NOTHING"
            );
            db.owner(|conn| conn.batch(&sql)).unwrap();
            assert!(link().is_none(), "{lost}");
            let stale = db.read(|conn| identity.check_bootstrap(conn, &token, &admins()));
            assert!(matches!(stale, Err(LinkError::Withdrawn)), "a link dies when somebody can sign in");
        }
        db.owner(|conn| conn.batch("UPDATE account SET state = 'blocked'")).unwrap();
        let token = link().unwrap();
        assert!(matches!(
            db.read(|conn| identity.check_bootstrap(conn, &token, &names(&["Employee"]))),
            Err(LinkError::Withdrawn)
        ));
        let chosen = chosen(&identity, GOOD);
        let founder = Founder { email: "new@b.example", name: "New Person", chosen: &chosen };
        let id = db.write(|conn| identity.complete_bootstrap(conn, &actor(), &token, founder, &admins())).unwrap();
        assert_eq!((able(db), db.read(|conn| roles(conn, id)).unwrap()), (1, names(&["Administrator"])));
        assert!(link().is_none());
    });
}
