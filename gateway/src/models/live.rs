//! The models in force, and what they say of a device.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use diagnosis::detection::fleet::{Alarm, MAX_CHANNELS, MAX_INPUTS, Monitor, Row, Step, Verdict};
use diagnosis::{ApplianceType, Catalogue, ModelSymptom, Observation};
use firmware_proto::DeviceTime;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Learnt, ModelError, Shelf, Shelved, Stage, data};
use crate::shard::room::Room;

/// How soon a running gateway notices a promotion.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// While an alarm stands, a device is spoken of again when it has become so many times rarer.
const WORSE: f32 = 3.0;

/// What one model remembers of one device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watch {
    monitor: Monitor,
    /// P-value that was last told; 1 if nothing was.
    told: f32,
}

/// What models remember of one device, by version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watches(BTreeMap<String, Watch>);

/// The models in force, exchanged as a whole.
#[derive(Debug)]
pub struct Models {
    shelf: Shelf,
    voices: RwLock<Arc<Voices>>,
    problem: Mutex<Option<String>>,
}

/// What speaks and what is watched, by appliance type. Never changes.
#[derive(Debug, Default)]
pub struct Voices {
    of: Vec<Shelved>,
    by_type: HashMap<String, Vec<Voice>>,
}

#[derive(Debug)]
struct Voice {
    name: String,
    version: String,
    speaks: bool,
    learnt: Learnt,
}

impl Models {
    /// The models of a shelf; none speaks before [`Models::refresh`].
    pub fn new(shelf: Shelf) -> Self {
        Self { shelf, voices: RwLock::default(), problem: Mutex::default() }
    }

    /// What is in force now.
    pub fn voices(&self) -> Arc<Voices> {
        self.voices.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The models of the shelf.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Why a model that should speak does not; how many do otherwise.
    ///
    /// # Errors
    /// What is wrong.
    pub fn health(&self) -> Result<String, String> {
        match &*self.problem.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(problem) => Err(problem.clone()),
            None => Ok(self.voices().summary()),
        }
    }

    /// Brings what the shelf says into force. A model that cannot be used is left out and told of; the others speak.
    ///
    /// # Errors
    /// The shelf cannot be read; what was in force stays so.
    pub async fn refresh(&self, catalogue: &Catalogue) -> Result<(), ModelError> {
        let mut wanted = self.shelf.list().await?;
        wanted.retain(|shelved| shelved.stage != Stage::Kept);
        if wanted == self.voices().of {
            return Ok(());
        }
        let (mut by_type, mut problems) = (HashMap::<String, Vec<Voice>>::new(), Vec::new());
        for shelved in &wanted {
            match self.load(shelved, catalogue) {
                Ok(voice) => by_type.entry(shelved.of.r#type.clone()).or_default().push(voice),
                Err(reason) => problems.push(format!("{} of {}: {reason}", shelved.version, shelved.of)),
            }
        }
        let voices = Arc::new(Voices { of: wanted, by_type });
        tracing::info!(models = voices.summary(), "models in force");
        *self.voices.write().unwrap_or_else(PoisonError::into_inner) = voices;
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        if let Some(problem) = &problem {
            tracing::error!(problem, "a model cannot be used");
        }
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        Ok(())
    }

    fn load(&self, shelved: &Shelved, catalogue: &Catalogue) -> Result<Voice, String> {
        let ty = catalogue.get(&shelved.of.r#type).ok_or("the catalogue has no such type")?;
        let symptom = symptom(ty, &shelved.of.name).ok_or("the catalogue has no such model")?;
        let file = self.shelf.read(&shelved.version).map_err(|error| error.to_string())?;
        if *file.learnt.schema() != data::schema(symptom) {
            return Err("the catalogue's channels, inputs or modes are others now: train it anew".to_owned());
        }
        Ok(Voice {
            name: shelved.of.name.clone(),
            version: shelved.version.clone(),
            speaks: shelved.stage == Stage::Speaking,
            learnt: file.learnt,
        })
    }

    /// Follows the shelf until `stop`.
    ///
    /// # Errors
    /// The shelf cannot be read.
    pub async fn follow(&self, catalogue: &Catalogue, stop: CancellationToken) -> Result<(), ModelError> {
        let mut tick = tokio::time::interval(LOOK_AGAIN);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            self.refresh(catalogue).await?;
        }
        Ok(())
    }
}

impl Voices {
    fn summary(&self) -> String {
        let count = |speaks| self.by_type.values().flatten().filter(|voice| voice.speaks == speaks).count();
        format!("{} speaking, {} in shadow", count(true), count(false))
    }

    /// Takes the newest sample of a device, which `observe` has taken before, and returns what changed.
    pub fn hear(&self, room: &mut Room, time: DeviceTime) -> Vec<Observation> {
        let Some(voices) = self.by_type.get(&room.ty.key) else { return Vec::new() };
        let ty = room.ty.clone();
        if room.memory.watches.0.len() > voices.len() {
            room.memory.watches.keep_known(self);
        }
        voices.iter().filter_map(|voice| voice.hear(&ty, room, time)).collect()
    }

    /// Whether a version speaks or is watched.
    fn knows(&self, version: &str) -> bool {
        self.of.iter().any(|shelved| shelved.version == version)
    }
}

impl Voice {
    fn hear(&self, ty: &ApplianceType, room: &mut Room, time: DeviceTime) -> Option<Observation> {
        let symptom = symptom(ty, &self.name)?;
        let mut values = [0.0; MAX_CHANNELS + MAX_INPUTS];
        let values = values.get_mut(..symptom.width())?;
        let mode = symptom.read(ty, &room.memory.diagnosis, values)?;
        let mut numbers = [0.0_f32; MAX_CHANNELS + MAX_INPUTS];
        numbers.iter_mut().zip(&*values).for_each(|(number, value)| *number = *value as f32);
        let (channels, inputs) = numbers[..values.len()].split_at(self.learnt.schema().channels.len());
        let mode = u8::try_from(mode).ok()?;
        let row = Row { time_ms: time.ms(), mode, inputs, channels };

        let baseline = self.learnt.baseline(&room.model, &room.twin.firmware);
        let watches = &mut room.memory.watches.0;
        if !watches.contains_key(&self.version) {
            watches.insert(self.version.clone(), Watch { monitor: Monitor::new(baseline), told: 1.0 });
        }
        let watch = watches.get_mut(&self.version)?;
        let verdict = match watch.monitor.step(baseline, &row) {
            Ok(Step::Judged(verdict)) => verdict,
            Ok(Step::Skipped(_)) => return None,
            // Another firmware, and with it another baseline.
            Err(_) => {
                *watch = Watch { monitor: Monitor::new(baseline), told: 1.0 };
                return None;
            }
        };
        if verdict.alarm == Alarm::Raised {
            let stage = if self.speaks { "speaking" } else { "shadow" };
            metrics::counter!("model_alarms_total", "type" => ty.key.clone(), "model" => self.name.clone(), "stage" => stage).increment(1);
        }
        if !self.speaks || !watch.is_news(&verdict) {
            return None;
        }
        let mut evidence = watch.monitor.evidence(baseline, mode, &verdict, &self.name, self.learnt.labels());
        evidence.model_version.clone_from(&self.version);
        let taken = room.memory.diagnosis.take_evidence(ty, evidence);
        taken.unwrap_or_else(|error| {
            tracing::error!(%error, version = self.version, "a model's statement was refused");
            None
        })
    }
}

impl Watch {
    /// Whether it should be told: an alarm was raised, or has become much clearer.
    fn is_news(&mut self, verdict: &Verdict) -> bool {
        let news = match verdict.alarm {
            Alarm::Raised => true,
            Alarm::Standing => verdict.p_unit * WORSE < self.told,
            Alarm::None | Alarm::Cleared => false,
        };
        match verdict.alarm {
            Alarm::None | Alarm::Cleared => self.told = 1.0,
            _ if news => self.told = verdict.p_unit,
            _ => {}
        }
        news
    }
}

impl Watches {
    /// The device was repaired: what it was like before says nothing of it now.
    pub fn begin_anew(&mut self) {
        self.0.clear();
    }

    /// Forgets versions that are not in force, and what does not read back as it was written.
    pub fn keep_known(&mut self, voices: &Voices) {
        self.0.retain(|version, watch| voices.knows(version) && watch.monitor.is_valid());
    }

    /// Which versions watch the device.
    pub fn versions(&self) -> HashSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

fn symptom<'a>(ty: &'a ApplianceType, name: &str) -> Option<&'a ModelSymptom> {
    ty.model_symptoms().find(|(key, _)| *key == name).map(|(_, symptom)| symptom)
}
