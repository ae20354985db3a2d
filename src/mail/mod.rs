//! Outgoing mail: over SMTP, or into a folder that the demo shows in the browser.
//!
//! Guarantees: a message has exactly one recipient, and no text of a caller can become a header
//! (a control character in an address or a subject is refused, never cleaned). A connection that is
//! not to this machine is encrypted and the server's certificate is verified. A mail server that
//! does not answer costs seconds, not a request's lifetime, and is told apart from one that says no.
//!
//! Deliberately absent: attachments, HTML, several recipients, a queue. A caller that must not lose
//! a mail reports [`MailError::Unavailable`] truthfully and lets the person try again.

mod letter;
mod message;
mod outbox;
mod smtp;
mod url;

pub use letter::Letter;
pub use message::{Message, is_address};
pub use outbox::{Outbox, Stored};
pub use smtp::{SmtpSettings, SmtpTls};

use crate::config::{self, MailTarget};
use chrono::NaiveDateTime;
use lettre::message::Mailbox;
use std::path::Path;

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The message cannot be sent as it is: the reason says what to mend.
    #[error("not a mail that can be sent: {0}")]
    Unfit(&'static str),
    /// The mail server said no to this message for good.
    #[error("the mail server refused the message")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The mail server (or the outbox folder) cannot be used at the moment; trying again may help.
    #[error("mail cannot be sent at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The settings do not allow sending; found when the mailer is made, not when a mail is sent.
    #[error("mail settings: {0}")]
    Settings(String),
}

impl MailError {
    /// Wraps any cause as a passing trouble.
    fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(cause))
    }
}

/// Sends messages from one configured address.
#[derive(Debug)]
pub struct Mailer {
    from: Mailbox,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Outbox(Outbox),
    Smtp(Box<smtp::Smtp>),
}

impl Mailer {
    /// The mailer that the settings ask for.
    pub fn configured(settings: &config::Mail) -> Result<Self, MailError> {
        match &settings.target {
            MailTarget::Outbox(folder) => Self::outbox(&settings.from, folder),
            MailTarget::Smtp(url) => Self::smtp(&settings.from, &url::parse(url)?),
        }
    }

    /// Keeps mails in `folder` (made if missing) instead of sending them.
    pub fn outbox(from: &str, folder: &Path) -> Result<Self, MailError> {
        Ok(Self { from: sender(from)?, transport: Transport::Outbox(Outbox::open(folder)?) })
    }

    /// Sends over SMTP. Refuses settings that would send in the clear to another machine.
    pub fn smtp(from: &str, settings: &SmtpSettings) -> Result<Self, MailError> {
        Ok(Self { from: sender(from)?, transport: Transport::Smtp(Box::new(smtp::Smtp::new(settings)?)) })
    }

    /// Sends one message, dated `now`. Returns when the server has taken it, or the folder holds it.
    pub fn send(&self, message: &Message, now: NaiveDateTime) -> Result<(), MailError> {
        let raw = message.build(&self.from, now)?;
        match &self.transport {
            Transport::Outbox(outbox) => outbox.keep(message, &self.from, &raw, now).map(drop),
            Transport::Smtp(smtp) => smtp.send(&raw),
        }
    }

    /// The folder of kept mails, if mails are kept and not sent.
    pub fn as_outbox(&self) -> Option<&Outbox> {
        match &self.transport {
            Transport::Outbox(outbox) => Some(outbox),
            Transport::Smtp(_) => None,
        }
    }
}

/// Reads the configured sender: `a@b` or `Name <a@b>`.
fn sender(text: &str) -> Result<Mailbox, MailError> {
    if text.chars().any(char::is_control) {
        return Err(MailError::Settings("the sender holds a control character".into()));
    }
    text.parse().map_err(|_| MailError::Settings(format!("`{text}` is no sender address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_that_is_no_address_is_a_settings_error() {
        let dir = tempfile::tempdir().unwrap();
        for wrong in ["", "nobody", "a@b\r\nBcc: c@d", "People <>"] {
            assert!(matches!(Mailer::outbox(wrong, dir.path()), Err(MailError::Settings(_))), "{wrong:?}");
        }
        assert!(Mailer::outbox("People <no-reply@people.example>", dir.path()).is_ok());
    }
}
