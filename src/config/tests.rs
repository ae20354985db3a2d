//! Settings from every source, good and bad.

use super::*;

fn resolve(file: &str, variables: &[(&str, &str)], flags: &Overrides) -> Result<Settings, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), Ok((*value).to_owned())));
    super::resolve::resolve(Some((Path::new(FILE), file)), variables, flags)
}

fn file(text: &str) -> Result<Settings, ConfigError> {
    resolve(text, &[], &Overrides::default())
}

fn fault(text: &str) -> String {
    file(text).unwrap_err().to_string()
}

#[test]
fn without_any_source_the_defaults_stay_on_this_machine() {
    let settings = file("").unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.base_url.to_string(), "http://127.0.0.1:8080");
    assert_eq!(settings.hosts, ["127.0.0.1", "[::1]", "localhost"]);
    assert_eq!(settings.database, DbTarget::Sqlite("var/portcullis.db".into()));
    assert_eq!(settings.mail.target, MailTarget::Outbox("var/outbox".into()));
    assert_eq!((settings.session.idle.as_secs(), settings.session.absolute.as_secs()), (1_800, 43_200));
    assert_eq!((settings.argon2.memory, settings.argon2.iterations, settings.limits.body), (19_456, 2, 1_048_576));
    assert!(!settings.secure_cookie() && settings.trusted_proxies.is_empty());
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let text = "listen = \"127.0.0.1:1\"\ndata = \"file\"\napp = \"file\"\n[session]\nidle = \"5m\"";
    let variables =
        [("PORTCULLIS_DATA", "env"), ("PORTCULLIS_APP", "env"), ("PORTCULLIS_SESSION_ABSOLUTE", "2h"), ("PATH", "/bin")];
    let flags = Overrides { app: Some("flag".into()), ..Overrides::default() };
    let settings = resolve(text, &variables, &flags).unwrap();
    assert_eq!(settings.listen.port(), 1);
    assert_eq!((settings.data, settings.app), ("env".into(), "flag".into()));
    assert_eq!((settings.session.idle.as_secs(), settings.session.absolute.as_secs()), (300, 7_200));
}

#[test]
fn every_setting_can_come_from_a_variable() {
    let variables = [
        ("PORTCULLIS_LISTEN", "[::1]:9"),
        ("PORTCULLIS_POOL", "3"),
        ("PORTCULLIS_BASE_URL", "https://App.Example:8443/"),
        ("PORTCULLIS_TRUSTED_PROXIES", "10.0.0.1, ::1"),
        ("PORTCULLIS_HOSTS", "app.example,other.example"),
        ("PORTCULLIS_NODE", "7"),
        ("PORTCULLIS_MAIL_TARGET", "smtps://u:p@mail.example"),
        ("PORTCULLIS_LOG_NODES", "store=debug, flow=trace"),
        ("PORTCULLIS_LOG_FORMAT", "json"),
        ("PORTCULLIS_SESSION_COOKIE_SECURE", "true"),
        ("PORTCULLIS_ALLOW_ROOT", "true"),
        ("PORTCULLIS_LIMITS_STREAMS_PER_CLIENT", "3"),
        ("PORTCULLIS_REQUIRE", "postgresql"),
    ];
    let settings = resolve("", &variables, &Overrides::default()).unwrap();
    assert_eq!(settings.base_url.to_string(), "https://app.example:8443");
    assert_eq!(settings.trusted_proxies.len(), 2);
    assert_eq!((settings.node.as_str(), settings.pool), ("7", 3));
    assert_eq!(settings.log.nodes.get("flow"), Some(&Level::Trace));
    assert!(matches!(settings.mail.target, MailTarget::Smtp(_)) && settings.secure_cookie());
    assert!(settings.allow_root && settings.limits.streams_per_client == 3);
    let names: Vec<String> = super::draft::Draft::keys().iter().map(|(path, _)| super::variables::variable(path)).collect();
    let unique: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "no two settings share a variable");
}

#[test]
fn a_misspelt_key_is_refused_with_its_line_and_a_suggestion() {
    let text = fault("listen = \"127.0.0.1:1\"\n[session]\nidel = \"5m\"\n");
    assert!(text.contains("portcullis.toml") && text.contains("line 3") && text.contains("did you mean `idle`?"), "{text}");
    let text = fault("lissen = \"x\"");
    assert!(text.contains("did you mean `listen`?"), "{text}");
    assert!(fault("[sesion]\nidle = \"5m\"").contains("did you mean `session`?"));
}

#[test]
fn wrong_values_are_refused_where_they_stand() {
    for (text, part) in [
        ("listen = \"nowhere\"", "line 1"),
        ("\n\npool = 0", "line 3"),
        ("pool = -1", "line 1"),
        ("pool = 5000", "pool"),
        ("[session]\nidle = \"5 parsecs\"", "write 90s"),
        ("[session]\nidle = \"99999999d\"", "write 90s"),
        ("[session]\nidle = \"2h\"\nabsolute = \"1h\"", "shorter"),
        ("[limits]\nbody = 20000000", "limits.bodies_per_client"),
        ("[limits]\nbodies = 1000000", "limits.bodies"),
        ("allow_root = \"perhaps\"", "line 1"),
        ("[log]\nlevel = \"loud\"", "loud"),
        ("base_url = \"ftp://x\"", "not an origin"),
        ("base_url = \"https://x/path\"", "not an origin"),
        ("base_url = \"https://user@x\"", "not an origin"),
        ("hosts = [\"a:80\"]", "without port"),
        ("hosts = []", "at least one"),
        ("node = \"a b\"", "node"),
        ("database = \"mysql://x\"", "database"),
        ("trusted_proxies = [\"everybody\"]", "line 1"),
        ("listen = ", "line 1"),
        ("[mail]\nfrom = \"nobody\"", "mail.from"),
    ] {
        let found = fault(text);
        assert!(found.contains(part), "{text}: {found}");
    }
}

#[test]
fn an_unknown_variable_is_refused_with_a_suggestion_and_all_faults_come_at_once() {
    let variables =
        [("PORTCULLIS_LISTN", "x"), ("PORTCULLIS_POOL", "many"), ("PORTCULLIS_ZZZ", ""), ("PORTCULLIS_LOG_NODES", "x")];
    let text = resolve("node = \"\"", &variables, &Overrides::default()).unwrap_err().to_string();
    for part in [
        "PORTCULLIS_LISTN: no such setting; did you mean PORTCULLIS_LISTEN?",
        "PORTCULLIS_POOL: `many`",
        "PORTCULLIS_ZZZ",
        "node:",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn secrets_never_show() {
    let text = "database = \"postgres://u:hunter2@db.example/x\"\ndatabase_owner = \"postgres://o:hunter4@db.example/x\"\n[mail]\ntarget = \"smtps://u:hunter3@mail.example\"";
    let settings = file(text).unwrap();
    let shown = format!("{} {settings:?}", settings.display());
    assert!(!shown.contains("hunter") && shown.contains("***"), "{shown}");
    assert!(!fault("database = \"mysql://u:hunter2@x\"").contains("hunter2"));
    assert!(!fault("database_owner = \"mysql://u:hunter2@x\"").contains("hunter2"));
}

#[test]
fn printed_settings_read_back_as_the_same() {
    let settings =
        file("node = \"n\"\nhosts = [\"a.example\"]\n[log.nodes]\nstore = \"debug\"\n[mail]\nfrom = \"a@b.example\"").unwrap();
    assert_eq!(file(&settings.display()).unwrap(), settings);
}

#[test]
fn a_secret_can_stand_in_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("url");
    std::fs::write(&path, "postgres://u:p@localhost/x\n").unwrap();
    let settings = file(&format!("database_file = {:?}", path.display().to_string())).unwrap();
    assert_eq!(settings.database, DbTarget::Postgres(Secret::new("postgres://u:p@localhost/x")));
    assert!(fault("database_file = \"/nonexistent\"").contains("database_file"));
    let both = format!("database = \"postgres://u@localhost/x\"\ndatabase_owner_file = {:?}", path.display().to_string());
    assert_eq!(file(&both).unwrap().database_owner, Some(DbTarget::Postgres(Secret::new("postgres://u:p@localhost/x"))));
    assert!(fault("database_owner_file = \"/nonexistent\"").contains("database_owner_file"));
    assert!(fault("database_owner = \"postgres://u@localhost/x\"").contains("database_owner: is for PostgreSQL"));
    assert!(fault(&format!("database = \"sqlite\"\ndatabase_file = {:?}", path.display().to_string())).contains("twice"));
}

#[test]
fn a_named_settings_file_must_exist() {
    let flags = Overrides { file: Some("/nonexistent/portcullis.toml".into()), ..Overrides::default() };
    assert!(Settings::load(&flags).is_err());
}

/// Settings without a gap, in a folder of their own.
fn safe(dir: &Path) -> Settings {
    let keys = dir.join("keys/secret.key");
    create_private_dir(&dir.join("keys")).unwrap();
    create_private_dir(&dir.join("app")).unwrap();
    std::fs::write(&keys, random()).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let text = format!(
        "allow_root = true\nlisten = \"0.0.0.0:8080\"\ndata = {:?}\nsecret_file = {:?}\napp = {:?}\nbase_url = \"https://app.example\"\ntrusted_proxies = [\"10.0.0.1\"]\n\
         [mail]\ntarget = \"smtps://mail.example\"\nfrom = \"a@app.example\"",
        dir.join("var"),
        keys,
        dir.join("app"),
    );
    file(&text).unwrap()
}

/// As good as random bytes.
fn random() -> Vec<u8> {
    (0..32_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ (n * n) as u8).collect()
}

#[test]
fn safe_settings_have_no_gap_and_each_unsafe_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let good = safe(dir.path());
    assert_eq!(good.check_production(), []);
    let named = |change: &dyn Fn(&mut Settings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings.check_production().iter().map(|gap| gap.key).collect::<Vec<_>>()
    };
    assert_eq!(named(&|s| s.base_url.secure = false), ["base_url", "session.cookie_secure"]);
    assert_eq!(named(&|s| s.session.cookie_secure = CookieSecure::False), ["session.cookie_secure"]);
    assert_eq!(named(&|s| s.trusted_proxies.clear()), ["trusted_proxies"]);
    assert_eq!(named(&|s| s.mail.target = MailTarget::Outbox("x".into())), ["mail.target"]);
    assert_eq!(named(&|s| s.mail.from_is_set = false), ["mail.from"]);
    assert_eq!(named(&|s| s.argon2.memory = 8_192), ["argon2"]);
    assert_eq!(named(&|s| s.secret_file = dir.path().join("keys/missing")), ["secret_file"]);
    assert_eq!(
        named(&|s| s.secret_file = dir.path().join("var/missing")),
        ["secret_file", "secret_file"],
        "and next to the data"
    );
    std::fs::write(dir.path().join("keys/zeros"), [0; 32]).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(dir.path().join("keys/zeros"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(named(&|s| s.secret_file = dir.path().join("keys/zeros")), ["secret_file"]);
    let zeros = Settings { secret_file: dir.path().join("keys/zeros"), ..good.clone() };
    assert!(zeros.check_production().iter().any(|gap| gap.what.contains("can be guessed")));
}

#[test]
fn a_limit_that_limits_nothing_or_lets_nobody_work_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let good = safe(dir.path());
    type Change = fn(&mut Settings);
    let wrong: [(&str, Change); 17] = [
        ("limits.body", |s| s.limits.body = u32::MAX),
        ("limits.fields", |s| s.limits.fields = 1),
        ("limits.field", |s| s.limits.field = 1),
        ("limits.bodies", |s| s.limits.bodies = u32::MAX),
        ("limits.bodies_per_client", |s| s.limits.bodies_per_client = 1),
        ("limits.connections", |s| s.limits.connections = 1),
        ("limits.connections_per_address", |s| s.limits.connections_per_address = 1_000_000),
        ("limits.streams_per_client", |s| s.limits.streams_per_client = 1_000),
        ("limits.working", |s| s.limits.working = 1),
        ("limits.requests", |s| s.limits.requests = 1_000_000),
        ("limits.requests_per_client", |s| s.limits.requests_per_client = 1),
        ("throttle.account_failures", |s| s.throttle.account_failures = 1_000_000),
        ("throttle.address_failures", |s| s.throttle.address_failures = u32::MAX),
        ("throttle.window", |s| s.throttle.window = Duration::from_secs(1)),
        ("session.idle", |s| s.session.idle = Duration::from_secs(366 * 86_400)),
        ("argon2.concurrent", |s| s.argon2.concurrent = 1_000),
        ("drain", |s| s.drain = Duration::from_secs(86_400)),
    ];
    for (key, change) in wrong {
        let mut settings = good.clone();
        change(&mut settings);
        let found = settings.check_production();
        assert!(matches!(found.as_slice(), [one] if one.key == key && one.mend.contains("from")), "{key}: {found:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_may_read_is_a_gap() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mut settings = safe(dir.path());
    std::fs::set_permissions(&settings.secret_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let toml = dir.path().join("portcullis.toml");
    std::fs::write(&toml, "").unwrap();
    std::fs::set_permissions(&toml, std::fs::Permissions::from_mode(0o640)).unwrap();
    settings.file_with_secret = Some(toml);
    let keys: Vec<_> = settings.check_production().iter().map(|gap| gap.key).collect();
    assert_eq!(keys, ["secret_file", "database, database_owner, mail.target"]);
    std::fs::set_permissions(&settings.secret_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&settings.secret_file, &random()[1..]).unwrap();
    assert!(settings.check_production().iter().any(|gap| gap.key == "secret_file" && gap.what.contains("32 bytes")));
}

#[test]
fn on_loopback_plain_http_is_no_gap_but_an_unsent_cookie_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = safe(dir.path());
    settings.listen = "127.0.0.1:8080".parse().unwrap();
    settings.base_url = Origin::of_listen(settings.listen);
    settings.trusted_proxies.clear();
    assert_eq!(settings.check_production(), []);
    settings.session.cookie_secure = CookieSecure::True;
    assert_eq!(settings.check_production().len(), 1);
}

#[test]
fn origins_are_read_strictly() {
    let read = |text: &str| Origin::try_from(text.to_owned()).map(|origin| origin.to_string());
    assert_eq!(read("https://app.example:443").as_deref(), Ok("https://app.example"));
    assert_eq!(read("http://[::1]:8080").as_deref(), Ok("http://[::1]:8080"));
    assert_eq!(read("http://[::1]").as_deref(), Ok("http://[::1]"));
    for wrong in [
        "",
        "https://",
        "https://a b",
        "https://a:0",
        "https://a:99999",
        "https://a:",
        "https://-a",
        "https://a?x",
        "//a",
        "https://a#b",
        "https://[::1",
        "HTTPS://a",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[cfg(unix)]
#[test]
fn the_data_folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/var");
    create_private_dir(&path).unwrap();
    create_private_dir(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}
