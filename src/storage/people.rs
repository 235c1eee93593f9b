//! The list of people: searched by what an operator knows, a page at a time.
//!
//! Every page begins in an index that ends in what the list is ordered by. Whatever else is asked is looked at in the accounts
//! that the index gives, at most some thousand of them for one page: so a page costs the same among a million people as among
//! ten, and may be short, or empty, while there is more.

use std::sync::LazyLock;

use super::account_locks;
use super::row::Row;
use super::statement::{Question, Statement};
use super::users::user_of;
use super::{Connection, Engine, Result};
use crate::domain::authenticator::standing::Standing;
use crate::domain::ids::{GroupId, TenantId, UserId};
use crate::domain::lockout::Lock;
use crate::domain::name::key_of;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Status, User};

/// The longest page.
pub const LONGEST_PAGE: u32 = 1000;
/// So many accounts are looked at with one question, where an index answers only a part of it …
const AT_ONCE: i64 = 2000;
/// … and so many for one page.
const MOST: i64 = 4000;
/// The members of a group with no more than these are sorted; a larger one is looked for in the list of everybody.
const SMALL_GROUP: i64 = 2000;
/// Sorts after every text that people write.
const LAST: &str = "\u{10ffff}";
/// The longest part of a key before the user name, in characters.
pub(super) const LONGEST_KEY: usize = 200;

/// How an account with this field and user name is found and ordered by the field: the user name makes it unique. MariaDB
/// compares as if blanks stood behind the shorter text, so what stands between them is no smaller than a blank.
#[must_use]
pub(super) fn key(field: &str, username_key: &str) -> String {
    let mut key: String = key_of(field).chars().take(LONGEST_KEY).collect();
    key.push('!');
    key.push_str(username_key);
    key
}

/// What a field must look like: `*` stands for any characters and `?` for one; without either it must begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    like: String,
    start: String,
    begins: bool,
}

impl Pattern {
    /// The pattern that somebody typed; `None` where everything fits.
    #[must_use]
    pub fn typed(text: &str) -> Option<Self> {
        let text: String = key_of(text).chars().take(LONGEST_KEY).collect();
        if text.chars().all(|c| c == '*') {
            return None;
        }
        let plain = !text.contains(['*', '?']);
        let mut like = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            match c {
                '*' => like.push('%'),
                '?' => like.push('_'),
                '%' | '_' | '|' => like.extend(['|', c]),
                c => like.push(c),
            }
        }
        if plain {
            like.push('%');
        }
        let start: String = text.chars().take_while(|c| !matches!(c, '*' | '?')).collect();
        let begins = plain || text.strip_suffix('*') == Some(start.as_str());
        Some(Self { like, start, begins })
    }

    /// For a key that goes on with the user name.
    fn like_in_key(&self) -> String {
        if self.like.ends_with('%') { self.like.clone() } else { format!("{}!%", self.like) }
    }
}

/// Whether the account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// It may.
    Enabled,
    /// An operator disabled it.
    Disabled,
    /// Failures locked it.
    Locked,
}

impl AccountState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Enabled, Self::Disabled, Self::Locked];

    /// The name in addresses and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Locked => "locked",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.id() == id)
    }
}

/// What the list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By user name; where only an address or a name is looked for, by that.
    #[default]
    Best,
    /// By mail address.
    Email,
    /// By family name.
    LastName,
    /// By given name.
    FirstName,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 4] = [Self::Best, Self::Email, Self::LastName, Self::FirstName];

    /// The name in addresses.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Best => "username",
            Self::Email => "email",
            Self::LastName => "last_name",
            Self::FirstName => "first_name",
        }
    }

    /// The order with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.id() == id)
    }
}

/// What the list is narrowed by; nothing shows everybody.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The user name.
    pub username: Option<Pattern>,
    /// The given or the family name.
    pub name: Option<Pattern>,
    /// The mail address.
    pub email: Option<Pattern>,
    /// Accounts without a mail address.
    pub without_email: bool,
    /// Members of this group.
    pub group: Option<GroupId>,
    /// Accounts in this state.
    pub account: Option<AccountState>,
    /// People who stand so with authenticators.
    pub authenticators: Option<Standing>,
    /// The order.
    pub sort: Sort,
}

/// An account with what a list shows.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The account.
    pub user: User,
    /// Grows with every change by an operator.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last completed login.
    pub last_login_at: Option<Timestamp>,
    /// How the person stands with authenticators.
    pub authenticators: Standing,
    /// The lock after failures that was noted last; it may be over.
    pub lock: Option<Lock>,
}

impl Listed {
    /// The state of the account.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> AccountState {
        if self.user.status == Status::Disabled {
            AccountState::Disabled
        } else if self.lock.is_some_and(|lock| lock.refusal(now).is_some()) {
            AccountState::Locked
        } else {
            AccountState::Enabled
        }
    }
}

/// A page of the list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The accounts.
    pub entries: Vec<Listed>,
    /// Where the next page begins, to be given back; `None` at the end.
    pub next: Option<String>,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    Username,
    Email,
    LastName,
    FirstName,
    State(Status, Standing),
    Locks,
    Group(GroupId),
}

impl Driver {
    const KINDS: usize = 7;

    const fn number(self) -> usize {
        match self {
            Self::Username => 0,
            Self::Email => 1,
            Self::LastName => 2,
            Self::FirstName => 3,
            Self::State(..) => 4,
            Self::Locks => 5,
            Self::Group(_) => 6,
        }
    }
}

/// The columns of [`Listed`].
const COLUMNS: &str = "u.id, u.tenant_id, u.username, u.email, u.alias, u.phone, u.phone_verified, u.first_name, u.last_name, \
     u.language, u.status, u.security_version, u.first_enrolled_at, u.may_enroll_again, u.version, u.created_at, \
     u.last_login_at, u.token_state, l.locked_until";

/// What an index cannot answer; where nothing is asked, the first value of a line is empty.
const CONDITIONS: &str = "(? = '' OR u.status = ?) AND (? = '' OR u.token_state = ?) \
     AND (? = '' OR EXISTS (SELECT 1 FROM group_member AS m WHERE m.tenant_id = u.tenant_id AND m.group_id = ? \
     AND m.user_id = u.id)) AND (? = '' OR u.username_key LIKE ? ESCAPE '|') AND (? = '' OR u.email_key LIKE ? ESCAPE '|') \
     AND (? = '' OR u.last_name_key LIKE ? ESCAPE '|' OR u.first_name_key LIKE ? ESCAPE '|') \
     AND (? = '' OR u.last_name_key NOT LIKE ? ESCAPE '|') AND (? = 0 OR COALESCE(l.locked_until, 0) <= ?)";

/// The accounts that an index gives, in its order.
fn walk(engine: Engine, kind: usize) -> String {
    let by = |index: &str, column: &str, more: &str| {
        let hint = match engine {
            Engine::Sqlite => format!("INDEXED BY {index}"),
            Engine::MySql => format!("FORCE INDEX ({index})"),
        };
        format!(
            "SELECT id, {column} AS k FROM user_account {hint} WHERE tenant_id = ? {more}AND {column} >= ? \
             AND {column} <> ? AND {column} < ? ORDER BY {column} LIMIT ?"
        )
    };
    match kind {
        0 => by("user_account_name", "username_key", ""),
        1 => by("user_account_email", "email_key", ""),
        2 => by("user_account_last_name", "last_name_key", ""),
        3 => by("user_account_first_name", "first_name_key", ""),
        4 => by("user_account_state", "username_key", "AND status = ? AND token_state = ? "),
        5 => "SELECT p.id AS id, a.username_key AS k FROM account_lock AS a CROSS JOIN user_account AS p \
              ON p.tenant_id = a.tenant_id AND p.username_key = a.username_key WHERE a.tenant_id = ? AND a.locked_until > ? \
              AND a.username_key >= ? AND a.username_key <> ? AND a.username_key < ? ORDER BY a.username_key LIMIT ?"
            .to_owned(),
        _ => "SELECT p.id AS id, p.username_key AS k FROM group_member AS g CROSS JOIN user_account AS p \
              ON p.tenant_id = g.tenant_id AND p.id = g.user_id WHERE g.tenant_id = ? AND g.group_id = ? \
              AND p.username_key >= ? AND p.username_key <> ? AND p.username_key < ? ORDER BY p.username_key LIMIT ?"
            .to_owned(),
    }
}

/// The questions of each driver: a page, and how far it went.
static TEXTS: LazyLock<[Vec<(String, String)>; 2]> = LazyLock::new(|| {
    [Engine::Sqlite, Engine::MySql].map(|engine| {
        let one = |kind| {
            let walk = walk(engine, kind);
            // What stands in the index itself is looked at there, and not in each account.
            let conditions = match kind {
                1 => CONDITIONS.replace("u.email_key LIKE", "w.k LIKE"),
                2 | 3 => CONDITIONS.to_owned(),
                _ => CONDITIONS.replace("u.username_key LIKE", "w.k LIKE"),
            };
            let page = format!(
                "SELECT {COLUMNS}, w.k FROM ({walk}) AS w CROSS JOIN user_account AS u ON u.tenant_id = ? AND u.id = w.id \
                 LEFT JOIN account_lock AS l ON l.tenant_id = u.tenant_id AND l.username_key = u.username_key \
                 WHERE {conditions} ORDER BY w.k LIMIT ?"
            );
            (page, format!("SELECT MAX(w.k) AS k, COUNT(*) AS n FROM ({walk}) AS w"))
        };
        (0..Driver::KINDS).map(one).collect()
    })
});

fn texts(engine: Engine, driver: Driver) -> Option<(&'static str, &'static str)> {
    let [sqlite, mysql] = &*TEXTS;
    let all = if engine == Engine::Sqlite { sqlite } else { mysql };
    all.get(driver.number()).map(|(page, reach)| (page.as_str(), reach.as_str()))
}

/// Every question of the list with values for it; for tests that look at an engine's plans.
#[must_use]
pub fn explained(engine: Engine, tenant: TenantId, group: GroupId) -> Vec<(&'static str, Statement)> {
    let all = [
        Driver::Username,
        Driver::Email,
        Driver::LastName,
        Driver::FirstName,
        Driver::State(Status::Enabled, Standing::None),
        Driver::Locks,
        Driver::Group(group),
    ];
    let now = Timestamp::from_micros(0);
    all.into_iter()
        .filter_map(|driver| {
            let stream = Stream { driver, from: String::new(), to: LAST.to_owned(), whole: false, other: None };
            let (text, _) = texts(engine, driver)?;
            let text: &'static str = Box::leak(format!("EXPLAIN {text}").into_boxed_str());
            let text = if engine == Engine::Sqlite {
                Box::leak(text.replacen("EXPLAIN", "EXPLAIN QUERY PLAN", 1).into_boxed_str())
            } else {
                text
            };
            let filter = Filter::default();
            let walk = stream.walk(Statement::new(text), tenant, "", now, AT_ONCE);
            Some((text, filter.conditions(walk.shown(tenant), &stream, now).bind(51)))
        })
        .collect()
}

/// A part of the list that one index gives.
#[derive(Debug, Clone)]
struct Stream {
    driver: Driver,
    from: String,
    to: String,
    /// Whether the index answers all that is asked.
    whole: bool,
    /// Family names that another stream shows.
    other: Option<String>,
}

impl Stream {
    fn new(driver: Driver, pattern: Option<&Pattern>) -> Self {
        let start = pattern.map_or("", |pattern| pattern.start.as_str());
        Self { driver, from: start.to_owned(), to: format!("{start}{LAST}"), whole: false, other: None }
    }

    /// The values of the inner question.
    fn walk(&self, statement: Statement, tenant: TenantId, after: &str, now: Timestamp, limit: i64) -> Statement {
        let statement = statement.shown(tenant);
        let statement = match self.driver {
            Driver::State(status, standing) => statement.bind(id_of(status)).bind(standing.id()),
            Driver::Locks => statement.bind(now.micros()),
            Driver::Group(group) => statement.shown(group),
            Driver::Username | Driver::Email | Driver::LastName | Driver::FirstName => statement,
        };
        statement.bind(after.max(self.from.as_str())).bind(after).bind(&self.to).bind(limit)
    }
}

const fn id_of(status: Status) -> &'static str {
    match status {
        Status::Enabled => "enabled",
        Status::Disabled => "disabled",
    }
}

impl Filter {
    /// The values of [`CONDITIONS`].
    fn conditions(&self, statement: Statement, stream: &Stream, now: Timestamp) -> Statement {
        let twice = |statement: Statement, value: &str| statement.bind(value).bind(value);
        let status = match self.account {
            None => "",
            Some(AccountState::Enabled | AccountState::Locked) => "enabled",
            Some(AccountState::Disabled) => "disabled",
        };
        let statement = twice(statement, status);
        let statement = twice(statement, self.authenticators.map_or("", Standing::id));
        let statement = twice(statement, &self.group.map(|group| group.to_string()).unwrap_or_default());
        let statement = twice(statement, self.username.as_ref().map_or("", |pattern| pattern.like.as_str()));
        let email = match (&self.email, self.without_email) {
            (_, true) => "!%".to_owned(),
            (Some(pattern), false) => pattern.like_in_key(),
            (None, false) => String::new(),
        };
        let statement = twice(statement, &email);
        let name = self.name.as_ref().map(Pattern::like_in_key).unwrap_or_default();
        let statement = twice(statement, &name).bind(&name);
        let statement = twice(statement, stream.other.as_deref().unwrap_or_default());
        let open = i64::from(self.account == Some(AccountState::Enabled));
        statement.bind(open).bind(now.micros())
    }

    /// Where a page begins: in the narrowest index.
    fn streams(&self, small_group: bool) -> Vec<Stream> {
        let ordered = match self.sort {
            Sort::Best => None,
            Sort::Email => Some(Stream::new(Driver::Email, self.email.as_ref())),
            Sort::LastName => Some(Stream::new(Driver::LastName, None)),
            Sort::FirstName => Some(Stream::new(Driver::FirstName, None)),
        };
        let begins = |pattern: &Option<Pattern>| pattern.as_ref().is_some_and(|pattern| !pattern.start.is_empty());
        let mut streams = match (ordered, self.group.filter(|_| small_group)) {
            (Some(stream), _) => vec![stream],
            (None, Some(group)) => vec![Stream::new(Driver::Group(group), self.username.as_ref())],
            (None, None) if self.account == Some(AccountState::Locked) => {
                vec![Stream::new(Driver::Locks, self.username.as_ref())]
            }
            (None, None) if begins(&self.username) => vec![Stream::new(Driver::Username, self.username.as_ref())],
            (None, None) if self.without_email => {
                let all = Stream::new(Driver::Email, None);
                vec![Stream { from: "!".to_owned(), to: "\"".to_owned(), ..all }]
            }
            (None, None) if begins(&self.email) || self.is_about_addresses() => {
                vec![Stream::new(Driver::Email, self.email.as_ref())]
            }
            (None, None) if begins(&self.name) => {
                let other = self.name.as_ref().map(Pattern::like_in_key);
                let first = Stream { other, ..Stream::new(Driver::FirstName, self.name.as_ref()) };
                vec![Stream::new(Driver::LastName, self.name.as_ref()), first]
            }
            (None, None) => self.by_state(),
        };
        for stream in &mut streams {
            stream.whole = self.is_answered_by(stream);
        }
        streams
    }

    /// Whether nothing is narrower than an address of which only a part in the middle is known: that is looked for in the index.
    fn is_about_addresses(&self) -> bool {
        let others = self.username.is_none() && self.name.is_none() && self.account.is_none();
        self.email.is_some() && others && self.authenticators.is_none()
    }

    fn by_state(&self) -> Vec<Stream> {
        let statuses: &[Status] = match self.account {
            Some(AccountState::Disabled) => &[Status::Disabled],
            Some(AccountState::Enabled | AccountState::Locked) => &[Status::Enabled],
            None => &[Status::Enabled, Status::Disabled],
        };
        let standings: Vec<Standing> = match self.authenticators {
            Some(standing) => vec![standing],
            // Nearly everybody is: then everybody is looked at.
            None if self.account != Some(AccountState::Disabled) => Vec::new(),
            None => Standing::ALL.to_vec(),
        };
        if standings.is_empty() {
            return vec![Stream::new(Driver::Username, self.username.as_ref())];
        }
        let pairs = statuses.iter().flat_map(|status| standings.iter().map(|standing| (*status, *standing)));
        pairs.map(|(status, standing)| Stream::new(Driver::State(status, standing), self.username.as_ref())).collect()
    }

    /// Whether the index of a stream answers everything that is asked.
    fn is_answered_by(&self, stream: &Stream) -> bool {
        let answered =
            |pattern: &Option<Pattern>, here: bool| pattern.as_ref().is_none_or(|pattern| here && pattern.begins);
        let driver = stream.driver;
        let by_username = !matches!(driver, Driver::Email | Driver::LastName | Driver::FirstName);
        let by_name = matches!(driver, Driver::LastName | Driver::FirstName) && self.sort == Sort::Best;
        let by_state = matches!(driver, Driver::State(..));
        answered(&self.username, by_username)
            && answered(&self.email, driver == Driver::Email)
            && answered(&self.name, by_name)
            && (!self.without_email || (driver == Driver::Email && self.sort == Sort::Best))
            && self.group.is_none_or(|group| driver == Driver::Group(group))
            && match self.account {
                None => true,
                Some(AccountState::Disabled) => by_state,
                Some(AccountState::Locked | AccountState::Enabled) => false,
            }
            && self.authenticators.is_none_or(|_| by_state)
            && stream.other.is_none()
    }
}

/// A page of the people that `filter` lets through, after the place that an earlier page gave, with at most `limit` of them.
///
/// # Errors
/// If the database fails.
pub async fn search(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    after: Option<&str>,
    limit: u32,
    now: Timestamp,
) -> Result<Page> {
    let limit = limit.clamp(1, LONGEST_PAGE);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let small = match filter.group {
        Some(group) => members_of(tenant, group).ask(connection).await? <= SMALL_GROUP,
        None => false,
    };
    let streams = filter.streams(small);
    let most = MOST / i64::try_from(streams.len().max(1)).unwrap_or(1);
    let (mut found, mut end): (Vec<(String, Listed)>, Option<String>) = (Vec::new(), None);
    for stream in &streams {
        let (some, reached) = part(connection, tenant, filter, stream, (after, limit, most), now).await?;
        found.extend(some);
        // Beyond what one stream has reached nothing is known.
        end = match (end, reached) {
            (Some(end), Some(reached)) => Some(end.min(reached)),
            (end, reached) => end.or(reached),
        };
    }
    if let Some(end) = &end {
        found.retain(|(key, _)| key <= end);
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    if found.len() > wanted {
        found.truncate(wanted);
        end = found.last().map(|(key, _)| key.clone());
    }
    Ok(Page { entries: found.into_iter().map(|(_, listed)| listed).collect(), next: end })
}

/// What a stream gives, at most one more than `limit`, and how far it went; `None` at its end.
async fn part(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    stream: &Stream,
    (after, limit, most): (Option<&str>, u32, i64),
    now: Timestamp,
) -> Result<(Vec<(String, Listed)>, Option<String>)> {
    let Some((page, reach)) = texts(connection.engine(), stream.driver) else { return Ok((Vec::new(), None)) };
    let one_more = i64::from(limit) + 1;
    let step = if stream.whole { one_more } else { AT_ONCE.max(one_more) };
    let (mut found, mut from, mut looked_at) = (Vec::new(), after.unwrap_or_default().to_owned(), 0);
    loop {
        let walk = stream.walk(Statement::new(page), tenant, &from, now, step);
        let rows = filter.conditions(walk.shown(tenant), stream, now).bind(one_more).rows(&mut *connection).await?;
        for row in rows {
            let row = Row::of("user_account", row);
            found.push((row.text("k")?, listed_of(&row)?));
        }
        let have = i64::try_from(found.len()).unwrap_or(i64::MAX);
        if have >= one_more {
            found.truncate(usize::try_from(one_more).unwrap_or(usize::MAX));
            let reached = found.last().map(|(key, _)| key.clone());
            return Ok((found, reached));
        }
        if stream.whole {
            return Ok((found, None));
        }
        let seen = stream.walk(Statement::new(reach), tenant, &from, now, step).only(&mut *connection).await?;
        let seen = Row::of("user_account", seen);
        let count = seen.integer("n")?;
        looked_at += count;
        let Some(last) = seen.text_or_none("k")?.filter(|_| count == step) else { return Ok((found, None)) };
        if looked_at >= most {
            return Ok((found, Some(last)));
        }
        from = last;
    }
}

fn listed_of(row: &Row) -> Result<Listed> {
    Ok(Listed {
        user: user_of(row, "id")?,
        version: row.integer("version")?,
        created_at: row.time("created_at")?,
        last_login_at: row.time_or_none("last_login_at")?,
        authenticators: row.parsed("token_state")?,
        lock: account_locks::until(row.integer_or_none("locked_until")?),
    })
}

/// How many are in a group.
fn members_of(tenant: TenantId, group: GroupId) -> Question<i64> {
    let statement = Statement::new("SELECT id, members FROM user_group WHERE tenant_id = ? AND id = ?");
    Question::new(statement.shown(tenant).shown(group), |rows| {
        rows.into_iter().next().map_or(Ok(0), |row| Row::of("user_group", row).integer("members"))
    })
}

/// One account, as the list shows it.
pub fn one(tenant: TenantId, id: UserId) -> Question<Option<Listed>> {
    let statement = Statement::new(
        "SELECT u.id, u.tenant_id, u.username, u.email, u.alias, u.phone, u.phone_verified, u.first_name, u.last_name, u.language, \
         u.status, u.security_version, u.first_enrolled_at, u.may_enroll_again, u.version, u.created_at, u.last_login_at, \
         u.token_state, l.locked_until FROM user_account AS u LEFT JOIN account_lock AS l ON l.tenant_id = u.tenant_id \
         AND l.username_key = u.username_key WHERE u.tenant_id = ? AND u.id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| {
        rows.into_iter().next().map(|row| listed_of(&Row::of("user_account", row))).transpose()
    })
}

/// The statement that counts anew how an account stands with authenticators, after one of them was moved.
pub(super) fn counted(tenant: TenantId, user: UserId) -> Statement {
    Statement::new(
        "UPDATE user_account SET token_state = COALESCE((SELECT CASE MIN(CASE state WHEN 'active' THEN 1 \
         WHEN 'locked' THEN 2 WHEN 'suspended' THEN 3 WHEN 'assigned' THEN 4 ELSE 5 END) WHEN 1 THEN 'active' \
         WHEN 2 THEN 'locked' WHEN 3 THEN 'suspended' WHEN 4 THEN 'assigned' ELSE 'none' END FROM token \
         WHERE token.tenant_id = ? AND token.user_id = ?), 'none') WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(user)
    .shown(tenant)
    .shown(user)
}

/// The statement that counts anew for everybody, after tokens were stored some other way.
pub fn all_counted(engine: Engine, tenant: TenantId) -> Statement {
    let text = match engine {
        Engine::Sqlite => {
            "UPDATE user_account SET token_state = COALESCE((SELECT CASE MIN(CASE state WHEN 'active' THEN 1 \
             WHEN 'locked' THEN 2 WHEN 'suspended' THEN 3 WHEN 'assigned' THEN 4 ELSE 5 END) WHEN 1 THEN 'active' \
             WHEN 2 THEN 'locked' WHEN 3 THEN 'suspended' WHEN 4 THEN 'assigned' ELSE 'none' END FROM token \
             WHERE token.tenant_id = user_account.tenant_id AND token.user_id = user_account.id), 'none') \
             WHERE tenant_id = ?"
        }
        // Account by account, a server without statistics would read every token each time.
        Engine::MySql => {
            "UPDATE user_account LEFT JOIN (SELECT tenant_id, user_id, MIN(CASE state WHEN 'active' THEN 1 \
             WHEN 'locked' THEN 2 WHEN 'suspended' THEN 3 WHEN 'assigned' THEN 4 ELSE 5 END) AS best FROM token \
             WHERE user_id IS NOT NULL GROUP BY tenant_id, user_id) AS its ON its.tenant_id = user_account.tenant_id \
             AND its.user_id = user_account.id SET token_state = CASE its.best WHEN 1 THEN 'active' WHEN 2 THEN 'locked' \
             WHEN 3 THEN 'suspended' WHEN 4 THEN 'assigned' ELSE 'none' END WHERE user_account.tenant_id = ?"
        }
    };
    Statement::new(text).shown(tenant)
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn a_pattern_begins_or_is_the_whole() {
        let parts = |text| Pattern::typed(text).map(|it| (it.like, it.start, it.begins));
        let owned = |like: &str, start: &str, begins| Some((like.to_owned(), start.to_owned(), begins));
        assert_eq!(parts("  "), None);
        assert_eq!(parts("**"), None);
        assert_eq!(parts("Ada"), owned("ada%", "ada", true));
        assert_eq!(parts("ada*"), owned("ada%", "ada", true));
        assert_eq!(parts("*ada"), owned("%ada", "", false));
        assert_eq!(parts("a?a*x"), owned("a_a%x", "a", false));
        assert_eq!(parts("50%_|*"), owned("50|%|_||%", "50%_|", true));
    }

    /// the narrowest index begins, and what it does not answer is looked at.
    #[test]
    fn the_narrowest_index_begins() {
        let none = Filter::default();
        let begun = |filter: &Filter| {
            filter.streams(true).into_iter().map(|stream| (stream.driver, stream.whole)).collect::<Vec<_>>()
        };
        let group = GroupId::from_bits(1);
        assert_eq!(begun(&none), [(Driver::Username, true)]);
        assert_eq!(begun(&Filter { username: Pattern::typed("a*"), ..none.clone() }), [(Driver::Username, true)]);
        assert_eq!(begun(&Filter { username: Pattern::typed("*a"), ..none.clone() }), [(Driver::Username, false)]);
        assert_eq!(begun(&Filter { email: Pattern::typed("a"), ..none.clone() }), [(Driver::Email, true)]);
        let both = begun(&Filter { name: Pattern::typed("a"), ..none.clone() });
        assert_eq!(both, [(Driver::LastName, true), (Driver::FirstName, false)]);
        assert_eq!(begun(&Filter { group: Some(group), ..none.clone() }), [(Driver::Group(group), true)]);
        assert_eq!(begun(&Filter { account: Some(AccountState::Locked), ..none.clone() }), [(Driver::Locks, false)]);
        assert_eq!(begun(&Filter { account: Some(AccountState::Disabled), ..none.clone() }).len(), 5);
        let without = begun(&Filter { authenticators: Some(Standing::None), ..none.clone() });
        assert_eq!(without.len(), 2, "of enabled and of disabled accounts");
        assert!(without.iter().all(|(_, whole)| *whole));
        let sorted = Filter { sort: Sort::LastName, name: Pattern::typed("a"), ..none };
        assert_eq!(begun(&sorted), [(Driver::LastName, false)]);
    }
}
