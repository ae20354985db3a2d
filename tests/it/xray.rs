//! Why: the overlay of reasons over HTTP and in a browser, the reference of a refusal, and the command line.

mod browser;
mod flows;
mod golden;
mod kinds;
mod strict;
mod vault;

use crate::support::actor::{Actor, Page};
use crate::support::project;
use crate::support::server::people;
use std::process::Command;

/// Puts the switch of the frame on, as a person without script does, and looks at the page again.
fn switch_on(actor: &Actor, page: &str) -> Page {
    let page = actor.open(page);
    let csrf = page.hidden("_csrf").unwrap().to_owned();
    assert!(page.answer.body.contains("action=\"/xray\""), "the switch stands in the frame: {}", page.answer.body);
    assert_eq!(actor.post("/xray", &[("_csrf", csrf.as_str()), ("xray", "on")]).status, 303);
    actor.open(&page.url)
}

/// The reference that a refusal page shows.
fn reference(page: &Page) -> String {
    let (_, rest) = page.answer.body.split_once("class=\"reference\"").expect("a refusal page has a reference");
    let (_, rest) = rest.split_once("<code>").unwrap();
    rest.split('<').next().unwrap().to_owned()
}

/// The sentences about rows that are not there.
fn counts(page: &Page) -> Vec<String> {
    let told = page.answer.body.split("<div class=\"xray-note\">").skip(1);
    told.map(|part| part.split("</p>").next().unwrap().split("<p>").nth(1).unwrap_or_default().to_owned()).collect()
}

/// Secrets of the seed that stand in a page.
fn secrets(seed: &[String], body: &str) -> Vec<String> {
    seed.iter().filter(|secret| body.contains(secret.as_str())).cloned().collect()
}

#[test]
fn every_page_that_a_menu_leads_to_shows_the_same_with_the_overlay_and_no_secret_more() {
    let table = std::fs::read_to_string(project("apps/people/seed/02-hr.Employee.csv")).unwrap();
    let mut lines = table.lines();
    let heads: Vec<&str> = lines.next().unwrap().split(',').collect();
    let columns = ["nationalId", "bankAccount"].map(|name| heads.iter().position(|head| *head == name).unwrap());
    let seed: Vec<String> = lines
        .flat_map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            columns.map(|at| cells.get(at).copied().unwrap_or_default().to_owned())
        })
        .filter(|secret| secret.len() > 8)
        .collect();
    assert!(seed.len() > 400, "{}", seed.len());
    let server = people();
    let mut pages = 0;
    for key in ["nadia", "tomas", "rosa", "carlo", "arun"] {
        let (plain, through) = (server.sign_in(key), server.sign_in(key));
        switch_on(&through, "/account");
        let home = plain.open("/");
        let mut open: Vec<String> = home.html.links.iter().map(|(to, _)| to.clone()).filter(|to| to.starts_with("/p/")).collect();
        open.dedup();
        let menu = open.len();
        for number in 0..usize::MAX {
            let Some(target) = open.get(number).cloned() else { break };
            let (without, with) = (plain.open(&target), through.open(&target));
            assert_eq!((without.status, with.status), (200, 200), "{key}: {target}");
            assert!(with.answer.body.contains("id=\"xray\""), "{key}: {target}");
            let rows =
                |page: &Page| page.html.rows.iter().map(|(grid, row)| (grid.clone(), row.href.clone())).collect::<Vec<_>>();
            assert_eq!(rows(&without), rows(&with), "{key}: {target}");
            assert_eq!(secrets(&seed, &without.answer.body), secrets(&seed, &with.answer.body), "{key}: {target}");
            if number < menu {
                open.extend(without.html.rows.iter().find_map(|(_, row)| row.href.clone()));
            }
            pages += 1;
        }
    }
    assert!(pages > 25, "{pages} pages were looked through");
}

fn explain(data: &str, more: &[&str]) -> (bool, String) {
    let mut arguments = vec!["explain", "--data", data, "--app", "apps/people"];
    arguments.extend_from_slice(more);
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis")).args(arguments).current_dir(project("")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn the_command_line_explains_any_decision_as_operator_or_as_somebody() {
    let server = people();
    let employee = server.handle("hr.Employee", 3);
    let data = server.stop();
    let folder = data.path().to_str().unwrap();
    let nadia = ["--user", "nadia.okafor@people.example"];
    let ask = |more: &[&str]| explain(folder, &[&nadia, more].concat());

    let (ok, text) = ask(&["--entity", "hr.Employee", "--id", &employee, "--member", "salary"]);
    assert!(ok && text.starts_with("read hr.Employee#3.salary: refused"), "{text}");
    for told in [
        "Nadia Okafor <nadia.okafor@people.example>",
        "the operator",
        "hr.Employee rule 2",
        "[hr/domain.yaml:",
        "this.department = ",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(text.contains("rule 5 would grant it to the user role HrAdministrator"), "{text}");

    let (ok, withheld) =
        ask(&["--entity", "hr.Employee", "--id", "3", "--member", "nationalId", "--as", "arun.mehta@people.example"]);
    assert!(ok && withheld.contains("withheld from you") && !withheld.contains("hr.Employee#3)"), "{withheld}");

    let (ok, json) = ask(&["--page", "hr.PayOverview", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(ok && told["granted"] == "no" && told["layer"] == "page-access", "{json}");
    assert!(told["would_change"][0].as_str().unwrap().contains("HrAdministrator"), "{json}");
    assert!(ask(&["--microflow", "hr.RequestLeave"]).1.contains("granted"));
    assert!(ask(&["--part", "audit"]).1.contains("give the user role Auditor"));
    assert!(ask(&["--entity", "hr.Employee", "--op", "delete"]).1.contains("no rule of the model"));
    assert!(explain(folder, &["--user", "visitor", "--page", "hr.Employees"]).1.contains("refused"));

    for (wrong, why) in [
        (vec!["--user", "nobody@people.example", "--page", "hr.Employees"], "no account"),
        (vec!["--user", "visitor", "--page", "hr.Nowhere"], "no page hr.Nowhere"),
        (vec!["--user", "visitor", "--entity", "hr.Employee", "--id", "rubbish"], "neither a number nor a handle"),
        (vec!["--user", "visitor"], "required"),
    ] {
        let (ok, text) = explain(folder, &wrong);
        assert!(!ok && text.contains(why), "{wrong:?}: {text}");
    }
}
