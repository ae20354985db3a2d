//! The commands as an operator types them, and the strict server.

use crate::support::actor::Actor;
use crate::support::project;
use crate::support::server::written;
use portcullis::config::DbTarget;
use portcullis::db::Db;
use portcullis::db::sql::{Params, Sql, execute};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

fn portcullis(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis")).args(arguments).current_dir(project("")).output().unwrap()
}

/// An installation on an SQLite file: a folder for the data, and one beside it for the secret.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        let made = home.run(&["secret", "create"]);
        assert!(made.status.success(), "{}", err(&made));
        home
    }
    fn data(&self) -> PathBuf {
        self.0.path().join("var")
    }
    fn secret(&self) -> PathBuf {
        self.0.path().join("keys/root.key")
    }
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(arguments).current_dir(project("")).env("PORTCULLIS_ALLOW_ROOT", "true");
        command.env("PORTCULLIS_DATA", self.data()).env("PORTCULLIS_SECRET_FILE", self.secret());
        command
    }
    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
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
    fn start(home: &Home, mail: u16) -> Self {
        let mut child = home
            .command(&["serve", "--listen", "127.0.0.1:0"])
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
    let home = Home::new();
    let mail = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Strict::start(&home, mail.local_addr().unwrap().port());
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
    let page = page.fill("New password", words).fill("Once more", words).click("Save the password");
    assert_eq!(page.status, 200);
    assert!(page.shows("Ada Moss"));
    assert_eq!(Actor::new(server.address).open(&format!("/link/bootstrap/{link}")).status, 410, "the link works once");

    // An administrator who cannot sign in is none: the next start prints a link again.
    drop(server);
    let db = Db::open(&DbTarget::Sqlite(home.data().join("portcullis.db")), 1).unwrap();
    db.owner(|conn| conn.batch("UPDATE account SET state = 'blocked'")).unwrap();
    drop(db);
    let server = Strict::start(&home, mail.local_addr().unwrap().port());
    let again = server.said.split("/link/bootstrap/").nth(1).unwrap().trim().to_owned();
    assert_ne!(again, link);
    assert_eq!(Actor::new(server.address).open(&format!("/link/bootstrap/{again}")).status, 200);
    assert_eq!(Actor::new(server.address).open(&format!("/link/bootstrap/{link}")).status, 410, "the used one stays used");
}

#[test]
fn an_sqlite_file_is_for_one_process_at_a_time_and_may_be_looked_at_beside_it() {
    let home = Home::new();
    let mail = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Strict::start(&home, mail.local_addr().unwrap().port());
    let account = ["account", "create", "--email", "bo@people.example", "--name", "Bo", "--role", "Employee"];
    let changing: [&[&str]; 3] = [&["demo", "--listen", "127.0.0.1:0"], &["migrate", "--apply"], &account];
    for command in changing {
        let refused = home.run(command);
        assert!(!refused.status.success() && err(&refused).contains("another process uses"), "{command:?}: {}", err(&refused));
    }
    for command in [["audit", "verify"], ["migrate", "--plan"]] {
        let looked = home.run(&command);
        assert!(looked.status.success(), "{command:?}: {}", err(&looked));
    }
    assert_eq!(Actor::new(server.address).open("/sign-in").status, 200, "the one that was there is not disturbed");
    // Killed, not stopped: the lock goes with the process.
    drop(server);
    let made = home.run(&account);
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
    assert!(out(&planned).contains("Adds 1 entity: main.Thing"), "{}{}", out(&planned), err(&planned));
    assert!(out(&planned).lines().count() < 10 && !out(&planned).contains("CREATE"), "{}", out(&planned));
    let every = migrate(first.path(), &["--plan", "--verbose"]);
    assert!(out(&every).contains("    CREATE TABLE"), "{}{}", out(&every), err(&every));
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
    assert!(out(&refused).starts_with("LOSES main.Thing.name"), "what is lost comes first: {}", out(&refused));
    assert!(out(&refused).contains("\nAdds 1 attribute: main.Thing.title\n"), "{}", out(&refused));
    assert!(migrate(second.path(), &["--apply", "--accept-loss", "main.Thing.name"]).status.success());
    assert!(out(&migrate(second.path(), &["--plan"])).contains("in step"));
}

#[test]
fn secret_create_makes_the_file_that_serve_asks_for_and_never_replaces_it() {
    let home = Home::new();
    let first = std::fs::read(home.secret()).unwrap();
    assert!(!home.data().join("secret.key").exists(), "it is made where the setting says, and nowhere else");
    let again = home.run(&["secret", "create"]);
    assert!(again.status.success() && out(&again).contains("keys/root.key"), "{}", out(&again));
    assert_eq!(std::fs::read(home.secret()).unwrap(), first);
}

/// What `serve` says when one thing is wrong.
fn refusal(home: &Home, change: impl FnOnce(&mut Command)) -> String {
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("PORTCULLIS_MAIL_TARGET", "smtp://127.0.0.1:1").env("PORTCULLIS_MAIL_FROM", "people@people.example");
    change(&mut command);
    let refused = command.output().unwrap();
    assert!(!refused.status.success());
    assert!(!home.data().join("portcullis.db").exists(), "nothing was made");
    err(&refused)
}

#[cfg(unix)]
#[test]
fn the_strict_server_refuses_a_weak_secret_and_a_place_that_others_reach() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let home = Home::new();
    let open = |path: &Path, mode: u32| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::create_dir(home.data()).unwrap();
    for mode in [0o770, 0o777] {
        open(&home.data(), mode);
        let said = refusal(&home, |_| ());
        assert!(said.contains("1 thing(s)") || said.contains("data: others than the owner may write"), "{said}");
        assert!(said.contains("chmod go-w"), "{said}");
    }
    open(&home.data(), 0o700);
    symlink("/nowhere", home.data().join("outbox")).unwrap();
    assert!(refusal(&home, |_| ()).contains("is a symbolic link"));
    std::fs::remove_file(home.data().join("outbox")).unwrap();
    let secret = std::fs::read(home.secret()).unwrap();
    for weak in [[0_u8; 32], [7; 32], *b"correct horse battery staple 123"] {
        std::fs::write(home.secret(), weak).unwrap();
        assert!(refusal(&home, |_| ()).contains("it can be guessed"), "{weak:?}");
        let other = home.run(&["account", "create", "--email", "a@b.example", "--name", "A", "--role", "Administrator"]);
        assert!(!other.status.success() && err(&other).contains("guessed"), "no command works with it: {}", err(&other));
    }
    std::fs::write(home.secret(), secret).unwrap();
    let beside = refusal(&home, |command| {
        command.env("PORTCULLIS_SECRET_FILE", home.data().join("secret.key"));
    });
    assert!(beside.contains("the secret is next to the data"), "{beside}");
    let loose = refusal(&home, |command| {
        command.env("PORTCULLIS_THROTTLE_ACCOUNT_FAILURES", "1000000");
    });
    assert!(loose.contains("throttle.account_failures") && loose.contains("limits nothing"), "{loose}");
    if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        let root = refusal(&home, |command| {
            command.env_remove("PORTCULLIS_ALLOW_ROOT");
        });
        assert!(root.contains("would run as root"), "{root}");
    }
}

#[test]
fn a_database_that_a_newer_program_changed_is_left_alone() {
    let home = Home::new();
    assert!(home.run(&["migrate", "--apply"]).status.success());
    {
        let db = Db::open(&DbTarget::Sqlite(home.data().join("portcullis.db")), 1).unwrap();
        let mut newer = Sql::new();
        newer.raw("INSERT INTO __diesel_schema_migrations (version) VALUES ('99999')");
        let now = crate::support::server::start();
        db.write(|conn| execute(conn, &newer, &Params::new(None, now, now.date()))).unwrap();
    }
    for command in [["migrate", "--apply"], ["migrate", "--plan"], ["audit", "verify"], ["demo", "--listen=127.0.0.1:0"]] {
        let refused = home.run(&command);
        assert!(!refused.status.success(), "{command:?}");
        assert!(
            err(&refused).contains("newer than this program") && err(&refused).contains("99999"),
            "{command:?}: {}",
            err(&refused)
        );
    }
}

/// Neither a reader that has read enough nor one that was never there is a fault of the command.
#[cfg(unix)]
#[test]
fn output_that_is_cut_off_ends_no_command_halfway() {
    let home = Home::new();
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let account = ["account", "create", "--email", "bo@people.example", "--name", "Bo", "--role", "Employee"];
    let commands: [&[&str]; 13] = [
        &["schema"],
        &["schema", "page"],
        &["settings"],
        &["--help"],
        &["check", "apps/people"],
        &["check", "apps/people", "--format", "json"],
        &["matrix", "apps/people"],
        &["secret", "create"],
        &["migrate", "--plan"],
        &["migrate", "--apply"],
        &account,
        &["audit", "verify"],
        &["audit", "layers"],
    ];
    for command in commands {
        let ended = home.command(command).stdout(gone()).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{command:?}: {}", err(&ended));
        assert_eq!(err(&ended), "", "{command:?}");
    }
    let planned = home.run(&["migrate", "--plan"]);
    assert!(out(&planned).contains("in step"), "what was to be applied was applied: {}", out(&planned));
    assert!(!home.run(&account).status.success(), "and the account was made");
    for command in
        [&["check", "no/such/folder"][..], &["migrate", "--apply", "--app", "no/such"], &["matrix", "x"], &["new", "2nd"]]
    {
        let ended = home.command(command).stderr(gone()).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{command:?} without anybody who hears of it");
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let lost = home.command(&["schema"]).stdout(full).output().unwrap();
    assert_eq!(lost.status.code(), Some(1), "what could not be written is not passed over");
}

#[cfg(target_os = "linux")]
#[test]
fn a_running_server_leaves_no_core_dump() {
    let home = Home::new();
    let server = Strict::start(&home, 1);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let core: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    let owner = std::fs::metadata(format!("/proc/{}/environ", server.child.id())).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 0, "what may not be dumped belongs to root alone");
}
