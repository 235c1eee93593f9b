//! Key sets that clients publish at an address of theirs (`jwks_uri`), fetched within the rules of egress and kept for a
//! while (T-52). Whoever sends a request can make us look: so one looks at a time, seldom, and what failed is remembered too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::timestamp::Timestamp;
use crate::egress::Egress;
use crate::keys::jose::KeySet;

/// How long a set is taken as it is.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How soon an address is tried again because its set lacks a key: a client has turned its keys, or somebody makes names up.
const SOONEST: Duration = Duration::from_secs(30);
/// How long a set is taken while its address does not answer.
const STALE: Duration = Duration::from_secs(60 * 60);
/// More sets than anybody has; beyond it the memory is emptied.
const MOST: usize = 1000;

/// What is known of an address.
#[derive(Debug, Clone, Default)]
struct Known {
    /// The set, and when it was fetched; none if it was never had, or too long ago.
    set: Option<(Arc<KeySet>, Timestamp)>,
    /// The last try, which may have failed.
    tried_at: Option<Timestamp>,
    /// Whose turn it is to fetch it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Known {
    fn keys(&self) -> Option<Arc<KeySet>> {
        self.set.as_ref().map(|(keys, _)| Arc::clone(keys))
    }

    /// Whether there is a set with the key `kid`.
    fn has(&self, kid: Option<&str>) -> bool {
        self.set.as_ref().is_some_and(|(keys, _)| kid.is_none_or(|kid| keys.has(kid)))
    }

    /// Whether the last try was less than `while_ago` before `now`.
    fn was_tried(&self, while_ago: Duration, now: Timestamp) -> bool {
        self.tried_at.is_some_and(|at| now.since(at) < while_ago)
    }
}

/// The sets in memory.
#[derive(Debug, Clone, Default)]
pub struct KeySets(Arc<Mutex<HashMap<String, Known>>>);

impl KeySets {
    /// The set at `address`, which should have the key `kid`. `None` if it cannot be had.
    pub async fn at(&self, egress: &Egress, address: &str, kid: Option<&str>, now: Timestamp) -> Option<Arc<KeySet>> {
        let known = self.known(address);
        // What is at hand waits for nobody, also while somebody fetches it anew.
        if known.has(kid) && known.was_tried(FRESH, now) {
            return known.keys();
        }
        let turn = Arc::clone(&known.turn).lock_owned().await;
        // Whoever had the turn before may have brought it, or has found that it cannot be had.
        let known = self.known(address);
        if known.was_tried(if known.has(kid) { FRESH } else { SOONEST }, now) {
            return known.keys();
        }
        // Whoever hangs up in the middle has tried as well, and keeps nobody from the answer.
        let (sets, egress, address) = (self.clone(), egress.clone(), address.to_owned());
        let fetching = actix_web::rt::spawn(async move {
            let fetched = sets.fetched(&egress, &address, known, now).await;
            drop(turn);
            fetched
        });
        fetching.await.ok().flatten()
    }

    /// Fetches the set at `address`, of which this much is `known`.
    async fn fetched(&self, egress: &Egress, address: &str, known: Known, now: Timestamp) -> Option<Arc<KeySet>> {
        let old = known.set.filter(|(_, fetched_at)| now.since(*fetched_at) < STALE);
        let set = match egress.get(address).await {
            Ok(text) => KeySet::parse_published(&text).map_err(|fault| fault.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let set = match set {
            Ok(keys) => Some((Arc::new(keys), now)),
            Err(reason) => {
                tracing::warn!(address, reason, "a client's key set cannot be fetched");
                old
            }
        };
        let known = Known { set, tried_at: Some(now), turn: known.turn };
        self.keep(address, known.clone());
        known.keys()
    }

    /// What is known of an address, which has its place from now on.
    fn known(&self, address: &str) -> Known {
        let mut sets = self.locked();
        if sets.len() >= MOST && !sets.contains_key(address) {
            sets.clear();
        }
        sets.entry(address.to_owned()).or_default().clone()
    }

    fn keep(&self, address: &str, known: Known) {
        self.locked().insert(address.to_owned(), known);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        // A panic while it is held cannot leave half an entry: inserting is the last thing done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use actix_web::{App, HttpResponse, HttpServer, web};
    use futures_util::future::join_all;

    use super::*;
    use crate::domain::ids::SigningKeyId;
    use crate::domain::signing_key::SignatureAlgorithm;
    use crate::keys::signing::{RsaSize, SigningKey};

    /// T-52: whoever makes requests up makes us call nobody more than once in a while, whatever is answered; and many who come at
    /// once wait for one call.
    #[actix_web::test]
    async fn an_address_is_asked_once_and_seldom() {
        let key = SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Es256, RsaSize::Bits2048);
        let key = key.expect("a key");
        let set = serde_json::json!({ "keys": [key.public_jwk()] }).to_string();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let server = HttpServer::new(move || {
            let (set, calls) = (set.clone(), Arc::clone(&counted));
            // The first call is answered badly, the others after a moment.
            let answer = move || {
                let (set, first) = (set.clone(), calls.fetch_add(1, Ordering::SeqCst) == 0);
                async move {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    if first { HttpResponse::InternalServerError().finish() } else { HttpResponse::Ok().body(set) }
                }
            };
            App::new().route("/jwks", web::get().to(answer))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/jwks", server.addrs().first().expect("an address"));
        let running = actix_web::rt::spawn(server.run());
        let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        let (sets, kid) = (KeySets::default(), key.id().to_string());
        let ask = async |kid: &str, second: i64| {
            let all = (0..16).map(|_| sets.at(&egress, &address, Some(kid), Timestamp::from_seconds(second)));
            let found = join_all(all).await.into_iter().filter(|set| set.as_ref().is_some_and(|set| set.has(kid)));
            (found.count(), calls.load(Ordering::SeqCst))
        };
        assert_eq!(ask(&kid, 1000).await, (0, 1), "one call for all of them, which failed");
        assert_eq!(ask(&kid, 1029).await, (0, 1), "too soon to try again");
        assert_eq!(ask(&kid, 1030).await, (16, 2));
        assert_eq!(ask("made up", 1059).await, (0, 2));
        assert_eq!(ask("made up", 1060).await, (0, 3), "a key may be new");
        assert_eq!(ask(&kid, 1359).await, (16, 3));
        assert_eq!(ask(&kid, 1360).await, (16, 4), "one call when it is old");
        assert_eq!(ask(&kid, 9000).await, (16, 5), "what is too old counts for nobody, who all wait");
        // Whoever hangs up has made us ask, and whoever comes after that has the answer.
        let mut hangs_up = Box::pin(sets.at(&egress, &address, Some(&kid), Timestamp::from_seconds(20_000)));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut hangs_up).await.is_err());
        drop(hangs_up);
        assert_eq!(ask(&kid, 20_001).await, (16, 6));
        running.abort();
    }
}
