//! Names of things. Any text makes an id; each entry point checks the ids it is given,
//! so that the error can say which field of which record is wrong.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::InputError;

/// Longest id, in bytes. Long enough for any key in use, short enough to print.
const MAX_ID_LEN: usize = 128;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            #[allow(dead_code, reason = "not every id stands in a checked record")]
            pub(crate) fn check(&self, field: &str) -> Result<(), InputError> {
                check_text(&self.0, field)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A work order.
    OrderId
);
text_id!(
    /// A technician.
    TechnicianId
);
text_id!(
    /// A place where stock is kept: central or regional store, station, van.
    LocationId
);
text_id!(
    /// A spare part, as the catalogue names it.
    PartId
);
text_id!(
    /// A fault (root cause), as the diagnosis names it.
    FaultId
);

/// An id, skill or area: 1 to 128 bytes without control characters.
pub(crate) fn check_text(text: &str, field: &str) -> Result<(), InputError> {
    if text.trim().is_empty() {
        return Err(InputError::empty(field));
    }
    if text.len() > MAX_ID_LEN {
        return Err(InputError::out_of_range(&format!("{field} (length)"), text.len() as f64, 1.0, MAX_ID_LEN as f64));
    }
    if text.chars().any(char::is_control) {
        return Err(InputError::control_character(field, text));
    }
    Ok(())
}
