//! What must be so around the server before `serve` starts: who it runs as, and who else reaches its files.

use super::{DbTarget, Gap, Settings};
use std::path::{Path, PathBuf};

/// Files of a folder that are looked at; a folder with more is not what this server made.
const MOST_FILES: usize = 10_000;
/// How deep a folder is looked into.
const DEEPEST: usize = 16;

/// Every gap in the surroundings.
pub(super) fn gaps(settings: &Settings) -> Vec<Gap> {
    let secret_folder = parent(&settings.secret_file);
    let folders = [("data", settings.data.clone()), ("secret_file", secret_folder), ("app", settings.app.clone())];
    let database = match &settings.database {
        DbTarget::Sqlite(file) => Some(file),
        DbTarget::Postgres(_) => None,
    };
    let folders = folders.into_iter().chain(database.map(|file| ("database", parent(file))));
    let mut gaps: Vec<Gap> = root_gap(runs_as_root(), settings.allow_root).into_iter().collect();
    gaps.extend(folders.filter_map(|(key, folder)| folder_gap(key, &folder)));
    gaps.extend(
        inside(&settings.app)
            .into_iter()
            .find(|file| !is_link(file) && others_may_write(file))
            .map(|file| open_gap("app", &file)),
    );
    gaps.extend(inside(&settings.data).iter().find(|file| is_link(file)).map(|file| link_gap("data", file)));
    if let Some(file) = database {
        let beside = ["", "-wal", "-shm", "-journal"].map(|end| with_end(file, end));
        gaps.extend(beside.iter().find(|file| is_link(file)).map(|file| link_gap("database", file)));
        gaps.extend(beside_gap(settings, file));
    }
    gaps
}

/// A fault of a server that runs as root is a fault of the whole machine.
fn root_gap(is_root: bool, allowed: bool) -> Option<Gap> {
    (is_root && !allowed).then(|| Gap {
        key: "allow_root",
        what: "the server would run as root".into(),
        mend: "run it as a user of its own; in a container where root is nobody outside, set it to `true`".into(),
    })
}

/// Who copies the data folder, or steals a backup of it, must not have the secret with it.
fn beside_gap(settings: &Settings, database: &Path) -> Option<Gap> {
    let secret = real(&parent(&settings.secret_file));
    let near = [parent(database), settings.data.clone()].iter().any(|folder| secret.starts_with(real(folder)));
    near.then(|| Gap {
        key: "secret_file",
        what: format!("the secret is next to the data ({}): whoever copies one has both", secret.display()),
        mend: "set it to a file in a folder of its own, which no backup of the data includes; \
               `portcullis secret create` makes the file there, or move the one you have"
            .into(),
    })
}

/// The folder, and whatever above it others may rename or replace.
fn folder_gap(key: &'static str, folder: &Path) -> Option<Gap> {
    let real = real(folder);
    if others_may_write(&real) {
        return Some(open_gap(key, &real));
    }
    let above = real.ancestors().skip(1).find(|above| others_may_write(above) && !is_sticky(above))?;
    Some(open_gap(key, above))
}

fn open_gap(key: &'static str, path: &Path) -> Gap {
    let shown = path.display();
    Gap { key, what: format!("others than the owner may write {shown}"), mend: format!("chmod go-w {shown}") }
}

// SECURITY: whoever may put a link into the folder could have the server write, or read, elsewhere.
fn link_gap(key: &'static str, path: &Path) -> Gap {
    Gap {
        key,
        what: format!("{} is a symbolic link", path.display()),
        mend: "put the file itself there, or name the folder it is in".into(),
    }
}

/// Everything in a folder, links not followed.
fn inside(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut ahead) = (Vec::new(), vec![(folder.to_owned(), 0)]);
    while let Some((folder, depth)) = ahead.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if depth < DEEPEST && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                ahead.push((path.clone(), depth + 1));
            }
            found.push(path);
            if found.len() >= MOST_FILES {
                return found;
            }
        }
    }
    found
}

fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => ".".into(),
    }
}

/// Where a path really is. Of one that is not there yet: where it will be.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in absolute.ancestors() {
        if let Ok(found) = above.canonicalize() {
            return absolute.strip_prefix(above).map_or(found.clone(), |rest| found.join(rest));
        }
    }
    absolute
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut whole = file.as_os_str().to_owned();
    whole.push(end);
    whole.into()
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_symlink())
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    path.metadata().map_or(0, |found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()))
}
#[cfg(not(unix))]
fn mode(_: &Path) -> u32 {
    0
}

fn others_may_write(path: &Path) -> bool {
    mode(path) & 0o022 != 0
}

/// In a sticky folder, such as `/tmp`, only its owner may rename or remove a file.
fn is_sticky(path: &Path) -> bool {
    mode(path) & 0o1000 != 0
}

#[cfg(unix)]
fn runs_as_root() -> bool {
    rustix::process::geteuid().is_root()
}
#[cfg(not(unix))]
fn runs_as_root() -> bool {
    false
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// Settings whose files are where they should be, in a folder of their own.
    fn settings(room: &Path) -> Settings {
        for folder in ["var", "keys", "app/main"] {
            super::super::create_private_dir(&room.join(folder)).unwrap();
        }
        std::fs::write(room.join("app/app.yaml"), "").unwrap();
        set_permissions(room.join("app/app.yaml"), Permissions::from_mode(0o644)).unwrap();
        let text = format!(
            "data = {:?}\napp = {:?}\nsecret_file = {:?}\nallow_root = true",
            room.join("var"),
            room.join("app"),
            room.join("keys/secret.key")
        );
        Settings::of_text(&text, &Default::default()).unwrap()
    }

    fn keys(settings: &Settings) -> Vec<&'static str> {
        gaps(settings).iter().map(|gap| gap.key).collect()
    }

    #[test]
    fn each_folder_that_others_may_write_is_named_and_so_is_one_above_it() {
        let room = tempfile::tempdir().unwrap();
        let good = settings(room.path());
        assert_eq!(gaps(&good), []);
        for (folder, key) in [("var", vec!["data", "database"]), ("keys", vec!["secret_file"]), ("app", vec!["app"])] {
            for mode in [0o770, 0o702, 0o722, 0o1777] {
                set_permissions(room.path().join(folder), Permissions::from_mode(mode)).unwrap();
                assert_eq!(keys(&good), key, "{folder} {mode:o}");
            }
            set_permissions(room.path().join(folder), Permissions::from_mode(0o755)).unwrap();
            assert_eq!(keys(&good), <[&str; 0]>::default(), "others may read {folder}");
        }
        set_permissions(room.path(), Permissions::from_mode(0o777)).unwrap();
        assert_eq!(keys(&good), ["data", "secret_file", "app", "database"], "the folder above can be renamed");
        set_permissions(room.path(), Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(keys(&good), <[&str; 0]>::default(), "in a sticky one it cannot");
    }

    #[test]
    fn a_file_of_the_app_that_others_may_write_is_named() {
        let room = tempfile::tempdir().unwrap();
        let good = settings(room.path());
        let file = room.path().join("app/main/domain.yaml");
        std::fs::write(&file, "").unwrap();
        set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
        let found = gaps(&good);
        assert!(found.len() == 1 && found[0].key == "app" && found[0].what.contains("domain.yaml"), "{found:?}");
    }

    #[test]
    fn a_link_among_the_data_is_named_wherever_it_leads() {
        let room = tempfile::tempdir().unwrap();
        let good = settings(room.path());
        std::fs::create_dir_all(room.path().join("var/outbox")).unwrap();
        for link in ["var/portcullis.db", "var/portcullis.db-wal", "var/outbox/1.eml", "var/elsewhere"] {
            symlink(room.path().join("nowhere"), room.path().join(link)).unwrap();
            assert!(keys(&good).contains(&"data"), "{link}: {:?}", gaps(&good));
            std::fs::remove_file(room.path().join(link)).unwrap();
        }
        let mut elsewhere = good.clone();
        elsewhere.database = DbTarget::Sqlite(room.path().join("app/main/other.db"));
        symlink("/dev/null", room.path().join("app/main/other.db-shm")).unwrap();
        assert_eq!(keys(&elsewhere), ["database"], "beside the database too");
        assert_eq!(gaps(&good).len(), 0, "a link of the app is not followed, and no matter here");
    }

    #[test]
    fn a_secret_next_to_the_data_is_named_also_through_a_link_or_a_detour() {
        let room = tempfile::tempdir().unwrap();
        let good = settings(room.path());
        symlink(room.path().join("var"), room.path().join("alias")).unwrap();
        for secret in ["var/secret.key", "var/deep/secret.key", "keys/../var/secret.key", "alias/secret.key"] {
            let found = gaps(&Settings { secret_file: room.path().join(secret), ..good.clone() });
            assert!(
                found.iter().any(|gap| gap.key == "secret_file" && gap.what.contains("next to the data")),
                "{secret}: {found:?}"
            );
        }
        let beside = Settings { database: DbTarget::Sqlite(room.path().join("keys/other.db")), ..good.clone() };
        assert_eq!(keys(&beside), ["secret_file"], "next to the database wherever it is");
        let remote = Settings {
            database: DbTarget::Postgres(super::super::Secret::new("postgres://u@h/d")),
            secret_file: room.path().join("var/secret.key"),
            ..good
        };
        assert_eq!(keys(&remote), <[&str; 0]>::default(), "a database elsewhere is not next to it");
    }

    #[test]
    fn running_as_root_is_a_gap_unless_it_is_allowed() {
        assert_eq!(root_gap(true, false).map(|gap| gap.key), Some("allow_root"));
        assert_eq!(root_gap(true, true), None);
        assert_eq!(root_gap(false, false), None);
    }
}
