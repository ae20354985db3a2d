//! Repeated denials.

use super::*;
use crate::db::testing::again;

fn deny(db: &Db, keys: &Keys, clock: &Clock, account: Option<i64>, name: &str) -> Severity {
    let mark = crate::crypto::random_token();
    let event = Event::new(EventKind::Denied, "denied").by(account.map(ObjectId), name).in_request(mark.clone());
    db.write(|conn| record(conn, keys, "n", clock, &event)).unwrap();
    let filter = Filter { request: Some(mark), ..Filter::default() };
    db.read(|conn| search(conn, &filter, &Page::latest(1))).unwrap().records[0].severity
}

#[test]
fn repeated_denials_of_one_caller_raise_the_severity_and_those_of_others_or_of_long_ago_do_not_count() {
    each(|db| {
        let (keys, clock) = (Keys::ephemeral(), clock());
        let deny = |account, name| deny(db, &keys, &clock, account, name);
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
fn denials_add_up_across_nodes_and_over_a_restart() {
    each(|db| {
        let (keys, clock) = (Keys::ephemeral(), clock());
        let other = again(db);
        for _ in 0..4 {
            deny(db, &keys, &clock, Some(7), "Ann");
        }
        assert_eq!(deny(&other, &keys, &clock, Some(8), "Bob"), Severity::Warning, "another caller");
        // Looking twice, or looking at its own, counts nothing twice.
        for _ in 0..2 {
            follow_denials(&other, clock.now()).unwrap();
            follow_denials(db, clock.now()).unwrap();
        }
        assert_eq!(deny(&other, &keys, &clock, Some(7), "Ann, by another name"), Severity::Error, "the fifth");
        assert_eq!(deny(&other, &keys, &clock, Some(8), "Bob"), Severity::Warning);
        other.close();
        let started_again = again(db);
        follow_denials(&started_again, clock.now()).unwrap();
        assert_eq!(deny(&started_again, &keys, &clock, Some(7), "Ann"), Severity::Error);
        clock.advance(Duration::from_secs(601));
        assert_eq!(deny(&started_again, &keys, &clock, Some(7), "Ann"), Severity::Warning, "long ago");
        started_again.close();
    });
}

#[test]
fn a_denial_that_was_undone_does_not_count() {
    each(|db| {
        let (keys, clock) = (Keys::ephemeral(), clock());
        let event = Event::new(EventKind::Denied, "denied").by(None, "10.0.0.1");
        for _ in 0..10 {
            let undone: Result<(), AuditError> = db.write(|conn| {
                record(conn, &keys, "n", &clock, &event)?;
                Err(DbError::Busy("once more".into()).into())
            });
            assert!(undone.is_err());
        }
        assert_eq!(deny(db, &keys, &clock, None, "10.0.0.1"), Severity::Warning);
    });
}
