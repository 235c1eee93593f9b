//! Provisioning tasks as operators make and change them, and what becomes of them by themselves (A9, part B7).

use serde_json::json;

use super::Desk;
use crate::domain::activation::string::SECRET_LENGTH;
use crate::domain::alert::Kind;
use crate::domain::audit::Action;
use crate::domain::enrollment::{Enrollment, State};
use crate::domain::ids::{ActivationId, LinkId, LoginId, RuleId, TenantId};
use crate::domain::letter::{Envelope, Invitation, Letter};
use crate::domain::provisioning_task::{Task, TaskNumber, TokenType};
use crate::domain::reservation::{Reservation, Status};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{self, User};
use crate::flow::server_pin::has_pin;
use crate::flow::{alerts, mailed};
use crate::keys::sealing::Place;
use crate::storage::activations::{self, Activation};
use crate::storage::enrollment_links::Link;
use crate::storage::tokens::Token;
use crate::storage::{
    self, Connection, enrollment_links, enrollments, provisioning_tasks, reservations, tokens, users,
};

/// The longest comment, in characters.
pub const LONGEST_COMMENT: usize = 500;

/// What an operator orders.
#[derive(Debug, Clone)]
pub struct Order {
    /// What is enrolled.
    pub token_type: TokenType,
    /// Until when.
    pub stop_at: Timestamp,
    /// What the operator notes.
    pub comment: String,
    /// Who orders it: an operator's name, or a rule's.
    pub operator: String,
    /// The rule that orders it.
    pub rule: Option<RuleId>,
    /// Whether people get one who have an authenticator of that type.
    pub issue_duplicates: bool,
    /// The number that the task gets; one is drawn if none is given.
    pub number: Option<TaskNumber>,
}

/// Why somebody was not provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// The account has no mail address.
    NoAddress,
    /// The account is disabled.
    Disabled,
    /// There is an authenticator of that type already.
    HasOne,
    /// Another task is open for this person and type.
    Reserved,
    /// With those that are reserved, the person has as many authenticators as somebody may have.
    Limit,
}

impl Skipped {
    /// The name in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::NoAddress => "no_address",
            Self::Disabled => "disabled",
            Self::HasOne => "has_one",
            Self::Reserved => "reserved",
            Self::Limit => "limit",
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoAddress => "has no email address",
            Self::Disabled => "is disabled",
            Self::HasOne => "has an authenticator of that type",
            Self::Reserved => "is in an open task for that type",
            Self::Limit => "has as many authenticators as somebody may have",
        }
    }
}

/// A task that was made.
#[derive(Debug)]
pub struct Created {
    /// The task; `None` if everybody was skipped.
    pub task: Option<Task>,
    /// Who is in it.
    pub people: Vec<Reservation>,
    /// Who is not, and why.
    pub skipped: Vec<(User, Skipped)>,
}

/// Makes a task for these people, and sends the mails. If everybody is skipped there is no task. Many people are put into
/// one task in several steps, so that no transaction is long: then `into` is the task of the steps before.
///
/// # Errors
/// If the database fails; with a duplicate if the number that was drawn is taken.
pub async fn create(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    order: &Order,
    people: &[User],
    into: Option<&Task>,
) -> storage::Result<Created> {
    let tenant = config.tenant.id;
    let task = into.cloned().unwrap_or_else(|| Task {
        number: order.number.unwrap_or_else(|| TaskNumber::drawn(desk.house.entropy.below(TaskNumber::COUNT))),
        tenant,
        token_type: order.token_type,
        operator: order.operator.chars().take(200).collect(),
        comment: order.comment.chars().take(LONGEST_COMMENT).collect(),
        rule: order.rule,
        started_at: desk.now,
        stop_at: order.stop_at,
        removed_at: None,
    });
    let (mut wanted, mut skipped) = (Vec::new(), Vec::new());
    for user in people {
        match skip(connection, config, user, order).await? {
            Some(why) => skipped.push((user.clone(), why)),
            None => wanted.push(user),
        }
    }
    if wanted.is_empty() {
        return Ok(Created { task: into.cloned(), people: Vec::new(), skipped });
    }
    if into.is_none() {
        provisioning_tasks::insert(connection, &task).await?;
        let (kind, stop_at) = (task.token_type.id(), task.stop_at.rfc3339());
        let detail = json!({ "type": kind, "stop_at": stop_at, "operator": task.operator });
        let object = ("provisioning_task", task.number.to_string());
        desk.record(connection, tenant, Action::ProvisioningCreated, object, detail).await?;
    }
    let mut people = Vec::with_capacity(wanted.len());
    for user in wanted {
        people.push(reserve(desk, connection, config, &task, user).await?);
    }
    Ok(Created { task: Some(task), people, skipped })
}

async fn skip(
    connection: &mut Connection,
    config: &TenantConfig,
    user: &User,
    order: &Order,
) -> storage::Result<Option<Skipped>> {
    if user.email.is_none() {
        return Ok(Some(Skipped::NoAddress));
    }
    if user.status == user::Status::Disabled {
        return Ok(Some(Skipped::Disabled));
    }
    let (kind, again) = (order.token_type, order.issue_duplicates);
    let places = reservations::of_user(connection, user.tenant, user.id).await?;
    let mut open = places.iter().filter(|place| place.status == Status::Active && place.token.is_none());
    if !again && open.clone().any(|place| place.token_type == kind) {
        return Ok(Some(Skipped::Reserved));
    }
    let owned: Vec<Token> = tokens::of_user(user.tenant, user.id).ask(connection).await?;
    if !again && owned.iter().any(|token| token.kind == kind.kind()) {
        return Ok(Some(Skipped::HasOne));
    }
    let most = usize::from(config.settings.tokens.max_per_user);
    let room = owned.len() < most && open.nth(most - owned.len() - 1).is_none();
    Ok((!room).then_some(Skipped::Limit))
}

/// Whether the person has an authenticator of this type that is not revoked.
pub(super) async fn has_one(connection: &mut Connection, user: &User, kind: TokenType) -> storage::Result<bool> {
    let owned: Vec<Token> = tokens::of_user(user.tenant, user.id).ask(connection).await?;
    Ok(owned.iter().any(|token| token.kind == kind.kind()))
}

/// Whether the person is in an open task for this type.
pub(super) async fn is_reserved(connection: &mut Connection, user: &User, kind: TokenType) -> storage::Result<bool> {
    let places = reservations::of_user(connection, user.tenant, user.id).await?;
    Ok(places.iter().any(|place| place.status == Status::Active && place.token.is_none() && place.token_type == kind))
}

async fn reserve(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    task: &Task,
    user: &User,
) -> storage::Result<Reservation> {
    let past = config.settings.enrollment_mail.reminder_is_past(task.stop_at, desk.now);
    let place = Reservation {
        id: desk.house.entropy.id(),
        tenant: task.tenant,
        task: task.number,
        user: user.id,
        token_type: task.token_type,
        status: Status::Active,
        emailed_to: user.email.clone().unwrap_or_default(),
        sent_at: desk.now,
        sends: 1,
        stop_at: task.stop_at,
        reminded_at: past.then_some(desk.now),
        failed_count: 0,
        token: None,
        created_at: desk.now,
    };
    reservations::insert(connection, &place).await?;
    invite(desk, connection, config, &place, user, Occasion::First).await?;
    let detail = json!({ "task": task.number.value(), "user": user.id.to_string() });
    let object = ("reservation", place.id.to_string());
    desk.record(connection, task.tenant, Action::ReservationSent, object, detail).await?;
    Ok(place)
}

/// Why a mail is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    First,
    Again,
    Reminder,
}

/// Writes the mail with a new link; where the operators want it the activation itself stands in it, too.
async fn invite(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    place: &Reservation,
    user: &User,
    occasion: Occasion,
) -> storage::Result<()> {
    let (house, tenant) = (desk.house, place.tenant);
    let id: LinkId = house.entropy.id();
    let secret = data_encoding::BASE32_NOPAD.encode(house.entropy.secret(mailed::SECRET).expose()).to_lowercase();
    let secret_hash = mailed::secret_hash(house, tenant, id, &secret);
    let link = Link { id, reservation: place.id, secret_hash, void: false };
    enrollment_links::insert(connection, tenant, &link, desk.now).await?;
    // A PIN that the server makes is shown on a page: there the activation must be begun on the page, too.
    let settings = &config.settings;
    let wanted = settings.enrollment_mail.activation_codes_in_mail
        && !has_pin(&settings.token_templates.app)
        && occasion != Occasion::Reminder;
    let activation = match place.token_type {
        TokenType::App if wanted => Some(activation(desk, connection, place).await?),
        TokenType::App | TokenType::OathApp => None,
    };
    let invitation = Invitation {
        link: id,
        secret,
        until: place.stop_at,
        token_type: place.token_type,
        again: occasion == Occasion::Again,
        activation,
    };
    let letter = match occasion {
        Occasion::First | Occasion::Again => Letter::Enrollment(invitation),
        Occasion::Reminder => Letter::EnrollmentReminder(invitation),
    };
    let envelope = Envelope {
        to: place.emailed_to.clone(),
        name: user.display_name(),
        account: user.username.clone(),
        language: user.language.clone().unwrap_or_else(|| config.tenant.default_language.clone()),
        tenant_code: config.tenant.code.to_string(),
        organization: config.tenant.name.clone(),
        help_contact: config.settings.help_contact.clone(),
        letter,
    };
    house.post(connection, tenant, None, &envelope, desk.now, place.stop_at).await.map(drop)
}

/// An activation whose string stands in the mail itself, until the stop date (part B3).
async fn activation(
    desk: &Desk<'_>,
    connection: &mut Connection,
    place: &Reservation,
) -> storage::Result<(ActivationId, String)> {
    let (house, tenant) = (desk.house, place.tenant);
    // No browser has begun it: the place in the task stands where the login would.
    let nobody: LoginId = LoginId::from_bits(u128::from_be_bytes(place.id.to_bytes()));
    let begun = Enrollment {
        beside: false,
        replaces: None,
        id: house.new_id(desk.now),
        tenant,
        login: nobody,
        reservation: Some(place.id),
        user: place.user,
        state: State::Open,
        platform: None,
        installed: false,
        activated: false,
        created_at: desk.now,
    };
    enrollments::insert(connection, &begun).await?;
    let from =
        enrollments::Begun { method: "email_link", address: String::new(), application: None, correlation: None };
    enrollments::began(connection, tenant, begun.id, &from).await?;
    let id: ActivationId = house.new_id(desk.now);
    let secret = house.entropy.secret(SECRET_LENGTH);
    let issued = Activation {
        id,
        enrollment: begun.id,
        login: nobody,
        user: place.user,
        platform: None,
        state: activations::State::Issued,
        secret_sealed: house.sealer.seal(Place::new(tenant, "activation", "secret_sealed", id), &secret),
        tries: 0,
        device_key: None,
        handshake_sealed: None,
        device: None,
        created_at: desk.now,
        claimed_at: None,
        expires_at: place.stop_at,
    };
    activations::issue(connection, tenant, &issued).await?;
    Ok((id, data_encoding::BASE32_NOPAD.encode(secret.expose())))
}

/// Why something cannot be done to somebody's place in a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An authenticator was enrolled already.
    #[error("has enrolled already")]
    Enrolled,
    /// It was taken back.
    #[error("was removed from the task")]
    Removed,
    /// The account has no mail address.
    #[error("has no email address")]
    NoAddress,
    /// The account is disabled or gone.
    #[error("cannot be used: the account is disabled or was removed")]
    NoAccount,
}

/// Sends the mail again, to the address that the account has now. The links before it stop working, and a new stop date
/// opens again what was locked or has expired (R-180, part B7).
///
/// # Errors
/// If the database fails.
pub async fn resend(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    place: &Reservation,
    stop_at: Timestamp,
) -> storage::Result<Result<(), Refused>> {
    let tenant = config.tenant.id;
    let Some(user) = users::with_id(connection, tenant, place.user).await? else { return Ok(Err(Refused::NoAccount)) };
    if user.status == user::Status::Disabled {
        return Ok(Err(Refused::NoAccount));
    }
    let Some(email) = user.email.clone() else { return Ok(Err(Refused::NoAddress)) };
    let past = config.settings.enrollment_mail.reminder_is_past(stop_at, desk.now);
    let reminded = past.then_some(desk.now);
    if !reservations::send_again(connection, tenant, place.id, &email, stop_at, reminded, desk.now).await? {
        let removed = place.status == Status::Removed;
        return Ok(Err(if removed { Refused::Removed } else { Refused::Enrolled }));
    }
    enrollment_links::void_of(connection, tenant, place.id, desk.now).await?;
    mailed::shut(connection, tenant, place, desk.now).await?;
    let place = Reservation { emailed_to: email, stop_at, ..place.clone() };
    invite(desk, connection, config, &place, &user, Occasion::Again).await?;
    let detail = json!({ "task": place.task.value(), "user": user.id.to_string(), "again": true });
    let object = ("reservation", place.id.to_string());
    desk.record(connection, tenant, Action::ReservationSent, object, detail).await?;
    Ok(Ok(()))
}

/// Moves the stop date of a task and of everybody in it who may still enroll. Says for how many; `None` if the task is not
/// there any more.
///
/// # Errors
/// If the database fails.
pub async fn set_stop(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    number: TaskNumber,
    stop_at: Timestamp,
) -> storage::Result<Option<usize>> {
    let tenant = config.tenant.id;
    if !provisioning_tasks::set_stop(connection, tenant, number, stop_at).await? {
        return Ok(None);
    }
    let past = config.settings.enrollment_mail.reminder_is_past(stop_at, desk.now);
    let reminded = past.then_some(desk.now);
    let mut moved = 0;
    for place in reservations::of_task(connection, tenant, number).await? {
        // A reminder is due again only where the stop date is later than the one that was reminded of.
        let reminded = if stop_at <= place.stop_at { reminded.or(place.reminded_at) } else { reminded };
        if reservations::set_stop(connection, tenant, place.id, stop_at, reminded, desk.now).await? {
            activations::set_end_in_mail(connection, tenant, place.user, place.id, stop_at).await?;
            moved += 1;
        }
    }
    let detail = json!({ "stop_at": stop_at.rfc3339(), "people": moved });
    let object = ("provisioning_task", number.to_string());
    desk.record(connection, tenant, Action::ProvisioningChanged, object, detail).await?;
    Ok(Some(moved))
}

/// Removes a task: nobody in it who has not completed can enroll any more. Says for how many; `None` if it was
/// removed before.
///
/// # Errors
/// If the database fails.
pub async fn remove(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    number: TaskNumber,
) -> storage::Result<Option<usize>> {
    if !provisioning_tasks::remove(connection, tenant, number, desk.now).await? {
        return Ok(None);
    }
    let mut removed = 0;
    for place in reservations::of_task(connection, tenant, number).await? {
        removed += usize::from(withdraw(desk, connection, &place, "task removed").await?);
    }
    let object = ("provisioning_task", number.to_string());
    desk.record(connection, tenant, Action::ProvisioningRemoved, object, json!({ "people": removed })).await?;
    Ok(Some(removed))
}

/// Takes somebody's place in a task back. Says `false` if it was completed or removed before. An authenticator that was
/// enrolled stays.
///
/// # Errors
/// If the database fails.
pub async fn withdraw(
    desk: &Desk<'_>,
    connection: &mut Connection,
    place: &Reservation,
    reason: &str,
) -> storage::Result<bool> {
    if !reservations::remove(connection, place.tenant, place.id, desk.now).await? {
        return Ok(false);
    }
    mailed::shut(connection, place.tenant, place, desk.now).await?;
    let detail = json!({ "task": place.task.value(), "user": place.user.to_string(), "reason": reason });
    let object = ("reservation", place.id.to_string());
    desk.record(connection, place.tenant, Action::ReservationRemoved, object, detail).await?;
    Ok(true)
}

/// Takes back everything that is open for a person, who is removed.
///
/// # Errors
/// If the database fails.
pub(super) async fn forget(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    user: crate::domain::ids::UserId,
) -> storage::Result<()> {
    for place in reservations::of_user(connection, tenant, user).await? {
        withdraw(desk, connection, &place, "account removed").await?;
    }
    Ok(())
}

/// Marks somebody's place as expired whose time has passed. Says `false` if another instance was faster, or the
/// person.
///
/// # Errors
/// If the database fails.
pub async fn expire(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    place: &Reservation,
) -> storage::Result<bool> {
    if !reservations::expire(connection, config.tenant.id, place.id, desk.now).await? {
        return Ok(false);
    }
    mailed::shut(connection, place.tenant, place, desk.now).await?;
    let detail = json!({ "task": place.task.value(), "user": place.user.to_string() });
    let object = ("reservation", place.id.to_string());
    desk.record(connection, place.tenant, Action::ReservationExpired, object, detail).await?;
    let user = users::with_id(connection, place.tenant, place.user).await?;
    let alert = mailed::alert(Kind::ExpiredReservation, desk.now, place, user.as_ref(), String::new());
    alerts::raise(connection, desk.house, config, &alert).await?;
    desk.house.mail_waits.notify_one();
    Ok(true)
}

/// Reminds somebody, once, with a link of its own: those before it go on working, too. Says `false` if another
/// instance was faster, or the person; whoever cannot enroll now is not reminded either.
///
/// # Errors
/// If the database fails.
pub async fn remind(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    place: &Reservation,
) -> storage::Result<bool> {
    let tenant = config.tenant.id;
    let user = users::with_id(connection, tenant, place.user).await?;
    let user = user.filter(|user| user.status == user::Status::Enabled);
    let Some(user) = user.filter(|user| place.open(user.email.as_deref(), desk.now).is_ok()) else {
        return Ok(false);
    };
    if !reservations::remind(connection, tenant, place.id, desk.now).await? {
        return Ok(false);
    }
    invite(desk, connection, config, place, &user, Occasion::Reminder).await?;
    let detail = json!({ "task": place.task.value(), "user": place.user.to_string() });
    let object = ("reservation", place.id.to_string());
    desk.record(connection, tenant, Action::ReservationReminded, object, detail).await?;
    Ok(true)
}
