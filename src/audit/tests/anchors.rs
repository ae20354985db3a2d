//! A trail that was emptied, cut or put back, and anchors that were tampered with.

use super::*;
use crate::db::testing::again;

/// A node's file of anchors in a folder of its own.
struct Room(tempfile::TempDir);

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn file(&self, node: &str) -> AnchorFile {
        AnchorFile::beside(&self.0.path().join("secret.key"), node)
    }
}

fn against(db: &Db, keys: &Keys, file: Option<&AnchorFile>) -> Vec<(String, Fault)> {
    let noted = file.map(|file| file.noted(keys));
    let found = db.read(|conn| verify(conn, keys, noted.as_ref())).unwrap();
    assert_eq!(found.is_whole(), found.against.is_empty() && found.nodes.iter().all(|node| node.fault.is_none()));
    // The check of the start finds the same without walking the trail.
    assert_eq!(db.read(|conn| anchor_faults(conn, keys, noted.as_ref())).unwrap(), found.against);
    found.against
}

/// Records, seals, and notes the end in the file.
fn go_on(db: &Db, keys: &Keys, file: &AnchorFile, count: usize) {
    fill(db, keys, "n", count);
    sealed(db, keys);
    file.keep(db, keys).unwrap();
}

const KEEP: &str = "CREATE TABLE kept_record AS SELECT * FROM audit_record; CREATE TABLE kept_seal AS SELECT * FROM audit_seal; \
     CREATE TABLE kept_setting AS SELECT * FROM setting";
const TRAIL_BACK: &str = "DELETE FROM audit_record; INSERT INTO audit_record SELECT * FROM kept_record; \
     DELETE FROM audit_seal; INSERT INTO audit_seal SELECT * FROM kept_seal";
const ROWS_BACK: &str = "DELETE FROM setting; INSERT INTO setting SELECT * FROM kept_setting";
const EMPTY: &str = "DELETE FROM audit_record; DELETE FROM audit_seal";

fn behind(anchored: i64, there: i64) -> Vec<(String, Fault)> {
    vec![("n".to_owned(), Fault::BehindAnchor { anchored, there })]
}

#[test]
fn an_untouched_trail_agrees_with_its_anchors_also_when_the_file_is_behind() {
    each(|db| {
        let (keys, room) = (Keys::ephemeral(), Room::new());
        let file = room.file("n");
        assert!(against(db, &keys, Some(&file)).is_empty(), "nothing was ever sealed");
        go_on(db, &keys, &file, 2);
        assert!(against(db, &keys, Some(&file)).is_empty());
        fill(db, &keys, "n", 2);
        assert!(against(db, &keys, Some(&file)).is_empty(), "what is not sealed is not noted");
        sealed(db, &keys);
        assert!(against(db, &keys, Some(&file)).is_empty(), "the file is a moment behind");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(room.0.path()).unwrap().count(), 1, "no draft is left");
    });
}

#[test]
fn an_emptied_or_cut_trail_is_found_by_the_row_and_without_it_by_the_file() {
    each(|db| {
        let (keys, room) = (Keys::ephemeral(), Room::new());
        let file = room.file("n");
        go_on(db, &keys, &file, 2);
        go_on(db, &keys, &file, 2);
        tamper(db, KEEP);
        tamper(db, EMPTY);
        assert_eq!(against(db, &keys, None), behind(2, 0));
        tamper(db, "DELETE FROM setting");
        assert_eq!(against(db, &keys, Some(&file)), behind(2, 0));
        assert!(against(db, &keys, None).is_empty(), "only the file knows");
        tamper(
            db,
            &format!("{TRAIL_BACK}; {ROWS_BACK}; DELETE FROM audit_record WHERE n > 2; DELETE FROM audit_seal WHERE seq = 2"),
        );
        assert_eq!(against(db, &keys, None), behind(2, 1));
        fill(db, &keys, "n", 1);
        let done = seal(db, &keys, Unsealed::Ours).unwrap();
        assert_eq!((done.records, done.faults), (0, behind(2, 1)), "nothing is sealed on it");
        tamper(db, &format!("{TRAIL_BACK}; {ROWS_BACK}"));
        assert!(db.read(|conn| anchor_faults(conn, &keys, Some(&file.noted(&keys)))).unwrap().is_empty());
    });
}

#[test]
fn a_trail_from_an_older_copy_is_found_beside_newer_data_and_with_the_older_rows_by_the_file() {
    each(|db| {
        let (keys, room) = (Keys::ephemeral(), Room::new());
        let file = room.file("n");
        go_on(db, &keys, &file, 3);
        tamper(db, KEEP);
        go_on(db, &keys, &file, 3);
        tamper(db, TRAIL_BACK);
        assert_eq!(against(db, &keys, None), behind(2, 1));
        // The whole database of yesterday.
        tamper(db, ROWS_BACK);
        assert!(against(db, &keys, None).is_empty());
        assert_eq!(against(db, &keys, Some(&file)), behind(2, 1));
        // It went on from there and is as long as it was: another history.
        let other = again(db);
        fill(&other, &keys, "n", 5);
        sealed(&other, &keys);
        other.close();
        assert_eq!(against(db, &keys, Some(&file)), [("n".to_owned(), Fault::SealAltered(2))]);
    });
}

#[test]
fn an_anchor_that_was_removed_altered_put_back_or_is_anothers_is_found() {
    let key = "'trail anchor n'";
    for (sql, expected) in [
        (format!("DELETE FROM setting WHERE key = {key}"), Fault::AnchorMissing),
        (format!("UPDATE setting SET value = 'x' WHERE key = {key}"), Fault::AnchorAltered),
        (
            format!("UPDATE setting SET value = (SELECT value FROM setting WHERE key = 'trail anchor m') WHERE key = {key}"),
            Fault::AnchorAltered,
        ),
        (format!("UPDATE setting SET value = replace(value, '\"seq\":2', '\"seq\":3') WHERE key = {key}"), Fault::AnchorAltered),
        (ROWS_BACK.to_owned(), Fault::AnchorAltered),
    ] {
        each(|db| {
            let keys = Keys::ephemeral();
            fill(db, &keys, "n", 1);
            fill(db, &keys, "m", 1);
            sealed(db, &keys);
            tamper(db, KEEP);
            fill(db, &keys, "n", 1);
            sealed(db, &keys);
            assert!(against(db, &keys, None).is_empty());
            tamper(db, &sql);
            assert_eq!(against(db, &keys, None), [("n".to_owned(), expected.clone())], "{sql}");
        });
    }
}

#[test]
fn a_file_that_was_removed_altered_or_is_of_another_node_or_installation_is_found() {
    each(|db| {
        let (keys, room) = (Keys::ephemeral(), Room::new());
        let (file, path) = (room.file("n"), room.file("n").path().to_owned());
        go_on(db, &keys, &file, 2);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(against(db, &keys, Some(&file)), [("n".to_owned(), Fault::FileMissing(path.clone()))]);
        assert!(against(db, &keys, Some(&room.file("m"))).is_empty(), "another node never had one");
        let altered = [("n".to_owned(), Fault::FileAltered(path.clone()))];
        for wrong in ["", "{}", "\0", &text.replace("\"seq\":1", "\"seq\":0"), &text.replace("\"node\":\"n\"", "\"node\":\"m\"")]
        {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(against(db, &keys, Some(&file)), altered, "{wrong:?}");
            assert!(file.keep(db, &keys).is_err(), "nothing is written over it");
        }
        let elsewhere = Room::new();
        elsewhere.file("n").keep(db, &Keys::ephemeral()).unwrap();
        std::fs::copy(elsewhere.file("n").path(), &path).unwrap();
        assert_eq!(against(db, &keys, Some(&file)), altered, "of another installation");
        std::fs::write(&path, vec![b'x'; 1_000_000]).unwrap();
        assert_eq!(against(db, &keys, Some(&file)), altered, "huge");
        std::fs::write(&path, &text).unwrap();
        assert!(against(db, &keys, Some(&file)).is_empty());
    });
}

#[test]
fn accounts_without_any_record_are_found_when_all_anchors_are_gone() {
    each(|db| {
        let (keys, room) = (Keys::ephemeral(), Room::new());
        let account =
            "INSERT INTO account (name, email, created, changed) VALUES ('A', 'a@b.example', '2026-03-01', '2026-03-01')";
        db.write(|conn| conn.batch(account)).unwrap();
        go_on(db, &keys, &room.file("n"), 1);
        assert!(against(db, &keys, Some(&room.file("n"))).is_empty());
        tamper(db, &format!("{EMPTY}; DELETE FROM setting"));
        std::fs::remove_file(room.file("n").path()).unwrap();
        assert_eq!(against(db, &keys, Some(&room.file("n")))[0].1, Fault::NoRecords);
    });
}

#[test]
fn what_was_accepted_agrees_again_and_the_order_goes_on() {
    each(|db| {
        let (keys, room) = (Keys::ephemeral(), Room::new());
        let file = room.file("n");
        go_on(db, &keys, &file, 2);
        tamper(db, KEEP);
        go_on(db, &keys, &file, 2);
        tamper(db, &format!("{TRAIL_BACK}; {ROWS_BACK}"));
        assert_eq!(against(db, &keys, Some(&file)), behind(2, 1));
        let restored = again(db);
        accept_anchors(&restored, &keys, &file).unwrap();
        assert!(against(db, &keys, Some(&file)).is_empty());
        go_on(&restored, &keys, &file, 3);
        let found = restored.read(|conn| verify(conn, &keys, Some(&file.noted(&keys)))).unwrap();
        assert!(found.is_whole() && found.nodes[0].intact == 5, "{found}");
        restored.close();
    });
}
