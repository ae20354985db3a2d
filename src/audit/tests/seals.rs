//! The order: what it says, and every way to tamper with it.

use super::*;
use crate::db::schema::audit_seal;
use crate::db::testing::again;
use std::time::Instant;

fn seals(db: &Db) -> Vec<(i64, String, i64, i64)> {
    let all = audit_seal::table.order(audit_seal::seq);
    let all = all.select((audit_seal::seq, audit_seal::lane, audit_seal::n, audit_seal::total));
    db.read(|conn| Ok::<_, DbError>(on!(conn, |c| all.load(c))?)).unwrap()
}

/// Two lanes of one node, sealed in turn.
fn in_turn(db: &Db, keys: &Keys) -> (String, String) {
    let other = again(db);
    fill(db, keys, "n", 2);
    sealed(db, keys);
    let first = lane(db, "n");
    fill(&other, keys, "n", 3);
    sealed(&other, keys);
    fill(db, keys, "n", 1);
    sealed(db, keys);
    let second = lanes(db, "n").into_iter().map(|(id, _)| id).find(|id| *id != first).unwrap();
    other.close();
    (first, second)
}

#[test]
fn seals_fix_the_order_in_which_records_became_visible() {
    each(|db| {
        let keys = Keys::ephemeral();
        let (first, second) = in_turn(db, &keys);
        assert_eq!(seals(db), [(1, first.clone(), 2, 2), (2, second, 3, 5), (3, first, 3, 6)]);
        assert_eq!(sealed(db, &keys), 0, "there is nothing more");
        fill(db, &keys, "n", 2);
        let found = report(db, &keys);
        let node = &found.nodes[0];
        assert!(found.is_whole() && (node.intact, node.unsealed) == (8, 2), "{found}");
        assert!(node.head.starts_with("3 ") && found.to_string().contains("8 records, whole, 2 not sealed yet"), "{found}");
    });
}

#[test]
fn an_order_that_was_altered_or_cut_is_found_at_its_seal_and_nothing_is_sealed_on_it() {
    for (sql, expected) in [
        ("UPDATE audit_seal SET n = 1 WHERE seq = 2", Fault::SealAltered(2)),
        ("UPDATE audit_seal SET total = 9 WHERE seq = 3", Fault::SealAltered(3)),
        ("UPDATE audit_seal SET mac = previous WHERE seq = 3", Fault::SealAltered(3)),
        ("UPDATE audit_seal SET hash = 'x' WHERE seq = 3", Fault::SealAltered(3)),
        ("DELETE FROM audit_seal WHERE seq = 1", Fault::SealMissing(1)),
        ("DELETE FROM audit_seal WHERE seq = 2", Fault::SealMissing(2)),
        (
            "UPDATE audit_seal SET seq = 9 WHERE seq = 2; UPDATE audit_seal SET seq = 2 WHERE seq = 3; \
             UPDATE audit_seal SET seq = 3 WHERE seq = 9",
            Fault::SealAltered(2),
        ),
    ] {
        each(|db| {
            let keys = Keys::ephemeral();
            in_turn(db, &keys);
            tamper(db, sql);
            assert_eq!(fault(db, &keys), Some(expected.clone()), "{sql}");
            let before = seals(db).len();
            fill(db, &keys, "n", 1);
            let done = seal(db, &keys, Unsealed::Ours).unwrap();
            if sql.contains("seq = 3") {
                assert!(matches!(done.faults[0].1, Fault::SealAltered(_)) && seals(db).len() == before, "{sql}: {done:?}");
            }
        });
    }
}

#[test]
fn what_other_processes_left_is_sealed_by_whoever_looks_at_all_lanes() {
    each(|db| {
        let keys = Keys::ephemeral();
        let killed = again(db);
        fill(&killed, &keys, "n", 3);
        fill(&killed, &keys, "gone", 2);
        killed.close();
        fill(db, &keys, "n", 1);
        assert_eq!(sealed(db, &keys), 1, "only what this process wrote");
        assert_eq!(seal(db, &keys, Unsealed::All).unwrap(), Sealed { records: 5, faults: Vec::new() });
        assert_eq!(seal(db, &keys, Unsealed::All).unwrap().records, 0);
        let found = report(db, &keys);
        assert!(found.is_whole() && found.nodes.iter().all(|node| node.unsealed == 0), "{found}");
    });
}

#[test]
fn sealers_of_several_processes_beside_writers_make_one_order() {
    each(|db| {
        let keys = Keys::ephemeral();
        let others: Vec<Db> = (0..2).map(|_| again(db)).collect();
        let folder = tempfile::tempdir().unwrap();
        let file = AnchorFile::beside(&folder.path().join("secret.key"), "n");
        std::thread::scope(|scope| {
            for db in others.iter().chain([db]) {
                scope.spawn(|| fill(db, &keys, "n", 20));
                scope.spawn(|| {
                    (0..10).for_each(|_| match seal(db, &keys, Unsealed::All) {
                        Ok(done) => assert!(done.faults.is_empty(), "{done:?}"),
                        Err(DbError::Busy(_) | DbError::Contended { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    });
                });
            }
            // Who looks while others seal sees one state, with a file that is not ahead of it.
            scope.spawn(|| (0..10).for_each(|_| file.keep(db, &keys).unwrap()));
            scope.spawn(|| {
                (0..10).for_each(|_| {
                    let noted = file.noted(&keys);
                    let found = others[0].read(|conn| verify(conn, &keys, Some(&noted))).unwrap();
                    assert!(found.is_whole(), "{found}");
                });
            });
        });
        others.iter().for_each(Db::close);
        seal(db, &keys, Unsealed::All).unwrap();
        let found = report(db, &keys);
        assert!(found.is_whole() && (found.nodes[0].intact, found.nodes[0].unsealed) == (60, 0), "{found}");
    });
}

#[test]
fn a_critical_event_wakes_the_sealer_when_it_is_kept_and_not_when_it_is_undone() {
    each(|db| {
        let keys = Keys::ephemeral();
        let incident = Event::new(EventKind::Incident, "two layers disagreed");
        let undone: Result<(), AuditError> = db.write(|conn| {
            record(conn, &keys, "n", &clock(), &incident)?;
            Err(DbError::Refused("no".into()).into())
        });
        assert!(undone.is_err());
        let began = Instant::now();
        db.await_hurry(Duration::from_millis(30));
        assert!(began.elapsed() >= Duration::from_millis(30), "nothing was kept");
        db.write(|conn| record(conn, &keys, "n", &clock(), &incident)).unwrap();
        let began = Instant::now();
        db.await_hurry(Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(30));
        assert_eq!(sealed(db, &keys), 1);
    });
}
