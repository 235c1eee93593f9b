//! Texts of a virtual server's own. They are part of its configuration: a change raises the version, in the same
//! transaction and by its caller.

use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::TenantId;
use crate::domain::message::{Message, Messages, Words};
use crate::domain::timestamp::Timestamp;

/// All of them.
pub fn all(tenant: TenantId) -> Question<Messages> {
    let statement = Statement::new("SELECT language, name, subject, body, version FROM message WHERE tenant_id = ?");
    Question::new(statement.shown(tenant), |rows| rows.into_iter().map(message).collect())
}

/// The one with this name in this language.
pub fn named(tenant: TenantId, language: &str, name: &str) -> Question<Option<Message>> {
    let statement = Statement::new(
        "SELECT language, name, subject, body, version FROM message WHERE tenant_id = ? AND language = ? AND name = ?",
    );
    Question::new(statement.shown(tenant).bind(language).bind(name), |rows| {
        rows.into_iter().next().map(message).transpose()
    })
}

fn message(row: Record) -> Result<Message> {
    let row = Row::of("message", row);
    Ok(Message {
        name: row.text("name")?,
        language: row.text("language")?,
        words: Words { subject: row.text("subject")?, body: row.text("body")? },
        version: row.integer("version")?,
    })
}

/// Stores a text, whether there was one or not.
///
/// # Errors
/// If the database fails.
pub async fn put(connection: &mut Connection, tenant: TenantId, message: &Message, now: Timestamp) -> Result<()> {
    let changed = Statement::new(
        "UPDATE message SET subject = ?, body = ?, version = ?, updated_at = ? \
         WHERE tenant_id = ? AND language = ? AND name = ?",
    )
    .bind(&message.words.subject)
    .bind(&message.words.body)
    .bind(message.version)
    .bind(now.micros())
    .shown(tenant)
    .bind(&message.language)
    .bind(&message.name)
    .run(connection)
    .await?;
    if changed == 1 {
        return Ok(());
    }
    Statement::new(
        "INSERT INTO message (tenant_id, language, name, subject, body, version, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .bind(&message.language)
    .bind(&message.name)
    .bind(&message.words.subject)
    .bind(&message.words.body)
    .bind(message.version)
    .bind(now.micros())
    .run(connection)
    .await
    .map(drop)
}

/// Removes a text: ours is used again.
///
/// # Errors
/// If the database fails.
pub async fn remove(connection: &mut Connection, tenant: TenantId, language: &str, name: &str) -> Result<()> {
    Statement::new("DELETE FROM message WHERE tenant_id = ? AND language = ? AND name = ?")
        .shown(tenant)
        .bind(language)
        .bind(name)
        .run(connection)
        .await
        .map(drop)
}
