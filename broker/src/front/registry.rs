//! Who is connected. A key belongs to one connection at a time; a newer one waits until the older is fully gone, and
//! is given what the older one left.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

pub(super) struct Registry<K, L> {
    places: Mutex<HashMap<K, Place<L>>>,
    next: AtomicU64,
}

struct Place<L> {
    /// Tells connections of one key apart; the newer has the greater.
    number: u64,
    link: Arc<L>,
    leave: Arc<Leave>,
    /// Its sender is dropped with the claim.
    gone: watch::Receiver<()>,
}

/// Why a connection must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Eviction {
    /// A newer one goes on with the session.
    TakenOver,
    /// A newer one begins anew.
    Replaced,
    /// It may not be here any more.
    Revoked,
}

#[derive(Default)]
struct Leave {
    told: Notify,
    /// The first reason counts.
    why: Mutex<Option<Eviction>>,
}

impl Leave {
    fn tell(&self, why: Eviction) {
        lock(&self.why).get_or_insert(why);
        self.told.notify_one();
    }
}

/// A connection's hold on its key; dropping it frees the key.
pub(super) struct Claim<K: Eq + Hash, L> {
    registry: Arc<Registry<K, L>>,
    key: K,
    link: Arc<L>,
    number: u64,
    leave: Arc<Leave>,
    _gone: watch::Sender<()>,
}

impl<K: Eq + Hash + Clone, L> Registry<K, L> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { places: Mutex::new(HashMap::new()), next: AtomicU64::new(0) })
    }

    /// Takes a key; asks an older connection that has it to leave, and waits until it is gone. Returns what that one had
    /// put here, too. `None` if a newer connection has it already, which must not be turned out by one that waited.
    pub async fn claim(self: &Arc<Self>, key: K, link: Arc<L>, why: Eviction) -> Option<(Claim<K, L>, Option<Arc<L>>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut earlier = None;
        loop {
            let mut gone = {
                let mut places = lock(&self.places);
                match places.get(&key) {
                    None => return Some((self.enter(&mut places, key, link, number), earlier)),
                    Some(place) if place.number > number => return None,
                    Some(place) => {
                        place.leave.tell(why);
                        earlier = Some(Arc::clone(&place.link));
                        place.gone.clone()
                    }
                }
            };
            // Nothing is ever sent; an error says that the sender is gone.
            while gone.changed().await.is_ok() {}
        }
    }

    fn enter(self: &Arc<Self>, places: &mut HashMap<K, Place<L>>, key: K, link: Arc<L>, number: u64) -> Claim<K, L> {
        let leave = Arc::new(Leave::default());
        let (sender, gone) = watch::channel(());
        places.insert(key.clone(), Place { number, link: Arc::clone(&link), leave: Arc::clone(&leave), gone });
        Claim { registry: Arc::clone(self), key, link, number, leave, _gone: sender }
    }

    /// What the connection of a key put here.
    pub fn link(&self, key: &K) -> Option<Arc<L>> {
        lock(&self.places).get(key).map(|place| Arc::clone(&place.link))
    }

    /// All that was put here.
    pub fn links(&self) -> Vec<(K, Arc<L>)> {
        lock(&self.places).iter().map(|(key, place)| (key.clone(), Arc::clone(&place.link))).collect()
    }

    /// Asks the connection of a key to leave.
    pub fn evict(&self, key: &K, why: Eviction) {
        if let Some(place) = lock(&self.places).get(key) {
            place.leave.tell(why);
        }
    }
}

impl<K: Eq + Hash, L> Claim<K, L> {
    /// What was put here.
    pub fn link(&self) -> &L {
        &self.link
    }

    /// Waits until the connection must go.
    pub async fn evicted(&self) -> Eviction {
        loop {
            self.leave.told.notified().await;
            if let Some(why) = *lock(&self.leave.why) {
                // Whoever waits next hears of it too.
                self.leave.told.notify_one();
                return why;
            }
        }
    }
}

impl<K: Eq + Hash, L> Drop for Claim<K, L> {
    fn drop(&mut self) {
        let mut places = lock(&self.registry.places);
        if places.get(&self.key).is_some_and(|place| place.number == self.number) {
            places.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waited_does_not_turn_out_who_came_later() {
        let registry = Registry::new();
        let (first, _) = registry.claim("a", Arc::new(1), Eviction::TakenOver).await.unwrap();
        let waiting = [2, 3, 4].map(|number| {
            let registry = Arc::clone(&registry);
            tokio::spawn(async move { registry.claim("a", Arc::new(number), Eviction::TakenOver).await })
        });
        first.evicted().await;
        tokio::task::yield_now().await;
        drop(first);
        let mut links = Vec::new();
        for claim in waiting {
            // Whoever has it leaves for a newer one.
            if let Some((claim, _)) = claim.await.unwrap() {
                links.push(registry.link(&"a").as_deref().copied());
                drop(claim);
            }
        }
        assert_eq!(links.last(), Some(&Some(4)));
    }

    #[tokio::test]
    async fn the_newer_waits_for_the_older() {
        let registry = Registry::new();
        let (old, none) = registry.claim("a", Arc::new(1), Eviction::TakenOver).await.unwrap();
        assert_eq!(none, None);
        let newer = tokio::spawn({
            let registry = Arc::clone(&registry);
            async move { registry.claim("a", Arc::new(2), Eviction::Replaced).await.unwrap() }
        });
        assert_eq!(old.evicted().await, Eviction::Replaced);
        assert!(!newer.is_finished());
        assert_eq!(registry.link(&"a").as_deref(), Some(&1));
        drop(old);
        let (newer, left) = newer.await.unwrap();
        assert_eq!(left.as_deref(), Some(&1));
        assert_eq!(registry.link(&"a").as_deref(), Some(&2));
        registry.evict(&"a", Eviction::Revoked);
        assert_eq!(newer.evicted().await, Eviction::Revoked);
        drop(newer);
        assert_eq!(registry.link(&"a"), None);
    }
}
