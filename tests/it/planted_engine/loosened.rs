//! Things taken out of PostgreSQL, loosened or added there, one at a time; and starting over them.

use super::{HIDDEN, desk, incidents, layers, letters, make_all, mend, owner, since};
use crate::support::project;
use crate::support::server::{Kind, Setup};
use portcullis::audit::{Record, Severity};
use portcullis::config::{MailTarget, Secret};
use portcullis::server::{Mode, StartError};
use portcullis::store;

#[test]
fn for_every_set_of_the_app_that_ships_postgresql_alone_gives_what_memory_decides() {
    let Some(server) = Setup::of(project("apps/people")).on(Kind::Postgres).try_run() else { return };
    make_all(&server);
    let agreed = server.web().app.check_layers().unwrap();
    assert!(agreed.rows > 10_000 && agreed.sets >= 7, "{agreed:?}");
    assert!(agreed.differences.is_empty() && incidents(&server).is_empty(), "{:?}", agreed.differences);
}

/// A plant: what the owner does, whether rows or cells come out of the database too many, and how the check says it.
type Plant = (&'static str, bool, &'static str);

const PLANTS: [Plant; 7] = [
    (
        "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW \"{r}\" AS ' || regexp_replace(pg_get_viewdef('\"{r}\"'::regclass), \
         '\\s+WHERE .*$', ''); END $$",
        true,
        "DatabaseEngine: given",
    ),
    (
        "CREATE POLICY less ON d_letter AS RESTRICTIVE FOR SELECT TO \"{holder}\" USING (false)",
        false,
        "DatabaseEngine: not given",
    ),
    ("ALTER VIEW \"{r}\" SET (security_invoker = true)", false, "DatabaseEngine: not answered"),
    ("DROP POLICY \"p_0000000000000000_seen\" ON d_letter", false, "DatabaseEngine: not given"),
    ("DROP VIEW \"{r}\" CASCADE", false, "DatabaseEngine: not answered"),
    ("REVOKE SELECT ON \"{r}\" FROM \"{reader}\"", false, "DatabaseEngine: not answered"),
    ("GRANT SELECT ON d_letter TO \"{reader}\"", true, "DatabaseEngine: within reach"),
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
const BY_NAME: [&str; 17] = [
    "ALTER TABLE d_letter DISABLE ROW LEVEL SECURITY",
    "CREATE POLICY anything ON d_letter FOR SELECT USING (true)",
    "GRANT CREATE ON SCHEMA public TO \"{system}\"; ALTER VIEW \"{r}\" OWNER TO \"{system}\"; \
     REVOKE CREATE ON SCHEMA public FROM \"{system}\"",
    "ALTER TABLE d_letter OWNER TO \"{holder}\"",
    "GRANT SELECT ON account TO \"{holder}\"",
    "ALTER TABLE d_letter DISABLE TRIGGER \"g_0000000000000000_b_d_letter\"",
    "ALTER TABLE d_letter DISABLE TRIGGER USER",
    "ALTER TABLE audit_record DISABLE TRIGGER USER",
    "ALTER POLICY \"p_0000000000000000_written\" ON d_letter TO PUBLIC",
    "GRANT UPDATE ON d_letter TO \"{writer}\"",
    "GRANT DELETE ON d_letter TO PUBLIC",
    "GRANT \"{other}\" TO \"{reader}\"",
    "CREATE OR REPLACE VIEW \"{w}\" AS SELECT t.id AS id, t.version AS version, t.sealed AS sealed, \
     t.title AS title, t.body AS body FROM d_letter AS t",
    "CREATE OR REPLACE FUNCTION \"{g}\"(\"moment\" text, \"old\" d_letter, \"new\" d_letter) RETURNS void LANGUAGE plpgsql \
     AS 'BEGIN END'",
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
        let named = ["d_letter", "audit_record", "role ", "_look", "holder"];
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
        make_all(&server);
    }
}
