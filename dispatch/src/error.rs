//! What can be wrong with the input, and where.

use thiserror::Error;

/// Input that was refused: the field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{field}: {problem}")]
pub struct InputError {
    /// Path of the field, such as `technicians[3].place.lat`.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Problem {
    /// A text or list that must hold something.
    #[error("is empty; give at least one")]
    Empty,
    /// NaN or infinite.
    #[error("is {0}; give a finite number")]
    NotFinite(f64),
    /// Half a piece.
    #[error("is {0}; give whole pieces")]
    NotWhole(f64),
    /// Outside its range.
    #[error("is {value}; give {min} to {max}")]
    OutOfRange {
        /// The value given.
        value: f64,
        /// Least value allowed.
        min: f64,
        /// Greatest value allowed.
        max: f64,
    },
    /// Given twice.
    #[error("{0:?} is given twice; give each once")]
    Duplicate(String),
    /// Refers to something that is not there.
    #[error("{value:?} is no known {kind}")]
    Unknown {
        /// What was looked for.
        value: String,
        /// What kind of thing it should be.
        kind: &'static str,
    },
    /// A window that ends before it begins, or has no length where it needs one.
    #[error("ends ({end_ms}) too early for its start ({start_ms})")]
    Reversed {
        /// Start, in epoch milliseconds.
        start_ms: i64,
        /// End, in epoch milliseconds.
        end_ms: i64,
    },
    /// Not sorted, or overlapping with the one before.
    #[error("begins before the one before it ends; sort them and let none overlap")]
    Overlap,
    /// A window of a planning problem that ends before it begins.
    #[error("is {end}, before the start ({start}); give {start} or later")]
    ReversedWindow {
        /// Start, in seconds.
        start: i64,
        /// End, in seconds.
        end: i64,
    },
    /// A shift that ends when it begins, or before.
    #[error("is {end}, which leaves no time after the start ({start}); give a later end, or no shift for leave")]
    EmptyShift {
        /// Start, in seconds.
        start: i64,
        /// End, in seconds.
        end: i64,
    },
    /// A break that does not lie within its shift.
    #[error("lets the break reach beyond its shift; keep it inside")]
    OutsideShift,
    /// A visit already begun outside the working time of its technician.
    #[error("lies in no shift of {0:?}; give the shift it began in")]
    OutsideShifts(String),
    /// A visit that has begun where there is no road home.
    #[error("has no road from this visit to where the shift ends; give a matrix with one")]
    NoWayHome,
    /// An order that no technician has.
    #[error("{0:?} is on no route; put it on one first")]
    NotOnARoute(String),
    /// A technician who cannot take an order as things are.
    #[error("{0:?} cannot take it as things are; ask for the candidates again")]
    CannotTake(String),
    /// More than can be planned at once.
    #[error("has {given} entries; give at most {most}, or plan region by region")]
    TooMany {
        /// Entries given.
        given: usize,
        /// Most entries allowed.
        most: usize,
    },
    /// H3 cells of different resolutions where one is needed.
    #[error("has another resolution than the first cell; give one resolution")]
    Resolution,
    /// Text that is no JSON, or JSON of another shape.
    #[error("{0}")]
    Json(String),
    /// A control character in an id.
    #[error("{0:?} has a control character; use printable text")]
    ControlCharacter(String),
    /// A location that is, over its parents, its own ancestor.
    #[error("is a cycle: {}; it must end somewhere", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A location whose parent stands no higher than itself.
    #[error("a {child} cannot be supplied from {parent:?}, which is a {parent_kind}; give a larger store")]
    Level {
        /// Kind of the location.
        child: &'static str,
        /// Its parent.
        parent: String,
        /// Kind of its parent.
        parent_kind: &'static str,
    },
}

impl InputError {
    pub(crate) fn new(field: &str, problem: Problem) -> Self {
        Self { field: field.to_owned(), problem }
    }

    pub(crate) fn empty(field: &str) -> Self {
        Self::new(field, Problem::Empty)
    }

    pub(crate) fn out_of_range(field: &str, value: f64, min: f64, max: f64) -> Self {
        Self::new(field, Problem::OutOfRange { value, min, max })
    }

    pub(crate) fn duplicate(field: &str, value: &str) -> Self {
        Self::new(field, Problem::Duplicate(value.to_owned()))
    }

    pub(crate) fn unknown(field: &str, value: &str, kind: &'static str) -> Self {
        Self::new(field, Problem::Unknown { value: value.to_owned(), kind })
    }

    pub(crate) fn control_character(field: &str, value: &str) -> Self {
        Self::new(field, Problem::ControlCharacter(value.to_owned()))
    }

    /// The same error, seen from the record that holds the field.
    pub(crate) fn within(self, record: &str) -> Self {
        Self { field: format!("{record}.{}", self.field), ..self }
    }

    /// The same error, seen from the list that holds the record.
    pub(crate) fn at(self, list: &str, index: usize) -> Self {
        self.within(&format!("{list}[{index}]"))
    }
}

/// A finite number in `min..=max`.
pub(crate) fn check_number(value: f64, min: f64, max: f64, field: &str) -> Result<(), InputError> {
    if !value.is_finite() {
        return Err(InputError::new(field, Problem::NotFinite(value)));
    }
    if value < min || value > max {
        return Err(InputError::out_of_range(field, value, min, max));
    }
    Ok(())
}
