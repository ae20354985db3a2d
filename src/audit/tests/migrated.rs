//! A trail of before there were lanes.

use super::*;
use crate::db::DbTarget;
use crate::db::testing::cluster;

/// The hash of a record as it was made before, over the same fields without a lane.
fn hash(keys: &Keys, purpose: &str, fields: &[Option<&str>]) -> String {
    use base64::Engine;
    let mut data = Vec::new();
    for field in fields {
        match field {
            None => data.push(0),
            Some(text) => {
                data.push(1);
                data.extend_from_slice(&(text.len() as u64).to_be_bytes());
                data.extend_from_slice(text.as_bytes());
            }
        }
    }
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(keys.mac(purpose, &data))
}

/// A database as it was, with five records of a node, brought up to date.
fn each_old(test: impl Fn(&Db, &Keys)) {
    let dir = tempfile::tempdir().unwrap();
    let mut targets = vec![DbTarget::Sqlite(dir.path().join("old.db"))];
    targets.extend(cluster::shared().map(|cluster| crate::db::testing::postgres_target(cluster.database())));
    for target in targets {
        let (db, keys) = (Db::open(&target, 2).unwrap(), Keys::ephemeral());
        db.migrate_before("00007").unwrap();
        let mut insert = String::new();
        let mut previous = String::new();
        for seq in 1..=5 {
            let (number, at) = (seq.to_string(), "2026-03-01T12:00:00.007Z");
            let fields = [Some("old"), Some(&*number), Some(at), Some("1"), Some("object.changed"), Some("3"), Some("Ann")];
            let rest = [None, Some("changed"), Some("[]"), None, Some(&*previous)];
            let new = hash(&keys, "audit record", &[&fields[..], &rest[..]].concat());
            insert += &format!(
                "INSERT INTO audit_record VALUES ('old', {seq}, '{at}', 1, 'object.changed', 3, 'Ann', NULL, 'changed', '[]', \
                 NULL, '{previous}', '{new}'); "
            );
            previous = new;
        }
        let mac = hash(&keys, "audit head", &[Some("old"), Some("5"), Some(&previous)]);
        insert += &format!("INSERT INTO audit_head VALUES ('old', 5, '{previous}', '{mac}')");
        db.owner(|conn| conn.batch(&insert)).unwrap();
        db.migrate().unwrap();
        test(&db, &keys);
        db.close();
    }
}

#[test]
fn records_of_before_there_were_lanes_are_whole_as_they_stand_and_are_sealed_with_the_others() {
    each_old(|db, keys| {
        let found = report(db, keys);
        assert!(found.is_whole() && (found.nodes[0].intact, found.nodes[0].unsealed) == (5, 5), "{found}");
        fill(db, keys, "old", 2);
        assert_eq!(seal(db, keys, Unsealed::All).unwrap(), Sealed { records: 7, faults: Vec::new() });
        let found = report(db, keys);
        assert!(found.is_whole() && (found.nodes[0].intact, found.nodes[0].unsealed) == (7, 0), "{found}");
        let all = db.read(|conn| search(conn, &Filter::default(), &Page::latest(50))).unwrap().records;
        assert_eq!(all.iter().filter(|record| record.lane.is_empty()).count(), 5);
    });
}

#[test]
fn tampering_with_records_of_before_there_were_lanes_is_found_as_before() {
    let at = |n| At { lane: String::new(), n };
    for (sql, expected) in [
        ("UPDATE audit_record SET summary = 'x' WHERE n = 2", Fault::Altered(at(2))),
        ("DELETE FROM audit_record WHERE n = 2", Fault::Missing(at(2))),
        ("DELETE FROM audit_record WHERE n >= 4", Fault::CutOff { lane: String::new(), from: 4, to: 5 }),
        ("DELETE FROM audit_record", Fault::CutOff { lane: String::new(), from: 1, to: 5 }),
        ("DELETE FROM audit_head", Fault::Head),
        ("UPDATE audit_head SET mac = 'x'", Fault::Head),
        ("UPDATE audit_head SET seq = 4", Fault::Head),
        ("UPDATE audit_record SET lane = 'x' WHERE n = 1", Fault::Missing(at(1))),
    ] {
        each_old(|db, keys| {
            tamper(db, sql);
            assert_eq!(fault(db, keys), Some(expected.clone()), "{sql}");
        });
    }
}
