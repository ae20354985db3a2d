//! Named conditions.

use super::{DOMAIN, told};
use crate::expr::{Node, Typed};
use crate::model::{Files, Model, load};

fn with(predicates: &str, condition: &str) -> String {
    DOMAIN
        .replace("  Claim:\n", &format!("  Claim:\n    predicates: {predicates}\n"))
        .replace("read: [secret], write: [secret]}", &format!("read: [secret], write: [secret], where: \"{condition}\"}}"))
}

fn model(domain: &str) -> Model {
    let files = [
        ("app.yaml", super::APP),
        ("m/module.yaml", super::MODULE),
        ("m/domain.yaml", domain),
        ("m/pages/Start.yaml", super::START),
    ];
    let (model, findings) = load(&Files::of(files));
    model.unwrap_or_else(|| panic!("{}", findings.human()))
}

fn rule(model: &Model) -> Typed {
    let claim = model.entities.values().find(|entity| &*entity.name.name == "Claim").unwrap();
    Typed::clone(claim.rules.last().unwrap().condition.as_ref().unwrap())
}

#[test]
fn a_predicate_means_exactly_its_condition_and_is_named_where_it_is_used() {
    let named = model(&with("{isOpen: \"this.state != 'Done' && this.count > 1\"}", "isOpen(this)"));
    let written = model(&with("{}", "this.state != 'Done' && this.count > 1"));
    assert_eq!(rule(&named), rule(&written));
    let Node::And(left, _) = &rule(&named).node else { panic!() };
    assert_eq!(&"isOpen(this)"[left.span.start..left.span.end], "isOpen(this)");
}

#[test]
fn predicates_use_each_other_calculated_members_and_objects_along_associations() {
    let domain = with("{isOpen: \"this.state != 'Done'\", isBig: \"isOpen(this) && this.double > 10\"}", "isBig(this)")
        .replace("      flag:", "      double: {type: integer, calculated: \"if(isOpen(this), this.count + this.count, 0)\"}\n      flag:")
        .replace("attributes: {name: {type: string}}\n", "attributes: {name: {type: string}}\n    predicates: {isBusy: \"exists(this.claims[isBig(item)])\"}\n    validations:\n      - {rule: \"isBusy(this)\", message: No}\n");
    let model = model(&domain);
    let ward = model.entities.values().find(|entity| &*entity.name.name == "Ward").unwrap();
    let mut members = Vec::new();
    ward.validations[0].rule.visit(&mut |node| {
        if let Node::Member { name, .. } = &node.node {
            members.push(name.to_string());
        }
    });
    assert_eq!(members, ["state", "double"]);
}

#[test]
fn a_predicate_works_in_flows_and_on_pages_and_its_rights_are_those_of_its_condition() {
    let domain = with("{isSecret: \"this.secret == 'x'\"}", "this.count > 1");
    let flow =
        "roles: [Clerk]\nparameters: {Claim: Claim}\ndo:\n  - decide: {if: \"isSecret($Claim)\", then: [{closePage: {}}]}\n";
    let page = "title: Start\nroles: [Clerk]\ncontent:\n  - dataGrid: {source: {entity: Claim}, columns: [{show: title}], rowButtons: [{button: {caption: Go, visible: \"isSecret(this)\", run: {microflow: Act, with: {Claim: this}}}}]}\n";
    let told = told(&[("m/domain.yaml", &domain), ("m/microflows/Act.yaml", flow), ("m/pages/Start.yaml", page)]);
    assert_eq!(told, ["page-member-unreadable: Clerk may open m.Start but no rule lets that role read m.Claim.secret"]);
}

#[test]
fn what_cannot_be_meant_is_said() {
    let fault = |predicates: &str, condition: &str| told(&[("m/domain.yaml", &with(predicates, condition))]).join("; ");
    assert!(
        fault("{a: \"b(this)\", b: \"c(this)\", c: \"a(this)\"}", "this.flag").contains("the predicate `a` depends on itself")
    );
    assert!(fault("{a: \"this.nope == 1\"}", "a(this)").contains("no member `nope`"));
    assert!(fault("{isOpen: \"this.flag\"}", "isOpn(this)").contains("no function or predicate `isOpn`"));
    assert!(fault("{isOpen: \"this.flag\"}", "isOpen()").contains("asked of an object"));
    assert!(fault("{isOpen: \"this.flag\"}", "isOpen(this.ward)").contains("no function or predicate `isOpen`"));
    assert!(fault("{count: \"this.flag\"}", "this.flag").contains("`count` is a function already"));
    assert!(
        fault("{isOpen: \"this.count\"}", "this.flag").contains("boolean is needed"),
        "{}",
        fault("{isOpen: \"this.count\"}", "this.flag")
    );
    assert!(fault("{isOpen: \"this.count / 2 > 1\"}", "isOpen(this)").contains("division"));
}

/// `item` of a list around must not become `item` of a list inside the predicate.
#[test]
fn a_predicate_with_a_list_of_its_own_is_not_asked_of_an_item_it_would_mistake() {
    let domain =
        with("{isOpen: \"exists(this.ward.claims[item.count == this.count])\"}", "exists(this.ward.claims[isOpen(item)])");
    assert!(told(&[("m/domain.yaml", &domain)]).join(";").contains("cannot be asked of `item`"));
    // Without `this` inside that list there is nothing to mistake.
    let domain = with("{isOpen: \"exists(this.ward.claims[item.count == 1])\"}", "exists(this.ward.claims[isOpen(item)])");
    assert_eq!(told(&[("m/domain.yaml", &domain)]), Vec::<String>::new());
}

#[test]
fn a_constant_in_a_predicate_is_no_reason_for_an_alarm_and_a_contradiction_is() {
    let domain = with("{isBig: \"@m.Limit > 3\"}", "isBig(this)");
    assert_eq!(told(&[("m/domain.yaml", &domain)]), Vec::<String>::new());
    let domain = with("{isDone: \"this.state == 'Done'\"}", "isDone(this) && this.state == 'Draft'");
    assert_eq!(told(&[("m/domain.yaml", &domain)]), ["constant-condition: this can never be true"]);
}
