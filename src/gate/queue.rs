//! Turns: how many requests are worked on at once, and whose is next.
//!
//! Guarantees: no more at once than there are seats; a client has no more of them than are still free for others; of
//! those who wait, the one whose client has least is next, and among equals they take turns, so that somebody with one
//! request does not wait for somebody with two hundred; a full queue and a wait that is too long
//! are refusals, at once; and a request that was given up takes no turn.
//! Deliberately not here: what the turn is for, and priorities beyond this.

use super::places::{Client, Full, Place, Places};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A queue. Clones share it.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seats: usize,
    patience: Duration,
    /// Who waits or works, in all and for each client.
    places: Places,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// What each client that is here has.
    lines: HashMap<Client, Line>,
    /// Clients that have somebody waiting, the one that waited longest for a seat first.
    order: VecDeque<Client>,
}

#[derive(Debug, Default)]
struct Line {
    seats: usize,
    waiting: VecDeque<oneshot::Sender<Seat>>,
}

/// A turn; it ends when it is dropped.
#[derive(Debug)]
pub struct Turn {
    _seat: Seat,
    _place: Place,
}

/// A seat, given back when it is dropped, also when it was given to somebody who had left.
#[derive(Debug)]
struct Seat {
    queue: Queue,
    client: Client,
}

/// A seat for somebody who waits.
type Offer = (oneshot::Sender<Seat>, Client);

impl Queue {
    /// So many at once (at least one); `places` counts them and those who wait, for `patience` at most.
    pub fn new(seats: usize, places: Places, patience: Duration) -> Self {
        Self(Arc::new(Inner { seats: seats.max(1), patience, places, state: Mutex::default() }))
    }

    /// Waits for a turn.
    // SECURITY: one client's requests, however many, do not keep others waiting
    // (`a_client_with_two_hundred_requests_does_not_keep_another_waiting`, `one_client_does_not_get_all_seats`).
    pub async fn turn(&self, client: Client) -> Result<Turn, Full> {
        let place = self.0.places.take(&[client], 1)?;
        let coming = {
            let (seat, coming) = oneshot::channel();
            let mut state = self.state();
            state.wait(client, seat);
            coming
        };
        self.seat_those_who_wait();
        match timeout(self.0.patience, coming).await {
            Ok(Ok(seat)) => Ok(Turn { _seat: seat, _place: place }),
            _ => Err(Full::All),
        }
    }

    /// How many turns there are at present, and how many wait for one.
    pub fn taken_and_waiting(&self) -> (usize, usize) {
        let state = self.state();
        (state.taken, state.lines.values().map(|line| line.waiting.len()).sum())
    }

    fn seat_those_who_wait(&self) {
        loop {
            // Nothing is sent while the state is locked: a seat that nobody takes comes back at once.
            let Some((seat, client)) = self.state().next(self.0.seats) else { return };
            drop(seat.send(Seat { queue: self.clone(), client }));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, client: Client, seat: oneshot::Sender<Seat>) {
        let line = self.lines.entry(client).or_default();
        if line.waiting.is_empty() {
            self.order.push_back(client);
        }
        line.waiting.push_back(seat);
    }

    /// Takes a seat for the one who is next; `None` when nobody may have one.
    fn next(&mut self, seats: usize) -> Option<Offer> {
        self.forget_those_who_left();
        let free = seats.saturating_sub(self.taken);
        let has = |client: &Client| self.lines.get(client).map_or(0, |line| line.seats);
        let (at, client) = self
            .order
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, client)| has(client) < free)
            .min_by_key(|(at, client)| (has(client), *at))?;
        self.order.remove(at);
        let line = self.lines.get_mut(&client)?;
        let seat = line.waiting.pop_front()?;
        line.seats += 1;
        self.taken += 1;
        if !line.waiting.is_empty() {
            self.order.push_back(client);
        }
        Some((seat, client))
    }

    fn forget_those_who_left(&mut self) {
        let lines = &mut self.lines;
        self.order.retain(|client| {
            let Some(line) = lines.get_mut(client) else { return false };
            line.waiting.retain(|seat| !seat.is_closed());
            let stays = !line.waiting.is_empty();
            if !stays && line.seats == 0 {
                lines.remove(client);
            }
            stays
        });
    }

    fn leave(&mut self, client: Client) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(line) = self.lines.get_mut(&client) {
            line.seats = line.seats.saturating_sub(1);
            if line.seats == 0 && line.waiting.is_empty() {
                self.lines.remove(&client);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.queue.state().leave(self.client);
        self.queue.seat_those_who_wait();
    }
}

#[cfg(test)]
mod tests;
