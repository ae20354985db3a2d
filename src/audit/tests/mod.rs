//! The trail, on both databases.

mod anchors;
mod denials;
mod lanes;
mod migrated;
mod seals;
mod tamper;

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
                 DROP TRIGGER IF EXISTS audit_seal_never_changes; DROP TRIGGER IF EXISTS audit_seal_never_leaves; \
                 DROP TRIGGER IF EXISTS audit_head_never_changes; DROP TRIGGER IF EXISTS audit_head_never_leaves; \
                 DROP TRIGGER IF EXISTS audit_head_never_grows;"
            }
            Dialect::Postgres => {
                "ALTER TABLE audit_record DISABLE TRIGGER USER; ALTER TABLE audit_seal DISABLE TRIGGER USER; \
                 ALTER TABLE audit_head DISABLE TRIGGER USER;"
            }
        };
        conn.batch(off)?;
        conn.batch(sql)
    })
    .unwrap();
}

fn report(db: &Db, keys: &Keys) -> Report {
    db.read(|conn| verify(conn, keys, None)).unwrap()
}

fn fault(db: &Db, keys: &Keys) -> Option<Fault> {
    let found = report(db, keys);
    found.nodes.into_iter().find_map(|node| node.fault).or(found.against.into_iter().next().map(|(_, fault)| fault))
}

fn sealed(db: &Db, keys: &Keys) -> i64 {
    let done = seal(db, keys, Unsealed::Ours).unwrap();
    assert!(done.faults.is_empty(), "{done:?}");
    done.records
}

/// The lanes of a node, each with its last number.
fn lanes(db: &Db, node: &str) -> Vec<(String, i64)> {
    let of_node = audit_record::table.filter(audit_record::node.eq(node.to_owned()));
    let ends = of_node.order((audit_record::lane, audit_record::n)).select((audit_record::lane, audit_record::n));
    let all: Vec<(String, i64)> = db.read(|conn| Ok::<_, DbError>(on!(conn, |c| ends.clone().load(c))?)).unwrap();
    all.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect()
}

/// The one lane of a node that was filled by one writer.
fn lane(db: &Db, node: &str) -> String {
    let all = lanes(db, node);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].0.clone()
}

#[test]
fn an_untouched_trail_is_whole_and_another_key_does_not_fit_it() {
    each(|db| {
        let keys = Keys::ephemeral();
        assert!(db.read(|conn| verify(conn, &keys, None)).unwrap().is_whole());
        fill(db, &keys, "a", 5);
        fill(db, &keys, "b", 2);
        let report = db.read(|conn| verify(conn, &keys, None)).unwrap();
        assert!(report.is_whole());
        let counts: Vec<_> = report.nodes.iter().map(|node| (node.node.as_str(), node.intact)).collect();
        assert_eq!(counts, [("a", 5), ("b", 2)]);
        assert_eq!(fault(db, &Keys::ephemeral()), Some(Fault::Altered(At { lane: lane(db, "a"), n: 1 })));
    });
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
        let report = db.read(|conn| verify(conn, &keys, None)).unwrap();
        assert!(report.is_whole() && report.nodes[0].intact == 1);
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
            let found = db.read(|conn| search(conn, &filter, &Page::latest(10))).unwrap();
            (found.records.len(), found.earlier.is_some())
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
        let first = db.read(|conn| search(conn, &Filter::default(), &Page::latest(1))).unwrap();
        let second = Page { from: Start::Before(first.earlier.unwrap()), limit: 1 };
        let page = db.read(|conn| search(conn, &Filter::default(), &second)).unwrap();
        assert!(page.earlier.is_some() && page.records.len() == 1 && page.records[0].summary == "event 1");
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
        let found = db.read(|conn| search(conn, &Filter::default(), &Page::latest(1))).unwrap();
        let record = &found.records[0];
        assert!(!record.summary.chars().any(char::is_control) && record.summary.chars().count() == 4_001);
        assert_eq!(record.details.len(), 201);
        assert!(db.read(|conn| verify(conn, &keys, None)).unwrap().is_whole());
    });
}

#[test]
fn a_long_trail_is_walked_in_pieces() {
    crate::db::testing::sqlite(|db| {
        let (keys, clock) = (Keys::ephemeral(), clock());
        db.write(|conn| (0..2_100).try_for_each(|n| record(conn, &keys, "n", &clock, &event(n)))).unwrap();
        assert!(db.read(|conn| verify(conn, &keys, None)).unwrap().is_whole());
        assert_eq!(sealed(db, &keys), 2_100);
        assert!(report(db, &keys).is_whole());
        tamper(db, "UPDATE audit_record SET summary = 'x' WHERE n = 2050");
        assert_eq!(fault(db, &keys), Some(Fault::Altered(At { lane: lane(db, "n"), n: 2050 })));
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
            "UPDATE audit_head SET seq = 0",
            "INSERT INTO audit_head VALUES ('n', 1, '', '')",
            "UPDATE audit_seal SET n = 0",
            "DELETE FROM audit_seal",
            "INSERT INTO audit_seal VALUES ('n', 1, '', 1, '', 1, '', '')",
            "TRUNCATE audit_record",
            "TRUNCATE audit_seal",
        ] {
            assert!(db.write(|conn| conn.batch(sql)).is_err(), "{sql}");
        }
        let replaced = db.write(|conn| conn.batch("INSERT OR REPLACE INTO audit_record SELECT * FROM audit_record"));
        assert!(replaced.is_err());
        let left: i64 = db.read(|conn| Ok::<_, DbError>(on!(conn, |c| audit_record::table.count().get_result(c))?)).unwrap();
        assert_eq!(left, 1);
    });
}
