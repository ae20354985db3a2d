//! Reading: every row and member of every entity, for every role.

use super::probe::joined;
use super::{everybody, probing, who};
use crate::support::actor::Actor;
use portcullis::access::matrix::{LineKind, Matrix, State};
use portcullis::domain::{Name, ObjectId};
use portcullis::model::{Entity, Model};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The cell of the matrix.
pub fn cell(matrix: &Matrix, role: &Name, kind: LineKind, object: &str, operation: &str) -> State {
    let at = matrix.roles.iter().position(|name| name == role.as_str()).unwrap();
    matrix.line(kind, object, operation).unwrap_or_else(|| panic!("{object} {operation} is not in the matrix")).cells[at].state
}

/// Rows of a probing list: object → member → shown or withheld, with the text.
type Seen = BTreeMap<ObjectId, BTreeMap<Name, (bool, String)>>;

fn rows(actor: &Actor, role: &Name, entity: &Entity, keys: &portcullis::crypto::Keys) -> (Seen, bool) {
    let page = format!("/p/probe.List{role}{}", joined(&entity.name));
    let mut seen = Seen::new();
    for number in 1.. {
        let target = if number == 1 { page.clone() } else { format!("{page}?w1.p={number}") };
        let answer = actor.look(&target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.html.text);
        if answer.answer.body.contains("data-state=\"not_for_you\"") {
            return (seen, true);
        }
        for (_, row) in &answer.html.rows {
            let href = row.href.as_ref().expect("a row opens its object");
            let handle = href.split("Object=").nth(1).unwrap();
            let id = keys.object(&entity.name, handle).unwrap();
            let cells = row.cells.iter().map(|cell| (Name::new(&cell.label), (!cell.withheld, cell.text.clone())));
            assert!(seen.insert(id, cells.collect()).is_none(), "{target}: a row came twice");
        }
        if !answer.html.links.iter().any(|(href, _)| href.contains(&format!("w1.p={}", number + 1))) {
            return (seen, false);
        }
    }
    unreachable!()
}

#[test]
fn every_row_and_member_is_shown_to_exactly_the_roles_that_the_rules_name() {
    let server = probing();
    let oracle = super::Oracle::read(server.web());
    let model: Arc<Model> = oracle.model.clone();
    let matrix = Matrix::of(&model);
    let keys = &server.web().app.keys;
    let mut wrong = Vec::new();
    let (mut shown, mut withheld, mut absent) = (0, 0, 0);
    for (role, key) in everybody(&server).into_iter().filter_map(|(role, key)| Some((role, key?))) {
        let actor = server.sign_in(&key);
        let who = who(&oracle, &server, &role, Some(&key));
        for entity in model.entities.values().filter(|entity| entity.persistable) {
            let (seen, closed) = rows(&actor, &role, entity, keys);
            let members = oracle.readable(&role, entity);
            assert_eq!(closed, members.is_empty(), "{role} {}: the list says it is closed", entity.name);
            for (id, row) in &oracle.rows[&entity.name] {
                let there = oracle.sees(&who, entity, *id);
                let Some(cells) = seen.get(id) else {
                    absent += 1;
                    if there {
                        wrong.push(format!("{role} does not see {}#{}", entity.name, id.0));
                    }
                    continue;
                };
                if !there {
                    wrong.push(format!("{role} sees {}#{}", entity.name, id.0));
                }
                for member in &members {
                    let expected = oracle.any(&who, &oracle.by(&role, entity, member, false), *id);
                    let (plain, text) = &cells[member];
                    *(if *plain { &mut shown } else { &mut withheld }) += 1;
                    if *plain != expected {
                        wrong.push(format!(
                            "{role}: {}#{}.{member} is {}",
                            entity.name,
                            id.0,
                            if *plain { "shown" } else { "withheld" }
                        ));
                    }
                    if !plain && !text.is_empty() {
                        wrong.push(format!("{role}: {}#{}.{member} is withheld and says {text:?}", entity.name, id.0));
                    }
                    let value = row[member]
                        .as_text()
                        .filter(|_| matches!(entity.member_kind(member), Some(portcullis::domain::Kind::Text)));
                    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                    if let (true, Some(value)) = (*plain, value)
                        && words(value) != words(text)
                    {
                        wrong.push(format!("{role}: {}#{}.{member} says {text:?}, not {value:?}", entity.name, id.0));
                    }
                }
            }
            if seen.keys().any(|id| !oracle.rows[&entity.name].contains_key(id)) {
                wrong.push(format!("{role}: {} shows rows that are not there", entity.name));
            }
            for member in entity.members() {
                let of = |rules: &[_]| match rules {
                    [] => State::No,
                    rules if rules.iter().any(|rule: &Arc<portcullis::model::AccessRule>| rule.condition.is_none()) => State::Yes,
                    _ => State::Conditional,
                };
                let said = cell(&matrix, &role, LineKind::Member, &format!("{}.{member}", entity.name), "read");
                let ruled = of(&oracle.by(&role, entity, member, false));
                if said != ruled {
                    wrong
                        .push(format!("the matrix says {said:?} where the rules say {ruled:?}: {role} {}.{member}", entity.name));
                }
                if said == State::Yes && seen.len() != oracle.rows[&entity.name].len() {
                    wrong.push(format!("{role} reads {}.{member} in any case but not every row is there", entity.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences, among them\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    assert!(shown > 10_000 && withheld > 1_000 && absent > 1_000, "the walk saw too little: {shown} {withheld} {absent}");
}
