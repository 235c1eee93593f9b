//! OpenID Connect grants: an authorization code, everything that was issued for it, and its refresh tokens.

use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Result, users};
use crate::domain::ids::{ApplicationId, GrantId, SessionId, TenantId, TokenId, UserId};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Member;

/// A grant.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its identifier.
    pub id: GrantId,
    /// The application it was given to.
    pub application: ApplicationId,
    /// The person who gave it.
    pub user: UserId,
    /// The session in which it was given.
    pub session: SessionId,
    /// The door's own: redirect address, PKCE challenge, nonce, scope, times.
    pub details: String,
    /// When the code stops being valid.
    pub expires_at: Timestamp,
    /// When the code was redeemed.
    pub redeemed_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When the last thing that was issued for it expires, and the row may go.
    pub ends_at: Timestamp,
}

/// The refresh tokens of a grant: each is good until the next one is made.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Which of them is good now.
    pub generation: i64,
    /// Whether they outlive the session.
    pub offline: bool,
    /// Unused until then, they end.
    pub idle_until: Timestamp,
    /// Whatever happens, they end then.
    pub ends_at: Timestamp,
}

/// What a grant needs of the session it was given in.
#[derive(Debug, Clone, Copy)]
pub struct GrantSession {
    /// The account's security version when the session was last strengthened.
    pub security_version: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
}

/// Everything that decides whether a grant is still good, found with one question.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The grant.
    pub grant: Grant,
    /// Its person, as known now.
    pub member: Member,
    /// Its session, unless that is so long over that its row is gone.
    pub session: Option<GrantSession>,
    /// Its refresh tokens, if it has any.
    pub family: Option<Family>,
}

fn standing(row: Record) -> Result<Standing> {
    let row = Row::of("oidc_grant", row);
    let grant = Grant {
        id: row.parsed("grant_id")?,
        application: row.parsed("application_id")?,
        user: row.parsed("user_id")?,
        session: row.parsed("session_id")?,
        details: row.text("details")?,
        expires_at: row.time("expires_at")?,
        redeemed_at: row.time_or_none("redeemed_at")?,
        revoked_at: row.time_or_none("revoked_at")?,
        ends_at: row.time("ends_at")?,
    };
    let session = match (row.integer_or_none("session_version")?, row.time_or_none("started_at")?) {
        (Some(security_version), Some(started_at)) => {
            Some(GrantSession { security_version, started_at, ended_at: row.time_or_none("ended_at")? })
        }
        _ => None,
    };
    let family = match (row.integer_or_none("generation")?, row.time_or_none("idle_until")?) {
        (Some(generation), Some(idle_until)) => {
            Some(Family { generation, offline: row.flag("offline")?, idle_until, ends_at: row.time("family_ends_at")? })
        }
        _ => None,
    };
    Ok(Standing { grant, member: users::member_of(&row, "user_id")?, session, family })
}

fn first(rows: Vec<Record>) -> Result<Option<Standing>> {
    rows.into_iter().next().map(standing).transpose()
}

/// The statement that stores a new grant under the keyed hash of its code.
pub fn insertion(tenant: TenantId, grant: &Grant, code_hash: &str, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO oidc_grant (tenant_id, id, code_hash, application_id, user_id, session_id, details, created_at, \
         expires_at, ends_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(grant.id)
    .shown(code_hash)
    .shown(grant.application)
    .shown(grant.user)
    .shown(grant.session)
    .shown(&grant.details)
    .bind(now.micros())
    .bind(grant.expires_at.micros())
    .bind(grant.ends_at.micros())
}

/// The grant with this identifier and hashed code, and all that decides about it.
pub fn with_code(tenant: TenantId, id: GrantId, code_hash: &str) -> Question<Option<Standing>> {
    let statement = Statement::new(
        "SELECT oidc_grant.id AS grant_id, application_id, oidc_grant.user_id AS user_id, session_id, details, \
         expires_at, redeemed_at, revoked_at, oidc_grant.ends_at AS ends_at, user_account.tenant_id AS tenant_id, \
         username, email, alias, phone, phone_verified, first_name, last_name, language, status, \
         user_account.security_version AS security_version, first_enrolled_at, may_enroll_again, \
         sso_session.security_version AS session_version, started_at, ended_at, generation, offline, idle_until, \
         oidc_family.ends_at AS family_ends_at, (SELECT GROUP_CONCAT(group_id) FROM group_member \
         WHERE group_member.tenant_id = user_account.tenant_id AND group_member.user_id = user_account.id) AS group_ids \
         FROM oidc_grant JOIN user_account ON user_account.tenant_id = oidc_grant.tenant_id \
         AND user_account.id = oidc_grant.user_id LEFT JOIN sso_session ON sso_session.tenant_id = oidc_grant.tenant_id \
         AND sso_session.id = oidc_grant.session_id LEFT JOIN oidc_family ON oidc_family.tenant_id = \
         oidc_grant.tenant_id AND oidc_family.grant_id = oidc_grant.id \
         WHERE oidc_grant.tenant_id = ? AND oidc_grant.id = ? AND oidc_grant.code_hash = ?",
    );
    Question::new(statement.shown(tenant).shown(id).shown(code_hash), first)
}

/// The grant with this identifier, and all that decides about it.
pub fn with_id(tenant: TenantId, id: GrantId) -> Question<Option<Standing>> {
    let statement = Statement::new(
        "SELECT oidc_grant.id AS grant_id, application_id, oidc_grant.user_id AS user_id, session_id, details, \
         expires_at, redeemed_at, revoked_at, oidc_grant.ends_at AS ends_at, user_account.tenant_id AS tenant_id, \
         username, email, alias, phone, phone_verified, first_name, last_name, language, status, \
         user_account.security_version AS security_version, first_enrolled_at, may_enroll_again, \
         sso_session.security_version AS session_version, started_at, ended_at, generation, offline, idle_until, \
         oidc_family.ends_at AS family_ends_at, (SELECT GROUP_CONCAT(group_id) FROM group_member \
         WHERE group_member.tenant_id = user_account.tenant_id AND group_member.user_id = user_account.id) AS group_ids \
         FROM oidc_grant JOIN user_account ON user_account.tenant_id = oidc_grant.tenant_id \
         AND user_account.id = oidc_grant.user_id LEFT JOIN sso_session ON sso_session.tenant_id = oidc_grant.tenant_id \
         AND sso_session.id = oidc_grant.session_id LEFT JOIN oidc_family ON oidc_family.tenant_id = \
         oidc_grant.tenant_id AND oidc_family.grant_id = oidc_grant.id \
         WHERE oidc_grant.tenant_id = ? AND oidc_grant.id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), first)
}

/// Redeems a code, once, and lets the row stay `longer` than it was to stay, if that is given. Says `false` if it was redeemed
/// before, was revoked or has expired (T-47).
pub async fn redeem(
    connection: &mut Connection,
    tenant: TenantId,
    id: GrantId,
    longer: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool> {
    let redeemed = match longer {
        // A column that is set is written in its index, too, even to what it was: most codes stay as long as they were to.
        None => Statement::new(
            "UPDATE oidc_grant SET redeemed_at = ? WHERE tenant_id = ? AND id = ? AND redeemed_at IS NULL \
             AND revoked_at IS NULL AND expires_at > ?",
        )
        .bind(now.micros()),
        Some(ends_at) => Statement::new(
            "UPDATE oidc_grant SET redeemed_at = ?, ends_at = ? WHERE tenant_id = ? AND id = ? AND redeemed_at IS NULL \
             AND revoked_at IS NULL AND expires_at > ?",
        )
        .bind(now.micros())
        .bind(ends_at.micros()),
    };
    let redeemed = redeemed.shown(tenant).shown(id).bind(now.micros());
    Ok(redeemed.run(connection).await? == 1)
}

/// The statement that stores a new family of refresh tokens, whose first token is of generation 0.
pub fn family(tenant: TenantId, id: GrantId, family: &Family, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO oidc_family (tenant_id, grant_id, generation, rotated_at, retry_key, offline, idle_until, ends_at) \
         VALUES (?, ?, ?, ?, '', ?, ?, ?)",
    )
    .shown(tenant)
    .shown(id)
    .bind(family.generation)
    .bind(now.micros())
    .bind(i64::from(family.offline))
    .bind(family.idle_until.micros())
    .bind(family.ends_at.micros())
}

/// Makes the refresh token of `generation` worthless and the next one good. Says `false` if it is not the good one, or
/// nothing of the grant is good any more (T-50).
pub async fn rotate(
    connection: &mut Connection,
    tenant: TenantId,
    id: GrantId,
    generation: i64,
    (retry_key, idle_until): (&str, Timestamp),
    now: Timestamp,
) -> Result<bool> {
    let rotated = Statement::new(
        "UPDATE oidc_family SET generation = generation + 1, rotated_at = ?, retry_key = ?, idle_until = ? \
         WHERE tenant_id = ? AND grant_id = ? AND generation = ? AND idle_until > ? AND ends_at > ? \
         AND EXISTS (SELECT 1 FROM oidc_grant WHERE oidc_grant.tenant_id = oidc_family.tenant_id \
         AND oidc_grant.id = oidc_family.grant_id AND revoked_at IS NULL)",
    );
    let rotated = rotated.bind(now.micros()).shown(retry_key).bind(idle_until.micros()).shown(tenant).shown(id);
    let rotated = rotated.bind(generation).bind(now.micros()).bind(now.micros());
    Ok(rotated.run(connection).await? == 1)
}

/// When and by which request the good refresh token of a family was made.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The good generation.
    pub generation: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Keyed hash of the request that made it.
    pub retry_key: String,
}

/// How the good refresh token of a grant that was not taken back came about.
pub fn rotated(tenant: TenantId, id: GrantId) -> Question<Option<Rotated>> {
    let statement = Statement::new(
        "SELECT grant_id, generation, rotated_at, retry_key FROM oidc_family WHERE tenant_id = ? AND grant_id = ? \
         AND EXISTS (SELECT 1 FROM oidc_grant WHERE oidc_grant.tenant_id = oidc_family.tenant_id \
         AND oidc_grant.id = oidc_family.grant_id AND revoked_at IS NULL)",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| {
        let row = rows.into_iter().next().map(|row| Row::of("oidc_family", row));
        row.map(|row| {
            let generation = row.integer("generation")?;
            Ok(Rotated { generation, at: row.time("rotated_at")?, retry_key: row.text("retry_key")? })
        })
        .transpose()
    })
}

/// Takes a grant back. Says whether it was good before.
pub async fn revoke(connection: &mut Connection, tenant: TenantId, id: GrantId, now: Timestamp) -> Result<bool> {
    let revoked =
        Statement::new("UPDATE oidc_grant SET revoked_at = ? WHERE tenant_id = ? AND id = ? AND revoked_at IS NULL");
    Ok(revoked.bind(now.micros()).shown(tenant).shown(id).run(connection).await? == 1)
}

/// Takes a grant back whose code was redeemed. Says whether it was good before.
pub async fn revoke_redeemed(
    connection: &mut Connection,
    tenant: TenantId,
    id: GrantId,
    now: Timestamp,
) -> Result<bool> {
    let revoked = Statement::new(
        "UPDATE oidc_grant SET revoked_at = ? WHERE tenant_id = ? AND id = ? AND revoked_at IS NULL \
         AND redeemed_at IS NOT NULL",
    );
    Ok(revoked.bind(now.micros()).shown(tenant).shown(id).run(connection).await? == 1)
}

/// Takes back everything that was granted by a person.
pub async fn revoke_all_of(connection: &mut Connection, tenant: TenantId, user: UserId, now: Timestamp) -> Result<u64> {
    let revoked = Statement::new(
        "UPDATE oidc_grant SET revoked_at = ? WHERE tenant_id = ? AND user_id = ? AND revoked_at IS NULL",
    );
    revoked.bind(now.micros()).shown(tenant).shown(user).run(connection).await
}

/// Takes back what was granted in a session, but for what was to outlive it (scope `offline_access`).
pub async fn revoke_in_session(
    connection: &mut Connection,
    tenant: TenantId,
    (user, session): (UserId, SessionId),
    now: Timestamp,
) -> Result<u64> {
    let revoked = Statement::new(
        "UPDATE oidc_grant SET revoked_at = ? WHERE tenant_id = ? AND user_id = ? AND session_id = ? AND revoked_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM oidc_family WHERE oidc_family.tenant_id = oidc_grant.tenant_id \
         AND oidc_family.grant_id = oidc_grant.id AND offline = 1)",
    );
    revoked.bind(now.micros()).shown(tenant).shown(user).shown(session).run(connection).await
}

/// Takes back what a person granted in sessions that an authenticator opened, also what was to outlive them; and what was
/// granted in sessions of which nothing is known any more: that may have been its, too.
pub async fn revoke_by_token(
    connection: &mut Connection,
    tenant: TenantId,
    (user, token): (UserId, TokenId),
    now: Timestamp,
) -> Result<u64> {
    let revoked = Statement::new(
        "UPDATE oidc_grant SET revoked_at = ? WHERE tenant_id = ? AND user_id = ? AND revoked_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM sso_session WHERE sso_session.tenant_id = oidc_grant.tenant_id \
         AND sso_session.id = oidc_grant.session_id AND (token_id IS NULL OR token_id <> ?))",
    );
    revoked.bind(now.micros()).shown(tenant).shown(user).shown(token).run(connection).await
}

/// The applications that have access to a person while nobody is logged in (scope `offline_access`), each with the time of
/// the oldest such grant.
pub fn outliving(tenant: TenantId, user: UserId, now: Timestamp) -> Question<Vec<(ApplicationId, Timestamp)>> {
    let statement = Statement::new(
        "SELECT application_id, MIN(created_at) AS since FROM oidc_grant JOIN oidc_family \
         ON oidc_family.tenant_id = oidc_grant.tenant_id AND oidc_family.grant_id = oidc_grant.id \
         WHERE oidc_grant.tenant_id = ? AND user_id = ? AND revoked_at IS NULL AND offline = 1 AND idle_until > ? \
         AND oidc_family.ends_at > ? GROUP BY application_id",
    );
    let statement = statement.shown(tenant).shown(user).bind(now.micros()).bind(now.micros());
    Question::new(statement, |rows| {
        let rows = rows.into_iter().map(|row| Row::of("oidc_grant", row));
        rows.map(|row| Ok((row.parsed("application_id")?, row.time("since")?))).collect()
    })
}

/// Takes back what a person has granted to an application. Says how much it was.
pub async fn revoke_for(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    application: ApplicationId,
    now: Timestamp,
) -> Result<u64> {
    let revoked = Statement::new(
        "UPDATE oidc_grant SET revoked_at = ? WHERE tenant_id = ? AND user_id = ? AND application_id = ? \
         AND revoked_at IS NULL",
    );
    revoked.bind(now.micros()).shown(tenant).shown(user).shown(application).run(connection).await
}
