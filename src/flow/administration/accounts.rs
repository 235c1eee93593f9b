//! Accounts as an operator types them: made and changed field by field, with a word to each field that is wrong.

use serde_json::{Value, json};

use super::{Desk, people};
use crate::domain::audit::Action;
use crate::domain::ids::{GroupId, UserId};
use crate::domain::name::{checked, key_of};
use crate::domain::operator::Permissions;
use crate::domain::policy::platform::Platform;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Phone, Status, User, checked_alias, checked_email, checked_phone};
use crate::flow::audit_trail::{self, ExportError};
use crate::flow::{self, Error};
use crate::keys::password;
use crate::storage::{self, Connection, people as directory, recovery_codes, reservations, sessions, tokens, users};

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The user name.
    pub username: String,
    /// The mail address.
    pub email: String,
    /// The given name.
    pub first_name: String,
    /// The family name.
    pub last_name: String,
    /// The language, as a tag that we have; empty for the virtual server's.
    pub language: String,
    /// The telephone number; empty for none.
    pub phone: String,
    /// The second name for the login; empty for none.
    pub alias: String,
}

/// A field that is wrong: its name, and the end of a sentence that begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field's name in forms and documents.
    pub field: &'static str,
    /// What is wrong with it.
    pub words: String,
}

impl Fault {
    fn new(field: &'static str, words: impl ToString) -> Self {
        Self { field, words: words.to_string() }
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored.
    Done,
    /// These fields are wrong; nothing is stored.
    Wrong(Vec<Fault>),
    /// Somebody else changed the account meanwhile.
    Overtaken,
}

impl Typed {
    /// The fields of an account, as a form shows them.
    #[must_use]
    pub fn of(user: &User) -> Self {
        Self {
            username: user.username.clone(),
            email: user.email.clone().unwrap_or_default(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            language: user.language.clone().unwrap_or_default(),
            phone: user.phone.as_ref().map(|phone| phone.number.clone()).unwrap_or_default(),
            alias: user.alias.clone().unwrap_or_default(),
        }
    }

    /// The account with what was typed, or every fault. An account that has no address, or no name, may stay so.
    fn checked(&self, before: &User, new: bool) -> Result<User, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut name = |field: &'static str, typed: &str, was: &str, optional: bool| {
            if typed.trim().is_empty() && optional && (was.is_empty() && !new) {
                return String::new();
            }
            checked(typed).map(str::to_owned).unwrap_or_else(|error| {
                faults.push(Fault::new(field, error));
                String::new()
            })
        };
        let username = name("username", &self.username, &before.username, false);
        let first_name = name("first_name", &self.first_name, &before.first_name, true);
        let last_name = name("last_name", &self.last_name, &before.last_name, true);
        let email = match self.email.trim() {
            "" if before.email.is_none() && !new => None,
            "" => {
                faults.push(Fault::new("email", "is empty: codes and enrollment mails are sent there"));
                None
            }
            typed => checked_email(typed).map_err(|words| faults.push(Fault::new("email", words))).ok(),
        };
        let phone = match self.phone.trim() {
            "" => None,
            typed => match checked_phone(typed) {
                // Proven is only the number that was.
                Ok(number) => before
                    .phone
                    .clone()
                    .filter(|phone| phone.number == number)
                    .or(Some(Phone { number, verified: false })),
                Err(words) => {
                    faults.push(Fault::new("phone", words));
                    None
                }
            },
        };
        let alias = checked_alias(&self.alias, &self.username).unwrap_or_else(|words| {
            faults.push(Fault::new("alias", words));
            None
        });
        let language = Some(self.language.trim().to_owned()).filter(|tag| !tag.is_empty());
        if faults.is_empty() {
            Ok(User { username, email, first_name, last_name, language, phone, alias, ..before.clone() })
        } else {
            Err(faults)
        }
    }
}

/// Makes an account. The password, where one is given, is the first one, and the person's own affair from then on.
///
/// # Errors
/// If the database fails, or [`Error::Busy`] with too many passwords at this moment.
pub async fn create(
    desk: &Desk<'_>,
    config: &TenantConfig,
    typed: &Typed,
    groups: &[GroupId],
    password: Option<&SecretString>,
) -> flow::Result<Result<UserId, Vec<Fault>>> {
    let blank = User::blank(desk.house.new_id(desk.now), config.tenant.id);
    let mut faults = Vec::new();
    let user = typed.checked(&blank, true).map_err(|found| faults.extend(found)).ok();
    faults.extend(password.and_then(password_fault));
    let Some(user) = user.filter(|_| faults.is_empty()) else { return Ok(Err(faults)) };
    let hash = match password {
        Some(password) => Some(desk.house.passwords.hash(password, &desk.house.entropy).await?),
        None => None,
    };
    let work = async |connection: &mut Connection| {
        people::create(desk, connection, &user).await?;
        if !groups.is_empty() {
            people::set_groups(desk, connection, user.tenant, user.id, groups).await?;
        }
        if let Some(hash) = &hash {
            people::set_password(desk, connection, user.tenant, user.id, hash).await?;
        }
        Ok(())
    };
    match desk.house.db.write(work).await {
        Ok(()) => Ok(Ok(user.id)),
        Err(error) if error.is_duplicate() => Ok(Err(vec![taken(desk, &user).await?])),
        Err(error) => Err(error.into()),
    }
}

/// Which of the names of an account is another one's.
async fn taken(desk: &Desk<'_>, user: &User) -> storage::Result<Fault> {
    let is_taken = async |connection: &mut Connection| match &user.alias {
        Some(alias) => users::is_taken(connection, user.tenant, alias, user.id).await,
        None => Ok(false),
    };
    Ok(if desk.house.db.look(is_taken).await? {
        Fault::new("alias", "is taken: there is an account with this user ID or alias")
    } else {
        Fault::new("username", "is taken: there is an account with this user ID or alias")
    })
}

fn password_fault(password: &SecretString) -> Option<Fault> {
    let length = password.expose_secret().len();
    let good = (1..=password::LONGEST).contains(&length);
    (!good).then(|| Fault::new("password", format!("must have 1 to {} octets", password::LONGEST)))
}

/// Changes the fields of an account, provided that it has still this version.
///
/// # Errors
/// If the database fails; [`Error::Forbidden`] if there is no such account.
pub async fn edit(
    desk: &Desk<'_>,
    config: &TenantConfig,
    user: UserId,
    version: i64,
    typed: &Typed,
) -> flow::Result<Outcome> {
    let tenant = config.tenant.id;
    let before = desk.house.db.look(async |connection| users::with_id(connection, tenant, user).await).await?;
    let before = before.ok_or(Error::Forbidden)?;
    let after = match typed.checked(&before, false) {
        Ok(after) => after,
        Err(faults) => return Ok(Outcome::Wrong(faults)),
    };
    let work = async |connection: &mut Connection| {
        people::change_if(desk, connection, config, (&before, Some(version)), &after).await
    };
    match desk.house.db.write(work).await {
        Ok(Ok(true)) => Ok(Outcome::Done),
        Ok(Ok(false)) => Ok(Outcome::Overtaken),
        // No form of these fields disables anybody.
        Ok(Err(why)) => Ok(Outcome::Wrong(vec![Fault::new("username", why)])),
        Err(error) if error.is_duplicate() => Ok(Outcome::Wrong(vec![taken(desk, &after).await?])),
        Err(error) => Err(error.into()),
    }
}

/// Gives an account a new password; every open login and session ends.
///
/// # Errors
/// If the database fails, or [`Error::Busy`].
pub async fn set_password(desk: &Desk<'_>, user: &User, password: &SecretString) -> flow::Result<Result<(), Fault>> {
    if let Some(fault) = password_fault(password) {
        return Ok(Err(fault));
    }
    let hash = desk.house.passwords.hash(password, &desk.house.entropy).await?;
    let work =
        async |connection: &mut Connection| people::set_password(desk, connection, user.tenant, user.id, &hash).await;
    desk.house.db.write(work).await?;
    Ok(Ok(()))
}

/// Everything that is kept of a person, as a document for the person: no secret of an authenticator, which the person
/// has, and no hash of the password.
///
/// # Errors
/// If the database fails.
pub async fn personal_data(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    user: UserId,
) -> storage::Result<Option<Value>> {
    let tenant = config.tenant.id;
    let Some(seen) = directory::one(tenant, user).ask(connection).await? else { return Ok(None) };
    let groups = users::groups_of(connection, tenant, user).await?;
    let owned = tokens::ever_of(tenant, user).ask(connection).await?;
    let sessions = sessions::described_of(tenant, user).ask(connection).await?;
    let places = reservations::of_user(connection, tenant, user).await?;
    let browsers = users::browsers_of(tenant, user).ask(connection).await?.len();
    let recovery = recovery_codes::left(tenant, user).ask(connection).await?;
    let has_password = users::password_hash(connection, tenant, user).await?.is_some();
    let time = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    let account = &seen.user;
    let document = json!({
        "account": {
            "id": account.id, "username": account.username, "email": account.email, "first_name": account.first_name,
            "last_name": account.last_name, "language": account.language, "alias": account.alias,
            "phone": account.phone.as_ref().map(|phone| &phone.number), "enabled": account.status == Status::Enabled,
            "created_at": seen.created_at.rfc3339(), "last_login_at": time(seen.last_login_at),
            "first_enrolled_at": time(account.first_enrolled_at), "has_password": has_password,
        },
        "groups": config.group_names(&groups).collect::<Vec<_>>(),
        "authenticators": owned.iter().map(|token| json!({
            "serial": token.serial, "name": token.name, "type": token.kind.id(), "state": token.state.id(),
            "platform": token.platform.map(Platform::id), "device": token.device, "enrolled_at": token.enrolled_at.rfc3339(),
            "enrolled_from": token.enrolled_address, "last_used_at": time(token.last_used_at),
        })).collect::<Vec<_>>(),
        "sessions": sessions.iter().map(|one| json!({
            "started_at": one.session.started_at.rfc3339(), "last_seen_at": one.session.last_seen_at.rfc3339(),
            "address": one.address, "browser": one.user_agent,
        })).collect::<Vec<_>>(),
        "enrollment_mails": places.iter().map(|place| json!({
            "task": place.task, "status": place.status.id(), "emailed_to": place.emailed_to,
            "sent_at": place.sent_at.rfc3339(), "stop_at": place.stop_at.rfc3339(),
        })).collect::<Vec<_>>(),
        "known_browsers": browsers,
        "recovery_codes_left": recovery,
    });
    let detail = json!({ "username": account.username });
    desk.record(connection, tenant, Action::UserExported, ("user", user.to_string()), detail).await?;
    Ok(Some(document))
}

/// Whether an account is an operator's who may do more than `held`: whoever could change its password or address, or enroll for
/// it, could take its place (T-57).
#[must_use]
pub fn is_beyond(config: &TenantConfig, held: &Permissions, user: UserId) -> bool {
    config.permissions_of(user).is_some_and(|(_, its)| !its.within(held))
}

/// Operators with more permissions than somebody has: nothing is done to their accounts and authenticators (T-57).
#[derive(Debug, Default)]
pub struct Beyond(Vec<(UserId, String)>);

impl Beyond {
    /// Those with more than `held`.
    #[must_use]
    pub fn of(config: &TenantConfig, held: &Permissions) -> Self {
        let beyond = config.operators.iter().filter(|operator| is_beyond(config, held, operator.user));
        Self(beyond.map(|operator| (operator.user, key_of(&operator.username))).collect())
    }

    /// Whether this account is one of theirs.
    #[must_use]
    pub fn has(&self, user: UserId) -> bool {
        self.0.iter().any(|(id, _)| *id == user)
    }

    /// Whether a file that names somebody so names one of them.
    #[must_use]
    pub fn has_named(&self, username: &str) -> bool {
        let key = key_of(username);
        self.0.iter().any(|(_, name)| *name == key)
    }
}

/// Erases a person: what the audit trail calls the person, then the account with everything that could log in for it, and
/// whatever is kept of the person beside it. What stays is what the organization must be able to prove: that an authenticator
/// with this serial number was revoked. If it ends half-way it can be done again.
///
/// # Errors
/// If the database fails. Inside: why this account cannot go.
pub async fn erase(desk: &Desk<'_>, user: &User) -> flow::Result<Result<(), String>> {
    let last = async |connection: &mut Connection| people::is_last_operator(connection, user.tenant, user.id).await;
    if desk.house.db.look(last).await? {
        return Ok(Err(people::LAST_OPERATOR.to_owned()));
    }
    let phone = user.phone.as_ref().map(|phone| phone.number.clone());
    let mut names = vec![user.username.clone(), user.first_name.clone(), user.last_name.clone()];
    names.extend(user.email.clone().into_iter().chain(user.alias.clone()).chain(phone));
    match audit_trail::pseudonymize(desk, user.tenant, user.id, &names).await {
        Ok(_) => {}
        Err(ExportError::House(error)) => return Err(error),
        Err(error) => return Ok(Err(format!("still stands in the audit trail: {error}"))),
    }
    let work = async |connection: &mut Connection| {
        if let Err(why) = people::remove(desk, connection, user.tenant, user.id).await? {
            return Ok(Err(why.to_owned()));
        }
        for statement in users::traces_erased(user.tenant, user.id) {
            statement.run(connection).await?;
        }
        let object = ("user", user.id.to_string());
        desk.record(connection, user.tenant, Action::UserErased, object, json!({})).await?;
        Ok(Ok(()))
    };
    let done = desk.house.db.write(work).await?;
    desk.house.forget_realms();
    Ok(done)
}

/// Disables or enables an account, provided that it has still the version, where one is given. Says whether it was
/// so.
///
/// # Errors
/// If the database fails. Inside: why this account cannot be disabled.
pub async fn set_status(
    desk: &Desk<'_>,
    connection: &mut Connection,
    (user, version): (&User, Option<i64>),
    status: Status,
) -> storage::Result<Result<bool, &'static str>> {
    people::set_status_if(desk, connection, (user, version), status).await
}
