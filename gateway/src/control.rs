//! What people may ask of the gateway. REST and gRPC are two doors to these calls.

use firmware_proto::{DeviceId, TenantId};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::auth::Actor;
use crate::store::StoreError;

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
    /// 503: shutting down.
    #[error("the gateway is shutting down")]
    Closed,
    /// 500.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A device to be let in.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// Unique; as a rule the serial number. Letters, digits, `.`, `_`, `-`.
    #[schema(value_type = String, example = "AC-0042")]
    pub id: DeviceId,
    /// Whose it is.
    #[schema(value_type = String, example = "home")]
    pub tenant: TenantId,
    /// Appliance type of the catalogue.
    #[schema(example = "split-ac")]
    pub r#type: String,
    /// Model name.
    #[serde(default)]
    pub model: String,
    /// Service area, matched against technicians' areas.
    #[serde(default)]
    pub area: String,
    /// Degrees north.
    #[serde(default)]
    pub lat: f64,
    /// Degrees east.
    #[serde(default)]
    pub lon: f64,
}

/// The device's MQTT login. The password is shown once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceLogin {
    /// MQTT user name: the device id.
    pub username: String,
    /// MQTT password.
    pub password: String,
    /// Everything the device publishes goes below this.
    #[schema(example = "ag/v1/home/AC-0042")]
    pub topic_prefix: String,
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
pub struct Control {}

impl Control {
    /// Registers a device and returns its login.
    ///
    /// # Errors
    /// `Invalid` for an unknown type or bad place, `Conflict` if the id is taken.
    pub async fn register_device(&self, device: NewDevice, actor: &Actor) -> Result<DeviceLogin, ControlError> {
        let _ = (device, actor);
        Err(ControlError::Closed)
    }

    /// Plans a remote repair; returns its id. Classes R3 and R4 wait for approval.
    ///
    /// # Errors
    /// `NotFound` for device or repair, `Conflict` while another one is under way or the device is locked out.
    pub async fn issue_repair(&self, request: IssueRepair, actor: &Actor) -> Result<String, ControlError> {
        let _ = (request, actor);
        Err(ControlError::Closed)
    }

    /// Approves a repair; `body_hash` is what the approver saw.
    ///
    /// # Errors
    /// `Forbidden` for the person who issued it, `Conflict` if it does not wait or the body is another.
    pub async fn approve_repair(&self, repair: &str, body_hash: &str, actor: &Actor) -> Result<(), ControlError> {
        let _ = (repair, body_hash, actor);
        Err(ControlError::Closed)
    }

    /// Cancels a repair that has not been sent.
    ///
    /// # Errors
    /// `Conflict` once the device may have it.
    pub async fn cancel_repair(&self, repair: &str, actor: &Actor) -> Result<(), ControlError> {
        let _ = (repair, actor);
        Err(ControlError::Closed)
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
        let _ = (order, version, step, actor);
        Err(ControlError::Closed)
    }

    /// Adds or replaces a technician.
    ///
    /// # Errors
    /// `Invalid` for an unknown van or impossible numbers.
    pub async fn put_technician(&self, technician: NewTechnician, actor: &Actor) -> Result<(), ControlError> {
        let _ = (technician, actor);
        Err(ControlError::Closed)
    }

    /// Adds a stock location.
    ///
    /// # Errors
    /// `Invalid` for an unknown parent or kind, `Conflict` if the id is taken.
    pub async fn add_location(&self, location: NewLocation, actor: &Actor) -> Result<(), ControlError> {
        let _ = (location, actor);
        Err(ControlError::Closed)
    }

    /// Books parts that arrived; returns the new quantity on hand.
    ///
    /// # Errors
    /// `Invalid` for an unknown part or location.
    pub async fn receive(&self, receipt: Receipt, actor: &Actor) -> Result<i64, ControlError> {
        let _ = (receipt, actor);
        Err(ControlError::Closed)
    }
}
