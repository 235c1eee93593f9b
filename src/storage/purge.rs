//! Removes what has expired, of all tenants, in small steps. Can be run twice (K20).

use std::time::Duration;

use super::engine::Engine;
use super::row::Row;
use super::statement::Statement;
use super::{Connection, Db, Result};
use crate::domain::timestamp::Timestamp;

/// How long expired rows stay, so that the help desk can still see what happened in a login.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// How long what counts once is remembered after its time: an instance whose clock is behind ours takes it for longer, and clocks
/// may differ by a minute (security.md 5.10).
const SLOWER: Duration = Duration::from_secs(2 * 60);
/// Where there may be very many rows, one transaction removes those that expired in so long a time: nobody who logs in waits for
/// a night's rows, or for those of a service that was down.
const SLICE: Duration = Duration::from_secs(10 * 60);
/// So many of these are removed with one call; what is left then is removed with the next.
const SLICES: usize = 500;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What goes in one transaction.
struct Sweep {
    /// The question for the earliest time that is in the table, where there may be very many rows.
    earliest: Option<&'static str>,
    /// With the rows go what hangs on them: that first.
    statements: Vec<&'static str>,
    before: Timestamp,
}

/// Removes expired rows. Says how many there were.
///
/// # Errors
/// If the database fails; what was removed before that stays removed.
pub async fn run(db: &Db, now: Timestamp) -> Result<u64> {
    let mut removed = 0;
    for Sweep { earliest, statements, before } in sweeps(db.engine(), now) {
        for _ in 0..SLICES {
            let end = match earliest {
                None => before,
                Some(question) => match earliest_of(db, question).await? {
                    Some(earliest) if earliest < before => before.min(earliest.plus(SLICE)),
                    _ => break,
                },
            };
            let work = async |connection: &mut Connection| {
                let mut rows = 0;
                for statement in &statements {
                    rows += Statement::new(statement).bind(end.micros()).run(&mut *connection).await?;
                }
                Ok(rows)
            };
            removed += db.write_soon(work).await?;
            if end == before {
                break;
            }
        }
    }
    Ok(removed)
}

async fn earliest_of(db: &Db, question: &'static str) -> Result<Option<Timestamp>> {
    let row = db.look(async |connection| Statement::new(question).only(connection).await).await?;
    Row::of("", row).time_or_none("earliest")
}

// every tenant's: expiry is the same for all
fn sweeps(engine: Engine, now: Timestamp) -> Vec<Sweep> {
    let (old, month) = (now.minus(KEEP), now.minus(DAY * 30));
    let alone = |statement, before| Sweep { earliest: None, statements: vec![statement], before };
    let many = |earliest, statement, before| Sweep { earliest: Some(earliest), statements: vec![statement], before };
    // What hangs on a row is found by it. MySQL would look through everything that hangs on any.
    let hanging = |earliest, (sqlite, mysql), statement, before| Sweep {
        earliest,
        statements: vec![if engine == Engine::Sqlite { sqlite } else { mysql }, statement],
        before,
    };
    vec![
        hanging(
            Some("SELECT MIN(absolute_expires_at) AS earliest FROM login"),
            (
                "DELETE FROM evidence WHERE (tenant_id, login_id) IN \
                 (SELECT tenant_id, id FROM login WHERE absolute_expires_at < ?)",
                "DELETE evidence FROM login JOIN evidence ON evidence.tenant_id = login.tenant_id \
                 AND evidence.login_id = login.id WHERE login.absolute_expires_at < ?",
            ),
            "DELETE FROM login WHERE absolute_expires_at < ?",
            old,
        ),
        many(
            "SELECT MIN(expires_at) AS earliest FROM email_code",
            "DELETE FROM email_code WHERE expires_at < ?",
            now.minus(DAY * 2),
        ),
        many(
            "SELECT MIN(expires_at) AS earliest FROM activation",
            "DELETE FROM activation WHERE expires_at < ?",
            now.minus(DAY * 2),
        ),
        alone(
            // One that stands in a mail is open until its stop date, and ends with its place in the task.
            "UPDATE enrollment SET secret_sealed = NULL, state = 'cancelled', ended_at = updated_at WHERE state = 'open' \
             AND updated_at < ? AND (reservation_id IS NULL OR reservation_id <> login_id)",
            old,
        ),
        hanging(
            Some("SELECT MIN(last_seen_at) AS earliest FROM sso_session"),
            (
                "DELETE FROM session_participant WHERE (tenant_id, session_id) IN \
                 (SELECT tenant_id, id FROM sso_session WHERE last_seen_at < ?)",
                "DELETE session_participant FROM sso_session JOIN session_participant \
                 ON session_participant.tenant_id = sso_session.tenant_id \
                 AND session_participant.session_id = sso_session.id WHERE sso_session.last_seen_at < ?",
            ),
            "DELETE FROM sso_session WHERE last_seen_at < ?",
            month,
        ),
        hanging(
            Some("SELECT MIN(ends_at) AS earliest FROM oidc_grant"),
            (
                "DELETE FROM oidc_family WHERE (tenant_id, grant_id) IN \
                 (SELECT tenant_id, id FROM oidc_grant WHERE ends_at < ?)",
                "DELETE oidc_family FROM oidc_grant JOIN oidc_family ON oidc_family.tenant_id = oidc_grant.tenant_id \
                 AND oidc_family.grant_id = oidc_grant.id WHERE oidc_grant.ends_at < ?",
            ),
            "DELETE FROM oidc_grant WHERE ends_at < ?",
            old,
        ),
        many(
            "SELECT MIN(expires_at) AS earliest FROM used_identifier",
            "DELETE FROM used_identifier WHERE expires_at < ?",
            now.minus(SLOWER),
        ),
        many("SELECT MIN(window_start) AS earliest FROM throttle", "DELETE FROM throttle WHERE window_start < ?", old),
        alone("DELETE FROM saml_logout WHERE expires_at < ?", now),
        // A device that asks after its time is told so for a while.
        alone("DELETE FROM oidc_device WHERE expires_at < ?", now.minus(HOUR / 4)),
        alone("DELETE FROM token_export WHERE expires_at < ?", month),
        alone("DELETE FROM registration_token WHERE expires_at < ?", now),
        alone("DELETE FROM oidc_pushed WHERE expires_at < ?", now),
        alone("DELETE FROM ocra_challenge WHERE expires_at < ?", old),
        alone("DELETE FROM clock_doubt WHERE at < ?", old),
        alone("DELETE FROM parked_request WHERE expires_at < ?", now),
        alone("DELETE FROM failure WHERE last_at < ? AND locked_by_operator = 0 AND failed_total < 100", month),
        hanging(
            None,
            (
                "DELETE FROM job_row WHERE (tenant_id, job_id) IN \
                 (SELECT tenant_id, id FROM job WHERE state <> 'running' AND created_at < ?)",
                "DELETE job_row FROM job JOIN job_row ON job_row.tenant_id = job.tenant_id AND job_row.job_id = job.id \
                 WHERE job.state <> 'running' AND job.created_at < ?",
            ),
            "DELETE FROM job WHERE state <> 'running' AND created_at < ?",
            month,
        ),
        alone("DELETE FROM account_lock WHERE locked_until < ?", now),
        // No wait after a change of address is longer.
        alone("DELETE FROM address_change WHERE changed_at < ?", month),
        // What was counted over everybody, and nobody wanted to know since.
        alone("DELETE FROM tally WHERE asked_at < ?", old),
        alone("DELETE FROM alert WHERE at < ?", now.minus(DAY * 400)),
        alone("DELETE FROM webhook_delivery WHERE state <> 'waiting' AND created_at < ?", month),
        alone("DELETE FROM help_desk_code WHERE expires_at < ?", month),
        alone("DELETE FROM recovery_sheet WHERE expires_at < ?", now),
        // No window is longer (domain::policy::rollout).
        alone("DELETE FROM rollout_change WHERE at < ?", now.minus(DAY * 366)),
        alone("DELETE FROM outbox WHERE state <> 'waiting' AND created_at < ?", month),
        alone("DELETE FROM known_browser WHERE last_used_at < ?", now.minus(DAY * 400)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables that stay small, however many people there are: what stands in them is over within minutes, is one row for each
    /// virtual server or application, or comes from operators.
    const SMALL: [&str; 14] = [
        "saml_logout",
        "oidc_device",
        "token_export",
        "registration_token",
        "oidc_pushed",
        "ocra_challenge",
        "clock_doubt",
        "job",
        "account_lock",
        "address_change",
        "tally",
        "webhook_delivery",
        "help_desk_code",
        "recovery_sheet",
    ];

    /// Every few minutes, by whoever has the turn to write: nothing that grows with the people is looked through.
    #[tokio::test]
    async fn what_expires_is_found_by_its_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::connect(&format!("sqlite://{}/v.db", folder.path().display())).await.expect("opens");
        db.migrate().await.expect("migrates");
        let mut slow = Vec::new();
        for Sweep { earliest, statements, .. } in sweeps(Engine::Sqlite, Timestamp::from_seconds(1_800_000_000)) {
            for sql in statements.into_iter().chain(earliest) {
                let statement = Statement::new(sql);
                let statement = if sql.contains('?') { statement.bind(0) } else { statement };
                let ask = async |connection: &mut Connection| statement.clone().explained(true).rows(connection).await;
                let plan = db.write_soon(ask).await;
                let plan = plan.expect("explains");
                let steps = plan.iter().map(|row| row.text("detail").ok().flatten().unwrap_or_default().to_owned());
                slow.extend(steps.filter(|step| {
                    let table = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
                    table.is_some_and(|table| !SMALL.contains(&table))
                }));
            }
        }
        assert_eq!(slow, Vec::<String>::new());
        db.close().await;
    }
}
