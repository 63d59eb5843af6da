//! Who may connect: devices, their credentials, claims, service accounts.

use std::time::Duration;

use firmware_proto::{DeviceId, IdError, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Control, ControlError, check_place, within};
use crate::auth::{Actor, new_token};
use crate::registry::{self, CLAIM_PREFIX, Particulars, Secret};

/// Length of a password in characters. 12: with argon2id out of reach of guessing; 128: nobody types more.
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 12..=128;

/// Filters of one service account: as many as a client may subscribe to.
const MAX_FILTERS: usize = 16;

/// Where the filters of service accounts lie: what devices said, and what the gateway made of it.
const SERVICE_TOPICS: [&str; 2] = ["ag/v1/", "fettle/v1/"];

/// How long a claim is valid unless said otherwise.
const CLAIM_HOURS: u32 = 24;

/// A device to be let in. Without `Debug`, so that no password gets into a log.
#[derive(Clone, Deserialize, ToSchema)]
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
    /// MQTT password of 12 to 128 characters; a random token is made if absent, which is safer and faster.
    #[serde(default)]
    #[schema(min_length = 12, max_length = 128)]
    pub password: Option<String>,
}

/// New credentials of a device. Without `Debug`, likewise.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// MQTT password of 12 to 128 characters; a random token is made if absent.
    #[serde(default)]
    #[schema(min_length = 12, max_length = 128)]
    pub password: Option<String>,
}

/// The device's MQTT login. A token is shown once.
#[derive(Clone, Serialize, ToSchema)]
pub struct DeviceLogin {
    /// MQTT user name: the device id.
    pub username: String,
    /// MQTT password: the token that was made. Absent if the request gave a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Everything the device publishes goes below this.
    #[schema(example = "ag/v1/home/AC-0042")]
    pub topic_prefix: String,
}

/// A service account: it listens over MQTT, and publishes nothing.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// MQTT topic filters below `ag/v1/` or `fettle/v1/`, 1 to 16; its subscriptions must lie within them.
    #[schema(example = json!(["ag/v1/home/#", "fettle/v1/#"]))]
    pub filters: Vec<String>,
}

/// The account's MQTT login. The password is shown once.
#[derive(Clone, Serialize, ToSchema)]
pub struct AccountLogin {
    /// MQTT user name.
    pub username: String,
    /// MQTT password.
    pub password: String,
}

/// With a claim one device that is not registered registers itself.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClaim {
    /// Whose the device will be.
    #[schema(value_type = String, example = "home")]
    pub tenant: TenantId,
    /// Appliance type of the catalogue.
    #[schema(example = "split-ac")]
    pub r#type: String,
    /// The only device that may use it; any if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub device: Option<DeviceId>,
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
    /// How long it may be used, 1 to 720 hours; 24 if absent.
    #[serde(default = "claim_hours")]
    #[schema(minimum = 1, maximum = 720)]
    pub valid_hours: u32,
}

/// A claim, shown once. The device logs in with its id as user name and `claim:CLAIM:TOKEN` as password, TOKEN
/// being 32 to 256 characters that it makes up at random; from then on the token alone is its password.
#[derive(Clone, Serialize, ToSchema)]
pub struct ClaimTicket {
    /// Names it in the list of claims.
    pub id: String,
    /// The secret.
    pub claim: String,
    /// Until when it may be used, in epoch milliseconds of the gateway's clock.
    pub expires_ms: i64,
}

fn claim_hours() -> u32 {
    CLAIM_HOURS
}

impl Control {
    /// Registers a device and returns its login.
    ///
    /// # Errors
    /// `Invalid` for an unknown type, bad place or bad password, `Conflict` if the id is taken.
    pub async fn register_device(&self, device: NewDevice, actor: &Actor) -> Result<DeviceLogin, ControlError> {
        self.check_type(&device.r#type)?;
        check_place(device.lat, device.lon)?;
        let NewDevice { id, tenant, r#type, model, area, lat, lon, password } = device;
        let (secret, token) = self.secret(password).await?;
        let particulars = Particulars { tenant, r#type, model, area, lat, lon };
        self.house.registry.register(&id, &particulars, secret, &actor.name).await?;
        Ok(login(&id, &particulars.tenant, token))
    }

    /// Replaces a device's token or password; a connection with the old one ends.
    ///
    /// # Errors
    /// `NotFound` for the device, `Invalid` for a bad password.
    pub async fn replace_credentials(
        &self,
        device: &str,
        new: NewCredentials,
        actor: &Actor,
    ) -> Result<DeviceLogin, ControlError> {
        let registered = device.parse().ok().and_then(|id| self.house.registry.get(&id));
        let address = &registered.ok_or_else(|| no_device(device))?.address;
        let (secret, token) = self.secret(new.password).await?;
        self.house.registry.replace_secret(&address.device, secret, &actor.name).await?;
        Ok(login(&address.device, &address.tenant, token))
    }

    /// Keeps a device out, or lets it in again; its connection ends.
    ///
    /// # Errors
    /// `NotFound` for the device.
    pub async fn block_device(&self, device: &str, blocked: bool, actor: &Actor) -> Result<(), ControlError> {
        let id = device.parse().map_err(|_| no_device(device))?;
        Ok(self.house.registry.block(&id, blocked, &actor.name).await?)
    }

    /// Adds or replaces a service account and returns its login; a connection with the old one ends.
    ///
    /// # Errors
    /// `Invalid` for the name or a filter, `Conflict` if a device has this id.
    pub async fn put_account(
        &self,
        name: &str,
        account: NewAccount,
        actor: &Actor,
    ) -> Result<AccountLogin, ControlError> {
        // The same letters as device ids, which name who connects as well.
        name.parse::<DeviceId>().map_err(|error: IdError| invalid("name", error.to_string()))?;
        check_filters(&account.filters)?;
        let password = new_token();
        let secret = Secret::of_token(&password);
        self.house.registry.put_account(name, account.filters, secret, &actor.name).await?;
        Ok(AccountLogin { username: name.to_owned(), password })
    }

    /// Removes a service account; its connections end.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn remove_account(&self, name: &str, actor: &Actor) -> Result<(), ControlError> {
        Ok(self.house.registry.remove_account(name, &actor.name).await?)
    }

    /// Adds a claim, with which a device registers itself.
    ///
    /// # Errors
    /// `Invalid` as for a device, `Conflict` if the device is registered already.
    pub async fn add_claim(&self, claim: NewClaim, actor: &Actor) -> Result<ClaimTicket, ControlError> {
        self.check_type(&claim.r#type)?;
        check_place(claim.lat, claim.lon)?;
        within("valid_hours", f64::from(claim.valid_hours), 1.0, 720.0)?;
        let NewClaim { tenant, r#type, device, model, area, lat, lon, valid_hours } = claim;
        let new = registry::NewClaim {
            particulars: Particulars { tenant, r#type, model, area, lat, lon },
            device,
            valid: Duration::from_secs(u64::from(valid_hours) * 3_600),
        };
        let claim = self.house.registry.add_claim(&new, &actor.name).await?;
        Ok(ClaimTicket { id: claim.id, claim: claim.claim, expires_ms: claim.expires.ms() })
    }

    /// Withdraws a claim that has not been used.
    ///
    /// # Errors
    /// `NotFound` if no open claim has this id.
    pub async fn withdraw_claim(&self, id: &str, actor: &Actor) -> Result<(), ControlError> {
        Ok(self.house.registry.withdraw_claim(id, &actor.name).await?)
    }

    fn check_type(&self, r#type: &str) -> Result<(), ControlError> {
        if self.house.catalogue.get(r#type).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = self.house.catalogue.iter().map(|ty| ty.key.as_str()).collect();
        Err(invalid("type", format!("{type:?} is not in the catalogue; it has {}", known.join(", "))))
    }

    /// What is stored, and the token if one was made.
    async fn secret(&self, password: Option<String>) -> Result<(Secret, Option<String>), ControlError> {
        let Some(password) = password else {
            let token = new_token();
            return Ok((Secret::of_token(&token), Some(token)));
        };
        check_password(&password)?;
        Ok((self.house.registry.password(password).await?, None))
    }
}

fn login(device: &DeviceId, tenant: &TenantId, password: Option<String>) -> DeviceLogin {
    let topic_prefix = format!("{}/{tenant}/{device}", firmware_proto::topic::PREFIX);
    DeviceLogin { username: device.to_string(), password, topic_prefix }
}

/// The password itself is in no error.
fn check_password(password: &str) -> Result<(), ControlError> {
    let length = password.chars().count();
    if !PASSWORD_LENGTH.contains(&length) {
        let (least, most) = (PASSWORD_LENGTH.start(), PASSWORD_LENGTH.end());
        return Err(invalid("password", format!("has {length} characters, must have {least} to {most}")));
    }
    if password.starts_with(CLAIM_PREFIX) || password.chars().any(char::is_control) {
        let reason = format!("must not begin with {CLAIM_PREFIX:?}, nor hold control characters");
        return Err(invalid("password", reason));
    }
    Ok(())
}

fn check_filters(filters: &[String]) -> Result<(), ControlError> {
    if filters.is_empty() || filters.len() > MAX_FILTERS {
        return Err(invalid("filters", format!("are {}, must be 1 to {MAX_FILTERS}", filters.len())));
    }
    for filter in filters {
        broker::check_filter(filter).map_err(|error| invalid("filters", error.to_string()))?;
        if !SERVICE_TOPICS.iter().any(|topics| filter.starts_with(topics)) {
            let reason = format!("{filter:?} is not below {}", SERVICE_TOPICS.join(" or "));
            return Err(invalid("filters", reason));
        }
    }
    Ok(())
}

fn invalid(field: &'static str, reason: String) -> ControlError {
    ControlError::Invalid { field, reason }
}

fn no_device(device: &str) -> ControlError {
    ControlError::NotFound(format!("no device {device}"))
}
