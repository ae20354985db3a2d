//! Settings as one source gives them: each may be missing.

use super::{CookieSecure, Level, LogFormat, Origin};
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// How a setting is written in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Number,
    /// `true` or `false`.
    Flag,
    /// Parts between commas.
    List,
    /// `name=value` between commas.
    Map,
}

macro_rules! draft {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $form:ident),* $(,)? } { $($group:ident: $of:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            $(pub $field: Option<$type>,)*
            $(pub $group: $of,)*
        }
        impl $name {
            /// This source's settings, and the other's where this one has none.
            pub(super) fn or(self, below: Self) -> Self {
                Self { $($field: self.$field.or(below.$field),)* $($group: self.$group.or(below.$group),)* }
            }
            /// The path and the form of every setting.
            pub(super) fn keys() -> Vec<(Vec<&'static str>, Form)> {
                #[allow(unused_mut, reason = "a group without groups adds none")]
                let mut keys = vec![$((vec![stringify!($field)], Form::$form),)*];
                $(keys.extend($of::keys().into_iter().map(|(mut path, form)| {
                    path.insert(0, stringify!($group));
                    (path, form)
                }));)*
                keys
            }
        }
    };
}

draft!(
    /// The whole file.
    Draft {
        listen: SocketAddr = Text,
        data: PathBuf = Text,
        app: PathBuf = Text,
        database: String = Text,
        database_file: PathBuf = Text,
        database_owner: String = Text,
        database_owner_file: PathBuf = Text,
        pool: NonZeroU32 = Number,
        secret_file: PathBuf = Text,
        base_url: Origin = Text,
        trusted_proxies: Vec<IpAddr> = List,
        hosts: Vec<String> = List,
        node: String = Text,
        drain: Span = Text,
        allow_root: bool = Flag,
    } {
        mail: MailDraft,
        session: SessionDraft,
        argon2: Argon2Draft,
        limits: LimitsDraft,
        throttle: ThrottleDraft,
        log: LogDraft,
    }
);
draft!(MailDraft { target: String = Text, target_file: PathBuf = Text, from: String = Text } {});
draft!(SessionDraft { cookie_secure: CookieSecure = Text, idle: Span = Text, absolute: Span = Text } {});
draft!(Argon2Draft {
    memory: NonZeroU32 = Number,
    iterations: NonZeroU32 = Number,
    parallelism: NonZeroU32 = Number,
    concurrent: NonZeroU32 = Number,
} {});
draft!(LimitsDraft {
    body: NonZeroU32 = Number,
    fields: NonZeroU32 = Number,
    field: NonZeroU32 = Number,
    bodies: NonZeroU32 = Number,
    bodies_per_client: NonZeroU32 = Number,
    connections: NonZeroU32 = Number,
    connections_per_address: NonZeroU32 = Number,
    streams: NonZeroU32 = Number,
    streams_per_client: NonZeroU32 = Number,
    working: NonZeroU32 = Number,
    requests: NonZeroU32 = Number,
    requests_per_client: NonZeroU32 = Number,
} {});
draft!(ThrottleDraft { account_failures: NonZeroU32 = Number, address_failures: NonZeroU32 = Number, window: Span = Text } {});
draft!(LogDraft { format: LogFormat = Text, level: Level = Text, nodes: BTreeMap<String, Level> = Map } {});

/// A duration such as `90s`, `30m`, `12h`, `7d`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || de::Error::custom(format!("`{text}` is not a duration: write 90s, 30m, 12h or 7d"));
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match text.get(digits.len()..) {
            Some("s") => 1,
            Some("m") => 60,
            Some("h") => 3_600,
            Some("d") => 86_400,
            _ => return Err(wrong()),
        };
        let count: u32 = digits.parse().map_err(|_| wrong())?;
        // A year and more is a slip of the finger, and overflows nothing below.
        let seconds = u64::from(count).saturating_mul(unit);
        if (1..=366 * 86_400).contains(&seconds) { Ok(Self(Duration::from_secs(seconds))) } else { Err(wrong()) }
    }
}
