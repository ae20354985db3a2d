//! The trail as an operator meets it: guards taken away, an emptied trail, and going on after either.

use crate::support::process::Process;
use crate::support::town::Town;

fn each(test: impl Fn(&Town)) {
    test(&Town::small());
    if let Some(town) = Town::found() {
        test(&town);
    }
}

const UNGUARD: [&str; 2] = [
    "DROP TRIGGER audit_record_never_changes; DROP TRIGGER audit_record_never_leaves; DROP TRIGGER audit_seal_never_leaves",
    "ALTER TABLE audit_record DISABLE TRIGGER USER; ALTER TABLE audit_seal DISABLE TRIGGER USER",
];
const EMPTY: &str = "DELETE FROM audit_record; DELETE FROM audit_seal; DELETE FROM setting WHERE key LIKE 'trail anchor%'";

/// What a server that does not start says.
fn refused(town: &Town) -> String {
    match Process::try_start(&mut town.command("one", &["serve"])) {
        Err(why) => why,
        Ok(_) => panic!("it serves"),
    }
}

#[test]
fn serve_refuses_over_guards_that_were_taken_away_until_migrate_has_restored_them_and_said_so() {
    each(|town| {
        drop(town.node("one"));
        town.as_owner(UNGUARD);
        let why = refused(town);
        assert!(why.contains("audit_record_never_changes") && why.contains("portcullis migrate --apply"), "{why}");
        let (found, told) = town.ended(&mut town.command("one", &["audit", "layers"]));
        assert!(!found && told.contains("audit_record_never_changes"), "{told}");
        let planned = town.migrate("--plan");
        assert!(planned.contains("DRIFT trigger audit_record_never_changes"), "{planned}");
        assert!(refused(town).contains("audit_record_never_changes"), "looking restores nothing");
        let applied = town.migrate("--apply");
        assert!(applied.contains("RESTORED trigger audit_record_never_changes"), "{applied}");
        drop(town.node("one"));
        assert!(!town.migrate("--apply").contains("RESTORED"), "once");
    });
}

#[test]
fn serve_and_verify_refuse_an_emptied_trail_until_the_operator_accepts_it_and_that_is_recorded() {
    each(|town| {
        let node = town.node("one");
        town.invite_beside(&node);
        assert!(node.stop().success());
        assert!(town.verified().contains("whole"));
        town.as_owner(UNGUARD);
        town.as_owner([EMPTY, EMPTY]);
        town.migrate("--apply");
        let (whole, told) = town.ended(&mut town.command("one", &["audit", "verify"]));
        assert!(!whole && told.contains("was noted"), "{told}");
        let why = refused(town);
        assert!(why.contains("was noted") && why.contains("portcullis audit accept"), "{why}");
        let (done, told) = town.ended(&mut town.command("one", &["audit", "accept"]));
        assert!(done && told.contains("Accepted, and recorded."), "{told}");
        let (_, again) = town.ended(&mut town.command("one", &["audit", "accept"]));
        assert!(again.contains("agrees"), "{again}");
        let kept = crate::support::notes::texts(&town.db(), "SELECT details FROM audit_record WHERE event = 'trail.accepted'");
        assert!(kept.len() == 1 && kept[0].contains("was noted"), "{kept:?}");
        drop(town.node("one"));
        town.verified();
    });
}
