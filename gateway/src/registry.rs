//! Which devices belong to the fleet, and who may connect.
//!
//! A login is decided in memory: by a certificate, a random token, a password. Only a [claim](NewClaim), with
//! which a device registers itself, is looked up in the store. Changes (`changes`, `claims`) go to the store first,
//! one at a time, so that memory and store never differ in order.
//!
//! Not here: how a certificate is checked (the front does, before it asks), who may change what (the API).

mod changes;
mod claims;
mod revocations;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use broker::{ClientCertificate, Credentials, Denied, Identity, Policy};
use firmware_proto::{DeviceAddress, DeviceId};
use tokio::runtime::Handle;

use crate::certs::{DEVICE_URN, SERVICE_URN};
use crate::clock::Clock;
use crate::store::{Store, StoreError, from_json};

pub use changes::{Particulars, RegistryError};
pub use claims::{CLAIM_PREFIX, Claim, NewClaim};
pub use revocations::{Revocations, Revoked};
pub use secret::Secret;

use claims::ClaimLogin;
use secret::{Busy, Hashing};

/// A registered device.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Whose, and which.
    pub address: DeviceAddress,
    /// Appliance type of the catalogue.
    pub r#type: String,
    /// Its token or password, as stored.
    pub secret: Secret,
    /// Whether it is kept out, whatever it shows.
    pub blocked: bool,
}

/// A service account.
#[derive(Debug, Clone)]
struct Account {
    /// MQTT topic filters; what it hears lies within them.
    filters: Vec<String>,
    secret: Secret,
}

/// All registered devices and service accounts, in memory; the store has them too. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    known: RwLock<Known>,
    /// Held from a change's transaction until it is known in memory: two changes of one device must be known in the
    /// order in which they were stored. Logins do not take it, except the first one with a claim.
    changing: tokio::sync::Mutex<()>,
    store: Store,
    clock: Clock,
    /// For the store, from the blocking threads on which logins are decided.
    runtime: Handle,
    hashing: Hashing,
    revocations: Revocations,
}

#[derive(Debug, Default)]
struct Known {
    devices: HashMap<DeviceId, Arc<Registered>>,
    accounts: HashMap<String, Arc<Account>>,
}

/// Whom a name stands for.
enum Holder {
    Device(Arc<Registered>),
    Account(Arc<Account>),
}

impl Registry {
    /// Reads all devices and accounts. Inside a tokio runtime, whose threads must outlive the logins.
    ///
    /// # Errors
    /// When the store cannot be read or does not read back.
    pub async fn load(store: &Store, clock: Clock) -> Result<Self, StoreError> {
        let known = Known { devices: devices(store).await?, accounts: accounts(store).await? };
        Ok(Self(Arc::new(Inner {
            known: RwLock::new(known),
            changing: tokio::sync::Mutex::new(()),
            store: store.clone(),
            clock,
            runtime: Handle::current(),
            hashing: Hashing::new(),
            revocations: Revocations::default(),
        })))
    }

    /// A device, if it is registered.
    pub fn get(&self, device: &DeviceId) -> Option<Arc<Registered>> {
        self.known().devices.get(device).cloned()
    }

    /// How many devices are registered.
    pub fn len(&self) -> usize {
        self.known().devices.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whom to disconnect, as they are revoked.
    pub fn revocations(&self) -> Revocations {
        self.0.revocations.clone()
    }

    fn device_named(&self, name: &str) -> Option<Arc<Registered>> {
        self.get(&name.parse().ok()?)
    }

    fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.known().accounts.get(name).cloned()
    }

    fn holder(&self, name: &str) -> Option<Holder> {
        let account = || self.account(name).map(Holder::Account);
        self.device_named(name).map(Holder::Device).or_else(account)
    }

    fn put_device(&self, device: Registered) {
        self.known_mut().devices.insert(device.address.device.clone(), Arc::new(device));
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn by_password(&self, name: &str, password: &str) -> Result<Identity, Denied> {
        let claim = ClaimLogin::parse(password);
        let holder = match (self.holder(name), &claim) {
            (None, Some(login)) => {
                self.0.runtime.block_on(self.redeem(name, login))?;
                self.holder(name)
            }
            (holder, _) => holder,
        };
        let holder = holder.ok_or_else(|| Denied::UnknownDevice(name.to_owned()))?;
        let (secret, given) = match &holder {
            // A claim that has been used is as good as the token that came with it.
            Holder::Device(device) => (&device.secret, claim.map_or(password, |login| login.token)),
            Holder::Account(account) => (&account.secret, password),
        };
        match self.0.hashing.matches(&self.0.runtime, secret, given) {
            Ok(true) => holder.admit(name),
            Ok(false) => Err(Denied::BadCredentials(name.to_owned())),
            Err(Busy) => Err(Denied::Unavailable("too many passwords are being checked".to_owned())),
        }
    }

    /// The certificate has been checked by the front; what is decided here is for whom it stands.
    fn by_certificate(
        &self,
        certificate: &ClientCertificate,
        client_id: &str,
        username: &str,
    ) -> Result<Identity, Denied> {
        let names: Vec<&str> = certificate.names.iter().map(|name| id_in(name)).collect();
        let who = || names.join(", ");
        let mut known = certificate.names.iter().filter_map(|name| Some((id_in(name), self.certified(name)?)));
        // A certificate with several names is for the one that the client says it is; that its client id is the
        // device's id, the front sees to.
        let said = if username.is_empty() { client_id } else { username };
        let first = known.next().ok_or_else(|| Denied::UnknownDevice(who()))?;
        let (name, holder) = [first].into_iter().chain(known).min_by_key(|(name, _)| *name != said).expect("one is");
        let forbidden = |reason: String| Denied::Forbidden { who: said.to_owned(), reason };
        if !username.is_empty() && username != name {
            return Err(forbidden(format!("its certificate is for {name}, and so must be the user name")));
        }
        holder.admit(name)
    }

    /// Who a name of a certificate is: by our URIs, or the bare id in a certificate of another authority.
    fn certified(&self, name: &str) -> Option<Holder> {
        if let Some(id) = name.strip_prefix(DEVICE_URN) {
            return self.device_named(id).map(Holder::Device);
        }
        if let Some(id) = name.strip_prefix(SERVICE_URN) {
            return self.account(id).map(Holder::Account);
        }
        self.holder(name)
    }
}

impl Policy for Registry {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Identity, Denied> {
        let username = credentials.username.unwrap_or_default();
        match credentials.certificate {
            Some(certificate) => self.by_certificate(certificate, credentials.client_id, username),
            None => self.by_password(username, credentials.password.unwrap_or_default()),
        }
    }

    fn revision(&self) -> u64 {
        self.0.revocations.count()
    }
}

impl Holder {
    /// Once it has proved who it is.
    fn admit(self, name: &str) -> Result<Identity, Denied> {
        match self {
            Self::Device(device) if device.blocked => {
                Err(Denied::Forbidden { who: name.to_owned(), reason: "the device is blocked".to_owned() })
            }
            Self::Device(device) => Ok(Identity::Device(device.address.clone())),
            Self::Account(account) => Ok(Identity::Service { name: name.to_owned(), filters: account.filters.clone() }),
        }
    }
}

/// The id in a name of a certificate.
fn id_in(name: &str) -> &str {
    [DEVICE_URN, SERVICE_URN].iter().find_map(|urn| name.strip_prefix(urn)).unwrap_or(name)
}

async fn devices(store: &Store) -> Result<HashMap<DeviceId, Arc<Registered>>, StoreError> {
    type Row = (String, String, String, String, Option<i64>);
    let rows: Vec<Row> =
        sqlx::query_as("SELECT id, tenant, type, secret, blocked_ms FROM device").fetch_all(store.read()).await?;
    let mut devices = HashMap::with_capacity(rows.len());
    for (device, tenant, r#type, secret, blocked_ms) in rows {
        let (Ok(id), Ok(tenant)) = (device.parse::<DeviceId>(), tenant.parse()) else {
            tracing::error!(device, tenant, "a stored device id is malformed; the device is left out");
            continue;
        };
        let address = DeviceAddress { tenant, device: id.clone() };
        let registered = Registered { address, r#type, secret: Secret::stored(secret), blocked: blocked_ms.is_some() };
        devices.insert(id, Arc::new(registered));
    }
    Ok(devices)
}

async fn accounts(store: &Store) -> Result<HashMap<String, Arc<Account>>, StoreError> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT name, filters, secret FROM service_account").fetch_all(store.read()).await?;
    rows.into_iter()
        .map(|(name, filters, secret)| {
            let filters = from_json(|| format!("service_account {name}, filters"), &filters)?;
            Ok((name, Arc::new(Account { filters, secret: Secret::stored(secret) })))
        })
        .collect()
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
