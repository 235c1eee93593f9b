//! Wrong client secrets, counted for each application and address, so that nobody finds one by trying. Another address never
//! waits for that, so nobody keeps an application from its tokens; and whoever is right is not looked up in the database.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::house::window_start;
use super::{House, Realm, Result, Visit, alerts};
use crate::domain::alert::{Alert, Kind};
use crate::domain::application::Application;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::ApplicationId;
use crate::domain::oidc_client::SecretDigest;
use crate::domain::timestamp::Timestamp;
use crate::storage::throttle;

/// Wrong secrets of one application from one address in [`WINDOW`]; then that address waits until it is over.
const MOST_WRONG: usize = 20;
const WINDOW: i64 = 600;
/// More pairs of application and address than honest mistakes make; beyond it the memory is emptied, and the database tells at
/// the next wrong secret who waits.
const MOST_KNOWN: usize = 10_000;

#[derive(Debug)]
struct Guesses {
    window: Timestamp,
    /// An application that goes on with an old secret makes one mistake, however often: it is no guess.
    wrong: Vec<SecretDigest>,
}

/// Who has been wrong, in the memory of this instance.
#[derive(Debug, Default)]
pub(super) struct Guessers(Mutex<HashMap<String, Guesses>>);

impl Guessers {
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Guesses>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_nobody(&self) -> bool {
        self.locked().is_empty()
    }

    fn waits(&self, subject: &str, window: Timestamp) -> bool {
        self.locked().get(subject).is_some_and(|known| known.window == window && known.wrong.len() >= MOST_WRONG)
    }

    /// Remembers a wrong secret; says whether it is a new one. Nothing is waited for, so that of many requests at once no more
    /// are judged than may be wrong.
    fn is_new(&self, subject: &str, window: Timestamp, digest: SecretDigest) -> bool {
        let mut all = self.locked();
        if all.len() >= MOST_KNOWN {
            all.retain(|_, known| known.window == window);
        }
        if all.len() >= MOST_KNOWN {
            all.clear();
        }
        let known = all.entry(subject.to_owned()).or_insert_with(|| Guesses { window, wrong: Vec::new() });
        if known.window != window {
            *known = Guesses { window, wrong: Vec::new() };
        }
        let new = !known.wrong.contains(&digest);
        if new && known.wrong.len() < MOST_WRONG {
            known.wrong.push(digest);
        }
        new
    }

    /// Takes over what other instances have counted.
    fn fill(&self, subject: &str, window: Timestamp, digest: SecretDigest) {
        self.locked().insert(subject.to_owned(), Guesses { window, wrong: vec![digest; MOST_WRONG] });
    }
}

fn subject(house: &House, realm: &Realm, visit: &Visit, application: ApplicationId) -> String {
    house.address_subject(realm.tenant(), &format!("client secrets {application}"), visit.address)
}

fn left(window: Timestamp, now: Timestamp) -> u64 {
    window.plus(Duration::from_secs(WINDOW.unsigned_abs())).since(now).as_secs().max(1)
}

/// How many seconds the address of this visit must wait before another secret of the application is looked at; `None` if it
/// need not. Asks no database.
#[must_use]
pub fn must_wait(house: &House, realm: &Realm, visit: &Visit, application: ApplicationId) -> Option<u64> {
    if house.guessers.is_nobody() {
        return None;
    }
    let window = window_start(visit.now, WINDOW);
    let waits = house.guessers.waits(&subject(house, realm, visit, application), window);
    waits.then(|| left(window, visit.now))
}

/// Counts a wrong secret, known here by its digest, and writes it down; the operators hear of an address that has to wait. Says how
/// many seconds it must wait if it had to already.
///
/// # Errors
/// If the database fails.
pub async fn rejected(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    application: &Application,
    digest: SecretDigest,
) -> Result<Option<u64>> {
    let (tenant, window) = (realm.tenant(), window_start(visit.now, WINDOW));
    let subject = subject(house, realm, visit, application.id);
    if !house.guessers.is_new(&subject, window, digest) {
        return Ok(None);
    }
    let most = i64::try_from(MOST_WRONG).unwrap_or(i64::MAX);
    let hits = house.db.write(async |connection| {
        let before = throttle::hits(connection, tenant, &subject, window).await?;
        if before >= most {
            return Ok(before + 1);
        }
        let hits = throttle::hit(connection, tenant, &subject, window).await?;
        let event = Event::new(visit.now, tenant, Actor::Stranger, Action::ClientSecretRejected);
        house.record(connection, event.on("application", application.id).from_address(visit.address)).await?;
        if hits == most {
            let alert = Alert {
                kind: Kind::AttackSuspected,
                at: visit.now,
                user: None,
                username: String::new(),
                serial: String::new(),
                application: application.name.clone(),
                address: visit.address.to_string(),
                correlation: None,
                detail: format!("somebody tries client secrets of the application {}", application.name),
            };
            alerts::raise(connection, house, &realm.config, &alert).await?;
        }
        Ok(hits)
    });
    let hits = hits.await?;
    if hits < most {
        return Ok(None);
    }
    house.guessers.fill(&subject, window, digest);
    house.mail_waits.notify_one();
    Ok((hits > most).then(|| left(window, visit.now)))
}
