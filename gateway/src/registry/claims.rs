//! Claims: with one a device registers itself, once, in its first login.
//!
//! The device makes up a token and logs in with its id as user name and `claim:CLAIM:TOKEN` as password. One
//! transaction uses the claim up and registers the device with that token, and only then comes the CONNACK. A device
//! that did not get it repeats the very same login, which by then is an ordinary one: its token fits. So nothing is
//! sent back that could be lost, and a claim that somebody else has used first does not go unnoticed.

use std::time::Duration;

use broker::Denied;
use firmware_proto::{DeviceAddress, DeviceId, ServerTime};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::changes::insert_device;
use super::{Particulars, Registered, Registry, RegistryError, Secret};
use crate::auth::{new_token, token_hash};
use crate::store::{StoreError, Write, audit};

/// What the password of a login with a claim begins with.
pub const CLAIM_PREFIX: &str = "claim:";

/// A device's own token, in characters. 32: 128 bits in hexadecimal, which nobody guesses.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 32..=256;

/// Claims that are open at a time. 100,000: the largest fleet, once.
const MAX_OPEN: i64 = 100_000;

/// How long it is remembered who used a claim, or that it was not used. The audit log keeps the registration.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a claim is for.
#[derive(Debug, Clone)]
pub struct NewClaim {
    /// The device as it will be registered.
    pub particulars: Particulars,
    /// The only device that may use it; none: any that is not registered.
    pub device: Option<DeviceId>,
    /// How long it may be used, by the gateway's clock.
    pub valid: Duration,
}

/// A claim as it is handed out, once.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Names it in lists.
    pub id: String,
    /// The secret.
    pub claim: String,
    /// Until when it may be used.
    pub expires: ServerTime,
}

/// The password of a first login.
pub(super) struct ClaimLogin<'a> {
    claim: &'a str,
    /// The device's own token.
    pub token: &'a str,
}

/// A claim as stored.
struct Stored {
    id: String,
    particulars: Particulars,
    device: Option<String>,
    created_by: String,
    expires: ServerTime,
    used_by: Option<String>,
}

impl<'a> ClaimLogin<'a> {
    pub(super) fn parse(password: &'a str) -> Option<Self> {
        let (claim, token) = password.strip_prefix(CLAIM_PREFIX)?.split_once(':')?;
        Some(Self { claim, token })
    }
}

impl Registry {
    /// Adds a claim.
    ///
    /// # Errors
    /// `Taken` if the device it is for is registered already, or too many claims are open.
    pub async fn add_claim(&self, new: &NewClaim, actor: &str) -> Result<Claim, RegistryError> {
        let _changing = self.0.changing.lock().await;
        if let Some(device) = &new.device {
            self.free(device)?;
        }
        let now = self.0.clock.now();
        let mut write = self.0.store.write().await?;
        forget(&mut write, now).await?;
        let open: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM claim WHERE used_by IS NULL AND expires_ms > $1")
            .bind(now.ms())
            .fetch_one(&mut *write)
            .await?;
        if open >= MAX_OPEN {
            return Err(RegistryError::Taken(format!("{open} claims are open, no more than {MAX_OPEN} may be")));
        }
        let valid_ms = i64::try_from(new.valid.as_millis()).unwrap_or(i64::MAX);
        let claim = Claim {
            id: uuid::Uuid::now_v7().to_string(),
            claim: new_token(),
            expires: ServerTime(now.ms().saturating_add(valid_ms)),
        };
        insert(&mut write, &claim, new, actor, now).await?;
        audit::append(&mut write, now, actor, "claim", &claim.id, "added").await?;
        write.commit().await?;
        Ok(claim)
    }

    /// Withdraws an open claim.
    ///
    /// # Errors
    /// `Unknown` if no open claim has this id.
    pub async fn withdraw_claim(&self, id: &str, actor: &str) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        let mut write = self.0.store.write().await?;
        let deleted = sqlx::query("DELETE FROM claim WHERE id = $1 AND used_by IS NULL").bind(id).execute(&mut *write);
        if deleted.await?.rows_affected() == 0 {
            return Err(RegistryError::Unknown(format!("there is no open claim {id:?}")));
        }
        audit::append(&mut write, self.0.clock.now(), actor, "claim", id, "withdrawn").await?;
        Ok(write.commit().await?)
    }

    /// Registers a device by its claim. Also well if it is registered already: whether the token fits is decided as
    /// with every login.
    pub(super) async fn redeem(&self, name: &str, login: &ClaimLogin<'_>) -> Result<(), Denied> {
        let refused = |reason: String| Denied::Forbidden { who: name.to_owned(), reason };
        let device: DeviceId = name.parse().map_err(|_| Denied::UnknownDevice(name.to_owned()))?;
        if !TOKEN_LENGTH.contains(&login.token.len()) || !login.token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = format!(
                "the token that came with its claim has {} characters, must have {} to {}, printable ASCII and no blanks",
                login.token.chars().count(),
                TOKEN_LENGTH.start(),
                TOKEN_LENGTH.end()
            );
            return Err(refused(reason));
        }
        let _changing = self.0.changing.lock().await;
        if self.holder(name).is_some() {
            return Ok(());
        }
        let failed = |error: StoreError| Denied::Unavailable(error.to_string());
        let stored = stored(&self.0.store, login.claim).await.map_err(failed)?;
        let stored = stored.ok_or_else(|| Denied::BadCredentials(name.to_owned()))?;
        if let Some(reason) = stored.why_not(&device, self.0.clock.now()) {
            return Err(refused(reason));
        }
        self.register_claimed(device, stored, Secret::of_token(login.token)).await.map_err(failed)
    }

    /// In one transaction: the claim is used, the device registered.
    async fn register_claimed(&self, id: DeviceId, claim: Stored, secret: Secret) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let mut write = self.0.store.write().await?;
        sqlx::query("UPDATE claim SET used_by = $1, used_ms = $2 WHERE id = $3")
            .bind(id.as_str())
            .bind(now.ms())
            .bind(&claim.id)
            .execute(&mut *write)
            .await?;
        insert_device(&mut write, &id, &claim.particulars, &secret, now).await?;
        let detail = format!("registered by claim {} of {}", claim.id, claim.created_by);
        audit::append(&mut write, now, id.as_str(), "device", id.as_str(), &detail).await?;
        write.commit().await?;
        tracing::info!(device = %id, claim = claim.id, "a device registered itself with a claim");
        let address = DeviceAddress { tenant: claim.particulars.tenant, device: id };
        self.put_device(Registered { address, r#type: claim.particulars.r#type, secret, blocked: false });
        Ok(())
    }
}

impl Stored {
    /// Why a device may not use it.
    fn why_not(&self, device: &DeviceId, now: ServerTime) -> Option<String> {
        match (&self.used_by, &self.device) {
            (Some(used_by), _) => Some(format!("its claim {} was used by {used_by}", self.id)),
            (_, Some(only)) if only != device.as_str() => Some(format!("its claim {} is for {only}", self.id)),
            _ if self.expires <= now => Some(format!("its claim {} has expired", self.id)),
            _ => None,
        }
    }
}

async fn insert(
    write: &mut Write,
    claim: &Claim,
    new: &NewClaim,
    actor: &str,
    now: ServerTime,
) -> Result<(), StoreError> {
    let Particulars { tenant, r#type, model, area, lat, lon } = &new.particulars;
    sqlx::query(
        "INSERT INTO claim (id, sha256, tenant, type, model, device, area, lat, lon, created_by, created_ms, expires_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&claim.id)
    .bind(token_hash(&claim.claim))
    .bind(tenant.as_str())
    .bind(r#type)
    .bind(model)
    .bind(new.device.as_ref().map(DeviceId::as_str))
    .bind(area)
    .bind(lat)
    .bind(lon)
    .bind(actor)
    .bind(now.ms())
    .bind(claim.expires.ms())
    .execute(&mut **write)
    .await?;
    Ok(())
}

async fn stored(store: &crate::store::Store, claim: &str) -> Result<Option<Stored>, StoreError> {
    let row = sqlx::query(
        "SELECT id, tenant, type, model, device, area, lat, lon, created_by, expires_ms, used_by FROM claim \
         WHERE sha256 = $1",
    )
    .bind(token_hash(claim))
    .fetch_optional(store.read())
    .await?;
    row.map(|row| read(&row)).transpose().map_err(StoreError::from)
}

fn read(row: &SqliteRow) -> Result<Stored, sqlx::Error> {
    let tenant = row.try_get::<String, _>("tenant")?;
    Ok(Stored {
        id: row.try_get("id")?,
        particulars: Particulars {
            tenant: tenant.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            r#type: row.try_get("type")?,
            model: row.try_get("model")?,
            area: row.try_get("area")?,
            lat: row.try_get("lat")?,
            lon: row.try_get("lon")?,
        },
        device: row.try_get("device")?,
        created_by: row.try_get("created_by")?,
        expires: ServerTime(row.try_get("expires_ms")?),
        used_by: row.try_get("used_by")?,
    })
}

/// Deletes claims that ended long ago.
async fn forget(write: &mut Write, now: ServerTime) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM claim WHERE expires_ms < $1")
        .bind(now.ms().saturating_sub(REMEMBERED.as_millis() as i64))
        .execute(&mut **write)
        .await?;
    Ok(())
}
