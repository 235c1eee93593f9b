//! Some thousand people with names that look like names, groups of every size, authenticators in every state, and log entries.

use std::collections::HashMap;
use std::time::Duration;

use vestibule::domain::audit::{Action, Actor, Event};
use vestibule::domain::authenticator::lifecycle::{Kind, State};
use vestibule::domain::authenticator::template::TokenTemplate;
use vestibule::domain::group::Group;
use vestibule::domain::ids::{ApplicationId, CorrelationId, EventId, GroupId, TenantId, TokenId, UserId};
use vestibule::domain::lockout::Lock;
use vestibule::domain::policy::platform::Platform;
use vestibule::domain::timestamp::Timestamp;
use vestibule::domain::user::{Status, User};
use vestibule::storage::access_log::{self, Entry};
use vestibule::storage::statement::insert_all;
use vestibule::storage::tokens::{self, Token};
use vestibule::storage::{Db, Result, account_locks, audit, groups, people, roster, tenants, users};

/// So many are stored in one transaction.
const STEP: usize = 5000;
const FIRST: [&str; 20] = [
    "Ada", "Alan", "Barbara", "Bjarne", "Claude", "Dennis", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Ivan",
    "Jean", "John", "Ken", "Lynn", "Margaret", "Niklaus", "Radia", "Tim",
];
const LAST: [&str; 25] = [
    "Allen",
    "Backus",
    "Bartik",
    "Dijkstra",
    "Engelbart",
    "Floyd",
    "Goldberg",
    "Hamilton",
    "Hopper",
    "Johnson",
    "Kernighan",
    "Knuth",
    "Lamarr",
    "Liskov",
    "Lovelace",
    "McCarthy",
    "Perlman",
    "Ritchie",
    "Shannon",
    "Stroustrup",
    "Sutherland",
    "Thompson",
    "Turing",
    "Wilkes",
    "Wirth",
];

/// The identifier of the person with this number.
#[must_use]
pub fn person_id(at: usize) -> UserId {
    // One after the other, as an import makes them.
    UserId::from_bits(0x0190_0000_0000_0000_0000_0000_0000_0000 + ((at as u128) << 40))
}

/// The group with this number: everybody is in the first, a tenth in the second, a hundredth in the third, ten in the last.
#[must_use]
pub fn group_id(number: usize) -> GroupId {
    GroupId::from_bits(0x6000_0000_0000_0000_0000_0000_0000_0000 + number as u128)
}

fn groups_of(at: usize) -> impl Iterator<Item = GroupId> {
    let is_in = [true, at.is_multiple_of(10), at.is_multiple_of(100), at < 10];
    is_in.into_iter().enumerate().filter(|(_, is_in)| *is_in).map(|(number, _)| group_id(number))
}

fn person(tenant: TenantId, at: usize) -> User {
    let (first, last) = (FIRST[at % FIRST.len()], LAST[(at / FIRST.len()) % LAST.len()]);
    let username = format!("{}.{}{at}", first.to_lowercase(), last.to_lowercase());
    User {
        email: (at % 50 != 49).then(|| format!("{username}@acme.test")),
        username,
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        status: if at % 200 == 7 { Status::Disabled } else { Status::Enabled },
        ..User::blank(person_id(at), tenant)
    }
}

fn token(tenant: TenantId, at: usize, now: Timestamp) -> Token {
    let kind = Kind::ALL[at % 3];
    let id = TokenId::from_bits(0x0191_0000_0000_0000_0000_0000_0000_0000 + ((at as u128) << 40));
    let mut token = Token::blank(id, tenant, kind, format!("CR{at:08}"), TokenTemplate::oath_app());
    token.state = match at % 1000 {
        11 => State::Locked,
        12..=20 => State::Suspended,
        21..=40 => State::Revoked,
        _ => State::Active,
    };
    token.user = Some(person_id(at));
    token.platform = (kind == Kind::App).then_some(Platform::ALL[at % Platform::ALL.len()]);
    token.secret_sealed = (token.state != State::Revoked).then(|| vec![7; 60]);
    token.enrolled_at = now;
    token
}

/// Fills the virtual server. Tells how many people are stored.
///
/// # Errors
/// If the database fails, or the crowd is there already.
pub async fn fill(
    db: &Db,
    tenant: TenantId,
    (count, entries): (usize, usize),
    now: Timestamp,
    told: impl Fn(usize),
) -> Result<()> {
    let named = ["everybody", "a tenth", "a hundredth", "ten"];
    let made = async |connection: &mut _| {
        for (number, name) in named.iter().enumerate() {
            let group = Group { id: group_id(number), name: format!("crowd: {name}") };
            tenants::insert_group(connection, tenant, &group, now).await?;
        }
        tenants::raise_version(connection, tenant, now).await
    };
    db.write(made).await?;
    for begin in (0..count).step_by(STEP) {
        let end = (begin + STEP).min(count);
        let step = async |connection: &mut _| {
            let (mut rows, mut entered) = (Vec::new(), HashMap::new());
            for at in begin..end {
                rows.push(users::insertion(&person(tenant, at), now));
                for group in groups_of(at) {
                    rows.push(roster::membership(tenant, group, person_id(at)));
                    *entered.entry(group).or_insert(0) += 1;
                }
                // Every tenth has none.
                if at % 10 != 3 {
                    rows.push(tokens::insertion(&token(tenant, at, now)));
                }
            }
            insert_all(connection, rows).await?;
            groups::count(connection, tenant, entered.into_iter().collect()).await?;
            for at in (begin..end).filter(|at| at % 5000 == 1) {
                let until = Lock::Until(now.plus(Duration::from_secs(900)));
                account_locks::note(connection, tenant, &person(tenant, at).username, until).await?;
            }
            Ok(())
        };
        db.write(step).await?;
        told(end);
    }
    db.write(async |connection| people::all_counted(connection.engine(), tenant).run(connection).await).await?;
    for begin in (0..entries).step_by(STEP) {
        let step = async |connection: &mut _| {
            let mut rows = Vec::new();
            for at in begin..(begin + STEP).min(entries) {
                // The last half year, the newest last.
                let before = Duration::from_secs(((entries - at) as u64 * 180 * 86_400) / entries.max(1) as u64);
                let (when, bits) = (now.minus(before), at as u128);
                let user = person_id(at % count.max(1));
                let entry = Entry {
                    tenant,
                    at: when,
                    correlation: CorrelationId::made(when, [1; 10]),
                    user: Some(user),
                    application: ApplicationId::from_bits(9),
                    result: if at % 20 == 0 { "failure" } else { "success" },
                    reason: if at % 20 == 0 { "wrong_password" } else { "" }.to_owned(),
                    policy: "Global policy".to_owned(),
                    scenario: None,
                    methods: "password otp".to_owned(),
                    address: "192.0.2.7".to_owned(),
                };
                rows.push(access_log::entry(EventId::from_bits(bits), &entry));
                let event = Event::new(when, tenant, Actor::User(user), Action::PasscodeAccepted).on("user", user);
                rows.push(audit::entry(EventId::from_bits(bits | (1 << 100)), &event));
            }
            insert_all(connection, rows).await
        };
        db.write(step).await?;
    }
    Ok(())
}
