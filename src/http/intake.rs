//! Files that people hand in: read line by line, and checked with what the floors below cannot know.

use std::collections::HashMap;

use crate::domain::name::key_of;
use crate::domain::operator::Permissions;
use crate::domain::tenant::TenantConfig;
use crate::domain::user::Status;
use crate::exchange::people::{Described, read};
use crate::exchange::{Read, Rejected, Spot, Unreadable};
use crate::flow::administration::accounts::is_beyond;
use crate::flow::administration::jobs::NewRow;
use crate::flow::administration::roster::Line;
use crate::i18n::Language;
use crate::keys::password;

/// The people of a table, each with where it stands, or the reason why a line is none.
///
/// # Errors
/// If it is no table of people at all.
pub fn people(octets: &[u8]) -> Result<Vec<Read<(Spot, Line)>>, Unreadable> {
    Ok(read(octets)?.into_iter().map(|row| row.and_then(line)).collect())
}

/// Takes a name once: the second line with it is rejected.
///
/// # Errors
/// The rejection.
pub fn once(seen: &mut HashMap<String, Spot>, spot: Spot, username: &str) -> Result<(), Rejected> {
    match seen.get(&key_of(username)) {
        Some(first) => Err(Rejected::new(spot, username, format!("stands in {first} already"))),
        None => {
            seen.insert(key_of(username), spot);
            Ok(())
        }
    }
}

fn line(person: Described) -> Read<(Spot, Line)> {
    let refused = |reason: String| Rejected::new(person.spot, &person.username, reason);
    let language = match person.language.as_deref().map(str::parse::<Language>) {
        None => None,
        Some(Ok(language)) => Some(language.tag().to_owned()),
        Some(Err(error)) => return Err(refused(format!("the language {error}"))),
    };
    if person.password_hash.as_deref().is_some_and(|hash| !password::is_hash(hash)) {
        return Err(refused(
            "the password's hash is none of Argon2id, such as $argon2id$v=19$m=19456,t=2,p=1$…".into(),
        ));
    }
    let enabled = person.status.map(|status| status == Status::Enabled);
    let line = Line {
        username: person.username,
        email: person.email,
        first_name: person.first_name,
        last_name: person.last_name,
        language,
        enabled,
        groups: person.groups,
        password_hash: person.password_hash,
    };
    Ok((person.spot, line))
}

/// The lines of a table of people as rows of a job. Whoever is an operator with more permissions than `held` is rejected: who
/// could change such an account could take its place (T-57).
///
/// # Errors
/// If it is no table of people at all.
pub fn rows(octets: &[u8], config: &TenantConfig, held: &Permissions) -> Result<Vec<NewRow>, Unreadable> {
    let beyond: Vec<String> = config
        .operators
        .iter()
        .filter(|operator| is_beyond(config, held, operator.user))
        .map(|operator| key_of(&operator.username))
        .collect();
    let row = |read: Read<(Spot, Line)>| match read {
        Ok((_, line)) if beyond.contains(&key_of(&line.username)) => {
            NewRow { name: line.username, input: Err("is an operator with more permissions than yours".to_owned()) }
        }
        Ok((_, line)) => NewRow::line(&line),
        Err(rejected) => {
            NewRow { name: rejected.name.clone(), input: Err(format!("{}: {}", rejected.spot, rejected.reason)) }
        }
    };
    let mut seen = HashMap::new();
    let mut once = |(spot, line): (Spot, Line)| self::once(&mut seen, spot, &line.username).map(|()| (spot, line));
    Ok(people(octets)?.into_iter().map(|read| row(read.and_then(&mut once))).collect())
}
