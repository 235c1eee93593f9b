//! Files that people hand in: read line by line, and checked with what the floors below cannot know.

use std::collections::HashMap;

use serde_json::json;

use crate::domain::authenticator::template::{Mode, Synchronization, TokenTemplate};
use crate::domain::name::key_of;
use crate::domain::oath::Algorithm;
use crate::domain::oath::ocra::Suite;
use crate::domain::operator::Permissions;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Status;
use crate::exchange::people::{Described, read};
use crate::exchange::pskc::{self, Protection};
use crate::exchange::token::{self, Method};
use crate::exchange::{Read, Rejected, Spot, Unreadable, oath_csv};
use crate::flow::House;
use crate::flow::administration::accounts::Beyond;
use crate::flow::administration::jobs::NewRow;
use crate::flow::administration::roster::Line;
use crate::flow::administration::stock::Wanted;
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
        alias: person.alias,
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
    let beyond = Beyond::of(config, held);
    let row = |read: Read<(Spot, Line)>| match read {
        Ok((_, line)) if beyond.has_named(&line.username) => {
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

/// A token as it is stored, if it is one that logins can ask for and no other of `seen` has its serial number. The person that the
/// file names for it counts only if tokens are given to people.
///
/// # Errors
/// The rejection.
pub fn token(
    token: token::Described,
    assigning: bool,
    seen: &mut HashMap<String, Spot>,
) -> Result<(Spot, Wanted), Rejected> {
    let spot = token.spot;
    let refused = |reason: String| Rejected::new(spot, &token.serial, reason);
    if let Some(first) = seen.get(&token.serial) {
        return Err(refused(format!("has the serial number of {first}")));
    }
    let template = template(&token).map_err(refused)?;
    seen.insert(token.serial.clone(), spot);
    let (last_position, drift_steps) = match token.method {
        Method::Event { counter } | Method::Challenge { counter, .. } => (counter - 1, 0),
        Method::Time { drift_steps, .. } => (-1, drift_steps),
    };
    let wanted = Wanted {
        serial: token.serial,
        template,
        secret: token.secret,
        last_position,
        drift_steps,
        device: json!({ "manufacturer": token.manufacturer, "model": token.model }),
        user: token.user.filter(|_| assigning),
    };
    Ok((spot, wanted))
}

/// The template that a token is stored with; its version is none of the virtual server's.
fn template(token: &token::Described) -> Result<TokenTemplate, String> {
    let answers = matches!(token.method, Method::Challenge { .. });
    if answers && !token.alphabet.is_decimal() {
        return Err(
            "answers challenges, and in other characters than decimal digits, which RFC 6287 does not know".to_owned()
        );
    }
    let mut template = TokenTemplate {
        version: 0,
        length: token.length,
        algorithm: token.algorithm,
        alphabet: token.alphabet,
        ..TokenTemplate::oath_app()
    };
    match &token.method {
        Method::Event { .. } => template.synchronization = Synchronization::Event,
        Method::Time { step_seconds, .. } => template.time_step_seconds = *step_seconds,
        Method::Challenge { suite, .. } => {
            let known = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512].into_iter().flat_map(|algorithm| {
                [6, 8].map(|length| (algorithm, length, Suite::of_token(algorithm, length).to_string()))
            });
            let (algorithm, length, _) = known.into_iter().find(|(_, _, name)| name == suite).ok_or_else(|| {
                let ours = Suite::of_token(Algorithm::Sha1, 6);
                format!("has another suite than those like \"{ours}\", with which logins ask")
            })?;
            (template.mode, template.algorithm, template.length) = (Mode::ChallengeResponse, algorithm, length);
        }
    }
    if let Some((key, words)) = template.faults().into_iter().next() {
        let key = match key {
            "length" => "length of passcodes",
            "time_step_seconds" => "time step in seconds",
            other => other,
        };
        return Err(format!("has a {key} that {words}"));
    }
    Ok(template)
}

/// The tokens of a file, which is a key container (PSKC) or a table, and what is to be said of the whole.
///
/// # Errors
/// If it is neither, or is not opened by `protection`.
#[expect(clippy::type_complexity, reason = "records, and notes")]
pub fn tokens(
    octets: &[u8],
    protection: Option<&Protection>,
    assigning: bool,
    now: Timestamp,
) -> Result<(Vec<Read<(Spot, Wanted)>>, Vec<String>), Unreadable> {
    let start = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    let (records, notes) = match start.iter().find(|octet| !octet.is_ascii_whitespace()) {
        Some(b'<') => {
            let container = pskc::read(start, protection, now)?;
            (container.tokens, container.notes)
        }
        _ if protection.is_some() => {
            return Err(Unreadable("a table is not encrypted; leave out the key and the password".to_owned()));
        }
        _ => (oath_csv::read(octets, None)?, Vec::new()),
    };
    let mut seen = HashMap::new();
    let records = records.into_iter().map(|record| record.and_then(|it| token(it, assigning, &mut seen)));
    Ok((records.collect(), notes))
}

/// The tokens of a file as rows of a job. One for an operator with more permissions than `held` is rejected: whoever knows its
/// secret could log in with it (T-57).
pub fn token_rows(
    house: &House,
    config: &TenantConfig,
    held: &Permissions,
    records: Vec<Read<(Spot, Wanted)>>,
) -> Vec<NewRow> {
    let beyond = Beyond::of(config, held);
    let row = |record: Read<(Spot, Wanted)>| match record {
        Ok((_, wanted)) if wanted.user.as_deref().is_some_and(|owner| beyond.has_named(owner)) => {
            NewRow { name: wanted.serial, input: Err("is for an operator with more permissions than yours".to_owned()) }
        }
        Ok((_, wanted)) => NewRow::wanted(house, config.tenant.id, &wanted),
        Err(rejected) => {
            NewRow { name: rejected.name.clone(), input: Err(format!("{}: {}", rejected.spot, rejected.reason)) }
        }
    };
    records.into_iter().map(row).collect()
}
