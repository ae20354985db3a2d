//! The commands as an operator types them, and the strict server.

use crate::support::actor::Actor;
use crate::support::project;
use crate::support::server::written;
use portcullis::config::DbTarget;
use portcullis::db::Db;
use portcullis::db::sql::{Params, Sql, execute};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn portcullis(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis")).args(arguments).current_dir(project("")).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn check_exits_with_1_on_an_error_and_speaks_json_to_tools() {
    let good = portcullis(&["check", "apps/people"]);
    assert!(good.status.success() && out(&good).ends_with("0 errors, 0 gaps, 0 warnings\n"), "{}", out(&good));
    let folder = written(&[("app.yaml", "app: x\ntitel: X\n")]);
    let bad = portcullis(&["check", folder.path().to_str().unwrap(), "--format", "json"]);
    assert_eq!(bad.status.code(), Some(1));
    let findings: serde_json::Value = serde_json::from_str(&out(&bad)).unwrap();
    let first = &findings["findings"][0];
    assert_eq!((first["code"].as_str(), first["line"].as_u64()), (Some("unknown-key"), Some(2)));
    assert_eq!(first["hint"], "did you mean `title`?");
    let none = portcullis(&["check", "no/such/folder"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(err(&none).contains("no/such/folder"));
}

#[test]
fn every_command_explains_itself_and_an_unknown_one_is_refused() {
    let help = out(&portcullis(&["--help"]));
    for command in
        ["demo", "serve", "check", "matrix", "explain", "new", "migrate", "audit", "account", "secret", "settings", "schema"]
    {
        assert!(help.contains(command), "{command} is missing in --help");
        let own = portcullis(&[command, "--help"]);
        assert!(own.status.success() && out(&own).contains("Usage:"), "{command}");
    }
    assert!(!portcullis(&["destroy"]).status.success());
}

#[test]
fn schema_is_json_schema_of_every_kind_of_file() {
    let all: serde_json::Value = serde_json::from_str(&out(&portcullis(&["schema"]))).unwrap();
    for part in ["app", "module", "domain", "page", "snippet", "microflow"] {
        assert_eq!(all[part]["additionalProperties"], false, "{part} takes unknown keys");
        assert!(all[part]["properties"].is_object());
    }
}

#[test]
fn settings_are_shown_without_their_secrets() {
    let data = tempfile::tempdir().unwrap();
    let shown = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["settings", "--data"])
        .arg(data.path())
        .env("PORTCULLIS_DATABASE", "postgres://app:hunter2@127.0.0.1/app")
        .output()
        .unwrap();
    assert!(shown.status.success(), "{}", err(&shown));
    assert!(!out(&shown).contains("hunter2"));
    let wrong = Command::new(env!("CARGO_BIN_EXE_portcullis")).arg("settings").env("PORTCULLIS_LISTNE", "x").output().unwrap();
    assert!(!wrong.status.success() && err(&wrong).contains("PORTCULLIS_LISTEN"), "{}", err(&wrong));
}

#[test]
fn demo_mode_listens_on_this_machine_only() {
    let data = tempfile::tempdir().unwrap();
    let refused = portcullis(&["demo", "--listen", "0.0.0.0:0", "--data", data.path().to_str().unwrap()]);
    assert!(!refused.status.success());
    assert!(err(&refused).contains("this machine only"), "{}", err(&refused));
}

#[test]
fn the_strict_server_names_every_gap_and_does_not_start() {
    let data = tempfile::tempdir().unwrap();
    let refused =
        portcullis(&["serve", "--listen", "127.0.0.1:0", "--app", "tests/apps/library", "--data", data.path().to_str().unwrap()]);
    assert!(!refused.status.success());
    for gap in ["prototype", "lending.Donation has no access rule", "mail.target", "secret.key"] {
        assert!(err(&refused).contains(gap), "{gap} is not named:\n{}", err(&refused));
    }
    assert!(!data.path().join("portcullis.db").exists(), "nothing was made");
}

/// A server of our own, stopped when dropped.
struct Strict {
    child: Child,
    said: String,
    address: SocketAddr,
}

impl Strict {
    fn start(data: &Path, mail: u16) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .current_dir(project(""))
            .env("PORTCULLIS_MAIL_TARGET", format!("smtp://127.0.0.1:{mail}"))
            .env("PORTCULLIS_MAIL_FROM", "people@people.example")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap() == 0 {
                let mut why = String::new();
                child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
                panic!("the strict server did not start: {why}");
            }
            said.push_str(&line);
            if line.contains("/link/bootstrap/") || line.contains("READY-END") {
                break;
            }
        }
        let address = said.split("is ready at http://").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        Self { child, said, address }
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_strict_server_has_no_default_account_and_makes_the_first_administrator_by_a_link() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    assert!(portcullis(&["secret", "create", "--data", folder]).status.success());
    let mail = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Strict::start(data.path(), mail.local_addr().unwrap().port());
    assert!(!server.said.contains("Demo users"));

    let somebody = Actor::new(server.address);
    let sign_in = somebody.open("/sign-in");
    assert!(!sign_in.shows("one click") && !sign_in.shows("@people.example"), "no demo user is offered");
    assert_eq!(somebody.open("/dev/outbox").status, 404);
    assert_eq!(somebody.open("/dev/findings").status, 404);
    let csrf = sign_in.hidden("_csrf").unwrap().to_owned();
    assert_eq!(somebody.post("/sign-in/demo", &[("_csrf", csrf.as_str()), ("key", "greta")]).status, 404);

    let link = server.said.split("/link/bootstrap/").nth(1).unwrap().trim().to_owned();
    let founder = Actor::new(server.address);
    let page = founder.open(&format!("/link/bootstrap/{link}"));
    assert_eq!(page.status, 200);
    let page = page.fill("Name", "Ada Moss").fill("E-mail", "ada@people.example");
    let page = page.fill("New password", "short").fill("Once more", "short").click("Save the password");
    assert_eq!(page.status, 422);
    assert!(page.shows("at least 12 characters"));
    let words = "lantern orchard violet tram";
    let page = founder.open(&format!("/link/bootstrap/{link}")).fill("Name", "Ada Moss").fill("E-mail", "ada@people.example");
    let home = page.fill("New password", words).fill("Once more", words).click("Save the password");
    assert_eq!(home.status, 200);
    assert!(home.shows("Ada Moss"));
    assert_eq!(Actor::new(server.address).open(&format!("/link/bootstrap/{link}")).status, 410, "the link works once");
}

#[test]
fn an_sqlite_file_is_for_one_process_at_a_time_and_may_be_looked_at_beside_it() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    assert!(portcullis(&["secret", "create", "--data", folder]).status.success());
    let mail = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Strict::start(data.path(), mail.local_addr().unwrap().port());
    let account = ["account", "create", "--email", "bo@people.example", "--name", "Bo", "--role", "Employee", "--data", folder];
    let changing: [&[&str]; 3] =
        [&["demo", "--listen", "127.0.0.1:0", "--data", folder], &["migrate", "--apply", "--data", folder], &account];
    for command in changing {
        let refused = portcullis(command);
        assert!(!refused.status.success() && err(&refused).contains("another process uses"), "{command:?}: {}", err(&refused));
    }
    for command in [["audit", "verify"], ["migrate", "--plan"]] {
        let looked = portcullis(&[command[0], command[1], "--data", folder]);
        assert!(looked.status.success(), "{command:?}: {}", err(&looked));
    }
    assert_eq!(Actor::new(server.address).open("/sign-in").status, 200, "the one that was there is not disturbed");
    // Killed, not stopped: the lock goes with the process.
    drop(server);
    let made = portcullis(&account);
    assert!(made.status.success(), "{}", err(&made));
}

#[test]
fn an_account_made_on_the_command_line_is_opened_by_its_link_and_unknown_roles_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    assert!(portcullis(&["secret", "create", "--data", folder]).status.success());
    let create = |role: &str| {
        portcullis(&["account", "create", "--email", "bo@people.example", "--name", "Bo Lind", "--role", role, "--data", folder])
    };
    let refused = create("Administratr");
    assert!(!refused.status.success() && err(&refused).contains("Administrator"), "{}", err(&refused));
    assert!(!create("Visitor").status.success(), "the anonymous role is nobody's to hold");
    let made = create("Administrator");
    assert!(made.status.success(), "{}", err(&made));
    assert!(out(&made).contains("/link/invite/"));
    assert!(!create("Administrator").status.success(), "an address has one account");
    let verified = portcullis(&["audit", "verify", "--data", folder]);
    assert!(verified.status.success(), "{}", out(&verified));
    let layers = portcullis(&["audit", "layers", "--data", folder]);
    assert!(layers.status.success() && out(&layers).contains("The layers decide alike."), "{}{}", out(&layers), err(&layers));
}

#[test]
fn migrate_shows_its_plan_and_loses_nothing_unnamed() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let app = |member: &str| {
        let domain = format!(
            "entities:\n  Thing:\n    attributes:\n      {member}: {{type: string}}\n    access:\n      - {{roles: [User], read: [{member}]}}\n"
        );
        written(&[
            (
                "app.yaml",
                "app: things\ntitle: Things\nlevel: production\nlanguage: en\nmodules: [main]\nuserRoles:\n  User: {moduleRoles: [main.User]}\nadministration: {users: [User]}\n",
            ),
            ("main/module.yaml", "roles: {User: Uses it}\n"),
            ("main/domain.yaml", &domain),
        ])
    };
    let migrate = |app: &Path, more: &[&str]| {
        let mut arguments = vec!["migrate", "--data", folder, "--app", app.to_str().unwrap()];
        arguments.extend_from_slice(more);
        portcullis(&arguments)
    };
    let (first, second) = (app("name"), app("title"));
    let planned = migrate(first.path(), &["--plan"]);
    assert!(out(&planned).contains("CREATE TABLE"), "{}{}", out(&planned), err(&planned));
    assert!(migrate(first.path(), &["--apply"]).status.success());
    assert!(out(&migrate(first.path(), &["--plan"])).contains("in step"));
    {
        let db = Db::open(&DbTarget::Sqlite(data.path().join("portcullis.db")), 1).unwrap();
        let mut row = Sql::new();
        row.raw("INSERT INTO main_thing (version, name) VALUES (1, 'kept')");
        let now = crate::support::server::start();
        db.write(|conn| execute(conn, &row, &Params::new(None, now, now.date()))).unwrap();
    }
    let refused = migrate(second.path(), &["--apply"]);
    assert!(!refused.status.success(), "a column with data is not dropped unnamed");
    assert!(out(&refused).contains("main.Thing.name"), "{}", out(&refused));
    assert!(migrate(second.path(), &["--apply", "--accept-loss", "main.Thing.name"]).status.success());
    assert!(out(&migrate(second.path(), &["--plan"])).contains("in step"));
}
