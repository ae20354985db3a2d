//! The same on SQLite, where a view is all that stands between a set and a table.

use super::{HIDDEN, RIGHTS, desk, incidents, layers, letters, mend, owner, since};
use crate::support::server::{Kind, Server};
use portcullis::db::sql::{Params, Sql, fetch};
use portcullis::db::{Conn, set_id};
use portcullis::domain::{self, Value};

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
