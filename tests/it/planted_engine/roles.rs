//! Giving somebody roles together that nobody held together before: the database is told of them first, or nobody
//! is given them.

use super::desk;
use crate::support::actor::Actor;
use crate::support::server::cluster::{self, Cluster};
use crate::support::server::{Kind, Server, Setup};
use portcullis::config::Level;
use portcullis::db::sql::{Params, Sql, fetch};
use portcullis::db::{Conn, DbError, Dialect};
use portcullis::domain::{self, Value};
use portcullis::identity::{self, Account};
use portcullis::log::Logs;
use portcullis::store;
use std::sync::Barrier;

/// What both roles together are called.
const BOTH: &str = "user|Clerk+Head";

fn account(server: &Server, key: &str) -> Account {
    let find = |conn: &mut Conn| identity::find_by_email(conn, &format!("{key}@desk.example"));
    server.web().app.db.read(find).unwrap().unwrap()
}

fn held(server: &Server, key: &str) -> Vec<String> {
    let id = account(server, key).id;
    let roles = server.web().app.db.read(|conn| identity::roles(conn, id)).unwrap();
    roles.iter().map(ToString::to_string).collect()
}

/// Whether the set of both roles together is prepared. On SQLite nothing has to be stored for that, and nothing is.
fn is_told(server: &Server) -> bool {
    let mut sql = Sql::new();
    sql.raw("SELECT count(*) FROM engine_set WHERE rights = ");
    sql.bind(&Value::text(BOTH), &domain::Kind::Text);
    let now = server.clock.now();
    let params = Params::new(None, now, now.date());
    let ask = |conn: &mut Conn| fetch(conn, &sql, &params, &[domain::Kind::INTEGER]);
    let stored = server.web().app.db.read(ask).unwrap()[0][0] == Value::Integer(1);
    match server.web().app.db.dialect() {
        Dialect::Postgres => stored,
        Dialect::Sqlite => {
            assert!(!stored);
            true
        }
    }
}

/// Gives somebody both roles, as the form does.
fn give(server: &Server, boss: &Actor, key: &str) -> (u16, String) {
    give_all(server, boss, key, &["Clerk", "Head"])
}

fn give_all(server: &Server, boss: &Actor, key: &str, roles: &[&str]) -> (u16, String) {
    let somebody = account(server, key);
    let page = boss.open(&format!("/admin/users/{}", somebody.id));
    let csrf = page.hidden("_csrf").unwrap().to_owned();
    let version = somebody.version.to_string();
    let mut fields = vec![("_csrf", csrf.as_str()), ("version", &version)];
    fields.extend(roles.iter().map(|role| ("role", *role)));
    let answer = boss.post(&format!("/admin/users/{}/roles", somebody.id), &fields);
    (answer.status, answer.body)
}

fn critical(logs: &Logs) -> usize {
    logs.recent(&Default::default()).iter().filter(|entry| entry.level == Level::Critical).count()
}

#[test]
fn roles_that_nobody_held_together_are_told_to_the_database_before_they_are_given() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some((_folder, server)) = desk(kind) else { return };
        let boss = server.sign_in("boss");
        assert_eq!(is_told(&server), server.web().app.db.dialect() == Dialect::Sqlite);
        assert_eq!(give(&server, &boss, "clerk").0, 303);
        assert!(is_told(&server) && held(&server, "clerk") == ["Clerk", "Head"]);
        assert_eq!(server.sign_in("clerk").open("/p/d.Letters").status, 200, "and they work at once");
        assert_eq!(give(&server, &boss, "colin").0, 303, "the next one finds it done");
        assert_eq!(critical(&server.logs), 0, "{:?}", server.log());
    }
}

/// Notes of so many sets as there may be.
const MANY: &str = "INSERT INTO engine_set (set_id, rights, digest, made, at) \
    SELECT 'many' || n, 'many ' || n, '', '{}', now() FROM generate_series(1, 2000) AS n";

#[test]
fn when_the_database_cannot_be_told_nobody_is_given_the_roles_and_the_form_says_so() {
    let Some((_folder, server)) = desk(Kind::Postgres) else { return };
    let (boss, app) = (server.sign_in("boss"), &server.web().app);
    // As many sets as there may be.
    app.db.owner(|conn| conn.batch(MANY)).unwrap();
    let before = account(&server, "clerk");
    let (status, body) = give(&server, &boss, "clerk");
    assert_eq!(status, 422, "{body}");
    assert!(body.contains("so nothing was changed"), "{body}");
    assert_eq!(held(&server, "clerk"), ["Clerk"]);
    assert_eq!(account(&server, "clerk").version, before.version, "nothing half done");
    assert!(!is_told(&server) && critical(&server.logs) > 0);
    let sent = [("email", "new@desk.example"), ("name", "New"), ("role", "Clerk"), ("role", "Head")];
    let csrf = boss.open("/admin/users").hidden("_csrf").unwrap().to_owned();
    let fields: Vec<(&str, &str)> = sent.into_iter().chain([("_csrf", csrf.as_str())]).collect();
    let invited = boss.post("/admin/users/invite", &fields);
    assert!(invited.status == 422 && invited.body.contains("so nothing was changed"), "{}", invited.body);
    let known = app.db.read(|conn| identity::find_by_email(conn, "new@desk.example")).unwrap();
    assert!(known.is_none() && server.mail_to("new@desk.example").is_none());
    app.db.owner(|conn| conn.batch("DELETE FROM engine_set WHERE rights LIKE 'many%'")).unwrap();
    assert_eq!(give(&server, &boss, "clerk").0, 303, "once it is out of the way they are given");
}

#[test]
fn when_the_owner_cannot_be_reached_nobody_is_given_the_roles() {
    let Some(cluster) = cluster::available(Cluster::start()) else { return };
    let folder = super::app();
    let server = Setup::of(folder.path()).over_database(cluster.served_database());
    let boss = server.sign_in("boss");
    // What a page needs is made when it is first used.
    assert_eq!(server.sign_in("clerk").open("/p/d.Letters").status, 200);
    cluster.sql("postgres", "ALTER ROLE owner NOLOGIN").unwrap();
    let (status, body) = give(&server, &boss, "clerk");
    assert!(status == 422 && body.contains("so nothing was changed"), "{status} {body}");
    assert_eq!(held(&server, "clerk"), ["Clerk"]);
    assert_eq!(server.sign_in("clerk").open("/p/d.Letters").status, 200, "everybody else works on");
    cluster.sql("postgres", "ALTER ROLE owner LOGIN").unwrap();
    assert_eq!(give(&server, &boss, "clerk").0, 303);
    server.stop();
}

#[test]
fn a_server_without_an_owner_gives_only_roles_that_the_database_was_told_of() {
    let Some((folder, server)) = desk(Kind::Postgres) else { return };
    let second = Setup::of(folder.path()).with(|settings| settings.database_owner = None).beside(&server, "two").unwrap();
    let boss = second.sign_in("boss");
    let (status, body) = give(&second, &boss, "clerk");
    assert!(status == 422 && body.contains("database_owner"), "{status} {body}");
    assert_eq!(held(&second, "clerk"), ["Clerk"]);
    assert_eq!(give(&server, &server.sign_in("boss"), "colin").0, 303, "the node with an owner does it");
    assert_eq!(give(&second, &boss, "clerk").0, 303, "and then the other may too");
}

/// What the database was not told of is shut, which is no reason to leave somebody what is taken from them.
#[test]
fn a_role_is_taken_away_whatever_the_database_was_told_of() {
    let Some((folder, server)) = desk(Kind::Postgres) else { return };
    let second = Setup::of(folder.path()).with(|settings| settings.database_owner = None).beside(&server, "two").unwrap();
    let (here, there) = (server.sign_in("boss"), second.sign_in("boss"));
    assert_eq!(give_all(&server, &here, "clerk", &["Clerk", "Head", "Aide"]).0, 303);
    assert_eq!(give_all(&second, &there, "clerk", &["Clerk", "Head"]).0, 303, "nobody waits for the owner");
    assert_eq!(held(&second, "clerk"), ["Clerk", "Head"]);
    assert_eq!(second.sign_in("clerk").open("/p/d.Letters").status, 503, "shut where it cannot be prepared");
    assert_eq!(server.sign_in("clerk").open("/p/d.Letters").status, 200, "and prepared where it can");
    assert_eq!(second.sign_in("clerk").open("/p/d.Letters").status, 200);
}

#[test]
fn two_who_need_the_same_new_set_at_once_both_get_it() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some((_folder, server)) = desk(kind) else { return };
        let bosses = [server.sign_in("boss"), server.sign_in("boss")];
        let start = Barrier::new(2);
        let done: Vec<u16> = std::thread::scope(|scope| {
            let both = bosses.iter().zip(["clerk", "colin"]).map(|(boss, key)| {
                let (server, start) = (&server, &start);
                scope.spawn(move || {
                    start.wait();
                    give(server, boss, key).0
                })
            });
            both.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(done, [303, 303]);
        for key in ["clerk", "colin"] {
            assert_eq!(held(&server, key), ["Clerk", "Head"]);
        }
        let app = &server.web().app;
        let drift = app.db.read(|conn| Ok::<_, DbError>(store::drift(conn, app.clock.now()).unwrap())).unwrap();
        assert!(drift.is_empty(), "{drift:?}");
    }
}
