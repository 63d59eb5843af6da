//! Registering, blocking, new credentials: first in the store, then in memory.

use std::sync::Arc;

use firmware_proto::{DeviceAddress, DeviceId, ServerTime, TenantId};
use thiserror::Error;

use super::secret::Busy;
use super::{Account, Registered, Registry, Revoked, Secret};
use crate::store::{StoreError, Write, audit, json};

/// What is known of a device besides its id and its secret.
#[derive(Debug, Clone)]
pub struct Particulars {
    /// Whose it is.
    pub tenant: TenantId,
    /// Appliance type of the catalogue.
    pub r#type: String,
    /// Model name.
    pub model: String,
    /// Service area.
    pub area: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
}

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The name is in use.
    #[error("{0}")]
    Taken(String),
    /// No such device or account.
    #[error("{0}")]
    Unknown(String),
    /// Too many passwords are being hashed.
    #[error("too many passwords are being checked: try again later")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for RegistryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Registry {
    /// Hashes a password; takes some 20 ms of a core.
    ///
    /// # Errors
    /// `Busy` if too many are being hashed.
    pub async fn password(&self, password: String) -> Result<Secret, RegistryError> {
        let registry = self.clone();
        let hashed = tokio::task::spawn_blocking(move || registry.0.hashing.hash(&registry.0.runtime, &password)).await;
        // The task ends early only if the runtime does.
        hashed.unwrap_or(Err(Busy)).map_err(|Busy| RegistryError::Busy)
    }

    /// Lets a device in from now on.
    ///
    /// # Errors
    /// `Taken` if a device or a service account has this id.
    pub async fn register(
        &self,
        id: &DeviceId,
        particulars: &Particulars,
        secret: Secret,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        self.free(id)?;
        let now = self.0.clock.now();
        let mut write = self.0.store.write().await?;
        insert_device(&mut write, id, particulars, &secret, now).await?;
        audit::append(&mut write, now, actor, "device", id.as_str(), "registered").await?;
        write.commit().await?;
        self.put_device(Registered {
            address: DeviceAddress { tenant: particulars.tenant.clone(), device: id.clone() },
            r#type: particulars.r#type.clone(),
            secret,
            blocked: false,
        });
        Ok(())
    }

    /// Replaces a device's secret and ends its connection.
    ///
    /// # Errors
    /// `Unknown` if it is not registered.
    pub async fn replace_secret(&self, id: &DeviceId, secret: Secret, actor: &str) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        let device = self.registered(id)?;
        let mut write = self.0.store.write().await?;
        sqlx::query("UPDATE device SET secret = $1 WHERE id = $2")
            .bind(secret.as_str())
            .bind(id.as_str())
            .execute(&mut *write)
            .await?;
        let now = self.0.clock.now();
        audit::append(&mut write, now, actor, "device", id.as_str(), "credentials replaced").await?;
        write.commit().await?;
        self.put_device(Registered { secret, ..Registered::clone(&device) });
        self.0.revocations.add(Revoked::Device(id.clone()));
        Ok(())
    }

    /// Keeps a device out, or lets it in again. A second time changes nothing.
    ///
    /// # Errors
    /// `Unknown` if it is not registered.
    pub async fn block(&self, id: &DeviceId, blocked: bool, actor: &str) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        let device = self.registered(id)?;
        if device.blocked == blocked {
            return Ok(());
        }
        let now = self.0.clock.now();
        let mut write = self.0.store.write().await?;
        sqlx::query("UPDATE device SET blocked_ms = $1 WHERE id = $2")
            .bind(blocked.then_some(now.ms()))
            .bind(id.as_str())
            .execute(&mut *write)
            .await?;
        let what = if blocked { "blocked" } else { "unblocked" };
        audit::append(&mut write, now, actor, "device", id.as_str(), what).await?;
        write.commit().await?;
        self.put_device(Registered { blocked, ..Registered::clone(&device) });
        if blocked {
            self.0.revocations.add(Revoked::Device(id.clone()));
        }
        Ok(())
    }

    /// Adds a service account or replaces it, with a new secret; connections with the old one end.
    ///
    /// # Errors
    /// `Taken` if a device has this name as its id.
    pub async fn put_account(
        &self,
        name: &str,
        filters: Vec<String>,
        secret: Secret,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        if self.device_named(name).is_some() {
            return Err(RegistryError::Taken(format!("{name} is the id of a device; choose another name")));
        }
        let now = self.0.clock.now();
        let mut write = self.0.store.write().await?;
        sqlx::query(
            "INSERT INTO service_account (name, filters, secret, created_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET filters = excluded.filters, secret = excluded.secret, \
             created_ms = excluded.created_ms",
        )
        .bind(name)
        .bind(json(&filters))
        .bind(secret.as_str())
        .bind(now.ms())
        .execute(&mut *write)
        .await?;
        audit::append(&mut write, now, actor, "service account", name, &filters.join(" ")).await?;
        write.commit().await?;
        if self.known_mut().accounts.insert(name.to_owned(), Arc::new(Account { filters, secret })).is_some() {
            self.0.revocations.add(Revoked::Account(name.to_owned()));
        }
        Ok(())
    }

    /// Removes a service account and ends its connections.
    ///
    /// # Errors
    /// `Unknown` if there is none.
    pub async fn remove_account(&self, name: &str, actor: &str) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        if self.account(name).is_none() {
            return Err(RegistryError::Unknown(format!("there is no service account {name:?}")));
        }
        let mut write = self.0.store.write().await?;
        sqlx::query("DELETE FROM service_account WHERE name = $1").bind(name).execute(&mut *write).await?;
        audit::append(&mut write, self.0.clock.now(), actor, "service account", name, "removed").await?;
        write.commit().await?;
        self.known_mut().accounts.remove(name);
        self.0.revocations.add(Revoked::Account(name.to_owned()));
        Ok(())
    }

    /// That neither a device nor an account has this name: the user name of a login must tell who it is.
    pub(super) fn free(&self, name: &DeviceId) -> Result<(), RegistryError> {
        if self.get(name).is_some() {
            return Err(RegistryError::Taken(format!("device {name} is registered already")));
        }
        if self.account(name.as_str()).is_some() {
            return Err(RegistryError::Taken(format!("{name} is the name of a service account; choose another id")));
        }
        Ok(())
    }

    fn registered(&self, id: &DeviceId) -> Result<Arc<Registered>, RegistryError> {
        self.get(id).ok_or_else(|| RegistryError::Unknown(format!("no device {id}")))
    }
}

/// Writes a device's row.
pub(super) async fn insert_device(
    write: &mut Write,
    id: &DeviceId,
    particulars: &Particulars,
    secret: &Secret,
    now: ServerTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO device (id, tenant, type, model, secret, area, lat, lon, registered_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.as_str())
    .bind(particulars.tenant.as_str())
    .bind(&particulars.r#type)
    .bind(&particulars.model)
    .bind(secret.as_str())
    .bind(&particulars.area)
    .bind(particulars.lat)
    .bind(particulars.lon)
    .bind(now.ms())
    .execute(&mut **write)
    .await?;
    Ok(())
}
