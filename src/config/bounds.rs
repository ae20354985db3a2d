//! Between which values a limit still is one.

use super::{Gap, Settings};

const MIB: u64 = 1 << 20;
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// Every limit that is so high that it limits nothing, or so low that nobody can work.
pub(super) fn gaps(settings: &Settings) -> Vec<Gap> {
    let Settings { limits, throttle, session, argon2, drain, .. } = settings;
    let all: [(&'static str, u64, u64, u64); 21] = [
        ("limits.body", limits.body.into(), 1_024, 64 * MIB),
        ("limits.fields", limits.fields.into(), 10, 10_000),
        ("limits.field", limits.field.into(), 256, 16 * MIB),
        ("limits.bodies", limits.bodies.into(), MIB, 1_024 * MIB),
        ("limits.bodies_per_client", limits.bodies_per_client.into(), 64 * 1_024, 256 * MIB),
        ("limits.connections", limits.connections.into(), 16, 100_000),
        ("limits.connections_per_address", limits.connections_per_address.into(), 8, 10_000),
        ("limits.streams", limits.streams.into(), 1, 1_000),
        ("limits.streams_per_client", limits.streams_per_client.into(), 1, 100),
        ("limits.working", limits.working.into(), 2, 1_000),
        ("limits.requests", limits.requests.into(), 16, 10_000),
        ("limits.requests_per_client", limits.requests_per_client.into(), 4, 5_000),
        ("throttle.account_failures", throttle.account_failures.into(), 1, 100),
        ("throttle.address_failures", throttle.address_failures.into(), 5, 10_000),
        ("throttle.window", throttle.window.as_secs(), MINUTE, DAY),
        ("session.idle", session.idle.as_secs(), MINUTE, 7 * DAY),
        ("session.absolute", session.absolute.as_secs(), 5 * MINUTE, 90 * DAY),
        ("argon2.memory", argon2.memory.into(), 1, 1_024 * 1_024),
        ("argon2.iterations", argon2.iterations.into(), 1, 50),
        ("argon2.concurrent", argon2.concurrent.into(), 1, 64),
        ("drain", drain.as_secs(), 1, 10 * MINUTE),
    ];
    all.into_iter().filter_map(|(key, value, least, most)| gap(key, value, least, most)).collect()
}

fn gap(key: &'static str, value: u64, least: u64, most: u64) -> Option<Gap> {
    let what = match value {
        value if value < least => format!("{value} is too little for anybody to work"),
        value if value > most => format!("{value} is so much that it limits nothing"),
        _ => return None,
    };
    let seconds = if matches!(key, "throttle.window" | "session.idle" | "session.absolute" | "drain") { " seconds" } else { "" };
    Some(Gap { key, what, mend: format!("choose a value from {least} to {most}{seconds}") })
}
