//! The smallest balancer that will do.

use crate::support::actor::Actor;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often it asks the nodes whether they are ready.
const ASK: Duration = Duration::from_millis(100);

/// Sends each connection's one request to the next node that is ready. A safe request that got no answer goes to
/// another node; one that may change something does so only when no node took it.
pub struct Balancer {
    pub address: SocketAddr,
    nodes: Arc<Mutex<Vec<(SocketAddr, bool)>>>,
    stop: Arc<AtomicBool>,
}

impl Balancer {
    pub fn start(nodes: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let balancer = Self { address, nodes: Arc::default(), stop: Arc::default() };
        let (all, stop) = (balancer.nodes.clone(), balancer.stop.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let known: Vec<SocketAddr> = all.lock().unwrap().iter().map(|(node, _)| *node).collect();
                let found: Vec<(SocketAddr, bool)> = known.iter().map(|node| (*node, is_ready(*node))).collect();
                for entry in all.lock().unwrap().iter_mut() {
                    entry.1 = found.iter().find(|(node, _)| *node == entry.0).map_or(entry.1, |(_, ready)| *ready);
                }
                std::thread::sleep(ASK);
            }
        });
        let (all, next) = (balancer.nodes.clone(), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, next) = (all.clone(), next.clone());
                std::thread::spawn(move || pass(stream, &all, &next));
            }
        });
        balancer.serve(nodes);
        balancer
    }

    /// Serves these nodes from now on; comes back when each of them is ready.
    pub fn serve(&self, nodes: Vec<SocketAddr>) {
        let mut all = self.nodes.lock().unwrap();
        *all = nodes.into_iter().map(|node| (node, all.iter().any(|(known, ready)| *known == node && *ready))).collect();
        drop(all);
        let end = Instant::now() + Duration::from_secs(10);
        while !self.nodes.lock().unwrap().iter().all(|(_, ready)| *ready) {
            assert!(Instant::now() < end, "a node does not become ready");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn is_ready(node: SocketAddr) -> bool {
    Actor::new(node).try_get("/health/ready").is_some_and(|answer| answer.status == 200)
}

fn pass(mut client: TcpStream, nodes: &Mutex<Vec<(SocketAddr, bool)>>, next: &AtomicUsize) {
    let Some(request) = whole(&mut client) else { return };
    let ready: Vec<SocketAddr> = nodes.lock().unwrap().iter().filter(|(_, ready)| *ready).map(|(node, _)| *node).collect();
    let first = next.fetch_add(1, Ordering::SeqCst);
    for at in 0..ready.len() {
        let node = ready[(first + at) % ready.len()];
        let Ok(mut upstream) = TcpStream::connect(node) else { continue };
        let mut answer = Vec::new();
        let _ = upstream.write_all(&request).and_then(|()| upstream.read_to_end(&mut answer).map(drop));
        if answer.is_empty() && request.starts_with(b"GET ") {
            continue;
        }
        let _ = client.write_all(&answer);
        return;
    }
    let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// A request with all of its body.
fn whole(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8 * 1024];
    loop {
        if let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                return Some(bytes);
            }
        }
        match client.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
