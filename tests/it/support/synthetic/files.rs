//! The files of an app.

use super::{MODULE, Person, Synthetic, TEAMS, role, roles};
use std::fmt::Write;
use std::path::Path;

/// Lists of a module that have a place in the menu of their own.
const LISTED: usize = 3;
/// People without an account, who have objects too.
const OTHERS: usize = 50;
/// Members that every role with rights on an entity reads, and those that some roles read.
const PLAIN: [&str; 6] = ["name", "code", "status", "due", "amount", "note"];
const SPECIAL: [&str; 6] = ["place", "topic", "hours", "pieces", "price", "urgent"];
const ATTRIBUTES: &str = "      name: {type: string, length: 80, required: true}
      code: {type: string, length: 40}
      status: {type: enumeration, of: State, default: \"'Open'\"}
      due: {type: date}
      amount: {type: decimal, precision: 12, scale: 2}
      note: {type: text}
      place: {type: string, length: 120}
      topic: {type: string, length: 120}
      hours: {type: integer}
      pieces: {type: integer}
      price: {type: decimal, precision: 12, scale: 2}
      urgent: {type: boolean}
";

impl Synthetic {
    fn modules(&self) -> impl Iterator<Item = (String, std::ops::Range<usize>)> {
        let entities = self.shape.entities;
        (0..entities.div_ceil(MODULE)).map(move |m| (format!("m{m}"), m * MODULE..entities.min((m + 1) * MODULE)))
    }

    fn everybody(&self) -> String {
        roles(0..self.shape.roles)
    }

    fn of_entity(&self, entity: usize) -> Vec<usize> {
        self.granted(entity, &(0..self.shape.roles).collect::<Vec<_>>())
    }

    /// Writes the files into a folder.
    pub fn write(&self, folder: &Path) {
        let put = |path: &str, text: &str| {
            let file = folder.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        put("app.yaml", &self.app());
        put("core/module.yaml", &format!("{}  Control: Looks after accounts\n", self.module_roles()));
        put("core/domain.yaml", &self.core());
        put("core/pages/Home.yaml", &page("Home", &format!("{}, Control", self.everybody()), "  - heading: {text: Home}\n"));
        for (module, entities) in self.modules() {
            put(&format!("{module}/module.yaml"), &self.module_roles());
            put(&format!("{module}/domain.yaml"), &self.domain(&module, entities.clone()));
            put(&format!("{module}/pages/Start.yaml"), &self.start(&module, entities.clone()));
            for entity in entities {
                let roles = roles(self.of_entity(entity));
                put(&format!("{module}/pages/E{entity}List.yaml"), &page(&format!("E{entity}"), &roles, &list(entity)));
                put(&format!("{module}/pages/E{entity}New.yaml"), &page(&format!("New E{entity}"), &roles, &form(entity)));
            }
        }
        put("seed/01-core.Team.csv", &teams());
        put("seed/02-core.Person.csv", &self.persons());
        put("seed/03-m0.E0.csv", &self.objects());
    }

    fn module_roles(&self) -> String {
        let one = |number| format!("  {role}: Role {role}\n", role = role(number));
        format!("roles:\n{}", (0..self.shape.roles).map(one).collect::<String>())
    }

    fn app(&self) -> String {
        let modules: Vec<String> = self.modules().map(|(module, _)| module).collect();
        let mut out = format!(
            "app: synthetic\ntitle: Synthetic\nlevel: production\nlanguage: en\nlanguages: [en]\nmodules: [core, {}]\n\
             userRoles:\n",
            modules.join(", ")
        );
        for number in 0..self.shape.roles {
            let role = role(number);
            let own: Vec<String> = modules.iter().map(|module| format!("{module}.{role}")).collect();
            let _ = writeln!(out, "  {role}: {{moduleRoles: [core.{role}, {}], doc: Role {role}}}", own.join(", "));
        }
        let all = self.everybody();
        let _ = write!(
            out,
            "  Admin: {{moduleRoles: [core.Control], mayAssign: [{all}], doc: Looks after accounts}}\nadministration:\n  \
             users: [Admin]\n  matrix: [Admin]\n  audit: [Admin]\nnavigation:\n  - userRoles: [{all}]\n    home: core.Home\n    \
             menu:\n      - {{title: Home, page: core.Home}}\n"
        );
        for (module, entities) in self.modules() {
            let _ = write!(out, "      - title: {}\n        items:\n", module.to_uppercase());
            let _ = writeln!(out, "          - {{title: Start, page: {module}.Start}}");
            for entity in entities.take(LISTED) {
                let _ = writeln!(out, "          - {{title: E{entity}, page: {module}.E{entity}List}}");
            }
        }
        out.push_str(
            "  - userRoles: [Admin]\n    home: core.Home\n    menu:\n      - {title: Home, page: core.Home}\ndemoUsers:\n",
        );
        for Person { key, roles: held, .. } in &self.people {
            let held = roles(held.iter().copied());
            let _ = writeln!(out, "  - {{key: {key}, name: User {key}, email: {key}@example.org, userRoles: [{held}]}}");
        }
        out.push_str("  - {key: admin, name: Ada Min, email: admin@example.org, userRoles: [Admin]}\n");
        out
    }

    fn core(&self) -> String {
        let all = self.everybody();
        format!(
            "entities:
  Team:
    attributes:
      name: {{type: string, length: 80, required: true}}
    access:
      - {{roles: [{all}], read: [name]}}
  Person:
    attributes:
      name: {{type: string, length: 80, required: true}}
    associations:
      team: {{to: Team, inverse: people, onDelete: refuse}}
      account: {{to: system.User, kind: one-to-one, inverse: person, onDelete: clear}}
    display: name
    access:
      - {{roles: [{all}], read: [name, team], where: \"this.team == user.person.team\"}}
      - {{roles: [Control], read: [name, account]}}
"
        )
    }

    fn domain(&self, module: &str, entities: std::ops::Range<usize>) -> String {
        let mut out = String::from(
            "enumerations:\n  State: {Open: {tone: info}, Done: {tone: success}, Late: {tone: warning}}\nentities:\n",
        );
        for entity in entities.clone() {
            let parent = if entity == entities.start { "core.Team".to_owned() } else { format!("E{}", entity - 1) };
            let _ = write!(
                out,
                "  E{entity}:\n    attributes:\n{ATTRIBUTES}    associations:\n      \
                 person: {{to: core.Person, inverse: e{entity}Of{module}, onDelete: refuse}}\n      \
                 parent: {{to: {parent}, inverse: e{entity}s, onDelete: clear}}\n    indexes: [[person, name]]\n    access:\n"
            );
            let of_entity = self.of_entity(entity);
            // Roles of one kind leave out the same members, and what nobody may read would be a finding.
            let one_kind = of_entity.iter().all(|role| role % 3 == of_entity[0] % 3);
            out.extend(of_entity.into_iter().map(|role| rules(role, one_kind)));
        }
        out
    }

    /// Leads to every list of a module.
    fn start(&self, module: &str, entities: std::ops::Range<usize>) -> String {
        let mut content = format!("  - heading: {{text: {}}}\n", module.to_uppercase());
        for entity in entities {
            let shown: Vec<String> =
                self.of_entity(entity).into_iter().map(|number| format!("role('{}')", role(number))).collect();
            let shown =
                if shown.len() == self.shape.roles { String::new() } else { format!(", visible: \"{}\"", shown.join(" || ")) };
            let _ = writeln!(content, "  - button: {{caption: E{entity}, open: {{page: E{entity}List}}{shown}}}");
        }
        page(&module.to_uppercase(), &self.everybody(), &content)
    }

    fn persons(&self) -> String {
        let mut out = String::from("key,name,team,account\n");
        for Person { key, team, .. } in &self.people {
            let _ = writeln!(out, "p{key},Person {key},t{team},demo:{key}");
        }
        out.extend((0..OTHERS).map(|n| format!("px{n},Extra {n},t{},\n", n % TEAMS)));
        out
    }

    fn objects(&self) -> String {
        let mut out = String::from("key,name,code,status,due,amount,note,place,hours,person\n");
        let owners: Vec<String> =
            self.people.iter().map(|person| format!("p{}", person.key)).chain((0..OTHERS).map(|n| format!("px{n}"))).collect();
        for n in 0..self.shape.rows {
            let (state, owner) = (["Open", "Done", "Late"][n % 3], &owners[n % owners.len()]);
            // In another order than they are stored in.
            let name = n * 7_919 % self.shape.rows;
            let (month, day) = (n % 9 + 1, n % 9 + 10);
            let _ = writeln!(out, "e{n},Name {name:06},C{n},{state},2026-0{month}-{day},{n}.50,Note {n},P{n},{n},{owner}");
        }
        out
    }
}

/// What a role may do: write what is its holder's own, and read what is the team's. Twelve roles differ from each other.
fn rules(number: usize, all: bool) -> String {
    let some = SPECIAL.iter().enumerate().filter(|(at, _)| all || !(at + number).is_multiple_of(3));
    let some: Vec<&str> = some.map(|(_, name)| *name).collect();
    let write = [&PLAIN[..4 + number % 2], &some[..2]].concat().join(", ");
    let own = [&PLAIN[..], &some].concat().join(", ");
    let team = [&PLAIN[..], &some[..1 + number % 3]].concat().join(", ");
    let (role, delete) = (role(number), number.is_multiple_of(4));
    let open = if number.is_multiple_of(3) { " && this.status != 'Done'" } else { "" };
    format!(
        "      - roles: [{role}]
        create: true
        delete: {delete}
        read: [{own}, person, parent]
        write: [{write}, person, parent]
        where: \"this.person == user.person\"
      - roles: [{role}]
        read: [{team}, person]
        where: \"this.person.team == user.person.team{open}\"
"
    )
}

fn page(title: &str, roles: &str, content: &str) -> String {
    format!("title: {title}\nlayout: app\nroles: [{roles}]\ncontent:\n{content}")
}

fn list(entity: usize) -> String {
    format!(
        "  - dataGrid:
      source: {{entity: E{entity}, sort: [name]}}
      pageSize: 20
      columns: [{{show: name}}, {{show: code}}, {{show: status}}, {{show: due}}, {{show: amount}}, {{show: note}}]
      search: [name]
      filters: [status]
      buttons:
        - button: {{caption: New, style: primary, open: {{page: E{entity}New}}}}
"
    )
}

fn form(entity: usize) -> String {
    format!(
        "  - dataView:
      source: {{new: E{entity}, set: {{person: user.person}}}}
      content:
        - input: {{member: name}}
        - input: {{member: code}}
        - input: {{member: status}}
        - input: {{member: due}}
        - button: {{caption: Save, style: primary, save: {{then: stay, message: Saved}}}}
"
    )
}

fn teams() -> String {
    (0..TEAMS).fold(String::from("key,name\n"), |out, team| format!("{out}t{team},Team {team}\n"))
}
