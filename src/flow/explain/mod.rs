//! What a person would meet at a login, and why: which policy and scenario, what must be proven, whether an
//! authenticator can be enrolled on the spot, and what would change it.
//!
//! Nothing is decided here. The same functions are asked that a login asks ([`case`]), with a configuration that may be
//! only a draft, and nothing is written.

mod words;

use std::net::IpAddr;

use serde::Serialize;

use super::case::{self, Scene, Standing};
use super::{House, rollout};
use crate::domain::application::{Application, Protocol};
use crate::domain::authenticator::lifecycle::{Kind, State};
use crate::domain::ids::{CorrelationId, LoginId};
use crate::domain::lockout::{Failures, Lock};
use crate::domain::login::evidence::{Evidence, Proof};
use crate::domain::login::step::{Account, Facts, Step, Tokens, next_step};
use crate::domain::login::wishes::Wishes;
use crate::domain::login::{IDLE, LONGEST, Login, Stage};
use crate::domain::policy::access::{Decision, Method};
use crate::domain::policy::draft::Decides;
use crate::domain::policy::provisioning::Offer;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Member, Status};
use crate::storage::tokens::{self, Token, summary};
use crate::storage::{self, Connection, failures, users};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The configuration, stored or not.
    pub config: &'a TenantConfig,
    /// What the person wants to reach.
    pub application: &'a Application,
    /// Where the person comes from.
    pub address: IpAddr,
    /// When.
    pub at: Timestamp,
}

impl<'a> Asked<'a> {
    const fn scene(&self) -> Scene<'a> {
        Scene { config: self.config, now: self.at, address: self.address }
    }
}

/// A person, as far as a login depends on it.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account and its groups.
    pub member: Member,
    tokens: Vec<Token>,
    /// Wrong secrets for the name.
    name: Failures,
    /// Wrong mail codes.
    codes: Failures,
    has_password: bool,
}

impl Person {
    /// The person with this name, if there is one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn named(
        house: &House,
        connection: &mut Connection,
        config: &TenantConfig,
        name: &str,
    ) -> storage::Result<Option<Self>> {
        match users::named(connection, config.tenant.id, name).await? {
            Some(user) => Self::of(house, connection, config, user.id).await,
            None => Ok(None),
        }
    }

    /// The person with this identifier, if there is one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn of(
        house: &House,
        connection: &mut Connection,
        config: &TenantConfig,
        user: crate::domain::ids::UserId,
    ) -> storage::Result<Option<Self>> {
        let tenant = config.tenant.id;
        let Some(member) = users::member(tenant, user).ask(connection).await? else { return Ok(None) };
        let name = case::name_subject(house, tenant, &member.user.username);
        let codes = case::enrollment_subject(house, tenant, user);
        Ok(Some(Self {
            tokens: tokens::of_user(tenant, user).ask(connection).await?,
            name: failures::of(tenant, &name).ask(connection).await?,
            codes: failures::of(tenant, &codes).ask(connection).await?,
            has_password: users::password_hash(connection, tenant, user).await?.is_some(),
            member,
        }))
    }
}

/// What would happen to a person.
#[derive(Debug)]
pub(super) struct Outlook {
    pub(super) decision: Decision,
    /// Whether enrollment is offered to this person with the authenticators that there are, and why.
    pub(super) offer: Offer,
    pub(super) trace: Vec<String>,
    /// The first page after the user name.
    pub(super) first: Step,
    /// What follows once the password is proven, if the person has one.
    pub(super) then: Step,
    /// The same for somebody without any authenticator.
    pub(super) without: Step,
}

impl Outlook {
    /// What a login would decide.
    pub(super) async fn of(connection: &mut Connection, asked: Asked<'_>, person: &Person) -> storage::Result<Self> {
        let scene = asked.scene();
        let member = &person.member;
        let decision = case::decision(scene, Some(asked.application), Some(member));
        let login = login(asked, member);
        let asks_password = decision.verdict.requires(Method::Password);
        let password = person.has_password.then_some(Proof { at: asked.at, here: true });
        let proven = Evidence { password, ..Evidence::default() };
        let account = Account::Known { status: member.user.status, lock: person.name.lock(), unchanged: true };
        let mut step = async |evidence: Evidence, tokens| {
            let operator = asked.application.protocol == Protocol::Console;
            let of = rollout::Of {
                login: &login,
                wishes: &login.wishes,
                member,
                decision: &decision,
                tokens,
                password_proven: evidence.password.is_some(),
                enrolling: false,
            };
            let stands = rollout::stands(connection, scene, of).await?;
            let turn_at = stands.turn_at(asked.at);
            let standing = Standing { asks_password, evidence, tokens, codes: person.codes, operator, turn_at };
            let (offer, mut trace) = case::offer(connection, scene, Some(member), standing).await?;
            trace.extend(stands.trace);
            // Whose turn has not come is let in without a passcode: what the rollout says is part of the answer.
            let spared = stands.turn.spared().map(|spared| decision.clone().sparing(spared));
            let facts = Facts {
                now: asked.at,
                login: &login,
                account,
                decision: spared.as_ref().unwrap_or(&decision),
                evidence,
                tokens,
                new_pin: None,
                offer,
                enrollment: None,
                sheet: false,
                link: Ok(()),
                addition: None,
            };
            Ok::<_, storage::Error>((next_step(&facts), offer, trace))
        };
        let tokens = summary(&person.tokens);
        let (first, ..) = step(Evidence::default(), tokens).await?;
        let (then, ..) = step(proven, tokens).await?;
        let (without, offer, trace) = step(proven, Tokens::None).await?;
        Ok(Self { decision, offer, trace, first, then, without })
    }

    /// Whether an authenticator would be offered to somebody who has none.
    pub(super) fn offered(&self) -> bool {
        self.without == Step::Offer
    }
}

/// A login that nobody has begun.
fn login(asked: Asked<'_>, member: &Member) -> Login {
    Login {
        id: LoginId::from_bits(0),
        tenant: asked.config.tenant.id,
        origin: asked.application.protocol.origin(),
        application: asked.application.id,
        wishes: Wishes::default(),
        request: String::new(),
        stage: Stage::Open,
        user: Some(member.user.id),
        named: Some(member.user.username.clone()),
        security_version: member.user.security_version,
        language: None,
        correlation: CorrelationId::from_bits(0),
        created_at: asked.at,
        expires_at: asked.at.plus(IDLE),
        absolute_expires_at: asked.at.plus(LONGEST),
    }
}

/// The answer: what is decided, and why. The names of the members are stable (docs/explain.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Explanation {
    /// The user name.
    pub user: String,
    /// The application.
    pub application: String,
    /// Where the person comes from.
    pub address: String,
    /// When, in UTC.
    pub at: String,
    /// `grant` or `deny`.
    pub decision: String,
    /// The policy that decides.
    pub policy: String,
    /// The scenario of it that decides, if one does.
    pub scenario: Option<String>,
    /// Whether access is denied because the application is not assigned to the person, whatever the policies say.
    pub unassigned: bool,
    /// What must be proven, in this order.
    pub methods: Vec<Needed>,
    /// Every policy that was looked at, in order; the last one decides.
    pub policies: Vec<Looked>,
    /// The account.
    pub account: AccountSeen,
    /// The person's authenticators that are not revoked.
    pub authenticators: Vec<AuthenticatorSeen>,
    /// The enrollment of an authenticator in the middle of the login.
    pub enrollment: EnrollmentSeen,
    /// What the person meets first, and what follows a right password.
    pub steps: Vec<String>,
    /// What would change it, in words of the settings.
    pub advice: Vec<String>,
}

/// A method and how often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Needed {
    /// `password` or `otp`.
    pub method: String,
    /// In words.
    pub frequency: String,
}

/// A policy or a scenario that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Looked {
    /// Its name.
    pub name: String,
    /// Whether it applies.
    pub applies: bool,
    /// What it asks of the attempt.
    pub conditions: Vec<Held>,
    /// The scenarios of a policy that applies, as far as they were looked at.
    pub scenarios: Vec<Looked>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Held {
    /// In words.
    pub asks: String,
    /// Whether it is so.
    pub holds: bool,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct AccountSeen {
    /// `enabled`, `disabled` or `locked`.
    pub state: String,
    /// Until when it is locked, if it is for a time.
    pub locked_until: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// Whether it has a password.
    pub has_password: bool,
    /// Whether it has a mail address.
    pub has_email: bool,
}

/// An authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct AuthenticatorSeen {
    /// Its serial number.
    pub serial: String,
    /// `app`, `oath_app` or `oath`.
    pub kind: String,
    /// Its state.
    pub state: String,
}

/// Self-provisioning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct EnrollmentSeen {
    /// Whether the login would offer it to this person now.
    pub offered: bool,
    /// Whether it would to the person without any authenticator.
    pub offered_without_authenticator: bool,
    /// `offered`, or a stable word for why it is not.
    pub reason: String,
    /// Why, line by line, in words of the settings.
    pub because: Vec<String>,
}

/// Explains.
///
/// # Errors
/// If the database fails.
pub async fn explain(connection: &mut Connection, asked: Asked<'_>, person: &Person) -> storage::Result<Explanation> {
    let outlook = Outlook::of(connection, asked, person).await?;
    let decision = &outlook.decision;
    let user = &person.member.user;
    let lock = person.name.lock();
    let locked = user.status == Status::Enabled && lock.refusal(asked.at).is_some();
    let groups = asked.config.group_names(&person.member.groups);
    Ok(Explanation {
        user: user.username.clone(),
        application: asked.application.name.clone(),
        address: asked.address.to_string(),
        at: asked.at.rfc3339(),
        decision: Decides::of(&decision.verdict).id().to_owned(),
        policy: decision.policy_name.clone(),
        scenario: decision.scenario.clone(),
        unassigned: decision.unassigned,
        methods: decision.verdict.requirements().iter().map(words::needed).collect(),
        policies: words::policies(asked, person),
        account: AccountSeen {
            state: match (user.status, locked) {
                (Status::Disabled, _) => "disabled",
                (Status::Enabled, true) => "locked",
                (Status::Enabled, false) => "enabled",
            }
            .to_owned(),
            locked_until: match lock {
                Lock::Until(end) if locked => Some(end.rfc3339()),
                _ => None,
            },
            groups: groups.map(str::to_owned).collect(),
            has_password: person.has_password,
            has_email: user.email.is_some(),
        },
        authenticators: person.tokens.iter().map(seen).collect(),
        enrollment: EnrollmentSeen {
            offered: outlook.then == Step::Offer,
            offered_without_authenticator: outlook.offered(),
            reason: words::reason(&outlook, person).to_owned(),
            because: words::because(asked, person, &outlook),
        },
        steps: words::steps(&outlook),
        advice: words::advice(asked, person, &outlook),
    })
}

fn seen(token: &Token) -> AuthenticatorSeen {
    let (kind, state): (Kind, State) = (token.kind, token.state);
    AuthenticatorSeen { serial: token.serial.clone(), kind: kind.id().to_owned(), state: state.id().to_owned() }
}

impl Explanation {
    /// As lines for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        words::lines(self)
    }
}
