//! The owner of the schema takes back or changes, one thing at a time, what was generated for a set of rights,
//! while the server runs: nobody is given what they may not read, and the agreement check records it.

mod roles;

use crate::support::actor::Page;
use crate::support::project;
use crate::support::server::{Kind, Server, Setup, written};
use portcullis::audit::{self, Filter, Record, Severity};
use portcullis::config::{MailTarget, Secret};
use portcullis::db::sql::{Params, Sql, fetch};
use portcullis::db::{Conn, DbError, set_id};
use portcullis::domain::{self, Value};
use portcullis::server::{Mode, StartError};
use portcullis::store;
use std::collections::BTreeSet;
use tempfile::TempDir;

/// What the clerk's rights are called.
const RIGHTS: &str = "user|Clerk";
/// Of a letter that no clerk reads, and of one whose pay no clerk reads.
const HIDDEN: [&str; 2] = ["harbour at dawn", "4711"];

const APP: &str = "\
app: desk
title: Desk
level: production
language: en
modules: [d]
userRoles:
  Clerk: {moduleRoles: [d.Clerk], doc: Reads letters}
  Head: {moduleRoles: [d.Head], doc: Reads titles}
  Boss: {moduleRoles: [d.Boss], mayAssign: [Clerk, Head], doc: Leads}
administration: {users: [Boss]}
navigation:
  - {userRoles: [Clerk], home: d.Letters}
  - {userRoles: [Boss], home: d.Fill}
demoUsers:
  - {key: clerk, name: Clara Clerk, email: clerk@desk.example, userRoles: [Clerk]}
  - {key: colin, name: Colin Clerk, email: colin@desk.example, userRoles: [Clerk]}
  - {key: boss, name: Bo Boss, email: boss@desk.example, userRoles: [Boss]}
";
const DOMAIN: &str = "\
entities:
  Letter:
    attributes:
      title: {type: string, length: 40}
      body: {type: string, length: 40}
      pay: {type: integer}
      sealed: {type: boolean}
    access:
      - {roles: [Clerk], read: [title, body, sealed], where: \"!this.sealed\", doc: What is open}
      - {roles: [Clerk], read: [pay], write: [body], where: \"this.title == 'Own'\", doc: What is their own}
      - {roles: [Head], read: [title], doc: What there is}
      - {roles: [Boss], create: true, delete: true, read: [title, body, pay, sealed], write: [title, body, pay, sealed], doc: All}
";
const FILL: &str = "\
doc: Three letters
roles: [Boss]
do:
  - create: {as: A, entity: Letter, set: {title: \"'Own'\", body: \"'mine'\", pay: \"12\", sealed: \"false\"}}
  - create: {as: B, entity: Letter, set: {title: \"'Open'\", body: \"'for all'\", pay: \"4711\", sealed: \"false\"}}
  - create: {as: C, entity: Letter, set: {title: \"'Sealed'\", body: \"'harbour at dawn'\", pay: \"4712\", sealed: \"true\"}}
";
const LETTERS: &str = "\
title: Letters
roles: [Clerk]
content:
  - dataGrid:
      source: {entity: Letter, sort: [title]}
      columns: [{show: title, title: Title}, {show: body, title: Body}, {show: pay, title: Pay}]
";
const FRONT: &str = "\
title: Fill
roles: [Boss]
content:
  - button: {caption: Fill, run: {microflow: Fill}}
";

/// A desk with three letters; `None` without PostgreSQL, which is told.
pub(crate) fn desk(kind: Kind) -> Option<(TempDir, Server)> {
    let folder = app();
    let server = Setup::of(folder.path()).on(kind).try_run()?;
    filled(&server);
    Some((folder, server))
}

fn app() -> TempDir {
    written(&[
        ("app.yaml", APP),
        ("d/module.yaml", "roles: {Clerk: Reads letters, Head: Reads titles, Boss: Leads}\n"),
        ("d/domain.yaml", DOMAIN),
        ("d/microflows/Fill.yaml", FILL),
        ("d/pages/Letters.yaml", LETTERS),
        ("d/pages/Fill.yaml", FRONT),
    ])
}

fn filled(server: &Server) {
    let done = server.sign_in("boss").open("/p/d.Fill").click("Fill");
    assert_eq!(done.status, 200, "{}", done.html.text);
}

fn incidents(server: &Server) -> Vec<Record> {
    let filter = Filter { event: Some("incident".into()), ..Filter::default() };
    let page = audit::Page { offset: 0, limit: 500 };
    server.web().app.db.read(|conn| audit::search(conn, &filter, page)).unwrap().records
}

/// Runs statements as the owner of the schema, in the words of the set.
pub(crate) fn owner(server: &Server, text: &str) {
    let (db, set) = (&server.web().app.db, set_id(RIGHTS));
    let done = db.owner(|conn| {
        let mut text = text.replace("{set}", &set);
        if let Some(roles) = conn.roles() {
            let (reader, holder) = (roles.reader(&set), roles.holder(&set));
            let other = roles.reader(&set_id("user|Boss"));
            text = text.replace("{reader}", &reader).replace("{holder}", &holder).replace("{other}", &other);
            text = text.replace("{writer}", &roles.writer(&set)).replace("{system}", &roles.system());
        }
        conn.batch(&text)
    });
    done.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    db.bump_generation();
}

/// Makes everything anew, as `portcullis migrate --apply` does.
fn mend(server: &Server) {
    let app = &server.web().app;
    let drift = || app.db.read(|conn| Ok::<_, DbError>(store::drift(conn, app.clock.now()).unwrap())).unwrap();
    assert!(!drift().is_empty(), "what the owner did is told at the next start");
    store::apply(&app.db, &app.live().statements, &BTreeSet::new(), app.clock.now()).unwrap();
    assert!(drift().is_empty(), "{:?}", drift());
    app.check_layers().unwrap();
}

fn letters(server: &Server) -> Page {
    server.sign_in("clerk").open("/p/d.Letters")
}

/// Who decided what, in the words of the trail.
fn layers(record: &Record) -> (&str, &str) {
    (record.details[0].old.as_deref().unwrap(), record.details[0].new.as_deref().unwrap())
}

/// The incidents that are new since so many.
fn since(server: &Server, before: usize) -> Vec<Record> {
    let all = incidents(server);
    all[..all.len() - before].to_vec()
}

#[test]
fn for_every_set_of_the_app_that_ships_postgresql_alone_gives_what_memory_decides() {
    let Some(server) = Setup::of(project("apps/people")).on(Kind::Postgres).try_run() else { return };
    let agreed = server.web().app.check_layers().unwrap();
    assert!(agreed.rows > 10_000 && agreed.sets >= 7, "{agreed:?}");
    assert!(agreed.differences.is_empty() && incidents(&server).is_empty(), "{:?}", agreed.differences);
}

/// A plant: what the owner does, whether rows or cells come out of the database too many, and how the check says it.
type Plant = (&'static str, bool, &'static str);

const PLANTS: [Plant; 11] = [
    ("ALTER POLICY \"p_{set}_s\" ON d_letter USING (true)", true, "DatabaseEngine: given"),
    ("ALTER TABLE d_letter DISABLE ROW LEVEL SECURITY", true, "DatabaseEngine: given"),
    ("CREATE POLICY anything ON d_letter FOR SELECT USING (true)", true, "DatabaseEngine: given"),
    (
        "GRANT CREATE ON SCHEMA public TO \"{system}\"; ALTER VIEW \"r_{set}_d_letter\" OWNER TO \"{system}\"; \
         REVOKE CREATE ON SCHEMA public FROM \"{system}\"",
        true,
        "DatabaseEngine: given",
    ),
    (
        "GRANT CREATE ON SCHEMA public TO \"{holder}\"; ALTER TABLE d_letter OWNER TO \"{holder}\"; \
         REVOKE CREATE ON SCHEMA public FROM \"{holder}\"",
        true,
        "DatabaseEngine: given",
    ),
    ("ALTER VIEW \"r_{set}_d_letter\" SET (security_invoker = true)", false, "DatabaseEngine: not answered"),
    ("DROP POLICY \"p_{set}_s\" ON d_letter", false, "DatabaseEngine: not given"),
    ("DROP VIEW \"r_{set}_d_letter\" CASCADE", false, "DatabaseEngine: not answered"),
    ("REVOKE SELECT ON \"r_{set}_d_letter\" FROM \"{reader}\"", false, "DatabaseEngine: not answered"),
    ("GRANT SELECT ON d_letter TO \"{reader}\"", true, "DatabaseEngine: within reach"),
    ("GRANT \"{other}\" TO \"{reader}\"; ALTER ROLE \"{reader}\" INHERIT", true, "DatabaseEngine: within reach"),
];

#[test]
fn whatever_the_owner_takes_out_of_postgresql_gives_nobody_anything_and_is_recorded() {
    let Some((_folder, server)) = desk(Kind::Postgres) else { return };
    let control = letters(&server);
    assert!(control.status == 200 && control.shows("for all") && control.shows("12"), "{}", control.html.text);
    assert!(HIDDEN.iter().all(|hidden| !control.answer.body.contains(hidden)));
    let agreed = server.web().app.check_layers().unwrap();
    assert!(agreed.differences.is_empty() && incidents(&server).is_empty(), "{:?}", agreed.differences);
    for (deed, widens, told) in PLANTS {
        let before = incidents(&server).len();
        owner(&server, deed);
        let page = letters(&server);
        assert!(HIDDEN.iter().all(|hidden| !page.answer.body.contains(hidden)), "{deed}");
        if widens {
            assert_eq!(page.html.text, control.html.text, "{deed}: the layers above ask as before");
        }
        server.web().app.check_layers().unwrap();
        let found = since(&server, before);
        assert!(found.iter().all(|one| one.severity == Severity::Critical), "{found:?}");
        let by_rows = found.iter().find(|one| layers(one).0.starts_with(told));
        let by_rows = by_rows.unwrap_or_else(|| panic!("{deed}: {found:?}"));
        assert!(layers(by_rows).1.starts_with("Release: "), "{by_rows:?}");
        let by_name = found.iter().any(|one| layers(one).0 == "DatabaseEngine: not as it was made");
        assert!(by_name, "{deed}: {found:?}");
        mend(&server);
        assert_eq!(letters(&server).html.text, control.html.text, "{deed} was mended");
    }
    let settled = incidents(&server).len();
    server.web().app.check_layers().unwrap();
    assert_eq!(incidents(&server).len(), settled, "what is mended is no incident any more");
}

/// What has no say about the rows that anybody reads now, and yet is not what was made.
const BY_NAME: [&str; 12] = [
    "ALTER TABLE d_letter DISABLE TRIGGER \"g_{set}_bu_d_letter\"",
    "ALTER TABLE d_letter DISABLE TRIGGER USER",
    "ALTER TABLE audit_record DISABLE TRIGGER USER",
    "ALTER POLICY \"p_{set}_u\" ON d_letter USING (true)",
    "GRANT UPDATE ON d_letter TO \"{writer}\"",
    "GRANT DELETE ON d_letter TO PUBLIC",
    "GRANT \"{other}\" TO \"{reader}\"",
    "CREATE OR REPLACE VIEW \"w_{set}_d_letter\" AS SELECT t.id AS id, t.version AS version, t.sealed AS sealed, \
     t.title AS title, t.body AS body FROM d_letter AS t",
    "CREATE OR REPLACE FUNCTION \"g_{set}_bu_d_letter\"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE RULE doubled AS ON UPDATE TO d_letter DO ALSO NOTHING",
    "CREATE FUNCTION aside() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
     CREATE TRIGGER aside BEFORE UPDATE ON d_letter FOR EACH ROW EXECUTE FUNCTION aside()",
    "CREATE POLICY p_0123456789abcdef_s ON d_letter FOR SELECT TO \"{reader}\" USING (true)",
];

#[test]
fn what_the_owner_loosens_of_writing_or_adds_is_recorded_by_name() {
    let Some((_folder, server)) = desk(Kind::Postgres) else { return };
    for deed in BY_NAME {
        let before = incidents(&server).len();
        owner(&server, deed);
        server.web().app.check_layers().unwrap();
        let found = since(&server, before);
        assert!(!found.is_empty(), "{deed}");
        assert!(found.iter().all(|one| layers(one).0 != "DatabaseEngine: given"), "{deed}: {found:?}");
        let named = ["d_letter", "audit_record", "role "];
        let names = |one: &Record| one.object.as_deref().is_some_and(|object| named.iter().any(|name| object.contains(name)));
        assert!(found.iter().any(names), "{deed}: {found:?}");
        // A trigger of the trail is not the preparing's to make: who took its guard away puts it back.
        if deed.contains("audit_record") {
            owner(&server, "ALTER TABLE audit_record ENABLE TRIGGER USER");
        } else {
            mend(&server);
        }
        let before = incidents(&server).len();
        server.web().app.check_layers().unwrap();
        assert_eq!(incidents(&server).len(), before, "{deed} was mended");
    }
}

/// A view that is there in the place of the set's own, for whoever looks in a schema of the role's name first.
#[test]
fn a_schema_named_after_a_role_stands_in_nobodys_way() {
    let Some((_folder, server)) = desk(Kind::Postgres) else { return };
    let control = letters(&server);
    owner(
        &server,
        "CREATE SCHEMA \"{reader}\"; GRANT USAGE ON SCHEMA \"{reader}\" TO \"{reader}\"; \
         CREATE VIEW \"{reader}\".\"r_{set}_d_letter\" AS SELECT * FROM public.\"r_{set}_d_letter\" WHERE false; \
         GRANT SELECT ON \"{reader}\".\"r_{set}_d_letter\" TO \"{reader}\"",
    );
    assert_eq!(letters(&server).html.text, control.html.text, "names are looked up in one schema");
    assert!(server.web().app.check_layers().unwrap().differences.is_empty());
}

/// Gives the words of the set's policy on letters, as the catalogue is compared by.
const TOLD: &str = "SELECT p.polcmd::text || ' ' || p.polpermissive::text || ' ' || ARRAY(SELECT pg_get_userbyid(r)::text \
    FROM unnest(p.polroles) AS r ORDER BY 1)::text || ' ' || coalesce(pg_get_expr(p.polqual, p.polrelid), '') || ' / ' \
    || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') FROM pg_policy AS p WHERE p.polname = 'p_{set}_s'";

/// The owner can write the note of what was made, and nobody else can: then the names agree, and the rows do not.
#[test]
fn a_change_that_is_noted_as_if_it_had_been_made_is_found_by_what_it_gives() {
    let Some((_folder, server)) = desk(Kind::Postgres) else { return };
    let app = &server.web().app;
    let by_system = |text: &str| app.db.write(|conn| conn.batch(text));
    for deed in ["UPDATE engine_set SET made = '{}'", "DELETE FROM engine_set", "DELETE FROM schema_state"] {
        assert!(matches!(by_system(deed), Err(DbError::Forbidden(_))), "the server's own work does not write notes: {deed}");
    }
    let digest =
        |name: &str| format!("{name} := (SELECT encode(sha256(convert_to(told, 'UTF8')), 'hex') FROM (EXECUTING) AS t(told));");
    let forged = format!(
        "DO $$ DECLARE old text; new text; BEGIN {} ALTER POLICY \"p_{{set}}_s\" ON d_letter USING (true); {} \
         UPDATE engine_set SET made = replace(made, old, new); END $$",
        digest("old").replace("EXECUTING", TOLD),
        digest("new").replace("EXECUTING", TOLD),
    );
    owner(&server, &forged);
    let drift = app.db.read(|conn| Ok::<_, DbError>(store::drift(conn, app.clock.now()).unwrap())).unwrap();
    assert!(drift.is_empty(), "the forgery is a good one: {drift:?}");
    app.check_layers().unwrap();
    let found = incidents(&server);
    assert!(found.iter().any(|one| layers(one).0 == "DatabaseEngine: given"), "{found:?}");
    assert!(found.iter().all(|one| layers(one).0 != "DatabaseEngine: not as it was made"), "{found:?}");
}

/// Only a superuser gives a role this, and to nobody who logs in.
#[test]
fn a_role_that_row_level_security_no_longer_binds_is_recorded() {
    let Some((_folder, server)) = desk(Kind::Postgres) else { return };
    let app = &server.web().app;
    for (role, told) in [
        ("{holder}", "DatabaseEngine: given"),
        ("{reader}", "DatabaseEngine: within reach"),
        ("{system}", "DatabaseEngine: not as it was made"),
    ] {
        let before = incidents(&server).len();
        let named = app.db.owner(|conn| {
            let (roles, set) = (conn.roles().unwrap(), set_id(RIGHTS));
            let named = role.replace("{holder}", &roles.holder(&set)).replace("{reader}", &roles.reader(&set));
            Ok::<_, DbError>(named.replace("{system}", &roles.system()))
        });
        let named = named.unwrap();
        let cluster = crate::support::server::cluster::shared().unwrap();
        cluster.sql("postgres", &format!("ALTER ROLE \"{named}\" BYPASSRLS")).unwrap();
        app.check_layers().unwrap();
        let found = since(&server, before);
        assert!(found.iter().any(|one| layers(one).0 == told), "{named}: {found:?}");
        assert!(
            found.iter().any(|one| one.object.as_deref().is_some_and(|object| object.contains(&named))),
            "{named}: {found:?}"
        );
        cluster.sql("postgres", &format!("ALTER ROLE \"{named}\" NOBYPASSRLS")).unwrap();
    }
}

/// Operators of the owner's making fit the columns better than those of the database.
#[test]
fn an_operator_in_the_way_of_the_databases_own_gives_nobody_anything() {
    let Some((_folder, server)) = desk(Kind::Postgres) else { return };
    let control = letters(&server);
    owner(
        &server,
        "CREATE FUNCTION always(bigint, bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'; \
         CREATE OPERATOR public.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = always); \
         CREATE FUNCTION never(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'; \
         CREATE OPERATOR public.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = never); \
         CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''x'''; \
         CREATE FUNCTION current_setting(text, boolean) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''1'''",
    );
    let page = letters(&server);
    assert_eq!(page.html.text, control.html.text, "the database's own come first");
    assert!(server.web().app.check_layers().unwrap().differences.is_empty());
}

#[test]
fn on_sqlite_a_view_that_forgot_its_rows_gives_nobody_anything_and_is_recorded() {
    let (_folder, server) = desk(Kind::Sqlite).unwrap();
    let control = letters(&server);
    let view = "\"r_{set}_d_letter\"";
    let text = view_text(&server);
    let rows = text.find(" FROM `d_letter` AS `t` WHERE ").unwrap() + " FROM `d_letter` AS `t`".len();
    let bugs = [(text[..rows].to_owned(), "DatabaseEngine: given"), (format!("{text} AND false"), "DatabaseEngine: not given")];
    for (bug, told) in bugs {
        let before = incidents(&server).len();
        owner(&server, &format!("DROP VIEW {view}; {bug}"));
        let page = letters(&server);
        assert!(HIDDEN.iter().all(|hidden| !page.answer.body.contains(hidden)), "{bug}");
        if told.ends_with(": given") {
            assert_eq!(page.html.text, control.html.text);
        }
        server.web().app.check_layers().unwrap();
        let found = since(&server, before);
        assert!(found.iter().any(|one| layers(one).0 == told && layers(one).1.starts_with("Release: ")), "{found:?}");
        assert!(found.iter().any(|one| layers(one).0 == "DatabaseEngine: not as it was made"), "{found:?}");
        mend(&server);
    }
    // A table that stands where the view was, under a name that the guard knows as the set's own.
    let table = text[..rows].replacen("CREATE VIEW", "CREATE TABLE", 1);
    let before = incidents(&server).len();
    owner(&server, &format!("DROP VIEW {view}; {table}"));
    let page = letters(&server);
    assert!(HIDDEN.iter().all(|hidden| !page.answer.body.contains(hidden)), "{}", page.html.text);
    server.web().app.check_layers().unwrap();
    let found = since(&server, before);
    assert!(found.iter().any(|one| layers(one).0 == "DatabaseEngine: given"), "{found:?}");
    assert!(found.iter().any(|one| one.object.as_deref().is_some_and(|object| object.ends_with("is gone"))), "{found:?}");
    owner(&server, &format!("DROP TABLE {view}"));
    mend(&server);
    owner(&server, "CREATE TRIGGER aside AFTER UPDATE ON d_letter BEGIN SELECT 1; END");
    let before = incidents(&server).len();
    server.web().app.check_layers().unwrap();
    let found = since(&server, before);
    assert!(found.iter().any(|one| one.object.as_deref().is_some_and(|it| it.contains("other trigger aside"))), "{found:?}");
    mend(&server);
}

fn view_text(server: &Server) -> String {
    let (mut sql, now) = (Sql::new(), server.clock.now());
    sql.raw("SELECT sql FROM sqlite_master WHERE name = ");
    sql.bind(&Value::text(format!("r_{}_d_letter", set_id(RIGHTS))), &domain::Kind::Text);
    let ask = |conn: &mut Conn| fetch(conn, &sql, &Params::new(None, now, now.date()), &[domain::Kind::Text]);
    let rows = server.web().app.db.read(ask).unwrap();
    rows[0][0].as_text().unwrap().to_owned()
}

/// Each of these is told by name at the next start, and a server for others does not start.
#[test]
fn a_server_for_others_does_not_start_over_what_the_owner_changed() {
    let Some((folder, server)) = desk(Kind::Postgres) else { return };
    let strict = |node: &str| {
        let setup = Setup { mode: Mode::Serve, ..Setup::of(folder.path()) };
        let setup = setup.with(|settings| {
            settings.mail.target = MailTarget::Smtp(Secret::new("smtp://127.0.0.1:1"));
            settings.mail.from_is_set = true;
            settings.argon2.memory = 47_104;
        });
        setup.beside(&server, node)
    };
    let control = strict("control");
    assert!(control.is_ok(), "{}", control.err().map(|error| error.to_string()).unwrap_or_default());
    drop(control);
    let all = PLANTS.iter().map(|(deed, ..)| deed).chain(BY_NAME.iter().filter(|deed| !deed.contains("audit_record")));
    for (at, deed) in all.enumerate() {
        owner(&server, deed);
        match strict(&format!("n{at}x")) {
            Err(StartError::Sync(store::SyncError::EngineDrift(found))) => assert!(!found.is_empty()),
            Err(other) => panic!("{deed}: {other}"),
            Ok(_) => panic!("{deed}: it serves"),
        }
        let app = &server.web().app;
        store::apply(&app.db, &app.live().statements, &BTreeSet::new(), app.clock.now()).unwrap();
    }
}
