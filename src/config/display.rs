//! Settings as text, without secrets.

use super::{CookieSecure, DbTarget, LogFormat, MailTarget, Settings};
use std::fmt::{self, Display};
use std::time::Duration;

impl Settings {
    /// The resolved settings in the form of the settings file; secrets show as `***`.
    pub fn display(&self) -> String {
        let mail = match &self.mail.target {
            MailTarget::Outbox(path) => format!("outbox:{}", path.display()),
            MailTarget::Smtp(url) => format!("smtp://{url}"),
        };
        let mut out = String::new();
        let mut line = |key: &str, value: &str| out.extend([key, " = ", value, "\n"]);
        line("listen", &quote(self.listen));
        line("data", &quote(self.data.display()));
        line("app", &quote(self.app.display()));
        line("database", &quote(&self.database));
        if let Some(owner) = &self.database_owner {
            line("database_owner", &quote(owner));
        }
        line("pool", &self.pool.to_string());
        line("secret_file", &quote(self.secret_file.display()));
        line("base_url", &quote(&self.base_url));
        line("trusted_proxies", &list(&self.trusted_proxies));
        line("hosts", &list(&self.hosts));
        line("node", &quote(&self.node));
        line("drain", &span(self.drain));
        line("allow_root", &self.allow_root.to_string());
        line("mail.target", &quote(mail));
        line("mail.from", &quote(&self.mail.from));
        line("session.cookie_secure", &quote(self.session.cookie_secure));
        line("session.idle", &span(self.session.idle));
        line("session.absolute", &span(self.session.absolute));
        line("argon2.memory", &self.argon2.memory.to_string());
        line("argon2.iterations", &self.argon2.iterations.to_string());
        line("argon2.parallelism", &self.argon2.parallelism.to_string());
        line("argon2.concurrent", &self.argon2.concurrent.to_string());
        line("limits.body", &self.limits.body.to_string());
        line("limits.fields", &self.limits.fields.to_string());
        line("limits.field", &self.limits.field.to_string());
        line("limits.bodies", &self.limits.bodies.to_string());
        line("limits.bodies_per_client", &self.limits.bodies_per_client.to_string());
        line("limits.connections", &self.limits.connections.to_string());
        line("limits.connections_per_address", &self.limits.connections_per_address.to_string());
        line("limits.streams", &self.limits.streams.to_string());
        line("limits.streams_per_client", &self.limits.streams_per_client.to_string());
        line("limits.working", &self.limits.working.to_string());
        line("limits.requests", &self.limits.requests.to_string());
        line("limits.requests_per_client", &self.limits.requests_per_client.to_string());
        line("throttle.account_failures", &self.throttle.account_failures.to_string());
        line("throttle.address_failures", &self.throttle.address_failures.to_string());
        line("throttle.window", &span(self.throttle.window));
        line("log.format", &quote(self.log.format));
        line("log.level", &quote(self.log.level));
        for (node, level) in &self.log.nodes {
            line(&format!("log.nodes.{}", quote(node)), &quote(level));
        }
        out
    }
}

/// A basic string of TOML.
fn quote(value: impl Display) -> String {
    let mut out = String::from("\"");
    for c in value.to_string().chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn list<T: Display>(values: &[T]) -> String {
    format!("[{}]", values.iter().map(quote).collect::<Vec<_>>().join(", "))
}

fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        s if s % 3_600 == 0 => (s / 3_600, "h"),
        s if s % 60 == 0 => (s / 60, "m"),
        s => (s, "s"),
    };
    quote(format!("{count}{unit}"))
}

impl Display for DbTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => write!(f, "postgres://{url}"),
        }
    }
}
impl Display for CookieSecure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::True => "true",
            Self::False => "false",
        })
    }
}
impl Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        })
    }
}
