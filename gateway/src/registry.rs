//! Which devices belong to the fleet, and who may connect.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use broker::{Credentials, Denied, Identity, Policy};
use firmware_proto::{DeviceAddress, DeviceId};

use crate::auth::token_hash;
use crate::store::{Store, StoreError};

/// What service accounts may subscribe to: what devices said, and what the gateway found.
const SERVICE_FILTERS: [&str; 2] = ["ag/v1/#", "fettle/v1/#"];

/// A registered device.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Whose, and which.
    pub address: DeviceAddress,
    /// Appliance type of the catalogue.
    pub r#type: String,
    /// SHA-256 of its MQTT password.
    pub token_sha256: String,
}

/// All registered devices and service accounts, in memory; the store has them too.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    devices: HashMap<DeviceId, Arc<Registered>>,
    /// Hash of an API token by its name.
    accounts: HashMap<String, String>,
}

impl Registry {
    /// Reads all devices and accounts.
    ///
    /// # Errors
    /// When the store cannot be read or holds a malformed id.
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let rows: Vec<(String, String, String, String)> =
            sqlx::query_as("SELECT id, tenant, type, token_sha256 FROM device").fetch_all(store.read()).await?;
        let registry = Self::default();
        for (device, tenant, r#type, token_sha256) in rows {
            let (Ok(device), Ok(tenant)) = (device.parse(), tenant.parse()) else {
                tracing::error!(device, tenant, "a stored device id is malformed; the device is left out");
                continue;
            };
            registry.add(Registered { address: DeviceAddress { tenant, device }, r#type, token_sha256 });
        }
        let accounts: Vec<(String, String)> =
            sqlx::query_as("SELECT name, sha256 FROM token").fetch_all(store.read()).await?;
        for (name, sha256) in accounts {
            registry.add_account(name, sha256);
        }
        Ok(registry)
    }

    /// Lets a device in from now on.
    pub fn add(&self, device: Registered) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.devices.insert(device.address.device.clone(), Arc::new(device));
    }

    /// Lets the holder of an API token subscribe.
    pub fn add_account(&self, name: String, sha256: String) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).accounts.insert(name, sha256);
    }

    /// A device, if it is registered.
    pub fn get(&self, device: &DeviceId) -> Option<Arc<Registered>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).devices.get(device).cloned()
    }

    /// How many devices are registered.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).devices.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn account(&self, name: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).accounts.get(name).cloned()
    }
}

impl Policy for Registry {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Identity, Denied> {
        let name = credentials.username.unwrap_or_default();
        let given = token_hash(credentials.password.unwrap_or_default());
        let device = name.parse().ok().and_then(|id: DeviceId| self.get(&id));
        let (expected, identity) = match (device, self.account(name)) {
            (Some(device), _) => (device.token_sha256.clone(), Identity::Device(device.address.clone())),
            (None, Some(sha256)) => {
                let filters = SERVICE_FILTERS.map(str::to_owned).to_vec();
                (sha256, Identity::Service { name: name.to_owned(), filters })
            }
            (None, None) => return Err(Denied::UnknownDevice(name.to_owned())),
        };
        // Both are hashes: the time a comparison takes tells nothing of the token.
        if given == expected { Ok(identity) } else { Err(Denied::BadCredentials(name.to_owned())) }
    }
}
