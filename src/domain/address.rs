//! What counts as an e-mail address.

use validator::ValidateEmail;

/// Whether a text is one plain address: something, one `@`, a host; ASCII, at most 254 characters,
/// and nothing that a mail header could be made of.
pub fn is_email_address(text: &str) -> bool {
    text.len() <= 254 && text.is_ascii() && text.validate_email()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_carry_a_header_or_a_second_recipient() {
        assert!(is_email_address("emma.stone+leave@people.example"));
        let long = format!("{}@people.example", "a".repeat(300));
        for wrong in [
            "",
            "emma",
            "emma@",
            "@x",
            "a@b\r\nBcc: c@d.example",
            "a@b.example,c@d.example",
            "a b@c.example",
            "\"a\nb\"@c.example",
            &long,
        ] {
            assert!(!is_email_address(wrong), "{wrong:?}");
        }
    }
}
