//! Enrollment by mail (T11, T12): people are chosen and get a mail; tasks are listed, moved on, sent again and removed.

use std::collections::HashSet;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::codes;
use super::jobs::began;
use super::shell::{FieldFault, Shell, time};
use super::sure;
use super::users::{Choice, group_choices, id_of};
use crate::domain::ids::{GroupId, ReservationId, UserId};
use crate::domain::job::{LARGEST_SELECTION, PeopleDeed, Provision, Work};
use crate::domain::operator::{Deed, Module};
use crate::domain::provisioning_task::{Task, TaskNumber, TokenType};
use crate::domain::reservation::Status;
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::accounts;
use crate::flow::administration::jobs::{self, NewRow};
use crate::flow::administration::provisioning::{self, LONGEST_COMMENT};
use crate::http::guard::{LongForm, Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::{Connection, groups, provisioning_tasks, reservations, users};

const PAGE: u32 = 25;
const PEOPLE: u32 = 100;
const DONE: [(&str, &str); 3] = [
    ("moved", "The stop date was moved."),
    ("removed", "The task was removed. Authenticators that were enrolled stay."),
    ("nobody", "Nobody was selected."),
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Provisioning.needs(deed);
    table.get("provision", needs(Deed::Add), choose);
    table.post("provision/selection", needs(Deed::Add), choose_selected);
    table.post("provision", needs(Deed::Add), provision);
    table.get("provisioning", needs(Deed::Access), list);
    table.get("provisioning/{task}", needs(Deed::Access), show);
    table.post("provisioning/{task}/stop", needs(Deed::Edit), set_stop);
    table.post("provisioning/{task}/resend", needs(Deed::Edit), resend);
    table.post("provisioning/{task}/remove", needs(Deed::Delete), remove);
}

struct Chosen {
    id: UserId,
    username: String,
    email: String,
}

#[derive(Template)]
#[template(path = "operator/provision.html")]
struct ProvisionPage {
    shell: Shell,
    chosen: Vec<Chosen>,
    /// User IDs of those who are chosen and have no mail address (T11).
    without: Vec<String>,
    groups: Vec<Choice>,
    names: String,
    comment: String,
    days: String,
    oath: bool,
    again: bool,
}

async fn choice_page(seat: &Seat, shell: Shell, ids: &[UserId], form: Option<&Form>) -> Answer {
    let tenant = seat.call.realm.tenant();
    let question = async |connection: &mut Connection| {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(users::with_id(connection, tenant, *id).await?);
        }
        Ok(found)
    };
    let found = seat.call.site.house.db.look(question).await?;
    let text = |name: &str| form.map_or_else(String::new, |form| form.text(name).to_owned());
    let days = seat.call.realm.config.settings.enrollment_mail.days.to_string();
    let page = ProvisionPage {
        without: found.iter().filter(|user| user.email.is_none()).map(|user| user.username.clone()).collect(),
        chosen: found
            .into_iter()
            .map(|user| Chosen { id: user.id, username: user.username, email: user.email.unwrap_or_default() })
            .collect(),
        groups: group_choices(seat, &text("group")),
        names: text("names"),
        comment: text("comment"),
        days: if text("days").is_empty() { days } else { text("days") },
        oath: text("token_type") == TokenType::OathApp.id(),
        again: text("again") == "yes",
        shell,
    };
    page::page(&page)
}

fn shell(seat: &Seat) -> Shell {
    Shell::titled(seat, Module::Provisioning, "Provision")
}

/// `GET …/operator/provision`.
async fn choose(seat: Seat) -> Answer {
    choice_page(&seat, shell(&seat), &[], None).await
}

fn selected(form: &Form) -> Vec<UserId> {
    form.all("user").filter_map(|id| id.parse().ok()).take(LARGEST_SELECTION).collect()
}

/// `POST …/operator/provision/selection`: the same, with the people whose boxes were ticked.
async fn choose_selected(seat: Seat, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    choice_page(&seat, shell(&seat), &selected(&form), None).await
}

/// Everybody who is chosen: by box, by name, by group. Names that nobody has are said.
async fn people(seat: &Seat, form: &Form) -> Result<(Vec<NewRow>, Vec<String>), Fault> {
    let (tenant, config) = (seat.call.realm.tenant(), &seat.call.realm.config);
    let mut chosen: Vec<(UserId, String)> = Vec::new();
    let mut unknown = Vec::new();
    let (ids, names) = (selected(form), form.text("names"));
    let names: Vec<&str> = names
        .split([',', ';', '\n', '\r'])
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .take(LARGEST_SELECTION)
        .collect();
    let question = async |connection: &mut Connection| {
        let mut found = Vec::new();
        for id in &ids {
            found.extend(users::with_id(connection, tenant, *id).await?.map(|user| (user.id, user.username)));
        }
        let mut missing = Vec::new();
        for name in &names {
            match users::named(connection, tenant, name).await? {
                Some(user) => found.push((user.id, user.username)),
                None => missing.push((*name).to_owned()),
            }
        }
        Ok((found, missing))
    };
    let (found, missing) = seat.call.site.house.db.look(question).await?;
    chosen.extend(found);
    unknown.extend(missing);
    if let Ok(group) = form.text("group").parse::<GroupId>() {
        if config.group_name(group).is_none() {
            return Err(Fault::NotFound);
        }
        let mut after = None;
        loop {
            let question = async |connection: &mut Connection| {
                groups::members_after(tenant, group, after, 2000).ask(connection).await
            };
            let some = seat.call.site.house.db.look(question).await?;
            let Some((last, _)) = some.last() else { break };
            after = Some(*last);
            chosen.extend(some);
        }
    }
    let mut seen = HashSet::new();
    chosen.retain(|(id, _)| seen.insert(*id));
    let row = |(id, name): (UserId, String)| {
        let row = NewRow::person(id, &name);
        let beyond = accounts::is_beyond(config, &seat.seated.permissions, id);
        let why = || Err("is an operator with more permissions than yours".to_owned());
        if beyond { NewRow { input: why(), ..row } } else { row }
    };
    Ok((chosen.into_iter().map(row).collect(), unknown))
}

/// `POST …/operator/provision`: a job makes the task, and sends the mails.
async fn provision(seat: Seat, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    let (rows, unknown) = people(&seat, &form).await?;
    let mut wrong = Vec::new();
    if !unknown.is_empty() {
        let some: Vec<String> = unknown.into_iter().take(10).collect();
        wrong.push(FieldFault::new("names", format!("There is no account called {}.", some.join(", "))));
    } else if rows.is_empty() {
        wrong.push(FieldFault::new("names", "Choose somebody: by user ID or by group."));
    }
    let days = form.text("days").trim().parse::<u32>().ok().filter(|days| (1..=90).contains(days));
    if days.is_none() {
        wrong.push(FieldFault::new("days", "Days until it stops: 1 to 90."));
    }
    let comment = form.text("comment").trim();
    if comment.chars().count() > LONGEST_COMMENT || comment.chars().any(char::is_control) {
        wrong.push(FieldFault::new(
            "comment",
            format!("The comment: one line of at most {LONGEST_COMMENT} characters."),
        ));
    }
    if !wrong.is_empty() {
        return choice_page(&seat, shell(&seat).with_faults(wrong), &selected(&form), Some(&form)).await;
    }
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    let work = Work::Provision(Provision {
        number: TaskNumber::drawn(desk.house.entropy.below(TaskNumber::COUNT)).value(),
        token_type: TokenType::named(form.text("token_type")).unwrap_or_default(),
        stop_at: config.settings.enrollment_mail.stop_at(desk.now, days).micros(),
        comment: comment.to_owned(),
        issue_duplicates: form.text("again") == "yes",
    });
    let job = jobs::begin(&desk, seat.call.realm.tenant(), &work, &rows).await?;
    Ok(began(&seat, job))
}

struct TaskEntry {
    number: String,
    kind: &'static str,
    operator: String,
    comment: String,
    start: String,
    stop: String,
    people: i64,
    statuses: String,
}

fn task_entry(task: &Task, counts: &[(Status, i64)]) -> TaskEntry {
    let statuses: Vec<String> = counts.iter().map(|(status, number)| format!("{number} {}", status.id())).collect();
    TaskEntry {
        number: task.number.to_string(),
        kind: codes::token_type(task.token_type),
        operator: task.operator.clone(),
        comment: task.comment.clone(),
        start: time(task.started_at),
        stop: time(task.stop_at),
        people: counts.iter().map(|(_, number)| number).sum(),
        statuses: statuses.join(", "),
    }
}

#[derive(Template)]
#[template(path = "operator/provisioning.html")]
struct TasksPage {
    shell: Shell,
    tasks: Vec<TaskEntry>,
    next: String,
    may_add: bool,
}

/// `GET …/operator/provisioning`: the newest first.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let mut after = None;
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if name == "after"
            && let Some((at, number)) = value.split_once('-')
        {
            after = at.parse().ok().map(Timestamp::from_micros).zip(number.parse::<TaskNumber>().ok());
        }
    }
    let tenant = seat.call.realm.tenant();
    let question = async |connection: &mut Connection| {
        let tasks = provisioning_tasks::newest(connection, tenant, after, PAGE).await?;
        let mut found = Vec::with_capacity(tasks.len());
        for task in tasks {
            let counts = provisioning_tasks::counts_of(connection, tenant, task.number).await?;
            found.push((task, counts));
        }
        Ok(found)
    };
    let found = seat.call.site.house.db.look(question).await?;
    let last = found.last().filter(|_| found.len() == PAGE as usize);
    let page = TasksPage {
        shell: Shell::of(&seat, Module::Provisioning).with_done(request.query_string(), &DONE),
        next: last.map(|(task, _)| format!("{}-{}", task.started_at.micros(), task.number)).unwrap_or_default(),
        tasks: found.iter().map(|(task, counts)| task_entry(task, counts)).collect(),
        may_add: seat.may(Module::Provisioning, Deed::Add),
    };
    page::page(&page)
}

struct PlaceEntry {
    user: UserId,
    username: String,
    known: bool,
    status: &'static str,
    emailed_to: String,
    sent: String,
    sends: i64,
    stop: String,
    open: bool,
}

#[derive(Template)]
#[template(path = "operator/provisioning_task.html")]
struct TaskPage {
    shell: Shell,
    task: TaskEntry,
    /// The day of the stop date, for its field.
    stop_day: String,
    people: Vec<PlaceEntry>,
    next: String,
    may_edit: bool,
    may_remove: bool,
    may_see_users: bool,
}

async fn task(seat: &Seat, path: web::Path<(String, String)>) -> Result<(Task, Vec<(Status, i64)>), Fault> {
    let (tenant, number) = (seat.call.realm.tenant(), id_of::<TaskNumber>(path)?);
    let question = async |connection: &mut Connection| {
        let Some(task) = provisioning_tasks::with_number(connection, tenant, number).await? else { return Ok(None) };
        let counts = provisioning_tasks::counts_of(connection, tenant, number).await?;
        Ok(Some((task, counts)))
    };
    seat.call.site.house.db.look(question).await?.ok_or(Fault::NotFound)
}

async fn task_page(
    seat: &Seat,
    shell: Shell,
    (task, counts): (&Task, &[(Status, i64)]),
    after: Option<(Status, ReservationId)>,
) -> Answer {
    let tenant = task.tenant;
    let question = async |connection: &mut Connection| {
        reservations::page_of_task(connection, tenant, task.number, after, PEOPLE).await
    };
    let found = seat.call.site.house.db.look(question).await?;
    let last = found.last().filter(|_| found.len() == PEOPLE as usize);
    let page = TaskPage {
        next: last.map(|(place, _)| format!("{}-{}", place.status.id(), place.id)).unwrap_or_default(),
        people: found
            .iter()
            .map(|(place, name)| PlaceEntry {
                user: place.user,
                known: name.is_some(),
                username: name.clone().unwrap_or_else(|| "removed account".to_owned()),
                status: place.status.id(),
                emailed_to: place.emailed_to.clone(),
                sent: time(place.sent_at),
                sends: place.sends,
                stop: time(place.stop_at),
                open: place.token.is_none()
                    && matches!(place.status, Status::Active | Status::Locked | Status::Expired),
            })
            .collect(),
        stop_day: task.stop_at.rfc3339().chars().take(10).collect(),
        task: task_entry(task, counts),
        may_edit: task.removed_at.is_none() && seat.may(Module::Provisioning, Deed::Edit),
        may_remove: task.removed_at.is_none() && seat.may(Module::Provisioning, Deed::Delete),
        may_see_users: seat.may(Module::Users, Deed::Access),
        shell,
    };
    page::page(&page)
}

fn task_shell(seat: &Seat, task: &Task) -> Shell {
    Shell::titled(seat, Module::Provisioning, &format!("Provisioning task {}", task.number))
}

/// `GET …/operator/provisioning/{task}`.
async fn show(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>) -> Answer {
    let (task, counts) = task(&seat, path).await?;
    let mut after = None;
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if name == "after"
            && let Some((status, id)) = value.split_once('-')
        {
            after = Status::named(status).zip(id.parse().ok());
        }
    }
    let shell = task_shell(&seat, &task).with_done(request.query_string(), &DONE);
    task_page(&seat, shell, (&task, &counts), after).await
}

/// `POST …/operator/provisioning/{task}/stop`: until the end of a day, in UTC.
async fn set_stop(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (task, counts) = task(&seat, path).await?;
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    let end = Timestamp::end_of_day(form.text("stop")).filter(|end| *end > desk.now);
    let Some(stop_at) = end.filter(|end| end.since(desk.now) <= std::time::Duration::from_secs(91 * 86_400)) else {
        let fault = FieldFault::new("stop", "Stop date: a day from today to 90 days on, such as 2027-02-28.");
        let shell = task_shell(&seat, &task).with_faults(vec![fault]);
        return task_page(&seat, shell, (&task, &counts), None).await;
    };
    let work = async |connection: &mut Connection| {
        provisioning::set_stop(&desk, connection, config, task.number, stop_at).await
    };
    if desk.house.db.write(work).await?.is_none() {
        let shell = task_shell(&seat, &task).with_complaint("The task was removed meanwhile.");
        return task_page(&seat, shell, (&task, &counts), None).await;
    }
    Ok(page::see(&seat.path(&format!("provisioning/{}?done=moved", task.number))))
}

/// `POST …/operator/provisioning/{task}/resend`: for those who are ticked, as a job.
async fn resend(seat: Seat, path: web::Path<(String, String)>, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    let (task, _) = task(&seat, path).await?;
    let rows = super::users::ticked(&seat, &form).await?;
    if rows.is_empty() {
        return Ok(page::see(&seat.path(&format!("provisioning/{}?done=nobody", task.number))));
    }
    let work = Work::People(PeopleDeed::Resend);
    let job = jobs::begin(&seat.desk(), task.tenant, &work, &rows).await?;
    Ok(began(&seat, job))
}

/// The page that asks before a task goes: for how many people it does.
fn ask_first(seat: &Seat, task: &Task, counts: &[(Status, i64)], form: &Form) -> Answer {
    let open = |status: Status| matches!(status, Status::Active | Status::Locked | Status::Expired);
    let open: i64 = counts.iter().filter(|(status, _)| open(*status)).map(|(_, number)| number).sum();
    let who = match open {
        0 => "Nobody in it is still to enroll.".to_owned(),
        1 => "One person in it is still to enroll: the link in the mail does not work any more.".to_owned(),
        many => format!("{many} people in it are still to enroll: the links in their mails do not work any more."),
    };
    let stays = "Authenticators that were enrolled stay. Whoever is to enroll all the same gets a new task.";
    let shell = Shell::titled(seat, Module::Provisioning, &format!("Remove the provisioning task {}?", task.number));
    let page = seat.path(&format!("provisioning/{}", task.number));
    sure::ask(shell, form, (vec![who, stays.to_owned()], "Yes, remove"), (format!("{page}/remove"), page))
}

/// `POST …/operator/provisioning/{task}/remove`.
async fn remove(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (task, counts) = task(&seat, path).await?;
    if task.removed_at.is_none() && !sure::said(&form) {
        return ask_first(&seat, &task, &counts, &form);
    }
    let desk = seat.desk();
    let work =
        async |connection: &mut Connection| provisioning::remove(&desk, connection, task.tenant, task.number).await;
    desk.house.db.write(work).await?;
    Ok(page::see(&seat.path("provisioning?done=removed")))
}
