//! Tokens into a tree. Precedence, from loosest: `for`, `or`, `and`, `not`, comparison, `+ -`, `* /`, sign.

use super::ExpressionError;
use super::lexer::{Placed, Token, tokens};

/// A piece of an expression and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub kind: NodeKind,
    pub offset: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    Number(f64),
    /// In seconds.
    Duration(f64),
    Text(String),
    Truth(bool),
    Name(String),
    Negate(Box<Node>),
    Not(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    /// `condition for duration`, in seconds.
    Held(Box<Node>, f64),
    Call(String, Vec<Argument>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    /// Written `since condition`.
    pub since: bool,
    pub node: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// How deep brackets and signs may nest: bounds the stack, and no rule needs more.
const MAX_DEPTH: usize = 32;

pub(crate) fn parse(text: &str) -> Result<Node, ExpressionError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let node = parser.condition()?;
    match parser.peek() {
        Token::End => Ok(node),
        token => Err(parser.error(format!("{} was not expected here", named(token)))),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn condition(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("is nested more than {MAX_DEPTH} deep")));
        }
        let node = self.binary(0)?;
        self.depth -= 1;
        if !self.take_word("for") {
            return Ok(node);
        }
        match self.next() {
            Token::Duration(seconds) => {
                let offset = node.offset;
                Ok(Node { kind: NodeKind::Held(Box::new(node), seconds), offset })
            }
            _ => Err(self.error_before("after `for` comes a duration, for example `for 10 min`")),
        }
    }

    /// One level of [`LEVELS`] and all that bind closer.
    fn binary(&mut self, level: usize) -> Result<Node, ExpressionError> {
        let Some(&operators) = LEVELS.get(level) else { return self.unary() };
        if level == NOT_LEVEL && self.take_word("not") {
            return self.negation(level);
        }
        let mut left = self.binary(level + 1)?;
        let mut compared = false;
        while let Some(operator) = self.operator(operators) {
            if compared {
                return Err(self.error_before("comparisons cannot be chained: write `a < b and b < c`"));
            }
            compared = level == NOT_LEVEL;
            let right = self.binary(level + 1)?;
            let offset = left.offset;
            left = Node { kind: NodeKind::Binary(operator, Box::new(left), Box::new(right)), offset };
        }
        Ok(left)
    }

    fn negation(&mut self, level: usize) -> Result<Node, ExpressionError> {
        let offset = self.tokens[self.at - 1].offset;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("is nested more than {MAX_DEPTH} deep")));
        }
        let inner = self.binary(level)?;
        self.depth -= 1;
        Ok(Node { kind: NodeKind::Not(Box::new(inner)), offset })
    }

    fn unary(&mut self) -> Result<Node, ExpressionError> {
        let offset = self.tokens[self.at].offset;
        if self.take_symbol("-") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.error(format!("is nested more than {MAX_DEPTH} deep")));
            }
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Node { kind: NodeKind::Negate(Box::new(inner)), offset });
        }
        let kind = match self.next() {
            Token::Number(value) => NodeKind::Number(value),
            Token::Duration(seconds) => NodeKind::Duration(seconds),
            Token::Text(text) => NodeKind::Text(text),
            Token::Word(word) => return self.word(word, offset),
            Token::Symbol("(") => {
                let inner = self.condition()?;
                self.expect(")")?;
                inner.kind
            }
            Token::End => return Err(self.error("something is missing here: a datapoint, a number or a text")),
            token => {
                let reason = format!("{} was not expected here", named(&token));
                return Err(self.error_before(reason));
            }
        };
        Ok(Node { kind, offset })
    }

    fn word(&mut self, word: String, offset: usize) -> Result<Node, ExpressionError> {
        let kind = match word.as_str() {
            "true" => NodeKind::Truth(true),
            "false" => NodeKind::Truth(false),
            "and" | "or" | "not" | "for" | "since" => {
                return Err(self.error_before(format!("`{word}` was not expected here")));
            }
            _ if self.take_symbol("(") => NodeKind::Call(word, self.arguments()?),
            _ => NodeKind::Name(word),
        };
        Ok(Node { kind, offset })
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, ExpressionError> {
        let mut arguments = Vec::new();
        loop {
            let since = self.take_word("since");
            arguments.push(Argument { since, node: self.condition()? });
            if !self.take_symbol(",") {
                self.expect(")")?;
                return Ok(arguments);
            }
        }
    }

    fn operator(&mut self, allowed: &[(&str, Operator)]) -> Option<Operator> {
        let found = match self.peek() {
            Token::Symbol(symbol) => allowed.iter().find(|(text, _)| text == symbol),
            Token::Word(word) => allowed.iter().find(|(text, _)| text == word),
            _ => None,
        };
        let operator = found?.1;
        self.at += 1;
        Some(operator)
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(word) if word == wanted);
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(symbol) if *symbol == wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), ExpressionError> {
        if self.take_symbol(symbol) {
            return Ok(());
        }
        Err(self.error(format!("`{symbol}` is missing here, found {}", named(self.peek()))))
    }

    fn error(&self, reason: impl Into<String>) -> ExpressionError {
        ExpressionError::new(self.tokens[self.at].offset, reason)
    }

    fn error_before(&self, reason: impl Into<String>) -> ExpressionError {
        ExpressionError::new(self.tokens[self.at.saturating_sub(1)].offset, reason)
    }
}

const NOT_LEVEL: usize = 2;

const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("or", Operator::Or)],
    &[("and", Operator::And)],
    &[
        ("<", Operator::Less),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterOrEqual),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide)],
];

fn named(token: &Token) -> String {
    match token {
        Token::Number(value) => value.to_string(),
        Token::Duration(seconds) => format!("{seconds} s"),
        Token::Text(text) => format!("{text:?}"),
        Token::Word(word) => format!("`{word}`"),
        Token::Symbol(symbol) => format!("`{symbol}`"),
        Token::End => "the end".to_owned(),
    }
}
