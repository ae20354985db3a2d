//! The same on SQLite, where what is generated stands on connections only: what others put into the file in its place
//! reaches nobody and is reported. A view that was composed wrongly is `store::tests::changed`'s.

use super::{HIDDEN, desk, incidents, layers, letters, mend, owner, since};
use crate::support::server::{Kind, Server};
use portcullis::db::sql::{Params, Sql, fetch};
use portcullis::db::{Conn, Dialect};
use portcullis::domain;

#[test]
fn on_sqlite_what_others_put_into_the_file_under_a_generated_name_reaches_nobody_and_is_recorded() {
    let (_folder, server) = desk(Kind::Sqlite).unwrap();
    let control = letters(&server);
    assert_eq!(stored(&server), [""; 0], "nothing that is generated is in the file");
    for (planted, told) in [
        ("CREATE VIEW r_0123456789abcdef_d_letter AS SELECT * FROM d_letter", "view r_0123456789abcdef_d_letter is there"),
        (
            "CREATE TRIGGER g_0123456789abcdef_bi_d_letter BEFORE INSERT ON d_letter BEGIN SELECT 1; END",
            "trigger g_0123456789abcdef_bi_d_letter is there",
        ),
        ("CREATE TRIGGER aside AFTER UPDATE ON d_letter BEGIN SELECT 1; END", "other trigger aside is there"),
    ] {
        let before = incidents(&server).len();
        owner(&server, planted);
        let page = letters(&server);
        assert!(HIDDEN.iter().all(|hidden| !page.answer.body.contains(hidden)), "{planted}");
        assert_eq!(page.html.text, control.html.text);
        server.web().app.check_layers().unwrap();
        let found = since(&server, before);
        assert!(found.iter().any(|one| layers(one).0 == "DatabaseEngine: not as it was made"), "{found:?}");
        assert!(found.iter().any(|one| one.object.as_deref().is_some_and(|it| it.starts_with(told))), "{found:?}");
        mend(&server);
        assert_eq!(stored(&server), [""; 0], "{planted}");
    }
}

/// The same name as the view that a clerk reads through, in the file: neither a view nor a table there is taken for it.
#[test]
fn on_sqlite_a_name_in_the_file_is_not_taken_for_the_view_of_the_same_name() {
    let (_folder, server) = desk(Kind::Sqlite).unwrap();
    let control = letters(&server);
    let app = &server.web().app;
    // The reader's views of every set that has been asked for, as the owner could learn them from its own memory.
    let names = app.live().statements.generated_names(Dialect::Sqlite);
    assert!(names.iter().any(|name| name.starts_with("r_") && name.ends_with("_d_letter")), "{names:?}");
    for name in names.iter().filter(|name| name.starts_with("r_") && name.ends_with("_d_letter")) {
        owner(
            &server,
            &format!(
                "CREATE VIEW \"{name}\" AS SELECT id, version, title, body, pay, sealed, title AS \"m$title\", \
            body AS \"m$body\", pay AS \"m$pay\", sealed AS \"m$sealed\" FROM d_letter"
            ),
        );
    }
    let page = letters(&server);
    assert!(HIDDEN.iter().all(|hidden| !page.answer.body.contains(hidden)), "{}", page.html.text);
    assert_eq!(page.html.text, control.html.text);
}

fn stored(server: &Server) -> Vec<String> {
    let now = server.clock.now();
    let mut sql = Sql::new();
    sql.raw("SELECT name FROM sqlite_master WHERE type = 'view' OR (type = 'trigger' AND name NOT LIKE 'audit%') ORDER BY name");
    let ask = |conn: &mut Conn| fetch(conn, &sql, &Params::new(None, now, now.date()), &[domain::Kind::Text]);
    let rows = server.web().app.db.read(|conn| ask(conn)).unwrap();
    rows.iter().filter_map(|row| row[0].as_text().map(str::to_owned)).collect()
}
