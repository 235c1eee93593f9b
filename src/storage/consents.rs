//! What people have allowed applications to learn.

use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ApplicationId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;

/// One person's word to one application.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The application.
    pub application: ApplicationId,
    /// What was allowed, as the parameter `scope` writes it.
    pub scopes: String,
    /// When.
    pub given_at: Timestamp,
}

fn consent(row: Record) -> Result<Consent> {
    let row = Row::of("oidc_consent", row);
    Ok(Consent {
        application: row.parsed("application_id")?,
        scopes: row.text("scopes")?,
        given_at: row.time("given_at")?,
    })
}

/// What a person has allowed an application.
pub fn to(tenant: TenantId, user: UserId, application: ApplicationId) -> Question<Option<Consent>> {
    let statement = Statement::new(
        "SELECT user_id, application_id, scopes, given_at FROM oidc_consent WHERE tenant_id = ? AND user_id = ? \
         AND application_id = ?",
    );
    let statement = statement.shown(tenant).shown(user).shown(application);
    Question::new(statement, |rows| rows.into_iter().next().map(consent).transpose())
}

/// Everything that a person has allowed.
pub fn of_user(tenant: TenantId, user: UserId) -> Question<Vec<Consent>> {
    let statement = Statement::new(
        "SELECT user_id, application_id, scopes, given_at FROM oidc_consent WHERE tenant_id = ? AND user_id = ?",
    );
    Question::new(statement.shown(tenant).shown(user), |rows| rows.into_iter().map(consent).collect())
}

/// The statements that write down what a person has allowed, in the place of what was allowed before.
pub fn given(tenant: TenantId, user: UserId, consent: &Consent) -> Vec<Statement> {
    let before = Statement::new("DELETE FROM oidc_consent WHERE tenant_id = ? AND user_id = ? AND application_id = ?");
    let now = Statement::new(
        "INSERT INTO oidc_consent (tenant_id, user_id, application_id, scopes, given_at) VALUES (?, ?, ?, ?, ?)",
    );
    let before = before.shown(tenant).shown(user).shown(consent.application);
    let now = now.shown(tenant).shown(user).shown(consent.application).shown(&consent.scopes);
    vec![before, now.bind(consent.given_at.micros())]
}

/// Forgets what a person has allowed an application. Says whether there was anything.
pub async fn withdraw(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    application: ApplicationId,
) -> Result<bool> {
    let gone = Statement::new("DELETE FROM oidc_consent WHERE tenant_id = ? AND user_id = ? AND application_id = ?");
    Ok(gone.shown(tenant).shown(user).shown(application).run(connection).await? == 1)
}
