//! Who heard of a session, and logouts on their way through browsers.

use super::row::{Row, document};
use super::statement::{Question, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::{ApplicationId, LogoutId, SessionId, TenantId, UserId};
use crate::domain::logout::{Logout, Participant};
use crate::domain::service_provider::NameIdFormat;
use crate::domain::timestamp::Timestamp;

/// The longest name that is kept, in characters.
const LONGEST_NAME: usize = 1024;

pub(super) fn word(format: NameIdFormat) -> &'static str {
    match format {
        NameIdFormat::Persistent => "persistent",
        NameIdFormat::Transient => "transient",
        NameIdFormat::Email => "email",
        NameIdFormat::Unspecified => "unspecified",
    }
}

pub(super) fn format(word: &str) -> Option<NameIdFormat> {
    NameIdFormat::ALL.into_iter().map(|(format, _)| format).find(|format| self::word(*format) == word)
}

/// The statement that remembers that `application` heard of a session, and by what name, of which the newest counts: it
/// knows the person by that. It does nothing if that is known.
pub fn participation(
    engine: Engine,
    tenant: TenantId,
    session: SessionId,
    participant: &Participant,
    now: Timestamp,
) -> Statement {
    let sql = match engine {
        Engine::Sqlite => {
            "INSERT INTO session_participant (tenant_id, session_id, application_id, name_format, name, first_at) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, session_id, application_id, name_format) \
             DO UPDATE SET name = excluded.name WHERE name <> excluded.name"
        }
        Engine::MySql => {
            "INSERT INTO session_participant (tenant_id, session_id, application_id, name_format, name, first_at) \
             VALUES (?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE name = VALUES(name)"
        }
    };
    let statement = Statement::new(sql).shown(tenant).shown(session).shown(participant.application);
    let name = if participant.name.chars().count() <= LONGEST_NAME { participant.name.as_str() } else { "" };
    statement.shown(word(participant.format)).bind(name).bind(now.micros())
}

/// Who heard of a session.
pub fn participants(tenant: TenantId, session: SessionId) -> Question<Vec<Participant>> {
    let statement = Statement::new(
        "SELECT application_id, name_format, name FROM session_participant WHERE tenant_id = ? AND session_id = ? \
         ORDER BY application_id, name_format",
    );
    Question::new(statement.shown(tenant).shown(session), |rows| {
        let rows = rows.into_iter().map(|row| Row::of("session_participant", row));
        let participant = |row: Row| {
            let application: ApplicationId = row.parsed("application_id")?;
            Ok(Participant { application, format: row.named("name_format", format)?, name: row.text("name")? })
        };
        rows.map(participant).collect()
    })
}

/// The sessions in which a service provider got this name for somebody, as far as they were not ended.
pub fn sessions_named(tenant: TenantId, application: ApplicationId, name: &str) -> Question<Vec<SessionId>> {
    let statement = Statement::new(
        "SELECT DISTINCT session_participant.session_id FROM session_participant JOIN sso_session \
         ON sso_session.tenant_id = session_participant.tenant_id AND sso_session.id = session_participant.session_id \
         WHERE session_participant.tenant_id = ? AND session_participant.application_id = ? \
         AND session_participant.name = ? AND sso_session.ended_at IS NULL ORDER BY session_participant.session_id",
    );
    Question::new(statement.shown(tenant).shown(application).bind(name), |rows| {
        rows.into_iter().map(|row| Row::of("session_participant", row).parsed("session_id")).collect()
    })
}

/// The statement that forgets by what names service providers know a person; to be run when all have been noted who are to
/// be told of the end.
pub fn nameless(tenant: TenantId, user: UserId) -> Statement {
    let statement = Statement::new(
        "UPDATE session_participant SET name = '' WHERE tenant_id = ? AND session_id IN \
         (SELECT id FROM sso_session WHERE tenant_id = ? AND user_id = ?)",
    );
    statement.shown(tenant).shown(tenant).shown(user)
}

/// The statement that stores a logout.
pub fn insertion(tenant: TenantId, id: LogoutId, logout: &Logout, expires_at: Timestamp) -> Statement {
    Statement::new("INSERT INTO saml_logout (tenant_id, id, work, version, expires_at) VALUES (?, ?, ?, 1, ?)")
        .shown(tenant)
        .shown(id)
        .bind(document(logout))
        .bind(expires_at.micros())
}

/// A logout with its version, if there is one with this identifier that has not expired.
pub fn with_id(tenant: TenantId, id: LogoutId, now: Timestamp) -> Question<Option<(i64, Logout)>> {
    let statement =
        Statement::new("SELECT id, work, version FROM saml_logout WHERE tenant_id = ? AND id = ? AND expires_at > ?");
    Question::new(statement.shown(tenant).shown(id).bind(now.micros()), |rows| {
        let row = rows.into_iter().next().map(|row| Row::of("saml_logout", row));
        row.map(|row| Ok((row.integer("version")?, row.document("work")?))).transpose()
    })
}

/// Stores the next state of a logout. Says `false` if another request was faster.
///
/// # Errors
/// If the database fails.
pub async fn advance(
    connection: &mut Connection,
    tenant: TenantId,
    id: LogoutId,
    version: i64,
    logout: &Logout,
) -> Result<bool> {
    let statement = Statement::new(
        "UPDATE saml_logout SET work = ?, version = version + 1 WHERE tenant_id = ? AND id = ? AND version = ?",
    );
    let changed = statement.bind(document(logout)).shown(tenant).shown(id).bind(version).run(connection).await?;
    Ok(changed == 1)
}
