//! Mails kept in a folder, newest first: what the demo shows instead of sending.
//!
//! Each mail is an `.eml` file, exactly as it would have gone over the wire, beside a small JSON
//! file with its parts for reading. Only the newest are kept, so the folder cannot fill the disk.

use super::{MailError, Message};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use chrono::NaiveDateTime;
use lettre::message::{Mailbox, Message as Raw};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How many mails are kept.
const KEPT: usize = 500;

/// A folder of kept mails.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
}

/// A kept mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name in the folder; later mails sort after earlier ones.
    pub id: String,
    /// When it was sent (UTC).
    pub at: NaiveDateTime,
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// The parts of a mail beside its `.eml` file; when it was sent is in its id.
#[derive(Serialize, Deserialize)]
struct Parts {
    from: String,
    to: String,
    subject: String,
    text: String,
}

impl Outbox {
    /// Opens the folder, making it if it is missing.
    pub fn open(folder: &Path) -> Result<Self, MailError> {
        fs::create_dir_all(folder).map_err(MailError::unavailable)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The kept mails, newest first.
    pub fn list(&self) -> Result<Vec<Stored>, MailError> {
        self.ids()?.iter().rev().filter_map(|id| self.read(id).transpose()).collect()
    }

    /// One kept mail; `None` when there is none of that id, or the id is not shaped like one.
    pub fn read(&self, id: &str) -> Result<Option<Stored>, MailError> {
        let Some(at) = moment(id) else { return Ok(None) };
        let bytes = match fs::read(self.folder.join(id).with_extension("json")) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(MailError::unavailable(e)),
        };
        let Parts { from, to, subject, text } = serde_json::from_slice(&bytes).map_err(MailError::unavailable)?;
        Ok(Some(Stored { id: id.to_owned(), at, from, to, subject, text }))
    }

    /// Keeps a mail; the JSON file appears last and whole, so a reader never sees half a mail.
    pub(super) fn keep(&self, message: &Message, from: &Mailbox, raw: &Raw, now: NaiveDateTime) -> Result<String, MailError> {
        let id = new_id(now)?;
        let parts = Parts {
            from: from.to_string(),
            to: message.to(),
            subject: message.subject().to_owned(),
            text: message.text().to_owned(),
        };
        let path = self.folder.join(&id);
        let json = serde_json::to_vec(&parts).map_err(MailError::unavailable)?;
        write(&path.with_extension("eml"), &raw.formatted())
            .and_then(|()| write(&path.with_extension("part"), &json))
            .and_then(|()| fs::rename(path.with_extension("part"), path.with_extension("json")))
            .map_err(MailError::unavailable)?;
        self.forget_oldest()?;
        Ok(id)
    }

    fn forget_oldest(&self) -> Result<(), MailError> {
        let ids = self.ids()?;
        for id in ids.iter().take(ids.len().saturating_sub(KEPT)) {
            for extension in ["json", "eml"] {
                // Another sender may have removed it already; what matters is that it is gone.
                let _ = fs::remove_file(self.folder.join(id).with_extension(extension));
            }
        }
        Ok(())
    }

    /// Every id in the folder, oldest first.
    fn ids(&self) -> Result<Vec<String>, MailError> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(MailError::unavailable)? {
            let name = entry.map_err(MailError::unavailable)?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json")).filter(|id| moment(id).is_some());
            ids.extend(id.map(str::to_owned));
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

/// `<milliseconds, 14 digits>-<16 hex digits>`.
fn new_id(now: NaiveDateTime) -> Result<String, MailError> {
    let mut random = [0u8; 8];
    SystemRandom::new().fill(&mut random).map_err(MailError::unavailable)?;
    Ok(format!("{:014}-{:016x}", now.and_utc().timestamp_millis().max(0), u64::from_be_bytes(random)))
}

/// When the mail of this id was sent; `None` for what is not an id.
// SECURITY: an id is digits, so it can never climb out of the folder: `an_id_cannot_leave_the_folder`.
fn moment(id: &str) -> Option<NaiveDateTime> {
    let (time, random) = id.split_once('-')?;
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let shaped = time.len() == 14 && random.len() == 16 && time.bytes().all(|c| c.is_ascii_digit()) && random.bytes().all(hex);
    let millis = shaped.then(|| time.parse().ok())??;
    Some(chrono::DateTime::from_timestamp_millis(millis)?.naive_utc())
}

/// Writes a new file that only this user may read.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::Mailer;
    use super::*;

    fn at(second: i64) -> NaiveDateTime {
        chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap().naive_utc()
    }
    fn mailer(dir: &Path) -> Mailer {
        Mailer::outbox("People <no-reply@people.example>", &dir.join("outbox")).unwrap()
    }

    #[test]
    fn kept_mails_are_listed_newest_first_and_read_back_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mailer = mailer(dir.path());
        for (second, subject) in [(1, "First"), (2, "Zweite Grüße")] {
            let message = Message::new("a@b.example", subject, "Open https://x.example/l/abc\nBye").unwrap();
            mailer.send(&message, at(second)).unwrap();
        }
        let outbox = mailer.as_outbox().unwrap();
        let list = outbox.list().unwrap();
        assert_eq!(list.iter().map(|m| m.subject.as_str()).collect::<Vec<_>>(), ["Zweite Grüße", "First"]);
        let one = outbox.read(&list[1].id).unwrap().unwrap();
        assert_eq!((one.to.as_str(), one.at, one.text.as_str()), ("a@b.example", at(1), "Open https://x.example/l/abc\nBye"));
        let eml = fs::read_to_string(dir.path().join("outbox").join(&one.id).with_extension("eml")).unwrap();
        assert!(eml.contains("Subject: First\r\n") && eml.contains("To: a@b.example\r\n"), "{eml}");
    }

    #[test]
    fn an_id_cannot_leave_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mailer = mailer(dir.path());
        fs::write(dir.path().join("secret.json"), "{}").unwrap();
        for id in ["../secret", "..%2fsecret", "", ".", "/etc/passwd", "00000000000001-00000000000000zz", "a\0b"] {
            assert_eq!(mailer.as_outbox().unwrap().read(id).unwrap(), None, "{id}");
        }
        assert_eq!(mailer.as_outbox().unwrap().read("00000000000001-00000000000000ff").unwrap(), None);
    }

    #[test]
    fn only_the_newest_mails_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mailer = mailer(dir.path());
        let message = Message::new("a@b.example", "Again", "x").unwrap();
        for second in 0..KEPT as i64 + 3 {
            mailer.send(&message, at(second)).unwrap();
        }
        let list = mailer.as_outbox().unwrap().list().unwrap();
        assert_eq!((list.len(), list.last().unwrap().at), (KEPT, at(3)));
        assert_eq!(fs::read_dir(dir.path().join("outbox")).unwrap().count(), KEPT * 2);
    }
}
