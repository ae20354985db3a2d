//! What the checker finds before anything runs, and what it must not find.

mod conditions;
mod predicates;
mod reach;
mod rights;
mod wording;

use super::{Files, Finding, load};

const APP: &str = "app: x\ntitle: X\nlevel: prototype\nlanguage: en\nmodules: [m]\n\
userRoles:\n  Clerk: {moduleRoles: [m.Clerk]}\n  Head: {moduleRoles: [m.Clerk, m.Head]}\n  Auditor: {moduleRoles: [m.Audit]}\n\
administration:\n  users: [Head]\n\
navigation:\n  - {userRoles: [Clerk, Head], home: m.Start}\n";
const MODULE: &str = "roles: {Clerk: Works, Head: Leads, Audit: Looks}\nconstants:\n  Limit: {type: integer, value: \"5\"}\n";
const DOMAIN: &str = "enumerations:
  State: {Draft: {}, Submitted: {}, Done: {}}
entities:
  Ward:
    attributes: {name: {type: string}}
    access:
      - {roles: [Clerk], read: [name]}
  Claim:
    attributes:
      title: {type: string}
      note: {type: string}
      secret: {type: string}
      count: {type: integer}
      flag: {type: boolean}
      day: {type: date}
      state: {type: enumeration, of: State, default: \"'Draft'\"}
    associations:
      ward: {to: Ward, inverse: claims}
    access:
      - {roles: [Clerk], create: true, read: [title, count, flag, day, state, ward], write: [title, count, flag, day, state, ward]}
      - {roles: [Clerk], read: [note], write: [note], where: \"this.state == 'Draft'\"}
      - {roles: [Clerk], delete: true, where: \"this.state == 'Draft'\"}
      - {roles: [Head], read: [secret], write: [secret]}
";
const START: &str = "title: Start\nroles: [Clerk]\ncontent: []\n";

/// The findings of the app with some files changed or added.
fn found(changed: &[(&str, &str)]) -> Vec<Finding> {
    let mut files =
        Files::of([("app.yaml", APP), ("m/module.yaml", MODULE), ("m/domain.yaml", DOMAIN), ("m/pages/Start.yaml", START)]);
    files.0.extend(changed.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    load(&files).1.0
}

/// Code and message of each finding.
fn told(changed: &[(&str, &str)]) -> Vec<String> {
    found(changed).into_iter().map(|finding| format!("{}: {}", finding.code, finding.message)).collect()
}

#[test]
fn the_app_of_these_tests_has_no_finding() {
    assert_eq!(told(&[]), Vec::<String>::new());
}
