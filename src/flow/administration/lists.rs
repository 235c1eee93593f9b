//! Lists of people and of authenticators as tables, for files: whoever may take them out takes all that a filter lets through.

use serde_json::json;

use super::Desk;
use crate::domain::audit::Action;
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Status;
use crate::flow::House;
use crate::storage::{self, Connection, people, tokens};

/// So many rows are read at once.
const PAGE: u32 = 500;

/// The columns of a table of people; those that an import knows have its names.
pub const PEOPLE: &[&str] = &[
    "username",
    "email",
    "first_name",
    "last_name",
    "language",
    "enabled",
    "account",
    "authenticators",
    "created_at",
    "last_login_at",
    "alias",
];

/// The columns of a table of authenticators.
pub const TOKENS: &[&str] =
    &["serial", "type", "state", "user", "name", "platform", "enrolled_by", "enrolled_at", "last_used_at"];

fn time(at: Option<Timestamp>) -> String {
    at.map(Timestamp::rfc3339).unwrap_or_default()
}

/// Some people that a filter lets through, after a place, and where the list goes on.
///
/// # Errors
/// If the database fails.
pub async fn people(
    house: &House,
    tenant: TenantId,
    filter: &people::Filter,
    after: Option<&str>,
    now: Timestamp,
) -> storage::Result<(Vec<Vec<String>>, Option<String>)> {
    let search = async |connection: &mut Connection| people::search(connection, tenant, filter, after, PAGE, now).await;
    let found = house.db.look(search).await?;
    let row = |listed: people::Listed| {
        let (state, user) = (listed.state(now), listed.user);
        vec![
            user.username,
            user.email.unwrap_or_default(),
            user.first_name,
            user.last_name,
            user.language.unwrap_or_default(),
            if user.status == Status::Enabled { "true" } else { "false" }.to_owned(),
            state.id().to_owned(),
            listed.authenticators.id().to_owned(),
            listed.created_at.rfc3339(),
            time(listed.last_login_at),
            user.alias.unwrap_or_default(),
        ]
    };
    Ok((found.entries.into_iter().map(row).collect(), found.next))
}

/// Some authenticators that a filter lets through, after a place, and where the list goes on. No secret is among it.
///
/// # Errors
/// If the database fails.
pub async fn tokens(
    house: &House,
    tenant: TenantId,
    filter: &tokens::Filter,
    after: Option<&str>,
) -> storage::Result<(Vec<Vec<String>>, Option<String>)> {
    let search = async |connection: &mut Connection| tokens::search(connection, tenant, filter, after, PAGE).await;
    let found = house.db.look(search).await?;
    let row = |listed: tokens::Listed| {
        let token = listed.token;
        vec![
            token.serial,
            token.kind.id().to_owned(),
            token.state.id().to_owned(),
            listed.username.unwrap_or_default(),
            token.name,
            token.platform.map(|platform| platform.id().to_owned()).unwrap_or_default(),
            token.enrolled_by.id().to_owned(),
            token.enrolled_at.rfc3339(),
            time(token.last_used_at),
        ]
    };
    Ok((found.entries.into_iter().map(row).collect(), found.next))
}

/// Writes down that a table was taken out, by whom, and by what it was narrowed: not by which values, which may be an address.
///
/// # Errors
/// If the database fails.
pub async fn exported(desk: &Desk<'_>, tenant: TenantId, table: &str, filters: &[&str]) -> storage::Result<()> {
    let detail = json!({ "table": table, "filters": filters });
    let work = async |connection: &mut Connection| {
        let object = ("report", table.to_owned());
        desk.record(connection, tenant, Action::ListExported, object, detail.clone()).await
    };
    desk.house.db.write(work).await
}
