//! What to do about a part that will wear out, said once.

use serde::{Deserialize, Serialize};

use super::RemainingLife;

/// What is due for a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A preventive work order: one of ten such parts fails before a new one can be there.
    Order,
    /// Remind of the replacement: one of two such parts fails within the time of notice.
    Remind,
}

/// Which notices a part has had. At most one of each until it is replaced, however life is judged
/// in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reminder {
    ordered: bool,
    reminded: bool,
}

impl Reminder {
    /// What is newly due. `life`, `lead_time` (from order to replacement) and `notice` (how long
    /// before the end to remind) are in one unit.
    pub fn due(&mut self, life: &RemainingLife, lead_time: f64, notice: f64) -> Vec<Notice> {
        let mut due = Vec::new();
        if life.p10 < lead_time && !std::mem::replace(&mut self.ordered, true) {
            due.push(Notice::Order);
        }
        if life.p50 < notice && !std::mem::replace(&mut self.reminded, true) {
            due.push(Notice::Remind);
        }
        due
    }

    /// The part was replaced: all may be said again.
    pub fn replaced(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_notice_comes_once_until_the_part_is_replaced() {
        let life = |p10, p50| RemainingLife::new(p10, p50, p50 * 2.0, false);
        let mut reminder = Reminder::default();
        assert_eq!(reminder.due(&life(20.0, 40.0), 10.0, 14.0), []);
        assert_eq!(reminder.due(&life(9.0, 30.0), 10.0, 14.0), [Notice::Order]);
        assert_eq!(reminder.due(&life(12.0, 30.0), 10.0, 14.0), []);
        assert_eq!(reminder.due(&life(5.0, 13.0), 10.0, 14.0), [Notice::Remind]);
        assert_eq!(reminder.due(&life(0.0, 0.0), 10.0, 14.0), []);
        reminder.replaced();
        assert_eq!(reminder.due(&life(1.0, 2.0), 10.0, 14.0), [Notice::Order, Notice::Remind]);
    }
}
