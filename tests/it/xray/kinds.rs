//! Every kind of refusal, recorded and told as a tree: a kind that is added must be added here.

use super::flows::files;
use crate::support::server::Setup;
use portcullis::access::explain::Question;
use portcullis::access::{Denied, Disagreement, Ground, Layer, Reason};
use portcullis::app::{Ask, Asker, Refusal};
use portcullis::domain::{Member, Name, QName};
use portcullis::model::Deny;
use std::collections::BTreeSet;

/// Somebody who sends nothing by themselves.
fn ask(id: &str) -> Ask {
    Ask {
        session: None,
        visitor: None,
        address: [127, 0, 0, 1].into(),
        agent: String::new(),
        request_id: id.to_owned(),
        language: "en".into(),
        target: "/p/m.People".into(),
        xray: false,
    }
}

/// One of each, and its place in the list: a reason that is added must be added here, and then be told.
fn reasons() -> Vec<Reason> {
    let (book, title) = (QName::new("m", "Book"), Name::new("title"));
    let mut all = vec![
        Reason::NoRule { wanted: "open m.People".into(), roles: vec![] },
        Reason::RowCondition { entity: book.clone(), rules: vec![1] },
        Reason::NewRow(book.clone(), Vec::new()),
        Reason::Member(book.clone(), title.clone()),
    ];
    let member = || Member { entity: book.clone(), name: title.clone() };
    let acts = [
        Deny::Open(QName::new("m", "People")),
        Deny::Run(QName::new("m", "Raise")),
        Deny::Create(book.clone()),
        Deny::Delete(book.clone()),
        Deny::Read(member()),
        Deny::Write(member()),
    ];
    let denied = acts.iter().map(|act| match act {
        Deny::Open(_) | Deny::Run(_) | Deny::Create(_) | Deny::Delete(_) | Deny::Read(_) | Deny::Write(_) => act.clone(),
    });
    all.extend(denied.map(|act| Reason::Guardrail { doc: "Never".into(), act }));
    all.extend(Ground::ALL.iter().map(|ground| Reason::Other(*ground, "a sentence".into())));
    let kinds: BTreeSet<usize> = all
        .iter()
        .map(|reason| match reason {
            Reason::NoRule { .. } => 0,
            Reason::RowCondition { .. } => 1,
            Reason::NewRow(..) => 2,
            Reason::Member(..) => 3,
            Reason::Guardrail { .. } => 4,
            Reason::Other(..) => 5,
        })
        .collect();
    assert_eq!(kinds.len(), 6, "a kind of reason has no sample");
    all
}

/// Refusals that the record keeps, and those that are no decision about rights and so have no tree.
fn refusals() -> (Vec<Refusal>, Vec<Refusal>) {
    let disagreement = Disagreement {
        about: "m.Book#1".into(),
        first: (Layer::EntityAccess, "granted".into()),
        second: (Layer::Release, "refused".into()),
    };
    let mut decided = vec![Refusal::Disagreement(Box::new(disagreement)), Refusal::Forged("altered"), Refusal::Gone];
    let mut others = vec![
        Refusal::Expired,
        Refusal::Stale,
        Refusal::Said("Not so.".into()),
        Refusal::TooFast(std::time::Duration::from_secs(1)),
        Refusal::Unavailable("gone".into()),
        Refusal::Busy("many".into()),
        Refusal::Unsettled("gone".into()),
        Refusal::Fault("ours".into()),
    ];
    for layer in Layer::ALL {
        decided.extend(reasons().into_iter().map(|reason| Refusal::Denied(Denied::new(layer, reason))));
    }
    let kinds = decided.iter().chain(&others).map(|refusal| match refusal {
        Refusal::Denied(_) => 0,
        Refusal::Disagreement(_) => 1,
        Refusal::Forged(_) => 2,
        Refusal::Gone => 3,
        Refusal::Expired => 4,
        Refusal::Stale => 5,
        Refusal::Said(_) => 6,
        Refusal::TooFast(_) => 7,
        Refusal::Unavailable(_) => 8,
        Refusal::Unsettled(_) => 9,
        Refusal::Fault(_) => 10,
        // Never leaves the server: the database is told of the rights, and the work is done.
        Refusal::Unprepared(_) => 11,
        Refusal::Busy(_) => 12,
    });
    let kinds: BTreeSet<usize> = kinds.collect();
    assert_eq!(kinds.len(), 12, "a kind of refusal has no sample");
    others.retain(|refusal| refusal.denial().is_none());
    assert_eq!(others.len(), 8, "what is recorded as a denial must be told as one");
    (decided, others)
}

#[test]
fn every_kind_of_refusal_is_told_as_a_tree() {
    let folder = files();
    let server = Setup::of(folder.path()).run();
    let app = &server.web().app;
    let warden = server.sign_in("wim");
    let asker = Asker::visitor(app, &app.live(), &ask("x"));
    let (decided, others) = refusals();
    let looked = |id: &str| warden.open(&format!("/admin/audit/why?reference={id}")).answer.body;
    for (at, refusal) in decided.iter().enumerate() {
        // Each from a network of its own: many from one would be counted.
        let address = [127, 0, 1, u8::try_from(at).unwrap()].into();
        app.record_refusal(&Ask { address, ..ask(&format!("REF{at:05}")) }, &asker, refusal);
    }
    app.record_waiting();
    for (at, refusal) in decided.iter().enumerate() {
        let told = looked(&format!("REF{at:05}"));
        let tree = told.split("class=\"decision\"").nth(1).unwrap_or_else(|| panic!("{refusal:?} has no tree: {told}"));
        assert!(tree.contains("<ul class=\"why\"><li"), "{refusal:?}: {tree}");
        assert!(tree.contains("xray-change"), "{refusal:?} does not say what would change it: {tree}");
        assert!(tree.contains("layer"), "{refusal:?}");
        if let Refusal::Denied(denied) = refusal {
            assert!(told.contains(denied.layer.title()), "{refusal:?}: {told}");
        }
    }
    for (at, refusal) in others.iter().enumerate() {
        app.record_refusal(&ask(&format!("OTH{at:05}")), &asker, refusal);
        assert!(looked(&format!("OTH{at:05}")).contains("No refusal is recorded"), "{refusal:?}");
    }
}

#[test]
fn every_question_and_ground_is_read_back_as_it_was_recorded() {
    for ground in Ground::ALL {
        assert_eq!(Ground::parse(ground.id()), Some(*ground));
        assert!(!ground.told().is_empty() && !ground.change().is_empty());
    }
    for layer in Layer::ALL {
        assert_eq!(Layer::parse(layer.title()), Some(layer));
    }
    for reason in reasons() {
        let denied = Denied::new(Layer::EntityAccess, reason);
        let question = Question::of(&denied);
        assert!(question.is_some() != denied.ground().is_some(), "{denied:?} is told by rules or by its ground");
        if let Some(question) = question {
            assert_eq!(Question::parse(&question.to_string()), Some(question));
        }
    }
}
