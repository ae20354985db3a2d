//! Changing.

use super::hand::Hand;
use super::{
    Values, clash, compiled, feedback, granting, note, references, refused, refused_openly, row, settle, still, values, writable,
};
use crate::access::{Change, Permit, WriteError};
use crate::audit::EventKind;
use crate::db::sql::execute;
use crate::domain::{ObjectId, Value};
use crate::store::Store;
use crate::store::error::{disagreement, wire};
use crate::store::lower::Condition;
use crate::store::statements::Compiled;
use crate::store::trees::Tree;

pub(in crate::store) fn change(
    store: &mut Store<'_>,
    permit: &Permit<Change>,
    object: ObjectId,
    version: Option<i64>,
    given: &Values,
) -> Result<(), WriteError> {
    let compiled = compiled(store, permit)?;
    let (entity, rights) = (compiled.table.entity.clone(), permit.rights());
    writable(&compiled, given)?;
    let rules = granting(&compiled, given);
    let tree = Tree::of(&compiled.table).filter(|tree| given.contains_key(tree.member));
    if let Some(tree) = &tree {
        tree.lock(store.conn).map_err(wire)?;
    }
    let before = before(store, &compiled, permit, object, version, &rules)?;
    let (given_members, given) = (given.clone(), values::normal(&entity, given.clone()));
    let differing: Values = given.into_iter().filter(|(name, value)| before.values.get(name) != Some(value)).collect();
    if differing.is_empty() {
        return Ok(());
    }
    let mut all = before.values.clone();
    all.extend(differing.clone());
    let wrong = values::check(store.statements.model(), &entity, &differing, &all);
    if !wrong.is_empty() {
        return feedback::about(Err(WriteError::Invalid(wrong)), object);
    }
    references(store, rights, &compiled, &differing, Some(&before.values))?;
    if let Some(tree) = tree {
        stays_a_tree(store, &tree, object, &differing)?;
    }
    let wrong = clash::clashes(store, rights, &compiled.table, Some(object), &differing, &all)?;
    if !wrong.is_empty() {
        return feedback::about(Err(WriteError::Invalid(wrong)), object);
    }
    let stamps = row::stamps(store, &entity, false);
    let mut written = differing;
    written.extend(stamps);
    let table = &compiled.table;
    let granted = |compiled: &Compiled| granting(compiled, &given_members).into_iter().fold(Condition::Always, Condition::and);
    let still = still(store, rights, &compiled, object, granted)?;
    let by_set = row::change(table, object, before.version, &still, &written);
    // What a set looks through is the set's: the system asks the row itself.
    let by_system = row::change(table, object, before.version, &granted(&compiled), &written);
    let write = |store: &mut Store<'_>, hand: Hand<'_>| {
        let sql = if matches!(hand, Hand::Set(_)) { &by_set } else { &by_system };
        let touched = store.deed(hand, &entity.name, |conn, params| execute(conn, sql, params));
        // The row is held since it was read, so it is still the one that was tested.
        if touched.map_err(|error| feedback::of_write(error, table, Some(object)))? != 1 {
            return Err(disagreement(row::told(table, Some(object)), "no such row for these rights".into()).into());
        }
        row::write_links(store, hand, table, object, &before.values, &written)
    };
    let settle = |store: &mut Store<'_>, _: &()| settle(store, rights, &compiled, object, rules.clone(), &given_members);
    feedback::about(store.held(rights, write, settle), object)?;
    let old = before.values.into_iter().filter(|(name, _)| written.contains_key(name)).collect();
    note(store, EventKind::Changed, &entity.name, object, &old, &written);
    Ok(())
}

/// Refuses a parent that is the object itself, or one below it.
fn stays_a_tree(store: &mut Store<'_>, tree: &Tree<'_>, object: ObjectId, differing: &Values) -> Result<(), WriteError> {
    let Some(Value::Object(parent)) = differing.get(tree.member) else { return Ok(()) };
    if tree.admits(store.conn, &store.params, object, *parent).map_err(wire)? {
        return Ok(());
    }
    let wrong = feedback::of(Some(tree.member.clone()), tree.refusal());
    feedback::about(Err(WriteError::Invalid(vec![wrong])), object)
}

/// The row before the change, which the rules must already admit.
fn before(
    store: &mut Store<'_>,
    compiled: &Compiled,
    permit: &Permit<Change>,
    object: ObjectId,
    version: Option<i64>,
    rules: &[Condition],
) -> Result<row::Stored, WriteError> {
    let name = permit.target();
    let any = compiled.any(permit.rules());
    let mut asked: Vec<&Condition> = vec![&compiled.visible, &any];
    asked.extend(rules);
    let tried = permit.rules().to_vec();
    let Some(found) = row::stored(store, &compiled.table, object, &asked)? else { return Err(refused(name, tried).into()) };
    let visible = found.holds.first() == Some(&true);
    if found.holds.iter().skip(1).any(|holds| !holds) {
        return Err(if visible { refused_openly(name, tried) } else { refused(name, tried) }.into());
    }
    match version {
        Some(known) if known != found.version => Err(WriteError::Stale),
        _ => Ok(found),
    }
}
