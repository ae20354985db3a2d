//! Apps of chance, with canary data of chance, asked by everybody and by chance: the reader's table, brute force, memory
//! and what the database enforces alone come to the same; and the attack gains nothing.

use super::shapes;
use crate::access::{Authority, Cell, Filter, FilterOp, Grants, ObjectError, Objects, Query, Row, Rows};
use crate::attack::canary::Random;
use crate::attack::instance::{Instance, Person};
use crate::attack::oracle::{Oracle, Readable};
use crate::attack::{AttackError, Options};
use crate::config::Secret;
use crate::db::{DbError, testing};
use crate::domain::{Kind, Name, ObjectId, QName, Value, parse_value};
use crate::expr::compare_values;
use crate::model::{Entity, Files, load};
use crate::store::{Caller, Recorder, Store, prepare};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::TempDir;

/// Writes a valid app of chance; the seed after which it is.
fn app(seed: u64) -> (TempDir, String) {
    let mut dice = Random::about(seed, "app of chance");
    loop {
        let text = shapes::app(&mut dice);
        let files = [
            ("app.yaml", text.app.as_str()),
            ("m/module.yaml", &text.module),
            ("m/domain.yaml", &text.domain),
            ("m/pages/Front.yaml", &text.page),
            ("m/microflows/Turn.yaml", &text.flow),
        ];
        let (model, findings) = load(&Files::of(files));
        if model.is_none() {
            // What no author could run is of no use; which findings these are is tested elsewhere.
            assert!(findings.human().contains("expression") || findings.human().contains("error"), "{}", findings.human());
            continue;
        }
        let folder = TempDir::new().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        return (folder, format!("seed {seed}\n{}\n{}", text.app, text.domain));
    }
}

/// One person before the whole server, without the wire.
struct Desk<'i> {
    instance: &'i Instance,
    person: &'i Person,
    grants: Grants,
    readable: Readable,
}

impl<'i> Desk<'i> {
    fn of(instance: &'i Instance, person: &'i Person) -> Self {
        let oracle = Oracle { model: &instance.model, world: &instance.canaries.world, now: instance.now };
        let roles = BTreeSet::from([person.who.role.clone()]);
        let (app, live) = (instance.app(), instance.app().live());
        let grants = Grants::compile(&live.model, &roles, true);
        prepare(&app.db, &live.statements, &grants).unwrap();
        Self { readable: oracle.readable(&person.who), instance, person, grants }
    }

    fn ask(&self, query: &Query) -> Result<Rows, String> {
        let app = self.instance.app();
        let live = app.live();
        let recorder =
            Recorder { keys: app.keys.clone(), node: "n".into(), clock: app.clock.clone(), who: None, request_id: None };
        let permit = self.grants.view(&query.entity).map_err(|denied| denied.to_string())?;
        let caller = Caller { user: self.person.who.user, now: app.clock.now() };
        let asked = app.db.read(|conn| {
            let mut store = Store::new(conn, &live.statements, caller, &recorder);
            Ok::<Result<Rows, ObjectError>, DbError>(store.view(&permit, query).map(|rows| rows.peek().clone()))
        });
        asked.unwrap().map_err(|error| error.to_string())
    }

    /// The cells of an entity that brute force gives this person.
    fn own(&self, entity: &QName) -> BTreeMap<ObjectId, &BTreeMap<Name, Value>> {
        self.readable.iter().filter(|((of, _), _)| of == entity).map(|((_, id), cells)| (*id, cells)).collect()
    }
}

/// The value without what is only a way to write it.
fn plain(value: &Value) -> Value {
    match value {
        Value::Decimal(number) => Value::Decimal(number.normalize()),
        Value::List(all) => {
            let mut all = all.clone();
            all.sort_unstable();
            Value::List(all)
        }
        other => other.clone(),
    }
}

/// Compares rows with what brute force gives of them; the number of cells that are withheld.
fn same(rows: &[Row], members: &[Name], own: &BTreeMap<ObjectId, &BTreeMap<Name, Value>>, told: &str) -> usize {
    let mut withheld = 0;
    for row in rows {
        let cells = own.get(&row.id).unwrap_or_else(|| panic!("#{} is not theirs\n{told}", row.id.0));
        for (member, cell) in members.iter().zip(&row.cells) {
            match (cell, cells.get(member)) {
                (Cell::Shown(value), Some(known)) => assert_eq!(plain(value), plain(known), "#{}.{member}\n{told}", row.id.0),
                (Cell::Withheld, None) => withheld += 1,
                (cell, known) => panic!("#{}.{member}: {cell:?}, by brute force {known:?}\n{told}", row.id.0),
            }
        }
    }
    withheld
}

fn holds(filter: &Filter, value: &Value) -> bool {
    let compared = || compare_values(value, &filter.value);
    match filter.op {
        FilterOp::Equal => compared() == Some(Ordering::Equal),
        FilterOp::From => matches!(compared(), Some(Ordering::Equal | Ordering::Greater)),
        FilterOp::To => matches!(compared(), Some(Ordering::Equal | Ordering::Less)),
        FilterOp::Contains | FilterOp::Empty => false,
    }
}

/// A question of chance about members that can be compared, with a value that somebody's row has.
fn question(dice: &mut Random, desk: &Desk<'_>, entity: &Entity, members: &[Name]) -> Query {
    let mut query =
        Query { total: Some(1_000), ..Query::of(&entity.name, members.iter().map(|name| vec![name.clone()]).collect()) };
    let comparable = |name: &&Name| {
        let known =
            entity.attributes.get(*name).is_some_and(|attribute| attribute.calculated.is_none() || name.as_str() == "made");
        known && !matches!(entity.member_kind(name), Some(Kind::Boolean))
    };
    let names: Vec<&Name> = members.iter().filter(comparable).collect();
    let Some(name) = dice.pick(&names) else { return query };
    query.sort = vec![(vec![(*name).clone()], dice.chance(50))];
    let rows = desk.instance.canaries.world.rows[&entity.name].values();
    let values: Vec<Value> =
        rows.map(|row| row.values.get(*name).cloned().unwrap_or_else(|| parse_value(&Kind::INTEGER, "1000").unwrap())).collect();
    let ops: &[FilterOp] = match entity.member_kind(name) {
        Some(Kind::Number(_) | Kind::Date | Kind::DateTime) => &[FilterOp::Equal, FilterOp::From, FilterOp::To],
        _ => &[FilterOp::Equal],
    };
    if let (Some(value), Some(op)) = (dice.pick(&values).filter(|value| !value.is_empty()), dice.pick(ops)) {
        query.filters = vec![Filter { path: vec![(*name).clone()], op: *op, value: value.clone() }];
    }
    query
}

/// Everything that one person can ask about one entity.
fn compare(dice: &mut Random, desk: &Desk<'_>, entity: &Entity, told: &str) -> (usize, usize) {
    let own = desk.own(&entity.name);
    let members: Vec<Name> = desk
        .grants
        .rights()
        .entities
        .get(&entity.name)
        .map(|rights| rights.readable.keys().cloned().collect())
        .unwrap_or_default();
    if members.is_empty() {
        assert!(own.is_empty(), "{told}");
        return (0, 0);
    }
    let all = Query { total: Some(1_000), ..Query::of(&entity.name, members.iter().map(|name| vec![name.clone()]).collect()) };
    let rows = desk.ask(&all).unwrap_or_else(|error| panic!("{error}\n{told}"));
    assert!(!rows.more, "more rows than a page: {told}");
    let ids: BTreeSet<ObjectId> = rows.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, own.keys().copied().collect(), "{}\n{told}", entity.name);
    let hidden = desk.instance.canaries.world.ids(&entity.name).len() - ids.len();
    let withheld = same(&rows.rows, &members, &own, told);
    for _ in 0..4 {
        let query = question(dice, desk, entity, &members);
        let rows = desk.ask(&query).unwrap_or_else(|error| panic!("{error}: {query:?}\n{told}"));
        same(&rows.rows, &members, &own, told);
        let fits = |cells: &BTreeMap<Name, Value>| {
            query.filters.iter().all(|filter| cells.get(&filter.path[0]).is_some_and(|value| holds(filter, value)))
        };
        let ought: BTreeSet<ObjectId> = own.iter().filter(|(_, cells)| fits(cells)).map(|(id, _)| *id).collect();
        let is: BTreeSet<ObjectId> = rows.rows.iter().map(|row| row.id).collect();
        assert_eq!(
            (is, rows.total.map(|total| total.count)),
            (ought.clone(), u32::try_from(ought.len()).ok()),
            "{query:?}\n{told}"
        );
    }
    (hidden, withheld)
}

fn property(database: Option<&Secret>, seeds: std::ops::Range<u64>) {
    let (mut hidden, mut withheld) = (0, 0);
    let few = usize::try_from(seeds.end - seeds.start).unwrap() * 5;
    for seed in seeds {
        let (folder, told) = app(seed);
        let instance = start(folder.path(), database, seed).unwrap_or_else(|error| panic!("{error}\n{told}"));
        let mut dice = Random::about(seed, "questions of chance");
        for person in &instance.people {
            let desk = Desk::of(&instance, person);
            for entity in instance.model.entities.values().filter(|entity| entity.persistable && !entity.system) {
                let found = compare(&mut dice, &desk, entity, &format!("{} {}\n{told}", person.who.role, person.email));
                (hidden, withheld) = (hidden + found.0, withheld + found.1);
            }
        }
        let agreed = instance.app().check_layers().unwrap();
        assert!(agreed.rows > 0 && agreed.differences.is_empty(), "{:?}\n{told}", agreed.differences);
        drop(instance);
        let options = Options { database: database.cloned(), seed, thin: 100_000, ..Options::of(folder.path()) };
        let report = crate::attack::run(&options).unwrap_or_else(|error| panic!("{error}\n{told}"));
        assert!(
            report.gained == 0 && report.faults.is_empty() && report.tried > 500,
            "{}\n{:?}\n{told}",
            report.table(),
            report.faults
        );
    }
    assert!(hidden > few && withheld > few, "the rules are to hide something: {hidden} rows, {withheld} cells");
}

fn start(app: &Path, database: Option<&Secret>, seed: u64) -> Result<Instance, AttackError> {
    Instance::start(app, database, seed, &|_| ())
}

/// `PORTCULLIS_CHANCE=40:100` tries those seeds instead.
fn seeds(usual: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let asked = std::env::var("PORTCULLIS_CHANCE").ok();
    let parsed = asked.and_then(|text| {
        let (from, to) = text.split_once(':')?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    parsed.unwrap_or(usual)
}

#[test]
fn apps_of_chance_show_everybody_what_brute_force_gives_and_the_attack_gains_nothing() {
    property(None, seeds(0..3));
    if let Some(cluster) = testing::cluster::shared() {
        property(Some(&Secret::new(cluster.database())), seeds(3..5));
    }
}
