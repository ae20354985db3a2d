//! A small app for the tests.

pub(crate) const APP: &str = r#"
app: desk
title: Desk
level: prototype
language: en
languages: [en, de]
modules: [hr]
userRoles:
  Visitor: {anonymous: true, moduleRoles: [hr.Visitor]}
  Employee: {moduleRoles: [hr.User]}
  Manager: {moduleRoles: [hr.User, hr.Manager]}
navigation:
  - userRoles: [Employee, Manager]
    home: hr.Everything
    menu:
      - {title: People, page: hr.Everything, icon: users}
      - title: Managing
        items:
          - {title: Edit, page: hr.ManagerOnly, icon: settings}
demoUsers:
  - {key: emma, name: Emma Stone, email: emma@desk.example, userRoles: [Employee]}
  - {key: max, name: Max Major, email: max@desk.example, userRoles: [Manager]}
"#;

pub(crate) const MODULE: &str = r"
roles: {User: Works here, Manager: Leads, Visitor: Passes by}
snapshots:
  Openings: {entity: Opening, roles: [Visitor, User]}
";

pub(crate) const DOMAIN: &str = r#"
enumerations:
  Status: {Active: {caption: At work, tone: success}, Gone: {tone: danger}}
entities:
  Department:
    attributes:
      name: {type: string, length: 100, required: true, label: Name}
      secretPlan: {type: string}
    access:
      - roles: [User]
        read: [name, secretPlan]
  Employee:
    attributes:
      number: {type: autonumber}
      name: {type: string, length: 20, required: true, label: Name, help: As on the door}
      email: {type: string, email: true}
      notes: {type: text}
      salary: {type: decimal, precision: 12, scale: 2, label: Salary}
      children: {type: integer}
      remote: {type: boolean}
      joined: {type: date}
      seen: {type: datetime}
      status: {type: enumeration, of: Status, default: "'Active'"}
      hidden: {type: string}
      shout: {type: string, calculated: "this.name + '!'"}
    associations:
      department: {to: Department, inverse: employees, onDelete: refuse}
      account: {to: system.User, kind: one-to-one, inverse: employee, onDelete: clear}
    access:
      - roles: [User]
        read: [number, name, email, notes, children, remote, joined, seen, status, shout, department, account, hidden]
      - roles: [User]
        read: [salary]
        write: [notes, email]
        where: "this.account == user"
      - roles: [Manager]
        create: true
        delete: true
        read: [name, salary, hidden, children, remote, joined, seen, notes, department, status]
        write: [name, salary, children, remote, joined, seen, status, notes, department]
  Note:
    attributes:
      text: {type: string, length: 50, required: true}
    associations:
      about: {to: Employee, inverse: remarks, onDelete: cascade}
    access:
      - roles: [User]
        create: true
        read: [text, about]
        write: [text, about]
  Opening:
    persistable: false
    attributes:
      title: {type: string}
    access:
      - roles: [Visitor, User]
        read: [title]
"#;

pub(crate) const EVERYTHING: &str = r#"
title: "Hello {user.name}"
roles: [User]
content:
  - container:
      title: Figures
      style: card
      content:
        - columns:
            - {width: 6, content: [{stat: {title: People, source: {entity: Employee}, value: count, icon: users, tone: info, opens: {page: Everything}}}]}
            - {width: 6, content: [{stat: {title: Pay, source: {entity: Employee}, value: {sum: salary}}}]}
        - tabs:
            - {title: One, content: [{text: {value: Plain words, style: lead}}]}
            - {title: Two, content: [{alert: {text: "Careful, {user.name}", tone: warning}}]}
  - snippet: {name: Greeting}
  - dataGrid:
      title: People
      source: {entity: Employee, sort: [name]}
      columns:
        - {show: name}
        - {show: department.name}
        - {show: salary}
        - {show: hidden}
        - {text: "{this.name} since {this.joined}", title: Words}
        - {badge: this.status}
      search: [name, hidden]
      filters: [status, remote, joined, seen, name, hidden, department, children]
      pageSize: 2
      opens: {page: Person, with: {Employee: this}}
      buttons:
        - button: {caption: New, icon: plus, style: primary, open: {page: ManagerOnly}}
      rowButtons:
        - button: {caption: Remove, style: danger, confirm: "Remove {this.name}?", delete: {}}
        - button: {caption: Poke, visible: "this.status == 'Active'", run: {microflow: Poke, with: {Employee: this}}}
      empty: Nobody yet
  - listView:
      title: Departments
      source: {entity: Department, sort: [name]}
      pageSize: 1
      empty: None
      content:
        - heading: {text: "{this.name}", level: 3}
        - button: {caption: Look, run: {microflow: Look, with: {Department: this}}}
"#;

pub(crate) const GREETING: &str = r#"
content:
  - heading: {text: "Good day, {user.name}"}
"#;

pub(crate) const PERSON: &str = r#"
title: "{$Employee.name}"
roles: [User]
parameters: {Employee: Employee}
content:
  - dataView:
      source: {parameter: Employee}
      content:
        - badge: {value: this.status}
        - text: {value: "Earns {this.salary}", style: muted}
        - input: {member: name, placeholder: Full name}
        - input: {member: email}
        - input: {member: notes, rows: 3}
        - input: {member: salary}
        - input: {member: children}
        - input: {member: remote}
        - input: {member: joined}
        - input: {member: seen}
        - input: {member: status}
        - input: {member: number}
        - input: {member: shout}
        - input: {member: hidden}
        - reference: {member: department, show: name}
        - text: {value: Well paid, visible: "this.salary > 10"}
        - button: {caption: Save, style: primary, save: {then: close, message: "Saved {this.name}"}}
        - button: {caption: Cancel, style: link, cancel: {}}
        - button: {caption: Delete, style: danger, confirm: "Delete {this.name}?", delete: {}}
        - button: {caption: Promote, run: {microflow: Promote, with: {Employee: this, Text: this.name}}}
        - dataGrid:
            source: {association: remarks}
            columns: [{show: text}]
        - dataView:
            source: {association: department}
            readOnly: true
            content:
              - input: {member: name}
              - input: {member: secretPlan}
"#;

pub(crate) const NOTE: &str = r#"
title: Note
roles: [User]
parameters: {Employee: Employee}
content:
  - dataView:
      source: {new: Note, set: {about: $Employee}}
      content:
        - input: {member: text}
        - button: {caption: Save, save: {then: stay}}
        - button: {caption: Send, run: {microflow: Send, with: {Note: this}}}
"#;

pub(crate) const MANAGER_ONLY: &str = r"
title: For managers
roles: [Manager]
content:
  - dataView:
      source: {new: Employee}
      content:
        - input: {member: name}
        - input: {member: status}
        - input: {member: hidden}
        - reference: {member: department, show: name}
        - button: {caption: Save, save: {}}
";

pub(crate) const PUBLIC: &str = r"
title: Openings
layout: plain
roles: [Visitor]
content:
  - dataGrid:
      source: {snapshot: Openings}
      columns: [{show: title}]
";

pub(crate) const FLOWS: [(&str, &str); 5] = [
    ("hr/microflows/Poke.yaml", "doc: Pokes\nroles: [User]\nparameters: {Employee: Employee}\ndo:\n  - message: {text: Poked}\n"),
    (
        "hr/microflows/Look.yaml",
        "doc: Looks\nroles: [User]\nparameters: {Department: Department}\ndo:\n  - message: {text: Seen}\n",
    ),
    (
        "hr/microflows/Promote.yaml",
        "doc: Promotes\nroles: [Manager]\nparameters: {Employee: Employee, Text: string}\ndo:\n  - message: {text: Up}\n",
    ),
    ("hr/microflows/Send.yaml", "doc: Sends\nroles: [User]\nparameters: {Note: Note}\ndo:\n  - message: {text: Sent}\n"),
    ("hr/microflows/Idle.yaml", "doc: Nobody runs it\nroles: []\ndo:\n  - message: {text: Idle}\n"),
];

pub(crate) fn files() -> Vec<(&'static str, &'static str)> {
    let mut files = vec![
        ("app.yaml", APP),
        ("hr/module.yaml", MODULE),
        ("hr/domain.yaml", DOMAIN),
        ("hr/snippets/Greeting.yaml", GREETING),
        ("hr/pages/Everything.yaml", EVERYTHING),
        ("hr/pages/Person.yaml", PERSON),
        ("hr/pages/NewNote.yaml", NOTE),
        ("hr/pages/ManagerOnly.yaml", MANAGER_ONLY),
        ("hr/pages/Public.yaml", PUBLIC),
        ("texts/de.yaml", "Plain words: Schlichte Worte\nAt work: Im Dienst\nYes: Ja\nSearch: Suchen\n"),
    ];
    files.extend(FLOWS);
    files
}
