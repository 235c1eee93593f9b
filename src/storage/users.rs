//! People: accounts, passwords, memberships and known browsers.

use super::groups;
use super::people::{LONGEST_KEY, key};
use super::row::{Row, micros};
use super::statement::{Question, Record, Statement};
use super::{Connection, Engine, Error, Result};
use crate::domain::ids::{GroupId, TenantId, UserId};
use crate::domain::login::names::LoginNames;
use crate::domain::name::key_of;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Member, Phone, Status, User, checked_email};

fn user(row: Record) -> Result<User> {
    let row = Row::of("user_account", row);
    user_of(&row, "id")
}

/// The account in a row that may hold more; `id` is the column with its identifier.
pub(super) fn user_of(row: &Row, id: &'static str) -> Result<User> {
    Ok(User {
        id: row.parsed(id)?,
        tenant: row.parsed("tenant_id")?,
        username: row.text("username")?,
        email: row.text_or_none("email")?,
        alias: row.text_or_none("alias")?,
        phone: match row.text_or_none("phone")? {
            Some(number) => Some(Phone { number, verified: row.flag("phone_verified")? }),
            None => None,
        },
        first_name: row.text("first_name")?,
        last_name: row.text("last_name")?,
        language: row.text_or_none("language")?,
        status: row.named("status", |text| match text {
            "enabled" => Some(Status::Enabled),
            "disabled" => Some(Status::Disabled),
            _ => None,
        })?,
        security_version: row.integer("security_version")?,
        first_enrolled_at: row.time_or_none("first_enrolled_at")?,
        may_enroll_again: row.integer_or_none("may_enroll_again")?.map(|allowed| allowed != 0),
    })
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Enabled => "enabled",
        Status::Disabled => "disabled",
    }
}

/// The account with this name, compared by [`key_of`].
pub async fn named(connection: &mut Connection, tenant: TenantId, name: &str) -> Result<Option<User>> {
    let row = Statement::new(
        "SELECT id, tenant_id, username, email, alias, phone, phone_verified, first_name, last_name, language, status, \
         security_version, first_enrolled_at, may_enroll_again FROM user_account WHERE tenant_id = ? AND username_key = ?",
    )
    .shown(tenant)
    .bind(key_of(name))
    .first(connection)
    .await?;
    row.map(user).transpose()
}

/// The account that somebody means who types this at the login. A user name is always its account's; what is the alias or
/// the address of several accounts means none of them. Whether there is such an account changes nothing about what is asked (T-19).
///
/// # Errors
/// If the database fails.
pub async fn meant(
    connection: &mut Connection,
    tenant: TenantId,
    typed: &str,
    names: LoginNames,
) -> Result<Option<User>> {
    let by_name = if names.username { named(connection, tenant, typed).await? } else { None };
    let mut others = if names.email { with_address(connection, tenant, typed).await? } else { Vec::new() };
    let by_alias = if names.alias { with_alias(connection, tenant, typed).await? } else { None };
    if let Some(found) = by_alias
        && others.iter().all(|other| other.id != found.id)
    {
        others.push(found);
    }
    let other = if others.len() == 1 { others.pop() } else { None };
    Ok(by_name.or(other))
}

/// The account with this alias.
async fn with_alias(connection: &mut Connection, tenant: TenantId, typed: &str) -> Result<Option<User>> {
    let row = Statement::new(
        "SELECT u.id, u.tenant_id, u.username, u.email, u.alias, u.phone, u.phone_verified, u.first_name, u.last_name, \
         u.language, u.status, u.security_version, u.first_enrolled_at, u.may_enroll_again FROM login_name AS n \
         CROSS JOIN user_account AS u ON u.tenant_id = n.tenant_id AND u.id = n.user_id \
         WHERE n.tenant_id = ? AND n.name_key = ? AND n.kind = 'alias'",
    )
    .shown(tenant)
    .bind(key_of(typed))
    .first(connection)
    .await?;
    row.map(user).transpose()
}

/// Two of the accounts with this mail address, as far as there are so many.
async fn with_address(connection: &mut Connection, tenant: TenantId, typed: &str) -> Result<Vec<User>> {
    let Ok(address) = checked_email(typed).map(|address| key_of(&address)) else { return Ok(Vec::new()) };
    // Of a longer one only the beginning is known, which others may have as well.
    if address.chars().count() >= LONGEST_KEY {
        return Ok(Vec::new());
    }
    let rows = Statement::new(
        "SELECT id, tenant_id, username, email, alias, phone, phone_verified, first_name, last_name, language, status, \
         security_version, first_enrolled_at, may_enroll_again FROM user_account WHERE tenant_id = ? AND email_key >= ? \
         AND email_key < ? ORDER BY email_key LIMIT 2",
    )
    .shown(tenant)
    .bind(key(&address, ""))
    // What follows the sign that ends the address in a key.
    .bind(format!("{address}\""))
    .rows(connection)
    .await?;
    rows.into_iter().map(user).collect()
}

/// The account with this identifier.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: UserId) -> Result<Option<User>> {
    let row = Statement::new(
        "SELECT id, tenant_id, username, email, alias, phone, phone_verified, first_name, last_name, language, status, \
         security_version, first_enrolled_at, may_enroll_again FROM user_account WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    row.map(user).transpose()
}

/// All accounts of a virtual server, by name; for export, help desk lists and the demo.
pub async fn all(connection: &mut Connection, tenant: TenantId) -> Result<Vec<User>> {
    Ok(all_versions(connection, tenant).await?.into_iter().map(|(user, _)| user).collect())
}

/// As [`all`], each with its version.
pub async fn all_versions(connection: &mut Connection, tenant: TenantId) -> Result<Vec<(User, i64)>> {
    let rows = Statement::new(
        "SELECT id, tenant_id, username, email, alias, phone, phone_verified, first_name, last_name, language, status, \
         security_version, first_enrolled_at, may_enroll_again, version FROM user_account WHERE tenant_id = ? \
         ORDER BY username_key",
    )
    .shown(tenant)
    .rows(connection)
    .await?;
    let read = |row| {
        let row = Row::of("user_account", row);
        Ok((user_of(&row, "id")?, row.integer("version")?))
    };
    rows.into_iter().map(read).collect()
}

/// A part of the accounts whose user name begins with `start`, by name, after the place that an earlier part gave; and where
/// the next part begins, if there is one.
pub async fn search(
    connection: &mut Connection,
    tenant: TenantId,
    start: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<User>, Option<String>)> {
    let mut rows = Statement::new(
        "SELECT id, tenant_id, username, username_key, email, alias, phone, phone_verified, first_name, last_name, language, \
         status, security_version, first_enrolled_at, may_enroll_again FROM user_account WHERE tenant_id = ? AND username_key >= ? \
         AND username_key > ? AND username_key < ? ORDER BY username_key LIMIT ?",
    )
    .shown(tenant)
    .bind(key_of(start))
    .bind(after.unwrap_or_default())
    .bind(format!("{}\u{10ffff}", key_of(start)))
    .bind(i64::from(limit) + 1)
    .rows(connection)
    .await?;
    let mut next = None;
    if rows.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
        rows.pop();
        next = rows
            .last()
            .map(|row| row.text("username_key"))
            .transpose()
            .unwrap_or_default()
            .flatten()
            .map(str::to_owned);
    }
    Ok((rows.into_iter().map(user).collect::<Result<_>>()?, next))
}

/// The groups that an account is in.
pub async fn groups_of(connection: &mut Connection, tenant: TenantId, id: UserId) -> Result<Vec<GroupId>> {
    let rows = Statement::new("SELECT group_id, user_id FROM group_member WHERE tenant_id = ? AND user_id = ?")
        .shown(tenant)
        .shown(id)
        .rows(connection)
        .await?;
    rows.into_iter().map(|row| Row::of("group_member", row).parsed("group_id")).collect()
}

/// Who is in which group, for the whole virtual server.
pub async fn memberships(connection: &mut Connection, tenant: TenantId) -> Result<Vec<(UserId, GroupId)>> {
    let rows = Statement::new("SELECT group_id, user_id FROM group_member WHERE tenant_id = ?")
        .shown(tenant)
        .rows(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("group_member", row);
            Ok((row.parsed("user_id")?, row.parsed("group_id")?))
        })
        .collect()
}

/// The person in a row that also says in `group_ids` which groups the person is in, with commas between them; `id` is
/// the column with the account's identifier.
pub(super) fn member_of(row: &Row, id: &'static str) -> Result<Member> {
    let ids = row.text_or_none("group_ids")?.unwrap_or_default();
    let parsed = ids.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().map_err(|_| row.broken("group_ids")));
    let mut groups = parsed.collect::<Result<Vec<GroupId>>>()?;
    groups.sort_unstable();
    Ok(Member { user: user_of(row, id)?, groups })
}

/// An account with its groups: one question, for nearly every page asks it.
pub fn member(tenant: TenantId, id: UserId) -> Question<Option<Member>> {
    let statement = Statement::new(
        "SELECT id, tenant_id, username, email, alias, phone, phone_verified, first_name, last_name, language, status, \
         security_version, first_enrolled_at, may_enroll_again, (SELECT GROUP_CONCAT(group_id) FROM group_member \
         WHERE group_member.tenant_id = user_account.tenant_id AND group_member.user_id = user_account.id) AS group_ids \
         FROM user_account WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| {
        let row = rows.into_iter().next();
        row.map(|row| member_of(&Row::of("user_account", row), "id")).transpose()
    })
}

/// Stores a new account. Fails with a duplicate if one of its names is taken.
pub async fn insert(connection: &mut Connection, user: &User, now: Timestamp) -> Result<()> {
    insertion(user, now).run(&mut *connection).await?;
    take_names(connection, user).await
}

/// The statement that stores a new account; [`names`] are those that take its names.
pub fn insertion(user: &User, now: Timestamp) -> Statement {
    let statement = Statement::new(
        "INSERT INTO user_account (tenant_id, id, username, username_key, email, alias, phone, phone_verified, first_name, \
         last_name, language, status, security_version, first_enrolled_at, created_at, updated_at, email_key, \
         last_name_key, first_name_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(user.tenant)
    .shown(user.id)
    .bind(&user.username)
    .bind(key_of(&user.username))
    .bind(&user.email)
    .bind(&user.alias)
    .bind(user.phone.as_ref().map(|phone| phone.number.as_str()))
    .bind(i64::from(user.phone.as_ref().is_some_and(|phone| phone.verified)))
    .bind(&user.first_name)
    .bind(&user.last_name)
    .bind(&user.language)
    .bind(status(user.status))
    .bind(user.security_version)
    .bind(micros(user.first_enrolled_at))
    .bind(now.micros())
    .bind(now.micros());
    keys(statement, user)
}

/// The values of the three keys by which an account is found.
fn keys(statement: Statement, user: &User) -> Statement {
    let name = key_of(&user.username);
    let fields = [user.email.as_deref().unwrap_or_default(), &user.last_name, &user.first_name];
    fields.into_iter().fold(statement, |statement, field| statement.bind(key(field, &name)))
}

/// Stores the changeable fields of an account, provided that it has still this version, where one is given. Says
/// whether it was so. The security version is raised where the caller says so, when address or status changed (INV-11), and never
/// taken from `user`: it may have been raised since that was read.
pub async fn update(
    connection: &mut Connection,
    user: &User,
    (version, raise): (Option<i64>, bool),
    now: Timestamp,
) -> Result<bool> {
    let statement = Statement::new(
        "UPDATE user_account SET username = ?, username_key = ?, email = ?, alias = ?, phone = ?, phone_verified = ?, \
         first_name = ?, last_name = ?, language = ?, status = ?, security_version = security_version + ?, updated_at = ?, email_key = ?, \
         last_name_key = ?, first_name_key = ?, version = version + 1 \
         WHERE tenant_id = ? AND id = ? AND (? < 0 OR version = ?)",
    )
    .bind(&user.username)
    .bind(key_of(&user.username))
    .bind(&user.email)
    .bind(&user.alias)
    .bind(user.phone.as_ref().map(|phone| phone.number.as_str()))
    .bind(i64::from(user.phone.as_ref().is_some_and(|phone| phone.verified)))
    .bind(&user.first_name)
    .bind(&user.last_name)
    .bind(&user.language)
    .bind(status(user.status))
    .bind(i64::from(raise))
    .bind(now.micros());
    let version = version.unwrap_or(-1);
    let statement = keys(statement, user).shown(user.tenant).shown(user.id).bind(version).bind(version);
    // Two who change it at the same moment do it one after the other: the second one leaves the names that the first one has taken.
    hold(connection, user.tenant, user.id).await?;
    let before = with_id(connection, user.tenant, user.id).await?;
    if statement.run(&mut *connection).await? != 1 {
        return Ok(false);
    }
    if let Some(before) = before.filter(|before| login_names(before) != login_names(user)) {
        leave_names(connection, &before).await?;
        take_names(connection, user).await?;
    }
    Ok(true)
}

/// What an account can be called at the login, as it is compared, and what each of them is.
fn login_names(user: &User) -> Vec<(String, &'static str)> {
    let username = key_of(&user.username);
    let alias = user.alias.as_deref().map(key_of).filter(|alias| *alias != username);
    let alias = alias.map(|alias| (alias, "alias"));
    [(username, "username")].into_iter().chain(alias).collect()
}

/// The statements that take the names of a new account, which nobody else can have then.
pub fn names(user: &User) -> Vec<Statement> {
    let taken = |(key, kind): (String, &'static str)| {
        Statement::new("INSERT INTO login_name (tenant_id, name_key, user_id, kind) VALUES (?, ?, ?, ?)")
            .shown(user.tenant)
            .bind(key)
            .shown(user.id)
            .bind(kind)
    };
    login_names(user).into_iter().map(taken).collect()
}

async fn take_names(connection: &mut Connection, user: &User) -> Result<()> {
    for ((key, _), taking) in login_names(user).into_iter().zip(names(user)) {
        let taken = taking.clone().run(&mut *connection).await;
        if taken.as_ref().is_err_and(Error::is_duplicate) && forget_left(connection, user.tenant, &key).await? {
            taking.run(&mut *connection).await?;
        } else {
            taken?;
        }
    }
    let Some(alias) = &user.alias else { return Ok(()) };
    // An instance that knows no aliases yet has made accounts without writing down their names.
    let other = named(connection, user.tenant, alias).await?;
    if other.is_some_and(|other| other.id != user.id) { Err(Error::Taken) } else { Ok(()) }
}

/// Forgets whose name this is, if it is nobody's any more: an instance that knows no aliases yet has removed the account, or given it
/// another user name, and left what stands here. Says whether it was so.
///
/// # Errors
/// If the database fails.
pub async fn forget_left(connection: &mut Connection, tenant: TenantId, key: &str) -> Result<bool> {
    let forgotten = Statement::new(
        "DELETE FROM login_name WHERE tenant_id = ? AND name_key = ? AND NOT EXISTS (SELECT 1 FROM user_account AS u \
         WHERE u.tenant_id = login_name.tenant_id AND u.id = login_name.user_id \
         AND (login_name.kind = 'alias' OR u.username_key = login_name.name_key))",
    );
    Ok(forgotten.shown(tenant).bind(key).run(connection).await? == 1)
}

async fn leave_names(connection: &mut Connection, user: &User) -> Result<()> {
    for (key, _) in login_names(user) {
        Statement::new("DELETE FROM login_name WHERE tenant_id = ? AND name_key = ? AND user_id = ?")
            .shown(user.tenant)
            .bind(key)
            .shown(user.id)
            .run(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Gives an alias up that somebody else may take before the account itself is changed: [`update`] writes down what it is called then.
///
/// # Errors
/// If the database fails.
pub async fn leave_alias(connection: &mut Connection, user: &User) -> Result<()> {
    let Some(alias) = &user.alias else { return Ok(()) };
    let left = Statement::new(
        "DELETE FROM login_name WHERE tenant_id = ? AND name_key = ? AND user_id = ? AND kind = 'alias'",
    );
    left.shown(user.tenant).bind(key_of(alias)).shown(user.id).run(connection).await.map(drop)
}

/// Whether this is what another account is called at the login.
///
/// # Errors
/// If the database fails.
pub async fn is_taken(
    connection: &mut Connection,
    tenant: TenantId,
    name: &str,
    by_other_than: UserId,
) -> Result<bool> {
    let row = Statement::new("SELECT user_id FROM login_name WHERE tenant_id = ? AND name_key = ? AND user_id <> ?")
        .shown(tenant)
        .bind(key_of(name))
        .shown(by_other_than)
        .first(&mut *connection)
        .await?;
    if row.is_some() {
        return Ok(true);
    }
    Ok(named(connection, tenant, name).await?.is_some_and(|other| other.id != by_other_than))
}

/// Removes an account with its password, memberships and known browsers.
pub async fn remove(connection: &mut Connection, tenant: TenantId, id: UserId) -> Result<()> {
    if let Some(user) = with_id(connection, tenant, id).await? {
        leave_names(connection, &user).await?;
    }
    let left = groups_of(connection, tenant, id).await?;
    groups::count(connection, tenant, left.into_iter().map(|group| (group, -1)).collect()).await?;
    for statement in [
        "DELETE FROM password WHERE tenant_id = ? AND user_id = ?",
        "DELETE FROM group_member WHERE tenant_id = ? AND user_id = ?",
        "DELETE FROM known_browser WHERE tenant_id = ? AND user_id = ?",
        "DELETE FROM oidc_consent WHERE tenant_id = ? AND user_id = ?",
        "DELETE FROM user_account WHERE tenant_id = ? AND id = ?",
    ] {
        Statement::new(statement).shown(tenant).shown(id).run(&mut *connection).await?;
    }
    Ok(())
}

/// The statements that erase what is kept of a person beside the account: of authenticators what their devices told
/// and where they were enrolled, of enrollment mails where they went. The rows themselves stay: that a serial number was
/// revoked is no secret of anybody's, and it is never used twice.
pub fn traces_erased(tenant: TenantId, id: UserId) -> Vec<Statement> {
    [
        "UPDATE token SET name = serial, device = '{}', enrolled_address = '', state_reason = 'account erased' \
         WHERE tenant_id = ? AND user_id = ?",
        "UPDATE reservation SET emailed_to = '' WHERE tenant_id = ? AND user_id = ?",
        "DELETE FROM recovery_sheet WHERE tenant_id = ? AND user_id = ?",
        "UPDATE sso_session SET address = '', user_agent = '' WHERE tenant_id = ? AND user_id = ?",
        "UPDATE alert SET username = '', address = '', detail = '' WHERE tenant_id = ? AND user_id = ?",
    ]
    .into_iter()
    .map(|sql| Statement::new(sql).shown(tenant).shown(id))
    .collect()
}

/// Raises the security version, which ends every open login and session of the account (INV-11).
pub async fn raise_security_version(
    connection: &mut Connection,
    tenant: TenantId,
    id: UserId,
    now: Timestamp,
) -> Result<()> {
    Statement::new(
        "UPDATE user_account SET security_version = security_version + 1, updated_at = ? WHERE tenant_id = ? AND id = ?",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(())
}

/// Remembers that the account has, or once had, an authenticator (T-01).
pub async fn remember_enrollment(
    connection: &mut Connection,
    tenant: TenantId,
    id: UserId,
    now: Timestamp,
) -> Result<()> {
    Statement::new(
        "UPDATE user_account SET first_enrolled_at = COALESCE(first_enrolled_at, ?) WHERE tenant_id = ? AND id = ?",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(())
}

/// Stores whether the account may enroll again by self-provisioning. Says whether that was changed (T-01).
pub async fn set_may_enroll_again(
    connection: &mut Connection,
    tenant: TenantId,
    id: UserId,
    allowed: Option<bool>,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE user_account SET may_enroll_again = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND COALESCE(may_enroll_again, -1) <> ?",
    )
    .bind(allowed.map(i64::from))
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(allowed.map_or(-1, i64::from))
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Stores the language that pages and mails are in for a person. Says whether that was changed.
pub async fn set_language(
    connection: &mut Connection,
    tenant: TenantId,
    id: UserId,
    tag: &str,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE user_account SET language = ?, updated_at = ?, version = version + 1 \
         WHERE tenant_id = ? AND id = ? AND COALESCE(language, '') <> ?",
    )
    .bind(tag)
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(tag)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that remembers the last completed login.
pub fn login_remembered(tenant: TenantId, id: UserId, now: Timestamp) -> Statement {
    Statement::new("UPDATE user_account SET last_login_at = ? WHERE tenant_id = ? AND id = ?")
        .bind(now.micros())
        .shown(tenant)
        .shown(id)
}

/// The stored password hash of an account, if it has a password.
pub async fn password_hash(connection: &mut Connection, tenant: TenantId, id: UserId) -> Result<Option<String>> {
    let row = Statement::new("SELECT hash, user_id FROM password WHERE tenant_id = ? AND user_id = ?")
        .shown(tenant)
        .shown(id)
        .first(connection)
        .await?;
    row.map(|row| Row::of("password", row).text("hash")).transpose()
}

/// Sets or replaces the password hash of an account.
pub async fn set_password_hash(
    connection: &mut Connection,
    tenant: TenantId,
    id: UserId,
    hash: &str,
    now: Timestamp,
) -> Result<()> {
    Statement::new("DELETE FROM password WHERE tenant_id = ? AND user_id = ?")
        .shown(tenant)
        .shown(id)
        .run(&mut *connection)
        .await?;
    Statement::new("INSERT INTO password (tenant_id, user_id, hash, changed_at) VALUES (?, ?, ?, ?)")
        .shown(tenant)
        .shown(id)
        .bind(hash)
        .bind(now.micros())
        .run(connection)
        .await?;
    Ok(())
}

/// Replaces the hash of a password by another one of the same password, if it is still that one. Says whether it was: a password
/// that was set meanwhile stays (INV-11).
pub async fn rehash_password(
    connection: &mut Connection,
    tenant: TenantId,
    id: UserId,
    (old, new): (&str, &str),
) -> Result<bool> {
    let done = Statement::new("UPDATE password SET hash = ? WHERE tenant_id = ? AND user_id = ? AND hash = ?")
        .bind(new)
        .shown(tenant)
        .shown(id)
        .bind(old)
        .run(connection)
        .await?;
    Ok(done == 1)
}

/// Makes `groups` the only groups of an account.
pub async fn set_groups(connection: &mut Connection, tenant: TenantId, id: UserId, groups: &[GroupId]) -> Result<()> {
    let before = groups_of(connection, tenant, id).await?;
    let mut changes = Vec::new();
    for group in before.iter().filter(|group| !groups.contains(group)) {
        Statement::new("DELETE FROM group_member WHERE tenant_id = ? AND group_id = ? AND user_id = ?")
            .shown(tenant)
            .shown(group)
            .shown(id)
            .run(&mut *connection)
            .await?;
        changes.push((*group, -1));
    }
    for group in groups.iter().filter(|group| !before.contains(group)) {
        Statement::new("INSERT INTO group_member (tenant_id, group_id, user_id) VALUES (?, ?, ?)")
            .shown(tenant)
            .shown(group)
            .shown(id)
            .run(&mut *connection)
            .await?;
        changes.push((*group, 1));
    }
    groups::count(connection, tenant, changes).await
}

/// Whether this person has completed a login in the browser with this hashed cookie.
pub fn knows_browser(tenant: TenantId, id: UserId, browser: &str) -> Question<bool> {
    let statement =
        Statement::new("SELECT user_id FROM known_browser WHERE tenant_id = ? AND user_id = ? AND browser_hash = ?");
    Question::new(statement.shown(tenant).shown(id).shown(browser), |rows| Ok(!rows.is_empty()))
}

/// The hashed cookies of the browsers in which this person has completed a login.
pub fn browsers_of(tenant: TenantId, id: UserId) -> Question<Vec<String>> {
    let statement =
        Statement::new("SELECT user_id, browser_hash FROM known_browser WHERE tenant_id = ? AND user_id = ?");
    Question::new(statement.shown(tenant).shown(id), |rows| {
        rows.into_iter().map(|row| Row::of("known_browser", row).text("browser_hash")).collect()
    })
}

/// The statement that remembers a browser in which this person has completed a login. When it was used is known by the day:
/// more would be an index to be changed at every login.
pub fn browser_remembered(engine: Engine, tenant: TenantId, id: UserId, browser: &str, now: Timestamp) -> Statement {
    let statement = match engine {
        Engine::Sqlite => {
            "INSERT INTO known_browser (tenant_id, user_id, browser_hash, last_used_at) VALUES (?, ?, ?, ?) \
             ON CONFLICT (tenant_id, user_id, browser_hash) DO UPDATE SET last_used_at = excluded.last_used_at \
             WHERE last_used_at < excluded.last_used_at - 86400000000"
        }
        Engine::MySql => {
            "INSERT INTO known_browser (tenant_id, user_id, browser_hash, last_used_at) VALUES (?, ?, ?, ?) \
             ON DUPLICATE KEY UPDATE last_used_at = IF(last_used_at < VALUES(last_used_at) - 86400000000, \
             VALUES(last_used_at), last_used_at)"
        }
    };
    Statement::new(statement).shown(tenant).shown(id).shown(browser).bind(now.micros())
}

/// Locks the account's row until the transaction ends, so that two enrollments of one person end one after
/// the other. SQLite's transactions do that by themselves.
pub async fn hold(connection: &mut Connection, tenant: TenantId, id: UserId) -> Result<()> {
    if connection.engine() == Engine::MySql {
        Statement::new("UPDATE user_account SET status = status WHERE tenant_id = ? AND id = ?")
            .shown(tenant)
            .shown(id)
            .run(connection)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Statement;
    use crate::storage::Db;

    /// Nearly every request asks for the groups of somebody: that must not read the memberships of everybody.
    #[tokio::test]
    async fn somebodys_groups_are_found_without_reading_everybodys() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::connect(&format!("sqlite://{}", folder.path().join("v.db").display())).await.expect("opens");
        db.migrate().await.expect("migrates");
        let question = "EXPLAIN QUERY PLAN SELECT group_id FROM group_member WHERE tenant_id = ? AND user_id = ?";
        let plan = db.read(async |connection| Statement::new(question).only(connection).await).await.expect("a plan");
        let detail = plan.text("detail").expect("a column").expect("a plan");
        assert!(detail.contains("(tenant_id=? AND user_id=?)"), "{detail}");
        db.close().await;
    }
}
