//! The container set-up, where no container engine is needed to see that it fits the program.

use crate::support::actor::Actor;
use crate::support::process::Process;
use crate::support::project;
use crate::support::server::cluster::{Cluster, available};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn text(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap()
}

fn compose() -> Value {
    serde_saphyr::from_str(&text("docker-compose.yml")).unwrap()
}

/// Every setting that the image and a service give, with its value.
fn given(service: &str) -> BTreeMap<String, String> {
    let dockerfile = text("Dockerfile").replace("\\\n", " ");
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV "));
    let image = lines.flat_map(str::split_whitespace).map(|pair| pair.split_once('=').unwrap());
    let mut all: BTreeMap<String, String> = image.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.extend(environment(&compose()["services"][service]));
    all
}

/// What a service's environment says, with what it takes over from another.
fn environment(service: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, value) in service["environment"].as_object().into_iter().flatten() {
        match value {
            Value::Object(merged) if name == "<<" => {
                all.extend(merged.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())));
            }
            value => drop(all.insert(name.clone(), value.as_str().unwrap().to_owned())),
        }
    }
    all
}

/// The program with the settings of a container, but folders and files of this machine.
fn container(service: &str, arguments: &[&str], folder: &Path) -> Command {
    let mut run = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let here = |value: &str| {
        let value = value.replace("/run/secrets/", &format!("{}/secrets/", folder.display()));
        value.replace("/secret/", &format!("{}/secret/", folder.display()))
    };
    run.env_clear()
        .current_dir(folder)
        .args(arguments.iter().map(|argument| here(&format!("{argument}/")).trim_end_matches('/').to_owned()));
    run.envs(
        given(service).into_iter().filter(|(name, _)| name.starts_with("PORTCULLIS_")).map(|(name, value)| (name, here(&value))),
    );
    // In the container it runs as a user of its own.
    run.env("PORTCULLIS_ALLOW_ROOT", "true");
    run.env("PORTCULLIS_DATA", folder.join(service)).env("PORTCULLIS_APP", project("apps/people"));
    run
}

fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The secrets as the script makes them.
fn secrets(folder: &Path) {
    std::fs::create_dir_all(folder.join("docker")).unwrap();
    std::fs::copy(project("docker/secrets.sh"), folder.join("docker/secrets.sh")).unwrap();
    let (made, told) = said(Command::new("sh").arg(folder.join("docker/secrets.sh")));
    assert!(made, "{told}");
    for name in compose()["secrets"].as_object().unwrap().values() {
        let file = folder.join(name["file"].as_str().unwrap());
        assert!(std::fs::read_to_string(&file).unwrap().len() > 20, "{} is not made", file.display());
    }
}

const NODES: [&str; 2] = ["one", "two"];

#[test]
fn every_setting_of_the_containers_is_one_of_the_programs() {
    let folder = tempfile::tempdir().unwrap();
    secrets(folder.path());
    let password = std::fs::read_to_string(folder.path().join("secrets/server_password")).unwrap();
    for node in NODES {
        assert!(given(node).len() >= 8, "{:?}", given(node));
        let (shown, text) = said(&mut container(node, &["settings"], folder.path()));
        assert!(shown, "{text}");
        assert!(text.contains("base_url = \"https://localhost:8443\"") && text.contains(&format!("node = \"{node}\"")), "{text}");
        assert!(!text.contains(&password), "{text}");
    }
    let differ: Vec<String> =
        given("one").into_iter().filter(|(name, value)| given("two").get(name) != Some(value)).map(|(name, _)| name).collect();
    assert_eq!(differ, ["PORTCULLIS_LISTEN", "PORTCULLIS_NODE"], "the nodes are alike but for name and port");
}

#[test]
fn the_containers_settings_are_safe_once_there_is_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    secrets(folder.path());
    let (_, refused) = said(&mut container("one", &["serve"], folder.path()));
    assert!(refused.contains("1 thing(s) to mend") && refused.contains("secret_file"), "{refused}");
}

/// What the database's image does once, and then the services in their order, here on a cluster of this machine.
#[test]
fn the_database_that_the_script_makes_serves_two_nodes_with_exactly_these_settings() {
    let Some(cluster) = available(Cluster::start()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    secrets(folder);
    let url = cluster.database();
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap().to_owned();
    let bin = Command::new("pg_config").arg("--bindir").output().unwrap().stdout;
    let path = format!("{}:{}", String::from_utf8(bin).unwrap().trim(), std::env::var("PATH").unwrap());
    let mut roles = Command::new("sh");
    roles.arg(project("docker/roles.sh")).env("PATH", path).env("PGHOST", "127.0.0.1").env("PGPORT", &port);
    let (made, told) = said(roles.env("POSTGRES_USER", "portcullis").env("SECRETS", folder.join("secrets")));
    assert!(made, "{told}");
    let asked = "SELECT rolname || rolsuper || rolcreaterole || rolinherit || rolbypassrls || (rolpassword IS NOT NULL) \
                 FROM pg_authid WHERE rolname LIKE 'portcullis\\_%' ORDER BY 1";
    let roles = cluster.sql("portcullis", asked).unwrap();
    assert_eq!(roles.trim(), "portcullis_ownerfalsetruefalsefalsetrue\nportcullis_serverfalsefalsefalsefalsetrue");
    // The socket of the container is the port of this cluster here; nothing else differs.
    for name in ["database_url", "database_owner_url"] {
        let file = folder.join("secrets").join(name);
        let text = std::fs::read_to_string(&file).unwrap();
        let here = text.replace("?host=/var/run/postgresql", &format!("?host=127.0.0.1&port={port}"));
        assert_ne!(text, here);
        std::fs::write(file, here).unwrap();
    }
    let command = |service: &str| -> Vec<String> {
        let command = compose()["services"][service]["command"].as_array().unwrap().clone();
        command.into_iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    for service in ["secret", "migrate"] {
        let words = command(service);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (done, told) = said(&mut container(service, &words, folder));
        assert!(done, "{service}: {told}");
    }
    let nodes = NODES.map(|node| {
        let mut serve = container(node, &["serve"], folder);
        Process::start(serve.env("PORTCULLIS_LISTEN", "127.0.0.1:0"))
    });
    for node in &nodes {
        let answer = Actor::new(node.address).get("/health/ready");
        assert_eq!((answer.status, answer.body.as_str()), (200, "ready"));
        let page = Actor::new(node.address).ask("GET", "/sign-in", &[("Host", "localhost:8443")], b"");
        assert_eq!(page.status, 200, "{}", page.body);
    }
    for node in nodes {
        assert!(node.stop().success());
    }
    let read = cluster.sql("portcullis", "SET SESSION AUTHORIZATION portcullis_server; SELECT count(*) FROM account");
    assert!(read.is_err_and(|why| why.contains("permission denied")), "whom the nodes log in as reads nothing by itself");
}

/// Seconds of a duration such as `5s`.
fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{text} is not in seconds"))
}

#[test]
fn the_balancer_knows_both_nodes_hears_in_time_that_one_leaves_and_never_sends_a_form_twice() {
    let (caddy, compose) = (text("docker/Caddyfile"), compose());
    let word = |name: &str| {
        let line = caddy.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_else(|| panic!("{name} is missing"));
        line.trim().to_owned()
    };
    let upstreams: Vec<String> = word("reverse_proxy ").split_whitespace().filter(|w| *w != "{").map(str::to_owned).collect();
    let alias = compose["services"]["mail"]["networks"]["edge"]["aliases"][0].as_str().unwrap();
    let listening = NODES.map(|node| format!("{alias}:{}", given(node)["PORTCULLIS_LISTEN"].rsplit(':').next().unwrap()));
    assert_eq!(upstreams, listening);
    assert_eq!(word("health_uri"), "/health/ready");
    assert!(!caddy.contains("lb_retry_match"), "only what is safe to repeat is repeated, as the proxy does by itself");
    for node in NODES {
        let service = &compose["services"][node];
        assert_eq!(service["network_mode"], "service:mail");
        let drain = seconds(&given(node)["PORTCULLIS_DRAIN"]);
        assert!(seconds(&word("health_interval")) + seconds(&word("health_timeout")) < drain, "it is told too late");
        // Requests under way have ten seconds more.
        assert!(drain + 10 < seconds(service["stop_grace_period"].as_str().unwrap()), "it is killed too early");
        let port = given(node)["PORTCULLIS_LISTEN"].rsplit(':').next().unwrap().to_owned();
        let check = service["healthcheck"]["test"].to_string();
        assert!(check.contains(&format!("/{port} ")) && check.contains("/health/ready"), "{check}");
        assert_eq!(service["depends_on"]["migrate"]["condition"], "service_completed_successfully");
    }
}

#[test]
fn no_container_is_root_or_writes_outside_its_volumes_or_has_a_secret_in_its_environment() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert!(["one", "two", "database", "migrate", "mail", "proxy"].iter().all(|name| services.contains_key(*name)));
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
        for (variable, value) in environment(service) {
            let is_file = variable.ends_with("_FILE") && value.starts_with("/run/secrets/");
            assert!(is_file || !variable.contains("PASSWORD"), "{name}: {variable}");
        }
        let owner = secrets.iter().any(|secret| secret == "database_owner_url");
        assert_eq!(owner, name == "migrate", "{name}: only who migrates knows the owner");
    }
    let proxy = services["proxy"]["networks"]["edge"]["ipv4_address"].as_str().unwrap();
    for node in NODES {
        assert_eq!(proxy, given(node)["PORTCULLIS_TRUSTED_PROXIES"], "the proxy that is trusted is the one there is");
    }
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
