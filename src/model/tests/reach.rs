//! Start pages, ways to pages, and how much one question joins.

use super::{APP, DOMAIN, told};

#[test]
fn a_start_page_opens_for_its_roles_without_an_object() {
    let app = APP.replace("home: m.Start}", "home: m.Start}\n  - {userRoles: [Auditor, Clerk], home: m.Start}");
    assert_eq!(told(&[("app.yaml", &app)]), ["home: m.Start is the start page of Auditor but not open to that role"]);
    let app = APP
        .replace("userRoles: [Clerk, Head], home", "userRoles: [Clerk], home")
        .replace("navigation:", "guardrails:\n  - {deny: open, of: [m.Start], userRoles: [Clerk]}\nnavigation:");
    assert_eq!(told(&[("app.yaml", &app)]), ["home: m.Start is the start page of Clerk but not open to that role"]);
    let page = "title: Start\nroles: [Clerk]\nparameters: {Claim: Claim}\ncontent: []\n";
    assert_eq!(told(&[("m/pages/Start.yaml", page)]), ["home: m.Start needs parameters and cannot be a start page"]);
}

#[test]
fn a_page_is_reached_by_menus_buttons_rows_and_what_flows_show() {
    let lost = "title: Lost\nroles: [Clerk]\ncontent: []\n";
    assert_eq!(
        told(&[("m/pages/Lost.yaml", lost)]),
        ["unreached-page: nothing leads to m.Lost: no menu, no button, no row, no microflow"]
    );
    let circle = "title: Lost\nroles: [Clerk]\ncontent:\n  - button: {caption: Again, open: {page: Lost}}\n";
    assert_eq!(told(&[("m/pages/Lost.yaml", circle)]).len(), 1, "a page that leads to itself is no way in");
    let ways = [
        "  - button: {caption: Go, open: {page: Lost}}\n",
        "  - dataGrid: {source: {entity: Claim}, columns: [{show: title}], opens: {page: Lost}}\n",
        "  - stat: {title: All, source: {entity: Claim}, opens: {page: Lost}}\n",
        "  - container: {content: [{button: {caption: Go, run: {microflow: Act}}}]}\n",
    ];
    let flow = "roles: [Clerk]\ndo:\n  - call: {microflow: Lead}\n";
    let lead = "roles: []\ndo:\n  - decide: {if: \"role('Head')\", then: [{showPage: {page: Lost}}]}\n";
    for way in ways {
        let start = format!("title: Start\nroles: [Clerk]\ncontent:\n{way}");
        let files = [
            ("m/pages/Lost.yaml", lost),
            ("m/pages/Start.yaml", &start),
            ("m/microflows/Act.yaml", flow),
            ("m/microflows/Lead.yaml", lead),
        ];
        assert_eq!(told(&files), Vec::<String>::new(), "{way}");
    }
}

/// A grid over an entity with so many associations, each shown with a member of its target.
fn wide(count: usize, how: &str) -> Vec<String> {
    let names: Vec<String> = (1..=count).map(|n| format!("other{n}")).collect();
    let owned: String = names.iter().map(|name| format!("      {name}: {{to: Ward}}\n")).collect();
    let domain = format!(
        "{DOMAIN}  Wide:\n    associations:\n{owned}    access:\n      - {{roles: [Clerk], read: [{}]}}\n",
        names.join(", ")
    );
    let (content, flow) = match how {
        "flow" => (
            "  - button: {caption: Go, run: {microflow: Act}}\n".to_owned(),
            format!(
                "roles: [Clerk]\ndo:\n  - retrieve: {{as: All, entity: Wide, sort: [{}]}}\n",
                names.iter().map(|name| format!("{name}.name")).collect::<Vec<_>>().join(", ")
            ),
        ),
        "list" => {
            let text: String =
                names.iter().map(|name| format!("          - text: {{value: \"{{this.{name}.name}}\"}}\n")).collect();
            (
                format!("  - listView:\n      source: {{entity: Wide}}\n      content:\n{text}"),
                "roles: [Clerk]\ndo: []\n".to_owned(),
            )
        }
        _ => {
            let columns: String = names.iter().map(|name| format!("        - {{show: {name}.name}}\n")).collect();
            (
                format!("  - dataGrid:\n      source: {{entity: Wide}}\n      columns:\n{columns}"),
                "roles: [Clerk]\ndo: []\n".to_owned(),
            )
        }
    };
    let start = format!("title: Start\nroles: [Clerk]\ncontent:\n{content}");
    told(&[("m/domain.yaml", &domain), ("m/pages/Start.yaml", &start), ("m/microflows/Act.yaml", &flow)])
}

#[test]
fn a_list_follows_at_most_as_many_associations_as_a_database_joins() {
    for how in ["grid", "list", "flow"] {
        assert_eq!(wide(63, how), Vec::<String>::new(), "{how}");
        assert_eq!(
            wide(64, how),
            ["joins: this follows 64 associations at once; a database joins at most 63 to one list or object"],
            "{how}"
        );
    }
}
