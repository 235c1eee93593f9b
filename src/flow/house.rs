//! Everything that a use case needs, wired once by `app`.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Notify;

use super::administration::jobs::Stumbles;
use super::client_secrets::Guessers;
use super::realm::{Realm, Realms};
use super::repeats::Repeats;
use crate::clock::{Clock, Entropy};
use crate::domain::audit::Event;
use crate::domain::ids::{Id, MailId, TenantId};
use crate::domain::letter::Envelope;
use crate::domain::secret::{SecretBytes, SecretString};
use crate::domain::tenant::TenantCode;
use crate::domain::timestamp::Timestamp;
use crate::egress::Egress;
use crate::keys::derived::DerivedKeys;
use crate::keys::password::PasswordHasher;
use crate::keys::sealing::{Place, Sealer};
use crate::storage::statement::Statement;
use crate::storage::{self, Connection, Db, audit, installation, outbox};

/// Limits of the service as a whole.
#[derive(Debug, Clone, Copy)]
pub struct HouseSettings {
    /// Wrong secrets from one address (an IPv6 address counts by its /64) in ten minutes; then that address
    /// waits. A company's people may all come from one address on the first Monday, so the limit is far above
    /// what one person needs and far below what guessing needs.
    pub wrong_secrets_per_address: i64,
    /// Wrong secrets of a whole virtual server in ten minutes. Beyond that it is an attack by many addresses: a tenth of the
    /// limit counts for each of them, and delays begin with the first failure. Browsers that their people are known in do
    /// not notice (T-17), and whoever is right at once does not wait.
    pub wrong_secrets_per_tenant: i64,
    /// Device calls with an activation from one address in ten minutes (part B3).
    pub claims_per_address: i64,
    /// Codes that are sent by mail for one address in an hour. Whoever asks for one has given a right password, so it
    /// is far above what the first Monday of a large office brings.
    pub codes_per_address: i64,
    /// The same of a whole virtual server.
    pub codes_per_tenant: i64,
}

impl Default for HouseSettings {
    fn default() -> Self {
        Self {
            wrong_secrets_per_address: 300,
            wrong_secrets_per_tenant: 3000,
            claims_per_address: 60,
            codes_per_address: 5000,
            codes_per_tenant: 20_000,
        }
    }
}

/// Everything that a use case needs.
#[derive(Debug)]
pub struct House {
    /// The database.
    pub db: Db,
    /// Seals secrets at rest.
    pub sealer: Arc<Sealer>,
    /// Keyed hashes and sealed tokens, from the installation's root secret.
    pub derived: DerivedKeys,
    /// Checks passwords.
    pub passwords: PasswordHasher,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Calls to others.
    pub egress: Egress,
    /// Limits.
    pub settings: HouseSettings,
    /// Wakes the worker that sends mail.
    pub mail_waits: Arc<Notify>,
    /// Wakes the worker that tells applications of logouts.
    pub notices_wait: Arc<Notify>,
    /// Wakes the one that tells service providers.
    pub saml_notices_wait: Arc<Notify>,
    pub(super) guessers: Guessers,
    pub(super) repeats: Repeats,
    /// Jobs that fail, and since when.
    pub(super) stumbles: Stumbles,
    realms: Realms,
}

impl House {
    /// Opens the house over a migrated database. Makes the installation's root secret at the first start.
    ///
    /// # Errors
    /// If the database fails, or the key-encryption key is not the one that sealed the root secret.
    pub async fn open(
        db: Db,
        sealer: Arc<Sealer>,
        passwords: PasswordHasher,
        clock: Clock,
        entropy: Entropy,
        egress: Egress,
        settings: HouseSettings,
    ) -> super::Result<Self> {
        let place = Place::installation("root_sealed");
        let now = clock.now();
        let sealed = db
            .write(async |connection| {
                if let Some(sealed) = installation::root_sealed(connection).await? {
                    return Ok(sealed);
                }
                let sealed = sealer.seal(place, &DerivedKeys::new_root(&entropy));
                if installation::insert_root(connection, &sealed, now).await? {
                    return Ok(sealed);
                }
                // Another instance started at the same moment and was faster.
                Ok(installation::root_sealed(connection).await?.unwrap_or(sealed))
            })
            .await?;
        let derived = DerivedKeys::from_root(&sealer.open(place, &sealed)?);
        Ok(Self {
            db,
            sealer,
            derived,
            passwords,
            clock,
            entropy,
            egress,
            settings,
            mail_waits: Arc::new(Notify::new()),
            notices_wait: Arc::new(Notify::new()),
            saml_notices_wait: Arc::new(Notify::new()),
            guessers: Guessers::default(),
            repeats: Repeats::default(),
            stumbles: Stumbles::default(),
            realms: Realms::default(),
        })
    }

    /// The virtual server with this code, at most two seconds old.
    ///
    /// # Errors
    /// If the database fails or a key does not open.
    pub async fn realm(&self, code: &TenantCode) -> super::Result<Option<Arc<Realm>>> {
        self.realms.realm(&self.db, &self.sealer, code, self.clock.now()).await
    }

    /// The virtual server with this code as it was last seen, without asking the database: for a page that says that
    /// something failed, which may be the database.
    #[must_use]
    pub fn remembered_realm(&self, code: &TenantCode) -> Option<Arc<Realm>> {
        self.realms.remembered(code)
    }

    /// Forgets what is in memory, after this instance changed a configuration.
    pub fn forget_realms(&self) {
        self.realms.forget();
    }

    /// An identifier for something that is made now. Rows that are made one after the other lie side by side in the
    /// database then, which writes fewer pages (domain::ids).
    #[must_use]
    pub fn new_id<Of>(&self, now: Timestamp) -> Id<Of> {
        Id::made(now, self.entropy.bytes())
    }

    /// Writes an audit event down, in the transaction of the change.
    pub(super) async fn record(&self, connection: &mut Connection, event: Event) -> storage::Result<()> {
        audit::record(connection, self.new_id(event.at), &event).await
    }

    /// The statement of [`House::record`], for a batch.
    pub(super) fn entry(&self, event: &Event) -> Statement {
        audit::entry(self.new_id(event.at), event)
    }

    /// Wakes those who tell applications, server to server, that sessions have ended.
    pub(super) fn wake_notices(&self) {
        self.notices_wait.notify_one();
        self.saml_notices_wait.notify_one();
    }

    /// A new value for a cookie: 256 random bits.
    pub(super) fn new_cookie(&self) -> SecretString {
        SecretString::from(URL_SAFE_NO_PAD.encode(self.entropy.bytes::<32>()))
    }

    /// Puts a letter into the outbox, in the transaction of what it tells of (K04, K18).
    pub(super) async fn post(
        &self,
        connection: &mut Connection,
        tenant: TenantId,
        login: Option<crate::domain::ids::LoginId>,
        envelope: &Envelope,
        now: Timestamp,
        useful_until: Timestamp,
    ) -> storage::Result<MailId> {
        let id = self.new_id(now);
        let body = serde_json::to_vec(envelope).expect("an envelope has string keys and no failing serializer");
        let place = Place::new(tenant, "outbox", "body_sealed", id);
        let mail = outbox::NewMail {
            id,
            tenant,
            kind: envelope.letter.kind(),
            login,
            domain: envelope.to.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned(),
            body_sealed: self.sealer.seal(place, &SecretBytes::new(body)),
            useful_until,
            created_at: now,
        };
        outbox::put(connection, &mail).await?;
        Ok(id)
    }

    /// The subject of a counter for a client address.
    pub(super) fn address_subject(&self, tenant: TenantId, purpose: &str, address: IpAddr) -> String {
        // One household or office has a whole IPv6 /64; counting single addresses would count nothing.
        let network = match address.to_canonical() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().iter().take(8).copied().collect(),
        };
        text(&self.derived.throttle.of(&[&tenant.to_bytes(), purpose.as_bytes(), &network]))
    }
}

/// A keyed hash as the database holds it.
#[must_use]
pub fn text(digest: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(digest)
}

/// The beginning of the window of `seconds` that `now` is in.
#[must_use]
pub fn window_start(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_seconds(now.seconds() - now.seconds().rem_euclid(seconds))
}
