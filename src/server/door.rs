//! The door: which connections come in.

use super::wire::{Pace, Wire};
use crate::gate::{Client, Full, Gate, Place, Places};
use actix_http::error::DispatchError;
use actix_web::rt::net::TcpStream;
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

/// Who is refused waits no longer than this for the reason.
const MOMENT: Duration = Duration::from_millis(200);

/// Counts connections: in all, and for each network. Clones share the count.
// SECURITY: many idle connections of one address lock nobody else out (`one_address_cannot_take_all_connections`). A
// trusted proxy counts in all only, because behind it are many people.
#[derive(Clone)]
pub(super) struct Door {
    places: Places,
    proxies: Vec<IpAddr>,
    pace: Pace,
}

impl Door {
    pub(super) fn new(gate: &Gate, pace: Pace) -> Self {
        Self { places: gate.connections.clone(), proxies: gate.trusted_proxies.clone(), pace }
    }

    /// Lets a connection in, or says why not and closes it.
    pub(super) async fn open(self, stream: TcpStream) -> Result<(Wire, Option<SocketAddr>), DispatchError> {
        let peer = stream.peer_addr().map_err(DispatchError::Io)?;
        match self.place(peer.ip()) {
            Ok(place) => {
                // Answers are written whole; waiting for more of them only delays the last part.
                let _ = stream.set_nodelay(true);
                Ok((Wire::new(stream, place, self.pace), Some(peer)))
            }
            Err(full) => {
                // A new connection can be written to at once. Whether the client reads it does not matter.
                if timeout(MOMENT, stream.writable()).await.is_ok() {
                    let _ = stream.try_write(answer(full).as_bytes());
                }
                Err(DispatchError::Io(Error::from(ErrorKind::ConnectionRefused)))
            }
        }
    }

    fn place(&self, peer: IpAddr) -> Result<Place, Full> {
        let peer = peer.to_canonical();
        let network = Client::network(peer);
        let clients = if self.proxies.contains(&peer) { &[][..] } else { std::slice::from_ref(&network) };
        self.places.take(clients, 1)
    }
}

fn answer(full: Full) -> String {
    let (status, text) = match full {
        Full::All => ("503 Service Unavailable", "The server is busy. Please try again in a moment."),
        Full::Client => ("429 Too Many Requests", "Too many connections come from your address. Please try again in a moment."),
    };
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nRetry-After: 5\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\r\n{text}",
        text.len()
    )
}
