//! After an older copy of the database was put in place: nothing that was used or ended since works again.

use super::statement::{Statement, run_all};
use super::tokens::{self, State, Token};
use super::{Connection, Result};
use crate::domain::authenticator::template::Synchronization;
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;

/// Ends what a copy may have brought back, but for what [`settle_tokens`] does.
///
/// # Errors
/// If the database fails.
// every tenant's: a copy holds all of them
pub async fn settle(connection: &mut Connection, now: Timestamp) -> Result<()> {
    run_all(connection, endings(now)).await
}

// every tenant's, too
fn endings(now: Timestamp) -> Vec<Statement> {
    let endings = [
        "DELETE FROM evidence",
        "DELETE FROM login",
        "DELETE FROM parked_request",
        "DELETE FROM sso_session",
        "DELETE FROM session_participant",
        "DELETE FROM saml_logout",
        "DELETE FROM saml_notice",
        "DELETE FROM email_code",
        "DELETE FROM activation",
        "DELETE FROM ocra_challenge",
        "DELETE FROM recovery_sheet",
        "UPDATE help_desk_code SET state = 'void' WHERE state IN ('waiting', 'open')",
        "DELETE FROM logout_notice",
        "DELETE FROM oidc_pushed",
        "DELETE FROM oidc_device",
        "DELETE FROM oidc_family",
        "DELETE FROM oidc_grant",
        // But those that tell when something was removed by its age last: the machine that it is restored on may be in the wrong year.
        "DELETE FROM lease WHERE name NOT IN ('purge', 'retention')",
        "UPDATE enrollment SET state = 'cancelled', secret_sealed = NULL WHERE state = 'open'",
        // A link may have been used since: operators send new ones.
        "UPDATE enrollment_link SET void_at = created_at WHERE void_at IS NULL",
        "UPDATE outbox SET state = 'failed', body_sealed = NULL, error = 'restored from a copy' WHERE state = 'waiting'",
        "UPDATE user_account SET security_version = security_version + 1",
        // An application may have registered with it since, as often as it allows.
        "UPDATE registration_token SET uses_left = 0 WHERE application_id IS NULL",
        // An export may have been taken since, and its approval is good once.
        "UPDATE token_export SET expires_at = asked_at WHERE used_at IS NULL",
        "UPDATE job_row SET input = NULL WHERE input IS NOT NULL",
    ];
    let dated = [
        // A job may have been stopped since, and what it did is done again for whoever begins it anew.
        "UPDATE job SET state = 'stopped', error = 'restored from a copy', ended_at = ? WHERE state IN ('loading', 'running')",
        "UPDATE webhook_delivery SET state = 'failed', body = '', answer = 'restored from a copy', ended_at = ? \
         WHERE state = 'waiting'",
    ];
    let dated = dated.into_iter().map(|text| Statement::new(text).bind(now.micros()));
    // Whole tables, however large: MariaDB would be given up in the middle.
    endings.into_iter().map(Statement::new).chain(dated).map(Statement::at_length).collect()
}

/// Moves every authenticator of a virtual server past the passcodes that may have been used since the copy was made. Of event-based
/// ones that cannot be known: says which of them work, for the caller to suspend them.
///
/// # Errors
/// If the database fails.
pub async fn settle_tokens(connection: &mut Connection, tenant: TenantId, now: Timestamp) -> Result<Vec<Token>> {
    let mut unknown = Vec::new();
    for token in tokens::all(connection, tenant).await? {
        match token.template.synchronization {
            Synchronization::Time => {
                // The step that is shown now, on a device whose clock is as far ahead as was learned, and one more.
                let shown = now.seconds().div_euclid(i64::from(token.template.time_step_seconds.max(1)));
                Statement::new(
                    "UPDATE token SET last_position = ? WHERE tenant_id = ? AND id = ? AND last_position < ?",
                )
                .bind(shown + token.drift_steps.max(0) + 1)
                .shown(tenant)
                .shown(token.id)
                .bind(shown + token.drift_steps.max(0) + 1)
                .run(&mut *connection)
                .await?;
            }
            Synchronization::Event => {
                if token.state == State::Active {
                    unknown.push(token);
                }
            }
        }
    }
    Ok(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a large installation is restored as well as a small one.
    #[test]
    fn nothing_that_ends_what_a_copy_brought_back_is_given_up_in_the_middle() {
        let endings = endings(Timestamp::from_seconds(0));
        assert!(endings.len() > 20 && endings.iter().all(|statement| statement.at_length));
    }
}
