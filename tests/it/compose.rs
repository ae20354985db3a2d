//! The container set-up, where no container engine is needed to see that it fits the program.

use crate::support::project;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Output};

fn text(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap()
}

fn compose() -> Value {
    serde_saphyr::from_str(&text("docker-compose.yml")).unwrap()
}

/// Every setting that the image and the `app` service give, with its value.
fn given() -> Vec<(String, String)> {
    let dockerfile = text("Dockerfile").replace("\\\n", " ");
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV "));
    let image = lines.flat_map(str::split_whitespace).map(|pair| pair.split_once('=').unwrap());
    let mut all: Vec<(String, String)> = image.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let service = compose()["services"]["app"]["environment"].as_object().unwrap().clone();
    all.extend(service.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())));
    all
}

/// The program with the settings of the container, but folders of this machine.
fn portcullis(command: &[&str], folder: &std::path::Path) -> Output {
    let url = folder.join("database_url");
    std::fs::write(&url, "postgres://portcullis:Mellon-0@/portcullis?host=/var/run/postgresql-of-nobody").unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    run.env_clear().current_dir(folder).envs(given().into_iter().filter(|(name, _)| name.starts_with("PORTCULLIS_")));
    run.env("PORTCULLIS_DATABASE_FILE", url).env("PORTCULLIS_DATA", folder.join("data"));
    run.env("PORTCULLIS_APP", project("apps/people")).args(command).output().unwrap()
}

#[test]
fn every_setting_of_the_containers_is_one_of_the_programs() {
    let folder = tempfile::tempdir().unwrap();
    assert!(given().len() >= 8, "{:?}", given());
    let shown = portcullis(&["settings"], folder.path());
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("base_url = \"https://localhost:8443\"") && !shown.contains("Mellon"), "{shown}");
}

#[test]
fn the_containers_settings_are_safe_once_there_is_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let refused = String::from_utf8(portcullis(&["serve"], folder.path()).stderr).unwrap();
    assert!(refused.contains("1 thing(s) to mend") && refused.contains("secret_file"), "{refused}");
    assert!(portcullis(&["secret", "create"], folder.path()).status.success());
    let refused = String::from_utf8(portcullis(&["serve"], folder.path()).stderr).unwrap();
    assert!(refused.contains("the database cannot be used") && !refused.contains("Mellon"), "{refused}");
}

#[test]
fn no_container_is_root_or_writes_outside_its_volumes_or_has_a_secret_in_its_environment() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert!(["app", "database", "mail"].iter().all(|name| services.contains_key(*name)));
    let user = text("Dockerfile").lines().find_map(|line| line.strip_prefix("USER ").map(str::to_owned)).unwrap();
    assert_ne!(user, "0");
    let named: BTreeSet<&String> = compose["secrets"].as_object().unwrap().keys().collect();
    for (name, service) in services {
        let own = service["user"].as_str().unwrap_or(if service["image"] == "portcullis" { &user } else { "0" });
        assert!(!own.starts_with('0') && own != "root", "{name} runs as root");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert!(service["healthcheck"]["test"].is_array() || service["restart"] == "no", "{name} has no health check");
        let secrets = service["secrets"].as_array().cloned().unwrap_or_default();
        assert!(secrets.iter().all(|secret| named.iter().any(|known| **known == secret.as_str().unwrap())), "{name}");
        let environment = service["environment"].as_object().cloned().unwrap_or_default();
        for (variable, value) in environment {
            let is_file = variable.ends_with("_FILE") && value.as_str().unwrap().starts_with("/run/secrets/");
            assert!(is_file || !variable.contains("PASSWORD"), "{name}: {variable}");
        }
    }
    let proxy = &services["proxy"]["networks"]["edge"]["ipv4_address"];
    assert_eq!(
        *proxy, services["app"]["environment"]["PORTCULLIS_TRUSTED_PROXIES"],
        "the proxy that is trusted is the one there is"
    );
}

/// The table of settings in docs/OPERATIONS.md: key and variable of each row.
fn documented() -> BTreeSet<(String, String)> {
    let text = text("docs/OPERATIONS.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let pairs = rows.filter_map(|row| {
        let (key, rest) = row.split_once("` | `")?;
        let (variable, _) = rest.split_once('`')?;
        variable.starts_with("PORTCULLIS_").then(|| (key.to_owned(), variable.to_owned()))
    });
    pairs.collect()
}

#[test]
fn every_setting_is_documented_and_nothing_else_is() {
    let shown = Command::new(env!("CARGO_BIN_EXE_portcullis")).arg("settings").env_clear().output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let mut keys: BTreeSet<String> = shown.lines().map(|line| line.split(" = ").next().unwrap().to_owned()).collect();
    // These have no line of their own when they are not given.
    keys.extend(["database_file", "database_owner", "database_owner_file", "mail.target_file", "log.nodes"].map(str::to_owned));
    let expected: BTreeSet<(String, String)> =
        keys.into_iter().map(|key| (key.clone(), format!("PORTCULLIS_{}", key.replace('.', "_").to_uppercase()))).collect();
    assert_eq!(documented(), expected);
}
