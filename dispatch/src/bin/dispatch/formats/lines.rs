//! Lines of numbers, with errors that name file, line and what would be right.

use std::str::FromStr;

use anyhow::{Result, anyhow};

/// One line of a file.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    file: &'a str,
    number: usize,
    /// The line itself.
    pub text: &'a str,
}

/// The lines that are not blank.
pub fn lines<'a>(file: &'a str, text: &'a str) -> impl Iterator<Item = Line<'a>> {
    let all = text.lines().enumerate().map(move |(index, text)| Line { file, number: index + 1, text });
    all.filter(|line| !line.text.trim().is_empty())
}

impl<'a> Line<'a> {
    /// The error that this line is wrong.
    pub fn wrong(&self, expected: &str) -> anyhow::Error {
        let found: String = self.text.trim().chars().take(60).collect();
        anyhow!("{}: line {}: expected {expected}, found {found:?}", self.file, self.number)
    }

    /// Its words.
    pub fn words(&self) -> Vec<&'a str> {
        self.text.split_whitespace().collect()
    }

    /// Exactly `N` numbers.
    pub fn numbers<T: FromStr, const N: usize>(&self, expected: &str) -> Result<[T; N]> {
        let numbers: Option<Vec<T>> = self.words().into_iter().map(|word| word.parse().ok()).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| self.wrong(expected))
    }
}

/// The error that a file ends too early.
pub fn ends(file: &str, expected: &str) -> anyhow::Error {
    anyhow!("{file}: ends too early: expected {expected}")
}
