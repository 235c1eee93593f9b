//! Many people at once, from a table: each is made, changed or left as it is, and each with its audit event.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Desk, people};
use crate::domain::audit::Action;
use crate::domain::ids::{GroupId, TenantId, UserId};
use crate::domain::name::key_of;
use crate::domain::tenant::TenantConfig;
use crate::domain::user::{Status, User};
use crate::storage::statement::{Statement, insert_all};
use crate::storage::{self, Connection, roster, users};

/// A person as the table wants one; what is not said stays as it is, or is as for a new account.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The user name, checked.
    pub username: String,
    /// The address, checked.
    pub email: Option<String>,
    /// The second name for the login, checked.
    pub alias: Option<String>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The preferred language, as a tag that we have.
    pub language: Option<String>,
    /// Whether the account may be used.
    pub status: Option<Status>,
    /// All groups that the person is in afterwards.
    pub groups: Option<Vec<GroupId>>,
    /// The hash of the password, checked.
    pub hash: Option<String>,
}

/// A line of a table of people, checked as far as that is possible without looking at who there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// The user name.
    pub username: String,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The second name for the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// The preferred language, as a tag that we have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether the account may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Names of all groups that the person is in afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The hash of the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
}

impl Line {
    /// The person as the table wants one; `groups` are those that there are, by [`key_of`] of their names.
    ///
    /// # Errors
    /// The name of a group that is not there.
    pub fn wanted(&self, groups: &HashMap<String, GroupId>) -> Result<Wanted, String> {
        let find = |name: &String| groups.get(&key_of(name)).copied().ok_or_else(|| name.clone());
        let groups = self.groups.as_ref().map(|names| names.iter().map(find).collect()).transpose()?;
        Ok(Wanted {
            username: self.username.clone(),
            email: self.email.clone(),
            alias: self.alias.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            language: self.language.clone(),
            status: self.enabled.map(|enabled| if enabled { Status::Enabled } else { Status::Disabled }),
            groups,
            hash: self.password_hash.clone(),
        })
    }
}

/// What is done where there is an account already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It becomes what the table says.
    Update,
    /// It stays as it is.
    Keep,
}

/// Whether anything is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storing {
    /// It is.
    Really,
    /// It is only looked what would be.
    Dry,
}

/// What became of one, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is a new account.
    Created,
    /// These fields of an account were changed.
    Changed(Vec<&'static str>),
    /// It was as wanted.
    Unchanged,
    /// There is an account that was to be kept as it is.
    Kept,
    /// The account cannot be disabled or be called so, for this reason; nothing of it was changed.
    Refused(&'static str),
}

impl Outcome {
    /// The word for it in reports.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed(_) => "changed",
            Self::Unchanged => "unchanged",
            Self::Kept => "kept",
            Self::Refused(_) => "rejected",
        }
    }
}

/// Why a user name of a table cannot be taken.
const NAME_TAKEN: &str = "has a user name that is another account's alias";
/// Why an alias of a table cannot be taken.
const ALIAS_TAKEN: &str = "has an alias that is another account's user name or alias";

/// Whose the names are that a table wants, those that it has given out included.
#[derive(Clone)]
struct Owners {
    /// The account, or none for one that the table makes.
    of: HashMap<String, Option<UserId>>,
    /// Names that are nobody's any more, and stand there as somebody's.
    left: Vec<String>,
}

impl Owners {
    async fn of(
        connection: &mut Connection,
        tenant: TenantId,
        wanted: &[Wanted],
        names: &[String],
    ) -> storage::Result<Self> {
        let aliases: Vec<String> = wanted.iter().filter_map(|it| it.alias.as_deref().map(key_of)).collect();
        let called = roster::people(connection, tenant, &aliases).await?;
        let all = [names, aliases.as_slice()].concat();
        let (owners, left) = roster::owners(connection, tenant, &all).await?;
        let mut of: HashMap<String, Option<UserId>> = owners.into_iter().map(|(key, id)| (key, Some(id))).collect();
        // An instance that knows no aliases yet has made accounts without writing down their names.
        of.extend(called.into_iter().map(|(key, (user, _))| (key, Some(user.id))));
        Ok(Self { of, left })
    }

    /// Gives the names of a line to an account, or says why it cannot have them. A user name is new where the account is.
    fn give(&mut self, account: Option<UserId>, name: &str, alias: Option<&str>) -> Result<(), &'static str> {
        if account.is_none() && self.of.contains_key(name) {
            return Err(NAME_TAKEN);
        }
        let alias = alias.map(key_of);
        let is_its_own = |owner: &Option<UserId>| owner.is_some() && *owner == account;
        if alias.as_ref().and_then(|alias| self.of.get(alias)).is_some_and(|owner| !is_its_own(owner)) {
            return Err(ALIAS_TAKEN);
        }
        self.of.insert(name.to_owned(), account);
        self.of.extend(alias.map(|alias| (alias, account)));
        Ok(())
    }
}

/// The accounts whose alias a line of the table takes away and another line wants, so that it is free for that one, in whatever
/// order they stand. An account that cannot have its new alias keeps the old one, and then nobody else gets that.
fn leaving<'a>(
    owners: &mut Owners,
    lines: &[(&Wanted, &String)],
    known: &'a HashMap<String, (User, i64)>,
) -> Vec<&'a User> {
    let given_up = |(wanted, name): &(&Wanted, &String)| {
        let (before, _) = known.get(*name)?;
        let (old, new) = (key_of(before.alias.as_deref()?), key_of(wanted.alias.as_deref()?));
        // Whether somebody can be disabled is not known yet (AC-51).
        let is_disabled = wanted.status == Some(Status::Disabled) && before.status != Status::Disabled;
        let is_wanted = owners.of.get(&old) == Some(&Some(before.id));
        (old != new && is_wanted && !is_disabled).then_some((old, before))
    };
    let mut leaving: Vec<(String, &'a User)> = lines.iter().filter_map(given_up).collect();
    // As it nearly always is.
    if leaving.is_empty() {
        return Vec::new();
    }
    loop {
        let mut free = owners.clone();
        free.of.retain(|name, _| leaving.iter().all(|(old, _)| old != name));
        let mut tried = free.clone();
        let mut refused = HashSet::new();
        for (wanted, name) in lines {
            let account = known.get(*name).map(|(before, _)| before.id);
            if tried.give(account, name, wanted.alias.as_deref()).is_err() {
                refused.extend(account);
            }
        }
        let before = leaving.len();
        leaving.retain(|(_, user)| !refused.contains(&user.id));
        if leaving.len() == before {
            *owners = free;
            return leaving.into_iter().map(|(_, user)| user).collect();
        }
    }
}

/// An account that is to be changed.
struct Change<'a> {
    before: &'a User,
    /// The version that it had.
    version: i64,
    after: User,
    fields: Vec<&'static str>,
    groups: Option<&'a [GroupId]>,
    hash: Option<&'a str>,
}

/// Makes and changes accounts, in the transaction of the caller; with some hundred at a time, everybody else waits some
/// hundredths of a second. No two of `wanted` may have the same name. Says what became of each, in the same order.
///
/// # Errors
/// If the database fails; a duplicate if somebody else made an account at the same moment, [`storage::Error::Contended`] if
/// somebody else changed one: then try again.
pub async fn import(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    wanted: &[Wanted],
    (existing, storing): (Existing, Storing),
) -> storage::Result<Vec<Outcome>> {
    let tenant = config.tenant.id;
    let keys: Vec<String> = wanted.iter().map(|it| key_of(&it.username)).collect();
    let known = roster::people(connection, tenant, &keys).await?;
    let ids: Vec<_> = known.values().map(|(user, _)| user.id).collect();
    let groups = roster::groups(connection, tenant, &ids).await?;
    let hashes = match wanted.iter().any(|it| it.hash.is_some()) {
        true => roster::password_hashes(connection, tenant, &ids).await?,
        false => HashMap::new(),
    };
    let mut outcomes = Vec::with_capacity(wanted.len());
    let mut inserts = Vec::new();
    let mut entered: HashMap<GroupId, i64> = HashMap::new();
    let mut owners = Owners::of(connection, tenant, wanted, &keys).await?;
    if existing == Existing::Update {
        let lines: Vec<_> = wanted.iter().zip(&keys).collect();
        for user in leaving(&mut owners, &lines, &known) {
            if storing == Storing::Really {
                users::leave_alias(connection, user).await?;
            }
        }
    }
    for (it, key) in wanted.iter().zip(&keys) {
        let Some((before, version)) = known.get(key) else {
            if let Err(why) = owners.give(None, key, it.alias.as_deref()) {
                outcomes.push(Outcome::Refused(why));
                continue;
            }
            created(desk, &mut inserts, config, it);
            for group in it.groups.iter().flatten().copied().collect::<HashSet<_>>() {
                *entered.entry(group).or_default() += 1;
            }
            outcomes.push(Outcome::Created);
            continue;
        };
        if existing == Existing::Keep {
            outcomes.push(Outcome::Kept);
            continue;
        }
        if let Err(why) = owners.give(Some(before.id), key, it.alias.as_deref()) {
            outcomes.push(Outcome::Refused(why));
            continue;
        }
        let change = change(it, (before, *version), groups.get(&before.id), hashes.get(&before.id));
        if change.fields.is_empty() {
            outcomes.push(Outcome::Unchanged);
            continue;
        }
        let done = match storing {
            Storing::Really => changed(desk, connection, config, &change).await?,
            Storing::Dry => would(connection, &change).await?,
        };
        outcomes.push(done.map_or_else(Outcome::Refused, |()| Outcome::Changed(change.fields)));
    }
    if storing == Storing::Really {
        for name in &owners.left {
            users::forget_left(connection, tenant, name).await?;
        }
        insert_all(connection, inserts).await?;
        storage::groups::count(connection, tenant, entered.into_iter().collect()).await?;
    }
    Ok(outcomes)
}

/// The statements that make an account.
fn created(desk: &Desk<'_>, inserts: &mut Vec<Statement>, config: &TenantConfig, wanted: &Wanted) {
    let (house, tenant, now) = (desk.house, config.tenant.id, desk.now);
    // They are made by the thousand: rows that lie side by side are written faster, so the identifiers begin with the time.
    let user = User {
        username: wanted.username.clone(),
        email: wanted.email.clone(),
        first_name: wanted.first_name.clone().unwrap_or_default(),
        last_name: wanted.last_name.clone().unwrap_or_default(),
        language: wanted.language.clone(),
        status: wanted.status.unwrap_or(Status::Enabled),
        alias: wanted.alias.clone(),
        ..User::blank(house.new_id(now), tenant)
    };
    inserts.push(users::insertion(&user, now));
    inserts.extend(users::names(&user));
    let groups: HashSet<GroupId> = wanted.groups.iter().flatten().copied().collect();
    let mut detail = Map::new();
    detail.insert("username".to_owned(), json!(user.username));
    detail.insert("by".to_owned(), json!("import"));
    if !groups.is_empty() {
        let mut names: Vec<String> = groups.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        detail.insert("groups".to_owned(), json!(names));
    }
    if let Some(alias) = &user.alias {
        detail.insert("alias".to_owned(), json!(alias));
    }
    if wanted.hash.is_some() {
        detail.insert("password".to_owned(), json!(true));
    }
    inserts.extend(groups.into_iter().map(|group| roster::membership(tenant, group, user.id)));
    inserts.extend(wanted.hash.iter().map(|hash| roster::first_password(tenant, user.id, hash, now)));
    let event = desk.event(tenant, Action::UserCreated).on("user", user.id);
    inserts.push(house.entry(&event.with(Value::Object(detail))));
}

/// What is different.
fn change<'a>(
    wanted: &'a Wanted,
    (before, version): (&'a User, i64),
    groups: Option<&HashSet<GroupId>>,
    hash: Option<&String>,
) -> Change<'a> {
    let mut after = before.clone();
    if wanted.email.is_some() {
        after.email.clone_from(&wanted.email);
    }
    if wanted.alias.is_some() {
        after.alias.clone_from(&wanted.alias);
    }
    if let Some(name) = &wanted.first_name {
        after.first_name.clone_from(name);
    }
    if let Some(name) = &wanted.last_name {
        after.last_name.clone_from(name);
    }
    if wanted.language.is_some() {
        after.language.clone_from(&wanted.language);
    }
    if let Some(status) = wanted.status {
        after.status = status;
    }
    let mut fields = before.differences(&after);
    let is_in = groups.cloned().unwrap_or_default();
    let groups = wanted.groups.as_deref().filter(|groups| groups.iter().copied().collect::<HashSet<_>>() != is_in);
    if groups.is_some() {
        fields.push("groups");
    }
    let hash = wanted.hash.as_deref().filter(|wanted| hash.is_none_or(|stored| stored != wanted));
    if hash.is_some() {
        fields.push("password");
    }
    Change { before, version, after, fields, groups, hash }
}

/// Whether what is different could be stored: the last operator is not disabled (AC-51).
async fn would(connection: &mut Connection, change: &Change<'_>) -> storage::Result<Result<(), &'static str>> {
    let (before, after) = (change.before, &change.after);
    let disabled = before.status != after.status && after.status == Status::Disabled;
    let last = disabled && people::is_last_operator(connection, after.tenant, after.id).await?;
    Ok(if last { Err(people::LAST_OPERATOR) } else { Ok(()) })
}

/// Stores what is different: sessions end, and the old address is told, as for every other change (INV-11, R-582).
async fn changed(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    change: &Change<'_>,
) -> storage::Result<Result<(), &'static str>> {
    let tenant = config.tenant.id;
    if *change.before != change.after {
        let before = (change.before, Some(change.version));
        match people::change_if(desk, connection, config, before, &change.after).await? {
            Ok(true) => {}
            // Somebody else changed the account since it was read: what they did must not be undone, so all of it is looked at anew.
            Ok(false) => return Err(storage::Error::Contended),
            Err(why) => return Ok(Err(why)),
        }
    }
    if let Some(groups) = change.groups {
        let groups: HashSet<GroupId> = groups.iter().copied().collect();
        let groups: Vec<GroupId> = groups.into_iter().collect();
        people::set_groups(desk, connection, tenant, change.before.id, &groups).await?;
    }
    if let Some(hash) = change.hash {
        people::set_password(desk, connection, tenant, change.before.id, hash).await?;
    }
    Ok(Ok(()))
}
