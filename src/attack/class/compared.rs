//! The same questions over two sets of data that differ only in what an attacker may not know: the answers must be the
//! same, sign by sign, and cost as much work. What carries no mark of its own (states, flags, small numbers) is told by
//! nothing else.

use super::super::AttackError;
use super::super::crew::Attacker;
use super::super::http::{Answer, Request};
use super::super::probe;
use super::super::raid::Raid;
use super::worlds::shuffled;
use super::{Class, crew, entities, own_pages};
use std::rc::Rc;
use std::time::Duration;

pub(super) fn two_worlds(raid: &mut Raid<'_>) -> Result<(), AttackError> {
    for attacker in crew(raid) {
        let (other, moved) = shuffled(raid, &attacker);
        if moved == 0 {
            continue;
        }
        let questions = questions(raid, &attacker);
        // Asked once before it counts: what is prepared at the first time is no work of the second.
        let before: Vec<Heard> = questions
            .iter()
            .map(|(_, request)| {
                attacker.client.send(request);
                ask(raid, &attacker, request)
            })
            .collect();
        let here = raid.world.clone();
        raid.make(&other, &here)?;
        let mut slower = Vec::new();
        for ((subject, request), first) in questions.iter().zip(&before) {
            raid.asked(Class::Compared, &attacker, subject, request, |raid| {
                let second = ask(raid, &attacker, request);
                slower.push((first.answer.took, second.answer.took));
                if first.statements != second.statements {
                    let (one, other) = (first.statements, second.statements);
                    raid.time(format!(
                        "{} {subject}: {one} statements over one set of data, {other} over the other",
                        attacker.role
                    ));
                }
                Ok(difference(first, &second))
            })?;
        }
        raid.make(&here, &other)?;
        timing(raid, &attacker, &slower);
    }
    Ok(())
}

/// What may be asked without changing anything: pages, lists in every order, figures. In a coarse attack it is lists and
/// figures of what differs.
fn questions(raid: &mut Raid<'_>, attacker: &Rc<Attacker>) -> Vec<(String, Request)> {
    let mut all = Vec::new();
    let coarse = raid.is_coarse();
    let pages = if coarse { Vec::new() } else { own_pages(&raid.model) };
    for page in pages.into_iter().filter(|page| raid.oracle().opens(&attacker.who.role, page)) {
        for (subject, target) in super::doors::addresses(raid, attacker, &page) {
            all.push((subject, Request::get(target)));
        }
    }
    for entity in if coarse { raid.compared(attacker) } else { entities(&raid.model) } {
        let list = format!("/p/{}", probe::page_of("List", &entity.name));
        let figures = format!("/p/{}", probe::page_of("Figures", &entity.name));
        all.extend([
            (format!("list+{}", entity.name), Request::get(list.as_str())),
            (format!("figures+{}", entity.name), Request::get(figures)),
        ]);
        for (at, member) in entity.members().enumerate() {
            let way = if at % 2 == 0 { "" } else { "-" };
            all.push((format!("{}?sort={way}{member}", entity.name), Request::get(format!("{list}?w1.sort={way}{member}"))));
        }
        all.push((format!("{}?q=a", entity.name), Request::get(format!("{list}?w1.q=z"))));
    }
    all
}

/// An answer, itself without what differs from request to request, and what it cost.
struct Heard {
    answer: Answer,
    plain: String,
    statements: u64,
}

fn ask(raid: &Raid<'_>, attacker: &Attacker, request: &Request) -> Heard {
    // Whether a refusal is recorded at once or counted depends on how many the attacker caused, not on the data.
    let app = raid.instance.app();
    let work = || app.db.statements() - app.statements_of_refusals();
    let before = work();
    let answer = attacker.client.send(request);
    Heard { plain: stable(&answer), answer, statements: work() - before }
}

/// The body without nonces, tokens, seals and references.
pub(super) fn stable(answer: &Answer) -> String {
    let body = super::unreferenced(answer);
    let text =
        ["nonce=\"", "name=\"_csrf\" value=\"", "name=\"_state\" value=\""].iter().fold(body, |text, mark| without(&text, mark));
    without_seals(&text)
}

/// A text without what stands between a mark and the next quotation mark.
fn without(text: &str, mark: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(mark) {
        out.push_str(before);
        out.push_str(mark);
        rest = after.split_once('"').map_or("", |(_, end)| end);
    }
    out + rest
}

/// The same without what the buttons of rows carry sealed, behind their widget and their handle.
fn without_seals(text: &str) -> String {
    const MARK: &str = "name=\"_do\" value=\"";
    let mut parts = text.split(MARK);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (value, rest) = part.split_once('"').unwrap_or((part, ""));
        let kept: Vec<&str> = value.splitn(3, ':').take(2).collect();
        out.push_str(&format!("{MARK}{}\"{rest}", kept.join(":")));
    }
    out
}

fn difference(first: &Heard, second: &Heard) -> Option<String> {
    let (before, after) = (first.answer.status, second.answer.status);
    if before != after {
        return Some(format!("the status tells withheld data apart: {before} and {after}"));
    }
    if far_apart(first.statements, second.statements) {
        let (one, other) = (first.statements, second.statements);
        return Some(format!("the work tells withheld data apart: {one} statements and {other}"));
    }
    let (plain, again) = (first.plain.as_str(), second.plain.as_str());
    if plain == again {
        return None;
    }
    let at = plain.bytes().zip(again.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| -> String {
        let from = (0..=at.saturating_sub(30)).rev().find(|from| text.is_char_boundary(*from)).unwrap_or(0);
        text.get(from..).unwrap_or_default().chars().take(80).collect()
    };
    Some(format!("the answer tells withheld data apart: “{}” and “{}”", around(plain), around(again)))
}

/// Whether two amounts of work are of different classes. Time on a machine that others use cannot be judged; statements
/// can. A few more or less come from rules that stop at their first part that decides, and cost less than the noise of
/// any network; a statement for each row that is withheld does not.
fn far_apart(one: u64, other: u64) -> bool {
    one.abs_diff(other) > 2.max(one.min(other) / 4)
}

/// Told, not judged: a machine that others use is no clock. What is judged is the work.
fn timing(raid: &mut Raid<'_>, attacker: &Attacker, pairs: &[(Duration, Duration)]) {
    let median = |mut all: Vec<Duration>| {
        all.sort();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let (first, second) = (median(pairs.iter().map(|pair| pair.0).collect()), median(pairs.iter().map(|pair| pair.1).collect()));
    let far = |a: Duration, b: Duration| a > b * 3 && a > b + Duration::from_millis(20);
    if far(first, second) || far(second, first) {
        raid.time(format!(
            "{}: the median answer took {first:?} over one set of withheld data and {second:?} over the other",
            attacker.role
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_request_to_request_is_no_difference() {
        let answer = |nonce: &str, state: &str, id: &str| Answer {
            status: 200,
            headers: vec![("x-request-id".into(), id.into())],
            body: format!(
                "<script nonce=\"{nonce}\"></script><input name=\"_csrf\" value=\"{nonce}{id}\"><input name=\"_state\" value=\"{state}\"><input name=\"_state\" value=\"{state}2\">ref {id}"
            ),
            ..Answer::default()
        };
        assert_eq!(stable(&answer("a", "b", "0192-c")), stable(&answer("x", "y", "0192-z")));
        let row = |act: &str| {
            stable(&Answer { body: format!("<button name=\"_do\" value=\"{act}\">Go</button>"), ..Answer::default() })
        };
        assert_eq!(row("w1:handle:sealed"), row("w1:handle:other"));
        assert!(row("w1:handle:sealed") != row("w1:elsewhere:sealed") && row("w1") != row("w2"));
        let heard = |answer: Answer, statements| Heard { plain: stable(&answer), answer, statements };
        let plain = || answer("a", "b", "0192-c");
        assert!(difference(&heard(plain(), 9), &heard(answer("x", "y", "0192-z"), 11)).is_none());
        let other = Answer { body: "other".into(), ..plain() };
        assert!(difference(&heard(plain(), 9), &heard(other, 9)).is_some_and(|told| told.contains("answer")));
        assert!(difference(&heard(plain(), 9), &heard(plain(), 12)).is_some_and(|told| told.contains("9 statements and 12")));
        assert!(!far_apart(40, 50) && far_apart(40, 51) && !far_apart(0, 2) && far_apart(3, 0));
    }
}
