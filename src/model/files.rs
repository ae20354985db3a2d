//! The files of an app, as texts.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Relative path (with `/`) → text.
#[derive(Clone, Debug, Default)]
pub struct Files(pub BTreeMap<String, String>);

const MOST_FILES: usize = 5_000;
const LARGEST: u64 = 1 << 20;

impl Files {
    /// Reads all model files (`*.yaml`) below a folder. Links are not followed, so nothing outside
    /// the folder is read (icsa-25-168-01); a file over 1 MiB or not UTF-8 is an error.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut todo = vec![(folder.to_path_buf(), String::new())];
        while let Some((at, prefix)) = todo.pop() {
            for entry in std::fs::read_dir(&at)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let kind = entry.file_type()?;
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
                if kind.is_dir() && !name.starts_with('.') && path != "seed" {
                    todo.push((entry.path(), path));
                } else if kind.is_file() && name.ends_with(".yaml") {
                    files.insert(path.clone(), read_text(&entry.path(), &path)?);
                }
                if files.len() > MOST_FILES {
                    return Err(io::Error::other(format!("more than {MOST_FILES} model files")));
                }
            }
        }
        Ok(Self(files))
    }

    /// Files given as texts, for tests and tools.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect())
    }

    /// The line of a file.
    pub(super) fn line(&self, file: &str, line: u64) -> &str {
        let index = usize::try_from(line).unwrap_or(0).saturating_sub(1);
        self.0.get(file).and_then(|text| text.lines().nth(index)).unwrap_or_default()
    }
}

fn read_text(path: &Path, shown: &str) -> io::Result<String> {
    if path.metadata()?.len() > LARGEST {
        return Err(io::Error::other(format!("{shown} is larger than 1 MiB")));
    }
    std::fs::read_to_string(path).map_err(|error| {
        let why = if error.kind() == io::ErrorKind::InvalidData { "it is not UTF-8 text".into() } else { error.to_string() };
        io::Error::new(error.kind(), format!("{shown}: {why}"))
    })
}
