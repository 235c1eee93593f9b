//! Removes what has expired, of all tenants, in small steps. Can be run twice (K20).

use std::time::Duration;

use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::timestamp::Timestamp;

/// How long expired rows stay, so that the help desk can still see what happened in a login.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes expired rows. Says how many there were.
// every tenant's: expiry is the same for all
pub async fn run(connection: &mut Connection, now: Timestamp) -> Result<u64> {
    let old = now.minus(KEEP).micros();
    let day = now.minus(Duration::from_secs(2 * 24 * 60 * 60)).micros();
    let month = now.minus(Duration::from_secs(30 * 24 * 60 * 60)).micros();
    let mut removed = 0;
    for (statement, before) in [
        (
            "DELETE FROM evidence WHERE EXISTS (SELECT 1 FROM login WHERE login.tenant_id = evidence.tenant_id \
             AND login.id = evidence.login_id AND login.absolute_expires_at < ?)",
            old,
        ),
        ("DELETE FROM login WHERE absolute_expires_at < ?", old),
        ("DELETE FROM email_code WHERE expires_at < ?", day),
        ("DELETE FROM activation WHERE expires_at < ?", day),
        (
            // One that stands in a mail is open until its stop date, and ends with its place in the task.
            "UPDATE enrollment SET secret_sealed = NULL, state = 'cancelled', ended_at = updated_at WHERE state = 'open' AND updated_at < ? \
             AND (reservation_id IS NULL OR reservation_id <> login_id)",
            old,
        ),
        ("DELETE FROM sso_session WHERE last_seen_at < ?", month),
        ("DELETE FROM session_participant WHERE first_at < ?", month),
        ("DELETE FROM saml_logout WHERE expires_at < ?", now.micros()),
        (
            "DELETE FROM oidc_family WHERE EXISTS (SELECT 1 FROM oidc_grant WHERE oidc_grant.tenant_id = \
             oidc_family.tenant_id AND oidc_grant.id = oidc_family.grant_id AND oidc_grant.ends_at < ?)",
            old,
        ),
        ("DELETE FROM oidc_grant WHERE ends_at < ?", old),
        ("DELETE FROM used_identifier WHERE expires_at < ?", now.micros()),
        // A device that asks after its time is told so for a while.
        ("DELETE FROM oidc_device WHERE expires_at < ?", now.minus(Duration::from_secs(15 * 60)).micros()),
        ("DELETE FROM token_export WHERE expires_at < ?", month),
        ("DELETE FROM registration_token WHERE expires_at < ?", now.micros()),
        ("DELETE FROM oidc_pushed WHERE expires_at < ?", now.micros()),
        ("DELETE FROM ocra_challenge WHERE expires_at < ?", old),
        ("DELETE FROM clock_doubt WHERE at < ?", old),
        ("DELETE FROM parked_request WHERE expires_at < ?", now.micros()),
        ("DELETE FROM throttle WHERE window_start < ?", old),
        ("DELETE FROM failure WHERE last_at < ? AND locked_by_operator = 0 AND failed_total < 100", month),
        (
            "DELETE FROM job_row WHERE EXISTS (SELECT 1 FROM job WHERE job.tenant_id = job_row.tenant_id \
             AND job.id = job_row.job_id AND job.state <> 'running' AND job.created_at < ?)",
            month,
        ),
        ("DELETE FROM job WHERE state <> 'running' AND created_at < ?", month),
        ("DELETE FROM account_lock WHERE locked_until < ?", now.micros()),
        // No wait after a change of address is longer.
        ("DELETE FROM address_change WHERE changed_at < ?", month),
        // What was counted over everybody, and nobody wanted to know since.
        ("DELETE FROM tally WHERE asked_at < ?", old),
        ("DELETE FROM alert WHERE at < ?", now.minus(Duration::from_secs(400 * 86_400)).micros()),
        ("DELETE FROM webhook_delivery WHERE state <> 'waiting' AND created_at < ?", month),
        ("DELETE FROM help_desk_code WHERE expires_at < ?", month),
        ("DELETE FROM recovery_sheet WHERE expires_at < ?", now.micros()),
        // No window is longer (domain::policy::rollout).
        ("DELETE FROM rollout_change WHERE at < ?", now.minus(Duration::from_secs(366 * 24 * 60 * 60)).micros()),
        ("DELETE FROM outbox WHERE state <> 'waiting' AND created_at < ?", month),
        ("DELETE FROM known_browser WHERE last_used_at < ?", now.minus(Duration::from_secs(400 * 86_400)).micros()),
    ] {
        removed += Statement::new(statement).bind(before).run(&mut *connection).await?;
    }
    Ok(removed)
}
