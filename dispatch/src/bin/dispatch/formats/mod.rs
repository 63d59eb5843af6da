//! Instance files that `dispatch solve` reads, each recognised by its content.

mod lines;
mod solomon;
mod technician;
mod trsp;

use anyhow::{Result, bail};
use dispatch::routing::engine::Plan;
use dispatch::routing::model::Model;

/// An instance file: the model, and how the file names what is in it.
pub struct Instance {
    /// What the engine solves.
    pub model: Model,
    /// The file's number of each job.
    pub numbers: Vec<u32>,
    /// Units of cost in one unit of the file.
    pub scale: f64,
    /// Whether it matters which vehicle has which route.
    pub differing: bool,
}

impl Instance {
    /// Travel cost of a plan in the file's unit.
    pub fn distance(&self, plan: &Plan) -> f64 {
        plan.travel as f64 / self.scale
    }

    /// Working time of a plan in the file's unit, if that is what is minimised.
    pub fn duration(&self, plan: &Plan) -> Option<f64> {
        let timed = self.model.vehicles.iter().any(|vehicle| vehicle.duration_rate > 0);
        timed.then(|| plan.cost as f64 / self.scale)
    }
}

/// Reads an instance. `name` is the file's, for errors.
pub fn read(name: &str, text: &str) -> Result<Instance> {
    if solomon::recognise(text) {
        solomon::read(name, text)
    } else if technician::recognise(text) {
        technician::read(name, text)
    } else if trsp::recognise(text) {
        trsp::read(name, text)
    } else {
        bail!("{name}: is no Solomon, Gehring-Homberger, technician or trsp instance; give one of these")
    }
}
