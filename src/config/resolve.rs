//! From the sources to settings.

use super::draft::{Draft, Span};
use super::origin::is_host;
use super::{
    Argon2, ConfigError, DbTarget, Limits, Log, Mail, MailTarget, Origin, Overrides, Secret, Session, Settings, Throttle,
    variables,
};
use crate::domain::{FaultKind, did_you_mean, plain_fault};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MINUTE: u64 = 60;

/// Resolves settings from what was read; collects every fault.
pub(super) fn resolve(
    file: Option<(&Path, &str)>,
    variables: impl Iterator<Item = (String, Result<String, String>)>,
    flags: &Overrides,
) -> Result<Settings, ConfigError> {
    let (from_env, mut faults) = variables::read(variables);
    let from_file = match file.map(|(path, text)| (path, text, toml::from_str::<Draft>(text))) {
        Some((_, _, Ok(draft))) => draft,
        Some((path, text, Err(error))) => {
            faults.push(describe(path, text, &error));
            Draft::default()
        }
        None => Draft::default(),
    };
    let has_secret = [&from_file.database, &from_file.database_owner, &from_file.mail.target]
        .into_iter()
        .flatten()
        .any(|text| text.contains('@'));
    let file_with_secret = file.filter(|_| has_secret).map(|(path, _)| path.to_owned());
    let from_flags = Draft { listen: flags.listen, data: flags.data.clone(), app: flags.app.clone(), ..Draft::default() };
    let settings = settle(from_flags.or(from_env).or(from_file), file_with_secret, &mut faults);
    if faults.is_empty() { Ok(settings) } else { Err(ConfigError(faults)) }
}

/// The place, what is wrong in plain words, and a suggestion for a misspelt key.
fn describe(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let place = before.map_or_else(String::new, |before| {
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        format!(": line {}, column {column}", before.matches('\n').count() + 1)
    });
    let fault = plain_fault(error.message());
    let keys = Draft::keys();
    let names = keys.iter().flat_map(|(path, _)| path.iter().copied());
    let near = fault.word.as_ref().filter(|_| fault.kind == FaultKind::UnknownWord).and_then(|word| did_you_mean(word, names));
    let hint = near.map(|near| format!("; did you mean `{near}`?"));
    format!("{}{place}: {}{}", path.display(), fault.message, hint.unwrap_or_default())
}

fn settle(draft: Draft, file_with_secret: Option<PathBuf>, faults: &mut Vec<String>) -> Settings {
    let listen = draft.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
    let data = draft.data.unwrap_or_else(|| "var".into());
    let base_url = draft.base_url.unwrap_or_else(|| Origin::of_listen(listen));
    let database = from_file_or(draft.database, draft.database_file, "database_file", faults);
    let owner = from_file_or(draft.database_owner, draft.database_owner_file, "database_owner_file", faults);
    let target = from_file_or(draft.mail.target, draft.mail.target_file, "mail.target_file", faults);
    let pool = number(draft.pool, 8);
    let settings = Settings {
        database: checked(database_target(database, &data), faults, || DbTarget::Sqlite(data.clone())),
        database_owner: checked(owner_target(owner), faults, || None),
        mail: Mail {
            target: checked(mail_target(target, &data), faults, || MailTarget::Outbox(data.clone())),
            from_is_set: draft.mail.from.is_some(),
            from: draft.mail.from.unwrap_or_else(|| format!("portcullis@{}", base_url.host)),
        },
        hosts: draft.hosts.map_or_else(
            || default_hosts(&base_url, listen),
            |hosts| hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        ),
        secret_file: draft.secret_file.unwrap_or_else(|| data.join("secret.key")),
        app: draft.app.unwrap_or_else(|| "apps/people".into()),
        pool,
        trusted_proxies: draft.trusted_proxies.unwrap_or_default(),
        session: Session {
            cookie_secure: draft.session.cookie_secure.unwrap_or_default(),
            idle: span(draft.session.idle, 30 * MINUTE),
            absolute: span(draft.session.absolute, 12 * 60 * MINUTE),
        },
        argon2: Argon2 {
            memory: number(draft.argon2.memory, 19_456),
            iterations: number(draft.argon2.iterations, 2),
            parallelism: number(draft.argon2.parallelism, 1),
            concurrent: number(draft.argon2.concurrent, 2),
        },
        limits: Limits {
            body: number(draft.limits.body, 1 << 20),
            fields: number(draft.limits.fields, 500),
            field: number(draft.limits.field, 100 << 10),
            bodies: number(draft.limits.bodies, 64 << 20),
            bodies_per_client: number(draft.limits.bodies_per_client, 16 << 20),
            connections: number(draft.limits.connections, 2_000),
            connections_per_address: number(draft.limits.connections_per_address, 200),
            streams: number(draft.limits.streams, 40),
            streams_per_client: number(draft.limits.streams_per_client, 8),
            working: number(draft.limits.working, pool.max(TURNS_OF_A_CORE.saturating_mul(cores()))),
            requests: number(draft.limits.requests, 512),
            requests_per_client: number(draft.limits.requests_per_client, 256),
        },
        throttle: Throttle {
            account_failures: number(draft.throttle.account_failures, 5),
            address_failures: number(draft.throttle.address_failures, 50),
            window: span(draft.throttle.window, 15 * MINUTE),
        },
        log: Log {
            format: draft.log.format.unwrap_or_default(),
            level: draft.log.level.unwrap_or_default(),
            nodes: draft.log.nodes.unwrap_or_default(),
        },
        node: draft.node.unwrap_or_else(|| "main".into()),
        drain: span(draft.drain, 5),
        allow_root: draft.allow_root.unwrap_or_default(),
        listen,
        data,
        base_url,
        file_with_secret,
    };
    faults.extend(impossible(&settings));
    settings
}

/// Values that are each well-formed but cannot work.
fn impossible(settings: &Settings) -> Vec<String> {
    let Settings { session, argon2, limits, node, hosts, mail, pool, .. } = settings;
    let plain = |text: &str| {
        !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let bad_host = hosts.iter().find(|host| !is_host(host));
    let checks = [
        (session.absolute < session.idle, "session.absolute: is shorter than session.idle".to_owned()),
        (argon2.memory < argon2.parallelism.saturating_mul(8), "argon2.memory: at least 8 KiB per lane are needed".into()),
        (argon2.memory > 4 << 20, "argon2.memory: is in KiB; more than 4 GiB is not possible".into()),
        (limits.field > limits.body, "limits.field: is larger than limits.body".into()),
        (limits.body > limits.bodies_per_client, "limits.bodies_per_client: is smaller than limits.body".into()),
        (limits.bodies_per_client > limits.bodies, "limits.bodies: is smaller than limits.bodies_per_client".into()),
        (
            settings.database_owner.is_some() && matches!(settings.database, DbTarget::Sqlite(_)),
            "database_owner: is for PostgreSQL; a file belongs to whoever runs the server".into(),
        ),
        (*pool > 1_000, "pool: more than 1000 connections is a slip of the finger".into()),
        (!plain(node), "node: letters, digits, `-`, `_` and `.` only, at most 64".into()),
        (hosts.is_empty(), "hosts: at least one name is needed, or leave it out".into()),
        (bad_host.is_some(), format!("hosts: `{}` is not a host name without port", bad_host.map_or("", String::as_str))),
        (!mail.from.contains('@') || mail.from.contains(char::is_control), "mail.from: is not a mail address".into()),
    ];
    checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, fault)| fault).collect()
}

fn number(given: Option<NonZeroU32>, default: u32) -> u32 {
    given.map_or(default, NonZeroU32::get)
}
fn span(given: Option<Span>, default_seconds: u64) -> Duration {
    given.map_or(Duration::from_secs(default_seconds), |span| span.0)
}

fn checked<T>(result: Result<T, String>, faults: &mut Vec<String>, otherwise: impl FnOnce() -> T) -> T {
    result.unwrap_or_else(|fault| {
        faults.push(fault);
        otherwise()
    })
}

/// A setting that may stand in a file of its own, as container platforms hand out secrets.
fn from_file_or(text: Option<String>, file: Option<PathBuf>, key: &str, faults: &mut Vec<String>) -> Option<String> {
    let Some(path) = file else { return text };
    if text.is_some() {
        faults.push(format!("{key}: the setting is given twice, as text and as a file"));
    }
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text.trim_end().to_owned()),
        Err(error) => {
            faults.push(format!("{key}: {}: {error}", path.display()));
            None
        }
    }
}

// SECURITY: none of these repeats what was given, as it may hold a password.
fn database_target(text: Option<String>, data: &Path) -> Result<DbTarget, String> {
    match text.as_deref() {
        None | Some("sqlite") => Ok(DbTarget::Sqlite(data.join("portcullis.db"))),
        Some(text) if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
            Ok(DbTarget::Postgres(Secret::new(text)))
        }
        Some(text) => match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(DbTarget::Sqlite(path.strip_prefix("//").unwrap_or(path).into())),
            _ => Err("database: write `sqlite`, `sqlite:FILE` or `postgres://user:password@host/name`".into()),
        },
    }
}
fn owner_target(text: Option<String>) -> Result<Option<DbTarget>, String> {
    match text {
        None => Ok(None),
        Some(text) if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
            Ok(Some(DbTarget::Postgres(Secret::new(text))))
        }
        Some(_) => Err("database_owner: write `postgres://owner:password@host/name`".into()),
    }
}
fn mail_target(text: Option<String>, data: &Path) -> Result<MailTarget, String> {
    match text.as_deref() {
        None | Some("outbox") => Ok(MailTarget::Outbox(data.join("outbox"))),
        Some(text) if text.starts_with("smtp://") || text.starts_with("smtps://") => Ok(MailTarget::Smtp(Secret::new(text))),
        Some(text) => match text.strip_prefix("outbox:") {
            Some(path) if !path.is_empty() => Ok(MailTarget::Outbox(path.into())),
            _ => Err("mail.target: write `outbox`, `outbox:DIR`, `smtp://…` or `smtps://user:password@host`".into()),
        },
    }
}

/// Requests that may be worked on at once for each core: while some wait for the database, others compute.
const TURNS_OF_A_CORE: u32 = 2;

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

/// The public name; on a loopback address also the other names of this machine.
fn default_hosts(base_url: &Origin, listen: SocketAddr) -> Vec<String> {
    let mut hosts = vec![base_url.host.clone()];
    if listen.ip().is_loopback() {
        hosts.extend(["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()]);
    }
    hosts.sort();
    hosts.dedup();
    hosts
}
