//! People's places in provisioning tasks. Every change of a status is a condition in its UPDATE (INV-10).

use super::provisioning_tasks::number;
use super::row::{Row, micros};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ReservationId, TenantId, TokenId, UserId};
use crate::domain::provisioning_task::{TaskNumber, TokenType};
use crate::domain::reservation::{Reservation, Status};
use crate::domain::timestamp::Timestamp;

fn reservation(row: Record) -> Result<Reservation> {
    let row = Row::of("reservation", row);
    Ok(Reservation {
        id: row.parsed("id")?,
        tenant: row.parsed("tenant_id")?,
        task: number(&row, "task_number")?,
        user: row.parsed("user_id")?,
        token_type: row.named("token_type", TokenType::named)?,
        status: row.named("status", Status::named)?,
        emailed_to: row.text("emailed_to")?,
        sent_at: row.time("sent_at")?,
        sends: row.integer("sends")?,
        stop_at: row.time("stop_at")?,
        reminded_at: row.time_or_none("reminded_at")?,
        failed_count: row.integer("failed_count")?,
        token: row.parsed_or_none("token_id")?,
        created_at: row.time("created_at")?,
    })
}

/// Stores a new place in a task.
pub async fn insert(connection: &mut Connection, new: &Reservation) -> Result<()> {
    Statement::new(
        "INSERT INTO reservation (tenant_id, id, task_number, user_id, token_type, status, emailed_to, sent_at, sends, \
         stop_at, reminded_at, failed_count, token_id, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(new.tenant)
    .shown(new.id)
    .bind(new.task.value())
    .shown(new.user)
    .bind(new.token_type.id())
    .bind(new.status.id())
    .bind(&new.emailed_to)
    .bind(new.sent_at.micros())
    .bind(new.sends)
    .bind(new.stop_at.micros())
    .bind(micros(new.reminded_at))
    .bind(new.failed_count)
    .bind(new.token.map(|id| id.to_string()))
    .bind(new.created_at.micros())
    .bind(new.created_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The place with this identifier.
pub fn with_id(tenant: TenantId, id: ReservationId) -> Question<Option<Reservation>> {
    let statement = Statement::new(
        "SELECT tenant_id, id, task_number, user_id, token_type, status, emailed_to, sent_at, sends, stop_at, reminded_at, \
         failed_count, token_id, created_at FROM reservation WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| rows.into_iter().next().map(reservation).transpose())
}

/// Everybody in a task, in the order in which they were put into it.
pub async fn of_task(connection: &mut Connection, tenant: TenantId, task: TaskNumber) -> Result<Vec<Reservation>> {
    let rows = Statement::new(
        "SELECT tenant_id, id, task_number, user_id, token_type, status, emailed_to, sent_at, sends, stop_at, reminded_at, \
         failed_count, token_id, created_at FROM reservation WHERE tenant_id = ? AND task_number = ? \
         ORDER BY created_at, id",
    )
    .shown(tenant)
    .bind(task.value())
    .rows(connection)
    .await?;
    rows.into_iter().map(reservation).collect()
}

/// A page of the people of a task with their user names, by how they stand in it, after the place that an earlier page ended
/// with. Whoever was removed as an account has no name.
pub async fn page_of_task(
    connection: &mut Connection,
    tenant: TenantId,
    task: TaskNumber,
    after: Option<(Status, ReservationId)>,
    limit: u32,
) -> Result<Vec<(Reservation, Option<String>)>> {
    let (status, id) = after.map_or_else(Default::default, |(status, id)| (status.id().to_owned(), id.to_string()));
    let rows = Statement::new(
        "SELECT r.tenant_id, r.id, r.task_number, r.user_id, r.token_type, r.status, r.emailed_to, r.sent_at, r.sends, \
         r.stop_at, r.reminded_at, r.failed_count, r.token_id, r.created_at, u.username FROM reservation AS r \
         LEFT JOIN user_account AS u ON u.tenant_id = r.tenant_id AND u.id = r.user_id \
         WHERE r.tenant_id = ? AND r.task_number = ? AND r.status >= ? AND (r.status > ? OR r.id > ?) \
         ORDER BY r.status, r.id LIMIT ?",
    )
    .shown(tenant)
    .bind(task.value())
    .bind(&status)
    .bind(&status)
    .bind(id)
    .bind(i64::from(limit))
    .rows(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let name = row.text("username").ok().flatten().map(str::to_owned);
            Ok((reservation(row)?, name))
        })
        .collect()
}

/// Every place of a person, oldest first.
pub async fn of_user(connection: &mut Connection, tenant: TenantId, user: UserId) -> Result<Vec<Reservation>> {
    let rows = Statement::new(
        "SELECT tenant_id, id, task_number, user_id, token_type, status, emailed_to, sent_at, sends, stop_at, reminded_at, \
         failed_count, token_id, created_at FROM reservation WHERE tenant_id = ? AND user_id = ? ORDER BY created_at, id",
    )
    .shown(tenant)
    .shown(user)
    .rows(connection)
    .await?;
    rows.into_iter().map(reservation).collect()
}

/// Those of a virtual server whose time has passed without an authenticator, at most `most`.
pub async fn overdue(
    connection: &mut Connection,
    tenant: TenantId,
    now: Timestamp,
    most: i64,
) -> Result<Vec<Reservation>> {
    let rows = Statement::new(
        "SELECT tenant_id, id, task_number, user_id, token_type, status, emailed_to, sent_at, sends, stop_at, reminded_at, \
         failed_count, token_id, created_at FROM reservation \
         WHERE tenant_id = ? AND status = 'active' AND stop_at <= ? AND token_id IS NULL ORDER BY stop_at LIMIT ?",
    )
    .shown(tenant)
    .bind(now.micros())
    .bind(most)
    .rows(connection)
    .await?;
    rows.into_iter().map(reservation).collect()
}

/// Those of a virtual server that stop before `until` and were not reminded yet, at most `most`.
pub async fn unreminded(
    connection: &mut Connection,
    tenant: TenantId,
    now: Timestamp,
    until: Timestamp,
    most: i64,
) -> Result<Vec<Reservation>> {
    let rows = Statement::new(
        "SELECT tenant_id, id, task_number, user_id, token_type, status, emailed_to, sent_at, sends, stop_at, reminded_at, \
         failed_count, token_id, created_at FROM reservation WHERE tenant_id = ? AND status = 'active' AND stop_at > ? \
         AND stop_at <= ? AND token_id IS NULL AND reminded_at IS NULL ORDER BY stop_at LIMIT ?",
    )
    .shown(tenant)
    .bind(now.micros())
    .bind(until.micros())
    .bind(most)
    .rows(connection)
    .await?;
    rows.into_iter().map(reservation).collect()
}

/// Takes the place for an authenticator, once: whoever comes second, on whichever way, gets `false` (R-196, T-07).
pub async fn take(
    connection: &mut Connection,
    tenant: TenantId,
    id: ReservationId,
    token: TokenId,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE reservation SET token_id = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND status = 'active' AND token_id IS NULL AND stop_at > ?",
    )
    .shown(token)
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Closes the open places of a person who has enrolled `token` in a login. Says how many there were.
pub async fn close_of(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    token: TokenId,
    now: Timestamp,
) -> Result<u64> {
    Statement::new(
        "UPDATE reservation SET status = 'completed', token_id = ?, updated_at = ? \
         WHERE tenant_id = ? AND user_id = ? AND status = 'active' AND token_id IS NULL",
    )
    .shown(token)
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .run(connection)
    .await
}

/// The statement that completes the place whose authenticator was used for the first time.
pub fn completed(tenant: TenantId, user: UserId, token: TokenId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE reservation SET status = 'completed', updated_at = ? \
         WHERE tenant_id = ? AND user_id = ? AND token_id = ? AND status = 'active'",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .shown(token)
}

/// Counts a failed attempt; at `most` the place locks. Says `true` to the one that locked it.
pub async fn fail(
    connection: &mut Connection,
    tenant: TenantId,
    id: ReservationId,
    most: i64,
    now: Timestamp,
) -> Result<bool> {
    let counted = Statement::new(
        "UPDATE reservation SET failed_count = failed_count + 1, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND status = 'active' AND token_id IS NULL",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(&mut *connection)
    .await?;
    let locked = Statement::new(
        "UPDATE reservation SET status = 'locked', updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND status = 'active' AND token_id IS NULL AND failed_count >= ?",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(most)
    .run(connection)
    .await?;
    Ok(counted == 1 && locked == 1)
}

/// Marks a place as expired whose time has passed without an authenticator, once.
pub async fn expire(connection: &mut Connection, tenant: TenantId, id: ReservationId, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE reservation SET status = 'expired', updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND status = 'active' AND token_id IS NULL AND stop_at <= ?",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Takes a place back that is not completed, once.
pub async fn remove(connection: &mut Connection, tenant: TenantId, id: ReservationId, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE reservation SET status = 'removed', updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND status IN ('active', 'locked', 'expired')",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Notes that the reminder is sent, for the one instance that sends it.
pub async fn remind(connection: &mut Connection, tenant: TenantId, id: ReservationId, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE reservation SET reminded_at = ?, updated_at = ? WHERE tenant_id = ? AND id = ? AND status = 'active' \
         AND token_id IS NULL AND reminded_at IS NULL AND stop_at > ?",
    )
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Opens a place again for a new mail: active, locked or expired ones without an authenticator (part B7). `reminded_at`
/// is set where no reminder is due any more.
pub async fn send_again(
    connection: &mut Connection,
    tenant: TenantId,
    id: ReservationId,
    emailed_to: &str,
    stop_at: Timestamp,
    reminded_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE reservation SET status = 'active', emailed_to = ?, stop_at = ?, reminded_at = ?, failed_count = 0, \
         sends = sends + 1, sent_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND status IN ('active', 'locked', 'expired') AND token_id IS NULL",
    )
    .bind(emailed_to)
    .bind(stop_at.micros())
    .bind(micros(reminded_at))
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Moves the stop date of a place that is open.
pub async fn set_stop(
    connection: &mut Connection,
    tenant: TenantId,
    id: ReservationId,
    stop_at: Timestamp,
    reminded_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE reservation SET stop_at = ?, reminded_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND status = 'active' AND token_id IS NULL",
    )
    .bind(stop_at.micros())
    .bind(micros(reminded_at))
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}
