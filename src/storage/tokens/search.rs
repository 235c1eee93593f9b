//! The list of tokens: searched by what an operator knows, a page at a time.
//!
//! Every question here is answered from an index that ends in what the list is ordered by, so a page costs the same among a
//! million tokens as among ten. Without a person the list is ordered by serial number, with one by user name.

use super::{Token, token_of};
use crate::domain::authenticator::lifecycle::{Kind, State};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::name::key_of;
use crate::domain::policy::platform::Platform;
use crate::storage::roster;
use crate::storage::row::Row;
use crate::storage::statement::{Question, Statement};
use crate::storage::{Connection, Engine, Result};

/// The longest page.
pub const LONGEST_PAGE: u32 = 1000;
/// How many people are looked at for one page, at most: a page may be short while there is more.
const MOST_PEOPLE: usize = 250;
/// How many people are looked at with one question; the number stands in its text, too.
const PEOPLE_AT_ONCE: usize = 50;
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

// Each has an index of its own, in which the serial number follows what is asked for. SQLite has no statistics and would
// take the one of serial numbers for all of them, and read a million tokens to find the few in a rare state: it is told.
const BY_SERIAL: &str = "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = \
     token.tenant_id AND user_account.id = token.user_id WHERE token.tenant_id = ? \
     AND serial >= ? AND serial < ? ORDER BY serial LIMIT ?";
const BY_STATE_AND_KIND: &str = "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = \
     token.tenant_id AND user_account.id = token.user_id WHERE token.tenant_id = ? AND state = ? AND kind = ? \
     AND serial >= ? AND serial < ? ORDER BY serial LIMIT ?";
const BY_STATE_AND_PLATFORM: &str = "SELECT token.*, username FROM token LEFT JOIN user_account ON user_account.tenant_id = \
     token.tenant_id AND user_account.id = token.user_id WHERE token.tenant_id = ? AND state = ? AND platform = ? \
     AND serial >= ? AND serial < ? ORDER BY serial LIMIT ?";
const SQLITE_BY_STATE_AND_KIND: &str = "SELECT token.*, username FROM token INDEXED BY token_state_kind \
     LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id AND user_account.id = token.user_id \
     WHERE token.tenant_id = ? AND state = ? AND kind = ? AND serial >= ? AND serial < ? ORDER BY serial LIMIT ?";
const SQLITE_BY_STATE_AND_PLATFORM: &str = "SELECT token.*, username FROM token INDEXED BY token_state_platform \
     LEFT JOIN user_account ON user_account.tenant_id = token.tenant_id AND user_account.id = token.user_id \
     WHERE token.tenant_id = ? AND state = ? AND platform = ? AND serial >= ? AND serial < ? ORDER BY serial LIMIT ?";

/// The questions of the list without a person, each with the index that answers it; for tests that look at an engine's plans.
#[must_use]
pub const fn list_texts(engine: Engine) -> [(&'static str, &'static str); 3] {
    let [kind, platform] = texts(engine);
    [(BY_SERIAL, "token_serial"), (kind, "token_state_kind"), (platform, "token_state_platform")]
}

/// By state and kind, and by state and platform.
const fn texts(engine: Engine) -> [&'static str; 2] {
    match engine {
        Engine::Sqlite => [SQLITE_BY_STATE_AND_KIND, SQLITE_BY_STATE_AND_PLATFORM],
        Engine::MySql => [BY_STATE_AND_KIND, BY_STATE_AND_PLATFORM],
    }
}

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
    // One bound: of two, SQLite takes the first and reads everything up to the other. No serial number has a character
    // below the exclamation mark, and MariaDB compares as if blanks stood behind the shorter text.
    let from = after.map_or_else(String::new, |after| format!("{after}!")).max(filter.serial.clone());
    let mut entries: Vec<Listed> = Vec::new();
    for (text, conditions) in questions(connection.engine(), filter) {
        let statement = conditions.into_iter().fold(Statement::new(text).shown(tenant), Statement::bind);
        let statement = statement.bind(&from).bind(format!("{}{LAST}", filter.serial)).bind(i64::from(limit) + 1);
        for row in statement.rows(&mut *connection).await? {
            let row = Row::of("token", row);
            entries.push(Listed { username: row.text_or_none("username")?, token: token_of(&row)? });
        }
    }
    // Several questions were asked where several states or kinds fit.
    entries.sort_unstable_by(|a, b| a.token.serial.cmp(&b.token.serial));
    entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1));
    let more = entries.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        entries.pop();
    }
    let next = entries.last().filter(|_| more).map(|last| last.token.serial.clone());
    Ok(Page { entries, next })
}

/// The questions that together answer a filter, each with its conditions.
fn questions(engine: Engine, filter: &Filter) -> Vec<(&'static str, Vec<&'static str>)> {
    let [by_kind, by_platform] = texts(engine);
    let states = |text: &'static str, last: &'static str| {
        let all = State::ALL.into_iter().filter(|state| filter.state.is_none_or(|wanted| wanted == *state));
        all.map(|state| (text, vec![state.id(), last])).collect::<Vec<_>>()
    };
    match (filter.state, filter.kind, filter.platform) {
        (None, None, None) => vec![(BY_SERIAL, Vec::new())],
        (_, kind, Some(platform)) => {
            let its_kind = if platform.speaks_our_protocol() { Kind::App } else { Kind::OathApp };
            match kind {
                Some(kind) if kind != its_kind => Vec::new(),
                _ => states(by_platform, platform.id()),
            }
        }
        (_, Some(kind), None) => states(by_kind, kind.id()),
        (Some(_), None, None) => Kind::ALL.into_iter().flat_map(|kind| states(by_kind, kind.id())).collect(),
    }
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
    for _ in 0..MOST_PEOPLE / PEOPLE_AT_ONCE {
        let people = Statement::new(
            "SELECT id, username, username_key FROM user_account WHERE tenant_id = ? AND username_key >= ? \
             AND username_key > ? AND username_key <= ? ORDER BY username_key LIMIT 50",
        )
        .shown(tenant)
        .bind(&first)
        .bind(page.next.as_deref().unwrap_or_default())
        .bind(&last)
        .rows(connection)
        .await?;
        let whole = people.len() < PEOPLE_AT_ONCE;
        let mut named: Vec<(UserId, String, String)> = Vec::with_capacity(people.len());
        for row in people {
            let row = Row::of("user_account", row);
            named.push((row.parsed("id")?, row.text("username")?, row.text("username_key")?));
        }
        let users: Vec<UserId> = named.iter().map(|(id, _, _)| *id).collect();
        let mut owned = roster::tokens_of(connection, tenant, &users).await?;
        for (user, username, key) in named {
            page.next = Some(key);
            let mut tokens = owned.remove(&user).unwrap_or_default();
            tokens.sort_unstable_by(|a, b| a.serial.cmp(&b.serial));
            let kept = tokens.into_iter().filter(|token| filter.lets_through(token));
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
    let statement = Statement::new("SELECT * FROM token WHERE tenant_id = ? AND user_id = ?");
    Question::new(statement.shown(tenant).shown(user), |rows| {
        // Sorted here: for the order alone SQLite would read every token of the virtual server.
        let found: Result<Vec<Token>> = rows.into_iter().map(|row| token_of(&Row::of("token", row))).collect();
        let mut found = found?;
        found.sort_unstable_by(|a, b| a.serial.cmp(&b.serial));
        Ok(found)
    })
}

/// How many tokens there are of each kind in each state; what there is none of is left out. Each is a range of an index,
/// which is counted in half the time that it takes to look at what stands in it.
///
/// # Errors
/// If the database fails.
pub async fn counts(connection: &mut Connection, tenant: TenantId) -> Result<Vec<(Kind, State, i64)>> {
    let mut counts = Vec::new();
    for kind in Kind::ALL {
        for state in State::ALL {
            let asked =
                Statement::new("SELECT COUNT(*) AS n FROM token WHERE tenant_id = ? AND state = ? AND kind = ?");
            let row = asked.shown(tenant).bind(state.id()).bind(kind.id()).only(connection).await?;
            let n = Row::of("token", row).integer("n")?;
            if n > 0 {
                counts.push((kind, state, n));
            }
        }
    }
    Ok(counts)
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

    /// whatever a list is narrowed by, the questions ask for all of it and nothing else.
    #[test]
    fn the_questions_cover_the_filter() {
        let with =
            |state, kind, platform| questions(Engine::MySql, &Filter { state, kind, platform, ..Filter::default() });
        assert_eq!(with(None, None, None), [(BY_SERIAL, vec![])]);
        assert_eq!(with(Some(State::Locked), None, None).len(), 3);
        assert_eq!(with(None, Some(Kind::Oath), None).len(), 6);
        assert_eq!(with(None, None, Some(Platform::Ios)).len(), 6);
        let both = with(Some(State::Locked), Some(Kind::Oath), None);
        assert_eq!(both, [(BY_STATE_AND_KIND, vec!["locked", "oath"])]);
        let app = with(Some(State::Active), Some(Kind::App), Some(Platform::Ios));
        assert_eq!(app, [(BY_STATE_AND_PLATFORM, vec!["active", Platform::Ios.id()])]);
        assert!(with(None, Some(Kind::Oath), Some(Platform::Ios)).is_empty(), "there is no such token");
    }
}
