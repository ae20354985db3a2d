//! What must be so before `serve` starts.

use super::{Argon2, MailTarget, Settings, bounds, surroundings, weakness};
use std::path::Path;

/// The least cost of a password hash: KiB and passes, any one pair suffices (OWASP's table).
const ENOUGH: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// Something that is not safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The setting.
    pub key: &'static str,
    /// What is wrong with it.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.what, self.mend)
    }
}

impl Settings {
    /// Every gap between these settings and safe ones; empty when there is none.
    pub fn check_production(&self) -> Vec<Gap> {
        let gap = |wrong: bool, key, what: &str, mend: &str| wrong.then(|| Gap { key, what: what.into(), mend: mend.into() });
        let local = self.listen.ip().is_loopback() && self.base_url.is_loopback();
        // The server speaks plain HTTP, so whoever is reached by https or at another port is behind a proxy.
        let proxied = self.base_url.secure || self.base_url.effective_port() != self.listen.port();
        let mut gaps = vec![
            gap(
                !self.base_url.secure && !local,
                "base_url",
                "people would send passwords in the clear",
                "set it to the https:// address that people use",
            ),
            gap(
                !self.secure_cookie() && !local,
                "session.cookie_secure",
                "the session cookie would travel in the clear",
                "leave it at `auto` with an https base_url, or set it to `true`",
            ),
            gap(
                self.secure_cookie() && !self.base_url.secure,
                "session.cookie_secure",
                "a browser does not send a secure cookie to an http address",
                "set base_url to the https:// address that people use",
            ),
            gap(
                proxied && self.trusted_proxies.is_empty(),
                "trusted_proxies",
                "base_url is not the listening address, so there is a proxy, but none is trusted to name the client",
                "list the addresses of your proxies",
            ),
            gap(
                matches!(self.mail.target, MailTarget::Outbox(_)),
                "mail.target",
                "mail would only be written to a folder",
                "set it to smtps://user:password@host",
            ),
            gap(!self.mail.from_is_set, "mail.from", "no sender is set", "set it to an address of yours"),
            gap(
                !is_costly(&self.argon2),
                "argon2",
                "a password hash is too cheap",
                "use at least memory = 19456 and iterations = 2",
            ),
        ];
        gaps.push(secret_gap(&self.secret_file));
        gaps.extend(surroundings::gaps(self).into_iter().chain(bounds::gaps(self)).map(Some));
        gaps.push(self.file_with_secret.as_deref().and_then(file_gap));
        gaps.into_iter().flatten().collect()
    }
}

fn is_costly(argon2: &Argon2) -> bool {
    ENOUGH.iter().any(|(memory, iterations)| argon2.memory >= *memory && argon2.iterations >= *iterations)
}

fn secret_gap(path: &Path) -> Option<Gap> {
    let shown = path.display();
    let (what, mend) = match std::fs::metadata(path) {
        Err(error) => {
            (format!("{shown}: {error}"), "make one with `portcullis secret create`, and keep a copy in a safe place".into())
        }
        Ok(file) if !file.is_file() || file.len() != 32 => {
            (format!("{shown} does not hold exactly 32 bytes"), "put back the secret this installation began with".into())
        }
        Ok(file) if others_may_read(&file) => (format!("others than the owner may read {shown}"), format!("chmod 600 {shown}")),
        Ok(_) => match std::fs::read(path).ok().as_deref().and_then(weakness) {
            Some(weak) => (
                format!("the secret in {shown} {weak}: it can be guessed"),
                "remove the file and make another with `portcullis secret create`; every session, link and handle ends with it"
                    .into(),
            ),
            None => return None,
        },
    };
    Some(Gap { key: "secret_file", what, mend })
}

fn file_gap(path: &Path) -> Option<Gap> {
    let open = std::fs::metadata(path).is_ok_and(|file| others_may_read(&file));
    let shown = path.display();
    open.then(|| Gap {
        key: "database, database_owner, mail.target",
        what: format!("{shown} holds a password and others than the owner may read it"),
        mend: format!("chmod 600 {shown}, or use database_file, database_owner_file and mail.target_file"),
    })
}

#[cfg(unix)]
fn others_may_read(file: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o077 != 0
}
#[cfg(not(unix))]
fn others_may_read(_: &std::fs::Metadata) -> bool {
    false
}
