//! Help desk actions from the shell: people and their authenticators.

pub mod alerts;
pub mod arguments;
pub mod operators;
pub mod synchronize;
pub mod templates;
pub mod tokens;
mod told;
pub mod users;

use std::time::Duration;

use anyhow::Context as _;

use super::commands::{desk, tenant};
use super::{Nature, Schema, open};
use crate::config::Settings;
use crate::domain::ids::TenantId;
use crate::domain::secret::ExposeSecret as _;
use crate::domain::tenant::TenantConfig;
use crate::domain::user::User;
use crate::flow::administration::Desk;
use crate::flow::lifecycle::By;
use crate::flow::registration;
use crate::http::Site;
use crate::oidc::client::secret_digest;
use crate::storage::tokens::Token;
use crate::storage::{self, Connection, tenants};

/// What a command says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// For standard output.
    pub lines: Vec<String>,
    /// For standard error.
    pub notes: Vec<String>,
    /// Whether everything that was asked for was done; otherwise the exit code is 1.
    pub good: bool,
}

impl Said {
    /// These lines, and all is well.
    #[must_use]
    pub const fn lines(lines: Vec<String>) -> Self {
        Self { lines, notes: Vec::new(), good: true }
    }

    /// One line, and all is well.
    #[must_use]
    pub fn line(line: String) -> Self {
        Self::lines(vec![line])
    }
}

/// Makes a token with which applications register themselves; it is shown once.
///
/// # Errors
/// If the virtual server is not there or the database fails.
pub async fn permit_registration(
    settings: &Settings,
    code: Option<&str>,
    uses: u32,
    days: u32,
) -> anyhow::Result<Vec<String>> {
    let place = Place::of(settings, code).await?;
    let life = Duration::from_secs(u64::from(days) * 86_400);
    let token = registration::permit(&place.desk(), place.tenant, i64::from(uses), life).await?;
    Ok(vec![token.expose_secret().to_owned()])
}

/// Makes a new secret for an OpenID Connect application; it is shown once. The one before stays valid for `grace`.
///
/// # Errors
/// If there is no such application, it has no secret to prove itself with, or the database fails.
pub async fn new_client_secret(
    settings: &Settings,
    code: Option<&str>,
    client_id: &str,
    grace: Duration,
) -> anyhow::Result<Vec<String>> {
    let place = Place::of(settings, code).await?;
    let house = &place.site.house;
    let secret = registration::new_secret(house);
    let digest = secret_digest(&house.derived.client_secrets, place.tenant, client_id, &secret);
    let changed = registration::replace_secret(&desk(&place.site), place.tenant, client_id, digest, grace).await?;
    anyhow::ensure!(
        changed,
        "there is no application with the client_id \"{client_id}\" that proves itself by a secret"
    );
    Ok(vec![secret.expose_secret().to_owned()])
}

/// A virtual server that a help desk command works in.
pub(super) struct Place {
    pub(super) site: Site,
    pub(super) tenant: TenantId,
    pub(super) config: TenantConfig,
}

impl Place {
    pub(super) async fn of(settings: &Settings, code: Option<&str>) -> anyhow::Result<Self> {
        let site = open(settings, Schema::Expect, Nature::default()).await?;
        let code = tenant(&site.house.db, code).await?;
        let config = site.house.db.look(async |connection| tenants::config(connection, &code).await).await?;
        let config = config.with_context(|| format!("there is no tenant \"{code}\""))?;
        Ok(Self { tenant: config.tenant.id, config, site })
    }

    fn desk(&self) -> Desk<'_> {
        desk(&self.site)
    }

    fn by(&self) -> By {
        By::desk(&self.desk())
    }

    pub(super) async fn user(&self, name: &str) -> anyhow::Result<User> {
        let question = async |connection: &mut Connection| storage::users::named(connection, self.tenant, name).await;
        let user = self.site.house.db.look(question).await?;
        user.with_context(|| format!("there is no user \"{name}\"; `vestibule user list` shows who there is"))
    }

    async fn token(&self, serial: &str) -> anyhow::Result<Token> {
        let serial = serial.trim();
        let question = async |connection: &mut Connection| {
            // Ours are in capitals, others' are as their makers write them.
            match storage::tokens::with_serial(connection, self.tenant, serial).await? {
                Some(token) => Ok(Some(token)),
                None => storage::tokens::with_serial(connection, self.tenant, &serial.to_uppercase()).await,
            }
        };
        let token = self.site.house.db.look(question).await?;
        token.with_context(|| format!("there is no authenticator {serial}; `vestibule token list` shows them"))
    }
}
