//! The four-eyes rule of the app that ships: the rules alone keep it, and so do the validations alone.
//!
//! Each is asked with direct writes, as a microflow with a mistake in it would make them.

use super::fixture::{App, Person, dec, hr, now, values};
use crate::access::{Authority, ObjectError, Objects, WriteError};
use crate::db::Db;
use crate::db::testing::each;
use crate::domain::{ObjectId, Value};
use crate::model::{Files, Model, load};
use crate::store::{Bulk, prepare};
use std::path::Path;
use std::sync::Arc;

/// What of the app is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    Both,
    Rules,
    Validations,
}

/// The app with its rules or its validations on claims taken away.
fn people(left: Left) -> Arc<Model> {
    let mut files = Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/people")).unwrap();
    let domain = files.0.get_mut("hr/domain.yaml").unwrap();
    let claim = domain.find("  ExpenseClaim:\n").unwrap();
    let (before, rest) = domain.split_at(claim);
    let (claim, after) = rest.split_at(rest.find("\n  ExpenseLine:\n").unwrap());
    let (validations, access) = (claim.find("    validations:\n").unwrap(), claim.find("    access:\n").unwrap());
    let members = "status, decidedOn, refusal, firstApprover, secondApprover";
    let open = format!(
        "    access:\n      - roles: [User, Manager, HrAdministrator]\n        create: true\n        delete: true\n        \
         read: [{members}, number, title, submittedOn, total, employee, created]\n        write: [{members}, title, employee]\n"
    );
    let changed = match left {
        Left::Both => claim.to_owned(),
        Left::Rules => format!("{}{}", &claim[..validations], &claim[access..]),
        Left::Validations => format!("{}{open}", &claim[..access]),
    };
    *domain = format!("{before}{changed}{after}");
    let (model, findings) = load(&files);
    Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())))
}

struct Town {
    helen: ObjectId,
    hugo: ObjectId,
    tomas: ObjectId,
    as_helen: Person,
    as_hugo: Person,
    as_tomas: Person,
    as_emma: Person,
    /// Emma's claims: over 900, and over 90.
    large: ObjectId,
    small: ObjectId,
    /// Helen's own, over 900.
    own: ObjectId,
}

fn town(app: &App<'_>) -> Town {
    let accounts = ["helen", "hugo", "tomas", "emma"].map(|name| app.account(&format!("{name}@people.example")));
    let mut made = Vec::new();
    let insert = |bulk: &mut Bulk<'_>, entity: &str, all| bulk.insert(&hr(entity), all);
    app.db
        .write(|conn| {
            made.clear();
            let mut bulk = Bulk::new(conn, &app.model, now()).unwrap();
            let place = insert(&mut bulk, "Department", values([("code", Value::text("ALL")), ("name", Value::text("All"))]))?;
            for (name, account) in ["Helen", "Hugo", "Tomas", "Emma"].iter().zip(accounts) {
                let person = values([
                    ("firstName", Value::text(*name)),
                    ("lastName", Value::text("Test")),
                    ("email", Value::text(format!("{name}@people.example"))),
                    ("jobTitle", Value::text("Tester")),
                    ("status", Value::text("Active")),
                    ("joined", Value::Date(now().date())),
                    ("clearance", Value::Integer(1)),
                    ("annualLeave", Value::Integer(28)),
                    ("department", Value::Object(place)),
                    ("account", Value::Object(account)),
                ]);
                made.push(insert(&mut bulk, "Employee", person)?);
            }
            bulk.refer(&hr("Department"), place, "head", &[made[2]])?;
            for (who, amount) in [(3, "900.00"), (3, "90.00"), (0, "900.00")] {
                let claim = values([
                    ("title", Value::text("A journey")),
                    ("status", Value::text("Submitted")),
                    ("employee", Value::Object(made[who])),
                ]);
                let claim = insert(&mut bulk, "ExpenseClaim", claim)?;
                let line = values([
                    ("spentOn", Value::Date(now().date())),
                    ("kind", Value::text("Travel")),
                    ("description", Value::text("Train")),
                    ("amount", dec(amount)),
                    ("claim", Value::Object(claim)),
                ]);
                insert(&mut bulk, "ExpenseLine", line)?;
                made.push(claim);
            }
            bulk.finish()
        })
        .unwrap();
    let [helen, hugo, tomas, _, large, small, own] = made[..] else { panic!("{made:?}") };
    Town {
        helen,
        hugo,
        tomas,
        as_helen: app.person("HrAdministrator", Some(accounts[0])),
        as_hugo: app.person("HrAdministrator", Some(accounts[1])),
        as_tomas: app.person("Manager", Some(accounts[2])),
        as_emma: app.person("Employee", Some(accounts[3])),
        large,
        small,
        own,
    }
}

type Change<'a> = &'a [(&'a str, Value)];

fn change(app: &App<'_>, who: &Person, claim: ObjectId, all: Change<'_>) -> Result<(), WriteError> {
    let all = all.iter().map(|(name, value)| (crate::domain::Name::new(name), value.clone())).collect();
    app.act(who, |store, grants| {
        let permit = (grants as &dyn Authority).change(&hr("ExpenseClaim"), std::collections::BTreeMap::keys(&all))?;
        store.change(&permit, claim, None, &all)
    })
}

/// Refused by the rules, or by the validations, as what is left of the app says.
fn refused(result: Result<(), WriteError>, left: Left, what: &str) {
    let by_rule = matches!(&result, Err(WriteError::Object(ObjectError::Denied(_))));
    let by_validation = matches!(&result, Err(WriteError::Invalid(_)));
    match left {
        Left::Rules => assert!(by_rule, "{what}: {result:?}"),
        Left::Validations => assert!(by_validation, "{what}: {result:?}"),
        Left::Both => assert!(by_rule || by_validation, "{what}: {result:?}"),
    }
}

fn to(status: &str) -> (&'static str, Value) {
    ("status", Value::text(status))
}

/// Calls `test` for what is left, on each database.
fn with(test: impl Fn(&App<'_>, &Town, Left)) {
    for left in [Left::Both, Left::Rules, Left::Validations] {
        let model = people(left);
        each(|db: &Db| {
            let app = App::unprepared(db, model.clone());
            for role in ["HrAdministrator", "Manager", "Employee"] {
                prepare(db, &app.statements, &app.person(role, None).grants).unwrap();
            }
            test(&app, &town(&app), left);
        });
    }
}

#[test]
fn above_the_limit_one_person_never_approves_alone() {
    with(|app, t, left| {
        let (first, second) = (|who| ("firstApprover", Value::Object(who)), |who| ("secondApprover", Value::Object(who)));
        for (who, own) in [(&t.as_helen, t.helen), (&t.as_tomas, t.tomas)] {
            refused(change(app, who, t.large, &[to("Approved"), first(own)]), left, "alone");
            refused(change(app, who, t.large, &[to("Approved")]), left, "in nobody's name");
            refused(change(app, who, t.large, &[to("FirstApproved")]), left, "passed on in nobody's name");
            refused(change(app, who, t.large, &[to("Approved"), second(own)]), left, "as the second without a first");
            refused(change(app, who, t.large, &[to("Approved"), first(own), second(own)]), left, "twice the same");
        }
        // The ways that are meant are open.
        change(app, &t.as_helen, t.small, &[to("Approved"), first(t.helen)]).unwrap();
        change(app, &t.as_tomas, t.large, &[to("FirstApproved"), first(t.tomas)]).unwrap();
        refused(change(app, &t.as_tomas, t.large, &[to("Approved"), second(t.tomas)]), left, "the first is not the second");
        refused(change(app, &t.as_tomas, t.large, &[to("Approved")]), left, "the first goes on alone");
        change(app, &t.as_hugo, t.large, &[to("Approved"), second(t.hugo)]).unwrap();
    });
}

#[test]
fn nobody_approves_their_own_claim_or_in_the_name_of_others() {
    with(|app, t, left| {
        let (first, second) = (|who| ("firstApprover", Value::Object(who)), |who| ("secondApprover", Value::Object(who)));
        refused(change(app, &t.as_helen, t.own, &[to("FirstApproved"), first(t.helen)]), left, "the own claim");
        change(app, &t.as_hugo, t.own, &[to("FirstApproved"), first(t.hugo)]).unwrap();
        refused(change(app, &t.as_helen, t.own, &[to("Approved"), second(t.helen)]), left, "the own claim as the second");
        if left == Left::Validations {
            // Who acts is not a validation's to know.
            return;
        }
        let forged: [(&str, Change<'_>); 4] = [
            ("another's first approval", &[to("FirstApproved"), first(t.helen)]),
            ("both at once", &[to("Approved"), first(t.helen), second(t.hugo)]),
            ("a name without a status", &[first(t.helen)]),
            ("a second name ahead of time", &[second(t.hugo)]),
        ];
        for (what, all) in forged {
            let result = change(app, &t.as_hugo, t.large, all);
            assert!(matches!(result, Err(WriteError::Object(ObjectError::Denied(_)))), "{what}: {result:?}");
        }
        change(app, &t.as_helen, t.large, &[to("FirstApproved"), first(t.helen)]).unwrap();
        let taken_over = change(app, &t.as_hugo, t.large, &[to("FirstApproved"), first(t.hugo)]);
        assert!(matches!(taken_over, Err(WriteError::Object(ObjectError::Denied(_)))), "{taken_over:?}");
        let by_owner = change(app, &t.as_emma, t.large, &[to("Approved"), second(t.hugo)]);
        assert!(matches!(by_owner, Err(WriteError::Object(ObjectError::Denied(_)))), "{by_owner:?}");
        // Who is asked second may refuse it.
        change(app, &t.as_hugo, t.large, &[to("Refused"), ("refusal", Value::text("No receipt"))]).unwrap();
    });
}
