//! Ends of sessions that are still to be told to applications (OpenID Connect Back-Channel Logout).

use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::{ApplicationId, SessionId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;

/// An application that is still to be told of the end of a session.
#[derive(Debug, Clone, Copy)]
pub struct Notice {
    /// The virtual server.
    pub tenant: TenantId,
    /// The session.
    pub session: SessionId,
    /// The application.
    pub application: ApplicationId,
    /// The person.
    pub user: UserId,
    /// How often it was tried.
    pub tries: i64,
    /// When it is due.
    pub next_try_at: Timestamp,
}

fn notice(row: Record) -> Result<Notice> {
    let row = Row::of("logout_notice", row);
    Ok(Notice {
        tenant: row.parsed("tenant_id")?,
        session: row.parsed("session_id")?,
        application: row.parsed("application_id")?,
        user: row.parsed("user_id")?,
        tries: row.integer("tries")?,
        next_try_at: row.time("next_try_at")?,
    })
}

/// Whoever notes the same at the same moment, for a logout that is not written down yet, has done it: nothing fails by that.
fn noting(engine: Engine, found: &'static str) -> Statement {
    const INTO: &str = "INTO logout_notice (tenant_id, session_id, application_id, user_id, tries, next_try_at) ";
    Statement::composed(&match engine {
        Engine::Sqlite => ["INSERT ", INTO, found, " ON CONFLICT DO NOTHING"],
        Engine::MySql => ["INSERT IGNORE ", INTO, found, ""],
    })
}

/// The statement that notes who is to be told of the end of a session: every application that was granted something in
/// it. Whether it wants to be told is seen when it is its turn.
pub fn of_session(engine: Engine, tenant: TenantId, user: UserId, session: SessionId, now: Timestamp) -> Statement {
    let statement = noting(
        engine,
        "SELECT DISTINCT tenant_id, session_id, application_id, user_id, 0, ? FROM oidc_grant \
         WHERE tenant_id = ? AND user_id = ? AND session_id = ?",
    );
    statement.bind(now.micros()).shown(tenant).shown(user).shown(session)
}

/// The statement that does the same for every living session of a person; to be run before they are ended.
pub fn of_user(engine: Engine, tenant: TenantId, user: UserId, now: Timestamp) -> Statement {
    let statement = noting(
        engine,
        "SELECT DISTINCT oidc_grant.tenant_id, oidc_grant.session_id, oidc_grant.application_id, oidc_grant.user_id, 0, ? \
         FROM oidc_grant JOIN sso_session ON sso_session.tenant_id = oidc_grant.tenant_id \
         AND sso_session.id = oidc_grant.session_id WHERE oidc_grant.tenant_id = ? AND oidc_grant.user_id = ? \
         AND sso_session.ended_at IS NULL",
    );
    statement.bind(now.micros()).shown(tenant).shown(user)
}

/// The applications that were granted something in a session.
pub fn applications(tenant: TenantId, user: UserId, session: SessionId) -> Question<Vec<ApplicationId>> {
    let statement = Statement::new(
        "SELECT DISTINCT application_id, session_id AS id FROM oidc_grant WHERE tenant_id = ? AND user_id = ? AND session_id = ?",
    );
    Question::new(statement.shown(tenant).shown(user).shown(session), |rows| {
        rows.into_iter().map(|row| Row::of("oidc_grant", row).parsed("application_id")).collect()
    })
}

/// Who is to be told now, at most `most` of all tenants.
// every tenant's: one worker tells for all
pub fn due(now: Timestamp, most: i64) -> Question<Vec<Notice>> {
    let statement = Statement::new(
        "SELECT tenant_id, session_id, application_id, user_id, tries, next_try_at FROM logout_notice \
         WHERE next_try_at <= ? ORDER BY next_try_at LIMIT ?",
    );
    Question::new(statement.bind(now.micros()).bind(most), |rows| rows.into_iter().map(notice).collect())
}

/// Takes a notice for one try and puts it off to `again` in case that fails. Says `false` if another instance was faster.
pub async fn take(connection: &mut Connection, notice: &Notice, again: Timestamp) -> Result<bool> {
    let taken = Statement::new(
        "UPDATE logout_notice SET tries = tries + 1, next_try_at = ? WHERE tenant_id = ? AND session_id = ? \
         AND application_id = ? AND tries = ?",
    );
    let taken = taken.bind(again.micros()).shown(notice.tenant).shown(notice.session).shown(notice.application);
    Ok(taken.bind(notice.tries).run(connection).await? == 1)
}

/// The statement that forgets a notice: it was told, or will never be.
pub fn done(notice: &Notice) -> Statement {
    Statement::new("DELETE FROM logout_notice WHERE tenant_id = ? AND session_id = ? AND application_id = ?")
        .shown(notice.tenant)
        .shown(notice.session)
        .shown(notice.application)
}
