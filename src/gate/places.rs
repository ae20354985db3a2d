//! A budget that many clients share: connections, bytes of forms, streams.
//!
//! Guarantees: the total is never exceeded; a client has no more than its share, and no more than is still free for
//! others, so that a few clients cannot leave nothing for the rest; what was taken is given back when its place is
//! dropped, whatever happened meanwhile.
//! Deliberately not here: waiting (`queue` has it). Without a place the request is refused at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who a place is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// A network: an IPv4 address, or the first 64 bits of an IPv6 address.
    Network(IpAddr),
    /// An account.
    Account(i64),
}

impl Client {
    /// The network of an address.
    pub fn network(address: IpAddr) -> Self {
        Self::Network(match address.to_canonical() {
            IpAddr::V6(six) => {
                let [a, b, c, d, ..] = six.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            four => four,
        })
    }
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All places together are taken.
    All,
    /// This client has its share.
    Client,
}

/// A budget. Clones share it.
#[derive(Clone, Debug)]
pub struct Places {
    total: u64,
    share: u64,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: u64,
    by: HashMap<Client, u64>,
}

impl Places {
    /// So much in all, and so much for each client.
    pub fn new(total: u32, share: u32) -> Self {
        Self { total: total.into(), share: share.into(), taken: Arc::default() }
    }

    /// Takes an amount for each of these clients; with none, of the total only.
    pub fn take(&self, clients: &[Client], amount: u64) -> Result<Place, Full> {
        let mut taken = self.taken();
        let free = self.total.saturating_sub(taken.all);
        if amount > free {
            return Err(Full::All);
        }
        let most = self.share.min(free);
        if clients.iter().any(|client| taken.by.get(client).map_or(0, |has| *has).saturating_add(amount) > most) {
            return Err(Full::Client);
        }
        taken.all += amount;
        clients.iter().for_each(|client| *taken.by.entry(*client).or_default() += amount);
        Ok(Place { places: self.clone(), clients: clients.into(), amount })
    }

    /// How much is taken in all.
    pub fn taken_in_all(&self) -> u64 {
        self.taken().all
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was taken; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    clients: Box<[Client]>,
    amount: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(self.amount);
        for client in &self.clients {
            if let Some(has) = taken.by.get_mut(client) {
                *has = has.saturating_sub(self.amount);
                if *has == 0 {
                    taken.by.remove(client);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Client {
        Client::network(text.parse().unwrap())
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_the_first_half_of_an_ipv6_address() {
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }

    #[test]
    fn the_total_and_each_share_hold_and_come_back() {
        let places = Places::new(10, 3);
        let (one, two) = (network("192.0.2.1"), network("192.0.2.2"));
        let first = places.take(&[one], 2).unwrap();
        let second = places.take(&[one], 1).unwrap();
        assert_eq!(places.take(&[one], 1).unwrap_err(), Full::Client);
        let other = places.take(&[two], 3).unwrap();
        assert_eq!(places.take(&[], 5).unwrap_err(), Full::All);
        assert_eq!(places.taken_in_all(), 6);
        drop((first, second));
        assert!(places.take(&[one], 3).is_ok());
        drop(other);
        assert_eq!(places.taken_in_all(), 0);
        assert!(places.taken().by.is_empty(), "clients that left are forgotten");
    }

    #[test]
    fn a_place_counts_for_the_network_and_for_the_account() {
        let places = Places::new(100, 2);
        let far = [network("192.0.2.1"), network("192.0.2.2"), network("192.0.2.3")];
        let _held: Vec<Place> = far[..2].iter().map(|from| places.take(&[*from, Client::Account(7)], 1).unwrap()).collect();
        assert_eq!(places.take(&[far[2], Client::Account(7)], 1).unwrap_err(), Full::Client, "from a third network too");
        assert!(places.take(&[far[2], Client::Account(8)], 1).is_ok());
    }

    #[test]
    fn many_greedy_clients_leave_something_for_the_next() {
        let places = Places::new(1_000, 1_000);
        let greedy = |last: u8| {
            let from = Client::network(IpAddr::from([192, 0, 2, last]));
            std::iter::from_fn(|| places.take(&[from], 1).ok()).collect::<Vec<Place>>()
        };
        let held: Vec<Vec<Place>> = (0..8).map(greedy).collect();
        assert!(held.iter().all(|places| !places.is_empty()));
        assert!(places.take(&[network("198.51.100.1")], 1).is_ok(), "{} are taken", places.taken_in_all());
    }

    #[test]
    fn an_amount_beyond_all_numbers_is_refused() {
        let places = Places::new(10, 10);
        assert_eq!(places.take(&[], u64::MAX).unwrap_err(), Full::All);
        let _held = places.take(&[network("192.0.2.1")], 5).unwrap();
        assert_eq!(places.take(&[network("192.0.2.1")], u64::MAX).unwrap_err(), Full::All);
    }
}
