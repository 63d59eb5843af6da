//! Files into an [`ApplianceType`]; every reference is checked, every error kept.

use toml::Spanned;

use super::CatalogueError;
use super::document::{Document, Entry};
use super::faults::Faults;
use super::files::{ActionFile, DatapointFile, ErrorCodeFile, PartFile, ProfileHead};
use super::source::{STEPS, Source};
use super::{detectors, faults, repairs, steps};
use crate::appliance::{Action, ApplianceType, Argument, Datapoint, ErrorCode, Kind, Part, Precondition, RiskClass};
use crate::detector::Detector;
use crate::expression::evaluate::fnv1a;
use crate::expression::{Compiler, Flag, Slot};
use crate::model::Model;

/// Most datapoints, functions of time and detectors of one type: bounds the state of a device.
pub(super) const MAX_PARTS_OF_STATE: usize = 128;

/// Datapoint whose values are the error codes.
const ERROR_CODE: &str = "error_code";

/// Builds a type; what cannot be built is left out and reported.
pub(super) fn appliance_type(key: &str, source: &Source, errors: &mut Vec<CatalogueError>) -> ApplianceType {
    let open = |file: &str| Document::parse(source.name(file), source.text(file));
    let mut profile = open("profile.toml");
    let head: Option<ProfileHead> = profile.head(&["datapoints", "error_codes", "actions"]);
    let datapoints = datapoints(&mut profile);
    let error_codes = error_codes(&mut profile);
    let known = with_codes(&datapoints, &error_codes);
    let actions = actions(&mut profile, &known);

    let mut compiler = Compiler::new(&known);
    let mut detector_file = open("detectors.toml");
    let detectors = detectors::read(&mut detector_file, &mut compiler);

    let (faults, mut fault_file) = faults::read(open("faults.toml"), &detectors);

    let mut part_file = open("parts.toml");
    let (parts, part_needs) = repairs::parts(&mut part_file, &faults.causes);

    let model = model(&faults, &detectors, &mut fault_file);
    let mut repair_file = open("repairs.toml");
    let mut scope = repairs::Scope { causes: &faults.causes, actions: &actions, detectors: &detectors, model: &model };
    let repairs = repairs::read(&mut repair_file, &mut scope, &mut compiler);

    let mut step_file = open(STEPS);
    let scope = steps::Scope { causes: &faults.causes, actions: &actions, tree: &faults.tree };
    let (steps, step_costs) = steps::read(&mut step_file, &scope);

    let slots = compiler.slots;
    for (count, what) in
        [(datapoints.len(), "datapoints"), (slots.len(), "functions of time"), (detectors.len(), "detectors")]
    {
        if count > MAX_PARTS_OF_STATE {
            detector_file.report(0, what, format!("there are {count}, at most {MAX_PARTS_OF_STATE} are allowed"));
        }
    }
    let files = [profile, detector_file, fault_file, repair_file, part_file, step_file];
    let broken = files.iter().any(|file| file.broken);
    files.into_iter().for_each(|file| errors.extend(file.finish(broken).into_iter().map(CatalogueError::from)));
    let fingerprint = fingerprint(&datapoints, &slots, &detectors);
    let head = head.unwrap_or_else(|| ProfileHead {
        name: key.to_owned(),
        models: Vec::new(),
        telemetry_interval: Default::default(),
        settle: Default::default(),
    });
    ApplianceType {
        key: key.to_owned(),
        name: head.name,
        models: head.models,
        telemetry_interval_ms: head.telemetry_interval.ms,
        settle_ms: head.settle.ms,
        datapoints,
        error_codes,
        actions,
        causes: faults.causes,
        repairs,
        parts,
        part_needs,
        steps,
        step_costs,
        fingerprint,
        slots,
        detectors,
        model,
    }
}

/// Compiles the tree, or reports why that cannot be.
fn model(faults: &Faults, detectors: &[Detector], file: &mut Document<'_>) -> Model {
    let Faults { causes, tree, links } = faults;
    if file.problems().is_empty() {
        match Model::new(tree, causes, detectors, links) {
            Ok(model) => return model,
            Err(error) => file.report(0, "gates", error.to_string()),
        }
    }
    Model::mute(tree, causes, links)
}

fn datapoints(profile: &mut Document<'_>) -> Vec<Datapoint> {
    let entries: Vec<Entry<DatapointFile>> = profile.section("datapoints");
    let mut datapoints = Vec::new();
    for entry in entries {
        if let Some(range) = &entry.value.range {
            let (low, high) = *range.get_ref();
            if !(low.is_finite() && high.is_finite() && low < high) {
                let reason = format!("is [{low}, {high}], must be finite with the smaller number first");
                profile.report(range.span().start, entry.path("range"), reason);
            }
        }
        let numeric = matches!(entry.value.kind, Kind::Number | Kind::Whole);
        if !numeric && entry.value.range.is_some() {
            profile.report(entry.offset, entry.path("range"), "only numbers have a range");
        }
        if entry.value.kind != Kind::Text && !entry.value.values.is_empty() {
            profile.report(entry.offset, entry.path("values"), "only texts have a list of values");
        }
        datapoints.push(Datapoint {
            name: entry.key,
            unit: entry.value.unit,
            kind: entry.value.kind,
            range: entry.value.range.map(Spanned::into_inner),
            values: entry.value.values,
        });
    }
    if datapoints.is_empty() {
        profile.report(0, "datapoints", "there are none; write at least one [datapoints.name]");
    }
    datapoints
}

fn error_codes(profile: &mut Document<'_>) -> Vec<ErrorCode> {
    let entries: Vec<Entry<ErrorCodeFile>> = profile.section("error_codes");
    entries.into_iter().map(|entry| ErrorCode { code: entry.key, text: entry.value.text }).collect()
}

/// The datapoints as rules see them: a rule may only name an error code that is listed,
/// though an appliance may send others.
fn with_codes(datapoints: &[Datapoint], codes: &[ErrorCode]) -> Vec<Datapoint> {
    let mut known = datapoints.to_vec();
    for datapoint in known.iter_mut().filter(|d| d.name == ERROR_CODE && d.kind == Kind::Text && !codes.is_empty()) {
        datapoint.values = std::iter::once(String::new()).chain(codes.iter().map(|c| c.code.clone())).collect();
    }
    known
}

fn actions(profile: &mut Document<'_>, datapoints: &[Datapoint]) -> Vec<Action> {
    let entries: Vec<Entry<ActionFile>> = profile.section("actions");
    let mut actions = Vec::new();
    for entry in entries {
        let file = &entry.value;
        if *file.automatic.get_ref() && file.risk > RiskClass::R2 {
            let reason = format!("must be false: an action of class {} always needs people", file.risk);
            profile.report(file.automatic.span().start, entry.path("automatic"), reason);
        }
        let preconditions = preconditions(profile, &entry, datapoints);
        let arguments = entry.value.arguments.into_iter().map(|(name, argument)| Argument {
            name,
            kind: argument.kind,
            values: argument.values,
        });
        actions.push(Action {
            name: entry.key,
            text: entry.value.text,
            risk: entry.value.risk,
            automatic: entry.value.automatic.into_inner(),
            timeout_ms: entry.value.timeout.ms,
            preconditions,
            arguments: arguments.collect(),
        });
    }
    actions
}

fn preconditions(profile: &mut Document<'_>, entry: &Entry<ActionFile>, datapoints: &[Datapoint]) -> Vec<Precondition> {
    let mut compiled = Vec::new();
    for wanted in &entry.value.preconditions {
        let field = entry.path("preconditions.require");
        let mut compiler = Compiler::without_past(datapoints);
        if let Some(condition) = flag(profile, &mut compiler, &wanted.require, field) {
            let (name, require) = (wanted.name.clone(), wanted.require.get_ref().clone());
            compiled.push(Precondition { name, require, condition });
        }
    }
    compiled
}

/// Compiles a condition, or reports what is wrong in it.
pub(super) fn flag(
    document: &mut Document<'_>,
    compiler: &mut Compiler<'_>,
    written: &Spanned<String>,
    field: String,
) -> Option<Flag> {
    compiler.flag(written.get_ref()).map_err(|error| document.report_expression(written, field, &error)).ok()
}

/// Names for the parts section of a file.
pub(super) fn part(document: &mut Document<'_>, entry: Entry<PartFile>) -> Part {
    let price = &entry.value.price_cents;
    if *price.get_ref() < 0 {
        document.report(price.span().start, entry.path("price_cents"), "must not be negative");
    }
    Part { key: entry.key, name: entry.value.name, price_cents: entry.value.price_cents.into_inner() }
}

/// Changes with what gives a device's state its shape and meaning: not with texts or likelihoods.
fn fingerprint(datapoints: &[Datapoint], slots: &[Slot], detectors: &[Detector]) -> u64 {
    let datapoints: Vec<_> = datapoints.iter().map(|d| (&d.name, d.kind)).collect();
    let detectors: Vec<_> = detectors.iter().map(|d| (&d.key, &d.when, &d.test)).collect();
    fnv1a(&format!("{datapoints:?}{slots:?}{detectors:?}"))
}
