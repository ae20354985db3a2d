//! Ways round the comparison of names: shadows, forged notes, roles that nothing binds.

use super::{RIGHTS, desk, incidents, layers, letters, named, owner, since};
use crate::support::server::{Kind, cluster};
use portcullis::db::DbError;
use portcullis::store;

/// A view that is there in the place of the set's own, for whoever looks in a schema of the role's name first.
#[test]
fn a_schema_named_after_a_role_stands_in_nobodys_way() {
    let Some((_folder, server)) = desk(Kind::Postgres) else { return };
    let control = letters(&server);
    owner(
        &server,
        "CREATE SCHEMA \"{reader}\"; GRANT USAGE ON SCHEMA \"{reader}\" TO \"{reader}\"; \
         CREATE VIEW \"{reader}\".\"{r}\" AS SELECT * FROM public.\"{r}\" WHERE false; \
         GRANT SELECT ON \"{reader}\".\"{r}\" TO \"{reader}\"",
    );
    assert_eq!(letters(&server).html.text, control.html.text, "names are looked up in one schema");
    // Nobody reads through it, and yet it is more than the set was given.
    let found = server.web().app.check_layers().unwrap().differences;
    let about = named(&server, "{reader}.{r} before ") + RIGHTS;
    assert!(!found.is_empty(), "a view of the same name in another schema is none of the set's own");
    assert!(found.iter().all(|one| one.about == about && one.first.1 == "within reach"), "{found:?}");
    owner(&server, "DROP SCHEMA \"{reader}\" CASCADE");
    let found = server.web().app.check_layers().unwrap().differences;
    assert!(found.is_empty(), "{found:?}");
}

/// Gives the words of the set's view of letters, as the catalogue is compared by.
const TOLD: &str = "SELECT pg_get_viewdef(c.oid) || ' ' || pg_get_userbyid(c.relowner)::text || coalesce(c.reloptions::text, '') \
    FROM pg_class AS c WHERE c.relname = '{r}'";
/// Lets it forget its rows.
const FORGETS: &str = "EXECUTE 'CREATE OR REPLACE VIEW \"{r}\" AS ' || regexp_replace(pg_get_viewdef('\"{r}\"'::regclass), \
    '\\s+WHERE .*$', '');";

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
        "DO $$ DECLARE old text; new text; BEGIN {} {FORGETS} {} \
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
        ("{holder}", "DatabaseEngine: not as it was made"),
        ("{reader}", "DatabaseEngine: within reach"),
        ("{system}", "DatabaseEngine: not as it was made"),
    ] {
        let before = incidents(&server).len();
        let named = named(&server, role);
        let cluster = cluster::shared().unwrap();
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
