//! Ends of sessions that are still to be told to service providers, server to server. What stands in a notice is all
//! that is needed to tell it: the person may have been removed, or have another mail address by then.

use super::logouts::{format, word};
use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::{ApplicationId, SessionId, TenantId, UserId};
use crate::domain::logout::Participant;
use crate::domain::service_provider::NameIdFormat;
use crate::domain::timestamp::Timestamp;

/// A service provider that is still to be told of the end of a session.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The virtual server.
    pub tenant: TenantId,
    /// The session.
    pub session: SessionId,
    /// The service provider, and what it calls the person.
    pub participant: Participant,
    /// How often it was tried.
    pub tries: i64,
    /// When it is due.
    pub next_try_at: Timestamp,
}

fn notice(row: Record) -> Result<Notice> {
    let row = Row::of("saml_notice", row);
    let participant = Participant {
        application: row.parsed("application_id")?,
        format: row.named("name_format", format)?,
        name: row.text("name")?,
    };
    Ok(Notice {
        tenant: row.parsed("tenant_id")?,
        session: row.parsed("session_id")?,
        participant,
        tries: row.integer("tries")?,
        next_try_at: row.time("next_try_at")?,
    })
}

/// Two may end one session at the same time, and the second waits for the first: what stands there by then is as good.
fn noting(engine: Engine, found: &'static str) -> Statement {
    const INTO: &str =
        "INTO saml_notice (tenant_id, session_id, application_id, name_format, name, tries, next_try_at) ";
    Statement::composed(&match engine {
        Engine::Sqlite => ["INSERT ", INTO, found, " ON CONFLICT DO NOTHING"],
        Engine::MySql => ["INSERT IGNORE ", INTO, found, ""],
    })
}

/// The statement that notes that `participant` is to be told of the end of a session, first at `due`.
pub fn insertion(
    engine: Engine,
    tenant: TenantId,
    session: SessionId,
    participant: &Participant,
    due: Timestamp,
) -> Statement {
    let statement = noting(engine, "VALUES (?, ?, ?, ?, ?, 0, ?)");
    let statement = statement.shown(tenant).shown(session).shown(participant.application);
    statement.shown(word(participant.format)).shown(&participant.name).bind(due.micros())
}

/// The statement that notes it for whoever heard of a session that ends now.
pub fn of_session(engine: Engine, tenant: TenantId, session: SessionId, now: Timestamp) -> Statement {
    let statement = noting(
        engine,
        "SELECT tenant_id, session_id, application_id, name_format, name, 0, ? FROM session_participant \
         WHERE tenant_id = ? AND session_id = ?",
    );
    statement.bind(now.micros()).shown(tenant).shown(session)
}

/// The statement that notes it for every living session of a person, to be run before they are ended. Whether a service
/// provider can be told is seen when it is its turn.
pub fn of_user(engine: Engine, tenant: TenantId, user: UserId, now: Timestamp) -> Statement {
    let statement = noting(
        engine,
        "SELECT session_participant.tenant_id, session_participant.session_id, session_participant.application_id, \
         session_participant.name_format, session_participant.name, 0, ? \
         FROM session_participant JOIN sso_session ON sso_session.tenant_id = session_participant.tenant_id \
         AND sso_session.id = session_participant.session_id WHERE session_participant.tenant_id = ? \
         AND sso_session.user_id = ? AND sso_session.ended_at IS NULL",
    );
    statement.bind(now.micros()).shown(tenant).shown(user)
}

/// Who is to be told now, at most `most` of all tenants.
// every tenant's: one worker tells for all
pub fn due(now: Timestamp, most: i64) -> Question<Vec<Notice>> {
    let statement = Statement::new(
        "SELECT tenant_id, session_id, application_id, name_format, name, tries, next_try_at FROM saml_notice \
         WHERE next_try_at <= ? ORDER BY next_try_at LIMIT ?",
    );
    Question::new(statement.bind(now.micros()).bind(most), |rows| rows.into_iter().map(notice).collect())
}

/// Takes a notice for one try and puts it off to `again` in case that fails. Says `false` if another instance was faster.
///
/// # Errors
/// If the database fails.
pub async fn take(connection: &mut Connection, notice: &Notice, again: Timestamp) -> Result<bool> {
    let taken = Statement::new(
        "UPDATE saml_notice SET tries = tries + 1, next_try_at = ? WHERE tenant_id = ? AND session_id = ? \
         AND application_id = ? AND name_format = ? AND tries = ?",
    );
    let taken = taken.bind(again.micros()).shown(notice.tenant).shown(notice.session);
    let taken = taken.shown(notice.participant.application).shown(word(notice.participant.format));
    Ok(taken.bind(notice.tries).run(connection).await? == 1)
}

/// The statement that forgets a notice: it was told, or will never be.
pub fn done(tenant: TenantId, session: SessionId, (application, format): (ApplicationId, NameIdFormat)) -> Statement {
    let statement = Statement::new(
        "DELETE FROM saml_notice WHERE tenant_id = ? AND session_id = ? AND application_id = ? AND name_format = ?",
    );
    statement.shown(tenant).shown(session).shown(application).shown(word(format))
}
