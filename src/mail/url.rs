//! The address of a mail server: `smtp://[user:password@]host[:port]` or `smtps://…`.
//!
//! `smtps` is TLS from the first byte. `smtp` must switch to TLS, except to this machine, where a mail
//! catcher needs none. What is wrong is told without repeating the text, which may hold a password.

use super::MailError;
use super::smtp::{SmtpSettings, SmtpTls, is_this_machine};
use crate::config::Secret;

/// Reads the address.
pub(super) fn parse(url: &Secret) -> Result<SmtpSettings, MailError> {
    let wrong = || MailError::Settings("mail.target: write smtp://user:password@host:port or smtps://…".into());
    let (scheme, rest) = url.expose().split_once("://").ok_or_else(wrong)?;
    let rest = rest.trim_end_matches('/');
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    let credentials = user.map(|text| credentials(text).ok_or_else(wrong)).transpose()?;
    let (host, port) = host_and_port(place).ok_or_else(wrong)?;
    let (tls, usual) = match scheme {
        "smtps" => (SmtpTls::Implicit, 465),
        "smtp" if is_this_machine(&host) => (SmtpTls::None, 25),
        "smtp" => (SmtpTls::StartTls, 587),
        _ => return Err(wrong()),
    };
    Ok(SmtpSettings { host, port: port.unwrap_or(usual), tls, credentials })
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_".contains(c));
    let port = port.map(|port| port.parse().ok().filter(|port| *port > 0));
    match (plain, port) {
        (true, None) => Some((host.to_owned(), None)),
        (true, Some(Some(port))) => Some((host.to_owned(), Some(port))),
        _ => None,
    }
}

fn credentials(text: &str) -> Option<(String, String)> {
    let (user, password) = text.split_once(':')?;
    Some((decode(user)?, decode(password)?))
}

/// Undoes `%41`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<SmtpSettings, MailError> {
        parse(&Secret::new(url))
    }

    #[test]
    fn an_address_tells_host_port_encryption_and_credentials() {
        let far = read("smtps://u%40x:p%3Aw@mail.example").unwrap();
        assert_eq!((far.host.as_str(), far.port, far.tls), ("mail.example", 465, SmtpTls::Implicit));
        assert_eq!(far.credentials, Some(("u@x".into(), "p:w".into())));
        let far = read("smtp://mail.example:2525/").unwrap();
        assert_eq!((far.port, far.tls, far.credentials), (2525, SmtpTls::StartTls, None));
        let near = read("smtp://[::1]:1025").unwrap();
        assert_eq!((near.host.as_str(), near.port, near.tls), ("::1", 1025, SmtpTls::None));
        assert_eq!(read("smtp://localhost").unwrap().tls, SmtpTls::None);
        assert_eq!(read("smtp://localhost.evil.example").unwrap().tls, SmtpTls::StartTls);
    }

    #[test]
    fn a_broken_address_is_refused_without_repeating_its_password() {
        for wrong in [
            "",
            "mail.example",
            "http://u:hunter2@mail.example",
            "smtp://",
            "smtp://u:hunter2@",
            "smtp://hunter2@mail.example",
            "smtp://u:hunter2%zz@mail.example",
            "smtp://u:hunter2%4@m",
            "smtp://mail.example:hunter2",
            "smtp://mail.example:0",
            "smtp://mail.example:99999",
            "smtp://[::1",
            "smtp://[::1]x",
            "smtp://a b/",
            "smtp://mail.example?tls=none",
        ] {
            let error = read(wrong).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{wrong}");
        }
    }
}
