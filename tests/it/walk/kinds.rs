//! The other kinds of rights, and that no kind is left out.

use super::reading::cell;
use super::{everybody, probing};
use portcullis::access::Part;
use portcullis::access::matrix::{LineKind, Matrix, State};
use portcullis::domain::Name;
use std::collections::BTreeSet;

/// The test that walks a kind of right. A kind that is added to the matrix must be added here, and walked.
fn walked_by(kind: LineKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        LineKind::Page => &[("open", "every_page_opens_for_exactly_the_roles_of_the_matrix")],
        LineKind::Microflow => &[("run", "a_microflow_is_offered_to_exactly_the_roles_of_the_matrix_and_runs_for_nobody_else")],
        LineKind::Snapshot => &[("read", "a_snapshot_is_read_by_exactly_the_roles_of_the_matrix")],
        LineKind::Entity => &[
            ("create", "objects_are_created_and_deleted_by_exactly_the_roles_that_the_rules_name"),
            ("delete", "objects_are_created_and_deleted_by_exactly_the_roles_that_the_rules_name"),
        ],
        LineKind::Member => &[
            ("read", "every_row_and_member_is_shown_to_exactly_the_roles_that_the_rules_name"),
            ("write", "every_member_is_written_by_exactly_the_roles_that_the_rules_name"),
        ],
        LineKind::Administration => &[("use", "a_part_of_the_administration_is_open_to_exactly_the_roles_of_the_matrix")],
        LineKind::Role => &[("assign", "a_role_is_assigned_by_exactly_the_roles_of_the_matrix")],
    }
}

#[test]
fn every_kind_of_right_and_every_operation_of_the_matrix_is_walked() {
    let server = probing();
    let matrix = Matrix::of(&server.web().app.live().model);
    let found: BTreeSet<(LineKind, &str)> = matrix.rows.iter().map(|line| (line.kind, line.operation)).collect();
    let walked: BTreeSet<(LineKind, &str)> =
        LineKind::ALL.into_iter().flat_map(|kind| walked_by(kind).iter().map(move |(operation, _)| (kind, *operation))).collect();
    assert_eq!(found, walked);
    let sources =
        ["kinds", "places", "reading", "writing"].map(|name| crate::support::project(&format!("tests/it/walk/{name}.rs")));
    let text: String = sources.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    for (_, test) in LineKind::ALL.into_iter().flat_map(walked_by) {
        assert!(text.contains(&format!("#[test]\nfn {test}()")), "{test} is gone");
    }
}

#[test]
fn a_snapshot_is_read_by_exactly_the_roles_of_the_matrix() {
    let server = probing();
    let live = server.web().app.live();
    let runs = server.web().app.runs(&live).unwrap();
    for event in &live.model.schedule {
        assert!(server.web().app.run_event(event, runs[&event.name]).unwrap());
    }
    let matrix = Matrix::of(&live.model);
    for (role, key) in everybody(&server) {
        let actor = key.map_or_else(|| server.visitor(), |key| server.sign_in(&key));
        let page = actor.look(&format!("/p/probe.Snapshots{role}"));
        assert_eq!(page.status, 200, "{role}");
        for name in live.model.snapshots.keys() {
            let said = cell(&matrix, &role, LineKind::Snapshot, &name.to_string(), "read");
            let shown = page.shows(&format!("One of {name}"));
            assert_eq!(shown, said == State::Yes, "{role} {name}: the matrix says {said:?}: {}", page.html.text);
        }
    }
}

#[test]
fn a_part_of_the_administration_is_open_to_exactly_the_roles_of_the_matrix() {
    let server = probing();
    let matrix = Matrix::of(&server.web().app.live().model);
    for (role, key) in everybody(&server) {
        let actor = key.as_deref().map_or_else(|| server.visitor(), |key| server.sign_in(key));
        let mut any = false;
        // The overlay of reasons has no page; who has it is walked in the strict server (`tests/it/xray/strict.rs`).
        for part in Part::ALL.into_iter().filter(|part| part.has_page()) {
            let said = cell(&matrix, &role, LineKind::Administration, part.id(), "use");
            let page = actor.look(&format!("/admin/{}", part.id()));
            let expected = match (said, &key) {
                (State::Yes, Some(_)) => 200,
                (_, Some(_)) => 403,
                (_, None) => 303,
            };
            assert_eq!(page.status, expected, "{role} {}", part.id());
            any |= said == State::Yes;
        }
        let home = actor.open("/");
        assert_eq!(home.link("Administration").is_some(), any, "{role}: the way there is shown to those who may go");
    }
}

#[test]
fn a_role_is_assigned_by_exactly_the_roles_of_the_matrix() {
    let server = probing();
    let model = server.web().app.live().model.clone();
    let matrix = Matrix::of(&model);
    let assigns = |role: &Name, other: &Name| cell(&matrix, role, LineKind::Role, other.as_str(), "assign") == State::Yes;
    for (role, key) in everybody(&server) {
        let Some(key) = key else {
            assert!(model.user_roles.keys().all(|other| !assigns(&role, other)), "visitors assign nothing");
            continue;
        };
        let actor = server.sign_in(&key);
        let users = actor.look("/admin/users");
        let may = cell(&matrix, &role, LineKind::Administration, "users", "use") == State::Yes;
        let offered: BTreeSet<Name> = match may {
            true => users.html.controls.iter().filter(|c| c.checkbox && c.name == "role").map(|c| Name::new(&c.value)).collect(),
            false => BTreeSet::new(),
        };
        let expected: BTreeSet<Name> = model.user_roles.keys().filter(|other| may && assigns(&role, other)).cloned().collect();
        assert_eq!(offered, expected, "{role}: the roles offered to an invited person");
        let csrf = actor.open("/").hidden("_csrf").unwrap().to_owned();
        for other in model.user_roles.keys() {
            let email = format!("{}.{}@people.example", role.to_lowercase(), other.to_lowercase());
            let pairs = [("_csrf", csrf.as_str()), ("name", "New Person"), ("email", &email), ("role", other.as_str())];
            let answer = actor.post("/admin/users/invite", &pairs);
            let made = server.mail_to(&email).is_some();
            assert_eq!(made, expected.contains(other), "{role} invites a {other}: {} {}", answer.status, answer.body);
            assert!(made || matches!(answer.status, 403 | 422 | 400), "{role} invites a {other}: {}", answer.status);
        }
    }
}
