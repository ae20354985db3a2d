//! The trail, on both databases, and every way to tamper with it.

use super::*;
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::schema::audit_record;
use crate::db::testing::each;
use crate::db::{Db, Dialect, on};
use crate::domain::ObjectId;
use diesel::prelude::*;
use std::time::Duration;

fn clock() -> Clock {
    Clock::fixed(chrono::DateTime::from_timestamp_millis(1_772_366_400_007).unwrap().naive_utc())
}

fn event(n: usize) -> Event {
    Event::new(EventKind::Changed, format!("event {n}"))
        .by(Some(ObjectId(3)), "Ann Example")
        .on(format!("hr.Employee#{n}"))
        .detail("hr.Employee.salary", Some("1.00".into()), None)
        .in_request("r-1")
}

fn fill(db: &Db, keys: &Keys, node: &str, count: usize) {
    let clock = clock();
    (0..count).for_each(|n| db.write(|conn| record(conn, keys, node, &clock, &event(n))).unwrap());
}

/// Undoes the guard against changes, as somebody who owns the database can.
fn tamper(db: &Db, sql: &str) {
    db.owner(|conn| {
        let off = match conn.dialect() {
            Dialect::Sqlite => {
                "DROP TRIGGER IF EXISTS audit_record_never_changes; DROP TRIGGER IF EXISTS audit_record_never_leaves; \
                 DROP TRIGGER IF EXISTS audit_head_never_leaves;"
            }
            Dialect::Postgres => "ALTER TABLE audit_record DISABLE TRIGGER USER; ALTER TABLE audit_head DISABLE TRIGGER USER;",
        };
        conn.batch(off)?;
        conn.batch(sql)
    })
    .unwrap();
}

fn fault(db: &Db, keys: &Keys) -> Option<Fault> {
    db.read(|conn| verify(conn, keys)).unwrap().nodes.into_iter().find_map(|node| node.fault)
}

#[test]
fn an_untouched_trail_is_whole_and_another_key_does_not_fit_it() {
    each(|db| {
        let keys = Keys::ephemeral();
        assert!(db.read(|conn| verify(conn, &keys)).unwrap().is_whole());
        fill(db, &keys, "a", 5);
        fill(db, &keys, "b", 2);
        let report = db.read(|conn| verify(conn, &keys)).unwrap();
        assert!(report.is_whole());
        let counts: Vec<_> = report.nodes.iter().map(|node| (node.node.as_str(), node.intact)).collect();
        assert_eq!(counts, [("a", 5), ("b", 2)]);
        assert_eq!(fault(db, &Keys::ephemeral()), Some(Fault::Altered(1)));
    });
}

#[test]
fn every_altered_field_is_found_at_its_record() {
    let fields = [
        "at = '2020-01-01 00:00:00'",
        "severity = 0",
        "event = 'sign-out'",
        "caller = 4",
        "caller = NULL",
        "caller_name = 'Bob'",
        "caller_name = NULL",
        "object = 'hr.Employee#9'",
        "summary = 'nothing'",
        "details = '[]'",
        "request_id = 'r-2'",
        "previous_hash = hash",
        "hash = previous_hash",
    ];
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 4);
        for field in fields {
            let backup = "CREATE TABLE kept AS SELECT * FROM audit_record";
            let is_sqlite = db.dialect() == crate::db::Dialect::Sqlite;
            let field = if is_sqlite { field.replace(" 00:00:00", "T00:00:00.000Z") } else { field.to_owned() };
            tamper(db, &format!("{backup}; UPDATE audit_record SET {field} WHERE seq = 3"));
            assert_eq!(fault(db, &keys), Some(Fault::Altered(3)), "{field}");
            tamper(db, "DELETE FROM audit_record; INSERT INTO audit_record SELECT * FROM kept; DROP TABLE kept");
            assert_eq!(fault(db, &keys), None);
        }
    });
}

#[test]
fn records_removed_at_the_beginning_in_the_middle_and_at_the_end_are_found() {
    for (condition, expected) in [
        ("seq = 1", Fault::Missing(1)),
        ("seq = 3", Fault::Missing(3)),
        ("seq BETWEEN 2 AND 4", Fault::Missing(2)),
        ("seq >= 4", Fault::CutOff { from: 4, to: 5 }),
        ("1 = 1", Fault::CutOff { from: 1, to: 5 }),
    ] {
        each(|db| {
            let keys = Keys::ephemeral();
            fill(db, &keys, "n", 5);
            tamper(db, &format!("DELETE FROM audit_record WHERE {condition}"));
            assert_eq!(fault(db, &keys), Some(expected.clone()), "{condition}");
        });
    }
}

#[test]
fn a_record_slipped_in_or_moved_to_another_place_or_node_is_found() {
    let columns = "at, severity, event, caller, caller_name, object, summary, details, request_id, previous_hash, hash";
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 3);
        let copy = |node: &str, seq: i64| {
            format!(
                "INSERT INTO audit_record (node, seq, {columns}) SELECT '{node}', {seq}, {columns} FROM audit_record WHERE seq = 3"
            )
        };
        tamper(db, &copy("n", 4));
        assert_eq!(fault(db, &keys), Some(Fault::Altered(4)));
        tamper(db, &format!("DELETE FROM audit_record WHERE seq = 4; {}", copy("other", 1)));
        assert_eq!(fault(db, &keys), Some(Fault::Altered(1)));
        tamper(db, "DELETE FROM audit_record WHERE node = 'other'; UPDATE audit_record SET seq = 10 WHERE seq = 2");
        assert_eq!(fault(db, &keys), Some(Fault::Missing(2)));
    });
}

#[test]
fn a_genuine_record_of_another_history_does_not_follow() {
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 2);
        tamper(
            db,
            "CREATE TABLE kept AS SELECT * FROM audit_record WHERE seq = 2; DELETE FROM audit_record; DELETE FROM audit_head",
        );
        let clock = clock();
        db.write(|conn| record(conn, &keys, "n", &clock, &Event::new(EventKind::SignedIn, "other"))).unwrap();
        tamper(db, "INSERT INTO audit_record SELECT * FROM kept");
        assert_eq!(fault(db, &keys), Some(Fault::OutOfChain(2)));
    });
}

#[test]
fn an_altered_or_missing_head_is_found_and_nothing_more_is_recorded_on_it() {
    for (sql, expected) in [
        ("UPDATE audit_head SET seq = 1", Fault::Head),
        ("UPDATE audit_head SET mac = 'x'", Fault::Head),
        (
            "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit_record WHERE seq = 2); DELETE FROM audit_record WHERE seq = 3",
            Fault::Head,
        ),
        ("DELETE FROM audit_head", Fault::Head),
    ] {
        each(|db| {
            let keys = Keys::ephemeral();
            fill(db, &keys, "n", 3);
            tamper(db, sql);
            assert_eq!(fault(db, &keys), Some(expected.clone()), "{sql}");
            let more = db.write(|conn| record(conn, &keys, "n", &clock(), &event(9)));
            assert!(more.is_err(), "{sql}");
        });
    }
}

#[test]
fn a_record_stays_out_when_its_deed_is_undone() {
    each(|db| {
        let keys = Keys::ephemeral();
        let undone: Result<(), AuditError> = db.write(|conn| {
            record(conn, &keys, "n", &clock(), &event(1))?;
            Err(DbError::Refused("no".into()).into())
        });
        assert!(undone.is_err());
        fill(db, &keys, "n", 1);
        let report = db.read(|conn| verify(conn, &keys)).unwrap();
        assert!(report.is_whole() && report.nodes[0].intact == 1);
    });
}

#[test]
fn many_writers_at_once_make_one_chain() {
    each(|db| {
        let keys = Keys::ephemeral();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| fill(db, &keys, "n", 10));
            }
        });
        let report = db.read(|conn| verify(conn, &keys)).unwrap();
        assert!(report.is_whole(), "{report}");
        assert_eq!(report.nodes[0].intact, 40);
    });
}

#[test]
fn repeated_denials_of_one_caller_grow_graver_and_those_of_others_or_of_long_ago_do_not_count() {
    each(|db| {
        let (keys, clock) = (Keys::ephemeral(), clock());
        let deny = |account: Option<i64>, name: &str| {
            let event = Event::new(EventKind::Denied, "denied").by(account.map(ObjectId), name);
            db.write(|conn| record(conn, &keys, "n", &clock, &event)).unwrap();
            let last = db.read(|conn| search(conn, &Filter::default(), Page { offset: 0, limit: 500 })).unwrap().records;
            last.into_iter().max_by_key(|record| record.seq).unwrap().severity
        };
        let severities: Vec<_> = (0..20).map(|_| deny(None, "10.0.0.1")).collect();
        assert_eq!((severities[0], severities[3]), (Severity::Warning, Severity::Warning));
        assert_eq!((severities[4], severities[18]), (Severity::Error, Severity::Error));
        assert_eq!(severities[19], Severity::Critical);
        assert_eq!(deny(None, "10.0.0.2"), Severity::Warning);
        assert_eq!(deny(Some(1), "10.0.0.1"), Severity::Warning);
        clock.advance(Duration::from_secs(601));
        assert_eq!(deny(None, "10.0.0.1"), Severity::Warning);
    });
}

#[test]
fn the_search_finds_by_each_filter_and_nothing_else() {
    each(|db| {
        let (keys, clock) = (Keys::ephemeral(), clock());
        let start = clock.now();
        fill(db, &keys, "n", 2);
        clock.advance(Duration::from_secs(60));
        let other = Event::new(EventKind::SignInFailed, "100% _odd_ Sentence").by(None, "10.0.0.1").in_request("r-2");
        db.write(|conn| record(conn, &keys, "n", &clock, &other)).unwrap();
        let count = |filter: Filter| {
            let found = db.read(|conn| search(conn, &filter, Page { offset: 0, limit: 10 })).unwrap();
            (found.records.len(), found.more)
        };
        let text = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
        let later = start + chrono::TimeDelta::seconds(1);
        assert_eq!(count(Filter::default()), (3, false));
        assert_eq!(count(Filter { account: Some(ObjectId(3)), ..Filter::default() }).0, 2);
        assert_eq!(count(Filter { who: Some("ann ex".into()), ..Filter::default() }).0, 2);
        assert_eq!(count(Filter { event: Some("sign-in.failed".into()), ..Filter::default() }).0, 1);
        assert_eq!(count(Filter { severity: Some(Severity::Warning), ..Filter::default() }).0, 1);
        assert_eq!(count(Filter { from: Some(later), ..Filter::default() }).0, 1);
        assert_eq!(count(Filter { to: Some(later), ..Filter::default() }).0, 2);
        assert_eq!(count(Filter { request: Some("r-2".into()), ..Filter::default() }).0, 1);
        assert_eq!(count(Filter { object: Some("hr.Employee#1".into()), ..Filter::default() }).0, 1);
        assert_eq!((count(text("_ODD_")).0, count(text("100%")).0, count(text("EMPLOYEE#")).0), (1, 1, 2));
        for nothing in ["1_0", "%%", "'; --", "!", "\0", "1.00"] {
            assert_eq!(count(text(nothing)).0, 0, "{nothing:?}");
        }
        let page = db.read(|conn| search(conn, &Filter::default(), Page { offset: 1, limit: 1 })).unwrap();
        assert!(page.more && page.records.len() == 1 && page.records[0].summary == "event 1");
        assert_eq!(page.records[0].details, event(1).details);
        assert_eq!(page.records[0].caller, event(1).caller);
    });
}

#[test]
fn hostile_and_huge_content_is_recorded_tamed() {
    each(|db| {
        let keys = Keys::ephemeral();
        let mut wild = Event::new(EventKind::Incident, format!("a\0b\x1b[31m{}", "é".repeat(100_000))).by(None, "\0").on("\r\n");
        for n in 0..300 {
            wild = wild.detail(format!("m{n}"), Some("\0".into()), Some("x".repeat(10)));
        }
        db.write(|conn| record(conn, &keys, "n", &clock(), &wild)).unwrap();
        let found = db.read(|conn| search(conn, &Filter::default(), Page { offset: 0, limit: 1 })).unwrap();
        let record = &found.records[0];
        assert!(!record.summary.chars().any(char::is_control) && record.summary.chars().count() == 4_001);
        assert_eq!(record.details.len(), 201);
        assert!(db.read(|conn| verify(conn, &keys)).unwrap().is_whole());
    });
}

#[test]
fn a_long_trail_is_walked_in_pieces() {
    crate::db::testing::sqlite(|db| {
        let (keys, clock) = (Keys::ephemeral(), clock());
        db.write(|conn| (0..2_100).try_for_each(|n| record(conn, &keys, "n", &clock, &event(n)))).unwrap();
        assert!(db.read(|conn| verify(conn, &keys)).unwrap().is_whole());
        tamper(db, "UPDATE audit_record SET summary = 'x' WHERE seq = 2050");
        assert_eq!(fault(db, &keys), Some(Fault::Altered(2050)));
    });
}

#[test]
fn the_ids_of_events_are_unique_and_read_back() {
    let ids: std::collections::HashSet<_> = EventKind::ALL.iter().map(|kind| kind.id()).collect();
    assert_eq!(ids.len(), EventKind::ALL.len());
    assert!(EventKind::ALL.iter().all(|kind| EventKind::parse(kind.id()) == Some(*kind)));
    assert!(Severity::ALL.iter().all(|severity| Severity::parse(severity.id()) == Some(*severity)));
    assert!(Severity::ALL.is_sorted() && EventKind::parse("?").is_none());
}

#[test]
fn the_database_refuses_to_change_or_drop_a_record_by_itself() {
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 1);
        for sql in [
            "UPDATE audit_record SET summary = 'x'",
            "DELETE FROM audit_record",
            "DELETE FROM audit_head",
            "TRUNCATE audit_record",
        ] {
            assert!(db.write(|conn| conn.batch(sql)).is_err(), "{sql}");
        }
        let replaced = db.write(|conn| conn.batch("INSERT OR REPLACE INTO audit_record SELECT * FROM audit_record"));
        assert!(replaced.is_err());
        let left: i64 = db.read(|conn| Ok::<_, DbError>(on!(conn, |c| audit_record::table.count().get_result(c))?)).unwrap();
        assert_eq!(left, 1);
    });
}
