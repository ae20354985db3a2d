//! What rights on one entity come to, composed as pieces of generated text (SQLite).
//!
//! Guarantees: a piece is named after a digest of its own text, in which other pieces appear by their names; so equal
//! text is one piece, whichever rights it comes from. Pieces stand on each other in
//! one direction: triggers on readers' views, these on witness views, these on tables.
//! Deliberately not here: which sets there are, and what has been composed before (`super::pieces`).

use super::Set;
use super::checks::Check;
use super::inputs::Inputs;
use super::naming::{Ids, Names};
use super::pieces::Pieces;
use super::triggers::ByTable;
use super::views::{link_view, witness_links, witness_view};
use crate::access::{EntityRights, Rights};
use crate::db::sql::Sql;
use crate::db::{Object, ObjectKind, Piece};
use crate::domain::Name;
use crate::store::lower::{LowerError, Lowered};
use crate::store::names;
use crate::store::statements::{Compiled, Footing, Source, Statements};
use crate::store::tables::{Place, Table, Tables};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands in the place of a piece's own id until its text is known. No id looks like it.
const OWN: &str = "(an own identity)";

/// Pieces by the tables that they are of.
pub(super) type Views = BTreeMap<Name, Arc<Piece>>;
/// The pieces of triggers, by the tables that they look at.
pub(super) type Watches = Vec<(Name, Arc<Piece>)>;

/// What a set of rights reads of one entity.
#[derive(Debug)]
pub(in crate::store) struct Portion {
    /// What it was composed from: the same key means the same pieces.
    pub key: Arc<str>,
    pub witnesses: Views,
    /// What may be read; nothing where nothing may be.
    pub reader: Option<Arc<Piece>>,
    /// The names for statements.
    pub names: Names,
}

/// What a piece is made of: objects with their statements.
type Draft = Vec<(Name, ObjectKind, Sql)>;

impl Portion {
    /// Of an entity that the rights say nothing about.
    pub(super) fn nothing() -> Self {
        let names = Names::of_texts(super::roles::EVERY.into(), Arc::default(), Arc::default());
        Self { key: "nothing".into(), witnesses: Views::new(), reader: None, names }
    }

    pub(super) fn compose(
        pieces: &Pieces,
        statements: &Statements,
        rights: &Rights,
        of: &Arc<EntityRights>,
        questions: &Inputs,
        key: Arc<str>,
    ) -> Lowered<Self> {
        let (tables, entity) = (&statements.tables, &of.entity.name);
        let table = tables.get(entity).ok_or_else(|| LowerError::Unstored(entity.to_string()))?.clone();
        let inputs = Inputs::of_entity(tables, of);
        let witnesses = witnesses(pieces, tables, &inputs)?;
        let seen = Arc::new(ids(&witnesses));
        // What stands unmasked in the view: what the rules about its own rows compare, and what the model asks.
        let mut shown = Inputs { along: inputs.along, ..Inputs::default() };
        let columns = [&inputs.columns, &questions.columns].into_iter().filter_map(|columns| columns.get(entity));
        shown.columns.insert(entity.clone(), columns.flatten().cloned().collect());
        let names = |own: &Arc<str>| Names::of_texts(own.clone(), seen.clone(), Arc::new(own_views(&table, own)));
        if of.readable.is_empty() {
            return Ok(Self { key, witnesses, reader: None, names: Names::of_texts(names_nothing(), seen, Arc::default()) });
        }
        let reader = identified(pieces, &known(&witnesses, names::witness), &|own| {
            let set = Set { id: own.clone(), rights, names: names(own), inputs: shown.clone() };
            let compiled = Compiled::new(tables, rights, of, Footing::Maker, Some(&set.names))?;
            Ok(set.reader_draft(&compiled))
        })?;
        let names = names(&reader.id);
        Ok(Self { key, witnesses, reader: Some(reader), names })
    }
}

impl Set<'_> {
    /// The view of an entity, and one for each of its lists of links.
    fn reader_draft(&self, compiled: &Compiled) -> Draft {
        let view = self.names.reader(&compiled.table.name);
        let mut draft = vec![(view.clone(), ObjectKind::View, self.reader_view(&view, compiled, false))];
        for (member, readable) in &compiled.readable {
            let (Source::Link(_), Some(Place::Link(link))) = (&readable.value, compiled.table.members.get(member)) else {
                continue;
            };
            let view = self.names.reader(&link.table);
            draft.push((view.clone(), ObjectKind::View, link_view(&view, &link.table, compiled, readable, false)));
        }
        draft
    }
}

/// The triggers that look at what a set writes of one entity and of its links. `targets` are the readers' views of
/// the entities that its associations point at.
pub(super) fn watches(
    pieces: &Pieces,
    statements: &Statements,
    rights: &Rights,
    of: &Arc<EntityRights>,
    portion: &Portion,
    targets: &Views,
) -> Lowered<Watches> {
    let tables = &statements.tables;
    let (seen, read) = (Arc::new(ids(&portion.witnesses)), Arc::new(ids(targets)));
    let mut stands_on = known(&portion.witnesses, names::witness);
    stands_on.extend(known(targets, names::reader));
    let checks = |own: &Arc<str>| -> Lowered<(ByTable, Names)> {
        let names = Names::of_texts(own.clone(), seen.clone(), read.clone());
        let set = Set { id: own.clone(), rights, names: names.clone(), inputs: Inputs::default() };
        let compiled = Compiled::new(tables, rights, of, Footing::Maker, Some(&names))?;
        let mut all = ByTable::new();
        set.checks(statements, &compiled, &mut all)?;
        Ok((all, names))
    };
    let mut all = Watches::new();
    for table in checks(&OWN.into())?.0.into_keys() {
        let piece = identified(pieces, &stands_on, &|own| {
            let (mut all, names) = checks(own)?;
            let checks = all.remove(&table).unwrap_or_default();
            Ok(trigger_draft(own, tables, rights, names, &table, checks))
        })?;
        all.push((table, piece));
    }
    Ok(all)
}

/// Triggers that refuse what is listed for the guard's sake only.
pub(super) fn refusal(
    pieces: &Pieces,
    tables: &Tables,
    rights: &Rights,
    table: &Name,
    checks: &dyn Fn() -> Vec<Check>,
) -> Lowered<Arc<Piece>> {
    identified(pieces, &[], &|own| {
        let names = Names::of_texts(own.clone(), Arc::default(), Arc::default());
        Ok(trigger_draft(own, tables, rights, names, table, checks()))
    })
}

fn trigger_draft(own: &Arc<str>, tables: &Tables, rights: &Rights, names: Names, table: &Name, checks: Vec<Check>) -> Draft {
    let set = Set { id: own.clone(), rights, names, inputs: Inputs::default() };
    let triggers = set.temporary_triggers(tables, table, checks);
    triggers.into_iter().map(|(name, sql)| (name, ObjectKind::Trigger, sql)).collect()
}

/// The views that rules look through.
pub(super) fn witnesses(pieces: &Pieces, tables: &Tables, inputs: &Inputs) -> Lowered<Views> {
    let mut all = Views::new();
    let mut add = |table: &Name, view: &dyn Fn(&Name) -> Sql| -> Lowered<()> {
        let piece = identified(pieces, &[], &|own| {
            let name = names::witness(own, table);
            let sql = view(&name);
            Ok(vec![(name, ObjectKind::View, sql)])
        })?;
        all.insert(table.clone(), piece);
        Ok(())
    };
    for (entity, columns) in &inputs.columns {
        let Some(table) = tables.get(entity) else { continue };
        add(&table.name, &|name| witness_view(name, &table.name, columns))?;
    }
    for link in &inputs.links {
        add(link, &|name| witness_links(name, link))?;
    }
    Ok(all)
}

/// Composes a piece: once to learn its id, and once more with it, unless it is known.
fn identified(
    pieces: &Pieces,
    stands_on: &[(Name, Arc<Piece>)],
    draft: &dyn Fn(&Arc<str>) -> Lowered<Draft>,
) -> Lowered<Arc<Piece>> {
    use crate::db::Dialect::Sqlite;
    let text: Vec<String> = draft(&OWN.into())?.iter().map(|(_, _, sql)| sql.ddl(Sqlite)).collect();
    let digest = super::catalogue::digest(&text.join(";\n"));
    if let Some(known) = pieces.known(&digest) {
        return Ok(known);
    }
    let id: Arc<str> = digest.chars().take(16).collect::<String>().into();
    let draft = draft(&id)?;
    let named = |view: &Name| draft.iter().any(|(_, _, sql)| sql.idents().any(|ident| ident == view.as_str()));
    let needs = stands_on.iter().filter(|(view, _)| named(view)).map(|(_, piece)| piece.clone()).collect();
    let object =
        |(name, kind, sql): &(Name, ObjectKind, Sql)| Object { name: name.to_string(), kind: *kind, text: sql.ddl(Sqlite) };
    let piece = Arc::new(Piece { id, objects: draft.iter().map(object).collect(), needs });
    pieces.keep(digest, &piece);
    Ok(piece)
}

fn ids(views: &Views) -> Ids {
    views.iter().map(|(table, piece)| (table.clone(), piece.id.clone())).collect()
}

/// Each view with its name.
fn known(views: &Views, name: fn(&str, &str) -> Name) -> Vec<(Name, Arc<Piece>)> {
    views.iter().map(|(table, piece)| (name(&piece.id, table), piece.clone())).collect()
}

/// An entity's table and link tables, read under one id.
fn own_views(table: &Table, own: &Arc<str>) -> Ids {
    let links = table.members.values().filter_map(|place| if let Place::Link(link) = place { Some(&link.table) } else { None });
    links.chain([&table.name]).map(|table| (table.clone(), own.clone())).collect()
}

fn names_nothing() -> Arc<str> {
    super::roles::EVERY.into()
}
