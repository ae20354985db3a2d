//! Files → source shapes.

use super::super::finding::{Finding, Severity};
use super::super::source;
use super::checker::{Checker, Here, Sources};
use crate::domain::{ByName, FaultKind, Name, QName, did_you_mean, plain_fault};
use serde::de::DeserializeOwned;
use std::sync::Arc;

impl Checker<'_> {
    /// Parses every file; `None` when there is no usable `app.yaml`.
    pub fn parse(&mut self) -> Option<Sources> {
        if !self.files.0.contains_key("app.yaml") {
            self.whole_file(
                "app.yaml",
                "missing-file",
                "the app has no app.yaml",
                Some("`portcullis new DIR` makes an app to start from"),
            );
            return None;
        }
        let app: source::App = self.read("app.yaml")?;
        let mut sources = Sources {
            app,
            modules: Vec::new(),
            domains: Vec::new(),
            pages: Vec::new(),
            snippets: ByName::default(),
            flows: Vec::new(),
        };
        let root = Here { file: Arc::from("app.yaml"), module: Name::new("system") };
        for module in sources.app.modules.clone() {
            let name = self.name(&root, &module, false);
            if &*name == "system" {
                self.error(&root, &module, "bad-name", "`system` is the built-in module", None);
            }
            if self.model.modules.insert(name, Default::default()).is_some() {
                self.error(&root, &module, "duplicate", format!("module `{}` is named twice", module.value), None);
            }
            let prefix = format!("{}/", module.value);
            if !self.files.0.keys().any(|path| path.starts_with(&prefix)) {
                self.error(&root, &module, "missing-file", format!("module `{}` has no folder", module.value), None);
            }
        }
        let paths: Vec<String> = self.files.0.keys().cloned().collect();
        for path in paths {
            self.parse_file(&path, &mut sources);
        }
        Some(sources)
    }

    fn parse_file(&mut self, path: &str, sources: &mut Sources) {
        let parts: Vec<&str> = path.split('/').collect();
        let module = parts.first().copied().unwrap_or_default();
        let here = Here { file: Arc::from(path), module: Name::new(module) };
        let stem = parts.last().and_then(|last| last.strip_suffix(".yaml")).unwrap_or_default();
        let name = QName::new(module, stem);
        match parts.as_slice() {
            ["app.yaml"] => {}
            ["texts", _] => {
                if let Some(texts) = self.read(path) {
                    self.model.texts.insert(stem.to_owned(), texts);
                }
            }
            [_, ..] if !self.model.modules.contains_key(module) => {
                let known: Vec<Name> = self.model.modules.keys().cloned().collect();
                let near = did_you_mean(module, known.iter().map(Name::as_str)).map(|near| format!("did you mean `{near}`?"));
                let hint = near.unwrap_or_else(|| "name the module in app.yaml, or remove the file".into());
                self.whole_file(path, "unused-file", "this file belongs to no module of the app", Some(&hint));
            }
            [_, "module.yaml"] => sources.modules.extend(self.read(path).map(|read| (here, read))),
            [_, "domain.yaml"] => sources.domains.extend(self.read(path).map(|read| (here, read))),
            [_, "pages", _] => {
                self.stem(&here, stem);
                sources.pages.extend(self.read(path).map(|read| (here, name, read)));
            }
            [_, "snippets", _] => {
                self.stem(&here, stem);
                if let Some(read) = self.read(path) {
                    sources.snippets.insert(name, (here, read));
                }
            }
            [_, "microflows", _] => {
                self.stem(&here, stem);
                sources.flows.extend(self.read(path).map(|read| (here, name, read)));
            }
            _ => {
                let hint = "a module has module.yaml, domain.yaml, pages/, snippets/ and microflows/";
                self.whole_file(path, "unused-file", "no such file belongs to a module", Some(hint));
            }
        }
    }

    /// A name that is a file's: checked without a place inside it.
    fn stem(&mut self, here: &Here, stem: &str) {
        let good =
            stem.starts_with(|c: char| c.is_ascii_uppercase()) && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good || stem.len() > 50 {
            let hint = "start with an upper-case letter; letters, digits and _ only; at most 50";
            self.whole_file(&here.file.clone(), "bad-name", &format!("`{stem}` is not a good name"), Some(hint));
        }
    }

    fn whole_file(&mut self, file: &str, code: &'static str, message: &str, hint: Option<&str>) {
        self.findings.push(Finding {
            severity: Severity::Error,
            code,
            file: file.to_owned(),
            line: 0,
            column: 0,
            length: 0,
            excerpt: String::new(),
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
        });
    }

    fn read<T: DeserializeOwned>(&mut self, path: &str) -> Option<T> {
        let text = self.files.0.get(path).cloned().unwrap_or_default();
        let error = match serde_saphyr::from_str::<T>(&text) {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        self.broken.insert(path.to_owned());
        let location = error.location();
        let fault = plain_fault(&error.without_snippet().to_string());
        let (line, column) = location.map_or((0, 0), |at| (at.line(), at.column()));
        let code = match fault.kind {
            FaultKind::UnknownWord => "unknown-key",
            FaultKind::MissingKey => "missing-key",
            FaultKind::Duplicate => "duplicate",
            FaultKind::Shape => "yaml",
        };
        let length = fault.word.as_ref().map_or(1, |word| word.chars().count());
        self.findings.push(Finding {
            severity: Severity::Error,
            code,
            file: path.to_owned(),
            line,
            column,
            length,
            excerpt: self.files.line(path, line).to_owned(),
            message: fault.message,
            hint: fault.hint,
        });
        None
    }
}
