//! Whose turn it is.

use super::*;
use std::future::Future;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

const LONG: Duration = Duration::from_secs(3_600);

fn client(last: u8) -> Client {
    Client::network(IpAddr::from([192, 0, 2, last]))
}

fn queue(seats: usize, most: u32) -> Queue {
    Queue::new(seats, Places::new(most, most), LONG)
}

/// Runs a test with a clock, without waiting for anything.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// A request that was made; it waits, or has its turn.
type Asked = Pin<Box<dyn Future<Output = Result<Turn, Full>>>>;

fn ask(queue: &Queue, client: Client) -> Asked {
    let queue = queue.clone();
    let mut asked: Asked = Box::pin(async move { queue.turn(client).await });
    // The first look queues it. If it is at its turn already, that is seen by the next.
    let state = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    match state {
        Poll::Pending => asked,
        Poll::Ready(done) => Box::pin(std::future::ready(done)),
    }
}

fn look(asked: &mut Asked) -> Option<Turn> {
    match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done.unwrap()),
        Poll::Pending => None,
    }
}

#[test]
fn with_one_seat_the_second_waits_and_the_next_is_refused_at_once() {
    run(async {
        let queue = Queue::new(1, Places::new(2, 2), LONG);
        let first = queue.turn(client(1)).await.unwrap();
        let mut second = ask(&queue, client(2));
        assert!(look(&mut second).is_none());
        assert_eq!(queue.turn(client(3)).await.unwrap_err(), Full::All);
        assert_eq!(queue.taken_and_waiting(), (1, 1));
        drop(first);
        let turn = look(&mut second).expect("it is the second's turn");
        drop((turn, second));
        assert_eq!(queue.taken_and_waiting(), (0, 0));
        assert!(queue.state().lines.is_empty() && queue.state().order.is_empty(), "clients that left are forgotten");
        assert_eq!(queue.0.places.taken_in_all(), 0);
    });
}

#[test]
fn one_client_does_not_get_all_seats() {
    run(async {
        for seats in [2, 3, 8, 16] {
            let queue = queue(seats, 100);
            let mut flood: Vec<Asked> = (0..50).map(|_| ask(&queue, client(1))).collect();
            let turns: Vec<Turn> = flood.iter_mut().filter_map(look).collect();
            assert!(!turns.is_empty() && turns.len() < seats && turns.len() >= seats / 2, "{} of {seats}", turns.len());
            assert!(look(&mut ask(&queue, client(2))).is_some(), "another one comes in at once");
        }
    });
}

#[test]
fn a_client_with_two_hundred_requests_does_not_keep_another_waiting() {
    run(async {
        let queue = queue(1, 1_000);
        let mut flood: Vec<Asked> = (0..200).map(|_| ask(&queue, client(1))).collect();
        let mut turn = next(&mut flood);
        for round in 0..20 {
            let mut other = ask(&queue, client(2));
            assert!(turn.is_some() && look(&mut other).is_none(), "{round}: the one seat is taken");
            let mut before = 0;
            drop(turn.take());
            let given = loop {
                if let Some(given) = look(&mut other) {
                    break given;
                }
                before += 1;
                drop(next(&mut flood).expect("one of the two is next"));
            };
            assert!(before <= 1, "{round}: {before} of those who came earlier went before it");
            drop(given);
            turn = next(&mut flood);
        }
    });
}

/// The turn of one of these, which is one of them no longer.
fn next(asked: &mut Vec<Asked>) -> Option<Turn> {
    let (at, turn) = asked.iter_mut().enumerate().find_map(|(at, one)| Some((at, look(one)?)))?;
    drop(asked.remove(at));
    Some(turn)
}

#[test]
fn clients_with_equally_much_take_turns() {
    run(async {
        let queue = queue(1, 1_000);
        let held = queue.turn(client(9)).await.unwrap();
        let mut asked: Vec<(u8, Asked)> = [1, 1, 1, 2, 2, 3].into_iter().map(|last| (last, ask(&queue, client(last)))).collect();
        drop(held);
        let mut order = Vec::new();
        while !asked.is_empty() {
            let at = asked.iter_mut().position(|(_, asked)| look(asked).is_some()).expect("somebody is next");
            order.push(asked.remove(at).0);
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 1]);
    });
}

#[test]
fn a_request_that_was_given_up_takes_no_turn_and_leaves_no_trace() {
    run(async {
        let queue = queue(1, 1_000);
        let held = queue.turn(client(1)).await.unwrap();
        let gone: Vec<Asked> = (0..100).map(|n| ask(&queue, client(n % 10))).collect();
        let mut stays = ask(&queue, client(20));
        drop(gone);
        drop(held);
        // A turn that comes to somebody who has just left goes on to the next.
        let given = look(&mut stays).expect("the only one who is still there is next");
        let late = ask(&queue, client(21));
        drop(given);
        drop(late);
        assert_eq!(queue.taken_and_waiting(), (0, 0));
        assert!(queue.turn(client(1)).await.is_ok());
        assert_eq!(queue.0.places.taken_in_all(), 0);
    });
}

#[test]
fn a_wait_is_bounded() {
    run(async {
        let queue = Queue::new(1, Places::new(10, 10), Duration::from_millis(1));
        let _held = queue.turn(client(1)).await.unwrap();
        let mut second = pin!(queue.turn(client(2)));
        assert_eq!(second.as_mut().await.unwrap_err(), Full::All);
        assert_eq!(queue.0.places.taken_in_all(), 1, "its place is free again");
    });
}

#[test]
fn a_thousand_requests_from_many_threads_leave_nothing_taken() {
    let queue = queue(4, 10_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let all: Vec<_> = (0..1_000_u32)
            .map(|n| {
                let queue = queue.clone();
                tokio::spawn(async move {
                    let turn = queue.turn(client(u8::try_from(n % 7).unwrap())).await.unwrap();
                    assert!(queue.taken_and_waiting().0 <= 4);
                    tokio::task::yield_now().await;
                    drop(turn);
                })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
    });
    assert_eq!(queue.taken_and_waiting(), (0, 0));
    assert!(queue.state().lines.is_empty() && queue.state().order.is_empty());
}
