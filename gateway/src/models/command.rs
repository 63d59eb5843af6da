//! `gateway models`: train, evaluate, promote, roll back; beside a running gateway or without one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use firmware_proto::ServerTime;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::data::{self, Source};
use super::{Evaluation, Learnt, ModelFile, ModelName, Shelf, Shelved, Stage};
use crate::app::load_catalogue;
use crate::clock::Clock;
use crate::config::Config;
use crate::history::HistoryStore;
use crate::store::Store;

/// Who is told of in the audit log.
const ACTOR: &str = "command line";

const DAY_MS: i64 = 86_400_000;

/// What to do with learnt models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List all versions and what each does.
    List(Place),
    /// Train models from stored history; a new version runs as shadow until it is promoted.
    ///
    /// Healthy is what lies neither within a finding or work order nor in the day before it. One device
    /// in four is kept out to say how the model does where it was not trained.
    Train(Train),
    /// Judge a version by history it was not trained on, beside the version that speaks now.
    Evaluate(Evaluate),
    /// Let a version speak: its evidence reaches the fault trees. The version before it runs on as shadow.
    Promote(Promote),
    /// Undo the newest promotion of a model; what spoke before speaks again, exactly as it was.
    Rollback(Rollback),
}

/// Where the state is.
#[derive(Debug, Args)]
pub struct Place {
    /// Configuration file of the gateway.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// State directory, in place of the configured one.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What `train` trains.
#[derive(Debug, Args)]
pub struct Train {
    #[command(flatten)]
    place: Place,
    /// Appliance types, or TYPE/MODEL; everything in the catalogue if none is named.
    #[arg(value_name = "TYPE[/MODEL]")]
    only: Vec<String>,
    /// Days of history up to now.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// What `evaluate` judges.
#[derive(Debug, Args)]
pub struct Evaluate {
    #[command(flatten)]
    place: Place,
    /// Which version.
    #[arg(value_name = "VERSION")]
    version: String,
    /// Days of history up to now; if absent, all that was received after the version was trained.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: Option<u32>,
}

/// What `promote` promotes.
#[derive(Debug, Args)]
pub struct Promote {
    #[command(flatten)]
    place: Place,
    /// Which version.
    #[arg(value_name = "VERSION")]
    version: String,
}

/// What `rollback` rolls back.
#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    place: Place,
    /// Which model.
    #[arg(value_name = "TYPE/MODEL")]
    model: String,
}

/// Carries a command out.
///
/// # Errors
/// What is wrong, and what would be right.
pub async fn run(command: ModelsCommand) -> anyhow::Result<()> {
    match command {
        ModelsCommand::List(place) => list(place).await,
        ModelsCommand::Train(args) => train(args).await,
        ModelsCommand::Evaluate(args) => evaluate(args).await,
        ModelsCommand::Promote(args) => promote(args).await,
        ModelsCommand::Rollback(args) => roll_back(args).await,
    }
}

/// An opened state directory.
struct Opened {
    config: Config,
    store: Store,
    shelf: Shelf,
    now: ServerTime,
    json: bool,
}

impl Opened {
    async fn new(place: Place) -> anyhow::Result<Self> {
        let mut config = place.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
        config.state = place.state.unwrap_or(config.state);
        let file = config.state.join("state.db");
        if !file.exists() {
            bail!("{} does not exist: name the gateway's state directory with --state or --config", file.display());
        }
        let store = Store::open(&file).await?;
        let now = Clock::new(config.clock_scale()).now();
        Ok(Self { shelf: Shelf::new(&config.state, store.clone()), config, store, now, json: place.json })
    }

    fn say<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(value)?);
        } else {
            print!("{}", text(value));
        }
        Ok(())
    }
}

async fn list(place: Place) -> anyhow::Result<()> {
    let opened = Opened::new(place).await?;
    let versions = opened.shelf.list().await?;
    opened.say(&versions, |versions| {
        let line = |shelved: &Shelved| {
            let stage = match shelved.stage {
                Stage::Speaking => "speaking",
                Stage::Shadow => "shadow",
                Stage::Kept => "kept",
            };
            format!("{:<13} {:<9} {:<20} {}\n", shelved.version, stage, time_text(shelved.trained_ms), shelved.of)
        };
        match versions.is_empty() {
            true => "no model was trained yet: `gateway models train`\n".to_owned(),
            false => versions.iter().map(line).collect(),
        }
    })
}

/// What came of training one model.
#[derive(Debug, Serialize)]
struct Trained {
    #[serde(flatten)]
    of: ModelName,
    version: Option<String>,
    error: Option<String>,
    training_set: super::TrainingSet,
    evaluation: Option<Evaluation>,
}

async fn train(args: Train) -> anyhow::Result<()> {
    let opened = Opened::new(args.place).await?;
    let catalogue = load_catalogue(&opened.config)?;
    let chosen = |of: &ModelName| {
        args.only.is_empty() || args.only.iter().any(|only| *only == of.r#type || *only == of.to_string())
    };
    let names: Vec<ModelName> = catalogue
        .iter()
        .flat_map(|ty| ty.model_symptoms().map(|(key, _)| ModelName { r#type: ty.key.clone(), name: key.to_owned() }))
        .collect();
    for only in &args.only {
        if !names.iter().any(|of| *only == of.r#type || *only == of.to_string()) {
            let known: Vec<String> = names.iter().map(ModelName::to_string).collect();
            bail!("the catalogue has no model {only:?}; it has {}", known.join(", "));
        }
    }
    let span_ms = (opened.now.ms() - i64::from(args.days) * DAY_MS, opened.now.ms());
    let mut all = Vec::new();
    for of in names.into_iter().filter(|of| chosen(of)) {
        all.push(train_one(&opened, &catalogue, of, span_ms).await?);
    }
    opened.say(&all, |all| all.iter().map(trained_text).collect())?;
    if all.iter().all(|trained| trained.version.is_none()) {
        bail!("no model could be trained");
    }
    Ok(())
}

async fn train_one(
    opened: &Opened,
    catalogue: &diagnosis::Catalogue,
    of: ModelName,
    span_ms: (i64, i64),
) -> anyhow::Result<Trained> {
    let evidence = gather(opened, catalogue, &of, span_ms).await?;
    let training_set = evidence.training_set(span_ms);
    let id = training_set.id.clone();
    let learnt = tokio::task::spawn_blocking(move || Learnt::train(&evidence, &id)).await?;
    let (learnt, evaluation) = match learnt {
        Ok(learnt) => learnt,
        Err(error) => {
            return Ok(Trained { of, version: None, error: Some(error.to_string()), training_set, evaluation: None });
        }
    };
    let file = ModelFile::new(&of, opened.now, training_set.clone(), evaluation.clone(), learnt);
    let version = opened.shelf.add(&file, ACTOR).await?;
    Ok(Trained { of, version: Some(version), error: None, training_set, evaluation: Some(evaluation) })
}

async fn gather(
    opened: &Opened,
    catalogue: &diagnosis::Catalogue,
    of: &ModelName,
    span_ms: (i64, i64),
) -> anyhow::Result<data::Evidence> {
    let ty = catalogue.get(&of.r#type).with_context(|| format!("the catalogue has no type {:?}", of.r#type))?;
    let symptom = ty.model_symptoms().find(|(key, _)| *key == of.name).map(|(_, symptom)| symptom);
    let symptom = symptom.with_context(|| format!("the catalogue has no model {of}"))?;
    let history = HistoryStore::open_to_read(&opened.config.state.join("history")).await?;
    let bar = ProgressBar::new(0).with_message(of.to_string());
    bar.set_style(ProgressStyle::with_template("{msg}: {pos} of {len} devices read, {eta} left")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let source = Source { store: &opened.store, history: &history, span_ms };
    let evidence = source
        .gather(ty, &of.name, symptom, |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        })
        .await?;
    bar.finish_and_clear();
    history.close().await;
    Ok(evidence)
}

/// A version beside the one that speaks.
#[derive(Debug, Serialize)]
struct Compared {
    #[serde(flatten)]
    of: ModelName,
    from_ms: i64,
    to_ms: i64,
    versions: Vec<Judged>,
}

#[derive(Debug, Serialize)]
struct Judged {
    version: String,
    stage: Stage,
    evaluation: Evaluation,
}

async fn evaluate(args: Evaluate) -> anyhow::Result<()> {
    let opened = Opened::new(args.place).await?;
    let catalogue = load_catalogue(&opened.config)?;
    let asked = opened.shelf.find(&args.version).await?;
    let file = opened.shelf.read(&args.version)?;
    let from_ms = args.days.map_or(file.training_set.to_ms, |days| opened.now.ms() - i64::from(days) * DAY_MS);
    let span_ms = (from_ms, opened.now.ms());
    let evidence = gather(&opened, &catalogue, &asked.of, span_ms).await?;
    let witnesses: Vec<_> = evidence.witnesses.iter().collect();
    let speaking = opened.shelf.list().await?.into_iter().filter(|shelved| {
        shelved.of == asked.of && shelved.stage == Stage::Speaking && shelved.version != asked.version
    });
    let judge = |shelved: Shelved| -> anyhow::Result<Judged> {
        let file = opened.shelf.read(&shelved.version)?;
        anyhow::ensure!(
            *file.learnt.schema() == evidence.schema,
            "{}: the catalogue's channels, inputs or modes are others now: train it anew",
            shelved.version
        );
        let evaluation = file.learnt.evaluate(&witnesses, &witnesses);
        Ok(Judged { version: shelved.version, stage: shelved.stage, evaluation })
    };
    let versions = std::iter::once(asked.clone()).chain(speaking).map(judge).collect::<Result<_, _>>()?;
    let compared = Compared { of: asked.of, from_ms: span_ms.0, to_ms: span_ms.1, versions };
    opened.say(&compared, |compared| {
        let head = format!(
            "{}, received from {} to {}\n",
            compared.of,
            time_text(compared.from_ms),
            time_text(compared.to_ms)
        );
        let each = compared.versions.iter().map(|judged| {
            let stage = if judged.stage == Stage::Speaking { " (speaking)" } else { "" };
            format!("{}{stage}\n{}", judged.version, evaluation_text(&judged.evaluation))
        });
        std::iter::once(head).chain(each).collect()
    })
}

async fn promote(args: Promote) -> anyhow::Result<()> {
    let opened = Opened::new(args.place).await?;
    let of = opened.shelf.promote(&args.version, opened.now, ACTOR).await?;
    opened.say(&serde_json::json!({ "type": of.r#type, "name": of.name, "version": args.version }), |_| {
        format!("{} speaks for {of}\n", args.version)
    })
}

async fn roll_back(args: Rollback) -> anyhow::Result<()> {
    let (r#type, name) = args
        .model
        .split_once('/')
        .with_context(|| format!("{:?} is not TYPE/MODEL, as `list` shows them", args.model))?;
    let of = ModelName { r#type: r#type.to_owned(), name: name.to_owned() };
    let opened = Opened::new(args.place).await?;
    let before = opened.shelf.roll_back(&of, opened.now, ACTOR).await?;
    opened.say(&serde_json::json!({ "type": of.r#type, "name": of.name, "version": before }), |_| match &before {
        Some(version) => format!("{version} speaks for {of} again\n"),
        None => format!("nothing speaks for {of} now, as before its first promotion\n"),
    })
}

fn trained_text(trained: &Trained) -> String {
    let set = &trained.training_set;
    let data = format!(
        "  {} devices, {} healthy days, {} rows; {} days left out; training set {}\n",
        set.devices, set.device_days, set.rows, set.left_out_days, set.id
    );
    match (&trained.version, &trained.evaluation, &trained.error) {
        (Some(version), Some(evaluation), _) => {
            format!("{}: {version}, runs as shadow\n{data}{}", trained.of, evaluation_text(evaluation))
        }
        (_, _, error) => format!("{}: not trained: {}\n{data}", trained.of, error.as_deref().unwrap_or_default()),
    }
}

fn evaluation_text(evaluation: &Evaluation) -> String {
    let false_alarms = evaluation.false_alarms.iter().map(|counted| {
        let rate = counted.days as f64 / evaluation.device_days.max(1) as f64;
        format!("  healthy days strange at p ≤ {}: {} ({rate:.4} of them)\n", counted.nominal, counted.days)
    });
    let false_alarms: String = false_alarms.collect();
    let caught = evaluation.cases.iter().filter(|case| case.lead_hours.is_some()).count();
    let cases = evaluation.cases.iter().map(|case| {
        let lead =
            case.lead_hours.map_or("no alarm".to_owned(), |hours| format!("alarm {hours:.1} h before the order"));
        format!("    {}: p = {:.2e}, {lead}\n", case.cause, case.p_value)
    });
    let cases: String = cases.collect();
    format!(
        "  judged on {} devices, {} healthy days\n{false_alarms}  confirmed faults with an alarm: {caught} of {}\n{cases}",
        evaluation.devices,
        evaluation.device_days,
        evaluation.cases.len()
    )
}

fn time_text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.strftime("%F %TZ").to_string())
}
