//! Host and port as a request names them, read strictly.

use crate::config::Origin;
use std::net::Ipv6Addr;

/// A host and, if it was named, a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Lower-case; an IPv6 address in brackets, in its shortest form.
    pub host: String,
    /// The port, if it was named.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `host` or `host:port`. Nothing else is one: no name of a user, no empty host or port, no final dot.
    // SECURITY: `127.0.0.1:80@evil.example` is a user `127.0.0.1` at a host `evil.example`, not a host of ours
    // (`only_a_whole_host_with_a_port_is_an_authority`).
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rfind(':').filter(|_| !text.ends_with(']')) {
            Some(at) => (text.get(..at)?, Some(port(text.get(at + 1..)?)?)),
            None => (text, None),
        };
        if host.contains(':') && !host.starts_with('[') {
            return None;
        }
        // Reading it as an origin says whether it is a host.
        let host = Origin::try_from(format!("http://{host}")).ok()?.host;
        (!text.ends_with('/')).then(|| Self { host: shortest(&host), port })
    }

    /// Whether it is this host, at one of these ports. A proxy may leave the port out.
    pub fn is_one_of(&self, hosts: &[String], ports: &[u16]) -> bool {
        hosts.iter().any(|host| shortest(host) == self.host) && self.port.is_none_or(|port| ports.contains(&port))
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// One text for each address.
fn shortest(host: &str) -> String {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner.and_then(|inner| inner.parse::<Ipv6Addr>().ok()) {
        Some(address) => format!("[{address}]"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, Option<u16>)> {
        Authority::parse(text).map(|found| (found.host, found.port))
    }

    #[test]
    fn only_a_whole_host_with_a_port_is_an_authority() {
        assert_eq!(read("127.0.0.1:8080"), Some(("127.0.0.1".into(), Some(8080))));
        assert_eq!(read("App.Example"), Some(("app.example".into(), None)));
        assert_eq!(read("[0:0:0:0:0:0:0:1]:80"), Some(("[::1]".into(), Some(80))));
        assert_eq!(read("[::1]"), Some(("[::1]".into(), None)));
        for wrong in [
            "",
            ":80",
            "127.0.0.1:80@evil.example",
            "app.example@evil.example",
            "user:password@app.example",
            "app.example:",
            "app.example:0",
            "app.example:65536",
            "app.example:+80",
            "app.example:80:80",
            "app.example.",
            "app.example/",
            "app.example:80/",
            "app.example/x",
            "app.example?x",
            "app.example#x",
            "http://app.example",
            "app.example,evil.example",
            "app .example",
            "::1",
            "[::1",
            "::1]",
            "[::1]80",
            "[127.0.0.1]",
            "[::1%25lo]",
            "app_example",
            "äpp.example",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn host_and_port_must_both_be_ours() {
        let hosts = ["app.example".to_owned(), "[::1]".to_owned()];
        let ours = |text: &str| Authority::parse(text).unwrap().is_one_of(&hosts, &[443, 8080]);
        assert!(ours("app.example") && ours("APP.example:443") && ours("[::0001]:8080"));
        assert!(!ours("app.example:80") && !ours("xapp.example") && !ours("app.example.evil.example:443") && !ours("[::2]:443"));
    }
}
