//! Text → tokens.

use super::Fault;

/// A range of bytes in the expression's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From the start of one to the end of the other.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Text(String),
    Number(String),
    Word(String),
    Variable(String),
    Constant(String),
    Symbol(&'static str),
    End,
}

const SYMBOLS: [&str; 23] =
    ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "(", ")", "[", "]", ",", ".", "?", ":", "=", "&"];

/// Splits the text; the last token is always [`Token::End`].
pub(super) fn lex(text: &str) -> Result<Vec<(Token, Span)>, Fault> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let start = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            out.push((Token::End, Span { start, end: start }));
            return Ok(out);
        };
        let (token, length) = match first {
            '\'' | '"' => quoted(rest, first, start)?,
            '0'..='9' => number(rest),
            '$' => named(rest, start, "a variable name", Token::Variable)?,
            '@' => named(rest, start, "a constant such as @hr.Limit", Token::Constant)?,
            c if c.is_alphabetic() || c == '_' => {
                let word = take_word(rest);
                (Token::Word(word.to_owned()), word.len())
            }
            _ => symbol(rest, start)?,
        };
        out.push((token, Span { start, end: start + length }));
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn take_word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn named(rest: &str, start: usize, what: &str, make: fn(String) -> Token) -> Result<(Token, usize), Fault> {
    let after = rest.get(1..).unwrap_or_default();
    let mut name = take_word(after).to_owned();
    if rest.starts_with('@') && after.get(name.len()..).is_some_and(|tail| tail.starts_with('.')) {
        let tail = take_word(after.get(name.len() + 1..).unwrap_or_default());
        name = format!("{name}.{tail}");
    }
    if name.is_empty() || name.ends_with('.') {
        return Err(Fault::new(Span { start, end: start + 1 }, format!("expected {what}")));
    }
    let length = name.len() + 1;
    Ok((make(name), length))
}

fn number(rest: &str) -> (Token, usize) {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    let tail = rest.get(whole..).unwrap_or_default();
    let fraction = tail.strip_prefix('.').map(digits).filter(|n| *n > 0).map_or(0, |n| n + 1);
    let length = whole + fraction;
    (Token::Number(rest.get(..length).unwrap_or_default().to_owned()), length)
}

fn quoted(rest: &str, quote: char, start: usize) -> Result<(Token, usize), Fault> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, escaped @ ('\\' | '\'' | '"'))) => out.push(escaped),
                _ => {
                    let span = Span { start: start + at, end: start + at + 1 };
                    return Err(Fault::new(span, "only \\n, \\\\, \\' and \\\" may follow a backslash"));
                }
            },
            c if c == quote => return Ok((Token::Text(out), at + 1)),
            c => out.push(c),
        }
    }
    Err(Fault::new(Span { start, end: start + rest.len() }, "this text has no closing quote"))
}

fn symbol(rest: &str, start: usize) -> Result<(Token, usize), Fault> {
    let found = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
    let length = rest.chars().next().map_or(1, char::len_utf8);
    let span = Span { start, end: start + length };
    match found {
        Some(&"=") => Err(Fault::new(span, "use == to compare")),
        Some(&"&") => Err(Fault::new(span, "use && for and")),
        Some(&("?" | ":")) => Err(Fault::new(span, "write if(condition, then, else)")),
        Some(symbol) => Ok((Token::Symbol(symbol), symbol.len())),
        None => Err(Fault::new(span, "this character has no meaning here")),
    }
}
