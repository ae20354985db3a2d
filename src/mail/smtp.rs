//! The way over SMTP: one connection per mail, five seconds for each step.

use super::MailError;
use lettre::Transport as _;
use lettre::message::Message as Raw;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{Error, SmtpTransport};
use std::net::IpAddr;
use std::time::Duration;

/// How long connecting, and each answer of the server, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where and how mails are handed over.
#[derive(Clone)]
pub struct SmtpSettings {
    /// Host name or address of the mail server.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Encryption of the connection.
    pub tls: SmtpTls,
    /// User name and password, if the server wants them.
    pub credentials: Option<(String, String)>,
}

impl std::fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user = self.credentials.as_ref().map(|(user, _)| user);
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("user", &user)
            .finish()
    }
}

/// Encryption of the connection to the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// None: only to this machine.
    None,
    /// Begins in the clear and must switch to TLS before anything is sent.
    StartTls,
    /// TLS from the first byte.
    Implicit,
}

/// A checked connection recipe.
#[derive(Debug)]
pub(super) struct Smtp {
    transport: SmtpTransport,
}

impl Smtp {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, MailError> {
        // SECURITY: reset and registration links never cross a network in the clear, nor to a server that
        // cannot prove its name: `mail_in_the_clear_is_only_for_this_machine`.
        if settings.tls == SmtpTls::None && !is_this_machine(&settings.host) {
            return Err(MailError::Settings(format!("mail to {} must be encrypted (starttls or implicit)", settings.host)));
        }
        let parameters = || {
            TlsParameters::new(settings.host.clone())
                .map_err(|e| MailError::Settings(format!("no TLS to {}: {e}", settings.host)))
        };
        let tls = match settings.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters()?),
            SmtpTls::Implicit => Tls::Wrapper(parameters()?),
        };
        // `builder_dangerous` only means that it starts without TLS; the line below sets it.
        let builder = SmtpTransport::builder_dangerous(&settings.host).port(settings.port).tls(tls).timeout(Some(PATIENCE));
        let builder = match &settings.credentials {
            Some((user, password)) => builder.credentials(Credentials::new(user.clone(), password.clone())),
            None => builder,
        };
        Ok(Self { transport: builder.build() })
    }

    pub(super) fn send(&self, raw: &Raw) -> Result<(), MailError> {
        self.transport.send(raw).map(drop).map_err(verdict)
    }
}

/// Whether the server said no to the message, or is merely not usable now.
fn verdict(error: Error) -> MailError {
    // 530, 534, 535 and 538 are about our own sign-in at the server, not about this message.
    let code = error.status().map(u16::from);
    let about_us = matches!(code, Some(530 | 534 | 535 | 538));
    if error.is_permanent() && !about_us { MailError::Refused(Box::new(error)) } else { MailError::unavailable(error) }
}

pub(super) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::{Mailer, Message};
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    /// A mail server for one connection, which answers RCPT with `rcpt` and returns what it was told.
    fn sink(rcpt: &'static str) -> (u16, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            let mut heard = Vec::new();
            let mut in_data = false;
            socket.write_all(b"220 sink ready\r\n").unwrap();
            while let Some(Ok(line)) = lines.next() {
                let answer: &str = match line.split(' ').next().unwrap_or_default() {
                    "." if in_data => {
                        in_data = false;
                        "250 taken"
                    }
                    _ if in_data => "",
                    "RCPT" => rcpt,
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    _ => "250 sink",
                };
                heard.push(line);
                if !answer.is_empty() && socket.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
            heard
        });
        (port, heard)
    }

    fn mailer(port: u16) -> Mailer {
        let settings = SmtpSettings { host: "127.0.0.1".into(), port, tls: SmtpTls::None, credentials: None };
        Mailer::smtp("People <no-reply@people.example>", &settings).unwrap()
    }
    fn send(port: u16, text: &str) -> Result<(), MailError> {
        let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap().naive_utc();
        let mailer = mailer(port);
        mailer.send(&Message::new("ada@b.example", "Welcome", text).unwrap(), now)
    }

    #[test]
    fn a_mail_reaches_the_server_with_one_recipient() {
        let (port, heard) = sink("250 fine");
        send(port, "Hello Ada\n.\nRCPT TO:<c@evil.example>").unwrap();
        let heard = heard.join().unwrap();
        let recipients: Vec<_> = heard.iter().take_while(|l| *l != "DATA").filter(|l| l.starts_with("RCPT")).collect();
        assert_eq!(recipients, ["RCPT TO:<ada@b.example>"]);
        assert!(
            heard
                .iter()
                .any(|l| l == "MAIL FROM:<no-reply@people.example>" || l.starts_with("MAIL FROM:<no-reply@people.example> "))
        );
        assert!(heard.contains(&"Subject: Welcome".to_owned()) && heard.contains(&"..".to_owned()), "{heard:?}");
    }

    #[test]
    fn the_settings_decide_where_mails_go() {
        use crate::config::{Mail, MailTarget, Secret};
        let (port, heard) = sink("250 fine");
        let from = "no-reply@people.example".to_owned();
        let target = MailTarget::Smtp(Secret::new(format!("smtp://127.0.0.1:{port}")));
        let mailer = Mailer::configured(&Mail { target, from: from.clone(), from_is_set: true }).unwrap();
        let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap().naive_utc();
        mailer.send(&Message::new("ada@b.example", "Welcome", "x").unwrap(), now).unwrap();
        assert!(heard.join().unwrap().contains(&"RCPT TO:<ada@b.example>".to_owned()));
        let dir = tempfile::tempdir().unwrap();
        let mailer =
            Mailer::configured(&Mail { target: MailTarget::Outbox(dir.path().into()), from, from_is_set: true }).unwrap();
        assert!(mailer.as_outbox().unwrap().list().unwrap().is_empty());
    }

    #[test]
    fn a_refused_recipient_is_told_apart_from_a_busy_server() {
        let (port, heard) = sink("550 no such mailbox");
        assert!(matches!(send(port, "x"), Err(MailError::Refused(_))));
        heard.join().unwrap();
        let (port, heard) = sink("451 try later");
        assert!(matches!(send(port, "x"), Err(MailError::Unavailable(_))));
        heard.join().unwrap();
    }

    #[test]
    fn a_mail_server_that_is_not_there_is_unavailable() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(matches!(send(port, "x"), Err(MailError::Unavailable(_))));
    }

    #[test]
    fn mail_in_the_clear_is_only_for_this_machine() {
        let settings =
            |host: &str, tls| SmtpSettings { host: host.into(), port: 25, tls, credentials: Some(("u".into(), "s3cret".into())) };
        for far in ["mail.example", "10.0.0.1", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0"] {
            assert!(matches!(Smtp::new(&settings(far, SmtpTls::None)), Err(MailError::Settings(_))), "{far}");
            assert!(Smtp::new(&settings(far, SmtpTls::StartTls)).is_ok(), "{far}");
        }
        for near in ["localhost", "127.0.0.1", "::1"] {
            assert!(Smtp::new(&settings(near, SmtpTls::None)).is_ok(), "{near}");
        }
        assert!(!format!("{:?}", settings("mail.example", SmtpTls::Implicit)).contains("s3cret"));
    }

    #[test]
    fn a_server_without_tls_gets_nothing_when_tls_is_demanded() {
        let (port, heard) = sink("250 fine");
        let settings = SmtpSettings { host: "localhost".into(), port, tls: SmtpTls::StartTls, credentials: None };
        let mailer = Mailer::smtp("no-reply@people.example", &settings).unwrap();
        let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap().naive_utc();
        let sent = mailer.send(&Message::new("ada@b.example", "Welcome", "secret link").unwrap(), now);
        assert!(matches!(sent, Err(MailError::Unavailable(_))));
        let heard = heard.join().unwrap();
        assert!(!heard.iter().any(|l| l.starts_with("MAIL") || l.contains("secret")), "{heard:?}");
    }
}
