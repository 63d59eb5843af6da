//! Network addresses: how many connections each may have, and how fast they may come.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Limits;
use super::pace::Bucket;
use super::refusal::Reason;

/// Addresses remembered at a time. 65,536, at about 100 B each: only those with a connection or a recent one count.
const MAX_ADDRESSES: usize = 65_536;

pub(super) struct Addresses {
    known: Mutex<HashMap<IpAddr, Entry>>,
    limits: Limits,
}

struct Entry {
    open: usize,
    connects: Bucket,
}

/// A connection's place; dropping it gives the place back.
pub(super) struct AddressPlace {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self { known: Mutex::default(), limits: limits.clone() })
    }

    /// A place for one more connection of an address, or which limit it has reached.
    pub fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<AddressPlace, Reason> {
        let address = counted_as(address);
        let mut known = lock(&self.known);
        if known.len() >= MAX_ADDRESSES && !known.contains_key(&address) {
            known.retain(|_, entry| entry.open > 0 || !entry.connects.is_full(now));
            if known.len() >= MAX_ADDRESSES {
                return Err(Reason::Addresses);
            }
        }
        let Limits { connects_per_second, connects_burst, connections_per_address, .. } = self.limits;
        let entry = known
            .entry(address)
            .or_insert_with(|| Entry { open: 0, connects: Bucket::new(connects_per_second, connects_burst, now) });
        if !entry.connects.take(now) {
            return Err(Reason::ConnectRate);
        }
        if entry.open >= connections_per_address {
            return Err(Reason::Addresses);
        }
        entry.open += 1;
        Ok(AddressPlace { addresses: Arc::clone(self), address })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut known = lock(&self.addresses.known);
        if let Some(entry) = known.get_mut(&self.address) {
            entry.open -= 1;
        }
    }
}

/// A network of IPv6 is handed out as a /64 at least: that is the unit that counts.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn addresses(connections_per_address: usize, connects_per_second: u32, connects_burst: u32) -> Arc<Addresses> {
        let limits = Limits { connections_per_address, connects_per_second, connects_burst, ..Limits::default() };
        Addresses::new(&limits)
    }

    #[test]
    fn an_address_has_so_many_places() {
        let (addresses, now) = (addresses(2, 100, 100), Instant::now());
        let admit = |text: &str| addresses.admit(text.parse().unwrap(), now);
        let one = admit("10.0.0.1").unwrap();
        let _two = admit("::ffff:10.0.0.1").unwrap();
        assert_eq!(admit("10.0.0.1").err(), Some(Reason::Addresses));
        assert!(admit("10.0.0.2").is_ok());
        drop(one);
        assert!(admit("10.0.0.1").is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (addresses, now) = (addresses(1, 100, 100), Instant::now());
        let _one = addresses.admit("2001:db8::1".parse().unwrap(), now).unwrap();
        assert!(addresses.admit("2001:db8::ffff:1".parse().unwrap(), now).is_err());
        assert!(addresses.admit("2001:db8:0:1::1".parse().unwrap(), now).is_ok());
    }

    #[test]
    fn an_address_that_comes_too_often_waits() {
        let (addresses, now) = (addresses(100, 10, 2), Instant::now());
        let admit = |now| addresses.admit("10.0.0.1".parse().unwrap(), now).map(drop);
        assert!(admit(now).is_ok() && admit(now).is_ok());
        assert_eq!(admit(now), Err(Reason::ConnectRate));
        assert!(admit(now + Duration::from_millis(150)).is_ok());
    }
}
