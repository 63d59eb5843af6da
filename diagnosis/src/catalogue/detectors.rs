//! `detectors.toml`: rules, drifts, and symptoms that models tell of.

use toml::Spanned;

use super::build::flag;
use super::document::{Document, Entry};
use super::files::{ChatterFile, DetectorsHead, DriftFile, ModelFile, RuleFile};
use crate::detector::{Chatter, Detector, Test};
use crate::drift::Drift;
use crate::expression::{Compiler, Flag};
use crate::model_symptom::{Channel, Mode, ModelSymptom};

pub(super) fn read(file: &mut Document<'_>, compiler: &mut Compiler<'_>) -> Vec<Detector> {
    let head: DetectorsHead = file.head(&["detectors", "drifts", "models"]).unwrap_or_default();
    let rules: Vec<Entry<RuleFile>> = file.section("detectors");
    let drifts: Vec<Entry<DriftFile>> = file.section("drifts");
    let models: Vec<Entry<ModelFile>> = file.section("models");
    let mut detectors: Vec<Detector> =
        rules.into_iter().filter_map(|entry| rule(file, compiler, entry, head.after_boot.ms)).collect();
    for entry in drifts {
        check_name(file, &detectors, &entry);
        detectors.extend(drift(file, compiler, entry, head.after_boot.ms));
    }
    for entry in models {
        check_name(file, &detectors, &entry);
        detectors.push(model(file, compiler, entry));
    }
    detectors
}

fn check_name<T>(file: &mut Document<'_>, detectors: &[Detector], entry: &Entry<T>) {
    if detectors.iter().any(|d| d.key == entry.key) {
        file.report(entry.offset, &entry.field, "this name is taken by a detector above: choose another");
    }
}

fn chatter(written: ChatterFile) -> Chatter {
    Chatter { times: written.times, within_ms: written.within.ms }
}

fn conditions(
    file: &mut Document<'_>,
    compiler: &mut Compiler<'_>,
    when: &[Spanned<String>],
    field: &str,
) -> Vec<Flag> {
    when.iter().filter_map(|written| flag(file, compiler, written, field.to_owned())).collect()
}

fn rule(
    file: &mut Document<'_>,
    compiler: &mut Compiler<'_>,
    entry: Entry<RuleFile>,
    after_boot_ms: i64,
) -> Option<Detector> {
    let rule = &entry.value;
    let when = conditions(file, compiler, &rule.when, &entry.path("when"));
    let violated = flag(file, compiler, &rule.violated, entry.path("violated"));
    let ok = rule.ok.as_ref().map(|ok| flag(file, compiler, ok, entry.path("ok")));
    let false_alarm = file.probability(&rule.false_alarm, entry.path("false_alarm"));
    let test = Test::Rule { violated: violated?, ok: ok.flatten() };
    Some(Detector {
        test,
        when,
        false_alarm,
        rule: rule.violated.get_ref().clone(),
        after_boot_ms: rule.after_boot.map_or(after_boot_ms, |d| d.ms),
        on_delay_ms: rule.on_delay.ms,
        off_delay_ms: rule.off_delay.ms,
        min_samples: rule.min_samples.max(1),
        chatter: chatter(rule.chatter),
        lockout: rule.lockout,
        name: entry.value.name,
        key: entry.key,
    })
}

fn drift(
    file: &mut Document<'_>,
    compiler: &mut Compiler<'_>,
    entry: Entry<DriftFile>,
    after_boot_ms: i64,
) -> Option<Detector> {
    let drift = &entry.value;
    let when = conditions(file, compiler, &drift.when, &entry.path("when"));
    let channel = compiler.number(drift.channel.get_ref());
    let channel = channel.map_err(|e| file.report_expression(&drift.channel, entry.path("channel"), &e)).ok();
    check_drift(file, &entry);
    let false_alarm = file.probability(&drift.false_alarm, entry.path("false_alarm"));
    let test = Test::Drift(Drift {
        channel: channel?,
        direction: drift.direction,
        block_ms: drift.block.ms,
        learn: *drift.learn.get_ref(),
        baseline: *drift.baseline.get_ref(),
        min_sigma: *drift.min_sigma.get_ref(),
        ewma_weight: drift.ewma_weight,
        ewma_limit: drift.ewma_limit,
        slack: drift.slack,
        limit: drift.limit,
        follow: drift.follow.as_ref().map_or(0.0, |follow| drift.block.ms as f64 / follow.get_ref().ms as f64),
    });
    Some(Detector {
        test,
        when,
        false_alarm,
        rule: format!("drift of {}", drift.channel.get_ref()),
        after_boot_ms: drift.after_boot.map_or(after_boot_ms, |d| d.ms),
        on_delay_ms: 0,
        off_delay_ms: 0,
        min_samples: drift.min_blocks.max(1),
        chatter: chatter(ChatterFile::default()),
        lockout: false,
        name: entry.value.name,
        key: entry.key,
    })
}

fn model(file: &mut Document<'_>, compiler: &mut Compiler<'_>, entry: Entry<ModelFile>) -> Detector {
    let model = &entry.value;
    let mut of = |written: &[Spanned<String>], field: &str| -> Vec<Channel> {
        let each = written.iter().filter_map(|written| {
            let value = compiler.number(written.get_ref());
            let value = value.map_err(|e| file.report_expression(written, entry.path(field), &e)).ok()?;
            Some(Channel { name: written.get_ref().clone(), value })
        });
        each.collect()
    };
    let channels = of(model.channels.get_ref(), "channels");
    let inputs = of(&model.inputs, "inputs");
    if model.channels.get_ref().is_empty() {
        file.report(model.channels.span().start, entry.path("channels"), "must name at least one");
    }
    if model.modes.is_empty() {
        file.report(entry.offset, entry.path("modes"), "must name at least one, for example `always = \"true\"`");
    }
    let mut written: Vec<_> = model.modes.iter().collect();
    written.sort_by_key(|(_, condition)| condition.span().start);
    let modes = written.into_iter().filter_map(|(name, condition)| {
        let field = entry.path(&format!("modes.{name}"));
        Some(Mode { name: name.clone(), condition: flag(file, compiler, condition, field)? })
    });
    let modes = modes.collect();
    let false_alarm = file.probability(&model.false_alarm, entry.path("false_alarm"));
    Detector {
        test: Test::Model(ModelSymptom { channels, inputs, modes, expires_ms: model.expires.ms }),
        when: Vec::new(),
        false_alarm,
        rule: String::new(),
        after_boot_ms: 0,
        on_delay_ms: 0,
        off_delay_ms: 0,
        min_samples: 1,
        chatter: chatter(ChatterFile::default()),
        lockout: false,
        name: entry.value.name,
        key: entry.key,
    }
}

/// Fewest blocks from which a baseline may be learnt: fewer tell nothing of the spread.
const MIN_LEARN: u32 = 5;

fn check_drift(file: &mut Document<'_>, entry: &Entry<DriftFile>) {
    let drift = &entry.value;
    let (low, high) = *drift.baseline.get_ref();
    if !(low.is_finite() && high.is_finite() && low <= high) {
        let reason = "must be two finite numbers, the smaller first";
        file.report(drift.baseline.span().start, entry.path("baseline"), reason);
    }
    if !(drift.min_sigma.get_ref().is_finite() && *drift.min_sigma.get_ref() > 0.0) {
        file.report(drift.min_sigma.span().start, entry.path("min_sigma"), "must be above 0");
    }
    if let Some(follow) = drift.follow.as_ref().filter(|follow| follow.get_ref().ms < drift.block.ms.max(1)) {
        file.report(follow.span().start, entry.path("follow"), "must be longer than a block");
    }
    if *drift.learn.get_ref() < MIN_LEARN {
        let reason = format!("must be at least {MIN_LEARN} blocks");
        file.report(drift.learn.span().start, entry.path("learn"), reason);
    }
    if !(drift.ewma_weight > 0.0 && drift.ewma_weight <= 1.0) {
        file.report(entry.offset, entry.path("ewma_weight"), "must be above 0 and at most 1");
    }
    for (name, value) in [("ewma_limit", drift.ewma_limit), ("limit", drift.limit)] {
        if !(value.is_finite() && value > 0.0) {
            file.report(entry.offset, entry.path(name), "must be above 0");
        }
    }
    if !(drift.slack.is_finite() && drift.slack >= 0.0) {
        file.report(entry.offset, entry.path("slack"), "must not be negative");
    }
}
