//! A crowd: people with names that look like names, groups of every size, authenticators in every state, logins, enrollments
//! and what operators did, of a year.

use std::collections::HashMap;
use std::time::Duration;

use vestibule::domain::audit::{Action, Actor, Event};
use vestibule::domain::authenticator::lifecycle::{EnrolledBy, Kind, LockReason, State};
use vestibule::domain::authenticator::template::TokenTemplate;
use vestibule::domain::enrollment::{self, Enrollment};
use vestibule::domain::ids::{CorrelationId, GroupId, Id, TenantId, TokenId, UserId};
use vestibule::domain::job::{Job, PeopleDeed, State as JobState, Work};
use vestibule::domain::lockout::Lock;
use vestibule::domain::policy::platform::Platform;
use vestibule::domain::policy::staging::Spared;
use vestibule::domain::provisioning_task::{Task, TaskNumber, TokenType};
use vestibule::domain::reservation::{Reservation, Status as Place};
use vestibule::domain::tenant::TenantConfig;
use vestibule::domain::timestamp::Timestamp;
use vestibule::domain::user::{Status, User};
use vestibule::storage::access_log::{self, Entry};
use vestibule::storage::enrollments::{self, Begun};
use vestibule::storage::jobs::{self, JobRow};
use vestibule::storage::rollout_attempts::{self as attempts, Asked, Key, Reached};
use vestibule::storage::rollout_observed::{self as observed, Observed};
use vestibule::storage::statement::{Statement, insert_all, run_all};
use vestibule::storage::tokens::{self, Token};
use vestibule::storage::{
    Connection, Db, Result, account_locks, audit, groups, people, provisioning_tasks, reservations, rollout_places,
    roster, users,
};

use super::chance::Chance;

/// How many applications there are …
pub const APPLICATIONS: u64 = 30;
/// … and how many departments.
pub const DEPARTMENTS: u64 = 200;
/// Large groups: nine in ten are in the first, a quarter in the second, a hundredth in the third.
pub const LARGE: [&str; 3] = ["Employees", "Headquarters", "Administrators of something"];

/// The name of a department.
pub fn department(number: u64) -> String {
    format!("Department {number:03}")
}

/// So many people are stored in one transaction.
const STEP: u64 = 4000;
const DAY: u64 = 86_400;
const FIRST: [&str; 32] = [
    "Ada",
    "Alan",
    "Anita",
    "Barbara",
    "Bjarne",
    "Claude",
    "Dennis",
    "Donald",
    "Edsger",
    "Evelyn",
    "Frances",
    "Fumiko",
    "Grace",
    "Hedy",
    "Ivan",
    "Jean",
    "John",
    "Katherine",
    "Ken",
    "Lynn",
    "Margaret",
    "Mary",
    "Niklaus",
    "Ole-Johan",
    "Özlem",
    "Radia",
    "Shafi",
    "Sophie",
    "Tim",
    "Vint",
    "Whitfield",
    "Zoë",
];
const LAST: [&str; 40] = [
    "Allen",
    "Backus",
    "Bartik",
    "Berners-Lee",
    "Cerf",
    "Dahl",
    "Diffie",
    "Dijkstra",
    "Engelbart",
    "Floyd",
    "Goldberg",
    "Goldwasser",
    "Hamilton",
    "Hellman",
    "Hoare",
    "Hopper",
    "Johnson",
    "Kahn",
    "Kay",
    "Kernighan",
    "Knuth",
    "Lamarr",
    "Lamport",
    "Liskov",
    "Lovelace",
    "McCarthy",
    "Milner",
    "Naur",
    "Perlman",
    "Ritchie",
    "Rivest",
    "Shannon",
    "Stroustrup",
    "Sutherland",
    "Thompson",
    "Türing",
    "Wilkes",
    "Wilson",
    "Wirth",
    "Yao",
];
const LANGUAGES: [&str; 4] = ["en", "de", "fr", "ru"];
const PLATFORMS: [Platform; 4] = [Platform::Ios, Platform::Android, Platform::Android, Platform::Windows];

/// What a crowd is made of.
pub struct Crowd<'a> {
    /// Where it is stored.
    pub db: &'a Db,
    /// The virtual server.
    pub config: &'a TenantConfig,
    /// How many people.
    pub people: u64,
    /// The same seed makes the same crowd.
    pub seed: u64,
    /// What is made lies before this.
    pub now: Timestamp,
}

/// What is drawn of different things must not be the same.
#[derive(Clone, Copy)]
enum Of {
    Person = 1,
    Way = 2,
    Login = 3,
    Event = 4,
    Task = 5,
    Job = 6,
    Stock = 7,
}

impl Crowd<'_> {
    const fn chance(&self, of: Of, number: u64) -> Chance {
        Chance::of(self.seed, ((of as u64) << 48) | number)
    }

    const fn tenant(&self) -> TenantId {
        self.config.tenant.id
    }

    /// How many logins there were in 90 days.
    const fn logins(&self) -> u64 {
        self.people - self.people / 4
    }

    fn ago(&self, seconds: u64) -> Timestamp {
        self.now.minus(Duration::from_secs(seconds))
    }

    /// When the account with this number was made: over three years.
    fn made_at(&self, number: u64) -> Timestamp {
        self.ago(3 * 365 * DAY - number * (2 * 365 * DAY) / self.people.max(1))
    }

    /// The identifier of the person with this number.
    fn person_id(&self, number: u64) -> UserId {
        Id::made(self.made_at(number), self.chance(Of::Person, number).octets())
    }

    fn person(&self, number: u64) -> (User, Chance) {
        let mut chance = self.chance(Of::Person, number);
        let id = Id::made(self.made_at(number), chance.octets());
        let (first, last) = (chance.pick(&FIRST, "Ada"), chance.pick(&LAST, "Allen"));
        let username = format!("{}.{}{number}", first.to_lowercase(), last.to_lowercase());
        let enrolled = chance.happens(850);
        let user = User {
            id,
            tenant: self.tenant(),
            email: chance.happens(980).then(|| format!("person{number}@acme.test")),
            username,
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            language: chance.happens(300).then(|| chance.pick(&LANGUAGES, "en").to_owned()),
            status: if chance.happens(8) { Status::Disabled } else { Status::Enabled },
            security_version: 1,
            first_enrolled_at: enrolled.then(|| self.ago(chance.below(300 * DAY))),
            may_enroll_again: None,
            alias: None,
            phone: None,
        };
        (user, chance)
    }

    fn groups_of(&self, known: &HashMap<String, GroupId>, number: u64, chance: &mut Chance) -> Vec<GroupId> {
        let mut names = vec![department(number % DEPARTMENTS)];
        for (name, share) in LARGE.into_iter().zip([900, 250, 10]) {
            if chance.happens(share) {
                names.push(name.to_owned());
            }
        }
        names.iter().filter_map(|name| known.get(name).copied()).collect()
    }

    fn token(&self, number: u64, at: u64, owner: Option<(UserId, Timestamp)>, chance: &mut Chance) -> Token {
        let kind = chance.pick(&[Kind::App, Kind::App, Kind::App, Kind::OathApp, Kind::Oath], Kind::App);
        let enrolled_at = owner.map_or_else(|| self.ago(chance.below(700 * DAY)), |(_, at)| at);
        let id = TokenId::made(enrolled_at, chance.octets());
        let serial = if kind == Kind::Oath { format!("HW{number:08}{at}") } else { format!("VB{number:08}{at}") };
        let mut token = Token::blank(id, self.tenant(), kind, serial, TokenTemplate::oath_app());
        token.enrolled_at = enrolled_at;
        token.secret_sealed = Some(vec![7; 60]);
        let Some((user, _)) = owner else { return token };
        token.user = Some(user);
        token.state = match chance.below(1000) {
            0..=3 => State::Locked,
            4..=13 => State::Suspended,
            14..=63 => State::Revoked,
            64..=70 => State::Assigned,
            _ => State::Active,
        };
        token.lock = (token.state == State::Locked).then_some(LockReason::Attempts);
        token.platform = match kind {
            Kind::App => Some(chance.pick(&PLATFORMS, Platform::Ios)),
            Kind::OathApp => Some(Platform::OathApp),
            Kind::Oath => None,
        };
        token.enrolled_by = if kind == Kind::Oath { EnrolledBy::Import } else { EnrolledBy::Itself };
        if token.state == State::Revoked {
            token.secret_sealed = None;
        }
        let used = chance.happens(900).then(|| self.ago(chance.below(60 * DAY)).max(enrolled_at));
        (token.first_used_at, token.last_used_at) = (used.map(|_| enrolled_at), used);
        token
    }

    /// Stores it all.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn fill(&self, told: &impl Fn(&str, u64, u64)) -> Result<()> {
        let known: HashMap<String, GroupId> =
            self.config.groups.iter().map(|group| (group.name.clone(), group.id)).collect();
        for begin in (0..self.people).step_by(STEP as usize) {
            let end = (begin + STEP).min(self.people);
            self.db.write(async |connection| self.some_people(connection, &known, begin..end).await).await?;
            if (end / STEP).is_multiple_of(10) || end == self.people {
                told("people", end, self.people);
            }
        }
        let counted = async |connection: &mut Connection| {
            people::all_counted(connection.engine(), self.tenant()).run(connection).await
        };
        self.db.write(counted).await?;
        let stock = self.people / 50;
        for begin in (0..stock).step_by(STEP as usize) {
            let end = (begin + STEP).min(stock);
            let statements: Vec<Statement> = (begin..end)
                .map(|number| {
                    let mut chance = self.chance(Of::Stock, number);
                    let mut token = self.token(number, 0, None, &mut chance);
                    token.kind = Kind::Oath;
                    token.serial = format!("ST{number:08}");
                    tokens::insertion(&token)
                })
                .collect();
            self.db.write(async |connection| insert_all(connection, statements.clone()).await).await?;
            told("authenticators in stock", end, stock);
        }
        self.steps("ways to an authenticator", self.people / 5, told, async |connection, range| {
            self.some_ways(connection, range).await
        })
        .await?;
        self.steps("people let in as before", self.people / 4, told, async |connection, range| {
            let rows = range.map(|number| self.seen(connection.engine(), number)).collect();
            run_all(connection, rows).await
        })
        .await?;
        self.steps("logins", self.logins(), told, async |connection, range| {
            insert_all(connection, range.flat_map(|number| self.login(number)).collect()).await
        })
        .await?;
        self.tasks(told).await?;
        self.jobs(told).await
    }

    async fn steps(
        &self,
        what: &str,
        count: u64,
        told: &impl Fn(&str, u64, u64),
        some: impl AsyncFn(&mut Connection, std::ops::Range<u64>) -> Result<()>,
    ) -> Result<()> {
        for begin in (0..count).step_by(STEP as usize) {
            let end = (begin + STEP).min(count);
            self.db.write(async |connection| some(connection, begin..end).await).await?;
            if (end / STEP).is_multiple_of(20) || end == count {
                told(what, end, count);
            }
        }
        Ok(())
    }

    async fn some_people(
        &self,
        connection: &mut Connection,
        known: &HashMap<String, GroupId>,
        range: std::ops::Range<u64>,
    ) -> Result<()> {
        let (mut rows, mut later, mut entered, mut locked) = (Vec::new(), Vec::new(), HashMap::new(), Vec::new());
        for number in range {
            let (user, mut chance) = self.person(number);
            rows.push(users::insertion(&user, self.made_at(number)));
            rows.extend(users::names(&user));
            for group in self.groups_of(known, number, &mut chance) {
                rows.push(roster::membership(self.tenant(), group, user.id));
                *entered.entry(group).or_insert(0) += 1;
            }
            if let Some(since) = user.first_enrolled_at {
                for at in 0..=u64::from(chance.happens(150)) {
                    rows.push(tokens::insertion(&self.token(number, at, Some((user.id, since)), &mut chance)));
                }
            }
            if chance.happens(700) {
                later.push(users::login_remembered(self.tenant(), user.id, self.ago(chance.below(90 * DAY))));
            }
            if chance.happens(1) {
                let until = self.now.plus(Duration::from_secs(chance.below(30 * DAY)));
                locked.push((user.username, if chance.happens(100) { Lock::Operator } else { Lock::Until(until) }));
            }
        }
        insert_all(connection, rows).await?;
        run_all(connection, later).await?;
        groups::count(connection, self.tenant(), entered.into_iter().collect()).await?;
        for (username, lock) in locked {
            account_locks::note(connection, self.tenant(), &username, lock).await?;
        }
        Ok(())
    }

    /// Enrollments, and how far people came, of every fifth person.
    async fn some_ways(&self, connection: &mut Connection, range: std::ops::Range<u64>) -> Result<()> {
        let (tenant, engine) = (self.tenant(), connection.engine());
        let waves = &self.config.settings.self_provisioning.staging.wave;
        for way in range {
            let mut chance = self.chance(Of::Way, way);
            let user = self.person_id(way * 5);
            let asked_at = self.ago(DAY + chance.below(100 * DAY));
            let later =
                |chance: &mut Chance, at: Timestamp, most: u64| at.plus(Duration::from_secs(5 + chance.below(most)));
            let key = Key { tenant, user, login: Id::made(asked_at, chance.octets()) };
            let wave = waves.get(usize::from(chance.happens(700))).map(|wave| wave.id);
            let obstacle = chance.happens(20).then_some("no_email");
            let language = chance.pick(&LANGUAGES, "en");
            run_all(connection, attempts::asked(engine, &Asked { key, at: asked_at, wave, language, obstacle }))
                .await?;
            if let Some(wave) = wave {
                rollout_places::insertion(tenant, user, wave, asked_at).run(connection).await?;
            }
            if obstacle.is_some() || chance.happens(150) {
                continue;
            }
            let id = Id::made(asked_at, chance.octets());
            let platform = chance.pick(&PLATFORMS, Platform::Ios);
            let enrollment = Enrollment {
                id,
                tenant,
                login: key.login,
                reservation: None,
                user,
                state: enrollment::State::Open,
                platform: None,
                installed: false,
                activated: false,
                beside: false,
                replaces: None,
                created_at: asked_at,
            };
            enrollments::insert(connection, &enrollment).await?;
            let begun = Begun {
                method: chance.pick(&["self_provisioning", "email_link", "portal"], "portal"),
                address: "192.0.2.7".to_owned(),
                application: self.application(&mut chance),
                correlation: Some(CorrelationId::from_bits(u128::from_be_bytes(key.login.to_bytes()))),
            };
            enrollments::began(connection, tenant, id, &begun).await?;
            rollout_places::begins(tenant, user, asked_at).run(connection).await?;
            let mut at = later(&mut chance, asked_at, 60);
            let steps = [
                (Reached::Started, 60, 950),
                (Reached::Mail, 240, 930),
                (Reached::Platform(platform), 60, 980),
                (Reached::App, 600, 900),
                (Reached::Activated, 120, 970),
                (Reached::Passcode, 90, 980),
            ];
            let mut through = true;
            for (step, most, share) in steps {
                if !chance.happens(share) {
                    through = false;
                    break;
                }
                attempts::reached(key, step, at).run(connection).await?;
                match step {
                    Reached::Mail => drop(enrollments::proven(tenant, id).run(connection).await?),
                    Reached::Platform(platform) => {
                        enrollments::choose(connection, tenant, id, Some(platform), at).await?;
                    }
                    _ => {}
                }
                at = later(&mut chance, at, most);
            }
            if through {
                enrollments::complete(connection, tenant, id, at).await?;
                if chance.happens(900) {
                    attempts::returned(tenant, user, at.plus(Duration::from_secs(DAY))).run(connection).await?;
                }
            } else if chance.happens(600) {
                let reason = chance.pick(&["cancelled", "code_locked", "mail_refused"], "cancelled");
                attempts::ended(key, reason, at).run(connection).await?;
                enrollments::cancel_of(connection, tenant, key.login, Some(reason), at).await?;
            }
        }
        Ok(())
    }

    fn application(&self, chance: &mut Chance) -> Option<vestibule::domain::ids::ApplicationId> {
        let at = usize::try_from(chance.below(APPLICATIONS)).unwrap_or(0);
        self.config.applications.get(at).map(|application| application.id)
    }

    fn seen(&self, engine: vestibule::storage::Engine, number: u64) -> Statement {
        let mut chance = self.chance(Of::Event, number | (1 << 40));
        let observed = Observed {
            user: self.person_id((number * 37) % self.people),
            at: self.ago(chance.below(30 * DAY)),
            application: self.application(&mut chance).unwrap_or(self.config.console.id),
            policy: "Global policy".to_owned(),
            spared: chance.pick(&Spared::ALL, Spared::BeforeWave),
            obstacle: chance.pick(&["", "", "", "no_email", "no_platform"], "").to_owned(),
        };
        observed::insertion(engine, self.tenant(), &observed)
    }

    /// A login and what it leaves behind; the newest last.
    fn login(&self, number: u64) -> Vec<Statement> {
        let mut chance = self.chance(Of::Login, number);
        let before = (self.logins() - number) * 90 * DAY / self.logins().max(1);
        let at = self.ago(before).minus(Duration::from_micros(chance.below(900_000)));
        let user = self.person_id(chance.below(self.people));
        let correlation = CorrelationId::made(at, chance.octets());
        let (result, reason) = match chance.below(1000) {
            0..=39 => ("failure", "wrong_password"),
            40..=59 => ("failure", "wrong_passcode"),
            60..=79 => ("denied", "access_denied"),
            _ => ("success", ""),
        };
        let address = format!("192.0.2.{}", chance.below(250));
        let entry = Entry {
            tenant: self.tenant(),
            at,
            correlation,
            user: Some(user),
            application: self.application(&mut chance).unwrap_or(self.config.console.id),
            result,
            reason: reason.to_owned(),
            policy: "Global policy".to_owned(),
            scenario: None,
            methods: "password otp".to_owned(),
            address: address.clone(),
        };
        let mut rows = vec![access_log::entry(Id::made(at, chance.octets()), &entry)];
        // What the login wrote into the audit trail, and now and then what an operator did.
        let action = if result == "success" { Action::PasscodeAccepted } else { Action::PasswordRejected };
        let event = Event::new(at, self.tenant(), Actor::User(user), action).on("user", user).in_login(correlation);
        rows.push(audit::entry(Id::made(at, chance.octets()), &event.from_address(&address)));
        let actions = [Action::AccountUnlocked, Action::UserChanged, Action::EnrollmentReopened];
        for (share, action) in [(5, chance.pick(&actions, Action::UserChanged)), (3, Action::AccountLocked)] {
            if chance.happens(share) {
                let operator = self.person_id(chance.below(20));
                let actor = match action {
                    Action::AccountLocked => Actor::System,
                    _ => Actor::Operator(operator, format!("operator{}", chance.below(20))),
                };
                let event = Event::new(at, self.tenant(), actor, action).on("user", user);
                rows.push(audit::entry(Id::made(at, chance.octets()), &event.from_address(&address)));
            }
        }
        rows
    }

    /// Provisioning tasks: many small ones, and one for a fiftieth of all people.
    async fn tasks(&self, told: &impl Fn(&str, u64, u64)) -> Result<()> {
        let (tenant, count) = (self.tenant(), 400.min(self.people / 10));
        for number in 0..count {
            let mut chance = self.chance(Of::Task, number);
            let started_at = self.ago(number * DAY / 2);
            let task = Task {
                number: TaskNumber::drawn(chance.next() / 400 * 400 + number),
                tenant,
                token_type: TokenType::App,
                operator: "oona".to_owned(),
                comment: format!("Part {number} of the rollout"),
                rule: None,
                started_at,
                stop_at: started_at.plus(Duration::from_secs(14 * DAY)),
                removed_at: None,
            };
            self.db.write(async |connection| provisioning_tasks::insert(connection, &task).await).await?;
            let size = if number == 7 { self.people / 50 } else { 20 + chance.below(60) }.min(self.people);
            let first = chance.below(self.people);
            self.steps("people of a task", size, &|_, _, _| (), async |connection, range| {
                for at in range {
                    let mut chance = self.chance(Of::Task, ((number + 1) << 24) | at);
                    let person = (first + at) % self.people;
                    let place = Reservation {
                        id: Id::made(started_at, chance.octets()),
                        tenant,
                        task: task.number,
                        user: self.person_id(person),
                        token_type: TokenType::App,
                        status: chance.pick(&Place::ALL, Place::Active),
                        emailed_to: format!("person{person}@acme.test"),
                        sent_at: started_at,
                        sends: 1,
                        stop_at: task.stop_at,
                        reminded_at: None,
                        failed_count: 0,
                        token: None,
                        created_at: started_at,
                    };
                    reservations::insert(connection, &place).await?;
                }
                Ok(())
            })
            .await?;
        }
        told("provisioning tasks", count, count);
        Ok(())
    }

    /// Work on many people, all done.
    async fn jobs(&self, told: &impl Fn(&str, u64, u64)) -> Result<()> {
        let (tenant, count) = (self.tenant(), 300.min(self.people / 10));
        for number in 0..count {
            let mut chance = self.chance(Of::Job, number);
            let at = self.ago(number * 3600);
            let size = if number == 3 { 10_000.min(self.people) } else { 1 + chance.below(50) };
            let total = i64::try_from(size).unwrap_or(0);
            let job = Job {
                id: Id::made(at, chance.octets()),
                tenant,
                work: Work::People(PeopleDeed::Unlock),
                actor: Actor::Operator(self.person_id(number % 20), format!("operator{}", number % 20)),
                address: "192.0.2.9".to_owned(),
                state: JobState::Done,
                total,
                position: total,
                done: total,
                failed: 0,
                created_at: at,
                ended_at: Some(at.plus(Duration::from_secs(60))),
                error: None,
            };
            let work = async |connection: &mut Connection| {
                jobs::insertion(&job).run(&mut *connection).await?;
                let row = |at: u64| JobRow {
                    number: i64::try_from(at + 1).unwrap_or(0),
                    name: format!("person{at}"),
                    input: None,
                    outcome: Some("unlocked".to_owned()),
                    detail: String::new(),
                };
                insert_all(connection, (0..size).map(|at| jobs::row_insertion(tenant, job.id, &row(at))).collect())
                    .await
            };
            self.db.write(work).await?;
        }
        told("jobs", count, count);
        Ok(())
    }
}
