//! No message speaks of the libraries behind it, whatever is written in the files.

use crate::model::{Files, load};
use std::path::Path;

/// Words of the libraries and of Rust, which no author is to read.
const FORBIDDEN: [&str; 24] = [
    "serde",
    "Option",
    "struct",
    "enum ",
    "enum`",
    "variant",
    "mapping start",
    "sequence start",
    "Policy",
    "::",
    "deserializ",
    "scalar",
    "Vec<",
    "u32",
    "usize",
    "u8",
    "i64",
    "null",
    "unit",
    "budget",
    "regex",
    "saphyr",
    "granit",
    "panicked",
];

/// A message without what it quotes from the file.
fn own_words(message: &str) -> String {
    let parts = message.split('`').step_by(2);
    parts.collect::<Vec<_>>().join(" ")
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}

const INTO: [&str; 34] = [
    "",
    " ",
    "\t",
    "\n",
    ":",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "|",
    ">",
    "%",
    "@",
    "`",
    "null",
    "~",
    "[]",
    "{}",
    "12",
    "-1.5e400",
    "99999999999999999999",
    "true",
    "---\n",
    "\\x",
    "é\u{202e}",
];

/// One change of a text, somewhere.
fn mutated(text: &str, chance: &mut Chance) -> String {
    let lines: Vec<&str> = text.lines().chain(["end: x"]).collect();
    let at = chance.below(lines.len());
    let mut out: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let line = out[at].clone();
    let cut = line.char_indices().map(|(at, _)| at).nth(chance.below(line.chars().count())).unwrap_or(0);
    match chance.below(7) {
        0 => out[at] = format!("{}{}{}", &line[..cut], INTO[chance.below(INTO.len())], &line[cut..]),
        1 => drop(out.remove(at)),
        2 => out.insert(at, line),
        3 => out[at] = line[..cut].to_owned(),
        4 => {
            out[at] = line.split_once(": ").map_or(line.clone(), |(key, _)| format!("{key}: {}", INTO[chance.below(INTO.len())]))
        }
        5 => out[at] = format!("  {line}"),
        _ => out.truncate(at),
    }
    out.join("\n")
}

fn assert_plain(findings: &crate::model::Findings, what: &str) {
    for finding in &findings.0 {
        let text = own_words(&format!("{} {}", finding.message, finding.hint.clone().unwrap_or_default()));
        let found = FORBIDDEN.iter().find(|word| text.contains(**word));
        assert_eq!(found, None, "{what}: {} ({})", finding.message, finding.place());
    }
}

#[test]
fn mutated_files_and_expressions_are_answered_in_plain_words_and_never_with_a_panic() {
    let files = Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/library")).unwrap();
    let paths: Vec<String> = files.0.keys().cloned().collect();
    let mut chance = Chance(7);
    let mut broken = 0;
    for round in 0..250 {
        let mut changed = files.clone();
        let path = &paths[chance.below(paths.len())];
        let text = changed.0.get_mut(path).unwrap();
        for _ in 0..=chance.below(2) {
            *text = mutated(text, &mut chance);
        }
        let (_, findings) = load(&changed);
        broken += usize::from(findings.0.iter().any(|finding| finding.code == "yaml"));
        assert_plain(&findings, &format!("round {round}, {path}"));
    }
    assert!(broken > 20, "{broken}");
}

#[test]
fn every_shape_in_every_place_is_answered_in_plain_words() {
    let values = [
        "",
        "null",
        "~",
        "12",
        "-1",
        "1.5",
        "true",
        "text",
        "[]",
        "[1, 2]",
        "{}",
        "{a: 1}",
        "*x",
        "&x y",
        "!!binary aGk=",
        "!tag x",
        "'open",
        "\"a\\q\"",
        "[",
        "{",
        "|",
        "- x",
        "a: b",
    ];
    let app = super::APP;
    for (at, line) in app.lines().enumerate() {
        let Some((key, _)) = line.split_once(':') else { continue };
        for value in values {
            let mut lines: Vec<String> = app.lines().map(str::to_owned).collect();
            lines[at] = format!("{key}: {value}");
            let text = lines.join("\n");
            let (_, findings) = load(&Files::of([
                ("app.yaml", text.as_str()),
                ("m/module.yaml", super::MODULE),
                ("m/domain.yaml", super::DOMAIN),
            ]));
            assert_plain(&findings, &lines[at]);
        }
    }
}
