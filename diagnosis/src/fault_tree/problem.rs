//! What can be wrong with a fault tree, and where.

use std::fmt;

use thiserror::Error;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {field}: {reason}")]
pub struct Problem {
    /// What sort of thing.
    pub kind: ProblemKind,
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1; 0 if it is about the whole file.
    pub line: usize,
    /// What is at fault: an element, a gate, an event.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// Sorts of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The text is not of its format.
    Syntax,
    /// The text is not UTF-8.
    Encoding,
    /// Beyond a limit on size.
    TooBig,
    /// Beyond a limit on nesting.
    TooDeep,
    /// The format has it, this program does not.
    NotOffered,
    /// A name that nothing has.
    Undefined,
    /// A name or an input that is there twice.
    Duplicate,
    /// It does not lead to the top event.
    Unused,
    /// A gate that depends on itself.
    Cycle,
    /// A number out of its range.
    Number,
    /// A probability outside 0 to 1.
    Probability,
    /// A gate without inputs, or with too few or too many.
    Inputs,
    /// k of n with k out of 1 to n.
    AtLeast,
    /// A dynamic gate over something other than basic events.
    Dynamic,
    /// A common-cause group that cannot be.
    CommonCause,
    /// No top event, or more than one.
    Top,
    /// The top event can never happen.
    NeverHappens,
    /// The top event always happens.
    AlwaysHappens,
}

impl ProblemKind {
    /// As it is called in machine-readable output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Encoding => "encoding",
            Self::TooBig => "too_big",
            Self::TooDeep => "too_deep",
            Self::NotOffered => "not_offered",
            Self::Undefined => "undefined",
            Self::Duplicate => "duplicate",
            Self::Unused => "unused",
            Self::Cycle => "cycle",
            Self::Number => "number",
            Self::Probability => "probability",
            Self::Inputs => "inputs",
            Self::AtLeast => "at_least",
            Self::Dynamic => "dynamic",
            Self::CommonCause => "common_cause",
            Self::Top => "top",
            Self::NeverHappens => "never_happens",
            Self::AlwaysHappens => "always_happens",
        }
    }

    /// Whether the tree has no meaning as it stands; the rest is merely odd.
    pub fn is_fatal(self) -> bool {
        self != Self::Unused && !self.is_constant_top()
    }

    /// Whether the top event is the same whatever happens.
    pub(crate) fn is_constant_top(self) -> bool {
        matches!(self, Self::NeverHappens | Self::AlwaysHappens)
    }
}

/// Everything that is wrong, at most [`Problems::MOST`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Error)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// More than anybody reads; bounds what a hostile file can make us keep.
    pub const MOST: usize = 100;

    /// Keeps a problem, if there is room.
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.0.len() < Self::MOST {
            self.0.push(problem);
        }
    }

    /// Whether the tree has no meaning as it stands.
    pub fn is_fatal(&self) -> bool {
        self.0.iter().any(|problem| problem.kind.is_fatal())
    }

    /// The value, if nothing fatal was found.
    #[cfg(feature = "cli")]
    pub(crate) fn unless_fatal<T>(self, value: T) -> Result<T, Self> {
        if self.is_fatal() { Err(self) } else { Ok(value) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let end = if index > 0 { "\n" } else { "" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}
