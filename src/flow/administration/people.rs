//! People, their passwords and their authenticators, as the help desk and apply files change them.

use serde_json::{Map, Value, json};

use super::operators::{dismissed, first};
use super::{Desk, provisioning, rules};
use crate::domain::audit::Action;
use crate::domain::authenticator::lifecycle::{Disposition, Move, State};
use crate::domain::ids::{GroupId, TenantId, TokenId, UserId};
use crate::domain::letter::{Envelope, Letter};
use crate::domain::operator::Role;
use crate::domain::secret::SecretBytes;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Status, User};
use crate::flow::case::{browser_subject, enrollment_subject, name_subject, typed_subjects};
use crate::flow::letters::NOTICE;
use crate::flow::lifecycle::{self, By, Ending};
use crate::flow::{House, session};
use crate::keys::sealing::Place;
use crate::storage::tokens::Token;
use crate::storage::{
    self, Connection, account_locks, activations, address_changes, enrollments, failures, help_desk_codes, logouts,
    operators, recovery_codes, rollout, rollout_attempts, rollout_observed, rollout_places, tokens, users,
};

/// Why somebody is not removed or disabled.
pub const LAST_OPERATOR: &str = "is the last operator with the role Operator: make another one first";

/// Stores a new account.
///
/// # Errors
/// If the database fails or the name is taken.
pub async fn create(desk: &Desk<'_>, connection: &mut Connection, user: &User) -> storage::Result<()> {
    users::insert(connection, user, desk.now).await?;
    let object = ("user", user.id.to_string());
    let detail = match &user.alias {
        Some(alias) => json!({ "username": user.username, "alias": alias }),
        None => json!({ "username": user.username }),
    };
    desk.record(connection, user.tenant, Action::UserCreated, object, detail).await
}

/// Stores changed fields. A changed address or status ends every open login and session (INV-11); a changed address is
/// told to the one before, and may keep enrollment waiting.
///
/// # Errors
/// If the database fails. Inside: why this account cannot be disabled.
pub async fn change(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    before: &User,
    after: &User,
) -> storage::Result<Result<(), &'static str>> {
    Ok(change_if(desk, connection, config, (before, None), after).await?.map(drop))
}

/// As [`change`], provided that the account has still the version, where one is given. Says whether it was so; if not,
/// nothing is changed.
///
/// # Errors
/// If the database fails; a duplicate if the name is taken. Inside: why this account cannot be disabled.
pub async fn change_if(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    (before, version): (&User, Option<i64>),
    after: &User,
) -> storage::Result<Result<bool, &'static str>> {
    let stored = store(desk, connection, (before, version), after).await?;
    if stored != Ok(true) {
        return Ok(stored);
    }
    if before.email != after.email {
        address_changes::remember(connection, after.tenant, after.id, desk.now).await?;
        tell_old_address(desk, connection, config, before, after).await?;
    }
    rules::look(desk, connection, after.tenant, after.id).await?;
    Ok(Ok(true))
}

async fn store(
    desk: &Desk<'_>,
    connection: &mut Connection,
    (before, version): (&User, Option<i64>),
    after: &User,
) -> storage::Result<Result<bool, &'static str>> {
    if before.status != after.status
        && after.status == Status::Disabled
        && let Err(why) = may_go(desk, connection, after.tenant, after.id).await?
    {
        return Ok(Err(why));
    }
    let moved = before.email != after.email;
    let sensitive = moved || before.status != after.status;
    if !users::update(connection, after, (version, sensitive), desk.now).await? {
        return Ok(Ok(false));
    }
    if sensitive {
        session::all_ended(connection, after.tenant, after.id, "account changed", desk.now).await?;
    }
    let (old, new) = differences(before, after);
    let detail =
        json!({ "username": after.username, "sensitive": sensitive, "email_changed": moved, "old": old, "new": new });
    desk.record(connection, after.tenant, Action::UserChanged, ("user", after.id.to_string()), detail).await?;
    Ok(Ok(true))
}

/// The fields that differ, before and after, as the audit trail shows them: of an address the first character and the domain
///
fn differences(before: &User, after: &User) -> (Value, Value) {
    let fields = |user: &User| {
        let status = if user.status == Status::Enabled { "enabled" } else { "disabled" };
        let phone = user.phone.as_ref().map(|phone| format!("…{}", last(&phone.number, 3)));
        [
            ("username", Some(user.username.clone())),
            ("email", user.masked_email()),
            ("alias", user.alias.clone()),
            ("first_name", Some(user.first_name.clone())),
            ("last_name", Some(user.last_name.clone())),
            ("language", user.language.clone()),
            ("phone", phone),
            ("status", Some(status.to_owned())),
        ]
    };
    let (mut old, mut new) = (Map::new(), Map::new());
    for ((name, was), (_, is)) in fields(before).into_iter().zip(fields(after)) {
        let differs = match name {
            "email" => before.email != after.email,
            "phone" => before.phone != after.phone,
            _ => was != is,
        };
        if differs {
            old.insert(name.to_owned(), json!(was));
            new.insert(name.to_owned(), json!(is));
        }
    }
    (Value::Object(old), Value::Object(new))
}

fn last(text: &str, most: usize) -> String {
    let skipped = text.chars().count().saturating_sub(most);
    text.chars().skip(skipped).collect()
}

/// Writes to the address that the account had: whoever is robbed of the account this way must hear of it.
async fn tell_old_address(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    before: &User,
    after: &User,
) -> storage::Result<()> {
    let Some(old) = &before.email else { return Ok(()) };
    let tenant = &config.tenant;
    let envelope = Envelope {
        to: old.clone(),
        name: before.display_name(),
        account: before.username.clone(),
        language: after.language.clone().unwrap_or_else(|| tenant.default_language.clone()),
        tenant_code: tenant.code.to_string(),
        organization: tenant.name.clone(),
        help_contact: config.settings.help_contact.clone(),
        letter: Letter::AddressChanged { at: desk.now },
    };
    desk.house.post(connection, tenant.id, None, &envelope, desk.now, desk.now.plus(NOTICE)).await?;
    // A command of its own wakes nobody; the service's worker looks every few seconds.
    desk.house.mail_waits.notify_one();
    Ok(())
}

/// Replaces the password hash; ends every open login and session.
///
/// # Errors
/// If the database fails.
pub async fn set_password(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    hash: &str,
) -> storage::Result<()> {
    users::set_password_hash(connection, tenant, user, hash, desk.now).await?;
    users::raise_security_version(connection, tenant, user, desk.now).await?;
    session::all_ended(connection, tenant, user, "password changed", desk.now).await?;
    let object = ("user", user.to_string());
    desk.record(connection, tenant, Action::UserChanged, object, json!({ "changed": "password" })).await
}

/// Makes `groups` the groups of an account.
///
/// # Errors
/// If the database fails.
pub async fn set_groups(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    groups: &[GroupId],
) -> storage::Result<()> {
    let before = users::groups_of(connection, tenant, user).await?;
    if before.len() != groups.len() || before.iter().any(|group| !groups.contains(group)) {
        // The change may bring the person into the rollout, or out of it (T-01).
        rollout::moved(connection, tenant, user, &before, desk.now).await?;
    }
    users::set_groups(connection, tenant, user, groups).await?;
    let names = |groups: &[GroupId]| groups.iter().map(ToString::to_string).collect::<Vec<_>>();
    let detail =
        json!({ "groups": names(groups), "old": { "groups": names(&before) }, "new": { "groups": names(groups) } });
    desk.record(connection, tenant, Action::UserChanged, ("user", user.to_string()), detail).await?;
    rules::look(desk, connection, tenant, user).await
}

/// Removes an account with everything that could log in for it: tokens are revoked, open enrollments and activations are
/// void.
///
/// # Errors
/// If the database fails. Inside: why this account cannot go.
pub async fn remove(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
) -> storage::Result<Result<(), &'static str>> {
    if let Err(why) = may_go(desk, connection, tenant, user).await? {
        return Ok(Err(why));
    }
    dismissed(desk, connection, tenant, user).await?;
    let by = By::desk(desk);
    for token in tokens::of_user(tenant, user).ask(connection).await? {
        // What was only reserved for the person was never given out.
        let step = if token.state == State::Assigned { Move::Release } else { Move::Revoke(Disposition::Returned) };
        lifecycle::carry_out(connection, desk.house, &by, &token, (step, "account removed"), Ending::All).await?;
    }
    enrollments::cancel_all_of(connection, tenant, user, desk.now).await?;
    activations::void_all_of(connection, tenant, user).await?;
    session::all_ended(connection, tenant, user, "account removed", desk.now).await?;
    logouts::nameless(tenant, user).run(connection).await?;
    provisioning::forget(desk, connection, tenant, user).await?;
    for statement in [
        address_changes::forgotten(tenant, user),
        rollout::forgotten(tenant, user),
        rollout_places::forgotten(tenant, user),
        rollout_observed::forgotten(tenant, user, desk.now),
        rollout_attempts::forgotten(tenant, user),
        recovery_codes::void_of(tenant, user),
        help_desk_codes::forgotten(tenant, user),
    ] {
        statement.run(connection).await?;
    }
    if let Some(account) = users::with_id(connection, tenant, user).await? {
        account_locks::forgotten(tenant, &account.username).run(connection).await?;
    }
    users::remove(connection, tenant, user).await?;
    desk.record(connection, tenant, Action::UserRemoved, ("user", user.to_string()), json!({})).await.map(Ok)
}

/// Forgets all failures of a person: of every name, in every browser that the person is known in, and of mail codes.
///
/// # Errors
/// If the database fails.
pub async fn unlock(desk: &Desk<'_>, connection: &mut Connection, user: &User) -> storage::Result<()> {
    let (house, tenant) = (desk.house, user.tenant);
    failures::names_forgotten(tenant, &typed_subjects(house, user)).run(connection).await?;
    failures::forget(connection, tenant, &name_subject(house, tenant, &user.username)).await?;
    account_locks::forgotten(tenant, &user.username).run(connection).await?;
    failures::forget(connection, tenant, &enrollment_subject(house, tenant, user.id)).await?;
    for browser in users::browsers_of(tenant, user.id).ask(connection).await? {
        failures::forget(connection, tenant, &browser_subject(house, tenant, user.id, &browser)).await?;
    }
    rollout_places::helped(tenant, user.id, desk.now).run(connection).await?;
    desk.record(connection, tenant, Action::AccountUnlocked, ("user", user.id.to_string()), json!({})).await
}

/// Whether an account is locked now by failures, its own or at mail codes not counted.
///
/// # Errors
/// If the database fails.
pub async fn is_locked(
    house: &House,
    connection: &mut Connection,
    user: &User,
    now: Timestamp,
) -> storage::Result<bool> {
    is_name_locked(house, connection, user.tenant, &user.username, now).await
}

/// As [`is_locked`], by the user name.
///
/// # Errors
/// If the database fails.
pub async fn is_name_locked(
    house: &House,
    connection: &mut Connection,
    tenant: TenantId,
    username: &str,
    now: Timestamp,
) -> storage::Result<bool> {
    let failures = failures::of(tenant, &name_subject(house, tenant, username)).ask(connection).await?;
    Ok(failures.lock().refusal(now).is_some())
}

/// Disables or enables an account.
///
/// # Errors
/// If the database fails. Inside: why this account cannot be disabled.
pub async fn set_status(
    desk: &Desk<'_>,
    connection: &mut Connection,
    user: &User,
    status: Status,
) -> storage::Result<Result<(), &'static str>> {
    Ok(set_status_if(desk, connection, (user, None), status).await?.map(drop))
}

/// As [`set_status`], provided that the account has still the version, where one is given. Says whether it was so.
///
/// # Errors
/// If the database fails. Inside: why this account cannot be disabled.
pub async fn set_status_if(
    desk: &Desk<'_>,
    connection: &mut Connection,
    (user, version): (&User, Option<i64>),
    status: Status,
) -> storage::Result<Result<bool, &'static str>> {
    // Without a version it is the account as it stands now that gets the status, and not as it was when it was looked up.
    let now = if version.is_none() {
        users::hold(connection, user.tenant, user.id).await?;
        users::with_id(connection, user.tenant, user.id).await?
    } else {
        None
    };
    let user = now.as_ref().unwrap_or(user);
    let stored = store(desk, connection, (user, version), &User { status, ..user.clone() }).await?;
    if stored == Ok(true) {
        rules::look(desk, connection, user.tenant, user.id).await?;
    }
    Ok(stored)
}

/// Ends every session and every open login of a person.
///
/// # Errors
/// If the database fails.
pub async fn end_sessions(desk: &Desk<'_>, connection: &mut Connection, user: &User) -> storage::Result<()> {
    users::raise_security_version(connection, user.tenant, user.id, desk.now).await?;
    session::all_ended(connection, user.tenant, user.id, "ended by an operator", desk.now).await?;
    let detail = json!({ "username": user.username, "all": true });
    desk.record(connection, user.tenant, Action::SessionEnded, ("user", user.id.to_string()), detail).await
}

/// Whether this account may do everything and no other one that may be used can: without it nobody could use the console any more
/// (AC-51).
///
/// # Errors
/// If the database fails.
pub async fn is_last_operator(connection: &mut Connection, tenant: TenantId, user: UserId) -> storage::Result<bool> {
    let full = operators::with_role(tenant, Role::Operator).ask(connection).await?;
    let has = full.iter().any(|(operator, _)| *operator == user);
    Ok(has && !full.iter().any(|(operator, enabled)| *enabled && *operator != user))
}

/// Whether an account may be disabled or removed, or why not. Of two operators who end each other at the same moment one is the
/// last: the virtual server's row is taken before they are counted, but only for operators, since it makes every instance read
/// the configuration anew.
async fn may_go(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
) -> storage::Result<Result<(), &'static str>> {
    let full = operators::with_role(tenant, Role::Operator).ask(connection).await?;
    if full.iter().any(|(operator, _)| *operator == user) {
        first(desk, connection, tenant).await?;
        if is_last_operator(connection, tenant, user).await? {
            return Ok(Err(LAST_OPERATOR));
        }
    }
    Ok(Ok(()))
}

/// Puts a person into a group, or takes the person out of it. Says whether that changed anything.
///
/// # Errors
/// If the database fails.
pub async fn set_membership(
    desk: &Desk<'_>,
    connection: &mut Connection,
    user: &User,
    group: GroupId,
    member: bool,
) -> storage::Result<bool> {
    users::hold(connection, user.tenant, user.id).await?;
    let mut groups = users::groups_of(connection, user.tenant, user.id).await?;
    if groups.contains(&group) == member {
        return Ok(false);
    }
    if member {
        groups.push(group);
    } else {
        groups.retain(|other| *other != group);
    }
    set_groups(desk, connection, user.tenant, user.id, &groups).await?;
    Ok(true)
}

/// Stores a token that was brought along from another system.
///
/// # Errors
/// If the database fails.
pub async fn import_token(
    desk: &Desk<'_>,
    connection: &mut Connection,
    token: Token,
    secret: &SecretBytes,
) -> storage::Result<TokenId> {
    let place = Place::new(token.tenant, "token", "secret_sealed", token.id);
    let token = Token { secret_sealed: Some(desk.house.sealer.seal(place, secret)), ..token };
    tokens::insert(connection, &token).await?;
    if let Some(user) = token.user.filter(|_| token.state.counts()) {
        users::remember_enrollment(connection, token.tenant, user, desk.now).await?;
    }
    let detail = json!({ "serial": token.serial });
    desk.record(connection, token.tenant, Action::TokenImported, ("token", token.id.to_string()), detail).await?;
    Ok(token.id)
}
