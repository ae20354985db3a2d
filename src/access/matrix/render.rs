//! The matrix as text.

use super::{Line, LineKind, Matrix, State, Verdict};
use std::fmt::Write;

impl Matrix {
    /// For a terminal: a table for each kind of row, and the conditions below. The table of a single role tells the
    /// conditions beside each row.
    pub fn table(&self) -> String {
        let mut out = String::new();
        for kind in LineKind::ALL {
            let lines: Vec<&Line> = self.rows.iter().filter(|line| line.kind == kind).collect();
            if !lines.is_empty() {
                self.section(kind, &lines, &mut out);
            }
        }
        if self.roles.len() != 1 {
            self.legend(&mut out);
        }
        out
    }

    fn section(&self, kind: LineKind, lines: &[&Line], out: &mut String) {
        let name = lines.iter().map(|line| line.object.len()).max().unwrap_or(0).max(kind.id().len());
        let width = |role: usize| {
            let cells = lines.iter().filter_map(|line| line.cells.get(role)).map(|cell| short(cell).chars().count());
            cells.max().unwrap_or(0).max(self.roles.get(role).map_or(0, String::len))
        };
        let widths: Vec<usize> = (0..self.roles.len()).map(width).collect();
        let header: Vec<&str> = self.roles.iter().map(String::as_str).collect();
        row(out, &format!("{:<name$}  {:<9}", kind.id().to_uppercase(), ""), &header, &widths, "");
        for line in lines {
            let cells: Vec<String> = line.cells.iter().map(short).collect();
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let note = match line.cells.as_slice() {
                [only] if !only.note.is_empty() => &only.note,
                _ => &line.note,
            };
            row(out, &format!("{:<name$}  {:<9}", line.object, line.operation), &cells, &widths, note);
        }
        out.push('\n');
    }

    fn legend(&self, out: &mut String) {
        if self.rules.is_empty() {
            return;
        }
        out.push_str("RULES\n");
        for rule in &self.rules {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{} {}: {}", rule.entity, rule.number, rule.condition);
            if !rule.doc.is_empty() {
                let _ = writeln!(out, "    {}", rule.doc);
            }
        }
    }

    /// For a spreadsheet: a line for each row, then a line of the kind `rule` for each condition. No field begins
    /// with a character that a spreadsheet takes for a formula.
    pub fn csv(&self) -> String {
        let mut out = String::new();
        let fixed = ["kind", "object", "operation", "note"].map(str::to_owned);
        record(&mut out, fixed.into_iter().chain(self.roles.iter().cloned()));
        for line in &self.rows {
            let fixed = [line.kind.id().to_owned(), line.object.clone(), line.operation.to_owned(), line.note.clone()];
            record(&mut out, fixed.into_iter().chain(line.cells.iter().map(long)));
        }
        for rule in &self.rules {
            let doc = if rule.doc.is_empty() { String::new() } else { format!(" ({})", rule.doc) };
            let fixed =
                ["rule".to_owned(), rule.entity.clone(), rule.number.to_string(), format!("where {}{doc}", rule.condition)];
            record(&mut out, fixed.into_iter().chain(self.roles.iter().map(|_| String::new())));
        }
        out
    }
}

fn row(out: &mut String, first: &str, cells: &[&str], widths: &[usize], note: &str) {
    let mut line = first.to_owned();
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(line, "  {cell:<width$}");
    }
    if !note.is_empty() {
        let _ = write!(line, "  {note}");
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

fn short(cell: &Verdict) -> String {
    match cell.state {
        State::Yes => "yes".to_owned(),
        State::Conditional => format!("if {}", numbers(cell)),
        State::No if cell.note.is_empty() => "·".to_owned(),
        State::No => "never".to_owned(),
    }
}

fn long(cell: &Verdict) -> String {
    match cell.state {
        State::Yes => "yes".to_owned(),
        State::Conditional => format!("if {}", numbers(cell)),
        State::No if cell.note.is_empty() => "no".to_owned(),
        State::No => "never".to_owned(),
    }
}

fn numbers(cell: &Verdict) -> String {
    cell.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join("|")
}

fn record(out: &mut String, fields: impl Iterator<Item = String>) {
    let quoted = |field: String| {
        if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    };
    out.push_str(&fields.map(quoted).collect::<Vec<_>>().join(","));
    out.push('\n');
}
