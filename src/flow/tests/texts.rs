//! Values in texts.

use super::super::text;
use super::*;
use crate::domain::Kind;

#[test]
fn a_value_is_never_read_as_template() {
    let flow = "roles: [Clerk]\nparameters: {A: string, B: string}\ndo:\n  - message: {text: \"{$A} and {$B}\"}";
    let mut desk = desk(&[("Flow", flow)]);
    let hostile = "{1} {{7*7}} %s {$B} {user.name} ${jndi:x} {% raw %}";
    let outcome = desk.run("Flow", [("A", Value::text(hostile)), ("B", Value::text("<script>"))]).unwrap();
    assert_eq!(messages(&outcome), [format!("{hostile} and <script>")]);
}

#[test]
fn a_line_stays_one_line() {
    assert_eq!(text::one_line(" a\r\nb\u{2028}c\u{202e}d\0 ", 100), "a  b c d");
    assert_eq!(text::one_line("äöü", 2), "äö");
    assert_eq!(text::lines("a\r\nb\tc\u{1b}[31m\0"), "a\nb\tc[31m");
    assert_eq!(text::log_line("a\\n\nb"), "a\\\\n\\nb");
    assert!(text::log_line(&"x".repeat(100_000)).len() <= 4_000);
}

#[test]
fn an_object_has_no_text_and_an_unknown_enumeration_value_only_its_name() {
    let desk = desk(&[]);
    let show = |kind: &Kind, value: &Value| text::display(&desk.model, "en", kind, value);
    assert_eq!(show(&Kind::Object(q("Order")), &Value::Object(ObjectId(11))), "");
    assert_eq!(show(&Kind::Enumeration(q("State")), &Value::text("Gone")), "Gone");
    assert_eq!(show(&Kind::Text, &Value::Empty), "");
}
