//! What provisioning rules have done for the people in their groups.

use super::engine::Engine;
use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ReservationId, RuleId, TenantId, UserId};
use crate::domain::provisioning_rule::Outcome;
use crate::domain::timestamp::Timestamp;

/// What a rule has done for somebody.
#[derive(Debug, Clone, Copy)]
pub struct RuleMember {
    /// The rule.
    pub rule: RuleId,
    /// The person.
    pub user: UserId,
    /// What it did.
    pub outcome: Outcome,
    /// The place in a task that it made.
    pub reservation: Option<ReservationId>,
}

fn member(row: super::statement::Record) -> Result<RuleMember> {
    let row = Row::of("rule_member", row);
    Ok(RuleMember {
        rule: row.parsed("rule_id")?,
        user: row.parsed("user_id")?,
        outcome: row.named("outcome", Outcome::named)?,
        reservation: row.parsed_or_none("reservation_id")?,
    })
}

/// What a rule has done for a person.
pub async fn of(
    connection: &mut Connection,
    tenant: TenantId,
    rule: RuleId,
    user: UserId,
) -> Result<Option<RuleMember>> {
    let row = Statement::new(
        "SELECT rule_id, user_id, outcome, reservation_id FROM rule_member \
         WHERE tenant_id = ? AND rule_id = ? AND user_id = ?",
    )
    .shown(tenant)
    .shown(rule)
    .shown(user)
    .first(connection)
    .await?;
    row.map(member).transpose()
}

/// What rules have done, for everybody in the virtual server.
pub async fn all(connection: &mut Connection, tenant: TenantId) -> Result<Vec<RuleMember>> {
    let rows = Statement::new("SELECT rule_id, user_id, outcome, reservation_id FROM rule_member WHERE tenant_id = ?")
        .shown(tenant)
        .rows(connection)
        .await?;
    rows.into_iter().map(member).collect()
}

/// How many people rules have done what for.
pub fn counts(tenant: TenantId) -> Question<Vec<(RuleId, Outcome, i64)>> {
    let statement = Statement::new(
        "SELECT rule_id, outcome, COUNT(*) AS n FROM rule_member WHERE tenant_id = ? GROUP BY rule_id, outcome",
    );
    Question::new(statement.shown(tenant), |rows| {
        let read = |row| {
            let row = Row::of("rule_member", row);
            Ok((row.parsed("rule_id")?, row.named("outcome", Outcome::named)?, row.integer("n")?))
        };
        rows.into_iter().map(read).collect()
    })
}

/// Notes what a rule does for somebody of whom nothing was noted, once: two instances that look at the same person at the
/// same moment send one mail.
pub async fn note(connection: &mut Connection, tenant: TenantId, new: RuleMember, now: Timestamp) -> Result<bool> {
    let statement = match connection.engine() {
        Engine::Sqlite => {
            "INSERT INTO rule_member (tenant_id, rule_id, user_id, outcome, reservation_id, at) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING"
        }
        Engine::MySql => {
            "INSERT IGNORE INTO rule_member (tenant_id, rule_id, user_id, outcome, reservation_id, at) \
             VALUES (?, ?, ?, ?, ?, ?)"
        }
    };
    let done = Statement::new(statement)
        .shown(tenant)
        .shown(new.rule)
        .shown(new.user)
        .bind(new.outcome.id())
        .bind(new.reservation.map(|id| id.to_string()))
        .bind(now.micros())
        .run(connection)
        .await?;
    Ok(done == 1)
}

/// Replaces a note that there was no address, once.
pub async fn replace(connection: &mut Connection, tenant: TenantId, new: RuleMember, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE rule_member SET outcome = ?, reservation_id = ?, at = ? \
         WHERE tenant_id = ? AND rule_id = ? AND user_id = ? AND outcome = 'no_address'",
    )
    .bind(new.outcome.id())
    .bind(new.reservation.map(|id| id.to_string()))
    .bind(now.micros())
    .shown(tenant)
    .shown(new.rule)
    .shown(new.user)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Forgets what a rule has done for somebody, once.
pub async fn forget(connection: &mut Connection, tenant: TenantId, rule: RuleId, user: UserId) -> Result<bool> {
    let done = Statement::new("DELETE FROM rule_member WHERE tenant_id = ? AND rule_id = ? AND user_id = ?")
        .shown(tenant)
        .shown(rule)
        .shown(user)
        .run(connection)
        .await?;
    Ok(done == 1)
}

/// The rules of which anything is noted.
pub async fn rules(connection: &mut Connection, tenant: TenantId) -> Result<Vec<RuleId>> {
    let rows = Statement::new("SELECT DISTINCT rule_id FROM rule_member WHERE tenant_id = ?")
        .shown(tenant)
        .rows(connection)
        .await?;
    rows.into_iter().map(|row| Row::of("rule_member", row).parsed("rule_id")).collect()
}

/// Forgets what a rule has done for anybody: the rule is gone.
pub async fn forget_rule(connection: &mut Connection, tenant: TenantId, rule: RuleId) -> Result<u64> {
    Statement::new("DELETE FROM rule_member WHERE tenant_id = ? AND rule_id = ?")
        .shown(tenant)
        .shown(rule)
        .run(connection)
        .await
}

/// People of a virtual server who are in a group, of whom the rule has noted nothing, and those who had no address when it
/// did; at most `most`.
pub async fn candidates(
    connection: &mut Connection,
    tenant: TenantId,
    rule: RuleId,
    group: crate::domain::ids::GroupId,
    most: i64,
) -> Result<Vec<UserId>> {
    let rows = Statement::new(
        "SELECT group_member.user_id AS user_id FROM group_member JOIN user_account \
         ON user_account.tenant_id = group_member.tenant_id AND user_account.id = group_member.user_id \
         LEFT JOIN rule_member ON rule_member.tenant_id = group_member.tenant_id AND rule_member.rule_id = ? \
         AND rule_member.user_id = group_member.user_id \
         WHERE group_member.tenant_id = ? AND group_member.group_id = ? AND user_account.status = 'enabled' \
         AND (rule_member.user_id IS NULL OR (rule_member.outcome = 'no_address' AND user_account.email IS NOT NULL)) \
         LIMIT ?",
    )
    .shown(rule)
    .shown(tenant)
    .shown(group)
    .bind(most)
    .rows(connection)
    .await?;
    rows.into_iter().map(|row| Row::of("rule_member", row).parsed("user_id")).collect()
}

/// People of whom the rule has noted something and who are in none of its groups any more, or are gone; at most `most`.
pub async fn departed(
    connection: &mut Connection,
    tenant: TenantId,
    rule: RuleId,
    groups: &[crate::domain::ids::GroupId],
    most: i64,
) -> Result<Vec<UserId>> {
    // Identifiers have one length, so none is a part of two others with a comma between them.
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let rows = Statement::new(
        "SELECT user_id FROM rule_member WHERE tenant_id = ? AND rule_id = ? AND NOT EXISTS (SELECT 1 FROM group_member \
         WHERE group_member.tenant_id = rule_member.tenant_id AND group_member.user_id = rule_member.user_id \
         AND INSTR(?, group_member.group_id) > 0) LIMIT ?",
    )
    .shown(tenant)
    .shown(rule)
    .bind(groups.join(","))
    .bind(most)
    .rows(connection)
    .await?;
    rows.into_iter().map(|row| Row::of("rule_member", row).parsed("user_id")).collect()
}
