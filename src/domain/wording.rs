//! What a parser says, in words for the person who wrote the file.
//!
//! The libraries that read YAML and TOML speak of their own types and options. Each of their sentences
//! is recognised and said anew; one that is not recognised becomes a plain general sentence.
//!
//! INVARIANT: nothing of the library's text is passed on but what it quotes from the file, and the
//! keys that it lists.

use super::did_you_mean;

/// What kind of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A key or word that is not known there.
    UnknownWord,
    /// A key that is needed is not there.
    MissingKey,
    /// A key that is there already.
    Duplicate,
    /// The text cannot be read, or a value has another shape.
    Shape,
}

/// A fault of a file in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainFault {
    /// What kind.
    pub kind: FaultKind,
    /// What is wrong.
    pub message: String,
    /// How to correct it.
    pub hint: Option<String>,
    /// The word of the file that is meant, if one is.
    pub word: Option<String>,
}

fn shape(message: &str, hint: &str) -> PlainFault {
    PlainFault { kind: FaultKind::Shape, message: message.into(), hint: Some(hint.into()), word: None }
}

/// Says anew what a parser said.
pub fn plain_fault(said: &str) -> PlainFault {
    let first = said.lines().next().unwrap_or_default();
    // The place is told apart.
    let first = first.rfind(" at line ").and_then(|at| first.get(..at)).unwrap_or(first).trim_end_matches([',', ':', ' ']);
    let lower = first.to_lowercase();
    // What the settings' own types say is plain already.
    if first.starts_with('`') && first.contains("` is not a") {
        return PlainFault { kind: FaultKind::Shape, message: first.to_owned(), hint: None, word: None };
    }
    if let Some(fault) = about_a_word(first) {
        return fault;
    }
    let has = |part: &str| lower.contains(part);
    if has("duplicate") {
        return duplicate(first);
    }
    if has("null into") || (has("null") && has("not allowed")) || has("invalid type: unit value") || has("invalid type: null") {
        return shape("a value is missing here", "write a value after the key, or remove the key");
    }
    if let Some((_, wanted)) =
        first.split_once("expected ").filter(|_| has("invalid type") || has("invalid value") || has("invalid length"))
    {
        return needed(wanted);
    }
    if let Some(wanted) = lower.strip_prefix("invalid ") {
        return needed(wanted);
    }
    if has("externally tagged") || has("enum") || has("variant") {
        return shape(
            "one known word is needed here, or one key with its value",
            "each entry of such a list is one key, as in `- heading: {text: Hello}`",
        );
    }
    if has("struct") || has("unit") {
        return shape("nothing stands inside these braces", "write {}");
    }
    about_the_text(&lower)
}

/// ``unknown field `x`, expected one of a, b`` and the like.
fn about_a_word(first: &str) -> Option<PlainFault> {
    let quoted = first.split('`').nth(1).unwrap_or_default().to_owned();
    if first.starts_with("missing field") {
        let message = format!("the key `{quoted}` is missing here");
        let hint = Some(format!("add `{quoted}`"));
        return Some(PlainFault { kind: FaultKind::MissingKey, message, hint, word: None });
    }
    let key = first.starts_with("unknown field");
    if !key && !first.starts_with("unknown variant") {
        return None;
    }
    let list = first.split_once("expected ").map(|(_, list)| list.replace('`', "")).unwrap_or_default();
    let list = list.trim_start_matches("one of ").replace(" or ", ", ");
    let known: Vec<&str> = list.split(", ").map(str::trim).filter(|word| is_word(word)).collect();
    let near = did_you_mean(&quoted, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let noun = if key { "key" } else { "word" };
    let message = match known.as_slice() {
        [] => format!("there is no {noun} `{quoted}` here"),
        [one] => format!("there is no {noun} `{quoted}` here; the only {noun} is {one}"),
        all => format!("there is no {noun} `{quoted}` here; the {noun}s are {}", all.join(", ")),
    };
    Some(PlainFault { kind: FaultKind::UnknownWord, message, hint: near, word: Some(quoted) })
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn duplicate(first: &str) -> PlainFault {
    let quoted = first.split('`').nth(1).map(str::to_owned);
    let named = first.split_once("key: ").and_then(|(_, rest)| rest.split(',').next()).map(|word| word.trim().to_owned());
    let word =
        quoted.or(named).filter(|word| !word.is_empty() && word.chars().count() <= 60 && !word.chars().any(char::is_control));
    let message = match &word {
        Some(word) => format!("the key `{word}` stands here twice"),
        None => "a key stands here twice".to_owned(),
    };
    let hint = Some("remove one of them, or put what belongs to both under one".into());
    PlainFault { kind: FaultKind::Duplicate, message, hint, word }
}

/// What a parser wanted, by the words that it uses for it.
fn needed(wanted: &str) -> PlainFault {
    let wanted = wanted.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| wanted.contains(part));
    if has(&["socket"]) {
        shape("an address with a port is needed here", "write it as 127.0.0.1:8080 or [::1]:8080")
    } else if has(&["ip address", "ipv4", "ipv6"]) {
        shape("an IP address is needed here", "write it as 192.0.2.1 or 2001:db8::1")
    } else if has(&["seq", "list", "array", "vec", "tuple"]) {
        shape("a list is needed here", "write [a, b], or one entry a line, each with `- ` before it")
    } else if has(&["bool"]) {
        shape("true or false is needed here", "write it without quotes")
    } else if has(&["map", "struct", "table"]) {
        shape("keys with values are needed here", "write `key: value` lines, indented below this one, or {key: value}")
    } else if has(&["integer", "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "number", "float", "f64", "zero"]) {
        shape("a number is needed here that is not too large", "write it with digits only, without quotes")
    } else if has(&["enum", "variant"]) {
        shape("one known word is needed here, or one key with its value", "each entry of such a list is one key with its value")
    } else if has(&["str", "char", "text"]) {
        shape("one text is needed here", "put it in quotes if it begins with a bracket, a brace or another sign")
    } else {
        shape("a value of another shape is needed here", "compare with the reference of this file, docs/MODEL.md")
    }
}

/// Faults of the notation itself.
fn about_the_text(lower: &str) -> PlainFault {
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if has(&["end of input", "end of file", "unexpected eof", "end of stream"]) {
        shape("the file ends too early", "close every bracket, brace and quote")
    } else if has(&["multiple", "document"]) {
        shape("the file has more than one document", "remove the line `---`")
    } else if has(&["merge", "alias", "anchor", "tag", "recursi", "include"]) {
        shape(
            "anchors, aliases, merge keys and tags (&, *, <<, !) are not used in these files",
            "write the value out, or put the text in quotes",
        )
    } else if has(&["budget", "limit", "too deep", "depth", "too large"]) {
        shape("the file is nested too deeply or too large", "divide it")
    } else if has(&["utf-8", "utf8"]) {
        shape("the file is not UTF-8 text", "save it as UTF-8")
    } else if has(&["must be quoted", "unquoted"]) {
        shape("this text needs quotes", "put it in quotes")
    } else if has(&["tab"]) {
        shape("a tab stands where only spaces may", "indent with spaces")
    } else if has(&["indent", "block entry", "block sequence", "block mapping", "block collection", "did not find expected key"])
    {
        shape("the indentation does not fit the lines above", "entries of one list or mapping begin in the same column")
    } else if has(&["':'", "colon", "mapping values", "simple key", "illegal placement"]) {
        shape("a colon stands where none can", "put a text with a colon in quotes, and close every bracket above")
    } else if has(&["flow", "',' or", "bracket", "brace"]) {
        shape("a bracket or brace is not closed", "close it with ] or }, and put commas between entries")
    } else if has(&["quote", "escape", "scalar"]) {
        shape(
            "a quoted text is not closed, or has an unknown escape",
            "close it with the same quote; in single quotes a quote is written twice",
        )
    } else if has(&["expected map", "expected struct"]) {
        needed("map")
    } else if has(&["expected seq"]) {
        needed("seq")
    } else if has(&["expected string"]) {
        needed("string")
    } else {
        shape("this cannot be read", "check indentation, colons, brackets and quotes on this line and the one before")
    }
}

/// Why a pattern is none, in plain words.
pub fn plain_pattern_fault(said: &str) -> &'static str {
    let lower = said.to_lowercase();
    let reasons = [
        ("unclosed character class", "a [ is not closed"),
        ("unclosed group", "a ( is not closed"),
        ("unopened group", "a ) has no ( before it"),
        ("unclosed counted repetition", "a { is not closed"),
        ("repetition", "a sign of repetition (* + ? {}) has nothing before it, or does not make sense"),
        ("invalid character class range", "a range in [ ] ends before it begins"),
        ("look-around", "look-ahead and look-behind are not supported"),
        ("backreference", "references back to a group are not supported"),
        ("escape", "an escape that is not known; a backslash itself is written twice"),
        ("property", "a class of characters that is not known"),
        ("flag", "a flag that is not known"),
        ("size limit", "it is too large; shorten it or its counts"),
        ("nest", "it is nested too deeply"),
    ];
    reasons.iter().find(|(part, _)| lower.contains(part)).map_or("it cannot be read", |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_of_a_parser_becomes_one_for_the_author() {
        let table = [
            (
                "unknown field `layuot`, expected one of `title`, `layout`",
                "there is no key `layuot` here; the keys are title, layout",
            ),
            ("unknown field `a`, there are no fields", "there is no key `a` here"),
            ("unknown field `x`, expected `to` or `kind`", "there is no key `x` here; the keys are to, kind"),
            (
                "unknown variant `headnig`, expected one of heading, text at line 5, column 5",
                "there is no word `headnig` here; the words are heading, text",
            ),
            ("missing field `title`", "the key `title` is missing here"),
            (
                "duplicate mapping key: title, set DuplicateKeyPolicy in Options if acceptable",
                "the key `title` stands here twice",
            ),
            ("duplicate field `title`", "the key `title` stands here twice"),
            ("cannot deserialize null into string; use Option<String>", "a value is missing here"),
            ("expected mapping start", "keys with values are needed here"),
            ("expected sequence start", "a list is needed here"),
            ("invalid type: string \"x\", expected a sequence", "a list is needed here"),
            ("invalid type: sequence, expected struct App", "keys with values are needed here"),
            ("invalid u32", "a number is needed here that is not too large"),
            ("invalid bool", "true or false is needed here"),
            ("externally tagged enum expected scalar or mapping", "one known word is needed here, or one key with its value"),
            ("unexpected end of input", "the file ends too early"),
            ("budget breached: ReplayBudget { limit: 3 }", "the file is nested too deeply or too large"),
            ("illegal placement of ':' indicator", "a colon stands where none can"),
            ("a sentence of tomorrow with Option<Vec<T>>", "this cannot be read"),
        ];
        for (said, plain) in table {
            assert_eq!(plain_fault(said).message, plain, "{said}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_told_why() {
        for (pattern, why) in
            [("[a", "a [ is not closed"), ("(a", "a ( is not closed"), ("*a", "a sign of repetition"), ("(?=a)", "look-ahead")]
        {
            let error = regex::Regex::new(pattern).unwrap_err().to_string();
            assert!(plain_pattern_fault(&error).starts_with(why), "{pattern}: {error}");
        }
    }
}
