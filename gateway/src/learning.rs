//! What closed cases teach the diagnosis.
//!
//! Cases are work orders with a confirmed cause, visits that found no fault, and faults that a
//! remote repair cured, proven by later telemetry. They are counted by [`Learned`]; what follows
//! becomes the [`Lessons`]: for every model and age the appliance type with learned numbers, by which
//! its devices are diagnosed. All cases are read from the store each time: nothing has to be kept in
//! step with it, and after a restart the same has been learned.

mod cases;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use diagnosis::learning::{BANDS, Learned, age_band};
use diagnosis::{ApplianceType, Catalogue};
use firmware_proto::ServerTime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// Cured faults and the time that passes teach as well, only less urgently.
const AT_LEAST_EVERY: Duration = Duration::from_secs(3_600);

/// Learning pauses for so many times as long as it took: at most this part of one processor is spent on it.
const PAUSE: u32 = 20;

const YEAR_MS: f64 = 365.25 * 86_400_000.0;

/// Learns from the store's cases.
#[derive(Debug)]
pub struct Learning {
    store: Store,
    lessons: RwLock<Arc<Lessons>>,
    ended: Notify,
}

/// What was learned at one time. Never changes.
#[derive(Debug, Default)]
pub struct Lessons {
    /// Counts up; 0 as long as nothing was learned.
    number: u64,
    cases: u64,
    /// By type and model, one for each age band.
    types: HashMap<String, HashMap<String, [Arc<ApplianceType>; BANDS]>>,
}

impl Learning {
    /// Nothing is learned before [`Learning::refresh`].
    pub fn new(store: Store) -> Self {
        Self { store, lessons: RwLock::default(), ended: Notify::new() }
    }

    /// What has been learned so far.
    pub fn lessons(&self) -> Arc<Lessons> {
        self.lessons.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A case was closed.
    pub fn case_ended(&self) {
        self.ended.notify_one();
    }

    /// Learns from all cases.
    ///
    /// # Errors
    /// The store cannot be read; what was learned before stays.
    pub async fn refresh(&self, catalogue: &Catalogue, now: ServerTime) -> Result<(), StoreError> {
        let (cases, learned) = cases::count(&self.store, now).await?;
        let before = self.lessons().number;
        let types: Vec<Arc<ApplianceType>> = catalogue.iter().cloned().collect();
        let teaching = move || Lessons { number: before + 1, cases, types: teach(&types, &learned) };
        let Ok(lessons) = tokio::task::spawn_blocking(teaching).await else {
            tracing::error!("learning from closed cases failed; what was learned before stays");
            return Ok(());
        };
        tracing::debug!(cases, models = lessons.models(), "learned from closed cases");
        metrics::gauge!("learning_cases").set(cases as f64);
        *self.lessons.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(lessons);
        Ok(())
    }

    /// Learns whenever a case was closed, until `stop`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn follow(&self, catalogue: &Catalogue, clock: Clock, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            let woken = tokio::time::timeout(AT_LEAST_EVERY, self.ended.notified());
            if stop.run_until_cancelled(woken).await.is_none() {
                return Ok(());
            }
            let began = Instant::now();
            self.refresh(catalogue, clock.now()).await?;
            if stop.run_until_cancelled(tokio::time::sleep(began.elapsed() * PAUSE)).await.is_none() {
                return Ok(());
            }
        }
    }
}

impl Lessons {
    /// The type as a device of this model and age is to be diagnosed; None as long as the catalogue stands.
    pub fn of(&self, r#type: &str, model: &str, age_years: f64) -> Option<&Arc<ApplianceType>> {
        Some(&self.types.get(r#type)?.get(model)?[age_band(age_years)])
    }

    /// Which lessons these are: newer ones have a larger number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// In a few words.
    pub fn summary(&self) -> String {
        format!("closed cases: {}; models taught: {}", self.cases, self.models())
    }

    fn models(&self) -> usize {
        self.types.values().map(HashMap::len).sum()
    }
}

/// Years from one time to a later one: a device's age counts from its registration, since nobody
/// tells when it was made.
pub fn years(from: ServerTime, to: ServerTime) -> f64 {
    to.since_ms(from).max(0) as f64 / YEAR_MS
}

/// A type without a single case stays as the catalogue has it: that nobody closes cases here does
/// not mean that nothing fails.
fn teach(
    types: &[Arc<ApplianceType>],
    learned: &HashMap<String, Learned>,
) -> HashMap<String, HashMap<String, [Arc<ApplianceType>; BANDS]>> {
    let of_type = |ty: &Arc<ApplianceType>| {
        let models = learned.get(&ty.key)?.teach(ty);
        Some((
            ty.key.clone(),
            models.into_iter().map(|(model, bands)| (model.to_owned(), bands.map(Arc::new))).collect(),
        ))
    };
    types.iter().filter_map(of_type).collect()
}

#[cfg(test)]
mod tests;
