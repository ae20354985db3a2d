//! An explanation as text for a terminal.

use super::{Explanation, Holds, Step};
use std::fmt::Write;

impl Holds {
    /// The sign before a step.
    fn sign(self) -> char {
        match self {
            Self::Yes => '+',
            Self::No => '-',
            Self::Withheld => '?',
            Self::Undecided => '~',
        }
    }
}

impl Explanation {
    /// The tree as text: `+` holds, `-` does not, `?` is withheld from the asker, `~` cannot be said.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let roles = if self.roles.is_empty() { "none".to_owned() } else { self.roles.join(", ") };
        let _ = writeln!(out, "{}\n  layer       {}\n  user roles  {roles}\n\nbecause", self.summary, self.layer.title());
        self.reasons.iter().for_each(|step| write_step(step, 1, &mut out));
        if !self.would_change.is_empty() {
            let _ = writeln!(out, "\nwhat would change it");
            for line in &self.would_change {
                let _ = writeln!(out, "  * {line}");
            }
        }
        out
    }
}

fn write_step(step: &Step, deep: usize, out: &mut String) {
    let place = step.place.as_ref().map(|place| format!("  [{place}]")).unwrap_or_default();
    let _ = writeln!(out, "{:indent$}{} {}{place}", "", step.holds.sign(), step.text, indent = deep * 2);
    for compared in &step.values {
        let value = compared.value.as_deref().unwrap_or("withheld from you");
        let _ = writeln!(out, "{:indent$}{} = {value}", "", compared.of, indent = deep * 2 + 4);
    }
    step.parts.iter().for_each(|part| write_step(part, deep + 1, out));
}
