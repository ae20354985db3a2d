//! What came of it: a table for people, JSON for tools.

use super::class::Class;
use serde::Serialize;
use std::fmt::Write;

/// Something that an attacker got and was not to get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The attack.
    pub id: String,
    /// Its class.
    pub class: &'static str,
    /// The attacker's user role.
    pub role: String,
    /// What was gained.
    pub gained: String,
    /// The command that runs this attack alone again.
    pub again: String,
    /// The request that was answered.
    pub request: String,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Its id.
    pub id: &'static str,
    /// What it is, in one sentence.
    pub what: &'static str,
    /// Attacks that were tried.
    pub tried: usize,
    /// Those that gained something.
    pub gained: usize,
    /// Why it was not tried, when it does not apply to the model.
    pub not_applicable: Option<String>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The app's title.
    pub app: String,
    /// The database.
    pub database: &'static str,
    /// The seed.
    pub seed: u64,
    /// Attacks that were tried.
    pub tried: usize,
    /// Attacks that gained something.
    pub gained: usize,
    /// By class.
    pub classes: Vec<Tally>,
    /// What was gained.
    pub findings: Vec<Finding>,
    /// Answers that say the server itself failed, or that tell less than the model promises: no gain, but worth a look.
    pub faults: Vec<String>,
    /// Canary texts that were looked for.
    pub canaries: usize,
    /// Row classes (a rule that holds, or does not, for one person) that the data has.
    pub row_classes: usize,
    /// Those that no row could be made for.
    pub row_classes_without_row: Vec<String>,
    /// What took longer or more statements over one set of withheld data than over another, by so little that it is told
    /// and not judged.
    pub timing: Vec<String>,
    /// What is told although it is withheld, as SECURITY.md says.
    pub remaining: Vec<String>,
}

/// Findings printed in full.
const MOST_TOLD: usize = 20;
/// Rules named in the verdict.
const MOST_RULES_TOLD: usize = 10;

impl Report {
    /// Whether nothing was gained, and every class that applies was tried. A run that was narrowed by hand is held to
    /// what it tried.
    pub fn is_clean(&self, narrowed: bool) -> bool {
        let idle = self.classes.iter().any(|class| class.tried == 0 && class.not_applicable.is_none());
        self.gained == 0 && self.tried > 0 && (narrowed || !idle)
    }

    /// The table for a terminal.
    pub fn table(&self) -> String {
        let mut out = format!("{} on {}, seed {}\n\n", self.app, self.database, self.seed);
        let wide = self.classes.iter().map(|class| class.id.len()).max().unwrap_or(0);
        let _ = writeln!(out, "{:<wide$}  {:>7}  {:>7}  what", "class", "tried", "gained");
        for class in &self.classes {
            let what =
                class.not_applicable.as_ref().map_or_else(|| class.what.to_owned(), |why| format!("does not apply: {why}"));
            let _ = writeln!(out, "{:<wide$}  {:>7}  {:>7}  {what}", class.id, class.tried, class.gained);
        }
        let _ = writeln!(out, "{:<wide$}  {:>7}  {:>7}", "all", self.tried, self.gained);
        let _ = writeln!(out, "\n{} canary texts, {} row classes", self.canaries, self.row_classes);
        for missing in &self.row_classes_without_row {
            let _ = writeln!(out, "  no row: {missing}");
        }
        for (word, lines) in [("timing", &self.timing), ("remains", &self.remaining), ("fault", &self.faults)] {
            lines.iter().take(MOST_TOLD).for_each(|line| out.push_str(&format!("{word}: {line}\n")));
        }
        for finding in self.findings.iter().take(MOST_TOLD) {
            let _ = writeln!(out, "\nGAINED {}\n  {}\n  {}\n  {}", finding.id, finding.gained, finding.again, finding.request);
        }
        if self.findings.len() > MOST_TOLD {
            let _ = writeln!(out, "\n… and {} more; --format json has all", self.findings.len() - MOST_TOLD);
        }
        let _ = writeln!(out, "\n{}", self.verdict());
        out
    }

    /// What came of it, in one line: what was gained, and what could not be tested.
    pub fn verdict(&self) -> String {
        let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        let gained = match self.gained {
            0 => format!("nothing was gained by {}", count(self.tried, "attack")),
            n => format!("{} of {} gained something", n, count(self.tried, "attack")),
        };
        let untested = self.untested();
        let rules = match untested.len() {
            0 => "every rule was tested".to_owned(),
            n => {
                let told = untested.iter().take(MOST_RULES_TOLD).cloned().collect::<Vec<_>>().join(", ");
                let more = n.saturating_sub(MOST_RULES_TOLD);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{} could not be tested on both sides: {told}{more}", count(n, "rule"))
            }
        };
        let idle: Vec<&str> = self
            .classes
            .iter()
            .filter(|class| class.tried == 0 && class.not_applicable.is_none())
            .map(|class| class.id)
            .collect();
        let idle = if idle.is_empty() { String::new() } else { format!("; not tried: {}", idle.join(", ")) };
        format!("verdict: {gained}; {rules}{idle}")
    }

    /// The rules without a row for which they hold, or without one for which they do not, for somebody.
    fn untested(&self) -> Vec<String> {
        let rule = |line: &String| line.split_once(" holds for ").map_or_else(|| line.clone(), |(rule, _)| rule.to_owned());
        let all: std::collections::BTreeSet<String> = self.row_classes_without_row.iter().map(rule).collect();
        all.into_iter().collect()
    }

    /// The tally of a class.
    pub fn class(&self, class: Class) -> Option<&Tally> {
        self.classes.iter().find(|tally| tally.id == class.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(gained: usize, missing: &[&str]) -> Report {
        let class =
            |id, tried, why: Option<&str>| Tally { id, what: "", tried, gained: 0, not_applicable: why.map(str::to_owned) };
        Report {
            app: "X".into(),
            database: "SQLite",
            seed: 1,
            tried: 12,
            gained,
            classes: vec![class("doors", 12, None), class("visitors", 0, Some("there are none")), class("replays", 0, None)],
            findings: Vec::new(),
            faults: Vec::new(),
            canaries: 3,
            row_classes: 4,
            row_classes_without_row: missing.iter().map(|line| (*line).to_owned()).collect(),
            timing: Vec::new(),
            remaining: Vec::new(),
        }
    }

    #[test]
    fn the_verdict_counts_the_rules_that_could_not_be_tested_once_each() {
        let missing = [
            "rule 2 of m.A holds for no row for Ann (Clerk)",
            "rule 2 of m.A holds for every row for Bo (Head)",
            "rule 1 of m.B holds for every row",
        ];
        let text = report(0, &missing).table();
        let last = text.trim_end().lines().last().unwrap();
        assert_eq!(
            last,
            "verdict: nothing was gained by 12 attacks; 2 rules could not be tested on both sides: rule 1 of m.B, rule 2 of m.A; not tried: replays"
        );
        assert!(text.contains("for Ann (Clerk)"));
    }

    #[test]
    fn a_gain_stands_first_and_a_long_list_is_cut() {
        let many: Vec<String> = (10..30).map(|n| format!("rule {n} of m.A holds for no row")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let verdict = report(3, &many).verdict();
        assert!(verdict.starts_with("verdict: 3 of 12 attacks gained something; 20 rules could not be tested"), "{verdict}");
        assert!(verdict.contains("rule 19 of m.A and 10 more") && !verdict.contains("rule 20 of"), "{verdict}");
        assert!(report(0, &[]).verdict().contains("every rule was tested"));
    }
}
