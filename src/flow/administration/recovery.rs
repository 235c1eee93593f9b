//! What the help desk does for somebody who cannot enroll or has lost the authenticator: it opens enrollment again, gives out
//! passes and temporary codes, and voids what was given out.

use std::time::Duration;

use serde_json::json;

use super::Desk;
use crate::domain::audit::Action;
use crate::domain::letter::{Envelope, Letter};
use crate::domain::login::evidence::{Evidence, Proof};
use crate::domain::login::step::Tokens;
use crate::domain::policy::provisioning::Offer;
use crate::domain::recovery_code::{self, HelpDeskCode};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Member, Status, User};
use crate::flow::case::{Scene, Standing, enrollment_subject, name_subject, offer};
use crate::flow::letters::NOTICE;
use crate::flow::lifecycle::{self, By};
use crate::flow::recovery::help_desk_hash;
use crate::storage::help_desk_codes::{self, New};
use crate::storage::{
    self, Connection, failures, help_desk_codes as codes, recovery_codes, rollout, rollout_places, tokens, users,
};

/// The most temporary codes that are given out at once, and the longest that they are good for, in hours.
pub const MOST_CODES: u8 = 20;
/// See [`MOST_CODES`].
pub const LONGEST_HOURS: u8 = 72;

/// Opens enrollment again: the window begins anew, and the account is not dormant (T-01).
///
/// # Errors
/// If the database fails.
pub async fn reopen(desk: &Desk<'_>, connection: &mut Connection, user: &User) -> storage::Result<()> {
    rollout::reopened(connection, user.tenant, user.id, desk.now).await?;
    let object = ("user", user.id.to_string());
    desk.record(connection, user.tenant, Action::EnrollmentReopened, object, json!({ "username": user.username })).await
}

/// Where a pass needs two operators, one alone does not do by another way what the pass is for (T-62).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("two operators are needed to help somebody here: give a one-time pass, and let another operator confirm it")]
pub struct TakesTwo;

/// Whether that is so in this virtual server.
#[must_use]
pub fn takes_two(config: &TenantConfig) -> bool {
    let gates = &config.settings.self_provisioning.gates;
    gates.take_passes() && gates.help_desk_pass_confirmed
}

/// Decides whether somebody may enroll at the login again who had an authenticator: also after it was lost, or taken for cause
/// (T-01, R-084). `None` leaves it to the rules of the virtual server.
///
/// # Errors
/// If the database fails.
pub async fn enroll_again(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    user: &User,
    allowed: Option<bool>,
) -> storage::Result<Result<(), TakesTwo>> {
    if allowed != Some(false) && takes_two(config) {
        return Ok(Err(TakesTwo));
    }
    let whose = (user.tenant, user.id);
    lifecycle::set_may_enroll_again(connection, desk.house, &By::desk(desk), whose, allowed).await.map(Ok)
}

/// A pass that was made.
#[derive(Debug)]
pub struct Pass {
    /// The pass; it is shown once.
    pub code: SecretString,
    /// Whether another operator must confirm it first.
    pub waits: bool,
    /// Until when it works, or waits.
    pub expires_at: Timestamp,
}

/// Whoever acts cannot be told from a second operator, and a pass needs two (T-62).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "two operators are needed for a pass, and a key or an account without a name is none: use the console, or a login of your own"
)]
pub struct Nameless;

/// Makes a pass, in place of an earlier one, and tells the person. [`Nameless`] where another operator must confirm it and nobody
/// could say who made it; nothing changes then.
///
/// # Errors
/// If the database fails.
pub async fn pass(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    user: &User,
) -> storage::Result<Result<Pass, Nameless>> {
    let gates = &config.settings.self_provisioning.gates;
    let (kind, waits) = (HelpDeskCode::Pass, gates.help_desk_pass_confirmed);
    let by = match desk.account() {
        Some(account) => account,
        None if waits => return Ok(Err(Nameless)),
        None => desk.actor.name(),
    };
    let expires_at = desk.now.plus(gates.pass_lifetime());
    codes::void_of(user.tenant, user.id, kind).run(connection).await?;
    let code = give(desk, connection, user, (kind, waits), &by, expires_at).await?;
    let detail = json!({ "username": user.username, "waits": waits, "expires": expires_at.rfc3339() });
    let object = ("user", user.id.to_string());
    desk.record(connection, user.tenant, Action::HelpDeskPassMade, object, detail).await?;
    rollout_places::helped(user.tenant, user.id, desk.now).run(connection).await?;
    tell(desk, connection, config, user).await?;
    Ok(Ok(Pass { code, waits, expires_at }))
}

/// Confirms a pass that another operator has made. Its time begins now. Says until when it works, or `None` if none waits
/// that this operator may confirm; [`Nameless`] if nobody could say who that is.
///
/// # Errors
/// If the database fails.
pub async fn confirm_pass(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    user: &User,
) -> storage::Result<Result<Option<Timestamp>, Nameless>> {
    let expires_at = desk.now.plus(config.settings.self_provisioning.gates.pass_lifetime());
    let Some(by) = desk.account() else { return Ok(Err(Nameless)) };
    if !codes::confirm(connection, user.tenant, user.id, &by, expires_at, desk.now).await? {
        return Ok(Ok(None));
    }
    let detail = json!({ "username": user.username, "expires": expires_at.rfc3339() });
    let object = ("user", user.id.to_string());
    desk.record(connection, user.tenant, Action::HelpDeskPassConfirmed, object, detail).await?;
    Ok(Ok(Some(expires_at)))
}

/// Makes temporary codes for somebody without an authenticator that works, in place of earlier ones, and tells the person
/// . Each is used once.
///
/// # Errors
/// If the database fails.
pub async fn temporary(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    user: &User,
    (hours, count): (u8, u8),
) -> storage::Result<Vec<SecretString>> {
    let kind = HelpDeskCode::Temporary;
    let expires_at = desk.now.plus(Duration::from_secs(u64::from(hours.min(LONGEST_HOURS)) * 3600));
    codes::void_of(user.tenant, user.id, kind).run(connection).await?;
    let mut made = Vec::new();
    for _ in 0..count.min(MOST_CODES) {
        made.push(give(desk, connection, user, (kind, false), &desk.actor.name(), expires_at).await?);
    }
    let detail = json!({ "username": user.username, "codes": made.len(), "expires": expires_at.rfc3339() });
    let object = ("user", user.id.to_string());
    desk.record(connection, user.tenant, Action::TemporaryCodesMade, object, detail).await?;
    rollout_places::helped(user.tenant, user.id, desk.now).run(connection).await?;
    tell(desk, connection, config, user).await?;
    Ok(made)
}

async fn give(
    desk: &Desk<'_>,
    connection: &mut Connection,
    user: &User,
    (kind, waits): (HelpDeskCode, bool),
    by: &str,
    expires_at: Timestamp,
) -> storage::Result<SecretString> {
    let code = recovery_code::draw_digits(|bound| desk.house.entropy.below(bound));
    let typed = recovery_code::normalized(code.expose_secret());
    let hash = help_desk_hash(desk.house, user.tenant, user.id, kind, &typed);
    let new = New { user: user.id, hash: &hash, kind, waits, by, expires_at };
    help_desk_codes::insert(connection, user.tenant, &new, desk.now).await?;
    Ok(code)
}

/// Voids every recovery code, temporary code and pass of a person.
///
/// # Errors
/// If the database fails.
pub async fn void(desk: &Desk<'_>, connection: &mut Connection, user: &User) -> storage::Result<()> {
    let left = recovery_codes::left(user.tenant, user.id).ask(connection).await?;
    recovery_codes::void_of(user.tenant, user.id).run(connection).await?;
    for kind in [HelpDeskCode::Pass, HelpDeskCode::Temporary] {
        codes::void_of(user.tenant, user.id, kind).run(connection).await?;
    }
    let detail = json!({ "username": user.username, "recovery_codes": left });
    desk.record(connection, user.tenant, Action::RecoveryCodesVoided, ("user", user.id.to_string()), detail).await
}

/// Tells the person that something was given out, so that whoever talks a help desk into it does not go unseen (T-01).
async fn tell(desk: &Desk<'_>, connection: &mut Connection, config: &TenantConfig, user: &User) -> storage::Result<()> {
    let Some(email) = &user.email else { return Ok(()) };
    let tenant = &config.tenant;
    let envelope = Envelope {
        to: email.clone(),
        name: user.display_name(),
        account: user.username.clone(),
        language: user.language.clone().unwrap_or_else(|| tenant.default_language.clone()),
        tenant_code: tenant.code.to_string(),
        organization: tenant.name.clone(),
        help_contact: config.settings.help_contact.clone(),
        letter: Letter::HelpDeskCode { at: desk.now },
    };
    desk.house.post(connection, tenant.id, None, &envelope, desk.now, desk.now.plus(NOTICE)).await?;
    desk.house.mail_waits.notify_one();
    Ok(())
}

/// What a person would meet who has just proven the password and needs a passcode.
#[derive(Debug)]
pub struct Prospect {
    /// Whether there is an authenticator that counts, and whether one works.
    pub tokens: Tokens,
    /// Whether enrollment would be offered.
    pub offer: Offer,
    /// Whether it would be offered to somebody whom the help desk vouches for.
    pub vouched: Offer,
    /// Why, line by line.
    pub trace: Vec<String>,
    /// Whether the account is locked, or disabled.
    pub locked: bool,
    /// See `locked`.
    pub disabled: bool,
    /// Recovery codes that are left.
    pub recovery_codes: i64,
}

/// Explains what a person would meet at a login from `address`, whichever application asks for a passcode.
///
/// # Errors
/// If the database fails.
pub async fn prospect(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    user: &User,
    address: std::net::IpAddr,
) -> storage::Result<Prospect> {
    let (tenant, now) = (user.tenant, desk.now);
    let groups = users::groups_of(connection, tenant, user.id).await?;
    let member = Member { user: user.clone(), groups };
    let codes = failures::of(tenant, &enrollment_subject(desk.house, tenant, user.id)).ask(connection).await?;
    let locked = failures::of(tenant, &name_subject(desk.house, tenant, &user.username)).ask(connection).await?;
    let has_password = users::password_hash(connection, tenant, user.id).await?.is_some();
    let tokens = tokens::summary(&tokens::of_user(tenant, user.id).ask(connection).await?);
    let scene = Scene { config, now, address };
    let password = has_password.then_some(Proof { at: now, here: true });
    let mut decided = async |pass| {
        let evidence = Evidence { password, pass, ..Evidence::default() };
        // What would be offered to somebody without an authenticator, whatever there is now.
        let standing =
            Standing { asks_password: false, operator: false, evidence, tokens: Tokens::None, codes, turn_at: None };
        offer(connection, scene, Some(&member), standing).await
    };
    let (vouched, _) = decided(Some(now)).await?;
    let (offer, trace) = decided(None).await?;
    Ok(Prospect {
        tokens,
        offer,
        vouched,
        trace,
        locked: locked.lock().refusal(now).is_some(),
        disabled: user.status == Status::Disabled,
        recovery_codes: recovery_codes::left(tenant, user.id).ask(connection).await?,
    })
}
