//! What is wrong with a model, where, and how to mend it.

use serde::Serialize;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The model does not run.
    Error,
    /// Security is not complete: production does not start, a prototype counts it.
    Gap,
    /// Worth a look.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Stable code, as in `unknown-name`.
    pub code: &'static str,
    /// File below the app's folder.
    pub file: String,
    /// Line from 1, or 0 for the whole file.
    pub line: u64,
    /// Column from 1.
    pub column: u64,
    /// How many characters the caret covers.
    pub length: usize,
    /// The line of the file.
    pub excerpt: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Finding {
    /// `file:line:column`.
    pub fn place(&self) -> String {
        if self.line == 0 { self.file.clone() } else { format!("{}:{}:{}", self.file, self.line, self.column) }
    }
    /// The finding for a terminal, with the caret under the fault.
    pub fn human(&self) -> String {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Gap => "gap",
            Severity::Warning => "warning",
        };
        let mut out = format!("{word}[{}] {}\n  --> {}\n", self.code, self.message, self.place());
        if self.line > 0 {
            let number = self.line.to_string();
            let indent = " ".repeat(number.len());
            let caret = "^".repeat(self.length.max(1));
            let before = " ".repeat(usize::try_from(self.column).unwrap_or(1).saturating_sub(1));
            out.push_str(&format!("{indent} |\n{number} | {}\n{indent} | {before}{caret}\n", self.excerpt));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("  hint: {hint}\n"));
        }
        out
    }
}

/// All findings of a model.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// How many of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|finding| finding.severity == severity).count()
    }
    /// Sorted by file and place, errors first within a place.
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| (&a.file, a.line, a.column, a.severity).cmp(&(&b.file, b.line, b.column, b.severity)));
        self
    }
    /// All findings for a terminal, and a closing line with the counts.
    pub fn human(&self) -> String {
        let mut out: String = self.0.iter().map(|finding| format!("{}\n", finding.human())).collect();
        let counts = [(Severity::Error, "error"), (Severity::Gap, "gap"), (Severity::Warning, "warning")];
        let parts: Vec<_> = counts
            .iter()
            .map(|(severity, word)| {
                let count = self.count(*severity);
                format!("{count} {word}{}", if count == 1 { "" } else { "s" })
            })
            .collect();
        out.push_str(&parts.join(", "));
        out.push('\n');
        out
    }
}
