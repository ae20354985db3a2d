//! The marks of two pages for three roles, as they were reviewed: a mark that changes shows in the difference.

use super::switch_on;
use crate::support::golden;
use crate::support::server::{Server, Setup, written};
use portcullis::model::{self, Files, WidgetKind, each_widget};
use portcullis::page::MarkKind;
use std::collections::BTreeSet;
use tempfile::TempDir;

const APP: &str = "app: gallery
title: Gallery
level: prototype
language: en
modules: [g]
userRoles:
  Guest: {anonymous: true, moduleRoles: [g.Guest]}
  Clerk: {moduleRoles: [g.User]}
  Lead: {moduleRoles: [g.User, g.Lead]}
  Boss: {moduleRoles: [g.User, g.Lead, g.Head]}
guardrails:
  - {deny: write, of: [g.Work.price], userRoles: [Lead], doc: Leads set no prices}
navigation:
  - {userRoles: [Clerk, Lead, Boss], home: g.Hall, menu: [{title: Hall, page: g.Hall}]}
  - {userRoles: [Boss], menu: [{title: Vault, page: g.Vault}]}
demoUsers:
  - {key: cleo, name: Cleo Hart, email: cleo@gallery.example, userRoles: [Clerk]}
  - {key: lena, name: Lena Ford, email: lena@gallery.example, userRoles: [Lead]}
  - {key: bob, name: Bob Stone, email: bob@gallery.example, userRoles: [Boss]}
";
const MODULE: &str = "roles: {User: Works, Lead: Leads, Head: Decides, Guest: Visits}\n";
const DOMAIN: &str = r#"
enumerations:
  State: {Shown: {tone: success}, Stored: {tone: info}}
entities:
  Room:
    attributes: {name: {type: string, length: 50}, budget: {type: integer}}
    display: name
    access:
      - {doc: All know the rooms, roles: [User], read: [name]}
      - {doc: Money is the head's, roles: [Head], read: [name, budget], write: [budget], create: true, delete: true}
  Work:
    attributes:
      title: {type: string, length: 50, required: true}
      price: {type: integer}
      state: {type: enumeration, of: State}
    associations: {room: {to: Room, inverse: works, onDelete: clear}}
    display: title
    access:
      - {doc: What hangs is seen, roles: [User], read: [title, state, room], where: "this.state == 'Shown'"}
      - {doc: Cheap ones have a price tag, roles: [User], read: [title, price], where: "this.price < 100 && this.state == 'Shown'"}
      - {doc: Leads hang and take down, roles: [Lead], read: [title, state, room, price], write: [title, state, room, price]}
      - {doc: The head reads prices, roles: [Head], read: [title, state, room, price], write: [price], create: true, delete: true}
  Alarm:
    attributes: {text: {type: string, length: 50}}
    access:
      - {doc: Alarms are the head's, roles: [Head], read: [text]}
"#;
const SELL: &str = "roles: [User]
parameters: {Work: Work}
applyEntityAccess: false
elevation:
  - {entity: Work, doc: Takes down what is sold, read: [title, price], write: [state], where: \"this.state == 'Shown'\"}
  - {entity: Alarm, doc: Leaves word, create: true, read: [text], write: [text]}
do:
  - change: {object: $Work, set: {state: \"'Stored'\"}}
";
const PRAISE: &str = "roles: [User]\nparameters: {Work: Work}\ndo:\n  - message: {text: Fine, tone: info}\n";
const CLOSE: &str = "roles: [Head]\nparameters: {Work: Work}\ndo:\n  - message: {text: Closed, tone: info}\n";
const GREETING: &str = "content:\n  - text: {value: Good day}\n";
const HALL: &str = r#"
title: Hall
roles: [User]
content:
  - heading: {text: For bosses, visible: "role('Boss')"}
  - snippet: {name: Greeting, visible: "role('Lead') || role('Boss')"}
  - alert: {text: The head is watching, tone: warning, visible: "role('Boss')"}
  - container:
      title: Figures
      style: card
      visible: "!role('Lead')"
      content:
        - columns:
            - {width: 6, content: [{stat: {title: Works, source: {entity: Work}, value: count}}]}
            - {width: 6, content: [{stat: {title: Worth, source: {entity: Work}, value: {sum: price}}}]}
        - tabs:
            - {title: One, content: [{text: {value: For the lead, visible: "role('Lead')"}}]}
            - {title: Two, content: [{stat: {title: Alarms, source: {entity: Alarm}, value: count}}]}
  - dataGrid:
      title: Works
      source: {entity: Work, sort: [title]}
      columns: [{show: title}, {show: price}, {show: room.name, title: Room}, {badge: this.state}]
      opens: {page: WorkDetail, with: {Work: this}}
      buttons: [{button: {caption: To the vault, open: {page: Vault}}}]
      rowButtons: [{button: {caption: Sell, run: {microflow: Sell, with: {Work: this}}}}]
  - listView:
      title: Rooms
      source: {entity: Room, sort: [name]}
      content: [{text: {value: "{this.name}"}}]
  - listView:
      title: Alarms
      visible: "role('Boss')"
      source: {entity: Alarm}
      content: [{text: {value: "{this.text}"}}]
"#;
const DETAIL: &str = r#"
title: A work
roles: [User]
parameters: {Work: Work}
content:
  - dataView:
      source: {parameter: Work}
      content:
        - badge: {value: this.state, visible: "this.state == 'Shown'"}
        - text: {value: Dear, visible: "this.price > 1000"}
        - input: {member: title}
        - input: {member: price}
        - input: {member: state}
        - reference: {member: room, show: name}
        - button: {caption: Save, save: {then: stay}}
        - button: {caption: Remove, style: danger, delete: {}}
        - button: {caption: Sell it, run: {microflow: Sell, with: {Work: this}}}
        - button: {caption: Praise it, run: {microflow: Praise, with: {Work: this}}}
        - button: {caption: Close it, run: {microflow: Close, with: {Work: this}}}
        - button: {caption: Back, cancel: {}}
        - dataView:
            source: {association: room}
            readOnly: true
            visible: "role('Boss')"
            content: [{input: {member: budget}}]
"#;
const VAULT: &str = "title: Vault\nroles: [Head]\ncontent: []\n";
const ROOMS: &str = "key,name,budget\nn,North,500\n";
const WORKS: &str = "key,title,price,state,room
a,Apple,50,Shown,n
b,Bridge,5000,Shown,n
c,Castle,70,Stored,n
";
const PAGES: [(&str, &str); 2] = [("hall", HALL), ("work", DETAIL)];
const ROLES: [&str; 3] = ["cleo", "lena", "bob"];

fn files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("app.yaml", APP),
        ("g/module.yaml", MODULE),
        ("g/domain.yaml", DOMAIN),
        ("g/microflows/Sell.yaml", SELL),
        ("g/microflows/Praise.yaml", PRAISE),
        ("g/microflows/Close.yaml", CLOSE),
        ("g/snippets/Greeting.yaml", GREETING),
        ("g/pages/Hall.yaml", HALL),
        ("g/pages/WorkDetail.yaml", DETAIL),
        ("g/pages/Vault.yaml", VAULT),
        ("seed/01-g.Room.csv", ROOMS),
        ("seed/02-g.Work.csv", WORKS),
    ]
}

fn gallery() -> (Server, TempDir) {
    let folder = written(&files());
    (Setup::of(folder.path()).run(), folder)
}

/// What stands between two pieces of text.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to}")).0
}

/// A piece of a page as lines: marks as `[number tone]`, trees by indentation, nothing that is for the ear only.
fn lines(html: &str) -> String {
    let (mut out, mut depth, mut hidden) = (String::new(), 0_usize, Vec::<&str>::new());
    for part in html.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, ""));
        let name = tag.split([' ', '/']).find(|word| !word.is_empty()).unwrap_or_default();
        if tag.starts_with('/') {
            if hidden.last() == Some(&name) {
                hidden.pop();
            }
        } else if !hidden.is_empty() {
            if hidden.contains(&name) && !tag.ends_with('/') {
                hidden.push(name);
            }
        } else if let Some(rest) = tag.split("class=\"xray-badge xray-").nth(1) {
            // In the legend a number stands by itself.
            let tone = rest.split('"').next().unwrap_or_default();
            let number = tag.split("#xray-").nth(1).and_then(|rest| rest.split('"').next());
            out.push_str(&number.map_or(format!(" [{tone}]"), |number| format!(" [{number} {tone}]")));
            if number.is_some() {
                hidden.push(name);
            }
        } else if (tag.contains("class=\"vh\"") || ["svg", "select"].contains(&name)) && !tag.ends_with('/') {
            hidden.push(name);
        }
        match (name, tag.starts_with('/')) {
            ("ul" | "ol", false) => depth += 1,
            ("ul" | "ol", true) => depth = depth.saturating_sub(1),
            ("li" | "p" | "div" | "tr" | "h1" | "h2" | "h3" | "summary" | "section" | "header", false) if hidden.is_empty() => {
                out.push('\n');
                out.push_str(&"  ".repeat(depth));
            }
            ("td" | "th", false) => out.push_str(" |"),
            _ => {}
        }
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if hidden.is_empty() && !words.is_empty() {
            if !out.ends_with([' ', '\n']) {
                out.push(' ');
            }
            out.push_str(&words);
        }
    }
    let readable =
        out.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    readable.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A page as the overlay marks it, for one person.
fn marked(server: &Server, who: &str, page: &str) -> String {
    let target = match page {
        "hall" => "/p/g.Hall".to_owned(),
        _ => format!("/p/g.WorkDetail?Work={}", server.handle("g.Work", 2)),
    };
    let shown = switch_on(&server.sign_in(who), &target);
    assert_eq!(shown.status, 200, "{who} {page}");
    let body = &shown.answer.body;
    let (stands, legend) = (between(body, "<main", "</main>"), between(body, "<aside id=\"xray\"", "</aside>"));
    format!("{page} for {who}\n\nwhere the marks stand\n{}\nwhat they say\n{}", lines(stands), lines(legend))
}

#[test]
fn the_marks_of_two_pages_for_three_roles_are_as_reviewed() {
    let (server, _folder) = gallery();
    for (page, _) in PAGES {
        for who in ROLES {
            let found = marked(&server, who, page);
            assert!(!found.contains("class=") && !found.contains("href="), "{found}");
            golden::check(&format!("xray/{page}-{who}.txt"), &found);
        }
    }
}

/// The word by which a widget's mark, or its absence, is told; `None`: it has no condition of its own, so it is shown
/// whenever the page is. A widget that is added must be added here, and then needs a mark.
fn word(kind: &WidgetKind) -> Option<&'static str> {
    match kind {
        WidgetKind::Columns(_) | WidgetKind::Tabs(_) => None,
        WidgetKind::Container { .. } => Some("container"),
        WidgetKind::Snippet { .. } => Some("snippet"),
        WidgetKind::Heading { .. } => Some("heading"),
        WidgetKind::Text { .. } => Some("text"),
        WidgetKind::Badge { .. } => Some("badge"),
        WidgetKind::Alert { .. } => Some("alert"),
        WidgetKind::DataView(_) => Some("object"),
        WidgetKind::DataGrid(_) | WidgetKind::ListView(_) => Some("list"),
        WidgetKind::Input(_) | WidgetKind::Reference(_) => Some("member"),
        WidgetKind::Stat(_) => Some("figure"),
        WidgetKind::Button(_) => Some("button"),
    }
}

#[test]
fn every_kind_of_widget_and_of_mark_occurs_in_the_golden_files() {
    let declared = files().into_iter().filter(|(path, _)| path.ends_with(".yaml"));
    let model = model::load(&Files::of(declared)).0.unwrap();
    let (mut words, mut kinds) = (BTreeSet::new(), std::collections::HashSet::new());
    for page in model.pages.values() {
        each_widget(&page.content, &mut |widget| {
            kinds.insert(std::mem::discriminant(&widget.kind));
            words.extend(word(&widget.kind));
        });
    }
    let source = std::fs::read_to_string(crate::support::project("src/model/types/page.rs")).unwrap();
    let declared = between(&source, "pub enum WidgetKind {", "\n}");
    let declared = declared.lines().filter(|line| line.trim().starts_with(|c: char| c.is_ascii_uppercase())).count();
    assert_eq!(kinds.len(), declared, "a kind of widget stands on none of these pages");
    let (server, _folder) = gallery();
    let all: String = PAGES.iter().flat_map(|(page, _)| ROLES.iter().map(|who| marked(&server, who, page))).collect();
    let entry = |word: &str| {
        all.lines().any(|line| {
            ["yes", "no", "partly"].iter().any(|tone| line.contains(&format!("[{tone}]")))
                && format!("{line} ").contains(&format!(" {word} "))
        })
    };
    for word in words {
        assert!(entry(word), "no mark of a {word}");
    }
    for kind in MarkKind::ALL {
        assert!(entry(kind.word()), "no mark of kind {}", kind.word());
    }
    for tone in ["yes", "no", "partly"] {
        assert!(all.contains(&format!("[{tone}]")), "no mark is {tone}");
    }
}
