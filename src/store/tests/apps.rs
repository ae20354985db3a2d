//! Every app that comes with the server can be stored and asked, by every role.

use super::fixture::now;
use crate::access::{Authority, Elevation, Grants, Objects, Query};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::{DbError, Dialect, testing};
use crate::domain::ObjectId;
use crate::model::{Files, Model, load};
use crate::store::engine::{sets, whole};
use crate::store::{Caller, Recorder, Statements, Store, apply, prepare};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

fn apps() -> Vec<Arc<Model>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps");
    let Ok(found) = std::fs::read_dir(folder) else { return Vec::new() };
    let read = |path: &Path| {
        let (model, findings) = load(&Files::read(path).unwrap());
        Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())))
    };
    found.map(|entry| read(&entry.unwrap().path())).collect()
}

#[test]
fn every_rule_of_every_app_can_be_asked_on_both_databases() {
    for model in apps() {
        testing::each(|db| {
            let statements = Statements::new(&model).unwrap();
            apply(db, &statements, &BTreeSet::new(), now()).unwrap();
            assert!(apply(db, &statements, &BTreeSet::new(), now()).unwrap().is_empty());
            let dir = tempfile::tempdir().unwrap();
            let keys = Keys::load_or_create(dir.path()).unwrap();
            let recorder = Recorder { keys, node: "n".into(), clock: Clock::fixed(now()), who: None, request_id: None };
            let mut asked = 0;
            let roles = model.user_roles.keys().map(|role| Grants::compile(&model, &BTreeSet::from([role.clone()]), true));
            for grants in roles.chain([Grants::none(&model)]) {
                prepare(db, &statements, &grants).unwrap();
                if db.dialect() == Dialect::Postgres {
                    db.provide(&whole(&statements, &grants).unwrap()).unwrap();
                }
                let family: BTreeSet<_> = sets::family(&grants).iter().map(|wanted| wanted.rights.key.clone()).collect();
                let role = &grants.rights().key;
                db.read(|conn| {
                    let caller = Caller { user: Some(ObjectId(1)), now: now() };
                    let mut store = Store::new(conn, &statements, caller, &recorder);
                    for entity in model.entities.values().filter(|e| e.persistable) {
                        let Ok(permit) = grants.view(&entity.name) else { continue };
                        let readable = permit.entity_rights().unwrap().readable.keys();
                        let paths = readable.map(|name| vec![name.clone()]).collect();
                        store
                            .view(&permit, &Query::of(&entity.name, paths))
                            .unwrap_or_else(|e| panic!("{role} {}: {e:?}", entity.name));
                        asked += 1;
                    }
                    for flow in model.microflows.values() {
                        let elevation = Elevation::of(flow, &grants);
                        if !family.contains(&elevation.rights().key) {
                            continue;
                        }
                        for entity in flow.elevation.keys().filter(|e| model.entities[*e].persistable) {
                            let Ok(permit) = (&elevation as &dyn Authority).load(entity) else { continue };
                            store
                                .load(&permit, &Query::of(entity, Vec::new()))
                                .unwrap_or_else(|e| panic!("{}: {e:?}", flow.name));
                            asked += 1;
                        }
                    }
                    Ok::<_, DbError>(())
                })
                .unwrap();
            }
            assert!(asked > 10);
        });
    }
}
