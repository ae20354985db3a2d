//! Conditions that are always true or contradict themselves.

use super::{DOMAIN, found, told};

/// What is found of a validation with this rule.
fn rule(text: &str) -> Vec<String> {
    let quoted = text.replace('"', "'");
    let domain = DOMAIN.replace(
        "    access:\n      - {roles: [Clerk], create",
        &format!("    validations:\n      - {{rule: \"{quoted}\", message: No}}\n    access:\n      - {{roles: [Clerk], create"),
    );
    told(&[("m/domain.yaml", &domain)])
}

#[test]
fn a_contradiction_is_found() {
    for text in [
        "this.title == 'A' && this.title == 'B'",
        "this.title == empty && this.title != empty",
        "this.title == empty && this.title == 'A'",
        "this.title == empty && this.title != 'A'",
        "this.count > 5 && this.count < 3",
        "this.count > 3 && this.count < 4",
        "this.count >= 3 && this.count <= 3 && this.count != 3",
        "this.state in ['Draft'] && this.state in ['Submitted', 'Done']",
        "this.state != 'Draft' && this.state != 'Submitted' && this.state != 'Done'",
        "this.state in ['Draft', 'Done'] && !(this.state == empty || this.state in ['Draft', 'Done'])",
        "this.flag && !this.flag",
        "this.flag == true && this.flag == false",
        "this.count != this.count",
        "this.day < today() && this.day > today()",
        "this.day < today() && today() < this.day",
        "!(this.title == 'A' || this.title != 'A' || this.title == empty)",
        "if(this.flag, this.title == 'A', false) && this.title == 'B'",
        "this.ward == empty && this.ward.name == 'x' && this.ward != empty",
        "role('Clerk') && !role('Clerk')",
        "contains(this.title, 'a') && !contains(this.title, 'a')",
        "1 > 2",
    ] {
        assert_eq!(rule(text), ["constant-condition: this can never be true"], "{text}");
    }
}

#[test]
fn what_is_always_true_is_found() {
    for text in [
        "this.count > 3 || this.count <= 3 || this.count == empty",
        "this.title == empty || this.title != empty",
        "!(this.title == 'A' && this.title == 'B')",
        "this.flag || !this.flag",
        "!(this.count == empty && this.count > 1)",
        "this.state == empty || this.state in ['Draft', 'Submitted', 'Done']",
        "true",
    ] {
        assert_eq!(rule(text), ["constant-condition: this is always true"], "{text}");
    }
}

#[test]
fn a_part_is_found_where_it_stands_and_within_a_list() {
    let said = rule("this.flag || this.title == 'A' && this.title == 'B'");
    assert_eq!(said, ["constant-condition: this can never be true"]);
    let domain =
        DOMAIN.replace("read: [name]}", "read: [name], where: \"exists(this.claims[item.count > 1 && item.count < 1])\"}");
    let at = found(&[("m/domain.yaml", &domain)]);
    assert_eq!((at.len(), at[0].message.as_str()), (1, "this can never be true"));
    let excerpt: String = at[0].excerpt.chars().skip(at[0].column as usize - 1).take(at[0].length).collect();
    assert_eq!(excerpt, "item.count > 1 && item.count < 1");
}

/// Two-valued logic with emptiness: none of these is constant, though each looks so.
#[test]
fn nothing_is_reported_that_can_be_either() {
    for text in [
        "this.count > 3 || this.count <= 3",
        "this.state == 'Draft' || this.state != 'Draft'",
        "!(this.count > 3) && !(this.count <= 3)",
        "this.title != 'A' && this.title != 'B'",
        "this.count >= 3 && this.count <= 3",
        "this.count == this.count",
        "this.ward.name == 'A' || this.ward.name != 'A'",
        "!(this.title == this.note) && !(this.title != this.note)",
        "this.flag == true || this.count == 1",
        "@m.Limit > 3",
        "this.count > @m.Limit && this.count < 5",
        "this.day <= today() && this.day >= today()",
        "role('Clerk') && role('Head')",
        "this.title in ['A', 'B'] && this.title != 'A'",
    ] {
        assert_eq!(rule(text), Vec::<String>::new(), "{text}");
    }
}

/// What would take too many ways is not understood, and so not reported; it must not take long either.
#[test]
fn a_huge_condition_is_let_alone() {
    let part = "(this.count == 1 || this.title == 'x' && this.note != 'y' || this.day == today())";
    let text = vec![part; 40].join(" && ");
    assert_eq!(rule(&text), Vec::<String>::new());
}

#[test]
fn a_decision_and_a_visibility_are_looked_at_too() {
    let flow = "roles: [Clerk]\nparameters: {Claim: Claim}\ndo:\n  - decide: {if: \"$Claim.count > 5 && $Claim.count < 3\", then: [{closePage: {}}]}\n";
    let page = "title: Start\nroles: [Clerk]\ncontent:\n  - text: {value: Hello, visible: \"role('Clerk') && !role('Clerk')\"}\n";
    let found = found(&[("m/microflows/Act.yaml", flow), ("m/pages/Start.yaml", page)]);
    let places: Vec<(&str, u64)> = found.iter().map(|finding| (finding.file.as_str(), finding.line)).collect();
    assert_eq!(places, [("m/microflows/Act.yaml", 4), ("m/pages/Start.yaml", 4)]);
}
