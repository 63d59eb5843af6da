//! Statements: words up to a semicolon.

use std::iter::Peekable;
use std::str::CharIndices;

use super::{Place, ProblemKind, Report};

/// A statement and where it begins.
#[derive(Debug, PartialEq)]
pub(super) struct Statement<'t> {
    pub words: Vec<Word<'t>>,
    pub place: Place,
}

/// A name, a keyword, or `key=value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'t> {
    Plain(&'t str),
    Setting(&'t str, &'t str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Equals,
    End,
}

/// Cuts a text into statements; comments are `//` to the end of a line and `/* */`.
pub(super) fn statements<'t>(file: usize, text: &'t str, report: &mut Report) -> Vec<Statement<'t>> {
    let mut lexer = Lexer { text, chars: text.char_indices().peekable(), line: 1 };
    let mut statements = Vec::new();
    let mut tokens: Vec<Token<'t>> = Vec::new();
    let mut place = Place { file, line: 1 };
    loop {
        match lexer.next() {
            Ok(Some(Token::End)) => {
                match words(&tokens) {
                    Some(words) if !words.is_empty() => statements.push(Statement { words, place }),
                    Some(_) => {}
                    None => {
                        report.problem(place, ProblemKind::Syntax, "=", "has no name before it or no value after it")
                    }
                }
                tokens.clear();
            }
            Ok(Some(token)) => {
                if tokens.is_empty() {
                    place.line = lexer.line;
                }
                tokens.push(token);
            }
            Ok(None) => break,
            Err(reason) => {
                report.problem(Place { file, line: lexer.line }, ProblemKind::Syntax, "syntax", reason);
                return statements;
            }
        }
    }
    if !tokens.is_empty() {
        report.problem(place, ProblemKind::Syntax, "syntax", "a statement does not end: add ';'");
    }
    statements
}

/// Joins `key = value`.
fn words<'t>(tokens: &[Token<'t>]) -> Option<Vec<Word<'t>>> {
    let mut words = Vec::new();
    for token in tokens {
        match (*token, words.last_mut()) {
            (Token::Equals, Some(last)) => {
                let Word::Plain(key) = *last else { return None };
                *last = Word::Setting(key, "");
            }
            (Token::Word(value), Some(Word::Setting(_, unset))) if unset.is_empty() => *unset = value,
            (Token::Word(word), _) => words.push(Word::Plain(word)),
            (Token::Equals | Token::End, _) => return None,
        }
    }
    let unset = words.iter().any(|word| matches!(word, Word::Setting(_, "")));
    (!unset).then_some(words)
}

struct Lexer<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    line: usize,
}

impl<'t> Lexer<'t> {
    fn next(&mut self) -> Result<Option<Token<'t>>, &'static str> {
        loop {
            let Some((at, c)) = self.step() else { return Ok(None) };
            let ahead = self.chars.peek().map(|(_, c)| *c);
            match (c, ahead) {
                (c, _) if c.is_whitespace() => {}
                ('/', Some('/')) => while self.step().is_some_and(|(_, c)| c != '\n') {},
                ('/', Some('*')) => self.comment()?,
                (';', _) => return Ok(Some(Token::End)),
                ('=', _) => return Ok(Some(Token::Equals)),
                ('"', _) => return self.quoted(at + 1).map(Some),
                _ => return Ok(Some(self.word(at))),
            }
        }
    }

    fn step(&mut self) -> Option<(usize, char)> {
        let next = self.chars.next();
        self.line += usize::from(next.is_some_and(|(_, c)| c == '\n'));
        next
    }

    fn comment(&mut self) -> Result<(), &'static str> {
        self.step();
        let mut last = ' ';
        while let Some((_, c)) = self.step() {
            if last == '*' && c == '/' {
                return Ok(());
            }
            last = c;
        }
        Err("a comment does not end: add */")
    }

    fn quoted(&mut self, from: usize) -> Result<Token<'t>, &'static str> {
        while let Some((at, c)) = self.step() {
            match c {
                '"' => return Ok(Token::Word(&self.text[from..at])),
                '\n' => break,
                _ => {}
            }
        }
        Err("a name does not end: add a quotation mark")
    }

    fn word(&mut self, from: usize) -> Token<'t> {
        let ends = |c: char| c.is_whitespace() || matches!(c, ';' | '=' | '"');
        while self.chars.peek().is_some_and(|(_, c)| !ends(*c)) {
            self.step();
        }
        let to = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        Token::Word(&self.text[from..to])
    }
}
