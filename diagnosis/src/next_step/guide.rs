//! The steps of an appliance type, ranked for support staff and technicians.
//!
//! Single faults are weighed, and that there is none; where several are at work, curing one
//! shows the next. At a distance one can repair remotely, test, ask, send somebody, or wait;
//! on site one can look, and mend one cause after the other.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Candidate, Effect, Explanation, Forbidden, Outlook, Policy, PolicyError, Situation, Workspace};
use crate::advise::Tried;
use crate::appliance::{ApplianceType, Cause, Handling, Repair, RiskClass, Step, StepKind};
use crate::diagnose::{Diagnosis, percent};

/// What was done and found out so far, and what may be done.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Remote repairs of this case, oldest first.
    pub tried: &'a [Tried],
    /// Steps that were answered: their key, and whether the answer was yes.
    pub answers: &'a [(String, bool)],
    /// Keys of steps that somebody rules out.
    pub vetoed: &'a [String],
    /// Steps of a higher class are ruled out.
    pub most_risk: RiskClass,
    /// A safety lockout shows: nothing may be done from afar.
    pub lockout: bool,
    /// A technician is there.
    pub on_site: bool,
}

impl Default for Known<'_> {
    fn default() -> Self {
        Self { tried: &[], answers: &[], vetoed: &[], most_risk: RiskClass::R2, lockout: false, on_site: false }
    }
}

/// What sort of step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextKind {
    /// A remote repair of the catalogue.
    Repair,
    /// A test the appliance runs on command.
    SelfTest,
    /// The customer is asked.
    Question,
    /// A technician looks on site.
    Check,
    /// A technician mends one cause by its instruction, on site.
    Mend,
    /// A technician is sent; on site: once more.
    WorkOrder,
    /// Nothing is done.
    Watch,
}

/// A step and what it comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextStep {
    /// Key of the repair or step; for a mending, of the cause; `work_order` and `watch`.
    pub key: String,
    /// What sort of step it is.
    pub kind: NextKind,
    /// What to do, for people.
    pub text: String,
    /// Expected cost until the matter is settled, in hundredths of the currency, if this is
    /// done first; `None` if it is ruled out.
    pub expected_cost_cents: Option<f64>,
    /// Probability that it settles the matter.
    pub chance_to_cure: f64,
    /// Why it is ruled out, whatever it costs.
    pub ruled_out: Option<String>,
    /// What it would bring and what then, for people.
    pub why: String,
}

/// Ranks all that can be done next: by expected cost, and behind that what is ruled out.
///
/// # Errors
/// The catalogue's numbers make no policy; those of a [`crate::Catalogue`] do.
pub fn next_steps(ty: &ApplianceType, diagnosis: &Diagnosis, known: &Known<'_>) -> Result<Vec<NextStep>, PolicyError> {
    let options = options(ty, known.on_site);
    let policy = Policy::new(options.iter().map(|option| option.candidate(ty)).collect(), &lockouts(ty))?;
    let weights = weights(ty, diagnosis, known);
    let left: Vec<u8> = options.iter().map(|option| option.left(known)).collect();
    let situation = Situation { weights: &weights, left: &left, most_risk: known.most_risk };
    let mut memory = Workspace::default();
    let ranked = policy.decide(&situation, &mut memory, &|| false)?.ranked.to_vec();
    let best = ranked[0].expected_cost;
    let each = ranked.iter().map(|ranked| {
        let option = &options[ranked.step];
        let explained = policy.explain(&situation, ranked.step, &mut memory, &|| false)?;
        let dearer = ranked.expected_cost - best;
        let why = if ranked.forbidden.is_some() { String::new() } else { option.why(ty, &explained, &options, dearer) };
        Ok(NextStep {
            key: option.key().to_owned(),
            kind: option.kind(),
            text: option.text(ty),
            expected_cost_cents: ranked.forbidden.is_none().then_some(ranked.expected_cost),
            chance_to_cure: explained.chance_to_cure,
            ruled_out: ranked.forbidden.map(|forbidden| option.ruled_out(forbidden, known)),
            why,
        })
    });
    each.collect()
}

/// For each hypothesis whether it latches a lockout: the causes, then that there is no fault.
fn lockouts(ty: &ApplianceType) -> Vec<bool> {
    ty.causes.iter().map(|cause| cause.lockout).chain([false]).collect()
}

/// The causes' probabilities, scaled to that of a fault, and that of none; what failed and what
/// was answered since speaks for or against each.
fn weights(ty: &ApplianceType, diagnosis: &Diagnosis, known: &Known<'_>) -> Vec<f64> {
    let probability = |key: &str| diagnosis.ranked.iter().find(|r| r.cause == key).map_or(0.0, |r| r.probability);
    let mut weights: Vec<f64> = ty.causes.iter().map(|cause| probability(&cause.key)).collect();
    let all: f64 = weights.iter().sum();
    let scale = diagnosis.fault_probability / all.max(f64::MIN_POSITIVE);
    weights.iter_mut().for_each(|weight| *weight *= scale);
    weights.push(1.0 - diagnosis.fault_probability);
    for repair in known.tried.iter().filter(|tried| !tried.verified).filter_map(|tried| ty.repair(&tried.repair)) {
        let cured = repair_chances(ty, repair);
        weights.iter_mut().zip(cured).for_each(|(weight, cured)| *weight *= 1.0 - cured);
    }
    for (key, yes) in known.answers {
        let Some(step) = ty.steps.iter().find(|step| step.key == *key) else { continue };
        for (weight, chance) in weights.iter_mut().zip(yes_chances(ty, step)) {
            *weight *= if *yes { chance } else { 1.0 - chance };
        }
    }
    // All was ruled out: the catalogue or an answer is wrong, and every cause is as likely as before.
    if weights.iter().sum::<f64>() > 0.0 { weights } else { vec![1.0; weights.len()] }
}

/// Something that can be done.
enum Choice<'a> {
    Repair(&'a Repair),
    Step(&'a Step),
    Mend(&'a Cause),
    WorkOrder { on_site: bool },
    Watch,
}

fn options(ty: &ApplianceType, on_site: bool) -> Vec<Choice<'_>> {
    let here = |step: &&Step| (step.kind == StepKind::Check) == on_site;
    let steps = ty.steps.iter().filter(here).map(Choice::Step);
    let order = std::iter::once(Choice::WorkOrder { on_site });
    if on_site {
        return ty.causes.iter().map(Choice::Mend).chain(steps).chain(order).collect();
    }
    ty.repairs.iter().map(Choice::Repair).chain(steps).chain(order).chain([Choice::Watch]).collect()
}

/// How long mending one cause takes on site, in minutes, with what must be taken apart for it.
const MENDING_MINUTES: f64 = 30.0;

impl Choice<'_> {
    fn candidate(&self, ty: &ApplianceType) -> Candidate {
        let costs = &ty.step_costs;
        let minutes = |minutes: f64| minutes * f64::from(costs.minute_cents);
        let parts = |cause: &Cause| {
            let needed = ty.parts_for(&cause.key).filter(|(_, need)| need.needed);
            needed.map(|(part, need)| part.price_cents as f64 * f64::from(need.quantity)).sum::<f64>()
        };
        let each = |of: &dyn Fn(&Cause) -> f64, none: f64| ty.causes.iter().map(of).chain([none]).collect();
        let (cost, risk, remote, effect) = match self {
            Self::Repair(repair) => {
                let risk = ty.action(&repair.action).map_or(RiskClass::R4, |action| action.risk);
                (f64::from(costs.remote_cents), risk, true, Effect::Cure(repair_chances(ty, repair)))
            }
            Self::Step(step) => {
                let yes = yes_chances(ty, step);
                let no = yes.iter().map(|yes| 1.0 - yes).collect();
                let cost = minutes(step.minutes) + f64::from(step.cost_cents);
                (cost, RiskClass::R0, step.kind == StepKind::SelfTest, Effect::Tell(vec![yes, no]))
            }
            Self::Mend(cause) => {
                let cures = each(&|other| f64::from(u8::from(other.key == cause.key)), 0.0);
                (parts(cause) + minutes(MENDING_MINUTES), RiskClass::R0, false, Effect::Cure(cures))
            }
            Self::WorkOrder { on_site: false } => {
                (f64::from(costs.visit_cents), RiskClass::R0, false, Effect::End(each(&parts, 0.0)))
            }
            // Leaving a fault unmended costs another visit, and it stays unattended until then.
            Self::WorkOrder { on_site: true } => {
                let again = f64::from(costs.visit_cents) + f64::from(costs.neglect_cents);
                (0.0, RiskClass::R0, false, Effect::End(each(&|cause| again + parts(cause), 0.0)))
            }
            Self::Watch => {
                let neglected = |cause: &Cause| match cause.handling {
                    Handling::Watch => 0.0,
                    Handling::Visit => f64::from(costs.neglect_cents),
                };
                (0.0, RiskClass::R0, false, Effect::End(each(&neglected, 0.0)))
            }
        };
        Candidate { key: self.key().to_owned(), cost, risk, remote, effect }
    }

    /// How often it may still be taken: a test would only say the same again.
    fn left(&self, known: &Known<'_>) -> u8 {
        if known.vetoed.iter().any(|key| key == self.key()) {
            return 0;
        }
        match self {
            Self::Repair(_) | Self::Step(Step { kind: StepKind::SelfTest, .. }) if known.lockout => 0,
            Self::Repair(repair) => {
                let tried = known.tried.iter().filter(|tried| tried.repair == repair.key).count();
                (repair.max_attempts as usize).saturating_sub(tried).min(usize::from(u8::MAX)) as u8
            }
            Self::Step(step) => u8::from(!known.answers.iter().any(|(key, _)| *key == step.key)),
            Self::Mend(_) | Self::WorkOrder { .. } | Self::Watch => 1,
        }
    }

    fn key(&self) -> &str {
        match self {
            Self::Repair(repair) => &repair.key,
            Self::Step(step) => &step.key,
            Self::Mend(cause) => &cause.key,
            Self::WorkOrder { .. } => "work_order",
            Self::Watch => "watch",
        }
    }

    fn kind(&self) -> NextKind {
        match self {
            Self::Repair(_) => NextKind::Repair,
            Self::Step(Step { kind: StepKind::Question, .. }) => NextKind::Question,
            Self::Step(Step { kind: StepKind::SelfTest, .. }) => NextKind::SelfTest,
            Self::Step(Step { kind: StepKind::Check, .. }) => NextKind::Check,
            Self::Mend(_) => NextKind::Mend,
            Self::WorkOrder { .. } => NextKind::WorkOrder,
            Self::Watch => NextKind::Watch,
        }
    }

    fn text(&self, ty: &ApplianceType) -> String {
        match self {
            Self::Repair(repair) => ty.action(&repair.action).map_or_else(String::new, |action| action.text.clone()),
            Self::Step(step) => step.text.clone(),
            Self::Mend(cause) => format!("Mend: {}", cause.name),
            Self::WorkOrder { on_site: false } => "Send a technician".to_owned(),
            Self::WorkOrder { on_site: true } => "Leave; come again if the fault stays".to_owned(),
            Self::Watch => "Wait and watch".to_owned(),
        }
    }

    fn ruled_out(&self, forbidden: Forbidden, known: &Known<'_>) -> String {
        let remote = matches!(self.kind(), NextKind::Repair | NextKind::SelfTest);
        match forbidden {
            Forbidden::Lockout => "a safety lockout is likely: nothing may be done from afar",
            Forbidden::Spent if known.lockout && remote => "a safety lockout shows: nothing may be done from afar",
            Forbidden::Spent if known.vetoed.iter().any(|key| key == self.key()) => "ruled out by a person",
            Forbidden::Spent => "done as often as it may be",
            Forbidden::Risk => "its risk class needs people's approval",
        }
        .to_owned()
    }

    fn why(&self, ty: &ApplianceType, explained: &Explanation, all: &[Choice<'_>], dearer: f64) -> String {
        let mut text = match self.kind() {
            NextKind::Repair | NextKind::Mend => format!("Cures with {}.", percent(explained.chance_to_cure)),
            NextKind::WorkOrder | NextKind::Watch => "Settles the matter.".to_owned(),
            NextKind::Question | NextKind::SelfTest | NextKind::Check => String::new(),
        };
        let telling = matches!(self, Self::Step(_));
        for (index, outlook) in explained.outlooks.iter().enumerate() {
            let case = match (telling, index) {
                (false, _) => "If not",
                (true, 0) => "If yes",
                (true, _) => "If no",
            };
            let _ = write!(text, " {}", outlook_text(ty, case, outlook, all));
        }
        if dearer > 0.0 {
            let _ = write!(text, " Costs {:.2} more than the best in the long run.", dearer / 100.0);
        }
        text.trim().to_owned()
    }
}

/// What an outcome leads to, for example `If yes (30 %): first Door seal worn with 85 %, then work_order.`
fn outlook_text(ty: &ApplianceType, case: &str, outlook: &Outlook, all: &[Choice<'_>]) -> String {
    let first = outlook.posterior.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let (first, share) = first.map_or((0, 0.0), |(index, share)| (index, *share));
    let name = ty.causes.get(first).map_or("no fault", |cause| cause.name.as_str());
    let (likely, share) = (percent(outlook.probability), percent(share));
    format!("{case} ({likely}): first {name} with {share}, then {}.", all[outlook.next].key())
}

/// The remote repair to try before anybody is sent, if one is worth it. `shares` are the
/// causes' parts of all fault probability; `left` tells how often a repair may still be tried.
pub(crate) fn best_repair<'a>(
    ty: &'a ApplianceType,
    shares: &[f64],
    left: impl Fn(&Repair) -> u8,
) -> Option<&'a Repair> {
    let order = Choice::WorkOrder { on_site: false };
    let options: Vec<Choice<'_>> = ty.repairs.iter().map(Choice::Repair).chain([order]).collect();
    let policy = Policy::new(options.iter().map(|option| option.candidate(ty)).collect(), &lockouts(ty)).ok()?;
    let weights: Vec<f64> = shares.iter().copied().chain([0.0]).collect();
    let left: Vec<u8> = ty.repairs.iter().map(left).chain([1]).collect();
    let situation = Situation { weights: &weights, left: &left, most_risk: RiskClass::R2 };
    let best = policy.decide(&situation, &mut Workspace::default(), &|| false).ok()?.best().step;
    ty.repairs.get(best)
}

/// P(cured | hypothesis) of a remote repair: it cures the one cause it was made for.
fn repair_chances(ty: &ApplianceType, repair: &Repair) -> Vec<f64> {
    let chance = |cause: &Cause| if cause.key == repair.cause { repair.success } else { 0.0 };
    ty.causes.iter().map(chance).chain([0.0]).collect()
}

fn yes_chances(ty: &ApplianceType, step: &Step) -> Vec<f64> {
    let named = |cause: &Cause| step.yes.iter().find(|(key, _)| *key == cause.key).map(|(_, chance)| *chance);
    ty.causes.iter().map(|cause| named(cause).unwrap_or(step.otherwise)).chain([step.otherwise]).collect()
}

#[cfg(test)]
mod tests;
