//! How much of each part to keep, and where.
//!
//! ```
//! use dispatch::Cents;
//! use dispatch::parts::forecast::pooled::PooledModel;
//! use dispatch::parts::stock::marginal::{Goal, Line, PartDemand, levels};
//!
//! let past = [[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 1.0, 0.0], [3.0, 1.0, 2.0, 2.0]];
//! let prices = [Cents(1_250), Cents(48_000), Cents(900)];
//! let model = PooledModel::learn(&past, 0.95)?;
//! let part = |(price, past): (Cents, &[f64; 4])| PartDemand { price, month: model.outlook(past) };
//! let parts: Vec<_> = prices.into_iter().zip(&past).map(part).collect();
//!
//! let plan = levels(&parts, 1, Line::Month, Goal::Fill(0.95))?;
//! assert!(plan.fill >= 0.95 && plan.levels[0] > plan.levels[1]);
//! println!("{}", plan.why());
//! # Ok::<(), dispatch::InputError>(())
//! ```

pub mod balance;
pub mod echelon;
pub mod end_of_life;
pub mod marginal;
