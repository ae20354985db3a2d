//! What pages of the app that ships cost: statements, and on PostgreSQL round trips.

use crate::support::server::people;

/// Four figures, two lists, their rules and the tree of departments.
#[test]
fn a_managers_start_page_takes_few_statements() {
    let people = people();
    let manager = people.sign_in("tomas");
    // Each connection of the pools is opened, and prepares its statements, once.
    (0..8).for_each(|_| drop(manager.open("/p/hr.ManagerHome")));
    let (page, statements) = people.statements(|| manager.open("/p/hr.ManagerHome"));
    assert_eq!(page.status, 200);
    for text in ["Leave to decide", "Pay per year", "Departments I answer for"] {
        assert!(page.shows(text), "{text}");
    }
    assert!(statements <= 22, "{statements} statements");
}
