//! Every way to tamper with records.

use super::*;

fn at(db: &Db, n: i64) -> At {
    At { lane: lane(db, "n"), n }
}

fn kept(db: &Db) {
    tamper(db, "CREATE TABLE kept AS SELECT * FROM audit_record");
}

fn put_back(db: &Db) {
    tamper(db, "DELETE FROM audit_record; INSERT INTO audit_record SELECT * FROM kept; DROP TABLE kept");
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
        let altered = Some(Fault::Altered(at(db, 3)));
        for round in ["not sealed", "sealed"] {
            for field in fields {
                let is_sqlite = db.dialect() == Dialect::Sqlite;
                let field = if is_sqlite { field.replace(" 00:00:00", "T00:00:00.000Z") } else { field.to_owned() };
                kept(db);
                tamper(db, &format!("UPDATE audit_record SET {field} WHERE n = 3"));
                assert_eq!(fault(db, &keys), altered, "{field}, {round}");
                put_back(db);
                assert_eq!(fault(db, &keys), None);
            }
            sealed(db, &keys);
        }
    });
}

#[test]
fn records_removed_at_the_beginning_in_the_middle_and_at_the_end_are_found() {
    for (condition, first, cut) in
        [("n = 1", 1, false), ("n = 3", 3, false), ("n BETWEEN 2 AND 4", 2, false), ("n >= 4", 4, true)]
    {
        each(|db| {
            let keys = Keys::ephemeral();
            fill(db, &keys, "n", 5);
            sealed(db, &keys);
            let At { lane, n } = at(db, first);
            tamper(db, &format!("DELETE FROM audit_record WHERE {condition}"));
            let expected = if cut { Fault::CutOff { lane, from: n, to: 5 } } else { Fault::Missing(At { lane, n }) };
            let found = report(db, &keys);
            assert_eq!((found.nodes[0].fault.clone(), found.nodes[0].intact), (Some(expected), first - 1), "{condition}");
        });
    }
}

#[test]
fn a_lane_that_was_removed_is_found_once_it_was_sealed() {
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 5);
        let lane = lane(db, "n");
        sealed(db, &keys);
        tamper(db, "DELETE FROM audit_record");
        assert_eq!(fault(db, &keys), Some(Fault::CutOff { lane, from: 1, to: 5 }));
    });
}

#[test]
fn a_tail_is_missed_by_its_writer_before_it_is_sealed_and_a_gap_by_everybody() {
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 3);
        tamper(db, "DELETE FROM audit_record WHERE n = 3");
        assert_eq!(report(db, &keys).nodes[0].unsealed, 2, "nothing shows yet but that it is not sealed");
        fill(db, &keys, "n", 1);
        let gap = Fault::Missing(At { lane: lane(db, "n"), n: 3 });
        assert_eq!(fault(db, &keys), Some(gap.clone()));
        let done = seal(db, &keys, Unsealed::Ours).unwrap();
        assert_eq!((done.records, done.faults), (2, vec![("n".to_owned(), gap)]), "what is behind the gap is not sealed");
    });
}

#[test]
fn a_record_that_is_inserted_copied_or_moved_to_another_lane_is_found() {
    each(|db| {
        let keys = Keys::ephemeral();
        let clock = clock();
        fill(db, &keys, "n", 2);
        let first = lane(db, "n");
        // A second lane: a second writer at the same time.
        let other = crate::db::testing::again(db);
        fill(&other, &keys, "n", 3);
        let (second, _) = lanes(db, "n").into_iter().find(|(id, _)| *id != first).unwrap();
        for (sql, expected) in [
            (
                format!("UPDATE audit_record SET lane = '{first}' WHERE lane = '{second}' AND n = 3"),
                Fault::Altered(At { lane: first.clone(), n: 3 }),
            ),
            (
                format!(
                    "INSERT INTO audit_record (node, lane, n, at, severity, event, summary, details, previous_hash, hash) \
                     SELECT node, lane, n + 1, at, severity, event, summary, details, hash, hash FROM audit_record \
                     WHERE lane = '{second}' AND n = 3"
                ),
                Fault::Altered(At { lane: second.clone(), n: 4 }),
            ),
            (
                format!(
                    "INSERT INTO audit_record (node, lane, n, at, severity, event, summary, details, previous_hash, hash) \
                     SELECT node, 'mine', n, at, severity, event, summary, details, previous_hash, hash FROM audit_record \
                     WHERE lane = '{second}'"
                ),
                Fault::Altered(At { lane: "mine".into(), n: 1 }),
            ),
            (
                "UPDATE audit_record SET node = 'm'".to_owned(),
                Fault::Altered(At { lane: first.clone().min(second.clone()), n: 1 }),
            ),
        ] {
            kept(db);
            tamper(db, &sql);
            assert_eq!(fault(db, &keys), Some(expected), "{sql}");
            put_back(db);
            assert_eq!(fault(db, &keys), None);
        }
        other.close();
        db.write(|conn| record(conn, &keys, "n", &clock, &event(1))).unwrap();
        assert!(report(db, &keys).is_whole());
    });
}

#[test]
fn a_genuine_record_of_an_earlier_lane_end_does_not_fit_and_a_rewritten_one_was_not_sealed() {
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 3);
        let lane = lane(db, "n");
        // Whoever has the secret and the database writes a lane anew from its second record on.
        tamper(db, "CREATE TABLE mine AS SELECT * FROM audit_record WHERE n >= 2");
        sealed(db, &keys);
        let rows: Vec<crate::audit::chain::Row> = db
            .read(|conn| crate::audit::seal::lane_after(conn, "n", &lane, 1))
            .unwrap()
            .into_iter()
            .scan(None, |before: &mut Option<String>, mut row| {
                row.summary = format!("rewritten {}", row.n);
                row.previous_hash = before.take().unwrap_or(row.previous_hash);
                row.hash = row.link(&keys);
                *before = Some(row.hash.clone());
                Some(row)
            })
            .collect();
        tamper(db, "DELETE FROM audit_record WHERE n >= 2");
        db.owner(|conn| {
            Ok::<_, DbError>(on!(conn, |c| rows
                .iter()
                .try_for_each(|row| { diesel::insert_into(audit_record::table).values(row).execute(c).map(drop) }))?)
        })
        .unwrap();
        assert_eq!(fault(db, &keys), Some(Fault::Exchanged(At { lane: lane.clone(), n: 3 })));
        tamper(db, "DELETE FROM audit_record WHERE n = 3; INSERT INTO audit_record SELECT * FROM mine WHERE n = 3");
        assert_eq!(fault(db, &keys), Some(Fault::OutOfChain(At { lane, n: 3 })));
    });
}
