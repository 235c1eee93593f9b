//! The list of tokens: searched by what an operator knows, a page at a time.
//!
//! Every question here is answered from an index that ends in what the list is ordered by, so a page costs the same among a
//! million tokens as among ten. Without a person the list is ordered by serial number, with one by user name.

use super::{Token, token_of};
use crate::domain::authenticator::lifecycle::{Kind, State};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::name::key_of;
use crate::domain::policy::platform::Platform;
use crate::storage::row::Row;
use crate::storage::statement::{Question, Statement};
use crate::storage::{Connection, Result};

/// The longest page.
pub const LONGEST_PAGE: u32 = 1000;
/// How many people are looked at for one page, at most: a page may be short while there is more.
const MOST_PEOPLE: usize = 2000;
/// Sorts after every text that people write.
const LAST: &str = "\u{10ffff}";

/// What the list is narrowed by; nothing shows everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Tokens in this state.
    pub state: Option<State>,
    /// Tokens of this kind.
    pub kind: Option<Kind>,
    /// Tokens enrolled on this platform.
    pub platform: Option<Platform>,
    /// Tokens whose serial number begins so.
    pub serial: String,
    /// Tokens of people whose user name is, or begins with, this.
    pub user: Option<Name>,
}

/// A user name to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// This one.
    Is(String),
    /// Any that begins so.
    Begins(String),
}

/// A token with its owner's name.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The token.
    pub token: Token,
    /// Its owner's user name; `None` where it is nobody's, or its owner was removed.
    pub username: Option<String>,
}

/// A page of the list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The tokens.
    pub entries: Vec<Listed>,
    /// Where the next page begins, to be given back; `None` at the end.
    pub next: Option<String>,
}

// One text for each set of conditions: a condition that may be lacking keeps both engines from their indexes.
const BY_SERIAL: [&str; 8] = [
    "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
     AND user_account.id = token.user_id WHERE token.tenant_id = ? AND serial >= ? AND serial > ? AND serial < ? \
     ORDER BY serial LIMIT ?",
    "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
     AND user_account.id = token.user_id WHERE token.tenant_id = ? AND serial >= ? AND serial > ? AND serial < ? \
     AND state = ? ORDER BY serial LIMIT ?",
    "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
     AND user_account.id = token.user_id WHERE token.tenant_id = ? AND serial >= ? AND serial > ? AND serial < ? \
     AND kind = ? ORDER BY serial LIMIT ?",
    "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
     AND user_account.id = token.user_id WHERE token.tenant_id = ? AND serial >= ? AND serial > ? AND serial < ? \
     AND state = ? AND kind = ? ORDER BY serial LIMIT ?",
    "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
     AND user_account.id = token.user_id WHERE token.tenant_id = ? AND serial >= ? AND serial > ? AND serial < ? \
     AND platform = ? ORDER BY serial LIMIT ?",
    "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
     AND user_account.id = token.user_id WHERE token.tenant_id = ? AND serial >= ? AND serial > ? AND serial < ? \
     AND state = ? AND platform = ? ORDER BY serial LIMIT ?",
    "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
     AND user_account.id = token.user_id WHERE token.tenant_id = ? AND serial >= ? AND serial > ? AND serial < ? \
     AND kind = ? AND platform = ? ORDER BY serial LIMIT ?",
    "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
     AND user_account.id = token.user_id WHERE token.tenant_id = ? AND serial >= ? AND serial > ? AND serial < ? \
     AND state = ? AND kind = ? AND platform = ? ORDER BY serial LIMIT ?",
];

/// A page of the tokens that `filter` lets through, after the place that an earlier page gave, with at most `limit` tokens
/// (by user name: a few more, because a person's tokens stay together).
///
/// # Errors
/// If the database fails.
pub async fn search(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    after: Option<&str>,
    limit: u32,
) -> Result<Page> {
    let limit = limit.clamp(1, LONGEST_PAGE);
    match &filter.user {
        None => by_serial(connection, tenant, filter, after, limit).await,
        Some(name) => by_name(connection, tenant, filter, name, after, limit).await,
    }
}

async fn by_serial(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    after: Option<&str>,
    limit: u32,
) -> Result<Page> {
    let conditions = [filter.state.map(State::id), filter.kind.map(Kind::id), filter.platform.map(Platform::id)];
    let which = conditions.iter().enumerate().filter(|(_, value)| value.is_some()).map(|(bit, _)| 1 << bit).sum();
    let text: &'static str = BY_SERIAL.get::<usize>(which).copied().unwrap_or(BY_SERIAL[0]);
    let statement = Statement::new(text)
        .shown(tenant)
        .bind(&filter.serial)
        .bind(after.unwrap_or_default())
        .bind(format!("{}{LAST}", filter.serial));
    let statement = conditions.into_iter().flatten().fold(statement, Statement::bind);
    let rows = statement.bind(i64::from(limit) + 1).rows(connection).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let row = Row::of("token", row);
        entries.push(Listed { username: row.text_or_none("username")?, token: token_of(&row)? });
    }
    let more = entries.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        entries.pop();
    }
    let next = entries.last().filter(|_| more).map(|last| last.token.serial.clone());
    Ok(Page { entries, next })
}

async fn by_name(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    name: &Name,
    after: Option<&str>,
    limit: u32,
) -> Result<Page> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let (first, last) = match name {
        Name::Is(name) => (key_of(name), key_of(name)),
        Name::Begins(start) => (key_of(start), format!("{}{LAST}", key_of(start))),
    };
    let mut page = Page { entries: Vec::new(), next: after.map(str::to_owned) };
    for _ in 0..MOST_PEOPLE.div_ceil(wanted) {
        let people = Statement::new(
            "SELECT id, username, username_key FROM user_account WHERE tenant_id = ? AND username_key >= ? \
             AND username_key > ? AND username_key <= ? AND EXISTS (SELECT 1 FROM token WHERE token.tenant_id = \
             user_account.tenant_id AND token.user_id = user_account.id) ORDER BY username_key LIMIT ?",
        )
        .shown(tenant)
        .bind(&first)
        .bind(page.next.as_deref().unwrap_or_default())
        .bind(&last)
        .bind(i64::from(limit))
        .rows(connection)
        .await?;
        let whole = people.len() < wanted;
        for row in people {
            let row = Row::of("user_account", row);
            let (user, username): (UserId, String) = (row.parsed("id")?, row.text("username")?);
            page.next = Some(row.text("username_key")?);
            let owned = ever_of(tenant, user).ask(connection).await?;
            let kept = owned.into_iter().filter(|token| filter.lets_through(token));
            page.entries.extend(kept.map(|token| Listed { token, username: Some(username.clone()) }));
            if page.entries.len() >= wanted {
                return Ok(page);
            }
        }
        if whole {
            page.next = None;
            break;
        }
    }
    Ok(page)
}

impl Filter {
    fn lets_through(&self, token: &Token) -> bool {
        self.state.is_none_or(|state| state == token.state)
            && self.kind.is_none_or(|kind| kind == token.kind)
            && self.platform.is_none_or(|platform| token.platform == Some(platform))
            && token.serial.starts_with(&self.serial)
    }
}

/// Every token that a person has or ever had, by serial number.
pub fn ever_of(tenant: TenantId, user: UserId) -> Question<Vec<Token>> {
    let statement = Statement::new("SELECT * FROM token WHERE tenant_id = ? AND user_id = ? ORDER BY serial");
    Question::new(statement.shown(tenant).shown(user), |rows| {
        rows.into_iter().map(|row| token_of(&Row::of("token", row))).collect()
    })
}

/// How many tokens there are of each kind in each state.
pub fn counts(tenant: TenantId) -> Question<Vec<(Kind, State, i64)>> {
    let statement =
        Statement::new("SELECT kind, state, COUNT(*) AS n FROM token WHERE tenant_id = ? GROUP BY kind, state");
    Question::new(statement.shown(tenant), |rows| {
        let mut counts = Vec::with_capacity(rows.len());
        for row in rows {
            let row = Row::of("token", row);
            counts.push((row.parsed("kind")?, row.parsed("state")?, row.integer("n")?));
        }
        counts.sort_by_key(|(kind, state, _)| (*kind, *state));
        Ok(counts)
    })
}

/// Tokens of a kind that still count and were enrolled with an older version of its template than `version`, by serial
/// number; those that no template of the virtual server was used for are none of them.
pub fn outdated(
    tenant: TenantId,
    (kind, version): (Kind, u32),
    after: Option<&str>,
    limit: u32,
) -> Question<Vec<Listed>> {
    let statement = Statement::new(
        "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id \
         AND user_account.id = token.user_id WHERE token.tenant_id = ? AND kind = ? AND serial > ? \
         AND template_version > 0 AND template_version < ? AND state IN ('active', 'suspended', 'locked') \
         ORDER BY serial LIMIT ?",
    )
    .shown(tenant)
    .bind(kind.id())
    .bind(after.unwrap_or_default())
    .bind(i64::from(version))
    .bind(i64::from(limit));
    Question::new(statement, |rows| {
        rows.into_iter()
            .map(|row| {
                let row = Row::of("token", row);
                Ok(Listed { username: row.text_or_none("username")?, token: token_of(&row)? })
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of a text says which conditions stand in it.
    #[test]
    fn each_text_has_the_conditions_of_its_place() {
        for (place, text) in BY_SERIAL.iter().enumerate() {
            for (bit, condition) in ["state = ?", "kind = ?", "platform = ?"].into_iter().enumerate() {
                assert_eq!(text.contains(condition), place & (1 << bit) != 0, "{place}: {condition}");
            }
            assert_eq!(text.matches('?').count(), 5 + place.count_ones() as usize, "{place}");
        }
    }
}
