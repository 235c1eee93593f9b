//! The accounts of a virtual server, part by part: what is counted over everybody must not keep others waiting, and a million
//! people are some hundred questions of some milliseconds each.

use super::row::Row;
use super::statement::{Statement, Value};
use super::{Connection, Result};
use crate::domain::ids::{TenantId, UserId};

/// Sorts after every identifier.
const LAST: &str = "~";

/// Accounts whose identifiers lie between two others. Parts that follow each other hold everybody once, and what is known of
/// somebody whose account is gone, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    after: String,
    to: String,
    /// How many accounts it holds.
    pub people: u64,
    /// Whether it is the last.
    pub last: bool,
}

impl Part {
    /// The identifiers that it lies between: it begins after the first and ends with the second.
    pub(super) fn bounds(&self) -> [Value; 2] {
        [Value::Text(self.after.clone()), Value::Text(self.to.clone())]
    }

    /// Everything, for tests that look at an engine's plans.
    #[must_use]
    pub fn whole() -> Self {
        Self { after: String::new(), to: LAST.to_owned(), people: 0, last: true }
    }
}

/// The part after another one, with at most so many accounts; the first, if there is none before it.
///
/// # Errors
/// If the database fails.
pub async fn next(connection: &mut Connection, tenant: TenantId, before: Option<&Part>, most: u32) -> Result<Part> {
    let after = before.map_or("", |before| before.to.as_str());
    let row = Statement::new(
        "SELECT COUNT(*) AS people, MAX(id) AS last FROM (SELECT id FROM user_account WHERE tenant_id = ? AND id > ? \
         ORDER BY id LIMIT ?) AS part",
    )
    .shown(tenant)
    .bind(after)
    .bind(i64::from(most))
    .only(connection)
    .await?;
    let row = Row::of("user_account", row);
    let people = u64::try_from(row.integer("people")?).unwrap_or(0);
    let to: Option<UserId> = row.parsed_or_none("last")?;
    let last = people < u64::from(most);
    let to = to.filter(|_| !last).map_or_else(|| LAST.to_owned(), |id| id.to_string());
    Ok(Part { after: after.to_owned(), to, people, last })
}
