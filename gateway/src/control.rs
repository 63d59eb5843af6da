//! What people may ask of the gateway. REST and gRPC are two doors to these calls.

mod identity;

use std::sync::Arc;

use firmware_proto::DeviceId;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use crate::auth::{Actor, Role, new_token, token_hash};
use crate::ingest::shard_of;
use crate::parts::ledger::{self, Booked, Entry, EntryKind};
use crate::registry::RegistryError;
use crate::shard::{Ask, House, ToShard};
use crate::store::{StoreError, Write, audit, json};
use crate::work::{self, location_kind};

pub use identity::{AccountLogin, ClaimTicket, DeviceLogin, NewAccount, NewClaim, NewCredentials, NewDevice};

/// Why a request was not carried out; the kinds map to HTTP and gRPC codes.
#[derive(Debug, Error)]
pub enum ControlError {
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 409: not in this state, or somebody else was faster.
    #[error("{0}")]
    Conflict(String),
    /// 422: names the field and what would be right.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// 403: the token's role does not allow it, or the same person would decide twice.
    #[error("{0}")]
    Forbidden(String),
    /// 503: too much at a time.
    #[error("{0}")]
    Busy(String),
    /// 503: shutting down.
    #[error("the gateway is shutting down")]
    Closed,
    /// 500.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RegistryError> for ControlError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Taken(message) => Self::Conflict(message),
            RegistryError::Unknown(message) => Self::NotFound(message),
            RegistryError::Busy => Self::Busy(error.to_string()),
            RegistryError::Store(error) => Self::Store(error),
        }
    }
}

/// A technician to be dispatched.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTechnician {
    /// Unique.
    pub id: String,
    /// For people.
    pub name: String,
    /// Start of the day, degrees north.
    pub lat: f64,
    /// Start of the day, degrees east.
    pub lon: f64,
    /// What he or she is trained for.
    pub skills: Vec<String>,
    /// Where he or she works.
    pub areas: Vec<String>,
    /// Visits a day.
    pub capacity: u32,
    /// Customers' rating, 0 to 5.
    pub rating: f64,
    /// The stock location that is the van.
    pub van: String,
}

/// A place where parts lie.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLocation {
    /// Unique.
    pub id: String,
    /// `central`, `regional`, `station` or `van`.
    pub kind: String,
    /// For people.
    pub name: String,
    /// The location it is replenished from; none for `central`.
    #[serde(default)]
    pub parent: Option<String>,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
}

/// Parts that have arrived.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Where.
    pub location: String,
    /// Which part, by its key in the catalogue.
    pub part: String,
    /// How many, at least 1.
    pub quantity: u32,
}

/// The next step of a work order's visit.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum OrderStep {
    /// The technician takes it.
    Accept,
    /// On the road.
    Travel,
    /// At the appliance.
    Arrive,
    /// Done; teaches the diagnosis.
    Complete {
        /// The root cause as found on site, by its key, or `no_fault_found`.
        confirmed: String,
        /// What was fitted; reserved parts that were not are released.
        #[serde(default)]
        used: Vec<UsedPart>,
    },
    /// Not needed any more; reserved parts are released.
    Cancel {
        /// Why.
        reason: String,
    },
}

/// A part fitted on site.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsedPart {
    /// Which.
    pub part: String,
    /// How many.
    pub quantity: u32,
}

/// A remote repair that a person asks for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueRepair {
    /// On which device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Which repair of the device type's catalogue.
    pub repair: String,
}

/// Carries requests to the parts of the gateway that own the state.
#[derive(Debug, Clone)]
pub struct Control {
    house: Arc<House>,
    shards: Vec<mpsc::WeakSender<ToShard>>,
}

impl Control {
    /// Weak senders: a control that lives on does not keep the shards from ending.
    pub fn new(house: Arc<House>, shards: &[mpsc::Sender<ToShard>]) -> Self {
        Self { house, shards: shards.iter().map(mpsc::Sender::downgrade).collect() }
    }

    /// Plans a remote repair; returns its id. Classes R3 and R4 wait for approval.
    ///
    /// # Errors
    /// `NotFound` for device or repair, `Conflict` while another one is under way or the device is locked out.
    pub async fn issue_repair(&self, request: IssueRepair, actor: &Actor) -> Result<String, ControlError> {
        let registered = self.house.registry.get(&request.device);
        let registered = registered.ok_or_else(|| ControlError::NotFound(format!("no device {}", request.device)))?;
        let ty = self.house.catalogue.get(&registered.r#type);
        if ty.is_none_or(|ty| ty.repair(&request.repair).is_none()) {
            let known: Vec<&str> =
                ty.iter().flat_map(|ty| ty.repairs.iter().map(|repair| repair.key.as_str())).collect();
            let reason =
                format!("type {} has no repair {:?}; it has {}", registered.r#type, request.repair, known.join(", "));
            return Err(ControlError::NotFound(reason));
        }
        self.ask(&request.device, Ask::Issue { repair: request.repair, actor: actor.name.clone() }).await
    }

    /// Approves a repair; `body_hash` is what the approver saw.
    ///
    /// # Errors
    /// `Forbidden` for the person who issued it, `Conflict` if it does not wait or the body is another.
    pub async fn approve_repair(&self, repair: &str, body_hash: &str, actor: &Actor) -> Result<(), ControlError> {
        let (device, issued_by, stored_hash) = self.repair(repair).await?;
        if issued_by == actor.name {
            return Err(ControlError::Forbidden(
                "a repair is approved by somebody else than the one who asked for it".into(),
            ));
        }
        if stored_hash != body_hash {
            return Err(ControlError::Conflict(format!("body_hash is not that of repair {repair}: read it again")));
        }
        self.ask(&device, Ask::Approve { repair: repair.to_owned(), actor: actor.name.clone() }).await.map(drop)
    }

    /// Cancels a repair that has not been sent.
    ///
    /// # Errors
    /// `Conflict` once the device may have it.
    pub async fn cancel_repair(&self, repair: &str, actor: &Actor) -> Result<(), ControlError> {
        let (device, _, _) = self.repair(repair).await?;
        self.ask(&device, Ask::Cancel { repair: repair.to_owned(), actor: actor.name.clone() }).await.map(drop)
    }

    /// Moves a work order one step; `version` is the one the caller saw.
    ///
    /// # Errors
    /// `Conflict` if the step does not follow, or another version is stored.
    pub async fn step_order(
        &self,
        order: &str,
        version: i64,
        step: OrderStep,
        actor: &Actor,
    ) -> Result<(), ControlError> {
        if let OrderStep::Complete { confirmed, .. } = &step {
            self.check_cause(order, confirmed).await?;
        }
        let stepped = work::take_step(&self.house.store, order, version, &step, actor, self.house.clock.now()).await?;
        if let (true, Ok(device)) = (stepped.ended, stepped.device.parse()) {
            self.house.learning.case_ended();
            self.ask(&device, Ask::OrderEnded).await?;
        }
        Ok(())
    }

    /// Adds or replaces a technician.
    ///
    /// # Errors
    /// `Invalid` for an unknown van or impossible numbers.
    pub async fn put_technician(&self, technician: NewTechnician, actor: &Actor) -> Result<(), ControlError> {
        check_place(technician.lat, technician.lon)?;
        within("capacity", f64::from(technician.capacity), 0.0, 144.0)?;
        within("rating", technician.rating, 0.0, 5.0)?;
        not_empty("skills", &technician.skills)?;
        not_empty("areas", &technician.areas)?;
        let mut write = self.house.store.write().await?;
        known_location(&mut write, "van", &technician.van).await?;
        sqlx::query(
            "INSERT INTO technician (id, name, lat, lon, skills, areas, capacity, rating, van) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
             lat = excluded.lat, lon = excluded.lon, skills = excluded.skills, areas = excluded.areas, \
             capacity = excluded.capacity, rating = excluded.rating, van = excluded.van",
        )
        .bind(&technician.id)
        .bind(&technician.name)
        .bind(technician.lat)
        .bind(technician.lon)
        .bind(json(&technician.skills))
        .bind(json(&technician.areas))
        .bind(i64::from(technician.capacity))
        .bind(technician.rating)
        .bind(&technician.van)
        .execute(&mut *write)
        .await
        .map_err(StoreError::from)?;
        audit::append(&mut write, self.house.clock.now(), &actor.name, "technician", &technician.id, "put").await?;
        self.commit(write).await
    }

    /// Adds a stock location.
    ///
    /// # Errors
    /// `Invalid` for an unknown parent or kind, `Conflict` if the id is taken.
    pub async fn add_location(&self, location: NewLocation, actor: &Actor) -> Result<(), ControlError> {
        check_place(location.lat, location.lon)?;
        let kind = location_kind(&location.kind).ok_or_else(|| ControlError::Invalid {
            field: "kind",
            reason: format!("{:?} is no kind of location; use central, regional, station or van", location.kind),
        })?;
        let mut write = self.house.store.write().await?;
        if let Some(parent) = &location.parent {
            let parent_kind = known_location(&mut write, "parent", parent).await?;
            if location_kind(&parent_kind).is_none_or(|parent_kind| parent_kind <= kind) {
                let reason = format!("a {} is not replenished from a {parent_kind}", location.kind);
                return Err(ControlError::Invalid { field: "parent", reason });
            }
        }
        sqlx::query("INSERT INTO location (id, kind, name, parent, lat, lon) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&location.id)
            .bind(&location.kind)
            .bind(&location.name)
            .bind(&location.parent)
            .bind(location.lat)
            .bind(location.lon)
            .execute(&mut *write)
            .await
            .map_err(|error| taken(error, || format!("location {} exists already", location.id)))?;
        audit::append(&mut write, self.house.clock.now(), &actor.name, "location", &location.id, "added").await?;
        self.commit(write).await
    }

    /// Books parts that arrived; returns the new quantity on hand.
    ///
    /// # Errors
    /// `Invalid` for an unknown part or location.
    pub async fn receive(&self, receipt: Receipt, actor: &Actor) -> Result<i64, ControlError> {
        within("quantity", f64::from(receipt.quantity), 1.0, 1_000_000.0)?;
        if !self.house.catalogue.iter().any(|ty| ty.part(&receipt.part).is_some()) {
            let reason = format!("{:?} is not a part of any appliance type in the catalogue", receipt.part);
            return Err(ControlError::Invalid { field: "part", reason });
        }
        let mut write = self.house.store.write().await?;
        known_location(&mut write, "location", &receipt.location).await?;
        let entry = Entry {
            at: self.house.clock.now(),
            kind: EntryKind::Receive,
            location: &receipt.location,
            part: &receipt.part,
            on_hand: i64::from(receipt.quantity),
            reserved: 0,
            work_order: None,
            actor: &actor.name,
        };
        let (Booked::Done(level) | Booked::Short(level)) = ledger::book(&mut write, &entry).await?;
        self.commit(write).await?;
        Ok(level.on_hand)
    }

    /// Creates or replaces an API token and returns it; it is shown once.
    ///
    /// # Errors
    /// When state cannot be written.
    pub async fn new_token(&self, name: &str, role: Role) -> Result<String, ControlError> {
        let token = new_token();
        let now = self.house.clock.now();
        let mut write = self.house.store.write().await?;
        sqlx::query(
            "INSERT INTO token (sha256, name, role, created_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, role = excluded.role, created_ms = excluded.created_ms",
        )
        .bind(token_hash(&token))
        .bind(name)
        .bind(role.as_str())
        .bind(now.ms())
        .execute(&mut *write)
        .await
        .map_err(StoreError::from)?;
        audit::append(&mut write, now, "gateway", "token", name, role.as_str()).await?;
        write.commit().await.map_err(StoreError::from)?;
        Ok(token)
    }

    /// Commits what may let a waiting work order be assigned.
    async fn commit(&self, write: Write) -> Result<(), ControlError> {
        write.commit().await.map_err(StoreError::from)?;
        self.house.orders.notify_one();
        Ok(())
    }

    async fn ask(&self, device: &DeviceId, ask: Ask) -> Result<String, ControlError> {
        let shard = self.shards[shard_of(device, self.shards.len())].upgrade().ok_or(ControlError::Closed)?;
        let (reply, answer) = oneshot::channel();
        shard.send(ToShard::Ask { device: device.clone(), ask, reply }).await.map_err(|_| ControlError::Closed)?;
        answer.await.map_err(|_| ControlError::Closed)?.map_err(ControlError::Conflict)
    }

    async fn repair(&self, repair: &str) -> Result<(DeviceId, String, String), ControlError> {
        let row: Option<(String, String, String)> =
            sqlx::query_as("SELECT device, issued_by, body_hash FROM repair WHERE id = $1")
                .bind(repair)
                .fetch_optional(self.house.store.read())
                .await
                .map_err(StoreError::from)?;
        let not_found = || ControlError::NotFound(format!("no repair {repair}"));
        let (device, issued_by, body_hash) = row.ok_or_else(not_found)?;
        Ok((device.parse().map_err(|_| not_found())?, issued_by, body_hash))
    }

    async fn check_cause(&self, order: &str, confirmed: &str) -> Result<(), ControlError> {
        let r#type: Option<String> = sqlx::query_scalar(
            "SELECT device.type FROM work_order JOIN device ON device.id = device WHERE work_order.id = $1",
        )
        .bind(order)
        .fetch_optional(self.house.store.read())
        .await
        .map_err(StoreError::from)?;
        let r#type = r#type.ok_or_else(|| ControlError::NotFound(format!("no work order {order}")))?;
        let known: Vec<&str> = self
            .house
            .catalogue
            .get(&r#type)
            .iter()
            .flat_map(|ty| ty.causes.iter().map(|cause| cause.key.as_str()))
            .collect();
        if confirmed == NO_FAULT_FOUND || known.contains(&confirmed) {
            return Ok(());
        }
        let reason = format!(
            "{confirmed:?} is no cause of type {}; use {NO_FAULT_FOUND} or one of {}",
            r#type,
            known.join(", ")
        );
        Err(ControlError::Invalid { field: "confirmed", reason })
    }
}

/// What a technician confirms who finds nothing wrong.
pub(crate) const NO_FAULT_FOUND: &str = "no_fault_found";

fn within(field: &'static str, value: f64, low: f64, high: f64) -> Result<(), ControlError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(ControlError::Invalid { field, reason: format!("is {value}, must lie between {low} and {high}") })
}

fn check_place(lat: f64, lon: f64) -> Result<(), ControlError> {
    within("lat", lat, -90.0, 90.0)?;
    within("lon", lon, -180.0, 180.0)
}

fn not_empty(field: &'static str, list: &[String]) -> Result<(), ControlError> {
    if list.iter().any(|text| !text.trim().is_empty()) && !list.iter().any(|text| text.trim().is_empty()) {
        return Ok(());
    }
    Err(ControlError::Invalid { field, reason: "must hold at least one text, and no empty one".into() })
}

async fn known_location(write: &mut Write, field: &'static str, id: &str) -> Result<String, ControlError> {
    let kind: Option<String> = sqlx::query_scalar("SELECT kind FROM location WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut **write)
        .await
        .map_err(StoreError::from)?;
    kind.ok_or_else(|| ControlError::Invalid { field, reason: format!("there is no location {id:?}") })
}

fn taken(error: sqlx::Error, message: impl FnOnce() -> String) -> ControlError {
    match error.as_database_error().map(|error| error.is_unique_violation()) {
        Some(true) => ControlError::Conflict(message()),
        _ => ControlError::Store(error.into()),
    }
}
