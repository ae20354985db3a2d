//! What a reader is shown, and what not.

use super::desk::{Desk, field, grid, name, nodes};
use crate::access::{Cell, Denied, ObjectError};
use crate::domain::{Kind, Value};
use crate::page::*;

fn texts(grid: &DataGridNode, column: usize) -> Vec<&str> {
    grid.rows.iter().map(|row| row.cells[column].peek().text.as_str()).collect()
}

fn states(grid: &DataGridNode, column: usize) -> Vec<CellState> {
    grid.rows.iter().map(|row| row.cells[column].peek().state).collect()
}

#[test]
fn a_withheld_value_is_not_an_empty_one_and_withholds_what_is_computed_from_it() {
    let mut desk = Desk::of("Employee");
    let view = desk.open("Everything", &[]).unwrap();
    let grid = grid(&view);
    assert_eq!(texts(grid, 0), ["Bo", "Cleo"]);
    assert_eq!(states(grid, 1), [CellState::Empty, CellState::Plain], "no department is empty");
    assert_eq!(states(grid, 2), [CellState::Withheld; 2], "others' pay is withheld");
    assert_eq!(states(grid, 3), [CellState::Withheld; 2], "a member nobody granted is withheld");
    assert_eq!(grid.columns[3].sort.as_ref().map(|sort| sort.state), None, "and cannot be sorted");

    let others = desk.open("Person", &[("Employee", "Employee~3")]).unwrap();
    let text = nodes(&others).into_iter().find_map(|node| if let Node::Text(text) = node { Some(text) } else { None }).unwrap();
    assert_eq!(text.cell.peek().state, CellState::Withheld);
    assert_eq!(text.cell.peek().text, "");
    let well_paid =
        |view: &View| nodes(view).iter().any(|node| matches!(node, Node::Text(text) if text.cell.peek().text == "Well paid"));
    assert!(!well_paid(&others), "a condition over a withheld value does not hold");
    let own = desk.open("Person", &[("Employee", "Employee~1")]).unwrap();
    assert!(well_paid(&own));
    assert_eq!(own.title.peek(), "Emma");
}

#[test]
fn no_member_that_is_not_granted_is_ever_asked_for() {
    let mut desk = Desk::of("Employee");
    desk.open("Everything", &[]).unwrap();
    desk.open("Person", &[("Employee", "Employee~1")]).unwrap();
    let asked: Vec<String> = desk.memory.queries.iter().flat_map(|query| &query.paths).map(|path| path.join(".")).collect();
    assert!(asked.contains(&"name".to_owned()));
    assert!(!asked.iter().any(|path| path.contains("hidden") || path.contains("secretPlan")), "{asked:?}");
}

#[test]
fn a_page_asks_once_per_data_source() {
    let mut desk = Desk::of("Employee");
    desk.open("Person", &[("Employee", "Employee~1")]).unwrap();
    let asked: Vec<String> = desk.memory.queries.iter().map(|query| query.entity.to_string()).collect();
    // The parameter, the remarks, the department's data view; the pick list of departments is not
    // asked for, because an employee may not choose one.
    assert_eq!(asked, ["hr.Employee", "hr.Note", "hr.Department"]);
}

#[test]
fn inputs_are_editable_only_where_a_rule_lets_the_member_be_written() {
    let mut desk = Desk::of("Employee");
    let id = |desk: &Desk, member: &str| desk.input("Person", member);
    let view = desk.open("Person", &[("Employee", "Employee~1")]).unwrap();
    let state = |view: &View, desk: &Desk, member: &str| field(view, &id(desk, member)).state;
    assert_eq!(state(&view, &desk, "notes"), FieldState::Editable);
    assert_eq!(state(&view, &desk, "name"), FieldState::Readonly);
    assert_eq!(state(&view, &desk, "hidden"), FieldState::Withheld);
    let other = desk.open("Person", &[("Employee", "Employee~3")]).unwrap();
    assert_eq!(state(&other, &desk, "notes"), FieldState::Readonly, "the rule is about one's own record");
    let captions =
        |view: &View| nodes(view).iter().filter(|node| matches!(node, Node::Button(b) if b.caption.peek() == "Save")).count();
    assert_eq!((captions(&view), captions(&other)), (1, 0), "nothing to save, no button");
    let mut desk = Desk::of("Manager");
    let view = desk.open("Person", &[("Employee", "Employee~1")]).unwrap();
    for member in ["name", "salary", "children", "remote", "joined", "seen", "status", "department"] {
        assert_eq!(state(&view, &desk, member), FieldState::Editable, "{member}");
    }
    for member in ["number", "shout"] {
        assert_eq!(state(&view, &desk, member), FieldState::Readonly, "{member} is kept by the server");
    }
    assert_eq!(field(&view, &desk.input("Person", "department")).options.as_ref().unwrap().peek().len(), 3);
}

#[test]
fn buttons_and_menu_show_only_what_the_caller_may_do() {
    let captions = |view: &View| -> Vec<String> {
        nodes(view)
            .iter()
            .filter_map(|node| if let Node::Button(button) = node { Some(button.caption.peek().clone()) } else { None })
            .collect()
    };
    let mut employee = Desk::of("Employee");
    let view = employee.open("Person", &[("Employee", "Employee~1")]).unwrap();
    assert_eq!(captions(&view), ["Save", "Cancel"]);
    let everything = employee.open("Everything", &[]).unwrap();
    assert!(grid(&everything).buttons.is_empty(), "the page behind it is not theirs");
    assert!(grid(&everything).rows.iter().flat_map(|row| &row.buttons).all(|button| button.caption.peek() == "Poke"));
    assert_eq!(
        grid(&everything).rows.iter().map(|row| row.buttons.len()).collect::<Vec<_>>(),
        [0, 1],
        "a button has its condition"
    );
    assert_eq!(menu(&employee.grants(), "en", None).iter().map(|entry| entry.title.as_str()).collect::<Vec<_>>(), ["People"]);

    let mut manager = Desk::of("Manager");
    let view = manager.open("Person", &[("Employee", "Employee~1")]).unwrap();
    assert_eq!(captions(&view), ["Save", "Cancel", "Delete", "Promote"]);
    assert_eq!(menu(&manager.grants(), "en", Some(&name("ManagerOnly"))).len(), 2);
    assert_eq!(home(&manager.grants()), Some(name("Everything")));
    assert_eq!(home(&Desk::of("Visitor").grants()), None);
}

#[test]
fn a_page_of_another_role_and_an_object_that_is_not_there_are_refused() {
    let refused = Desk::of("Employee").open("ManagerOnly", &[]).map(drop);
    assert!(matches!(refused, Err(PageError::Object(ObjectError::Denied(Denied { conceal: false, .. })))), "{refused:?}");
    for handle in ["Employee~99", "Department~5", "nonsense", ""] {
        let gone = Desk::of("Employee").open("Person", &[("Employee", handle)]).map(drop);
        assert!(matches!(gone, Err(PageError::Gone)), "{handle}: {gone:?}");
    }
    assert!(matches!(Desk::of("Employee").open("Person", &[]).map(drop), Err(PageError::Gone)));
}

#[test]
fn a_permit_for_one_page_opens_no_other() {
    let mut desk = Desk::of("Manager");
    let grants = desk.grants();
    let permit = grants.open(&name("Everything")).unwrap();
    let page = desk.model.pages[&name("ManagerOnly")].clone();
    let query = ClientQuery::default();
    let reader = Reader { user: None, name: String::new(), email: String::new(), now: Default::default(), language: "en".into() };
    let (objects, handles) = (&mut desk.memory, &mut desk.handles);
    let mut context = PageContext {
        grants: &grants,
        objects,
        arguments: Default::default(),
        query: &query,
        handles,
        form: None,
        reader,
        xray: false,
    };
    assert!(matches!(open(&permit, &page, &mut context), Err(PageError::BadRequest(_))));
}

#[test]
fn a_grid_pages_sorts_searches_and_filters() {
    let mut desk = Desk::of("Manager");
    let id = grid(&desk.open("Everything", &[]).unwrap()).id.clone();
    let key = |key: &str| format!("{id}.{key}");
    let mut names = |query: &[(&str, &str)]| -> Vec<String> {
        let query: Vec<(String, &str)> = query.iter().map(|(k, v)| (key(k), *v)).collect();
        let query: Vec<(&str, &str)> = query.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        let view = desk.open("Everything", &query).unwrap();
        grid(&view).rows.iter().map(|row| row.cells[0].peek().text.clone()).collect()
    };
    assert_eq!(names(&[]), ["Bo", "Cleo"]);
    assert_eq!(names(&[("p", "2")]), ["Emma"]);
    assert_eq!(names(&[("p", "99")]), ["Bo", "Cleo"], "beyond the end is the beginning");
    assert_eq!(names(&[("sort", "-salary")]), ["Cleo", "Emma"]);
    assert_eq!(names(&[("sort", "hidden")]), ["Cleo", "Emma"]);
    assert_eq!(names(&[("q", "MM")]), ["Emma"]);
    assert_eq!(names(&[("q", "mole")]), ["Emma"], "a manager may read what is searched here");
    assert_eq!(names(&[("f.status", "Gone")]), ["Bo"]);
    assert_eq!(names(&[("f.remote", "true")]), ["Emma"]);
    assert_eq!(names(&[("f.joined", "2024-02-29")]), ["Emma"]);
    assert_eq!(names(&[("f.seen", "2026-01-30")]), ["Emma"]);
    assert_eq!(names(&[("f.name", "le")]), ["Cleo"]);
    assert_eq!(names(&[("f.department", "Department~6")]), ["Cleo"]);
    assert_eq!(names(&[("f.children", "2")]), ["Emma"]);
    assert_eq!(names(&[("f.children", "two")]), [""; 0], "a number that is none matches nothing");
    assert_eq!(names(&[("f.status", ""), ("q", ""), ("sort", "")]), ["Bo", "Cleo"], "an empty form asks for nothing");
}

#[test]
fn a_grid_tells_apart_rows_nothing_yet_nothing_matches_and_not_for_you() {
    let mut desk = Desk::of("Employee");
    let view = desk.open("Everything", &[]).unwrap();
    let id = grid(&view).id.clone();
    assert_eq!(grid(&view).state, ListState::Rows);
    assert_eq!((grid(&view).paging.as_ref().unwrap().from, *grid(&view).paging.as_ref().unwrap().to.peek()), (1, 2));
    assert_eq!(grid(&view).paging.as_ref().unwrap().total.as_ref().map(|total| *total.peek()), Some(3));
    let view = desk.open("Everything", &[(&format!("{id}.q"), "nobody")]).unwrap();
    assert_eq!(grid(&view).state, ListState::NothingMatches);
    assert_eq!(grid(&view).clear_href.as_deref(), Some("/p/hr.Everything"));
    desk.memory.rows.retain(|(entity, _), _| *entity != name("Employee"));
    assert_eq!(grid(&desk.open("Everything", &[]).unwrap()).state, ListState::NothingYet);
    let mut closed = Desk::of("Employee");
    closed.forget_rules("Note");
    let view = closed.open("Person", &[("Employee", "Employee~1")]).unwrap();
    assert_eq!(grid(&view).state, ListState::NotForYou);
    assert!(closed.memory.queries.iter().all(|query| query.entity != name("Note")), "it was not asked for");
}

#[test]
fn sorting_by_a_hidden_member_is_refused_exactly_like_an_unknown_one() {
    let mut desk = Desk::of("Employee");
    let id = grid(&desk.open("Everything", &[]).unwrap()).id.clone();
    let mut told = |key: &str, value: &str| {
        let before = desk.memory.queries.len();
        let refused = desk.open("Everything", &[(&format!("{id}.{key}"), value)]).map(drop);
        let Err(PageError::BadRequest(_)) = &refused else { panic!("{key}={value}: {refused:?}") };
        let list =
            desk.memory.queries.iter().skip(before).filter(|query| query.entity == name("Employee") && query.limit == 2).count();
        assert_eq!(list, 0, "the rows were not even asked for");
        format!("{refused:?}")
    };
    let unknown = told("sort", "nosuch");
    for (key, value) in [
        ("sort", "hidden"),
        ("sort", "-hidden"),
        ("sort", "notes"),
        ("sort", "department"),
        ("sort", "department.secretPlan"),
        ("sort", "id"),
        ("sort", "name;drop"),
        ("f.hidden", "z"),
        ("f.nosuch", "z"),
        ("f.salary", "1"),
        ("f.department.secretPlan", "S"),
        ("nosuch", "1"),
        ("", "x"),
        ("q\u{0}", "x"),
    ] {
        assert_eq!(told(key, value), unknown, "{key}={value}");
    }
    for (key, value) in [
        ("p", "0"),
        ("p", "-1"),
        ("p", "x"),
        ("p", "99999999999"),
        ("f.status", "Nosuch"),
        ("f.department", "Employee~1"),
        ("f.department", "x"),
    ] {
        told(key, value);
    }
    let long = "x".repeat(201);
    told("q", &long);
    told("q", "a\u{0}b");
}

#[test]
fn a_search_never_looks_into_what_the_reader_may_not_read() {
    let mut desk = Desk::of("Employee");
    let id = grid(&desk.open("Everything", &[]).unwrap()).id.clone();
    let view = desk.open("Everything", &[(&format!("{id}.q"), "mole")]).unwrap();
    assert_eq!(grid(&view).state, ListState::NothingMatches);
}

#[test]
fn foreign_keys_in_an_address_are_refused() {
    for (key, value) in [("debug", "1"), ("w1.q", "x"), ("w999.q", "x"), ("Employee", "Employee~1"), ("user", "1")] {
        let refused = Desk::of("Employee").open("Everything", &[(key, value)]).map(drop);
        assert!(matches!(refused, Err(PageError::BadRequest(_))), "{key}");
    }
    let twice = vec![("a".to_owned(), String::new()), ("a".to_owned(), String::new())];
    assert!(ClientQuery::new(twice).is_err());
    let many = (0..200).map(|n| (n.to_string(), String::new())).collect();
    assert!(ClientQuery::new(many).is_err());
    assert!(ClientQuery::new(vec![("a".into(), "x".repeat(5000))]).is_err());
}

#[test]
fn figures_count_only_what_the_reader_may_see() {
    let figures = |role: &str| -> Vec<(CellState, String)> {
        let view = Desk::of(role).open("Everything", &[]).unwrap();
        nodes(&view)
            .iter()
            .filter_map(|node| {
                if let Node::Stat(stat) = node { Some((stat.cell.peek().state, stat.cell.peek().text.clone())) } else { None }
            })
            .collect()
    };
    assert_eq!(figures("Employee"), [(CellState::Plain, "3".into()), (CellState::Plain, "1,234.50".into())]);
    assert_eq!(figures("Manager"), [(CellState::Plain, "3".into()), (CellState::Plain, "5,001,333.50".into())]);
}

#[test]
fn a_visitor_is_shown_a_snapshot_through_its_own_permit() {
    let mut desk = Desk::of("Visitor");
    desk.put("Opening", 1, &[("title", "Gardener")]);
    let view = desk.open("Public", &[]).unwrap();
    assert_eq!(grid(&view).rows[0].cells[0].peek().text, "Gardener");
    assert_eq!(view.layout, crate::model::Layout::Plain);
}

#[test]
fn a_reader_is_spoken_to_in_their_language() {
    let mut desk = Desk::of("Employee");
    desk.language = "de".into();
    let view = desk.open("Person", &[("Employee", "Employee~1")]).unwrap();
    let cell = |member: &str| field(&view, &desk.input("Person", member)).cell.peek().text.clone();
    assert_eq!(
        (cell("salary"), cell("joined"), cell("remote"), cell("status")),
        ("1.234,50".into(), "2024-02-29".into(), "Ja".into(), "Im Dienst".into())
    );
    desk.language = "en".into();
    let view = desk.open("Person", &[("Employee", "Employee~1")]).unwrap();
    let cell = |member: &str| field(&view, &desk.input("Person", member)).cell.peek().text.clone();
    assert_eq!(
        (cell("salary"), cell("joined"), cell("seen")),
        ("1,234.50".into(), "29 Feb 2024".into(), "30 Jan 2026, 08:15".into())
    );
}

#[test]
fn what_cannot_be_computed_is_neither_empty_nor_withheld() {
    let desk = Desk::of("Employee");
    let speech = Speech { model: &desk.model, language: "en" };
    let cell = |value| speech.cell(&Kind::INTEGER, &Cell::Shown(value));
    let shown = cell(Value::Uncomputable);
    assert_eq!((shown.state, shown.text.as_str()), (CellState::Uncomputable, "cannot be computed"));
    assert_eq!(cell(Value::Empty).state, CellState::Empty);
    assert_eq!(cell(Value::Integer(0)).state, CellState::Plain);
    assert_eq!(speech.cell(&Kind::INTEGER, &Cell::Withheld).state, CellState::Withheld);
}

#[test]
fn what_a_page_shows_something_of_is_known_before_it_is_opened() {
    let desk = Desk::of("Employee");
    let shown = |page: &str| shown_entities(&desk.model, &desk.model.pages[&name(page)]);
    assert_eq!(shown("Everything"), ["Department", "Employee"].map(name).into(), "a grid, a path in it and a list");
    assert_eq!(shown("Person"), ["Department", "Employee", "Note"].map(name).into(), "views, a reference and what leads there");
    assert!(shown("Public").is_empty(), "a snapshot is not stored");
}
