//! The worker that sends what waits in the outbox: leased, so that two instances do not send twice; tried
//! again with growing pauses; given up when the letter is of no use any more.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::render::render;
use super::transport::{SendError, Transport};
use crate::clock::{Clock, Entropy};
use crate::domain::ids::{CorrelationId, MailId, TenantId};
use crate::domain::letter::Envelope;
use crate::domain::message::Words;
use crate::domain::timestamp::Timestamp;
use crate::i18n::{Language, Texts};
use crate::keys::sealing::{Place, SealError, Sealer};
use crate::storage::outbox::{self, Leased};
use crate::storage::{self, Db, email_codes, messages, rollout_attempts};
use crate::urls::Urls;

/// How long a mail is leased: longer than the mail server may take.
const LEASE: Duration = Duration::from_secs(120);
/// How long a mail waits that the mail server may have taken without a word.
const UNANSWERED: Duration = Duration::from_secs(6 * 3600);
/// Mails that are taken at once.
const BATCH: i64 = 20;
/// Mails that are on their way at the same time.
const AT_ONCE: usize = 8;
/// How often the worker looks when nobody wakes it.
const EVERY: Duration = Duration::from_secs(5);

/// What the worker needs.
#[derive(Debug)]
pub struct Worker {
    /// The database.
    pub db: Db,
    /// Opens the letters.
    pub sealer: Arc<Sealer>,
    /// Where they go.
    pub transport: Transport,
    /// Words.
    pub texts: Texts,
    /// Links.
    pub urls: Urls,
    /// The time.
    pub clock: Clock,
    /// Wakes the worker.
    pub wake: Arc<tokio::sync::Notify>,
    owner: CorrelationId,
}

impl Worker {
    /// A worker of this instance.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each is a part that app wires once")]
    pub fn new(
        db: Db,
        sealer: Arc<Sealer>,
        transport: Transport,
        texts: Texts,
        urls: Urls,
        clock: Clock,
        wake: Arc<tokio::sync::Notify>,
        entropy: &Entropy,
    ) -> Self {
        Self { db, sealer, transport, texts, urls, clock, wake, owner: entropy.id() }
    }

    /// Sends until the task is aborted. A mail in flight then keeps its lease and is tried again (K04).
    pub async fn run(self) {
        loop {
            match self.round().await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => tracing::error!(%error, "the outbox cannot be read"),
            }
            let _ = tokio::time::timeout(EVERY, self.wake.notified()).await;
        }
    }

    /// Sends what is due. Says how many mails left or were given up.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn round(&self) -> storage::Result<usize> {
        let now = self.clock.now();
        let due = self.db.read(async |connection| outbox::due(connection, now, BATCH).await).await?;
        // Several at once: one slow answer of the mail server must not keep everybody else's code back.
        let outcomes: Vec<storage::Result<bool>> =
            stream::iter(due).map(|(tenant, id, _)| self.take(tenant, id)).buffer_unordered(AT_ONCE).collect().await;
        let mut done = 0;
        for outcome in outcomes {
            done += usize::from(outcome?);
        }
        Ok(done)
    }

    /// Leases and delivers one mail. Says whether it left or was given up.
    async fn take(&self, tenant: TenantId, id: MailId) -> storage::Result<bool> {
        let leased = self
            .db
            .write(async |connection| outbox::lease(connection, tenant, id, self.owner, self.clock.now(), LEASE).await);
        match leased.await? {
            Some(leased) => self.deliver(&leased).await,
            None => Ok(false),
        }
    }

    async fn deliver(&self, mail: &Leased) -> storage::Result<bool> {
        let now = self.clock.now();
        let outcome = if now >= mail.useful_until {
            Err(SendError::Refused("it is of no use any more".to_owned()))
        } else {
            self.send(mail).await
        };
        let (tenant, id, owner) = (mail.tenant, mail.id, self.owner);
        match outcome {
            Ok(_) => self.db.write(async |connection| outbox::sent(connection, tenant, id, owner).await).await,
            Err(SendError::Refused(reason)) => {
                tracing::warn!(mail = %id, kind = mail.kind, domain = mail.domain, person.answer = reason, "a mail is given up");
                let give_up = async |connection: &mut storage::Connection| {
                    let given_up = outbox::failed(connection, tenant, id, owner, &reason).await?;
                    if given_up && mail.kind == "verification_code" {
                        email_codes::unsent(connection, tenant, id).await?;
                        rollout_attempts::mail_refused(connection, tenant, id, now).await?;
                    }
                    Ok(given_up)
                };
                self.db.write(give_up).await
            }
            Err(SendError::Later(reason)) => self.put_off(mail, &reason, pause(mail.tries, now)).await,
            // Most likely it has arrived: whoever waits for it asks for another, and everybody else gets it seldom twice.
            Err(SendError::Unanswered(reason)) => self.put_off(mail, &reason, now.plus(UNANSWERED)).await,
        }
    }

    /// The mail is tried again at `again`.
    async fn put_off(&self, mail: &Leased, reason: &str, again: Timestamp) -> storage::Result<bool> {
        let (tenant, id, owner) = (mail.tenant, mail.id, self.owner);
        tracing::warn!(mail = %id, kind = mail.kind, domain = mail.domain, person.answer = reason, "a mail must wait");
        let retry = async |connection: &mut storage::Connection| {
            outbox::retry(connection, tenant, id, owner, reason, again).await
        };
        self.db.write(retry).await?;
        Ok(false)
    }

    async fn send(&self, mail: &Leased) -> Result<String, SendError> {
        let place = Place::new(mail.tenant, "outbox", "body_sealed", mail.id);
        let broken = |error: &dyn std::fmt::Display| SendError::Refused(format!("the letter does not open: {error}"));
        let body = self.sealer.open(place, &mail.body_sealed).map_err(|error| match error {
            // While key-encryption keys are rolled over, another instance has one that this one does not know yet.
            SealError::UnknownKey(_) => SendError::Later(error.to_string()),
            SealError::UnknownFormat | SealError::Altered => broken(&error),
        })?;
        // A letter that only the next version writes, while instances are replaced: one of them will send it. What the library
        // says of it is not told: it may repeat a part of the letter.
        let envelope: Envelope = serde_json::from_slice(body.expose())
            .map_err(|_| SendError::Later("the letter is not one that is known here".to_owned()))?;
        let own = self.own_words(mail.tenant, &envelope).await;
        let rendered = render(&self.texts, &self.urls, &envelope, own.as_ref());
        self.transport.send(mail.id, &envelope.to, &rendered).await
    }
}

impl Worker {
    /// The virtual server's own words for a letter. If they cannot be read, ours are sent: a code must not wait for them.
    async fn own_words(&self, tenant: TenantId, envelope: &Envelope) -> Option<Words> {
        let language = Language::of_tag(&envelope.language).unwrap_or(Language::English);
        let name = format!("mail.{}", envelope.letter.kind());
        let asked = messages::named(tenant, language.tag(), &name);
        match self.db.read(async |connection| asked.ask(connection).await).await {
            Ok(message) => message.map(|message| message.words),
            Err(error) => {
                tracing::error!(%error, name, "own words of a mail cannot be read");
                None
            }
        }
    }
}

/// When a mail is tried again: after 5, 10, 20, 40 … seconds, at most every 5 minutes.
fn pause(tries: i64, now: Timestamp) -> Timestamp {
    let doubled = 5_u64.checked_shl(u32::try_from(tries).unwrap_or(10).min(10)).unwrap_or(300);
    now.plus(Duration::from_secs(doubled.min(300)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_five_minutes() {
        let now = Timestamp::from_seconds(0);
        let pauses: Vec<i64> = [0, 1, 2, 6, 7, 1000].map(|tries| pause(tries, now).seconds()).to_vec();
        assert_eq!(pauses, [5, 10, 20, 300, 300, 300]);
    }
}
