//! The history of token templates.

use std::collections::BTreeMap;

use super::row::{Row, document};
use super::statement::{Question, Statement};
use crate::domain::audit::Actor;
use crate::domain::authenticator::kinds::Changed;
use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;

/// A change of a template.
#[derive(Debug, Clone)]
pub struct TemplateChange {
    /// The version that it made.
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// Who: kind and name.
    pub actor: String,
    /// Old and new value of each key that was changed.
    pub changed: BTreeMap<String, Changed>,
}

/// The statement that stores a change.
pub fn insertion(
    tenant: TenantId,
    (kind, version): (Kind, u32),
    (actor, at): (&Actor, Timestamp),
    changed: &BTreeMap<String, Changed>,
) -> Statement {
    Statement::new(
        "INSERT INTO template_change (tenant_id, kind, version, at, actor_kind, actor, changed) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .bind(kind.id())
    .bind(i64::from(version))
    .bind(at.micros())
    .bind(actor.kind())
    .bind(actor.name())
    .bind(document(changed))
}

/// The last changes of a template, newest first. Whoever made one is called as today; the identifier tells only of accounts
/// and keys that are gone, because nothing here would be erased with them.
pub fn last_of(tenant: TenantId, kind: Kind, most: u32) -> Question<Vec<TemplateChange>> {
    let statement = Statement::new(
        "SELECT version, at, actor_kind, changed, COALESCE( \
         (SELECT username FROM user_account AS u WHERE u.tenant_id = t.tenant_id AND u.id = t.actor), \
         (SELECT name FROM api_key AS k WHERE k.tenant_id = t.tenant_id AND k.id = t.actor), actor) AS called \
         FROM template_change AS t WHERE t.tenant_id = ? AND t.kind = ? ORDER BY version DESC LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(kind.id()).bind(i64::from(most)), |rows| {
        rows.into_iter()
            .map(|row| {
                let row = Row::of("template_change", row);
                let (kind, name) = (row.text("actor_kind")?, row.text("called")?);
                Ok(TemplateChange {
                    version: u32::try_from(row.integer("version")?).map_err(|_| row.broken("version"))?,
                    at: row.time("at")?,
                    actor: if name.is_empty() { kind } else { format!("{kind} {name}") },
                    changed: row.document("changed")?,
                })
            })
            .collect()
    })
}
