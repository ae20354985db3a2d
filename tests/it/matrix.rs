//! Who may do what in the apps of this project.

use crate::support::{app, golden};
use portcullis::access::matrix::{LineKind, Matrix, State};

#[test]
fn the_rights_in_the_people_app_are_the_reviewed_ones() {
    golden::check("matrix/people.csv", &Matrix::of(&app("apps/people")).csv());
}

#[test]
fn the_rights_in_the_library_app_are_the_reviewed_ones() {
    golden::check("matrix/library.csv", &Matrix::of(&app("tests/apps/library")).csv());
}

/// The sentences of the app's description that no later change of a rule may break unseen.
#[test]
fn pay_and_ratings_stay_with_those_who_need_them() {
    let matrix = Matrix::of(&app("apps/people"));
    let who = |kind, object: &str, operation: &str, state: State| -> Vec<&str> {
        let line = matrix.line(kind, object, operation).unwrap_or_else(|| panic!("{object} {operation} is missing"));
        let roles = matrix.roles.iter().zip(&line.cells).filter(|(_, cell)| cell.state == state);
        roles.map(|(role, _)| role.as_str()).collect()
    };
    let salary = |operation, state| who(LineKind::Member, "hr.Employee.salary", operation, state);
    assert_eq!(salary("read", State::Yes), ["HrAdministrator"]);
    assert_eq!(salary("read", State::Conditional), ["Employee", "Manager"]);
    assert!(
        salary("write", State::Yes).iter().chain(&salary("write", State::Conditional)).all(|role| *role == "HrAdministrator")
    );
    let rating = who(LineKind::Member, "hiring.Application.rating", "read", State::No);
    assert!(["Visitor", "Candidate", "Auditor", "Administrator"].iter().all(|role| rating.contains(role)), "{rating:?}");
    let persistent = matrix.rows.iter().filter(|line| matches!(line.kind, LineKind::Entity | LineKind::Member));
    let business = persistent.filter(|line| !line.object.starts_with("system."));
    for (role, name) in [(6, "Auditor"), (7, "Administrator")] {
        assert_eq!(matrix.roles[role], name);
        let granted: Vec<_> = business.clone().filter(|line| line.cells[role].state != State::No).map(|l| &l.object).collect();
        assert!(granted.is_empty(), "{name}: {granted:?}");
    }
}
