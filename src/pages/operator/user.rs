//! A person (T2): profile, groups, state of the account, authenticators, open enrollments, sessions, and what the help desk does.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::codes;
use super::shell::{FieldFault, Shell, time, time_or_dash};
use super::sure;
use super::users::{Choice, ProfileForm, faults, group_choices, id_of, standing, typed};
use crate::domain::audit::chain::Entry;
use crate::domain::authenticator::lifecycle::State;
use crate::domain::ids::{GroupId, ReservationId, SessionId, UserId};
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::rollout::HelpDeskPass;
use crate::domain::reservation;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Status, User};
use crate::flow::administration::accounts::{self, Outcome, Typed};
use crate::flow::administration::{people as desk_of_people, provisioning, recovery};
use crate::flow::session;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::people::{self, AccountState, Listed};
use crate::storage::sessions::Described;
use crate::storage::tokens::{self, Token};
use crate::storage::{self, Connection, audit, reservations, sessions, users};

const DONE: [(&str, &str); 15] = [
    ("made", "The account was made."),
    ("saved", "The account was saved."),
    ("group", "The groups were changed."),
    ("unlocked", "The account is unlocked."),
    ("ended", "The sessions have ended."),
    ("enabled", "The account is enabled."),
    ("disabled", "The account is disabled; open logins and sessions have ended."),
    ("password", "The password was changed; open logins and sessions have ended."),
    ("sent", "The mail is on its way."),
    ("withdrawn", "The person was taken out of the task."),
    ("reopened", "Enrollment is open again."),
    ("again", "The person may enroll at the login again."),
    ("not-again", "The next authenticator takes the help desk."),
    ("confirmed", "The pass is confirmed and works now."),
    ("void", "Every recovery code, temporary code and pass is void."),
];

/// So many events are on the page.
const HISTORY: i64 = 50;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let user = |deed| Module::Users.needs(deed);
    let care = Module::AccountCare.needs(Deed::Edit);
    table.get("users/{user}", user(Deed::Access), show);
    table.post("users/{user}", user(Deed::Edit), edit);
    table.post("users/{user}/enable", user(Deed::Edit), enable);
    table.post("users/{user}/disable", user(Deed::Edit), disable);
    table.post("users/{user}/password", user(Deed::Edit), set_password);
    table.post("users/{user}/groups/add", Module::Groups.needs(Deed::Edit), enter);
    table.post("users/{user}/groups/remove", Module::Groups.needs(Deed::Edit), leave);
    table.post("users/{user}/unlock", care, unlock);
    table.post("users/{user}/sessions/end", care, end_sessions);
    table.post("users/{user}/enrollments/resend", Module::Provisioning.needs(Deed::Edit), resend);
    table.post("users/{user}/enrollments/withdraw", Module::Provisioning.needs(Deed::Delete), withdraw);
    let codes = |deed| Module::HelpDeskCodes.needs(deed);
    table.post("users/{user}/reopen", codes(Deed::Add), reopen);
    table.post("users/{user}/enroll-again", codes(Deed::Add), enroll_again);
    table.post("users/{user}/pass", codes(Deed::Add), pass);
    table.post("users/{user}/pass/confirm", codes(Deed::Add), confirm_pass);
    table.post("users/{user}/codes", codes(Deed::Add), temporary);
    table.post("users/{user}/codes/void", codes(Deed::Delete), void_codes);
    table.post("users/{user}/data.json", user(Deed::Export), personal_data);
    table.post("users/{user}/erase", user(Deed::Delete), erase);
}

struct TokenEntry {
    serial: String,
    name: String,
    kind: &'static str,
    target: &'static str,
    state: String,
    good: bool,
    rule: String,
    last_used: String,
}

struct PlaceEntry {
    id: ReservationId,
    task: String,
    status: &'static str,
    sent: String,
    stop: String,
    open: bool,
}

struct SessionEntry {
    id: SessionId,
    started: String,
    seen: String,
    address: String,
    browser: String,
}

/// Something that happened to the person, or that the person did.
struct HistoryEntry {
    at: String,
    who: String,
    what: String,
    reason: String,
    address: String,
}

struct GroupEntry {
    id: GroupId,
    name: String,
}

#[derive(Template)]
#[template(path = "operator/user.html")]
struct UserPage {
    shell: Shell,
    id: UserId,
    version: i64,
    form: ProfileForm,
    username: String,
    email: String,
    phone: String,
    alias: String,
    name: String,
    language: String,
    state: &'static str,
    good: bool,
    enabled: bool,
    standing: &'static str,
    /// Why enrollment is closed whatever the settings say; empty if it is not.
    closed: String,
    /// Whether there was an authenticator, so that it can be said who may enroll the next one.
    enrolled: bool,
    /// Whether one operator alone may let the person enroll the next one.
    alone: bool,
    made: String,
    last_login: String,
    groups: Vec<GroupEntry>,
    other_groups: Vec<Choice>,
    tokens: Vec<TokenEntry>,
    places: Vec<PlaceEntry>,
    sessions: Vec<SessionEntry>,
    history: Vec<HistoryEntry>,
    may_see_history: bool,
    passes: bool,
    /// Codes that were made a moment ago, shown this once.
    codes: Vec<SecretString>,
    codes_until: String,
    codes_wait: bool,
    /// Whether this is an operator with more permissions: then nothing can be changed here.
    beyond: bool,
    may_edit: bool,
    may_group: bool,
    may_care: bool,
    may_resend: bool,
    may_withdraw: bool,
    may_code: bool,
    may_void: bool,
    may_export: bool,
    may_erase: bool,
    may_see_tokens: bool,
    may_provision: bool,
    may_explain: bool,
    may_see_attempts: bool,
    may_see_enrollments: bool,
}

impl UserPage {
    /// The codes that are shown this once.
    fn shown(&self) -> Vec<&str> {
        self.codes.iter().map(|code| code.expose_secret()).collect()
    }
}

/// What a page about a person is made of.
struct Person {
    listed: Listed,
    groups: Vec<GroupId>,
    tokens: Vec<Token>,
    places: Vec<reservation::Reservation>,
    sessions: Vec<Described>,
    history: Vec<Entry>,
}

async fn person(seat: &Seat, id: UserId) -> Result<Person, Fault> {
    let tenant = seat.call.realm.tenant();
    let history = seat.may(Module::Users, Deed::ViewLog);
    let question = async |connection: &mut Connection| {
        let Some(listed) = people::one(tenant, id).ask(connection).await? else { return Ok(None) };
        let history = match history {
            true => audit::newest_about(tenant, &id.to_string(), HISTORY).ask(connection).await?,
            false => Vec::new(),
        };
        Ok(Some(Person {
            history,
            groups: users::groups_of(connection, tenant, id).await?,
            tokens: tokens::ever_of(tenant, id).ask(connection).await?,
            places: reservations::of_user(connection, tenant, id).await?,
            sessions: sessions::described_of(tenant, id).ask(connection).await?,
            listed,
        }))
    };
    seat.call.site.house.db.look(question).await?.ok_or(Fault::NotFound)
}

/// The account of an address, which this operator may change.
async fn account(seat: &Seat, id: UserId) -> Result<User, Fault> {
    let tenant = seat.call.realm.tenant();
    let found = seat.call.site.house.db.look(async |connection| users::with_id(connection, tenant, id).await);
    let user = found.await?.ok_or(Fault::NotFound)?;
    let beyond = accounts::is_beyond(&seat.call.realm.config, &seat.seated.permissions, id);
    if beyond { Err(Fault::Forbidden) } else { Ok(user) }
}

fn token_entry(token: &Token) -> TokenEntry {
    let state = match (token.lock, token.disposition) {
        (Some(lock), _) => format!("locked ({})", lock.id()),
        (_, Some(disposition)) if token.state == State::Revoked => {
            format!("revoked ({})", disposition.id().replace('_', " "))
        }
        _ => token.state.id().to_owned(),
    };
    TokenEntry {
        serial: token.serial.clone(),
        name: token.name.clone(),
        kind: codes::kind(token.kind),
        target: token.platform.map_or("–", codes::platform),
        good: token.state == State::Active,
        state,
        rule: token.rule.clone().unwrap_or_else(|| "–".to_owned()),
        last_used: time_or_dash(token.last_used_at),
    }
}

fn history_entry(event: &Entry) -> HistoryEntry {
    let detail = serde_json::from_str::<serde_json::Value>(&event.detail).unwrap_or_default();
    let reason = detail.get("reason").and_then(serde_json::Value::as_str).unwrap_or_default();
    HistoryEntry {
        at: time(Timestamp::from_micros(event.at)),
        who: match &event.actor_name {
            Some(name) => name.clone(),
            None if event.actor_kind == "shell" => event.actor.clone(),
            None => event.actor_kind.clone(),
        },
        what: event.action.replace('_', " "),
        reason: codes::told(reason),
        address: event.address.clone(),
    }
}

fn user_page(seat: &Seat, shell: Shell, person: &Person, typed: Option<Typed>) -> UserPage {
    let (config, now) = (&seat.call.realm.config, seat.call.visit.now);
    let (listed, user) = (&person.listed, &person.listed.user);
    let state = listed.state(now);
    let is_in = |choice: &Choice| person.groups.iter().any(|id| id.to_string() == choice.id);
    let settings = config.settings.session;
    let beyond = accounts::is_beyond(config, &seat.seated.permissions, user.id);
    let may = |module: Module, deed| !beyond && seat.may(module, deed);
    let dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "–".to_owned());
    let alive = |one: &&Described| one.session.alive(settings, user.security_version, now);
    UserPage {
        id: user.id,
        version: listed.version,
        form: ProfileForm::of(typed.unwrap_or_else(|| Typed::of(user))),
        username: user.username.clone(),
        email: dash(user.email.clone()),
        alias: dash(user.alias.clone()),
        phone: dash(user.phone.as_ref().map(|phone| phone.number.clone())),
        name: dash(Some(format!("{} {}", user.first_name, user.last_name).trim().to_owned())),
        language: dash(user.language.clone()),
        state: state.id(),
        good: state == AccountState::Enabled,
        enabled: user.status == Status::Enabled,
        standing: standing(listed.authenticators),
        closed: if needs_help(user) { NEEDS_HELP.to_owned() } else { String::new() },
        enrolled: user.first_enrolled_at.is_some(),
        alone: !recovery::takes_two(config),
        made: time(listed.created_at),
        last_login: time_or_dash(listed.last_login_at),
        groups: person
            .groups
            .iter()
            .filter_map(|id| Some(GroupEntry { id: *id, name: config.group_name(*id)?.to_owned() }))
            .collect(),
        other_groups: group_choices(seat, "").into_iter().filter(|choice| !is_in(choice)).collect(),
        tokens: person.tokens.iter().map(token_entry).collect(),
        places: person
            .places
            .iter()
            .map(|place| PlaceEntry {
                id: place.id,
                task: place.task.to_string(),
                status: place.status.id(),
                sent: time(place.sent_at),
                stop: time(place.stop_at),
                open: place.token.is_none()
                    && !matches!(place.status, reservation::Status::Completed | reservation::Status::Removed),
            })
            .collect(),
        sessions: person
            .sessions
            .iter()
            .filter(alive)
            .map(|one| SessionEntry {
                id: one.session.id,
                started: time(one.session.started_at),
                seen: time(one.session.last_seen_at),
                address: dash(Some(one.address.clone())),
                browser: dash(Some(one.user_agent.clone())),
            })
            .collect(),
        history: person.history.iter().map(history_entry).collect(),
        may_see_history: seat.may(Module::Users, Deed::ViewLog),
        passes: config.settings.self_provisioning.gates.help_desk_pass != HelpDeskPass::None,
        codes: Vec::new(),
        codes_until: String::new(),
        codes_wait: false,
        may_edit: may(Module::Users, Deed::Edit),
        may_group: may(Module::Groups, Deed::Edit),
        may_care: may(Module::AccountCare, Deed::Edit),
        may_resend: may(Module::Provisioning, Deed::Edit),
        may_withdraw: may(Module::Provisioning, Deed::Delete),
        may_code: may(Module::HelpDeskCodes, Deed::Add),
        may_void: may(Module::HelpDeskCodes, Deed::Delete),
        may_export: may(Module::Users, Deed::Export),
        may_erase: may(Module::Users, Deed::Delete),
        may_see_tokens: seat.may(Module::Tokens, Deed::Access),
        may_provision: may(Module::Provisioning, Deed::Add),
        may_explain: seat.may(Module::Explain, Deed::Access),
        may_see_attempts: seat.may(Module::AccessLog, Deed::Access),
        may_see_enrollments: seat.may(Module::EnrollmentHistory, Deed::Access),
        beyond,
        shell,
    }
}

fn shell(seat: &Seat, user: &User) -> Shell {
    Shell::titled(seat, Module::Users, &format!("User {}", user.username))
}

/// `GET …/operator/users/{user}`.
async fn show(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>) -> Answer {
    let person = person(&seat, id_of(path)?).await?;
    let shell = shell(&seat, &person.listed.user).with_done(request.query_string(), &DONE);
    page::page(&user_page(&seat, shell, &person, None))
}

fn done(seat: &Seat, id: UserId, word: &str) -> Answer {
    Ok(page::see(&seat.path(&format!("users/{id}?done={word}"))))
}

async fn complain(seat: &Seat, id: UserId, complaint: &str) -> Answer {
    let person = person(seat, id).await?;
    let shell = shell(seat, &person.listed.user).with_complaint(complaint);
    page::page(&user_page(seat, shell, &person, None))
}

const OVERTAKEN: &str = "Somebody else changed the account meanwhile. Nothing was changed: look at what is there now.";

/// `POST …/operator/users/{user}`: the fields of the profile.
async fn edit(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let (typed, version) = (typed(&form), form.text("version").parse().unwrap_or(-1));
    // Without a version nobody knows what was looked at.
    let outcome = match version {
        ..0 => Outcome::Overtaken,
        version => accounts::edit(&seat.desk(), &seat.call.realm.config, user.id, version, &typed).await?,
    };
    let person = match outcome {
        Outcome::Done => return done(&seat, user.id, "saved"),
        Outcome::Wrong(_) | Outcome::Overtaken => person(&seat, user.id).await?,
    };
    let shell = shell(&seat, &user);
    let (shell, version) = match outcome {
        Outcome::Wrong(wrong) => (shell.with_faults(faults(wrong)), version),
        _ => (shell.with_complaint(OVERTAKEN), person.listed.version),
    };
    let mut page = user_page(&seat, shell, &person, Some(typed));
    page.version = version;
    page::page(&page)
}

async fn enable(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    set_status(seat, path, form, Status::Enabled).await
}

async fn disable(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    set_status(seat, path, form, Status::Disabled).await
}

/// `POST …/operator/users/{user}/enable`, `…/disable`.
async fn set_status(seat: Seat, path: web::Path<(String, String)>, form: Form, status: Status) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let (desk, version) = (seat.desk(), form.text("version").parse().ok());
    let work =
        async |connection: &mut Connection| accounts::set_status(&desk, connection, (&user, version), status).await;
    match desk.house.db.write(work).await? {
        Ok(true) => done(&seat, user.id, if status == Status::Enabled { "enabled" } else { "disabled" }),
        Ok(false) => complain(&seat, user.id, OVERTAKEN).await,
        Err(why) => complain(&seat, user.id, &format!("Nothing was changed: the account {why}.")).await,
    }
}

/// `POST …/operator/users/{user}/password`.
async fn set_password(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    match accounts::set_password(&seat.desk(), &user, &form.secret("password")).await? {
        Ok(()) => done(&seat, user.id, "password"),
        Err(fault) => {
            let person = person(&seat, user.id).await?;
            let shell = shell(&seat, &user).with_faults(faults(vec![fault]));
            page::page(&user_page(&seat, shell, &person, None))
        }
    }
}

async fn enter(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    set_membership(seat, path, form, true).await
}

async fn leave(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    set_membership(seat, path, form, false).await
}

async fn set_membership(seat: Seat, path: web::Path<(String, String)>, form: Form, member: bool) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let group = form.text("group").parse::<GroupId>().map_err(|_| Fault::NotFound)?;
    if seat.call.realm.config.group_name(group).is_none() {
        return Err(Fault::NotFound);
    }
    let desk = seat.desk();
    let work = async |connection: &mut Connection| {
        desk_of_people::set_membership(&desk, connection, &user, group, member).await
    };
    desk.house.db.write(work).await?;
    done(&seat, user.id, "group")
}

/// `POST …/operator/users/{user}/unlock`.
async fn unlock(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let desk = seat.desk();
    desk.house.db.write(async |connection| desk_of_people::unlock(&desk, connection, &user).await).await?;
    done(&seat, user.id, "unlocked")
}

/// `POST …/operator/users/{user}/sessions/end`: one, or all of them.
async fn end_sessions(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let (desk, one) = (seat.desk(), form.text("session").parse::<SessionId>().ok());
    let work = async |connection: &mut Connection| match one {
        None => desk_of_people::end_sessions(&desk, connection, &user).await,
        Some(id) => match sessions::with_id(connection, user.tenant, id).await?.filter(|its| its.user == user.id) {
            Some(its) => session::ended_by(&desk, connection, &its).await,
            None => Ok(()),
        },
    };
    desk.house.db.write(work).await?;
    done(&seat, user.id, "ended")
}

/// The place in a task that a form names, if it is this person's.
async fn place(seat: &Seat, user: &User, form: &Form) -> Result<reservation::Reservation, Fault> {
    let id = form.text("place").parse::<ReservationId>().map_err(|_| Fault::NotFound)?;
    let question = async |connection: &mut Connection| reservations::with_id(user.tenant, id).ask(connection).await;
    let found = seat.call.site.house.db.look(question).await?;
    found.filter(|place| place.user == user.id).ok_or(Fault::NotFound)
}

/// `POST …/operator/users/{user}/enrollments/resend`.
async fn resend(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let place = place(&seat, &user, &form).await?;
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    let stop_at = config.settings.enrollment_mail.stop_at(desk.now, None);
    let work =
        async |connection: &mut Connection| provisioning::resend(&desk, connection, config, &place, stop_at).await;
    match desk.house.db.write(work).await? {
        Ok(()) => {
            desk.house.mail_waits.notify_one();
            done(&seat, user.id, "sent")
        }
        Err(why) => complain(&seat, user.id, &format!("No mail was sent: the person {why}.")).await,
    }
}

/// The page that asks before somebody loses a place in a task.
fn ask_before_withdrawing(seat: &Seat, user: &User, place: &reservation::Reservation, form: &Form) -> Answer {
    let lines = vec![
        "The link in the mail does not work any more. An authenticator that was enrolled stays.".to_owned(),
        "Whoever is to enroll all the same gets a new task.".to_owned(),
    ];
    let title = format!("Take {} out of the provisioning task {}?", user.username, place.task);
    let shell = Shell::titled(seat, Module::Users, &title);
    let page = seat.path(&format!("users/{}", user.id));
    sure::ask(shell, form, (lines, "Yes, take out"), (format!("{page}/enrollments/withdraw"), page))
}

/// `POST …/operator/users/{user}/enrollments/withdraw`.
async fn withdraw(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let place = place(&seat, &user, &form).await?;
    let over = matches!(place.status, reservation::Status::Completed | reservation::Status::Removed);
    if !over && !sure::said(&form) {
        return ask_before_withdrawing(&seat, &user, &place, &form);
    }
    let desk = seat.desk();
    let work = async |connection: &mut Connection| {
        provisioning::withdraw(&desk, connection, &place, "taken out by an operator").await
    };
    desk.house.db.write(work).await?;
    done(&seat, user.id, "withdrawn")
}

/// Why the login offers somebody no other authenticator, however open enrollment is.
const NEEDS_HELP: &str = "an authenticator of this person was revoked so that the next one takes the help desk";

/// Whether that is so for this person (T-01).
const fn needs_help(user: &User) -> bool {
    user.first_enrolled_at.is_some() && matches!(user.may_enroll_again, Some(false))
}

/// `POST …/operator/users/{user}/reopen` (T-01).
async fn reopen(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let desk = seat.desk();
    desk.house.db.write(async |connection| recovery::reopen(&desk, connection, &user).await).await?;
    if needs_help(&user) {
        let config = &seat.call.realm.config;
        let or = match config.settings.self_provisioning.gates.take_passes() {
            true if recovery::takes_two(config) => " or give a one-time pass",
            true => ", give a one-time pass, or let the person enroll again",
            false => " or let the person enroll again",
        };
        let words = format!("Enrollment is not open: {NEEDS_HELP}. Send an enrollment mail (Provision){or}.");
        return complain(&seat, user.id, &words).await;
    }
    done(&seat, user.id, "reopened")
}

/// `POST …/operator/users/{user}/enroll-again`: whether the next authenticator takes the help desk (T-01).
async fn enroll_again(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    let (allowed, word) = match form.text("again") {
        "allow" => (true, "again"),
        "forbid" => (false, "not-again"),
        _ => return complain(&seat, user.id, "Nothing was changed: it was not said who may enroll.").await,
    };
    let work = async |connection: &mut Connection| {
        recovery::enroll_again(&desk, connection, config, &user, Some(allowed)).await
    };
    match desk.house.db.write(work).await? {
        Ok(()) => done(&seat, user.id, word),
        Err(why) => complain(&seat, user.id, &format!("Nothing was changed: {why}.")).await,
    }
}

/// The page with codes that are shown this once (T-62).
async fn show_codes(seat: &Seat, user: &User, codes: Vec<SecretString>, until: String, wait: bool) -> Answer {
    let person = person(seat, user.id).await?;
    let mut page = user_page(seat, shell(seat, user), &person, None);
    (page.codes, page.codes_until, page.codes_wait) = (codes, until, wait);
    page::page(&page)
}

/// `POST …/operator/users/{user}/pass`: a pass that opens enrollment once.
async fn pass(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    if config.settings.self_provisioning.gates.help_desk_pass == HelpDeskPass::None {
        return complain(&seat, user.id, "Passes are switched off in the self-provisioning settings.").await;
    }
    let work = async |connection: &mut Connection| recovery::pass(&desk, connection, config, &user).await;
    match desk.house.db.write(work).await? {
        Ok(made) => show_codes(&seat, &user, vec![made.code], time(made.expires_at), made.waits).await,
        Err(why) => complain(&seat, user.id, &why.to_string()).await,
    }
}

/// `POST …/operator/users/{user}/pass/confirm`: by another operator than the one who made it.
async fn confirm_pass(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    let work = async |connection: &mut Connection| recovery::confirm_pass(&desk, connection, config, &user).await;
    match desk.house.db.write(work).await? {
        Ok(Some(_)) => done(&seat, user.id, "confirmed"),
        _ => complain(&seat, user.id, "Nothing was confirmed: there is no pass that you may confirm.").await,
    }
}

/// `POST …/operator/users/{user}/codes`: temporary codes.
async fn temporary(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let number = |name: &str, most: u8| form.text(name).trim().parse::<u8>().ok().filter(|it| (1..=most).contains(it));
    let hours = number("hours", recovery::LONGEST_HOURS);
    let count = number("count", recovery::MOST_CODES);
    let (Some(hours), Some(count)) = (hours, count) else {
        let person = person(&seat, user.id).await?;
        let mut wrong = Vec::new();
        if hours.is_none() {
            wrong.push(FieldFault::new("hours", format!("Hours: 1 to {}.", recovery::LONGEST_HOURS)));
        }
        if count.is_none() {
            wrong.push(FieldFault::new("count", format!("Number of codes: 1 to {}.", recovery::MOST_CODES)));
        }
        let shell = shell(&seat, &user).with_faults(wrong);
        return page::page(&user_page(&seat, shell, &person, None));
    };
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    let work =
        async |connection: &mut Connection| recovery::temporary(&desk, connection, config, &user, (hours, count)).await;
    let codes = desk.house.db.write(work).await?;
    let until = desk.now.plus(std::time::Duration::from_secs(u64::from(hours) * 3600));
    show_codes(&seat, &user, codes, time(until), false).await
}

/// The page that asks before every code of a person is void.
fn ask_before_voiding(seat: &Seat, user: &User, form: &Form) -> Answer {
    let lines = vec![
        "No recovery code, temporary code or one-time pass of this person works any more, those on paper included."
            .to_owned(),
        "Authenticators stay. Whoever needs a code all the same gets a new one.".to_owned(),
    ];
    let shell = Shell::titled(seat, Module::Users, &format!("Void every code and pass of {}?", user.username));
    let page = seat.path(&format!("users/{}", user.id));
    sure::ask(shell, form, (lines, "Yes, void them"), (format!("{page}/codes/void"), page))
}

/// `POST …/operator/users/{user}/codes/void`.
async fn void_codes(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    if !sure::said(&form) {
        return ask_before_voiding(&seat, &user, &form);
    }
    let desk = seat.desk();
    desk.house.db.write(async |connection| recovery::void(&desk, connection, &user).await).await?;
    done(&seat, user.id, "void")
}

/// `POST …/operator/users/{user}/data.json`: what is kept of the person, for the person.
async fn personal_data(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    let work = async |connection: &mut Connection| -> storage::Result<_> {
        accounts::personal_data(&desk, connection, config, user.id).await
    };
    let document = desk.house.db.write(work).await?.ok_or(Fault::NotFound)?;
    let text = serde_json::to_string_pretty(&document).map_err(|error| Fault::Internal(error.to_string()))?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "application/json"));
    answer.insert_header((CONTENT_DISPOSITION, "attachment; filename=\"personal-data.json\""));
    Ok(answer.body(text))
}

/// `POST …/operator/users/{user}/erase`: whoever does it types the user ID.
async fn erase(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let user = account(&seat, id_of(path)?).await?;
    if let Some(first) = super::step_up(&seat, &request, &format!("users/{}", user.id)).await? {
        return Ok(first);
    }
    if form.text("confirm").trim() != user.username {
        let person = person(&seat, user.id).await?;
        let fault = FieldFault::new("confirm", "Type the user ID to confirm that the person is to be erased.");
        let shell = shell(&seat, &user).with_faults(vec![fault]);
        return page::page(&user_page(&seat, shell, &person, None));
    }
    match accounts::erase(&seat.desk(), &user).await? {
        Ok(()) => Ok(page::see(&seat.path("users?done=erased"))),
        Err(why) => complain(&seat, user.id, &format!("Nothing was erased: the account {why}.")).await,
    }
}
