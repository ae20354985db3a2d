//! One message to one recipient, checked when it is made.

use super::MailError;
use crate::domain::text::composed;
use chrono::NaiveDateTime;
use lettre::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Raw};

/// The longest text that is sent, in bytes.
const MOST_TEXT: usize = 200_000;
/// The longest subject, in characters.
const MOST_SUBJECT: usize = 200;

/// A plain-text message to exactly one recipient.
#[derive(Clone, Debug)]
pub struct Message {
    to: Address,
    subject: String,
    text: String,
}

impl Message {
    /// Makes a message, or says why these parts are none.
    ///
    // SECURITY: header injection (a line break in what a visitor typed becoming `Bcc:`) and a list of
    // recipients in one field end here: `a_line_break_never_becomes_a_header`, `there_is_only_ever_one_recipient`.
    pub fn new(to: &str, subject: &str, text: &str) -> Result<Self, MailError> {
        let to = address(to).ok_or(MailError::Unfit("the recipient is not one plain address"))?;
        if subject.trim().is_empty() || subject.chars().count() > MOST_SUBJECT {
            return Err(MailError::Unfit("the subject is empty or too long"));
        }
        if subject.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(MailError::Unfit("the subject holds a control character"));
        }
        if text.len() > MOST_TEXT || text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(MailError::Unfit("the text is too long or holds a control character"));
        }
        Ok(Self { to, subject: subject.to_owned(), text: text.to_owned() })
    }

    /// The recipient's address.
    pub fn to(&self) -> String {
        self.to.to_string()
    }
    /// The subject line.
    pub fn subject(&self) -> &str {
        &self.subject
    }
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The message as it goes over the wire.
    pub(super) fn build(&self, from: &Mailbox, now: NaiveDateTime) -> Result<Raw, MailError> {
        Raw::builder()
            .from(from.clone())
            .to(Mailbox::new(None, self.to.clone()))
            .subject(self.subject.clone())
            .date(now.and_utc().into())
            .message_id(None)
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(self.text.clone())
            .map_err(|_| MailError::Unfit("the message cannot be written as a mail"))
    }
}

/// Whether this is one plain address, as a recipient has to be: no name, no list, no quoting.
pub fn is_address(text: &str) -> bool {
    address(text).is_some()
}

fn address(text: &str) -> Option<Address> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "<>,;\"()".contains(c);
    if text.len() > 254 * 4 || text.chars().any(odd) {
        return None;
    }
    // Composed first: a letter and its accent are one letter.
    let text = composed(text);
    if text.len() > 254 { None } else { text.parse().ok() }
}

/// Says that a machine wrote the mail, so that out-of-office replies stay away.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(to: &str, subject: &str, text: &str) -> String {
        let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap().naive_utc();
        let from = "People <no-reply@people.example>".parse().unwrap();
        let raw = Message::new(to, subject, text).unwrap().build(&from, now).unwrap().formatted();
        String::from_utf8(raw).unwrap()
    }

    #[test]
    fn a_line_break_never_becomes_a_header() {
        for bad in ["Hello\r\nBcc: c@evil.example", "Hello\nBcc: c@evil.example", "Hello\rx", "a\0b", "a\u{2028}b", " ", ""] {
            assert!(matches!(Message::new("a@b.example", bad, "x"), Err(MailError::Unfit(_))), "{bad:?}");
        }
        for bad in ["a@b.example\r\nBcc: c@evil.example", "a@b.example\n", "\ra@b.example", "a\0@b.example"] {
            assert!(matches!(Message::new(bad, "Hello", "x"), Err(MailError::Unfit(_))), "{bad:?}");
        }
        let text = wire("a@b.example", "Hello", "first\r\n\r\nBcc: c@evil.example\r\n.\r\nRCPT TO:<c@evil.example>");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("Bcc") && body.contains("Bcc"), "{text}");
    }

    #[test]
    fn there_is_only_ever_one_recipient() {
        for bad in [
            "a@b.example,c@d.example",
            "a@b.example;c@d.example",
            "X <a@b.example>",
            "<a@b.example>",
            "a b@c.example",
            "a",
            "",
            "@",
            "a@",
        ] {
            assert!(Message::new(bad, "Hello", "x").is_err(), "{bad:?}");
        }
        assert!(Message::new(&format!("{}@b.example", "a".repeat(300)), "Hello", "x").is_err());
    }

    #[test]
    fn huge_texts_are_refused_and_foreign_letters_survive() {
        assert!(Message::new("a@b.example", "Hello", &"x".repeat(MOST_TEXT + 1)).is_err());
        assert!(Message::new("a@b.example", &"x".repeat(MOST_SUBJECT + 1), "x").is_err());
        let text = wire("a@b.example", "Grüße", "Schöne Grüße");
        assert!(text.contains("Subject: =?utf-8?") && text.contains("Auto-Submitted: auto-generated"), "{text}");
        assert!(text.contains("Date: Fri, 15 Jan 2027 08:00:00 +0000"), "{text}");
    }
}
