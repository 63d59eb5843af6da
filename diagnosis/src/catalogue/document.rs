//! One TOML file, read entry by entry, so that one bad entry does not hide the next.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::expression::ExpressionError;
use crate::expression::compile::did_you_mean;
use crate::fault_tree::{Problem, ProblemKind};

/// A file and the errors found in it.
pub(crate) struct Document<'t> {
    file: String,
    /// Byte offset at which each line begins.
    lines: Vec<usize>,
    root: DeTable<'t>,
    errors: Vec<Problem>,
    /// It is no TOML: whatever else is found follows from that.
    pub broken: bool,
}

/// Field name of errors in the TOML itself.
const SYNTAX: &str = "syntax";

/// One `[section.key]` of a file.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    /// The key.
    pub key: String,
    /// `section.key`.
    pub field: String,
    /// Byte offset of the key.
    pub offset: usize,
    pub value: T,
}

impl<T> Entry<T> {
    /// Path of a field of this entry.
    pub fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.field)
    }
}

impl<'t> Document<'t> {
    pub fn parse(file: String, text: &'t str) -> Self {
        let (root, syntax) = DeTable::parse_recoverable(text);
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        let mut document = Self { file, lines, root: root.into_inner(), errors: Vec::new(), broken: false };
        for error in syntax {
            document.report(error.span().map_or(0, |span| span.start), SYNTAX, error.message());
            document.broken = true;
        }
        document
    }

    /// What messages call the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The errors found so far.
    pub fn problems(&self) -> &[Problem] {
        &self.errors
    }

    /// Whether a table has been reported, or a field in it.
    pub fn has_problem_in(&self, field: &str) -> bool {
        self.errors
            .iter()
            .any(|error| error.field.strip_prefix(field).is_some_and(|f| f.is_empty() || f.starts_with('.')))
    }

    pub fn add(&mut self, problem: Problem) {
        self.errors.push(problem);
    }

    /// The errors found in this file, in its order; of its syntax alone, if that is what is asked for.
    pub fn finish(mut self, syntax_only: bool) -> Vec<Problem> {
        self.errors.retain(|error| !syntax_only || error.field == SYNTAX);
        self.errors.sort_by_key(|error| error.line);
        self.errors
    }

    /// Reports what is not as the file's format has it.
    pub fn report(&mut self, offset: usize, field: impl Into<String>, reason: impl Into<String>) {
        self.report_as(ProblemKind::Syntax, offset, field, reason);
    }

    pub fn report_as(&mut self, kind: ProblemKind, offset: usize, field: impl Into<String>, reason: impl Into<String>) {
        let (field, reason) = (field.into(), reason.into());
        self.errors.push(Problem { kind, file: self.file.clone(), line: self.line(offset), field, reason });
    }

    /// Reports an error inside an expression, with its column in the text.
    pub fn report_expression(&mut self, written: &Spanned<String>, field: impl Into<String>, error: &ExpressionError) {
        let text = written.get_ref();
        let here = text.get(error.offset..).unwrap_or_default();
        let place = if here.is_empty() { "at its end".to_owned() } else { format!("at `{}`", shortened(here)) };
        let reason = format!("in {text:?} {place}, column {}: {}", error.offset + 1, error.reason);
        self.report(written.span().start, field, reason);
    }

    /// 1-based line of a byte offset.
    pub fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= offset)
    }

    /// Reads the keys that stand outside `sections`.
    pub fn head<T: DeserializeOwned>(&mut self, sections: &[&str]) -> Option<T> {
        let all = std::mem::take(&mut self.root);
        let (kept, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(key, _)| sections.contains(&key.get_ref().as_ref()));
        self.root = kept.into_iter().collect();
        let whole = Spanned::new(0..0, DeValue::Table(rest.into_iter().collect()));
        self.read(whole, "", 0)
    }

    /// Reads each `[section.key]`, in the file's order.
    pub fn section<T: DeserializeOwned>(&mut self, section: &str) -> Vec<Entry<T>> {
        let Some((name, value)) = self.root.remove_entry(section) else { return Vec::new() };
        let DeValue::Table(table) = value.into_inner() else {
            self.report(name.span().start, section, format!("must be a table of tables: [{section}.name]"));
            return Vec::new();
        };
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let read = entries.into_iter().filter_map(|(key, value)| {
            let (offset, key) = (key.span().start, key.into_inner().into_owned());
            let field = format!("{section}.{key}");
            self.check_key(&key, &field, offset);
            let value = self.read(value, &field, offset)?;
            Some(Entry { key, field, offset, value })
        });
        read.collect()
    }

    fn check_key(&mut self, key: &str, field: &str, offset: usize) {
        let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || key.is_empty() {
            self.report(offset, field, "a name consists of letters, digits and '_'");
        }
    }

    fn read<T: DeserializeOwned>(&mut self, value: Spanned<DeValue<'t>>, field: &str, offset: usize) -> Option<T> {
        let read = serde_path_to_error::deserialize(ValueDeserializer::from(value));
        let error = match read {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let inside = error.path().to_string();
        let path = match (field, inside.as_str()) {
            ("", "." | "") => "file".to_owned(),
            ("", inside) => inside.to_owned(),
            (field, ".") => field.to_owned(),
            (field, inside) => format!("{field}.{inside}"),
        };
        let at = error.inner().span().filter(|span: &Range<usize>| *span != (0..0)).map_or(offset, |span| span.start);
        let reason = error.inner().message().to_owned();
        self.report(at, path, reason);
        None
    }

    /// Looks a reference up and reports it if there is no such thing.
    pub fn look_up<'n>(
        &mut self,
        name: &Spanned<String>,
        field: impl Into<String>,
        what: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> Option<usize> {
        let found = known.clone().position(|k| k == name.get_ref());
        if found.is_none() {
            let hint = did_you_mean(name.get_ref(), known);
            let reason = format!("{:?} is no {what}{hint}", name.get_ref());
            self.report_as(ProblemKind::Undefined, name.span().start, field, reason);
        }
        found
    }

    /// Reports a number that is no probability.
    pub fn probability(&mut self, number: &Spanned<f64>, field: impl Into<String>) -> f64 {
        let value = *number.get_ref();
        if !(0.0..=1.0).contains(&value) {
            let reason = format!("is {value}, a probability lies between 0 and 1");
            self.report_as(ProblemKind::Probability, number.span().start, field, reason);
        }
        value
    }
}

/// Enough of an expression to find the place.
fn shortened(text: &str) -> &str {
    const SHOWN: usize = 20;
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| &text[..end])
}
