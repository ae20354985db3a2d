//! Microflows against the rights of everybody who runs them.

use super::{APP, DOMAIN, START, found, told};

/// What is found of one flow that the page starts.
fn flow(text: &str) -> Vec<String> {
    told(&[("m/microflows/Act.yaml", text)])
}

fn steps(steps: &str) -> Vec<String> {
    flow(&format!("roles: [Clerk]\nparameters: {{Claim: Claim}}\ndo:\n{steps}"))
}

#[test]
fn a_read_that_nobody_granted_is_found_wherever_it_stands() {
    for step in [
        "  - log: {node: m.X, level: info, text: \"{$Claim.secret}\"}\n",
        "  - sendMail: {to: $Claim.secret, subject: x, text: x}\n",
        "  - sendMail: {to: \"'a@b.example'\", subject: x, text: \"{$Claim.secret}\"}\n",
        "  - decide: {if: \"$Claim.secret == 'x'\", then: []}\n",
        "  - change: {object: $Claim, set: {title: $Claim.secret}}\n",
        "  - retrieve: {as: All, entity: Claim, sort: [-secret]}\n",
        "  - retrieve: {as: All, entity: Claim, where: \"this.title == $Claim.secret\"}\n",
        "  - set: {variable: X, value: \"if($Claim.flag, 'a', $Claim.secret)\"}\n",
        "  - feedback: {object: $Claim, member: title, message: \"{$Claim.secret}\"}\n",
        "  - raise: {message: \"{$Claim.secret}\"}\n",
    ] {
        assert_eq!(steps(step), ["flow-right: Clerk may run m.Act, but has no right to read m.Claim.secret"], "{step}");
    }
    let all = "  - retrieve: {as: All, entity: Claim}\n  - aggregate: {as: Least, list: $All, function: count}\n  - loop: {over: $All, as: One, do: [{log: {node: m.X, level: info, text: \"{$One.secret}\"}}]}\n";
    assert_eq!(steps(all), ["flow-right: Clerk may run m.Act, but has no right to read m.Claim.secret"]);
}

#[test]
fn a_constraint_an_elevation_and_a_decision_by_role_need_no_right_of_the_role() {
    let granted = [
        "  - retrieve: {as: All, entity: Claim, where: \"this.secret == 'x'\"}\n",
        "  - decide: {if: \"role('Head') && $Claim.secret == 'x'\", then: []}\n",
        "  - decide: {if: \"role('Head')\", then: [{log: {node: m.X, level: info, text: \"{$Claim.secret}\"}}]}\n",
        "  - log: {node: m.X, level: info, text: \"{user.name} {user.email}\"}\n",
    ];
    for step in granted {
        assert_eq!(steps(step), Vec::<String>::new(), "{step}");
    }
    let elevated = "roles: [Clerk]\nparameters: {Claim: Claim}\napplyEntityAccess: false\nelevation:\n  - {entity: Claim, read: [secret]}\ndo:\n  - log: {node: m.X, level: info, text: \"{$Claim.secret}\"}\n";
    assert_eq!(flow(elevated), Vec::<String>::new());
}

#[test]
fn a_guardrail_that_denies_the_only_role_its_write_or_its_run_is_found() {
    let app = |deny: &str| {
        APP.replace("navigation:", &format!("guardrails:\n  - {{{deny}, userRoles: [Clerk, Head], doc: No}}\nnavigation:"))
    };
    let act = "roles: [Clerk]\nparameters: {Claim: Claim}\ndo:\n  - change: {object: $Claim, set: {title: \"'x'\"}}\n";
    let files = [("m/microflows/Act.yaml", act)];
    let denied = app("deny: write, of: [m.Claim.title]");
    let found = found(&[files[0], ("app.yaml", &denied)]);
    assert_eq!(found[0].message, "nobody who may run m.Act has the right to write m.Claim.title");
    assert!(found[0].hint.as_ref().unwrap().contains("nothing beats a guardrail"));
    // What it calls, what it deletes, and what it shows.
    let called = "roles: [Clerk]\nparameters: {Claim: Claim}\ndo:\n  - call: {microflow: Other}\n";
    let denied = app("deny: run, of: [m.Other]");
    let said =
        told(&[("m/microflows/Act.yaml", called), ("m/microflows/Other.yaml", "roles: []\ndo: []\n"), ("app.yaml", &denied)]);
    assert_eq!(said, ["flow-right: nobody who may run m.Act has the right to run m.Other"]);
    let denied = app("deny: delete, of: [m.Claim]");
    let deleting = act.replace("change: {object: $Claim, set: {title: \"'x'\"}}", "delete: {object: $Claim}");
    assert_eq!(
        told(&[("m/microflows/Act.yaml", &deleting), ("app.yaml", &denied)]),
        ["flow-right: nobody who may run m.Act has the right to delete m.Claim"]
    );
    let shown = act.replace("change: {object: $Claim, set: {title: \"'x'\"}}", "showPage: {page: Books}");
    let books = START.replace("[Clerk]", "[Head]");
    let start = "title: Start\nroles: [Clerk]\ncontent:\n  - dataGrid: {source: {entity: Claim}, columns: [{show: title}], rowButtons: [{button: {caption: Go, run: {microflow: Act, with: {Claim: this}}}}]}\n";
    let said = told(&[("m/microflows/Act.yaml", &shown), ("m/pages/Books.yaml", &books), ("m/pages/Start.yaml", start)]);
    assert_eq!(said, ["flow-right: Clerk may run m.Act, but has no right to open m.Books"]);
}

#[test]
fn a_handler_runs_with_the_rights_of_whoever_writes() {
    let domain = DOMAIN.replace(
        "    access:\n      - {roles: [Clerk], create",
        "    events: [{on: after commit, run: Note}]\n    access:\n      - {roles: [Clerk], create",
    );
    let note = "roles: []\nparameters: {Claim: Claim}\ndo:\n  - log: {node: m.X, level: info, text: \"{$Claim.secret}\"}\n";
    let act = "roles: [Clerk]\nparameters: {Claim: Claim}\ndo:\n  - change: {object: $Claim, set: {title: \"'x'\"}}\n";
    let said = told(&[("m/domain.yaml", &domain), ("m/microflows/Note.yaml", note), ("m/microflows/Act.yaml", act)]);
    assert_eq!(said, ["flow-right: Clerk may run m.Note, but has no right to read m.Claim.secret"]);
    let start = "title: Start\nroles: [Clerk]\ncontent:\n  - dataView:\n      source: {new: Claim}\n      content:\n        - input: {member: title}\n        - button: {caption: Save, save: {}}\n";
    let said = told(&[("m/domain.yaml", &domain), ("m/microflows/Note.yaml", note), ("m/pages/Start.yaml", start)]);
    assert_eq!(said, ["flow-right: Clerk may run m.Note, but has no right to read m.Claim.secret"]);
}

#[test]
fn rights_are_followed_through_a_change_of_state() {
    let submit = "  - change: {object: $Claim, set: {state: \"'Submitted'\"}}\n";
    let then = |more: &str| steps(&format!("{submit}{more}"));
    let said =
        |what: &str| vec![format!("flow-order: nobody who may run m.Act has the right to {what} while state is 'Submitted'")];
    assert_eq!(then("  - change: {object: $Claim, set: {note: \"'x'\"}}\n"), said("write m.Claim.note at this point"));
    assert_eq!(then("  - log: {node: m.X, level: info, text: \"{$Claim.note}\"}\n"), said("read m.Claim.note at this point"));
    assert_eq!(then("  - delete: {object: $Claim}\n"), said("delete m.Claim at this point"));
    // One change leaves the rule that grants it; a new object is outside the rule from the start.
    let both = "  - change: {object: $Claim, set: {note: \"'x'\", state: \"'Submitted'\"}}\n";
    assert_eq!(steps(both), said("write m.Claim.note with this change"));
    let made = "  - create: {as: New, entity: Claim, set: {note: \"'x'\", state: \"'Submitted'\"}}\n";
    assert_eq!(steps(made), said("write m.Claim.note of the new object"));
    // What a decision and a constraint say of the object is known too.
    let decided = "  - decide: {if: \"$Claim.state != 'Submitted'\", then: [{raise: {message: No}}]}\n  - change: {object: $Claim, set: {note: \"'x'\"}}\n";
    assert!(
        steps(decided)[0].starts_with("flow-order: nobody who may run m.Act has the right to write m.Claim.note at this point")
    );
    let found = "  - retrieve: {as: All, entity: Claim, where: \"this.state == 'Done'\"}\n  - loop: {over: $All, as: One, do: [{delete: {object: $One}}, {change: {object: $Claim, set: {title: \"'x'\"}}}]}\n";
    assert!(steps(found)[0].contains("delete m.Claim at this point while state is 'Done'"));
}

#[test]
fn what_is_not_certain_is_not_reported() {
    for quiet in [
        "  - change: {object: $Claim, set: {note: \"'x'\"}}\n  - change: {object: $Claim, set: {state: \"'Submitted'\"}}\n",
        "  - create: {as: New, entity: Claim, set: {note: \"'x'\"}}\n",
        "  - change: {object: $Claim, set: {state: $Claim.state}}\n  - change: {object: $Claim, set: {note: \"'x'\"}}\n",
        "  - change: {object: $Claim, set: {state: \"'Submitted'\"}}\n  - change: {object: $Claim, set: {state: \"'Draft'\"}}\n  - log: {node: m.X, level: info, text: \"{$Claim.note}\"}\n",
        "  - decide: {if: $Claim.flag, then: [{change: {object: $Claim, set: {state: \"'Submitted'\"}}}]}\n  - log: {node: m.X, level: info, text: \"{$Claim.note}\"}\n",
        "  - retrieve: {as: Same, entity: Claim, first: true}\n  - change: {object: $Claim, set: {state: \"'Submitted'\"}}\n  - change: {object: $Same, set: {state: \"'Draft'\"}}\n  - log: {node: m.X, level: info, text: \"{$Claim.note}\"}\n",
        "  - change: {object: $Claim, set: {state: \"'Submitted'\"}}\n  - call: {microflow: Back, with: {Claim: $Claim}}\n  - log: {node: m.X, level: info, text: \"{$Claim.note}\"}\n",
    ] {
        let act = format!("roles: [Clerk]\nparameters: {{Claim: Claim}}\ndo:\n{quiet}");
        let back = "roles: [Clerk]\nparameters: {Claim: Claim}\ndo:\n  - change: {object: $Claim, set: {state: \"'Draft'\"}}\n";
        assert_eq!(told(&[("m/microflows/Act.yaml", &act), ("m/microflows/Back.yaml", back)]), Vec::<String>::new(), "{quiet}");
    }
}

#[test]
fn a_registration_that_can_never_be_completed_is_an_error() {
    let app = APP
        .replace("userRoles:\n", "userRoles:\n  Guest: {anonymous: true, moduleRoles: [m.Guest]}\n")
        .replace("navigation:", "registration: {userRole: Clerk, expires: 24h, after: m.Complete}\nnavigation:");
    let module = super::MODULE.replace("{Clerk", "{Guest: Visits, Clerk");
    let domain = format!(
        "{DOMAIN}  Form:\n    persistable: false\n    attributes: {{email: {{type: string}}, name: {{type: string}}}}\n    access:\n      - {{roles: [Guest], create: true, read: [email, name], write: [email, name]}}\n"
    );
    let register =
        "roles: [Guest]\nparameters: {Form: Form}\ndo:\n  - register: {email: $Form.email, name: $Form.name, data: $Form}\n";
    let complete = |elevation: &str, steps: &str| {
        let flow = format!(
            "roles: []\nparameters: {{User: system.User, Form: Form}}\napplyEntityAccess: false\nelevation:\n{elevation}do:\n{steps}"
        );
        let files = [
            ("app.yaml", app.as_str()),
            ("m/module.yaml", &module),
            ("m/domain.yaml", &domain),
            ("m/microflows/Register.yaml", register),
            ("m/microflows/Complete.yaml", &flow),
        ];
        found(&files)
            .into_iter()
            .map(|finding| format!("{:?} {}: {}", finding.severity, finding.code, finding.message))
            .collect::<Vec<_>>()
    };
    let writes = "  - {entity: Claim, create: true, read: [title], write: [title]}\n";
    let reads = "  - {entity: Form, read: [name]}\n";
    let step = "  - create: {as: New, entity: Claim, set: {title: $Form.name}}\n";
    assert_eq!(complete(&format!("{writes}{reads}"), step), Vec::<String>::new());
    assert_eq!(
        complete(writes, step),
        ["Error registration: m.Complete completes each registration in nobody's name, and has no right to read m.Form.name"]
    );
    // A rule about the signed-in user holds for nobody.
    let mine = "  - {entity: Claim, create: true, read: [title], write: [title], where: \"this.title == user.name\"}\n";
    let said = complete(&format!("{mine}{reads}"), step);
    assert!(
        said.iter().any(|line| line
            == "Error registration: m.Complete completes each registration in nobody's name, and has no right to create m.Claim"),
        "{said:?}"
    );
    // Only where a decision leads there: worth a look.
    let sometimes = format!(
        "  - decide: {{if: \"today() > date('2026-01-01')\", then: [{}]}}\n",
        "{log: {node: m.X, level: info, text: \"{$Form.email}\"}}"
    );
    assert_eq!(complete(&format!("{writes}{reads}"), &sometimes)[0].split(':').next(), Some("Warning registration"));
}
