use super::*;
use crate::access::Part;
use crate::model::{self, Files, Model};
use std::sync::Arc;

const APP: &str = r#"
app: shop
title: Shop
level: prototype
language: en
languages: [en]
modules: [shop]
userRoles:
  Clerk: {moduleRoles: [shop.Desk]}
  Boss: {moduleRoles: [shop.Desk, shop.Head], mayAssign: [Clerk]}
  Nobody: {moduleRoles: []}
guardrails:
  - {deny: write, of: [shop.Item.price], userRoles: [Clerk], doc: Clerks set no price}
  - {deny: delete, of: [shop.Item], userRoles: [Boss], doc: Items stay}
  - {deny: run, of: [shop.Sell], userRoles: [Clerk], doc: Not today}
administration: {users: [Boss]}
demoUsers:
  - {key: a, name: A, email: a@shop.example, userRoles: [Clerk]}
  - {key: b, name: B, email: b@shop.example, userRoles: [Boss]}
  - {key: c, name: C, email: c@shop.example, userRoles: [Nobody]}
"#;
const MODULE: &str = "roles: {Desk: Sells, Head: Decides}\n";
const DOMAIN: &str = r#"
entities:
  Item:
    attributes:
      name: {type: string, length: 50}
      price: {type: decimal, precision: 8, scale: 2}
      stock: {type: integer}
    associations:
      seller: {to: system.User, onDelete: clear}
    access:
      - {roles: [Desk], doc: Cheap ones, create: true, read: [name, price], write: [price], where: "this.price < 100"}
      - {roles: [Desk], doc: Own ones, delete: true, read: [price, seller], where: "this.seller == user"}
      - {roles: [Head], delete: true, read: [name, stock], write: [name]}
"#;
const FLOW: &str = r#"
roles: [Desk]
applyEntityAccess: false
elevation:
  - {entity: Item, create: true, read: [stock], write: [stock], where: "this.stock > 0", doc: Sells}
do:
  - message: {text: Sold, tone: success}
"#;
const PAGE: &str = "title: Items\nroles: [Head]\ncontent: []\n";

fn loaded(extra: &[(&str, &str)]) -> Arc<Model> {
    let files = [
        ("app.yaml", APP),
        ("shop/module.yaml", MODULE),
        ("shop/domain.yaml", DOMAIN),
        ("shop/microflows/Sell.yaml", FLOW),
        ("shop/pages/Items.yaml", PAGE),
    ];
    let (model, findings) = model::load(&Files::of(files.into_iter().chain(extra.iter().copied())));
    Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())))
}

fn matrix() -> Matrix {
    Matrix::of(&loaded(&[]))
}

fn told(matrix: &Matrix, kind: LineKind, object: &str, operation: &str) -> String {
    let line = matrix.line(kind, object, operation).unwrap_or_else(|| panic!("{object} {operation} is missing"));
    let cell = |cell: &Verdict| format!("{}{:?}", cell.state.id(), cell.rules);
    line.cells.iter().map(cell).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_cell_says_yes_only_when_no_condition_is_left() {
    let matrix = matrix();
    assert_eq!(matrix.roles, ["Clerk", "Boss", "Nobody"]);
    for (kind, object, operation, expected) in [
        (LineKind::Member, "shop.Item.name", "read", "conditional[1] yes[] no[]"),
        (LineKind::Member, "shop.Item.price", "read", "conditional[1, 2] conditional[1, 2] no[]"),
        (LineKind::Member, "shop.Item.price", "write", "no[] conditional[1] no[]"),
        (LineKind::Member, "shop.Item.stock", "write", "no[] no[] no[]"),
        (LineKind::Member, "shop.Item.seller", "read", "conditional[2] conditional[2] no[]"),
        (LineKind::Entity, "shop.Item", "create", "conditional[1] conditional[1] no[]"),
        (LineKind::Entity, "shop.Item", "delete", "conditional[2] no[] no[]"),
        (LineKind::Page, "shop.Items", "open", "no[] yes[] no[]"),
        (LineKind::Microflow, "shop.Sell", "run", "no[] yes[] no[]"),
        (LineKind::Administration, "users", "use", "no[] yes[] no[]"),
        (LineKind::Administration, "audit", "use", "no[] no[] no[]"),
        (LineKind::Role, "Clerk", "assign", "no[] yes[] no[]"),
        (LineKind::Role, "Boss", "assign", "no[] no[] no[]"),
    ] {
        assert_eq!(told(&matrix, kind, object, operation), expected, "{object} {operation}");
    }
}

#[test]
fn the_doors_let_in_exactly_whom_the_grants_of_any_set_of_roles_let_in() {
    let apps = ["apps/people", "tests/apps/library"].map(|folder| {
        let files = Files::read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        Arc::new(model::load(&files).0.unwrap())
    });
    let (mut opened, mut closed) = (0, 0);
    for model in apps.into_iter().chain([loaded(&[])]) {
        let doors = Doors::of(&model);
        let names: Vec<&Name> = model.user_roles.keys().collect();
        // Each role, each two of them, and nobody.
        let pairs = names.iter().flat_map(|a| names.iter().map(|b| [(*a).clone(), (*b).clone()].into()));
        for roles in pairs.chain([std::collections::BTreeSet::new()]) {
            let grants = crate::access::Grants::compile(&model, &roles, true);
            for page in model.pages.keys() {
                assert_eq!(doors.opens(page, &roles), grants.open(page).is_ok(), "{page} {roles:?}");
                if grants.open(page).is_ok() { opened += 1 } else { closed += 1 }
            }
            for flow in model.microflows.keys() {
                assert_eq!(doors.runs(flow, &roles), grants.run(flow).is_ok(), "{flow} {roles:?}");
            }
        }
        assert!(!doors.opens(&QName::new("no", "Page"), &names.into_iter().cloned().collect()));
    }
    assert!(opened > 50 && closed > 50, "{opened} {closed}");
}

#[test]
fn a_guardrail_is_named_where_it_denies() {
    let matrix = matrix();
    let note = |kind, object, operation, role: usize| matrix.line(kind, object, operation).unwrap().cells[role].note.clone();
    assert_eq!(note(LineKind::Member, "shop.Item.price", "write", 0), "guardrail: Clerks set no price");
    assert_eq!(note(LineKind::Entity, "shop.Item", "delete", 1), "guardrail: Items stay");
    assert_eq!(note(LineKind::Microflow, "shop.Sell", "run", 0), "guardrail: Not today");
    assert_eq!(note(LineKind::Member, "shop.Item.price", "write", 2), "");
    assert_eq!(note(LineKind::Member, "shop.Item.price", "read", 0), "rule 1: this.price < 100; or rule 2: this.seller == user");
}

#[test]
fn an_elevated_microflow_tells_what_it_has_beyond_its_caller() {
    let matrix = matrix();
    let note = &matrix.line(LineKind::Microflow, "shop.Sell", "run").unwrap().note;
    assert_eq!(note, "elevated: shop.Item create read (stock) write (stock) where this.stock > 0");
}

#[test]
fn everything_in_the_model_has_its_rows_and_what_is_added_is_closed() {
    let module = "roles: {Desk: Sells, Head: Decides, Late: New}\n";
    let domain = format!(
        "{DOMAIN}  Added:\n    attributes:\n      secret: {{type: string}}\n    associations:\n      item: {{to: Item}}\n"
    );
    let added = [
        ("shop/module.yaml", module),
        ("shop/domain.yaml", domain.as_str()),
        ("shop/pages/Added.yaml", "title: A\nroles: []\ncontent: []\n"),
        ("shop/microflows/Added.yaml", "roles: []\ndo: []\n"),
    ];
    let model = loaded(&added);
    let matrix = Matrix::of(&model);
    for line in matrix.rows.iter().filter(|line| line.object.starts_with("shop.Added")) {
        assert!(line.cells.iter().all(|cell| cell.state == State::No), "{line:?}");
    }
    let members: usize = model.entities.values().map(|e| e.members().count()).sum();
    let places = model.pages.len() + model.microflows.len() + model.snapshots.len() + Part::ALL.len() + model.user_roles.len();
    assert_eq!(matrix.rows.len(), places + 2 * model.entities.len() + 2 * members);
    assert!(matrix.rows.iter().all(|line| line.cells.len() == matrix.roles.len()));
}

#[test]
fn a_condition_over_several_lines_stays_one_row() {
    let domain = DOMAIN.replace("where: \"this.price < 100\"", "where: \"this.price\\n <\\t100\"");
    let matrix = Matrix::of(&loaded(&[("shop/domain.yaml", &domain)]));
    assert_eq!(matrix.rules[0].condition, "this.price < 100");
    assert_eq!(matrix.csv().lines().count(), 1 + matrix.rows.len() + matrix.rules.len());
}

#[test]
fn a_part_of_the_matrix_keeps_only_the_rules_it_refers_to() {
    let matrix = matrix();
    assert_eq!(matrix.rules.iter().map(|rule| rule.number).collect::<Vec<_>>(), [1, 2]);
    let sellers = matrix.filtered(Some(LineKind::Member), "SELLER");
    assert_eq!((sellers.rows.len(), sellers.rules.len(), sellers.rules[0].number), (2, 1, 2));
    let nobody = matrix.of_role("Nobody").unwrap();
    assert!(nobody.rules.is_empty() && nobody.rows.len() == matrix.rows.len());
    assert!(matrix.of_role("Stranger").is_none());
}

#[test]
fn a_terminal_a_spreadsheet_and_a_program_read_the_same() {
    let matrix = matrix();
    let csv = matrix.csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "kind,object,operation,note,Clerk,Boss,Nobody");
    assert!(lines.contains(&"member,shop.Item.price,read,,if 1|2,if 1|2,no"), "{csv}");
    assert!(lines.contains(&"member,shop.Item.price,write,,never,if 1,no"), "{csv}");
    assert!(lines.contains(&"rule,shop.Item,2,where this.seller == user (Own ones),,,"), "{csv}");
    assert_eq!(lines.len(), 1 + matrix.rows.len() + matrix.rules.len());
    let table = matrix.table();
    assert!(table.contains("shop.Item.price     read       if 1|2  if 1|2  ·\n"), "{table}");
    assert!(table.contains("shop.Item 1: this.price < 100\n    Cheap ones\n"), "{table}");
    let one = matrix.of_role("Clerk").unwrap().table();
    assert!(one.contains("if 1|2  rule 1: this.price < 100; or rule 2: this.seller == user\n"), "{one}");
    let json: serde_json::Value = serde_json::to_value(&matrix).unwrap();
    assert_eq!((json["schema"].as_u64(), json["rows"].as_array().unwrap().len()), (Some(1), matrix.rows.len()));
}
