//! Help desk actions from the shell: people and their authenticators.

pub mod alerts;

use std::time::Duration;

use anyhow::Context as _;

use super::commands::{desk, tenant};
use super::{Nature, Schema, open};
use crate::config::Settings;
use crate::domain::authenticator::lifecycle::{Disposition, Move};
use crate::domain::ids::TenantId;
use crate::domain::policy::platform::Platform;
use crate::domain::secret::ExposeSecret as _;
use crate::domain::tenant::TenantConfig;
use crate::domain::user::{Status, User};
use crate::flow::administration::people;
use crate::flow::lifecycle::{self, By, Ending};
use crate::flow::registration;
use crate::http::Site;
use crate::oidc::client::secret_digest;
use crate::storage::tokens::{self, Moved, State, Token};
use crate::storage::{self, Connection, tenants, users};

/// What is done to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserAction {
    /// Its failures are forgotten.
    Unlock,
    /// It may be used again.
    Enable,
    /// It may not be used any more.
    Disable,
}

/// What is done to an authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAction {
    /// It is stopped for a while.
    Suspend,
    /// It works again, whether it was suspended or locked.
    Resume,
    /// It is ended for ever.
    Revoke,
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
    let token = registration::permit(&desk(&place.site), place.tenant, i64::from(uses), life).await?;
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
        let config = site.house.db.read(async |connection| tenants::config(connection, &code).await).await?;
        let config = config.with_context(|| format!("there is no tenant \"{code}\""))?;
        Ok(Self { tenant: config.tenant.id, config, site })
    }

    async fn is_locked(&self, user: &User) -> anyhow::Result<bool> {
        let house = &self.site.house;
        let now = house.clock.now();
        Ok(house.db.read(async |connection| people::is_locked(house, connection, user, now).await).await?)
    }

    pub(super) async fn user(&self, name: &str) -> anyhow::Result<User> {
        let question = async |connection: &mut Connection| users::named(connection, self.tenant, name).await;
        let user = self.site.house.db.read(question).await?;
        user.with_context(|| format!("there is no user \"{name}\"; `vestibule user list` shows who there is"))
    }
}

/// `vestibule user list`: one line for each account.
///
/// # Errors
/// If there is no such virtual server, or what the database says.
pub async fn list_users(settings: &Settings, code: Option<&str>) -> anyhow::Result<Vec<String>> {
    let place = Place::of(settings, code).await?;
    let db = &place.site.house.db;
    let people = db.read(async |connection| users::all(connection, place.tenant).await).await?;
    let tokens = db.read(async |connection| tokens::all(connection, place.tenant).await).await?;
    let mut lines = Vec::with_capacity(people.len());
    for user in people {
        let status = match user.status {
            Status::Disabled => "disabled",
            Status::Enabled if place.is_locked(&user).await? => "locked",
            Status::Enabled => "enabled",
        };
        let active = tokens.iter().filter(|token| token.user == Some(user.id) && token.state == State::Active).count();
        let email = user.email.as_deref().unwrap_or("-");
        lines.push(format!("{}\t{status}\t{email}\t{active} active authenticators", user.username));
    }
    Ok(lines)
}

/// `vestibule user unlock|enable|disable`.
///
/// # Errors
/// If there is no such virtual server or account, or what the database says.
pub async fn change_user(
    settings: &Settings,
    code: Option<&str>,
    name: &str,
    action: UserAction,
) -> anyhow::Result<String> {
    let place = Place::of(settings, code).await?;
    let user = place.user(name).await?;
    let desk = desk(&place.site);
    let work = async |connection: &mut Connection| match action {
        UserAction::Unlock => people::unlock(&desk, connection, &user).await,
        UserAction::Enable => people::set_status(&desk, connection, &user, Status::Enabled).await,
        UserAction::Disable => people::set_status(&desk, connection, &user, Status::Disabled).await,
    };
    place.site.house.db.write(work).await?;
    let name = &user.username;
    Ok(match action {
        UserAction::Unlock => format!("{name} is unlocked"),
        UserAction::Enable => format!("{name} is enabled"),
        UserAction::Disable => format!("{name} is disabled; open logins and sessions have ended"),
    })
}

/// `vestibule token list`: one line for each authenticator, of one person or of all.
///
/// # Errors
/// If there is no such virtual server or account, or what the database says.
pub async fn list_tokens(settings: &Settings, code: Option<&str>, name: Option<&str>) -> anyhow::Result<Vec<String>> {
    let place = Place::of(settings, code).await?;
    let owner = match name {
        Some(name) => Some(place.user(name).await?.id),
        None => None,
    };
    let db = &place.site.house.db;
    let people = db.read(async |connection| users::all(connection, place.tenant).await).await?;
    let all = db.read(async |connection| tokens::all(connection, place.tenant).await).await?;
    let mut lines = Vec::new();
    for token in all.into_iter().filter(|token| owner.is_none_or(|owner| token.user == Some(owner))) {
        let user = people.iter().find(|user| token.user == Some(user.id));
        // An account that is locked shows so on its authenticators; unlocking gives them their state back.
        let locked = match user {
            Some(user) if token.state == State::Active => place.is_locked(user).await?,
            _ => false,
        };
        let state = if locked { "locked (account)" } else { token.state.id() };
        let used = token.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", at.rfc3339()));
        let (serial, user) = (&token.serial, user.map_or("-", |user| user.username.as_str()));
        let (platform, enrolled) = (token.platform.map_or(token.kind.id(), Platform::id), token.enrolled_at.rfc3339());
        lines.push(format!("{serial}\t{user}\t{state}\t{platform}\tenrolled {enrolled}\t{used}"));
    }
    Ok(lines)
}

/// `vestibule token suspend|resume|revoke`.
///
/// # Errors
/// If there is no such virtual server or authenticator, it is in another state, or what the database says.
pub async fn change_token(
    settings: &Settings,
    code: Option<&str>,
    serial: &str,
    action: TokenAction,
) -> anyhow::Result<String> {
    let place = Place::of(settings, code).await?;
    let db = &place.site.house.db;
    let serial = serial.trim().to_uppercase();
    let question = async |connection: &mut Connection| tokens::with_serial(connection, place.tenant, &serial).await;
    let token: Option<Token> = db.read(question).await?;
    let token =
        token.with_context(|| format!("there is no authenticator {serial}; `vestibule token list` shows them"))?;
    let (step, done) = match (action, token.state) {
        (TokenAction::Suspend, _) => (Move::Suspend, "is suspended"),
        (TokenAction::Resume, State::Locked) => (Move::Unlock, "works again"),
        (TokenAction::Resume, _) => (Move::Reactivate, "works again"),
        (TokenAction::Revoke, _) => (Move::Revoke(Disposition::Returned), "is revoked; its secret is erased"),
    };
    let by = By::desk(&desk(&place.site));
    let house = &place.site.house;
    let moved: storage::Result<Moved> = db
        .write(async |connection| {
            lifecycle::carry_out(connection, house, &by, &token, (step, "operator"), Ending::All).await
        })
        .await;
    match moved? {
        Moved::To(_) => {}
        Moved::Refused => anyhow::bail!("{serial} is {}; that cannot be done to it", token.state),
        Moved::Overtaken => anyhow::bail!("somebody else changed {serial} at the same moment; look at it again"),
    }
    Ok(format!("{serial} {done}"))
}
