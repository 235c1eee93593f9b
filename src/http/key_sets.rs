//! Key sets that clients publish at an address of theirs (`jwks_uri`), fetched within the rules of egress and kept for a
//! while (T-52).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::timestamp::Timestamp;
use crate::egress::Egress;
use crate::keys::jose::KeySet;

/// How long a set is taken as it is.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How soon a set is fetched again because it lacks a key: a client has turned its keys, or somebody makes names up.
const SOONEST: Duration = Duration::from_secs(30);
/// How long a set is taken while its address does not answer.
const STALE: Duration = Duration::from_secs(60 * 60);
/// More sets than anybody has; beyond it the memory is emptied.
const MOST: usize = 1000;

#[derive(Debug, Clone)]
struct Known {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
    /// The last try, which may have failed.
    tried_at: Timestamp,
}

/// The sets in memory.
#[derive(Debug, Default)]
pub struct KeySets(Mutex<HashMap<String, Known>>);

impl KeySets {
    /// The set at `address`, which should have the key `kid`. `None` if it cannot be had.
    pub async fn at(&self, egress: &Egress, address: &str, kid: Option<&str>, now: Timestamp) -> Option<Arc<KeySet>> {
        let known = self.locked().get(address).cloned();
        if let Some(known) = &known {
            let lacks = kid.is_some_and(|kid| !known.keys.has(kid));
            let again = if lacks { SOONEST } else { FRESH };
            if now.since(known.tried_at) < again {
                return Some(Arc::clone(&known.keys));
            }
        }
        let fetched = match egress.get(address).await {
            Ok(text) => KeySet::parse_published(&text).map_err(|fault| fault.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let renewed = match (fetched, known) {
            (Ok(keys), _) => Known { keys: Arc::new(keys), fetched_at: now, tried_at: now },
            (Err(reason), known) => {
                tracing::warn!(address, reason, "a client's key set cannot be fetched");
                Known { tried_at: now, ..known.filter(|known| now.since(known.fetched_at) < STALE)? }
            }
        };
        let mut sets = self.locked();
        if sets.len() >= MOST {
            sets.clear();
        }
        sets.insert(address.to_owned(), renewed.clone());
        Some(renewed.keys)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        // A panic while it is held cannot leave half an entry: inserting is the last thing done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
