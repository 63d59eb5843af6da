//! Text into tokens.

use super::{ExpressionError, unit_ms};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    /// A number with a unit of time, in seconds.
    Duration(f64),
    Text(String),
    Word(String),
    Symbol(&'static str),
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub token: Token,
    pub offset: usize,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 13] = ["<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", ","];

/// Longest expression, in bytes: a rule that a person can read is far shorter.
const MAX_LEN: usize = 1_000;

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, ExpressionError> {
    if text.len() > MAX_LEN {
        return Err(ExpressionError::new(MAX_LEN, format!("is longer than {MAX_LEN} bytes")));
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, len) = next(&text[at..], at)?;
        found.push(Placed { token, offset: at });
        at += len;
    }
    found.push(Placed { token: Token::End, offset: text.len() });
    Ok(found)
}

fn next(rest: &str, at: usize) -> Result<(Token, usize), ExpressionError> {
    let first = rest.chars().next().unwrap_or(' ');
    if first.is_ascii_digit() {
        return number(rest, at);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let len = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
        return Ok((Token::Word(rest[..len].to_owned()), len));
    }
    if first == '"' || first == '\'' {
        let inner = &rest[1..];
        let end = inner
            .find(first)
            .ok_or_else(|| ExpressionError::new(at, "this text has no end: close it with the same quote"))?;
        return Ok((Token::Text(inner[..end].to_owned()), end + 2));
    }
    if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
        return Ok((Token::Symbol(symbol), symbol.len()));
    }
    let hint = match first {
        '=' => "; write == to compare",
        '&' => "; write and",
        '|' => "; write or",
        '!' => "; write not or !=",
        '%' => "; write a share as a number from 0 to 1",
        _ => "",
    };
    Err(ExpressionError::new(at, format!("{first:?} has no meaning here{hint}")))
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), ExpressionError> {
    let len = run(rest, |c| c.is_ascii_digit() || c == '.' || c == '_');
    let value: f64 = rest[..len]
        .replace('_', "")
        .parse()
        .map_err(|_| ExpressionError::new(at, format!("{} is not a number", &rest[..len])))?;
    let spaces = run(&rest[len..], |c| c == ' ');
    let after = &rest[len + spaces..];
    let word = &after[..run(after, |c| c.is_ascii_alphanumeric() || c == '_')];
    match unit_ms(word) {
        Some(ms) => Ok((Token::Duration(value * ms / 1_000.0), len + spaces + word.len())),
        None if spaces == 0 && !word.is_empty() => {
            Err(ExpressionError::new(at + len, format!("{word:?} is no unit of time: use ms, s, min, h or d")))
        }
        None => Ok((Token::Number(value), len)),
    }
}

fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}
