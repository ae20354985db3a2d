//! Tokens → tree, by precedence climbing (Pratt).

use super::lex::{Span, Token, lex};

/// Something wrong in an expression, at a place in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }
    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The untyped tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Syntax {
    /// What it is.
    pub node: SyntaxNode,
    /// Where it stands.
    pub span: Span,
}

/// One node of the untyped tree.
#[derive(Clone, Debug, PartialEq)]
pub enum SyntaxNode {
    /// A text literal.
    Text(String),
    /// A number as written.
    Number(String),
    /// A bare word: `this`, `user`, `item`, `true`, `false`, `empty`.
    Word(String),
    /// `$Name`.
    Variable(String),
    /// `@module.Constant`.
    Constant(String),
    /// `of.name`.
    Member(Box<Syntax>, String),
    /// `of[condition]`.
    Filter(Box<Syntax>, Box<Syntax>),
    /// `name(…)`.
    Call(String, Vec<Syntax>),
    /// `['A', 'B']`.
    List(Vec<Syntax>),
    /// `!x` or `-x`.
    Prefix(&'static str, Box<Syntax>),
    /// `a op b`, and `a in b`.
    Infix(&'static str, Box<Syntax>, Box<Syntax>),
}

const DEEPEST: usize = 60;
const LONGEST: usize = 4_000;

/// Parses one expression; the whole text must belong to it.
pub fn parse(text: &str) -> Result<Syntax, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::new(Span { start: 0, end: 1 }, format!("an expression has at most {LONGEST} characters")));
    }
    let mut parser = Parser { tokens: lex(text)?, at: 0, depth: 0 };
    let tree = parser.expression(0)?;
    match parser.peek() {
        (Token::End, _) => Ok(tree),
        (_, span) => Err(Fault::new(span, "the expression ended before this")),
    }
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> (Token, Span) {
        self.tokens.get(self.at).or(self.tokens.last()).cloned().unwrap_or((Token::End, Span::default()))
    }
    fn next(&mut self) -> (Token, Span) {
        let token = self.peek();
        self.at += 1;
        token
    }
    fn eat(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek().0, Token::Symbol(s) if s == symbol);
        self.at += usize::from(found);
        found
    }
    fn expect(&mut self, symbol: &'static str) -> Result<Span, Fault> {
        let (token, span) = self.peek();
        if token == Token::Symbol(symbol) {
            self.at += 1;
            return Ok(span);
        }
        Err(Fault::new(span, format!("expected `{symbol}` here")))
    }

    fn expression(&mut self, least: u8) -> Result<Syntax, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault::new(self.peek().1, "the expression is nested too deeply"));
        }
        let mut left = self.prefix()?;
        let mut length = 0;
        while let Some((operator, power)) = infix(&self.peek().0) {
            if power < least {
                break;
            }
            length += 1;
            if length > 100 {
                return Err(Fault::new(self.peek().1, "the expression is too long"));
            }
            self.at += 1;
            let right = self.expression(power + 1)?;
            let span = left.span.to(right.span);
            left = Syntax { node: SyntaxNode::Infix(operator, Box::new(left), Box::new(right)), span };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefix(&mut self) -> Result<Syntax, Fault> {
        let (token, span) = self.peek();
        if let Token::Symbol(operator @ ("!" | "-")) = token {
            self.at += 1;
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(Fault::new(span, "the expression is nested too deeply"));
            }
            let inner = self.prefix()?;
            self.depth -= 1;
            return Ok(Syntax { span: span.to(inner.span), node: SyntaxNode::Prefix(operator, Box::new(inner)) });
        }
        let first = self.primary()?;
        self.postfix(first)
    }

    fn postfix(&mut self, mut left: Syntax) -> Result<Syntax, Fault> {
        loop {
            if self.eat(".") {
                let (Token::Word(name), span) = self.next() else {
                    return Err(Fault::new(self.peek().1, "expected a member name after the point"));
                };
                left = Syntax { span: left.span.to(span), node: SyntaxNode::Member(Box::new(left), name) };
            } else if self.eat("[") {
                let condition = self.expression(0)?;
                let end = self.expect("]")?;
                left = Syntax { span: left.span.to(end), node: SyntaxNode::Filter(Box::new(left), Box::new(condition)) };
            } else {
                return Ok(left);
            }
        }
    }

    fn primary(&mut self) -> Result<Syntax, Fault> {
        let (token, span) = self.next();
        let node = match token {
            Token::Text(text) => SyntaxNode::Text(text),
            Token::Number(number) => SyntaxNode::Number(number),
            Token::Variable(name) => SyntaxNode::Variable(name),
            Token::Constant(name) => SyntaxNode::Constant(name),
            Token::Word(name) if self.eat("(") => {
                let (arguments, end) = self.list(")")?;
                return Ok(Syntax { node: SyntaxNode::Call(name, arguments), span: span.to(end) });
            }
            Token::Word(name) => SyntaxNode::Word(name),
            Token::Symbol("(") => {
                let inner = self.expression(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Symbol("[") => {
                let (values, end) = self.list("]")?;
                return Ok(Syntax { node: SyntaxNode::List(values), span: span.to(end) });
            }
            Token::End => return Err(Fault::new(span, "the expression stops too early")),
            Token::Symbol(symbol) => return Err(Fault::new(span, format!("`{symbol}` cannot stand here"))),
        };
        Ok(Syntax { node, span })
    }

    fn list(&mut self, close: &'static str) -> Result<(Vec<Syntax>, Span), Fault> {
        let mut out = Vec::new();
        let (token, span) = self.peek();
        if token == Token::Symbol(close) {
            self.at += 1;
            return Ok((out, span));
        }
        loop {
            out.push(self.expression(0)?);
            if !self.eat(",") {
                return Ok((out, self.expect(close)?));
            }
        }
    }
}

fn infix(token: &Token) -> Option<(&'static str, u8)> {
    match token {
        Token::Symbol("||") => Some(("||", 1)),
        Token::Symbol("&&") => Some(("&&", 2)),
        Token::Symbol(op @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => Some((op, 3)),
        Token::Word(word) if word == "in" => Some(("in", 3)),
        Token::Symbol(op @ ("+" | "-")) => Some((op, 4)),
        Token::Symbol(op @ ("*" | "/")) => Some((op, 5)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        parse(text).err().map(|f| format!("{}..{} {}", f.span.start, f.span.end, f.message)).unwrap_or_default()
    }

    #[test]
    fn and_binds_tighter_than_or_and_comparison_tighter_than_both() {
        let tree = parse("this.a == 1 || this.b == 2 && !this.c").unwrap();
        assert!(matches!(tree.node, SyntaxNode::Infix("||", _, _)));
    }

    #[test]
    fn a_fault_stands_under_the_offending_token() {
        assert_eq!(fault("this.a = 1"), "7..8 use == to compare");
        assert_eq!(fault("this.a == "), "10..10 the expression stops too early");
        assert_eq!(fault("this.a == 'x"), "10..12 this text has no closing quote");
        assert_eq!(fault("a b"), "2..3 the expression ended before this");
    }

    #[test]
    fn hostile_depth_and_length_are_refused_not_overflowed() {
        assert!(fault(&"(".repeat(3_000)).contains("nested too deeply"));
        assert!(fault(&"!".repeat(3_000)).contains("nested too deeply"));
        assert!(fault(&"1+".repeat(1_500)).contains("too long"));
        assert!(fault(&"x".repeat(5_000)).contains("at most"));
    }
}
