//! The product's own letters: links for registration, invitation and reset.

use super::{MailError, Message};
use crate::domain::text::{isolated, visible};
use tera::{Context, Tera};

/// A letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// A link to finish a registration.
    Registration,
    /// A link to accept an invitation.
    Invitation,
    /// A link to choose a new password.
    Reset,
}

impl Letter {
    /// The letter as a message. Name and title are inserted as text and never read as template (ASVS 1.3.7).
    ///
    /// The name is left out of the letter of a registration.
    // SECURITY: nobody has proved to own that address, so nothing that a visitor typed is mailed to it: we are no
    // sender of other people's words (`a_registration_letter_holds_nothing_that_a_visitor_typed`).
    pub fn write(self, app: &str, to: &str, name: &str, link: &str, expires: &str) -> Result<Message, MailError> {
        let (subject, template) = match self {
            Self::Registration => ("Finish your registration", include_str!("../../templates/mail/registration.txt")),
            Self::Invitation => ("Your invitation", include_str!("../../templates/mail/invitation.txt")),
            Self::Reset => ("Choose a new password", include_str!("../../templates/mail/reset.txt")),
        };
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (app, name) = (one_line(app), one_line(name));
        let mut context = Context::new();
        context.insert("app_title", &app);
        if self != Self::Registration {
            context.insert("name", &isolated(&visible(&name)));
        }
        context.insert("link", &link);
        context.insert("expires", &expires);
        let text = Tera::one_off(template, &context, false).map_err(|error| MailError::Settings(error.to_string()))?;
        Message::new(to, &format!("{subject} – {app}"), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_holds_the_link_and_reads_nothing_as_template() {
        let letter =
            Letter::Invitation.write("People", "ada@people.example", "{{ 7*7 }}", "http://x/link/invite/T", "noon").unwrap();
        assert!(letter.text().contains("http://x/link/invite/T"));
        assert!(letter.text().contains("{{ 7*7 }}") && !letter.text().contains("49"));
    }

    #[test]
    fn a_registration_letter_holds_nothing_that_a_visitor_typed() {
        let name = "You won, see https://evil.example";
        let letter =
            Letter::Registration.write("People", "ada@people.example", name, "http://x/link/register/T", "noon").unwrap();
        assert!(letter.text().contains("http://x/link/register/T") && letter.text().starts_with("Hello,"));
        assert!(!format!("{letter:?}").contains("evil") && !format!("{letter:?}").contains("won"));
    }

    #[test]
    fn a_name_reorders_and_hides_nothing_of_a_letter() {
        let write = |name| Letter::Reset.write("People", "ada@people.example", name, "http://x", "noon").unwrap();
        assert!(write("Ada\u{202e}\u{200b}").text().starts_with("Hello Ada\\u{202e}\\u{200b},"));
        assert!(write("דנה").text().starts_with("Hello \u{2068}דנה\u{2069},"));
    }

    #[test]
    fn a_name_with_line_breaks_stays_one_line() {
        let letter = Letter::Reset.write("People", "ada@people.example", "Ada\nBcc: x@y.example", "http://x", "noon").unwrap();
        assert!(letter.text().starts_with("Hello Ada Bcc: x@y.example,"));
    }
}
