//! What the gate knows of a request: its id, its nonce, where it comes from.

use super::Gate;
use crate::crypto::random_bytes;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::net::{IpAddr, SocketAddr};

/// Where this server listens, among the data of the application.
#[derive(Clone, Copy, Debug)]
pub struct Listening(pub SocketAddr);

/// Facts of one request, kept in its extensions.
#[derive(Clone, Debug)]
pub struct Facts {
    /// In every log line and audit record of the request, and on refusal pages.
    pub request_id: String,
    /// Used once, in the policy of this answer.
    pub nonce: String,
    /// The client's address.
    pub address: IpAddr,
}

impl Facts {
    /// Makes the facts of a request. A request id of the client's is never taken over.
    pub fn of(gate: &Gate, request: &ServiceRequest) -> Self {
        let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
        Self {
            request_id: URL_SAFE_NO_PAD.encode(random_bytes::<9>()),
            nonce: URL_SAFE_NO_PAD.encode(random_bytes::<16>()),
            address: client_address(&gate.trusted_proxies, peer, request.headers()),
        }
    }
}

/// The client behind trusted proxies: the last address that none of them vouches for.
// SECURITY: a header is believed only as far as proxies named in the settings wrote it (ASVS 4.1.3).
pub fn client_address(trusted: &[IpAddr], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut at = peer.to_canonical();
    let forwarded = headers.get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    for name in named.iter().rev() {
        if !trusted.contains(&at) {
            break;
        }
        match name.parse::<IpAddr>() {
            Ok(address) => at = address.to_canonical(),
            Err(_) => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn address(trusted: &[&str], peer: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.append(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(forwarded).unwrap());
        let trusted: Vec<IpAddr> = trusted.iter().map(|ip| ip.parse().unwrap()).collect();
        client_address(&trusted, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_the_client() {
        assert_eq!(address(&[], "203.0.113.9", "10.0.0.1"), "203.0.113.9");
        assert_eq!(address(&["203.0.113.9"], "203.0.113.9", "198.51.100.7"), "198.51.100.7");
    }

    #[test]
    fn what_a_client_writes_in_front_of_the_proxys_word_is_not_believed() {
        assert_eq!(address(&["203.0.113.9"], "203.0.113.9", "127.0.0.1, 198.51.100.7"), "198.51.100.7");
        assert_eq!(address(&["203.0.113.9"], "203.0.113.9", "nonsense"), "203.0.113.9");
    }
}
