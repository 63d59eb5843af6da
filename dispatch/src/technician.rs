//! Who can do it.

use serde::{Deserialize, Serialize};

use crate::error::{InputError, Problem, check_number};
use crate::id::{LocationId, TechnicianId};
use crate::order::{PartNeed, check_names, check_needs};
use crate::place::Place;
use crate::time::TimeWindow;

/// Best rating; customers give 1 to 5 stars, 0 means nothing good is known.
pub(crate) const MAX_RATING: f64 = 5.0;

/// Most visits a day: one each ten minutes for 24 hours. More is a slip.
const MAX_CAPACITY: u32 = 144;

/// A technician, as of the moment of ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Technician {
    /// Which technician.
    pub id: TechnicianId,
    /// Name for people.
    pub name: String,
    /// Where the day begins.
    pub place: Place,
    /// What he or she may work on; at least one.
    pub skills: Vec<String>,
    /// Service areas covered; at least one.
    pub areas: Vec<String>,
    /// Coming working times, sorted and not overlapping; each begins at `place`. A
    /// technician without any is on leave. See [`DailyShift`](crate::DailyShift).
    #[serde(default)]
    pub shifts: Vec<TimeWindow>,
    /// Visits that fit into one shift; 0 takes none.
    pub capacity_per_day: u32,
    /// Open visits: assigned and not yet done.
    #[serde(default)]
    pub assigned: u32,
    /// Mean rating by customers, 0 to 5.
    pub rating: f64,
    /// The van as a stock location.
    pub van: LocationId,
    /// What lies in the van and is not reserved. May stay empty where it is not known;
    /// then nobody is preferred for it.
    #[serde(default)]
    pub van_stock: Vec<PartNeed>,
}

impl Technician {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn validate(&self) -> Result<(), InputError> {
        self.id.check("id")?;
        self.place.check().map_err(|e| e.within("place"))?;
        check_names(&self.skills, "skills")?;
        check_names(&self.areas, "areas")?;
        self.check_shifts()?;
        check_number(f64::from(self.capacity_per_day), 0.0, f64::from(MAX_CAPACITY), "capacity_per_day")?;
        check_number(self.rating, 0.0, MAX_RATING, "rating")?;
        self.van.check("van")?;
        check_needs(&self.van_stock, "van_stock")
    }

    fn check_shifts(&self) -> Result<(), InputError> {
        for (i, shift) in self.shifts.iter().enumerate() {
            if shift.length_ms() <= 0 {
                return Err(shift.reversed(&format!("shifts[{i}]")));
            }
            if i > 0 && shift.start < self.shifts[i - 1].end {
                return Err(InputError::new(&format!("shifts[{i}]"), Problem::Overlap));
            }
        }
        Ok(())
    }
}
