//! The keys with which devices authenticate their calls after the activation: one row for each token whose app has one.

use super::row::Row;
use super::statement::{Question, Statement};
use crate::domain::ids::{TenantId, TokenId};

/// The key of a token's device, sealed for column `key_sealed` of the row that the token's identifier names.
pub fn of(tenant: TenantId, token: TokenId) -> Question<Option<Vec<u8>>> {
    let statement = Statement::new("SELECT id, key_sealed FROM token_call_key WHERE tenant_id = ? AND id = ?");
    Question::new(statement.shown(tenant).shown(token), |rows| {
        rows.into_iter().next().map(|row| Row::of("token_call_key", row).bytes("key_sealed")).transpose()
    })
}

/// The statement that stores the key of a new token's device.
pub fn insertion(tenant: TenantId, token: TokenId, sealed: &[u8]) -> Statement {
    Statement::new("INSERT INTO token_call_key (tenant_id, id, key_sealed) VALUES (?, ?, ?)")
        .shown(tenant)
        .shown(token)
        .bind(sealed)
}
