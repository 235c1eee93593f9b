//! The people of an apply file: accounts, passwords, memberships, imported tokens.

use std::collections::{HashMap, HashSet};

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};

use super::change::Change;
use super::current::Current;
use super::file;
use super::plan::find_all;
use crate::config::document::Document;
use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::authenticator::template::{Mode, Synchronization, TokenTemplate};
use crate::domain::ids::{GroupId, UserId};
use crate::domain::name::{Names, checked, key_of};
use crate::domain::oath::Algorithm;
use crate::domain::policy::platform::Platform;
use crate::domain::secret::{ExposeSecret as _, SecretBytes, SecretString};
use crate::domain::user::{Phone, Status, User, checked_alias, checked_email, checked_phone};
use crate::flow::administration::Desk;
use crate::i18n::Language;
use crate::keys::password;
use crate::storage::tokens::{self, State, Token};

/// Octets of an imported secret: 80 bits are what many systems have given out, RFC 4226 wants 128 for new ones.
const SECRET_LENGTHS: std::ops::RangeInclusive<usize> = 10..=64;

/// What the file changes about people.
pub(super) struct People {
    /// In order.
    pub(super) changes: Vec<Change>,
    /// Everybody afterwards, for assignments.
    pub(super) names: Names<UserId>,
}

/// Compares the people of the file with those that are there.
pub(super) async fn plan(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    path: &str,
    typed: &[file::User],
    current: &Current,
    groups: &Names<GroupId>,
) -> anyhow::Result<People> {
    let mut changes = Vec::new();
    let mut names = Names::default();
    for user in current.people.values() {
        names.add(&user.username, user.id);
    }
    let mut seen = HashSet::new();
    let mut called = Vec::new();
    for (index, entry) in typed.iter().enumerate() {
        let place = format!("{path}.user[{index}]");
        if let Err(error) = checked(&entry.username) {
            document.fault(&format!("{place}.username"), error.to_string());
            continue;
        }
        if !seen.insert(key_of(&entry.username)) {
            document.fault(&format!("{place}.username"), format!("\"{}\" is given twice", entry.username));
            continue;
        }
        let before = current.people.get(&key_of(&entry.username));
        let after = user(desk, document, &place, entry, before, current);
        names.add(&after.username, after.id);
        called.push((place.clone(), after.clone()));
        let wanted: Option<Vec<GroupId>> =
            entry.groups.as_ref().map(|listed| find_all(document, groups, &format!("{place}.groups"), "group", listed));
        let hash = new_hash(desk, document, &place, entry, before).await?;
        match before {
            None => {
                let groups = wanted.unwrap_or_default();
                changes.push(Change::CreateUser { user: Box::new(after.clone()), hash, groups });
            }
            Some(before) => {
                let what = before.differences(&after);
                if !what.is_empty() {
                    changes.push(Change::UpdateUser {
                        before: Box::new(before.clone()),
                        after: Box::new(after.clone()),
                        version: current.versions.get(&before.id).copied().unwrap_or_default(),
                        what,
                    });
                }
                if let Some(hash) = hash {
                    changes.push(Change::SetPassword { user: Box::new(after.clone()), hash });
                }
                let known = current.memberships.get(&before.id).cloned().unwrap_or_default();
                if let Some(groups) = wanted.filter(|groups| groups.iter().copied().collect::<HashSet<_>>() != known) {
                    changes.push(Change::SetGroups { user: Box::new(after.clone()), groups });
                }
            }
        }
        for (number, token) in entry.token.iter().enumerate() {
            let import = import(desk, document, &format!("{place}.token[{number}]"), token, &after).await?;
            changes.extend(import);
        }
    }
    aliases(document, current, &names, &called);
    Ok(People { changes, names })
}

/// Nobody's alias is somebody else's user name or alias; `called` are the people of the file, with their places.
fn aliases(document: &mut Document<'_>, current: &Current, names: &Names<UserId>, called: &[(String, User)]) {
    let of_file: HashSet<UserId> = called.iter().map(|(_, user)| user.id).collect();
    let mut taken: HashMap<String, UserId> = HashMap::new();
    for user in current.people.values().filter(|user| !of_file.contains(&user.id)) {
        taken.extend(user.alias.as_deref().map(|alias| (key_of(alias), user.id)));
    }
    for (place, user) in called {
        if taken.contains_key(&key_of(&user.username)) {
            document.fault(&format!("{place}.username"), "is another account's alias");
        }
        let Some(alias) = &user.alias else { continue };
        let other = taken.insert(key_of(alias), user.id).or_else(|| names.find(alias));
        if other.is_some_and(|other| other != user.id) {
            document.fault(&format!("{place}.alias"), "is another account's user name or alias");
        }
    }
}

/// The accounts that could not be used after these changes.
pub(super) fn idle<'a>(current: &Current, changes: impl IntoIterator<Item = &'a Change>) -> HashSet<UserId> {
    let disabled = |user: &&User| user.status == Status::Disabled;
    let mut idle: HashSet<UserId> = current.people.values().filter(disabled).map(|user| user.id).collect();
    for change in changes {
        match change {
            Change::CreateUser { user, .. } | Change::UpdateUser { after: user, .. } => {
                if disabled(&&**user) {
                    idle.insert(user.id);
                } else {
                    idle.remove(&user.id);
                }
            }
            Change::RemoveUser(user) => {
                idle.insert(user.id);
            }
            _ => {}
        }
    }
    idle
}

/// The people that the file does not name, for `--prune`.
pub(super) fn unnamed<'a>(typed: &[file::User], current: &'a Current) -> Vec<&'a User> {
    let named: HashSet<String> = typed.iter().map(|entry| key_of(&entry.username)).collect();
    let mut rest: Vec<&User> =
        current.people.iter().filter(|(key, _)| !named.contains(*key)).map(|(_, user)| user).collect();
    rest.sort_by(|a, b| a.username.cmp(&b.username));
    rest
}

fn user(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    entry: &file::User,
    before: Option<&User>,
    current: &Current,
) -> User {
    let new = || User::blank(desk.house.entropy.id(), current.config.tenant.id);
    let mut user = before.cloned().unwrap_or_else(new);
    entry.username.trim().clone_into(&mut user.username);
    if let Some(email) = &entry.email {
        match checked_email(email) {
            _ if email.is_empty() => user.email = None,
            Ok(email) => user.email = Some(email),
            Err(words) => document.fault(&format!("{place}.email"), words),
        }
    }
    if let Some(alias) = &entry.alias {
        match checked_alias(alias, &user.username) {
            Ok(alias) => user.alias = alias,
            Err(words) => document.fault(&format!("{place}.alias"), words),
        }
    }
    phone(document, place, entry, &mut user);
    for (key, typed, field) in
        [("first_name", &entry.first_name, &mut user.first_name), ("last_name", &entry.last_name, &mut user.last_name)]
    {
        match typed.as_deref().map(str::trim) {
            None => {}
            Some("") => field.clear(),
            Some(name) => match checked(name) {
                Ok(name) => name.clone_into(field),
                Err(error) => document.fault(&format!("{place}.{key}"), error.to_string()),
            },
        }
    }
    if let Some(tag) = &entry.language {
        match tag.parse::<Language>() {
            Ok(language) => user.language = Some(language.tag().to_owned()),
            Err(error) => document.fault(&format!("{place}.language"), error.to_string()),
        }
    }
    if let Some(enabled) = entry.enabled {
        user.status = if enabled { Status::Enabled } else { Status::Disabled };
    }
    user
}

/// The telephone number. Another number is not verified any more unless the file says so of it.
fn phone(document: &mut Document<'_>, place: &str, entry: &file::User, user: &mut User) {
    match entry.phone.as_deref().map(str::trim) {
        None => {}
        Some("") => user.phone = None,
        Some(typed) => match checked_phone(typed) {
            Ok(number) if user.phone.as_ref().is_some_and(|phone| phone.number == number) => {}
            Ok(number) => user.phone = Some(Phone { number, verified: false }),
            Err(words) => document.fault(&format!("{place}.phone"), words),
        },
    }
    match (&mut user.phone, entry.phone_verified) {
        (Some(phone), Some(verified)) => phone.verified = verified,
        (None, Some(true)) if entry.phone.as_deref().is_none_or(|typed| typed.trim().is_empty()) => {
            document.fault(&format!("{place}.phone_verified"), "needs a phone");
        }
        _ => {}
    }
}

/// The hash to store, if the file's password is not the one that is stored already.
async fn new_hash(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    entry: &file::User,
    before: Option<&User>,
) -> anyhow::Result<Option<String>> {
    let house = desk.house;
    let stored = match before {
        Some(user) if entry.password.is_some() || entry.password_hash.is_some() => {
            let question =
                async |connection: &mut _| crate::storage::users::password_hash(connection, user.tenant, user.id).await;
            house.db.read(question).await?
        }
        _ => None,
    };
    match (&entry.password, &entry.password_hash) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            document.fault(&format!("{place}.password_hash"), "must not be given together with password");
            Ok(None)
        }
        (None, Some(hash)) if !password::is_hash(hash) => {
            document.fault(
                &format!("{place}.password_hash"),
                "must be an Argon2id hash such as $argon2id$v=19$m=19456,t=2,p=1$…",
            );
            Ok(None)
        }
        (None, Some(hash)) => Ok(Some(hash.clone()).filter(|hash| stored.as_ref() != Some(hash))),
        (Some(typed), None) => {
            if typed.expose_secret().is_empty() || typed.expose_secret().len() > password::LONGEST {
                document.fault(&format!("{place}.password"), format!("must have 1 to {} octets", password::LONGEST));
                return Ok(None);
            }
            if let Some(stored) = &stored {
                let verdict = house.passwords.verify(typed, Some(stored)).await?;
                if verdict.right && !verdict.outdated {
                    return Ok(None);
                }
            }
            Ok(Some(house.passwords.hash(typed, &house.entropy).await?))
        }
    }
}

/// The import of a token that is not there yet. Its serial number comes from its secret, so that the same token is
/// recognised even after it was revoked and its secret erased.
async fn import(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    entry: &file::Token,
    user: &User,
) -> anyhow::Result<Option<Change>> {
    let house = desk.house;
    let Some((kind, template, secret)) = token(document, place, entry) else { return Ok(None) };
    let digest =
        house.derived.codes.of(&[b"imported token", &user.tenant.to_bytes(), &user.id.to_bytes(), secret.expose()]);
    let serial = format!("VI{}", BASE32_NOPAD.encode(&digest).chars().take(10).collect::<String>());
    let known = async |connection: &mut _| tokens::with_serial(connection, user.tenant, &serial).await;
    if house.db.read(known).await?.is_some() {
        return Ok(None);
    }
    let blank = Token::blank(house.entropy.id(), user.tenant, kind, serial, template);
    let token = Token {
        user: Some(user.id),
        name: entry.name.clone().unwrap_or_else(|| blank.serial.clone()),
        state: State::Active,
        state_reason: "imported".to_owned(),
        last_position: entry.counter.map_or(-1, |next| next - 1),
        platform: (kind == Kind::OathApp).then_some(Platform::OathApp),
        enrolled_at: desk.now,
        ..blank
    };
    Ok(Some(Change::ImportToken { username: user.username.clone(), token: Box::new(token), secret }))
}

fn token(document: &mut Document<'_>, place: &str, entry: &file::Token) -> Option<(Kind, TokenTemplate, SecretBytes)> {
    let mut good = true;
    let mut fault = |key: &str, words: String| {
        document.fault(&format!("{place}.{key}"), words);
        good = false;
    };
    let kind = match entry.r#type.as_deref() {
        Some("oath") => Kind::Oath,
        Some("oath_app") => Kind::OathApp,
        _ => {
            let words = "must be \"oath_app\" or \"oath\"; tokens of the activation protocol belong to a device and cannot be \
                         moved";
            fault("type", words.to_owned());
            Kind::OathApp
        }
    };
    let algorithm = match entry.algorithm.as_deref() {
        None => Algorithm::Sha1,
        Some(name) => {
            let all = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
            all.into_iter().find(|algorithm| algorithm.name() == name).unwrap_or_else(|| {
                fault("algorithm", "must be \"SHA1\", \"SHA256\" or \"SHA512\"".to_owned());
                Algorithm::Sha1
            })
        }
    };
    if entry.counter.is_some() && entry.period_seconds.is_some() {
        fault("counter", "must not be given together with period_seconds".to_owned());
    }
    if entry.mode == Some(Mode::ChallengeResponse) && entry.alphabet.is_some_and(|alphabet| !alphabet.is_decimal()) {
        fault("alphabet", "must be \"decimal\" where challenges are answered".to_owned());
    }
    if entry.counter.is_some_and(|counter| counter < 0) {
        fault("counter", "must not be negative".to_owned());
    }
    if entry.name.as_deref().is_some_and(|name| checked(name).is_err()) {
        fault("name", "must have 1 to 200 characters and no control characters".to_owned());
    }
    let secret = entry.secret_base32.as_ref().and_then(octets);
    if secret.is_none() {
        let (least, most) = (SECRET_LENGTHS.start(), SECRET_LENGTHS.end());
        fault("secret_base32", format!("must be base32 of {least} to {most} octets"));
    }
    let template = TokenTemplate {
        length: entry.digits.unwrap_or(6),
        algorithm,
        synchronization: if entry.counter.is_some() { Synchronization::Event } else { Synchronization::Time },
        time_step_seconds: entry.period_seconds.unwrap_or(30),
        alphabet: entry.alphabet.unwrap_or_default(),
        mode: entry.mode.unwrap_or(Mode::QuickLog),
        // It does not come from a template of the virtual server.
        version: 0,
        ..TokenTemplate::oath_app()
    };
    for (key, words) in template.faults() {
        let key = match key {
            "length" => "digits",
            "time_step_seconds" => "period_seconds",
            other => other,
        };
        fault(key, words.to_owned());
    }
    secret.filter(|_| good).map(|secret| (kind, template, secret))
}

fn octets(text: &SecretString) -> Option<SecretBytes> {
    let bare: String = text.expose_secret().chars().filter(|c| !c.is_whitespace() && !"-=".contains(*c)).collect();
    let octets = BASE32_NOPAD_NOCASE.decode(bare.as_bytes()).ok()?;
    SECRET_LENGTHS.contains(&octets.len()).then(|| SecretBytes::new(octets))
}
