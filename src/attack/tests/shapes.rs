//! Apps of chance: entities, members, associations, rules, roles, guardrails and a flow that nobody thought of.

use crate::attack::canary::Random;
use std::fmt::Write;

/// What a member is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    Moment,
    Tint,
    /// One object of the entity with this number.
    One(usize),
    /// Any number of them; with an inverse or not.
    Many(usize),
}

struct Shape {
    members: Vec<(String, Sort)>,
    /// Inverse names by which other entities' objects are reached.
    back: Vec<(String, usize)>,
    tree: bool,
}

/// The files of an app.
pub(super) struct Text {
    pub app: String,
    pub module: String,
    pub domain: String,
    pub page: String,
    pub flow: String,
}

const ROLES: [&str; 3] = ["Left", "Right", "Other"];

/// An app that may or may not be valid; the checker says.
pub(super) fn app(dice: &mut Random) -> Text {
    let mut shapes: Vec<Shape> = (0..2 + dice.below(3)).map(|number| shape(dice, number)).collect();
    link(dice, &mut shapes);
    let mut domain = "enumerations:\n  Tint: {Red: {}, Green: {}, Blue: {}}\nentities:\n".to_owned();
    for number in 0..shapes.len() {
        entity(dice, &shapes, number, &mut domain);
    }
    Text {
        app: head(dice, &shapes),
        module: "roles: {Left: L, Right: R, Other: O}\n".into(),
        domain,
        page: front(),
        flow: flow(dice, &shapes),
    }
}

fn shape(dice: &mut Random, number: usize) -> Shape {
    const PLAIN: [Sort; 7] = [Sort::Text, Sort::Integer, Sort::Decimal, Sort::Boolean, Sort::Date, Sort::Moment, Sort::Tint];
    let sorts = (0..2 + dice.below(4)).filter_map(|_| dice.pick(&PLAIN).copied());
    let mut members: Vec<(String, Sort)> = vec![("name".into(), Sort::Text), ("flag".into(), Sort::Boolean)];
    members.extend(sorts.enumerate().map(|(at, sort)| (format!("m{at}"), sort)));
    Shape { members, back: Vec::new(), tree: number > 0 && dice.chance(30) }
}

/// Associations among them, each with an inverse as often as not.
fn link(dice: &mut Random, shapes: &mut [Shape]) {
    let count = shapes.len();
    for from in 0..count {
        if shapes[from].tree {
            shapes[from].members.push(("parent".into(), Sort::One(from)));
            shapes[from].back.push(("children".into(), from));
        }
        for at in 0..1 + dice.below(2) {
            let to = dice.below(count);
            let sort = if dice.chance(30) { Sort::Many(to) } else { Sort::One(to) };
            shapes[from].members.push((format!("to{at}"), sort));
            shapes[to].back.push((format!("of{from}x{at}"), from));
        }
    }
}

fn entity(dice: &mut Random, shapes: &[Shape], number: usize, out: &mut String) {
    let shape = &shapes[number];
    let _ = write!(out, "  E{number}:\n    attributes:\n");
    for (name, sort) in &shape.members {
        let kind = match sort {
            Sort::Text => "type: string, length: 60",
            Sort::Integer => "type: integer",
            Sort::Decimal => "type: decimal, precision: 10, scale: 2",
            Sort::Boolean => "type: boolean",
            Sort::Date => "type: date",
            Sort::Moment => "type: datetime",
            Sort::Tint => "type: enumeration, of: Tint",
            Sort::One(_) | Sort::Many(_) => continue,
        };
        let required = if *sort != Sort::Boolean && dice.chance(25) { ", required: true" } else { "" };
        let _ = writeln!(out, "      {name}: {{{kind}{required}}}");
    }
    if let Some(name) = decimal(shape) {
        let made = format!("{{type: decimal, precision: 8, scale: 1, calculated: \"this.{name} * this.{name}\"}}");
        let _ = writeln!(out, "      made: {made}");
    }
    out.push_str("      told: {type: string, calculated: \"this.name + '!'\"}\n    associations:\n");
    if number == 0 {
        out.push_str("      account: {to: system.User, kind: one-to-one, inverse: person, onDelete: clear}\n");
    }
    for (name, sort) in &shape.members {
        let inverse = match name.strip_prefix("to") {
            Some(at) => format!("of{number}x{at}"),
            None => "children".to_owned(),
        };
        let when = dice.pick(&["refuse", "cascade", "clear"]).copied().unwrap_or("refuse");
        let _ = match sort {
            Sort::One(to) => writeln!(out, "      {name}: {{to: E{to}, inverse: {inverse}, onDelete: {when}}}"),
            Sort::Many(to) => writeln!(out, "      {name}: {{to: E{to}, kind: many-to-many, inverse: {inverse}}}"),
            _ => Ok(()),
        };
    }
    if shape.tree {
        out.push_str("    tree: parent\n");
    }
    out.push_str("    access:\n");
    for role in ROLES {
        (0..dice.below(4)).for_each(|_| rule(dice, shapes, number, role, out));
    }
    rule(dice, shapes, number, "Left", out);
}

/// The decimal that the entity's calculated number is made of, if it has one: rounded for some rows, too large for others.
fn decimal(shape: &Shape) -> Option<&str> {
    shape.members.iter().find(|(_, sort)| *sort == Sort::Decimal).map(|(name, _)| name.as_str())
}

fn some(dice: &mut Random, of: &[String], percent: usize) -> Vec<String> {
    let mut all: Vec<String> = of.iter().filter(|_| dice.chance(percent)).cloned().collect();
    if all.is_empty() {
        all.extend(dice.pick(of).cloned());
    }
    all
}

fn rule(dice: &mut Random, shapes: &[Shape], number: usize, role: &str, out: &mut String) {
    let own: Vec<String> = shapes[number].members.iter().map(|(name, _)| name.clone()).collect();
    let mut read = some(dice, &own, 50);
    let write = if dice.chance(40) { some(dice, &read, 60) } else { Vec::new() };
    if dice.chance(30) {
        read.push("told".into());
    }
    if decimal(&shapes[number]).is_some() && dice.chance(50) {
        read.push("made".into());
    }
    let may = ["", ", create: true", ", delete: true", ", create: true, delete: true"][dice.below(4)];
    let condition = if dice.chance(75) { format!(", where: \"{}\"", condition(dice, shapes, number, 2)) } else { String::new() };
    let write = if write.is_empty() { String::new() } else { format!(", write: [{}]", write.join(", ")) };
    let _ = writeln!(out, "      - {{roles: [{role}], read: [{}]{write}{may}{condition}}}", read.join(", "));
}

/// A condition about `this`, an object of the entity with this number.
fn condition(dice: &mut Random, shapes: &[Shape], number: usize, deep: usize) -> String {
    if deep > 0 && dice.chance(40) {
        let (a, b) = (condition(dice, shapes, number, deep - 1), condition(dice, shapes, number, deep - 1));
        return match dice.below(4) {
            0 => format!("({a} && {b})"),
            1 | 2 => format!("({a} || {b})"),
            _ => format!("!({a})"),
        };
    }
    if number == 0 && dice.chance(25) {
        return "this.account == user".into();
    }
    if shapes[number].tree && dice.chance(20) {
        let anchor = shapes[0].members.iter().find(|(_, sort)| *sort == Sort::One(number));
        if let Some((name, _)) = anchor {
            return format!("within(this, user.person.{name})");
        }
    }
    if !shapes[number].back.is_empty() && dice.chance(20) {
        return backwards(dice, shapes, number);
    }
    about(dice, shapes, "this", number, 2)
}

/// A condition over those that point here.
fn backwards(dice: &mut Random, shapes: &[Shape], number: usize) -> String {
    let (name, from) = &shapes[number].back[dice.below(shapes[number].back.len())];
    match dice.below(3) {
        0 => format!("exists(this.{name})"),
        1 => format!("exists(this.{name}[{}])", about(dice, shapes, "item", *from, 0)),
        _ => format!("count(this.{name}) > 1"),
    }
}

/// A condition over one member of `at`, or of what it leads to.
fn about(dice: &mut Random, shapes: &[Shape], at: &str, number: usize, deep: usize) -> String {
    let members = &shapes[number].members;
    let (name, sort) = &members[dice.below(members.len())];
    let path = format!("{at}.{name}");
    match sort {
        Sort::Text => {
            [format!("{path} != empty"), format!("contains({path}, 'b')"), format!("length({path}) > 12")][dice.below(3)].clone()
        }
        Sort::Integer => format!("{path} {} {}", ["<", ">=", "!="][dice.below(3)], dice.below(1_000_000)),
        Sort::Decimal if dice.chance(40) => {
            format!("{at}.made {} {}.5", ["<=", ">", "!="][dice.below(3)], dice.below(10_000_000))
        }
        Sort::Decimal => format!("{path} {} {}.50", ["<=", ">"][dice.below(2)], dice.below(100_000)),
        Sort::Boolean => format!("{}{path}", ["", "!"][dice.below(2)]),
        Sort::Date => [format!("{path} < today()"), format!("{path} == empty"), format!("{path} >= addDays(today(), -30)")]
            [dice.below(3)]
        .clone(),
        Sort::Moment => [format!("{path} < now()"), format!("{path} != empty")][dice.below(2)].clone(),
        Sort::Tint => [format!("{path} == 'Red'"), format!("{path} in ['Red', 'Blue']")][dice.below(2)].clone(),
        Sort::One(0) if dice.chance(50) => format!("{path} == user.person"),
        Sort::One(to) if deep > 0 => about(dice, shapes, &path, *to, deep - 1),
        Sort::One(_) => format!("{path} != empty"),
        Sort::Many(0) if at == "this" => format!("user.person in {path}"),
        Sort::Many(_) if at == "this" => format!("exists({path})"),
        Sort::Many(_) => format!("{at}.flag"),
    }
}

fn head(dice: &mut Random, shapes: &[Shape]) -> String {
    let mut out = "app: chance\ntitle: Chance\nlevel: prototype\nlanguage: en\nlanguages: [en]\nmodules: [m]\nuserRoles:\n  \
         One: {moduleRoles: [m.Left]}\n  Both: {moduleRoles: [m.Left, m.Right]}\n  Apart: {moduleRoles: [m.Other]}\nadministration: {}\n\
         navigation:\n  - {userRoles: [One, Both, Apart], home: m.Front, menu: []}\ndemoUsers: []\n"
        .to_owned();
    if dice.chance(50) {
        let number = dice.below(shapes.len());
        let members: Vec<String> = shapes[number].members.iter().map(|(name, _)| name.clone()).collect();
        let of: Vec<String> = some(dice, &members, 20).iter().map(|name| format!("m.E{number}.{name}")).collect();
        let deny = ["read", "write"][dice.below(2)];
        let _ = writeln!(
            out,
            "guardrails:\n  - {{deny: {deny}, of: [{}], userRoles: [{}]}}",
            of.join(", "),
            ["Both", "One"][dice.below(2)]
        );
    }
    out
}

fn front() -> String {
    "title: Front\nlayout: app\nroles: [Left, Right, Other]\ncontent:\n  - text: {value: Here}\n".into()
}

/// A flow with rights of its own over one entity, beside or below those of its caller.
fn flow(dice: &mut Random, shapes: &[Shape]) -> String {
    let number = dice.below(shapes.len());
    let condition = condition(dice, shapes, number, 1);
    format!(
        "roles: [Right]\nparameters: {{Thing: E{number}}}\napplyEntityAccess: false\nelevation:\n  \
         - {{entity: E{number}, read: [name, flag], write: [flag], where: \"{condition}\", doc: Turns it}}\ndo:\n  \
         - change: {{object: $Thing, set: {{flag: \"!$Thing.flag\"}}}}\n"
    )
}
