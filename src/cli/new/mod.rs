//! `new`: an app to begin with, complete in its security and open to nobody.

use clap::Args;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Path in the app → text, with `{name}` and `{title}` to be filled in.
const FILES: [(&str, &str); 5] = [
    ("app.yaml", include_str!("app.yaml")),
    ("main/module.yaml", include_str!("module.yaml")),
    ("main/domain.yaml", include_str!("domain.yaml")),
    ("main/pages/Notes.yaml", include_str!("Notes.yaml")),
    ("main/pages/NoteDetail.yaml", include_str!("NoteDetail.yaml")),
];

#[derive(Args)]
pub(super) struct New {
    /// The app's folder: one that is not there yet, or is empty
    dir: PathBuf,
}

impl New {
    pub(super) fn run(self) -> ExitCode {
        match write(&self.dir) {
            Ok(()) => crate::cli::out(&next(&self.dir)),
            Err(error) => {
                crate::cli::say::aside(format_args!("{}: {error}", self.dir.display()));
                ExitCode::FAILURE
            }
        }
    }
}

/// Why there is no new app.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error("the folder is not empty; name another one")]
    NotEmpty,
    #[error("an app's name begins with a letter; name the folder after the app")]
    Name,
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn write(dir: &Path) -> Result<(), NewError> {
    let (name, title) = names(dir).ok_or(NewError::Name)?;
    fs::create_dir_all(dir)?;
    if fs::read_dir(dir)?.next().is_some() {
        return Err(NewError::NotEmpty);
    }
    for (path, text) in FILES {
        let path = dir.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = text.replace("{name}", &name).replace("{title}", &title);
        // Never over something that came meanwhile.
        io::Write::write_all(&mut fs::File::create_new(path)?, text.as_bytes())?;
    }
    Ok(())
}

/// `my-great_app` → `mygreatapp`, `My great app`.
fn names(dir: &Path) -> Option<(String, String)> {
    let folder = if dir.file_name().is_some() { dir.to_path_buf() } else { fs::canonicalize(dir).ok()? };
    let folder = folder.file_name()?.to_str()?;
    let words: Vec<&str> = folder.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let name = words.concat().to_ascii_lowercase();
    let mut title = words.join(" ");
    title.get_mut(..1)?.make_ascii_uppercase();
    name.starts_with(|c: char| c.is_ascii_lowercase()).then_some((name, title))
}

fn next(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "A new app is in {dir}. It passes the production gate and gives nobody anything but the administration of users.

Next:
  portcullis check {dir}         what is wrong or missing, with places
  portcullis matrix {dir}        who may do what: nobody, so far
  portcullis demo --app {dir}    try it on this machine

Then name your own entities, rules and pages in {dir}/main, and add a user role that holds main.Author in {dir}/app.yaml.
docs/MODEL.md tells every key.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::matrix::{LineKind, Matrix, State};
    use crate::model::{self, Files, Level};
    use std::sync::Arc;

    #[test]
    fn a_new_app_passes_the_production_gate_and_gives_nobody_anything() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("my-great_app");
        write(&dir).unwrap();
        let (model, findings) = model::load(&Files::read(&dir).unwrap());
        assert!(findings.0.is_empty(), "{}", findings.human());
        let model = model.unwrap();
        assert_eq!((model.name.as_str(), model.title.as_str(), model.level), ("mygreatapp", "My great app", Level::Production));
        let matrix = Matrix::of(&Arc::new(model));
        let granted: Vec<_> = matrix.rows.iter().filter(|line| line.cells.iter().any(|cell| cell.state != State::No)).collect();
        let granted: Vec<_> = granted.iter().map(|line| (line.kind, line.object.as_str())).collect();
        assert_eq!(granted, [(LineKind::Administration, "users")]);
        assert!(matrix.rows.iter().any(|line| line.object == "main.Note.title"));
    }

    #[test]
    fn a_folder_with_anything_in_it_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("mine");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join(".hidden"), "kept").unwrap();
        assert!(matches!(write(&dir), Err(NewError::NotEmpty)));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_file(dir.join(".hidden")).unwrap();
        write(&dir).unwrap();
        assert!(matches!(write(&dir), Err(NewError::NotEmpty)));
    }

    #[test]
    fn a_folder_whose_name_is_none_for_an_app_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for wrong in ["2nd", "--", "é"] {
            let dir = folder.path().join(wrong);
            assert!(matches!(write(&dir), Err(NewError::Name)), "{wrong}");
            assert!(!dir.exists());
        }
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(matches!(write(&folder.path().join("file")), Err(NewError::Io(_))));
    }

    #[test]
    fn what_to_do_next_names_the_folder() {
        assert!(next(Path::new("apps/shop")).contains("portcullis check apps/shop "));
    }
}
