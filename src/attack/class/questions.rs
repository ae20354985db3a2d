//! Questions about what is withheld: whoever may not know a value must not learn it from which rows come, how many, or how.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::{Answer, Request, escaped};
use super::super::probe;
use super::super::raid::Raid;
use super::{Class, crew, entities};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::model::Entity;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Hidden cells that are asked for, of each member.
const CELLS: usize = 2;

pub(super) fn about_hidden(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        for entity in entities(&raid.model) {
            for member in entity.members().cloned().collect::<Vec<_>>() {
                hidden_cells(raid, Class::Questions, &attacker, &entity, &member, CELLS)?;
                for sort in [format!("{member}"), format!("-{member}")] {
                    let target = list(&entity, &format!("w1.sort={sort}"));
                    raid.look(Class::Questions, &attacker, &format!("{}?sort={sort}", entity.name), &Request::get(target))?;
                }
            }
            counts(raid, Class::Questions, &attacker, &entity)?;
        }
    }
    Ok(())
}

/// The list of the attack about an entity, asked something.
pub(super) fn list(entity: &Entity, query: &str) -> String {
    format!("/p/{}?{query}", probe::page_of("List", &entity.name))
}

/// Values of cells that the attacker may not read, as filters and searches: a row may come only for a cell that is readable.
pub(super) fn hidden_cells(
    raid: &mut Raid<'_>,
    class: Class,
    attacker: &Rc<Attacker>,
    entity: &Arc<Entity>,
    member: &Name,
    most: usize,
) -> Result<(), AttackError> {
    let stored = entity.attributes.get(member).is_none_or(|attribute| attribute.calculated.is_none());
    let hidden: Vec<(ObjectId, Value)> = raid
        .world
        .ids(&entity.name)
        .into_iter()
        .filter(|id| stored && !attacker.reads(&entity.name, *id, member))
        .map(|id| (id, raid.world.value(&entity.name, id, member)))
        .filter(|(_, value)| !value.is_empty())
        .take(most)
        .collect();
    let kind = entity.member_kind(member);
    for (id, value) in hidden {
        let text = match (&kind, &value) {
            (Some(Kind::Object(target)), Value::Object(to)) => raid.handle(target, *to),
            (_, Value::DateTime(moment)) => moment.date().to_string(),
            (_, Value::List(_)) => continue,
            _ => value.canonical(),
        };
        let mut queries = vec![("filter", format!("w1.f.{member}={}", escaped(&text)))];
        if kind == Some(Kind::Text) {
            queries.push(("search", format!("w1.q={}", escaped(&text))));
        }
        for (word, query) in queries {
            let request = Request::get(list(entity, &query));
            let subject = format!("{word}+{}#{}.{member}", entity.name, id.0);
            raid.scheme(class, attacker, &subject, &request, |raid| {
                let answer = attacker.client.send(&request);
                Ok(raid
                    .tells(attacker, &request, &answer)
                    .or_else(|| betrayed(raid, attacker, entity, member, &text, word, &answer)))
            })?;
        }
    }
    Ok(())
}

/// A row that came although the attacker may read in it nothing that fits the question.
fn betrayed(
    raid: &mut Raid<'_>,
    attacker: &Attacker,
    entity: &Entity,
    member: &Name,
    text: &str,
    word: &str,
    answer: &Answer,
) -> Option<String> {
    let page = super::super::html::read(&answer.body);
    let rows: Vec<String> = page.rows.iter().filter_map(|(_, row)| row.href.clone()).collect();
    let only = Answer { body: rows.join(" "), ..Answer::default() };
    let came = raid.objects(&entity.name, &only);
    let fits = |id: &ObjectId| {
        let cells = attacker.readable.get(&(entity.name.clone(), *id));
        cells.is_some_and(|cells| match word {
            "search" => cells
                .values()
                .any(|value| value.as_text().is_some_and(|known| known.to_lowercase().contains(&text.to_lowercase()))),
            _ => cells.contains_key(member),
        })
    };
    let wrong: BTreeSet<i64> = came.into_iter().filter(|id| !fits(id)).map(|id| id.0).collect();
    (!wrong.is_empty()).then(|| format!("the {word} for a withheld {}.{member} finds {wrong:?}", entity.name))
}

/// Rows and counts are those of the rows in reach.
pub(super) fn counts(
    raid: &mut Raid<'_>,
    class: Class,
    attacker: &Rc<Attacker>,
    entity: &Arc<Entity>,
) -> Result<(), AttackError> {
    let visible = raid.world.ids(&entity.name).into_iter().filter(|id| attacker.sees(&entity.name, *id)).count();
    let request = Request::get(format!("/p/{}", probe::page_of("List", &entity.name)));
    raid.scheme(class, attacker, &format!("rows+{}", entity.name), &request, |raid| {
        let answer = attacker.client.send(&request);
        let rows = super::super::html::read(&answer.body).rows.len();
        let told = raid.tells(attacker, &request, &answer);
        let total = paged_total(&answer.body).unwrap_or(rows);
        let most = rows.max(total);
        Ok(told.or_else(|| (most > visible).then(|| format!("{most} rows of {} where {visible} are in reach", entity.name))))
    })?;
    let request = Request::get(format!("/p/{}", probe::page_of("Figures", &entity.name)));
    raid.scheme(class, attacker, &format!("figures+{}", entity.name), &request, |raid| {
        let answer = attacker.client.send(&request);
        let told = raid.tells(attacker, &request, &answer);
        let count = figure(&answer.body).filter(|count| *count > visible);
        Ok(told
            .or_else(|| count.map(|count| format!("{count} rows of {} are counted where {visible} are in reach", entity.name))))
    })
}

/// The total at the foot of a list: the last number of "1–5 of 33".
fn paged_total(body: &str) -> Option<usize> {
    let (_, rest) = body.split_once("paging-text")?;
    let (text, _) = rest.split_once('>')?.1.split_once("</p>")?;
    let plain = super::super::html::read(text).text;
    let numbers = plain.split(|sign: char| !sign.is_ascii_digit() && sign != ',');
    numbers.filter_map(|word| word.replace(',', "").parse().ok()).nth(2)
}

/// The first figure of a page of figures: the count.
fn figure(body: &str) -> Option<usize> {
    let at = body.find("stat-value")?;
    let text: String = body.get(at..)?.chars().skip_while(|sign| *sign != '>').skip(1).take(200).collect();
    let plain = super::super::html::read(&text).text;
    plain.split_whitespace().next()?.replace(',', "").parse().ok()
}
