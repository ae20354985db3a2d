//! The house: a module imports only modules above it, and some things stand in few places only.
//!
//! Reads the sources as text, without their tests, comments and strings.

use crate::support::project;
use std::collections::BTreeMap;
use std::path::Path;

/// The modules of `src/lib.rs` in order.
fn order() -> Vec<String> {
    let text = std::fs::read_to_string(project("src/lib.rs")).unwrap();
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

/// The code of a file: comments, strings and what stands under `#[cfg(test)]` are gone.
fn code(text: &str) -> String {
    without_tests(&without_words(text))
}

fn without_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let begin = rest.find('"').unwrap() + 1;
            rest[begin..].find(&close).map_or(rest.len(), |end| begin + end + close.len())
        } else if first == '"' {
            string_end(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        match skipped {
            0 => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
            _ => {
                out.push(' ');
                rest = &rest[skipped..];
            }
        }
    }
    out
}

fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[2..].find('\'').map_or(0, |end| end + 3),
        Some((at, c)) if text[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 0,
    }
}

/// Cuts out each item that stands under `#[cfg(test)]`.
fn without_tests(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at + "#[cfg(test)]".len()..];
        let end = match (item.find(';'), item.find('{')) {
            (Some(semicolon), open) if open.is_none_or(|open| semicolon < open) => semicolon + 1,
            (_, Some(open)) => open + block(&item[open..]),
            _ => item.len(),
        };
        rest = &item[end..];
    }
    out + rest
}

fn block(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Path under `src/` → code; test modules are left out.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, into: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let test = name.split('/').any(|part| matches!(part, "tests" | "testing" | "tests.rs" | "testing.rs"));
            if test {
                continue;
            }
            if path.is_dir() {
                walk(&path, root, into);
            } else if name.ends_with(".rs") {
                into.insert(name, code(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let (mut all, root) = (BTreeMap::new(), project("src"));
    walk(&root, &root, &mut all);
    all.remove("lib.rs");
    all.remove("main.rs");
    assert!(all.len() > 150, "the sources were not found");
    all
}

/// The module of the house that a file belongs to.
fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

/// The modules that code names as `crate::x`, in `use` groups too.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` in a macro of ours counts as well.
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(_) => {
                let inner = &rest[1..block(rest).saturating_sub(1).max(1)];
                let mut depth = 0;
                let parts = inner.split(|c| {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    c == ',' && depth == 0
                });
                found.extend(parts.map(word).filter(|part| !part.is_empty()));
            }
            None => found.push(word(rest)),
        }
    }
    found
}

fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether code mentions a name as a word of its own.
fn mentions(code: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = name.starts_with(part) && code[..at].chars().next_back().is_some_and(part);
        let after = code[at + name.len()..].chars().next().is_some_and(part);
        !before && (!after || !name.ends_with(part))
    })
}

#[test]
fn a_module_imports_only_modules_listed_above_it() {
    let order = order();
    let place = |name: &str| order.iter().position(|known| known == name);
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let own = room(&file).to_owned();
        let here = place(&own).unwrap_or_else(|| panic!("{file} belongs to no module of src/lib.rs"));
        for import in imports(&code) {
            match place(&import) {
                Some(there) if there < here || import == own => {}
                Some(_) => wrong.push(format!("{file} imports {import}, which stands below it")),
                // A macro or item at the root of the crate: there is none.
                None => wrong.push(format!("{file} imports crate::{import}, which src/lib.rs does not list")),
            }
        }
        // A relative path must not climb out of its module either.
        let deep = file.matches('/').count() + usize::from(!file.ends_with("mod.rs"));
        for climbs in 1..8 {
            let path = "super::".repeat(climbs);
            let at = code.match_indices(&path).any(|(at, _)| !code[..at].ends_with("super::") && climbs > deep);
            if at {
                wrong.push(format!("{file} climbs out with {path}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A name, and the only modules that may mention it.
const BANS: &[(&str, &[&str])] = &[
    ("diesel", &["db", "store", "audit", "identity"]),
    ("actix_web", &["gate", "web", "api", "server"]),
    ("actix_session", &["gate", "web", "api", "server"]),
    ("actix_http", &["server"]),
    ("actix_service", &["server"]),
    ("rustix", &["server", "config"]),
    ("tera", &["page", "web", "mail"]),
    ("SystemTime::now", &["clock"]),
    ("Utc::now", &["clock"]),
    ("Local::now", &["clock"]),
    ("Instant::now", &["clock"]),
    ("OffsetDateTime::now", &["clock"]),
    (".release(", &["store", "workspace"]),
];

#[test]
fn what_is_dangerous_stands_in_few_places_only() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        for (name, rooms) in BANS {
            if mentions(&code, name) && !rooms.contains(&room(&file)) {
                wrong.push(format!("{file} mentions {name}, which is only for {rooms:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stands_in_the_guard_of_sqlite_only() {
    let mut seen = 0;
    for (file, code) in sources() {
        let here = mentions(&code, "unsafe") || mentions(&code, "unsafe_code");
        match file.as_str() {
            "db/guard.rs" => seen += usize::from(here),
            // The line that admits the module, and says why.
            "db/mod.rs" => assert_eq!(code.matches("unsafe").count(), 1, "{file}"),
            _ => assert!(!here, "{file} has unsafe code or admits it"),
        }
    }
    assert_eq!(seen, 1, "the guard was not found");
    let text = std::fs::read_to_string(project("src/db/guard.rs")).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let block = line.contains("unsafe {") && !line.starts_with("//");
        let reasoned = lines[at.saturating_sub(5)..at].iter().any(|before| before.contains("SAFETY:"));
        assert!(!block || reasoned, "src/db/guard.rs:{}: an unsafe block does not say why it is safe", at + 1);
    }
}

#[test]
fn flows_and_pages_see_the_contract_of_objects_and_no_maker_of_them() {
    for (file, code) in sources() {
        if matches!(room(&file), "flow" | "page") {
            for import in imports(&code) {
                assert!(
                    !matches!(import.as_str(), "db" | "store" | "workspace" | "audit" | "identity"),
                    "{file} imports {import}"
                );
            }
        }
        if room(&file) == "workspace" {
            assert!(!imports(&code).iter().any(|import| matches!(import.as_str(), "db" | "store")), "{file} reaches a database");
        }
        if matches!(room(&file), "domain" | "expr" | "model") {
            let io = imports(&code).into_iter().any(|import| matches!(import.as_str(), "db" | "audit" | "mail" | "identity"));
            assert!(!io, "{file} is not pure");
        }
    }
}

#[test]
fn a_visitors_context_holds_no_way_to_a_database() {
    let sources = sources();
    for file in ["app/visitor.rs", "app/visit.rs"] {
        let code = &sources[file];
        for name in ["db", "Db", "Conn", "Pool", "store::", "Store", "diesel"] {
            assert!(!mentions(code, name), "{file} mentions {name}");
        }
    }
    let context = &sources["app/visitor.rs"];
    let fields = &context[context.find("struct VisitorContext").unwrap()..];
    let fields = &fields[..fields.find('}').unwrap()];
    assert_eq!(fields.matches("pub").count(), 2, "a new field of VisitorContext is to be looked at: {fields}");
    let door = &sources["app/registration.rs"];
    let fields = &door[door.find("struct FrontDoor").unwrap()..];
    let fields = &fields[..fields.find('}').unwrap()];
    for name in ["App", "Db", "Conn", "Store"] {
        assert!(!mentions(fields, name), "the front door holds {name}: {fields}");
    }
}

/// The test itself must see what it forbids.
#[test]
fn forbidden_lines_are_seen_and_words_about_them_are_not() {
    let text = "//! diesel\nuse crate::{db::Db, web::{self, Web}};\nfn f<'a>(x: &'a str) -> char { let _ = \"Utc::now\"; let _ = r#\"tera \"x\" \"#; '\"' }\n#[cfg(test)]\nmod tests { use crate::server; fn g() { Utc::now() } }\nfn h() { SystemTime::now(); x.release(y) }";
    let code = code(text);
    assert_eq!(imports(&code), ["db", "web"]);
    for (name, seen) in [("diesel", false), ("Utc::now", false), ("tera", false), ("SystemTime::now", true), (".release(", true)]
    {
        assert_eq!(mentions(&code, name), seen, "{name}");
    }
    assert!(!mentions("let interadministrative = 1;", "tera") && mentions("tera::Context", "tera"));
}
