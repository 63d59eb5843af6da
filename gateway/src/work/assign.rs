//! Open work orders get parts, a technician and an appointment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use diagnosis::ApplianceType;
use dispatch::routing::{Shift, Technician, Time, WorkOrder};
use dispatch::{
    Cents, DailyShift, FaultBelief, FaultId, Kit, KitPolicy, Location, LocationId, LocationKind, LocationTree, PartId,
    PartNeed, Pick, Place, Priority, SourcePlan, StockLevel, TechnicianId, choose_kit, source_parts,
};
use firmware_proto::ServerTime;
use serde::{Deserialize, Serialize};
use serde_json::json as value;
use tokio_util::sync::CancellationToken;

use super::OrderState;
use super::matching::{Covering, Match, Promised, matched};
use crate::parts::ledger::{self, Booked, Entry, EntryKind};
use crate::shard::House;
use crate::store::changes::{one_row, step};
use crate::store::{StoreError, Write, audit, from_json, json};

/// How often orders that nobody could take are tried again: stock, staff and shifts change.
const AGAIN: Duration = Duration::from_secs(2);

/// Days ahead for which appointments are offered.
const HORIZON_DAYS: u32 = 14;

/// Work on site where the catalogue says nothing, in seconds.
const SERVICE_S: u32 = 3_600;

/// Who does it, of the store's `work_order` row.
#[derive(Debug, sqlx::FromRow)]
struct OpenOrder {
    id: String,
    number: i64,
    r#type: String,
    cause: String,
    priority: String,
    skill: String,
    area: String,
    posterior: String,
    assignment: String,
    lat: f64,
    lon: f64,
    version: i64,
}

/// One line of the kit as stored: what is brought, from where, and whether it is promised.
#[derive(Debug, Serialize, Deserialize)]
struct KitLine {
    part: String,
    quantity: u32,
    location: Option<String>,
    reserved: bool,
}

#[derive(Debug, Deserialize)]
struct Ranked {
    cause: String,
    probability: f64,
}

/// Everything that is chosen for an order.
struct Choice {
    kit: Kit,
    found: Match,
    source: Option<SourcePlan>,
}

/// What an order can be met with.
struct Means {
    technicians: Vec<Employed>,
    promised: Vec<Promised>,
    locations: Vec<Location>,
    levels: Vec<StockLevel>,
}

/// Who could go: as the board wants it, with the van's location.
struct Employed {
    covering: Covering,
    van: LocationId,
}

/// Works on open orders whenever there are any, until `stop`.
///
/// # Errors
/// When state cannot be read or written.
pub async fn run(house: Arc<House>, stop: CancellationToken) -> Result<(), StoreError> {
    loop {
        for order in open_orders(&house).await? {
            assign(&house, &order).await?;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = house.orders.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

async fn open_orders(house: &House) -> Result<Vec<OpenOrder>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT work_order.id, number, device.type, cause, priority, skill, work_order.area, posterior, \
         assignment, lat, lon, version FROM work_order JOIN device ON device.id = work_order.device \
         WHERE state = 'open' ORDER BY CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 \
         ELSE 3 END, number LIMIT 100",
    )
    .fetch_all(house.store.read())
    .await?)
}

/// One order, in one transaction: choose, reserve, assign.
async fn assign(house: &House, order: &OpenOrder) -> Result<(), StoreError> {
    let Some(ty) = house.catalogue.get(&order.r#type) else { return Ok(()) };
    let now = house.clock.now();
    let mut write = house.store.write().await?;
    let choice = choose(&mut write, ty, order, now).await?;
    match choice {
        Ok(Choice { kit, found: Match::Visit { technician, starts, why, explanation }, source: Some(source) }) => {
            let lines = reserve(&mut write, order, &source, now).await?;
            let explanation = explain(explanation, &kit, &source);
            settle(&mut write, order, &Visit { technician, starts, why }, &lines, &explanation, now).await?;
            metrics::counter!("work_orders_assigned_total").increment(1);
        }
        Ok(Choice { found, .. }) => {
            let why = if let Match::Nobody(why) = found { why } else { BTreeMap::new() };
            note(&mut write, order, &value!({"waiting": "no technician can take it", "excluded": why}).to_string())
                .await?;
        }
        Err(error) => {
            tracing::warn!(order = order.number, %error, "a work order cannot be assigned");
            note(&mut write, order, &value!({"waiting": error.to_string()}).to_string()).await?;
        }
    }
    write.commit().await?;
    Ok(())
}

async fn choose(
    write: &mut Write,
    ty: &ApplianceType,
    order: &OpenOrder,
    now: ServerTime,
) -> Result<Result<Choice, dispatch::InputError>, StoreError> {
    let ranked: Vec<Ranked> = from_json(|| format!("posterior of work order {}", order.id), &order.posterior)?;
    let means = Means {
        technicians: technicians(write, now).await?,
        promised: promised(write).await?,
        locations: locations(write).await?,
        levels: levels(write).await?,
    };
    Ok(decide(ty, order, &ranked, means, now))
}

/// The choice itself; no IO.
fn decide(
    ty: &ApplianceType,
    order: &OpenOrder,
    ranked: &[Ranked],
    means: Means,
    now: ServerTime,
) -> Result<Choice, dispatch::InputError> {
    let Means { technicians, promised, locations, levels } = means;
    let beliefs = beliefs(ty, ranked, &order.cause);
    let kit = choose_kit(&beliefs, &parts_of_fault(ty), &prices(ty), &KitPolicy::default())?;
    let visit = WorkOrder {
        skills: vec![order.skill.clone()],
        priority: priority(&order.priority),
        ..WorkOrder::new(order.id.as_str(), Place { lat: order.lat, lon: order.lon }, SERVICE_S)
    };
    let crew: Vec<Covering> = technicians.iter().map(|employed| employed.covering.clone()).collect();
    let found = matched(&visit, &order.area, &crew, &promised, now)?;
    let source = match &found {
        Match::Visit { technician, .. } => {
            let tree = LocationTree::new(locations)?;
            let van = technicians.iter().find(|employed| employed.covering.technician.id == *technician);
            van.map(|employed| source_parts(&kit.parts, &employed.van, &tree, &levels)).transpose()?
        }
        Match::Nobody(_) => None,
    };
    Ok(Choice { kit, found, source })
}

/// The posterior over causes of this type; the order's own cause is always among them.
fn beliefs(ty: &ApplianceType, ranked: &[Ranked], cause: &str) -> Vec<FaultBelief> {
    let mut beliefs: Vec<FaultBelief> = ranked
        .iter()
        .filter(|ranked| ty.cause(&ranked.cause).is_some())
        .map(|ranked| FaultBelief::new(ranked.cause.as_str(), ranked.probability.clamp(0.0, 1.0)))
        .collect();
    if !ranked.iter().any(|ranked| ranked.cause == cause) && ty.cause(cause).is_some() {
        beliefs.push(FaultBelief::new(cause, 1.0));
    }
    beliefs
}

fn parts_of_fault(ty: &ApplianceType) -> BTreeMap<FaultId, Vec<PartNeed>> {
    ty.causes
        .iter()
        .map(|cause| {
            let parts = ty.parts_for(&cause.key).map(|(part, need)| PartNeed::new(part.key.as_str(), need.quantity));
            (cause.key.as_str().into(), parts.collect())
        })
        .collect()
}

fn prices(ty: &ApplianceType) -> BTreeMap<PartId, Cents> {
    ty.parts.iter().map(|part| (part.key.as_str().into(), Cents(part.price_cents))).collect()
}

fn priority(text: &str) -> Priority {
    match text {
        "urgent" => Priority::Urgent,
        "high" => Priority::High,
        "low" => Priority::Low,
        _ => Priority::Normal,
    }
}

/// Promises the parts; what is short is on the kit without a promise.
async fn reserve(
    write: &mut Write,
    order: &OpenOrder,
    source: &SourcePlan,
    now: ServerTime,
) -> Result<Vec<KitLine>, StoreError> {
    let mut lines = Vec::new();
    for Pick { part, quantity, from } in &source.picks {
        let entry = Entry {
            at: now,
            kind: EntryKind::Reserve,
            location: from.as_str(),
            part: part.as_str(),
            on_hand: 0,
            reserved: i64::from(*quantity),
            work_order: Some(&order.id),
            actor: "dispatch",
        };
        let reserved = matches!(ledger::book(write, &entry).await?, Booked::Done(_));
        lines.push(KitLine { part: part.to_string(), quantity: *quantity, location: Some(from.to_string()), reserved });
    }
    lines.extend(source.missing.iter().map(|need| KitLine {
        part: need.part.to_string(),
        quantity: need.quantity,
        location: None,
        reserved: false,
    }));
    Ok(lines)
}

/// Adds to why these people why these parts.
fn explain(mut explanation: serde_json::Value, kit: &Kit, source: &SourcePlan) -> String {
    explanation["kit"] = kit.why.as_str().into();
    explanation["covered_probability"] = kit.covered_probability.into();
    explanation["parts"] = source.why.as_str().into();
    explanation.to_string()
}

/// Who comes, when, and why.
struct Visit {
    technician: TechnicianId,
    starts: ServerTime,
    why: String,
}

async fn settle(
    write: &mut Write,
    order: &OpenOrder,
    visit: &Visit,
    lines: &[KitLine],
    explanation: &str,
    now: ServerTime,
) -> Result<(), StoreError> {
    let moved = sqlx::query(
        "UPDATE work_order SET state = $1, technician = $2, starts_ms = $3, kit = $4, assignment = $5, updated_ms = $6, \
         version = version + 1 WHERE id = $7 AND version = $8",
    )
    .bind(OrderState::Assigned.as_str())
    .bind(visit.technician.as_str())
    .bind(visit.starts.ms())
    .bind(json(&lines))
    .bind(explanation)
    .bind(now.ms())
    .bind(&order.id)
    .bind(order.version)
    .execute(&mut **write)
    .await?;
    one_row(moved.rows_affected())?;
    step(
        write,
        &order.id,
        now,
        OrderState::Assigned.as_str(),
        "dispatch",
        &format!("{}: {}", visit.technician, visit.why),
    )
    .await?;
    audit::append(write, now, "dispatch", "work_order", &order.id, OrderState::Assigned.as_str()).await
}

/// Says on the order why it still waits, without moving it.
async fn note(write: &mut Write, order: &OpenOrder, text: &str) -> Result<(), StoreError> {
    if order.assignment != text {
        sqlx::query("UPDATE work_order SET assignment = $1 WHERE id = $2 AND version = $3")
            .bind(text)
            .bind(&order.id)
            .bind(order.version)
            .execute(&mut **write)
            .await?;
    }
    Ok(())
}

async fn technicians(write: &mut Write, now: ServerTime) -> Result<Vec<Employed>, StoreError> {
    type Stored = (String, f64, f64, String, String, i64, f64, String);
    let stored: Vec<Stored> =
        sqlx::query_as("SELECT id, lat, lon, skills, areas, capacity, rating, van FROM technician ORDER BY id")
            .fetch_all(&mut **write)
            .await?;
    let shifts = DailyShift::EVERY_DAY.windows(now, HORIZON_DAYS).unwrap_or_default();
    let second = |time: ServerTime| Time(time.ms().div_euclid(1_000));
    let shift = |window: &dispatch::TimeWindow| Shift {
        start: second(window.start),
        end: second(window.end),
        overtime_s: 0,
        breaks: Vec::new(),
    };
    let shifts: Vec<Shift> = shifts.iter().map(shift).collect();
    stored
        .into_iter()
        .map(|(id, lat, lon, skills, areas, capacity, rating, van)| {
            let areas = from_json(|| format!("areas of technician {id}"), &areas)?;
            let technician = Technician {
                skills: from_json(|| format!("skills of technician {id}"), &skills)?,
                id: id.into(),
                start: Place { lat, lon },
                end: None,
                position: None,
                shifts: shifts.clone(),
                certificates: Vec::new(),
                territories: Vec::new(),
                capacity: Some(capacity as u32),
                cost: 1.0,
                rating: Some(rating),
                worked_s: 0,
                van_stock: Vec::new(),
            };
            Ok(Employed { covering: Covering { technician, areas }, van: van.into() })
        })
        .collect()
}

/// Visits that customers count on.
async fn promised(write: &mut Write) -> Result<Vec<Promised>, StoreError> {
    let stored: Vec<(String, f64, f64, String, i64)> = sqlx::query_as(
        "SELECT work_order.id, lat, lon, technician, starts_ms FROM work_order JOIN device ON \
         device.id = work_order.device WHERE closed_ms IS NULL AND technician IS NOT NULL AND starts_ms IS NOT NULL \
         ORDER BY work_order.id",
    )
    .fetch_all(&mut **write)
    .await?;
    let promised = |(id, lat, lon, technician, starts): (String, f64, f64, String, i64)| Promised {
        order: WorkOrder::new(id, Place { lat, lon }, SERVICE_S),
        technician: technician.into(),
        starts: ServerTime(starts),
    };
    Ok(stored.into_iter().map(promised).collect())
}

async fn locations(write: &mut Write) -> Result<Vec<Location>, StoreError> {
    type Stored = (String, String, Option<String>, f64, f64);
    let stored: Vec<Stored> =
        sqlx::query_as("SELECT id, kind, parent, lat, lon FROM location ORDER BY id").fetch_all(&mut **write).await?;
    Ok(stored
        .into_iter()
        .map(|(id, kind, parent, lat, lon)| Location {
            id: id.into(),
            kind: location_kind(&kind).unwrap_or(LocationKind::Station),
            parent: parent.map(Into::into),
            place: Some(Place { lat, lon }),
        })
        .collect())
}

/// A location's kind by its word.
pub(crate) fn location_kind(text: &str) -> Option<LocationKind> {
    match text {
        "central" => Some(LocationKind::Central),
        "regional" => Some(LocationKind::Regional),
        "station" => Some(LocationKind::Station),
        "van" => Some(LocationKind::Van),
        _ => None,
    }
}

async fn levels(write: &mut Write) -> Result<Vec<StockLevel>, StoreError> {
    let stored: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT location, part, CAST(SUM(on_hand) - SUM(reserved) AS BIGINT) FROM ledger GROUP BY location, part",
    )
    .fetch_all(&mut **write)
    .await?;
    Ok(stored
        .into_iter()
        .map(|(location, part, available)| StockLevel {
            location: location.into(),
            part: part.into(),
            available: available.max(0) as u32,
        })
        .collect())
}
