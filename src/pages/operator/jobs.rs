//! Work on many people or tokens: how far it is, and what became of each; and the import that begins one (T17).

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::shell::{FieldFault, Shell, time, time_or_dash};
use super::users::id_of;
use crate::domain::ids::JobId;
use crate::domain::job::{Import, Job, State, Work};
use crate::domain::operator::{Deed, Module};
use crate::exchange::csv::Written;
use crate::flow::administration::jobs as work;
use crate::http::guard::{Needs, Seat, Table};
use crate::http::upload::Upload;
use crate::http::{Answer, Fault, Form, intake, page};
use crate::storage::Connection;
use crate::storage::jobs::{self, JobRow};

/// So many jobs, and rows of one, are on a page.
const PAGE: u32 = 50;
const ROWS: u32 = 200;
const DONE: [(&str, &str); 2] =
    [("begun", "It has begun, and goes on by itself."), ("cancelled", "It was stopped. What was done stays.")];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    table.get("jobs", Needs::Any, list);
    table.get("jobs/{job}", Needs::Any, show);
    table.get("jobs/{job}/results.csv", Needs::Any, results);
    table.post("jobs/{job}/cancel", Needs::Any, cancel);
    table.get("import", Module::Users.needs(Deed::Import), import_form);
    table.post("import", Module::Users.needs(Deed::Import), import);
}

/// To the page of a job that has begun.
pub fn began(seat: &Seat, id: JobId) -> HttpResponse {
    page::see(&seat.path(&format!("jobs/{id}?done=begun")))
}

/// Where the permission to see a job, or to stop it, is found.
const fn module(work: &Work) -> Module {
    match work {
        Work::ImportPeople(_) | Work::People(_) => Module::Users,
        Work::Tokens(_) => Module::Tokens,
        Work::Provision(_) => Module::Provisioning,
    }
}

struct Entry {
    id: JobId,
    what: &'static str,
    state: &'static str,
    progress: String,
    failed: i64,
    by: String,
    begun: String,
    ended: String,
}

fn entry(job: &Job) -> Entry {
    Entry {
        id: job.id,
        what: job.work.words(),
        state: job.state.id(),
        progress: format!("{} of {}", job.done, job.total),
        failed: job.failed,
        by: job.actor.called().map_or_else(|| job.actor.name(), str::to_owned),
        begun: time(job.created_at),
        ended: time_or_dash(job.ended_at),
    }
}

#[derive(Template)]
#[template(path = "operator/jobs.html")]
struct JobsPage {
    shell: Shell,
    jobs: Vec<Entry>,
    next: Option<JobId>,
}

/// `GET …/operator/jobs`.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let mut after = None;
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if name == "after" {
            after = value.parse().ok();
        }
    }
    let tenant = seat.call.realm.tenant();
    let question = async |connection: &mut Connection| jobs::newest(tenant, after, PAGE).ask(connection).await;
    let found = seat.call.site.house.db.read(question).await?;
    let next = found.last().map(|job| job.id).filter(|_| found.len() == PAGE as usize);
    let seen = found.iter().filter(|job| seat.may(module(&job.work), Deed::Access)).map(entry).collect();
    page::page(&JobsPage { shell: Shell::titled(&seat, Module::Users, "Jobs"), jobs: seen, next })
}

/// The job of an address, if this operator may see it.
async fn job(seat: &Seat, id: JobId) -> Result<Job, Fault> {
    let tenant = seat.call.realm.tenant();
    let question = async |connection: &mut Connection| jobs::one(tenant, id).ask(connection).await;
    let job = seat.call.site.house.db.read(question).await?;
    job.filter(|job| seat.may(module(&job.work), Deed::Access)).ok_or(Fault::NotFound)
}

#[derive(Template)]
#[template(path = "operator/job.html")]
struct JobPage {
    shell: Shell,
    job: Entry,
    rows: Vec<JobRow>,
    percent: i64,
    goes_on: bool,
    may_cancel: bool,
    next: Option<i64>,
}

/// `GET …/operator/jobs/{job}`: looks again by itself while it goes on.
async fn show(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>) -> Answer {
    let job = job(&seat, id_of(path)?).await?;
    let mut after = 0;
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if name == "after" {
            after = value.parse().unwrap_or(0);
        }
    }
    let question = async |connection: &mut Connection| jobs::rows(connection, job.tenant, job.id, after, ROWS).await;
    let rows = seat.call.site.house.db.read(question).await?;
    let next = rows.last().map(|row| row.number).filter(|_| rows.len() == ROWS as usize);
    let page = JobPage {
        shell: Shell::titled(&seat, module(&job.work), job.work.words()).with_done(request.query_string(), &DONE),
        percent: (job.done.saturating_mul(100)).checked_div(job.total).unwrap_or(100),
        goes_on: matches!(job.state, State::Loading | State::Running),
        may_cancel: job.state == State::Running && job.actor == seat.desk().actor,
        job: entry(&job),
        rows,
        next,
    };
    page::page(&page)
}

/// `GET …/operator/jobs/{job}/results.csv`.
async fn results(seat: Seat, path: web::Path<(String, String)>) -> Answer {
    let job = job(&seat, id_of(path)?).await?;
    let mut table = Written::new(&["number", "name", "result", "detail"]);
    let mut after = 0;
    loop {
        let question =
            async |connection: &mut Connection| jobs::rows(connection, job.tenant, job.id, after, 1000).await;
        let rows = seat.call.site.house.db.read(question).await?;
        let Some(last) = rows.last().map(|row| row.number) else { break };
        after = last;
        for row in &rows {
            let outcome = row.outcome.as_deref().unwrap_or("open");
            table.row([row.number.to_string().as_str(), &row.name, outcome, &row.detail]);
        }
    }
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"));
    answer.insert_header((CONTENT_DISPOSITION, "attachment; filename=\"results.csv\""));
    Ok(answer.body(table.text()))
}

/// `POST …/operator/jobs/{job}/cancel`: by whoever began it.
async fn cancel(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let job = job(&seat, id_of(path)?).await?;
    if job.actor != seat.desk().actor {
        return Err(Fault::Forbidden);
    }
    work::cancel(&seat.desk(), job.tenant, job.id).await?;
    Ok(page::see(&seat.path(&format!("jobs/{}?done=cancelled", job.id))))
}

#[derive(Template)]
#[template(path = "operator/import.html")]
struct ImportPage {
    shell: Shell,
    columns: String,
}

fn import_page(seat: &Seat, wrong: Vec<FieldFault>) -> Answer {
    let shell = Shell::titled(seat, Module::Users, "Import users").with_faults(wrong);
    page::page(&ImportPage { shell, columns: crate::exchange::people::COLUMNS.join(", ") })
}

/// `GET …/operator/import`.
async fn import_form(seat: Seat) -> Answer {
    import_page(&seat, Vec::new())
}

/// `POST …/operator/import`: the file is read at once, and stored line by line as a job.
async fn import(seat: Seat, upload: Upload) -> Answer {
    seat.check(&upload.form)?;
    let form = &upload.form;
    let octets = if upload.file.is_empty() { form.text("text").as_bytes().to_vec() } else { upload.file };
    let held = &seat.seated.permissions;
    let rows = match intake::rows(&octets, &seat.call.realm.config, held) {
        Ok(rows) if !rows.is_empty() => rows,
        Ok(_) => return import_page(&seat, vec![FieldFault::new("file", "The file has a head and no lines.")]),
        Err(error) => {
            return import_page(&seat, vec![FieldFault::new("file", format!("The file cannot be read: {error}."))]);
        }
    };
    let how = Import {
        dry_run: form.text("really") != "yes",
        update: form.text("existing") != "keep",
        make_groups: form.text("groups") == "create" && seat.may(Module::Groups, Deed::Add),
    };
    let (tenant, address) = (seat.call.realm.tenant(), seat.call.visit.address.to_string());
    let id = work::begin(&seat.desk(), tenant, &address, &Work::ImportPeople(how), &rows).await?;
    Ok(began(&seat, id))
}
