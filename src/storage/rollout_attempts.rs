//! How far people came on their way to an authenticator: a row for each person and login, with the time of each step.

use super::row::Row;
use super::statement::Question;
use super::statement::Statement;
use super::{Connection, Engine, Result};
use crate::domain::ids::{LoginId, MailId, TenantId, UserId, WaveId};
use crate::domain::login::LONGEST_EXTENDED;
use crate::domain::policy::platform::Platform;
use crate::domain::policy::staging::Trouble;
use crate::domain::timestamp::Timestamp;

/// Which row.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The virtual server.
    pub tenant: TenantId,
    /// The person.
    pub user: UserId,
    /// The login.
    pub login: LoginId,
}

/// An authenticator was asked for.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Which row it becomes.
    pub key: Key,
    /// When.
    pub at: Timestamp,
    /// By which wave.
    pub wave: Option<WaveId>,
    /// The language of the page.
    pub language: &'a str,
    /// Why it could not be offered; `None` if it was.
    pub obstacle: Option<&'static str>,
}

/// The statements that write down that an authenticator was asked for, once in a login, and that it was offered.
pub fn asked(engine: Engine, asked: &Asked<'_>) -> Vec<Statement> {
    let statement = match engine {
        Engine::Sqlite => {
            "INSERT INTO rollout_attempt (tenant_id, user_id, login_id, at, wave_id, language, obstacle, offered_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        }
        Engine::MySql => {
            "INSERT IGNORE INTO rollout_attempt (tenant_id, user_id, login_id, at, wave_id, language, obstacle, offered_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        }
    };
    let offered = asked.obstacle.is_none().then_some(asked.at.micros());
    let Key { tenant, user, login } = asked.key;
    let first = Statement::new(statement)
        .shown(tenant)
        .shown(user)
        .shown(login)
        .bind(asked.at.micros())
        .bind(asked.wave)
        .bind(asked.language)
        .bind(asked.obstacle)
        .bind(offered);
    if offered.is_none() {
        return vec![first];
    }
    // A gate that was closed in the same login has been opened.
    let later = Statement::new(
        "UPDATE rollout_attempt SET offered_at = ? WHERE tenant_id = ? AND user_id = ? AND login_id = ? AND offered_at IS NULL",
    );
    vec![first, of(later.bind(offered), asked.key)]
}

/// A step on the way, of which the first time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The person pressed the button.
    Started,
    /// The mailbox is proven.
    Mail,
    /// A platform is chosen.
    Platform(Platform),
    /// The app is there: said to be installed, or claims the activation.
    App,
    /// The device has confirmed its keys, or the standard app's secret is shown.
    Activated,
    /// The first passcode.
    Passcode,
}

fn of(statement: Statement, key: Key) -> Statement {
    statement.shown(key.tenant).shown(key.user).shown(key.login)
}

/// The statement that writes down that a step was reached. Nothing comes of it where the login asked for no authenticator.
pub fn reached(key: Key, step: Reached, now: Timestamp) -> Statement {
    let now = now.micros();
    let statement = match step {
        Reached::Started => Statement::new(
            "UPDATE rollout_attempt SET started_at = COALESCE(started_at, ?), ended_at = NULL, ended = NULL \
             WHERE tenant_id = ? AND user_id = ? AND login_id = ?",
        ),
        Reached::Mail => Statement::new(
            "UPDATE rollout_attempt SET mail_at = COALESCE(mail_at, ?), ended_at = NULL, ended = NULL \
             WHERE tenant_id = ? AND user_id = ? AND login_id = ?",
        ),
        Reached::Platform(platform) => {
            let statement = Statement::new(
                "UPDATE rollout_attempt SET platform = ?, platform_at = COALESCE(platform_at, ?) \
                 WHERE tenant_id = ? AND user_id = ? AND login_id = ?",
            );
            statement.bind(platform.id())
        }
        Reached::App => Statement::new(
            "UPDATE rollout_attempt SET app_at = COALESCE(app_at, ?) WHERE tenant_id = ? AND user_id = ? AND login_id = ?",
        ),
        Reached::Activated => Statement::new(
            "UPDATE rollout_attempt SET app_at = COALESCE(app_at, ?), activated_at = COALESCE(activated_at, ?) \
             WHERE tenant_id = ? AND user_id = ? AND login_id = ?",
        )
        .bind(now),
        Reached::Passcode => Statement::new(
            "UPDATE rollout_attempt SET passcode_at = COALESCE(passcode_at, ?), \
             activated_at = COALESCE(activated_at, ?), app_at = COALESCE(app_at, activated_at, ?), ended_at = NULL, ended = NULL \
             WHERE tenant_id = ? AND user_id = ? AND login_id = ?",
        )
        .bind(now)
        .bind(now),
    };
    of(statement.bind(now), key)
}

/// The statement that writes down that it ended without an authenticator.
pub fn ended(key: Key, reason: &str, now: Timestamp) -> Statement {
    let statement = Statement::new(
        "UPDATE rollout_attempt SET ended_at = ?, ended = ? \
         WHERE tenant_id = ? AND user_id = ? AND login_id = ? AND passcode_at IS NULL AND ended_at IS NULL",
    );
    of(statement.bind(now.micros()).shown(reason), key)
}

/// The statement that writes down that somebody logged in with the authenticator on another day.
pub fn returned(tenant: TenantId, user: UserId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE rollout_attempt SET returned_at = ? \
         WHERE tenant_id = ? AND user_id = ? AND passcode_at IS NOT NULL AND returned_at IS NULL",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
}

/// The statement that forgets a person, with the account.
pub fn forgotten(tenant: TenantId, user: UserId) -> Statement {
    Statement::new("DELETE FROM rollout_attempt WHERE tenant_id = ? AND user_id = ?").shown(tenant).shown(user)
}

/// The statement that forgets what is older than 400 days.
pub fn outdated(tenant: TenantId, now: Timestamp) -> Statement {
    let old = now.minus(std::time::Duration::from_secs(400 * 86_400));
    Statement::new("DELETE FROM rollout_attempt WHERE tenant_id = ? AND at < ?").shown(tenant).bind(old.micros())
}

/// What the brake looks at.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// People who were asked from this time on …
    pub since: Timestamp,
    /// … and those who began from this time on …
    pub hour_since: Timestamp,
    /// … and before this: their time to finish ended in the window. Who has not finished by then has failed.
    pub over: Timestamp,
}

/// How it went with the people of a wave. Whether somebody walked away is known only when their time is over; so those count whose
/// time ended in the window, whoever finished of them as well, or only failures would be found so late.
pub fn trouble(tenant: TenantId, wave: WaveId, window: Window) -> Question<Trouble> {
    // Sorted by people it would be found without sorting, by reading every attempt that there ever was.
    let statement = Statement::new(
        "SELECT COUNT(*) AS asked, COUNT(CASE WHEN done = 1 THEN 1 END) AS completed, \
         COUNT(CASE WHEN done = 0 AND failed = 1 THEN 1 END) AS failed, COUNT(CASE WHEN helped = 1 THEN 1 END) AS helped FROM (SELECT a.user_id, \
         MAX(CASE WHEN a.passcode_at IS NOT NULL THEN 1 ELSE 0 END) AS done, \
         MAX(CASE WHEN a.started_at IS NOT NULL AND a.passcode_at IS NULL AND (a.ended_at IS NOT NULL OR a.started_at < ?) \
         THEN 1 ELSE 0 END) AS failed, \
         MAX(CASE WHEN p.helped_at >= ? THEN 1 ELSE 0 END) AS helped \
         FROM rollout_attempt a LEFT JOIN rollout_place p ON p.tenant_id = a.tenant_id AND p.user_id = a.user_id \
         WHERE a.tenant_id = ? AND a.at >= ? AND (a.at >= ? OR (a.started_at >= ? AND a.started_at < ?)) AND a.wave_id = ? \
         GROUP BY +a.user_id) people",
    );
    let over = window.over.micros();
    // Somebody begins in the login in which they are asked, which ends.
    let earliest = window.hour_since.minus(LONGEST_EXTENDED);
    let statement = statement.bind(over).bind(window.since.micros()).shown(tenant).bind(earliest.micros());
    let statement = statement.bind(window.since.micros()).bind(window.hour_since.micros()).bind(over).shown(wave);
    Question::new(statement, |rows| {
        let Some(row) = rows.into_iter().next() else { return Ok(Trouble::default()) };
        let row = Row::of("rollout_attempt", row);
        let number =
            |column| Ok::<_, super::Error>(u64::try_from(row.integer_or_none(column)?.unwrap_or(0)).unwrap_or(0));
        Ok(Trouble {
            asked: number("asked")?,
            completed: number("completed")?,
            failed: number("failed")?,
            helped: number("helped")?,
        })
    })
}

/// The mail with the code of a login could not be delivered: unless another one is, the enrollment ends there.
///
/// # Errors
/// If the database fails.
pub async fn mail_refused(connection: &mut Connection, tenant: TenantId, mail: MailId, now: Timestamp) -> Result<()> {
    let row = Statement::new(
        "SELECT login.id AS id, user_id FROM outbox JOIN login ON login.tenant_id = outbox.tenant_id \
         AND login.id = outbox.login_id WHERE outbox.tenant_id = ? AND outbox.id = ?",
    );
    let Some(row) = row.shown(tenant).shown(mail).first(&mut *connection).await? else { return Ok(()) };
    let row = Row::of("login", row);
    let Some(user) = row.parsed_or_none("user_id")? else { return Ok(()) };
    let key = Key { tenant, user, login: row.parsed("id")? };
    ended(key, "mail_refused", now).run(connection).await.map(drop)
}
