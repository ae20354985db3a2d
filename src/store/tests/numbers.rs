//! Declared digits, rounding, and numbers that cannot be computed: through the reader's table, on both databases.

use super::fixture::{APP, App, Known, MODULE, Person, dec, hr, model_of, numbers, path};
use crate::access::{Authority, Cell, Filter, FilterOp, ObjectError, Objects, Query, Rows, WriteError};
use crate::db::testing::each;
use crate::domain::{Kind, Name, Number, ObjectId, Value};
use crate::expr::{Scope, check_condition, sql_gap};
use crate::model::{Files, load};

const ORDERS: &str = "
entities:
  Order:
    attributes:
      name: {type: string, length: 40, required: true}
      total: {type: decimal, precision: 12, scale: 2, calculated: \"sum(this.lines.amount)\"}
      dearest: {type: decimal, precision: 12, scale: 2, calculated: \"max(this.lines.amount)\"}
      cheapest: {type: decimal, precision: 12, scale: 2, calculated: \"min(this.lines.amount)\"}
    access:
      - {roles: [Administrator], create: true, read: [name, total, dearest, cheapest], write: [name]}
  Line:
    attributes:
      quantity: {type: decimal, precision: 10, scale: 2}
      unitPrice: {type: decimal, precision: 10, scale: 2}
      amount: {type: decimal, precision: 10, scale: 2, calculated: \"this.quantity * this.unitPrice\"}
      share: {type: decimal, calculated: \"this.amount / 3\"}
    associations:
      order: {to: Order, inverse: lines, onDelete: cascade}
    access:
      - {roles: [User], read: [amount], where: \"this.amount > 10\"}
      - roles: [Administrator]
        create: true
        read: [quantity, unitPrice, amount, share, order]
        write: [quantity, unitPrice, order]
";

fn orders<'d>(db: &'d crate::db::Db) -> (App<'d>, Person, ObjectId) {
    let app = App::of(db, model_of(ORDERS));
    let admin = app.admin();
    let order = app.create(&admin, "Order", [("name", Value::text("One"))]).unwrap();
    (app, admin, order)
}

fn line(app: &App<'_>, admin: &Person, order: ObjectId, quantity: &str, price: &str) -> ObjectId {
    let all = [("quantity", dec(quantity)), ("unitPrice", dec(price)), ("order", Value::Object(order))];
    app.create(admin, "Line", all).unwrap()
}

fn shown(app: &App<'_>, who: &Person, entity: &str, id: ObjectId, member: &str) -> Value {
    match app.see(who, entity, id, &[member]).unwrap().cells.remove(0) {
        Cell::Shown(value) => value,
        Cell::Withheld => panic!("{entity}.{member} is withheld"),
    }
}

fn sum(app: &App<'_>, who: &Person, entity: &str, member: &str) -> Result<Value, ObjectError> {
    let permit = who.grants.view(&hr(entity))?;
    let query = Query::of(&hr(entity), Vec::new());
    let cell = app.read(who, |store| store.figure(&permit, &query, Some(&Name::new(member))).map(|cell| cell.peek().clone()))?;
    Ok(cell.value().cloned().unwrap_or(Value::Empty))
}

#[test]
fn a_calculated_member_has_the_digits_that_it_declares_wherever_it_is_asked_for() {
    each(|db| {
        let (app, admin, order) = orders(db);
        let first = line(&app, &admin, order, "12.34", "110.62");
        line(&app, &admin, order, "0.05", "0.50");
        line(&app, &admin, order, "0.05", "1.50");
        assert_eq!(shown(&app, &admin, "Line", first, "amount"), dec("1365.05"), "12.34 · 110.62 is 1365.0508");
        // 0.0250 and 0.0750 are rounded to the even digit before they are summed.
        assert_eq!(shown(&app, &admin, "Order", order, "total"), dec("1365.15"));
        assert_eq!(shown(&app, &admin, "Order", order, "dearest"), dec("1365.05"));
        assert_eq!(shown(&app, &admin, "Order", order, "cheapest"), dec("0.02"));
        assert_eq!(sum(&app, &admin, "Line", "amount").unwrap(), dec("1365.15"));
        let user = app.person("Employee", None);
        let admitted = app.view(&user, &Query::of(&hr("Line"), vec![path("amount")])).unwrap();
        assert_eq!(admitted.rows.len(), 1, "rules compare at the declared digits");
        let mut sorted = Query::of(&hr("Line"), vec![path("amount")]);
        sorted.sort = vec![(path("amount"), true)];
        sorted.filters = vec![Filter { path: path("amount"), op: FilterOp::To, value: dec("0.08") }];
        assert_eq!(column(&app.view(&admin, &sorted).unwrap()), [dec("0.08"), dec("0.02")]);
        assert!(sum(&app, &admin, "Line", "share").is_err(), "what only memory computes is summed by nobody");
        let share = shown(&app, &admin, "Line", first, "share");
        assert_eq!(share, dec("455.02"), "but it is shown, with the digits that it declares");
    });
}

fn column(rows: &Rows) -> Vec<Value> {
    rows.rows.iter().filter_map(|row| row.cells.first()?.value().cloned()).collect()
}

#[test]
fn a_number_that_cannot_be_computed_takes_no_list_from_anybody() {
    each(|db| {
        let (app, admin, order) = orders(db);
        line(&app, &admin, order, "2.00", "3.00");
        let broken = line(&app, &admin, order, "99999999.99", "99999999.99");
        let bare = app.create(&admin, "Line", [("order", Value::Object(order))]).unwrap();
        line(&app, &admin, order, "2.00", "4.00");
        let all = Query::of(&hr("Line"), vec![path("amount")]);
        let values = column(&app.view(&admin, &all).unwrap());
        assert_eq!(values, [dec("6.00"), Value::Uncomputable, Value::Empty, dec("8.00")], "three kinds of cell");
        for descending in [false, true] {
            let sorted = app.view(&admin, &Query { sort: vec![(path("amount"), descending)], ..all.clone() }).unwrap();
            let mut known = [dec("6.00"), dec("8.00")];
            if descending {
                known.reverse();
            }
            assert_eq!(column(&sorted)[..2], known);
            assert_eq!(sorted.rows[2..].iter().map(|row| row.id).collect::<Vec<_>>(), [broken, bare], "last, by their keys");
        }
        for (op, value, found) in [
            (FilterOp::From, dec("0.00"), 2),
            (FilterOp::To, dec("99999999.99"), 2),
            (FilterOp::Equal, dec("99999999.99"), 0),
            (FilterOp::Empty, Value::Empty, 1),
        ] {
            let filters = vec![Filter { path: path("amount"), op, value }];
            assert_eq!(app.view(&admin, &Query { filters, ..all.clone() }).unwrap().rows.len(), found, "{op:?}");
        }
        for member in ["total", "dearest", "cheapest"] {
            assert_eq!(shown(&app, &admin, "Order", order, member), Value::Uncomputable, "{member}");
        }
        assert_eq!(sum(&app, &admin, "Line", "amount").unwrap(), Value::Uncomputable);
        let user = app.person("Employee", None);
        assert_eq!(app.view(&user, &all).unwrap().rows.len(), 0, "a rule over it is false, and reveals nothing");
        for who in [&admin, &user] {
            app.read(who, |store| {
                assert_eq!(store.compare(who.grants.rights(), 1).unwrap().differences, [], "no false incident");
                assert_eq!(store.compare_alone(&who.grants, 1).unwrap().differences, []);
            });
        }
    });
}

#[test]
fn a_sum_of_stored_numbers_may_be_too_large_without_an_error() {
    each(|db| {
        let app = App::of(db, model_of(&numbers()));
        let admin = app.admin();
        let most = dec("9999999999.99999999");
        for name in ["a", "b"] {
            let all = [("name", Value::text(name)), ("price", most.clone()), ("big", Value::Integer(999_999_999_999_999))];
            app.create(&admin, "Employee", all).unwrap();
        }
        assert_eq!(sum(&app, &admin, "Employee", "price").unwrap(), Value::Uncomputable);
        assert_eq!(sum(&app, &admin, "Employee", "big").unwrap(), Value::Integer(1_999_999_999_999_998));
        let less = [("name", Value::text("c")), ("price", dec("-9999999999.99999999"))];
        app.create(&admin, "Employee", less).unwrap();
        assert_eq!(sum(&app, &admin, "Employee", "price").unwrap(), most, "what is in between does not matter");
    });
}

#[test]
fn a_stored_number_is_refused_at_its_member_when_it_has_too_many_digits() {
    each(|db| {
        let app = App::of(db, model_of(&numbers()));
        let admin = app.admin();
        for (member, value) in [
            ("salary", dec("1.005")),
            ("salary", dec("100000000.00")),
            ("price", dec("10000000000")),
            ("big", Value::Integer(1_000_000_000_000_000)),
            ("big", Value::Uncomputable),
        ] {
            let refused = app.create(&admin, "Employee", [("name", Value::text("x")), (member, value.clone())]);
            let Err(WriteError::Invalid(said)) = refused else { panic!("{member} {value:?}: {refused:?}") };
            assert_eq!(said[0].member.as_deref(), Some(member), "{said:?}");
        }
        let kept = app.create(&admin, "Employee", [("name", Value::text("x")), ("salary", dec("1.500"))]).unwrap();
        assert_eq!(shown(&app, &admin, "Employee", kept, "salary"), dec("1.50"), "zeros are no digits");
    });
}

/// A page over lines, with one list and one figure.
fn page(member: &str) -> String {
    format!(
        "title: Lines\nroles: [Administrator]\ncontent:\n  - dataGrid: {{source: {{entity: Line, sort: [{member}]}}, \
         columns: [{{show: {member}}}], filters: [{member}]}}\n  - stat: {{title: All, source: {{entity: Line}}, value: {{sum: {member}}}}}\n"
    )
}

#[test]
fn what_only_memory_computes_is_found_wherever_the_database_would_be_asked_about_it() {
    let findings = |member: &str| {
        let page = page(member);
        let files = [("app.yaml", APP), ("hr/module.yaml", MODULE), ("hr/domain.yaml", ORDERS), ("hr/pages/Lines.yaml", &page)];
        let (_, findings) = load(&Files::of(files));
        findings.0.into_iter().filter(|found| found.code == "not-queryable").map(|found| found.message).collect::<Vec<_>>()
    };
    assert_eq!(findings("amount"), Vec::<String>::new());
    let found = findings("share");
    for how in ["sorted by", "filtered by", "summed"] {
        assert!(found.iter().any(|message| message.contains(&format!("`share` cannot be {how}"))), "{how}: {found:?}");
    }
    assert_eq!(found.len(), 3, "a column that is only shown is none: {found:?}");
}

#[test]
fn a_variable_with_more_digits_than_a_column_is_not_cut_down_to_compare_it() {
    let known = Known(model_of(ORDERS));
    let mut scope = Scope::new(&known, Name::new("hr")).with_this(&hr("Line"));
    for (name, digits) in [("Long", 28), ("Short", 18)] {
        scope.variables.insert(Name::new(name), Kind::Number(Number { digits, scale: 4 }));
    }
    let gap = |text: &str| sql_gap(&check_condition(text, &scope).unwrap()).is_some();
    assert!(gap("this.quantity > $Long") && gap("this.quantity * 2 > $Long + 1"));
    assert!(!gap("this.quantity > $Short") && !gap("this.quantity * this.unitPrice > $Short"));
}
