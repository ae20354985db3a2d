//! Nodes as an operator runs them: killed, replaced and restarted one after the other under load.

use super::balancer::Balancer;
use crate::support::actor::Actor;
use crate::support::notes::{self, Form};
use crate::support::process::Process;
use crate::support::town::Town;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

/// Where the two nodes are at present, and where nodes were that are gone.
struct Addresses {
    now: RwLock<[SocketAddr; 2]>,
    gone: RwLock<BTreeSet<SocketAddr>>,
}

/// One client: writes a note, then looks whether it is there, half of it on each node, until it is told to stop.
fn use_both(form: &Form, name: usize, at: &Addresses, stop: &AtomicBool, saved: &Mutex<Vec<String>>) -> usize {
    let mut lost = 0;
    let mut newest: Option<String> = None;
    for turn in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let address = at.now.read().unwrap()[turn % 2];
        let text = format!("c{name}-{turn}");
        // Two turns write, two look, so that each node is written to and looked at.
        let answer = match turn % 4 {
            0 | 1 => form.send(address, &text),
            _ => form.actor.at(address).try_get("/p/notes.All"),
        };
        match (turn % 4, answer) {
            (0 | 1, Some(answer)) => {
                assert_eq!(answer.status, 303, "{text}: {}", answer.body);
                saved.lock().unwrap().push(text.clone());
                newest = Some(text);
            }
            (_, Some(answer)) => {
                assert_eq!(answer.status, 200, "{}", answer.body);
                let cell = newest.as_ref().map_or("All notes".to_owned(), |text| format!("{text}<"));
                assert!(answer.body.contains(&cell), "what was acknowledged is shown by either node: {cell}");
            }
            (_, None) => {
                assert!(at.gone.read().unwrap().contains(&address), "a node that lives did not answer");
                lost += 1;
            }
        }
    }
    lost
}

#[test]
fn a_killed_and_replaced_node_costs_no_acknowledged_write_and_gives_no_wrong_answer() {
    let Some(town) = Town::found() else { return };
    let mut nodes = [Some(town.node("one")), Some(town.node("two"))];
    let address = |nodes: &[Option<Process>; 2], at: usize| nodes[at].as_ref().unwrap().address;
    let writers: Vec<Form> = (0..3).map(|n| Form::open(&town.writer(n, address(&nodes, n % 2)))).collect();
    let at = Addresses { now: RwLock::new([address(&nodes, 0), address(&nodes, 1)]), gone: RwLock::default() };
    let (stop, saved) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let lost: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = writers
            .iter()
            .enumerate()
            .map(|(name, form)| {
                let (at, stop, saved) = (&at, &stop, &saved);
                scope.spawn(move || use_both(form, name, at, stop, saved))
            })
            .collect();
        for round in 0..6 {
            let enough = saved.lock().unwrap().len() + 10;
            let end = Instant::now() + Duration::from_secs(20);
            while saved.lock().unwrap().len() < enough && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(3));
            }
            let (which, name) = [(0, "one"), (1, "two")][round % 2];
            let old = nodes[which].take().unwrap();
            at.gone.write().unwrap().insert(old.address);
            old.kill();
            nodes[which] = Some(town.node(name));
            at.now.write().unwrap()[which] = address(&nodes, which);
        }
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let kept = notes::stored(&town.db());
    let saved = saved.into_inner().unwrap();
    let missing: Vec<&String> = saved.iter().filter(|text| !kept.contains(*text)).collect();
    assert!(missing.is_empty(), "acknowledged and gone: {missing:?}");
    // What was cut off may have been kept or not; nobody was told.
    assert!(saved.len() >= 60 && kept.len() <= saved.len() + lost, "{} saved, {} kept, {lost} lost", saved.len(), kept.len());
    let trail = town.verified();
    assert!(trail.contains("node one: ") && trail.contains("node two: "), "{trail}");
}

#[test]
fn a_rolling_restart_behind_a_balancer_fails_no_request() {
    let Some(town) = Town::found() else { return };
    let balancer = Balancer::start(Vec::new());
    let mut nodes = ["one", "two"].map(|name| Some(town.node_behind(name, balancer.address)));
    let addresses = |nodes: &[Option<Process>; 2]| nodes.iter().flatten().map(|node| node.address).collect::<Vec<_>>();
    balancer.serve(addresses(&nodes));
    let writers: Vec<Form> = (0..3).map(|n| Form::open(&town.writer(n, balancer.address))).collect();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let saved = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (name, form) in writers.iter().enumerate() {
            let (stop, answered, saved, address) = (&stop, &answered, &saved, balancer.address);
            scope.spawn(move || {
                for turn in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let text = format!("r{name}-{turn}");
                    let sent = form.send(address, &text).unwrap_or_else(|| panic!("{text} was not answered"));
                    assert_eq!(sent.status, 303, "{text}: {}", sent.body);
                    saved.lock().unwrap().push(text);
                    assert_eq!(form.actor.get("/p/notes.All").status, 200);
                    answered.fetch_add(2, Ordering::SeqCst);
                }
            });
        }
        for round in 0..4 {
            let (which, name) = [(0, "one"), (1, "two")][round % 2];
            let before = answered.load(Ordering::SeqCst);
            let old = nodes[which].take().unwrap();
            old.tell();
            let leaving = Actor::new(old.address);
            let end = Instant::now() + Duration::from_millis(1_800);
            while leaving.get("/health/ready").status != 503 {
                assert!(Instant::now() < end, "a node that was told to stop stays ready");
            }
            assert_eq!(leaving.get("/sign-in").status, 200, "it still serves what comes");
            assert!(old.ended().success(), "it ends as it should");
            nodes[which] = Some(town.node_behind(name, balancer.address));
            balancer.serve(addresses(&nodes));
            assert!(answered.load(Ordering::SeqCst) > before, "work went on");
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(answered.load(Ordering::SeqCst) > 100);
    let kept = notes::stored(&town.db());
    assert_eq!(kept, saved.into_inner().unwrap().into_iter().collect(), "each was done once");
    drop(nodes);
    town.verified();
}
