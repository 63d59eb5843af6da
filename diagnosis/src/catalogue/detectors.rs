//! `detectors.toml`: rules and drifts.

use toml::Spanned;

use super::build::flag;
use super::document::{Document, Entry};
use super::files::{DetectorsHead, DriftFile, RuleFile};
use crate::detector::{Detector, Test};
use crate::drift::Drift;
use crate::expression::{Compiler, Flag};

pub(super) fn read(file: &mut Document<'_>, compiler: &mut Compiler<'_>) -> Vec<Detector> {
    let head: DetectorsHead = file.head(&["detectors", "drifts"]).unwrap_or_default();
    let rules: Vec<Entry<RuleFile>> = file.section("detectors");
    let drifts: Vec<Entry<DriftFile>> = file.section("drifts");
    let mut detectors: Vec<Detector> =
        rules.into_iter().filter_map(|entry| rule(file, compiler, entry, head.after_boot.ms)).collect();
    for entry in drifts {
        if detectors.iter().any(|d| d.key == entry.key) {
            file.report(entry.offset, &entry.field, "this name is taken by a detector above: choose another");
        }
        detectors.extend(drift(file, compiler, entry, head.after_boot.ms));
    }
    detectors
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
        lockout: false,
        name: entry.value.name,
        key: entry.key,
    })
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
