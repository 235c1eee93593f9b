//! Work on many people or tokens: how far it is, and what became of each; and the import that begins one (T17).

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::shell::{FieldFault, Shell, time, time_or_dash};
use super::users::id_of;
use crate::domain::ids::JobId;
use crate::domain::job::{Import, ImportTokens, Job, State, Work};
use crate::domain::operator::{Deed, Module, Permission};
use crate::exchange::pskc::{Protection, key_of_hex};
use crate::flow::administration::jobs::{self as work, NewRow};
use crate::http::guard::{Needs, Seat, Table};
use crate::http::upload::Upload;
use crate::http::{Answer, Fault, Form, files, intake, page};
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
    table.get("tokens/import", Module::Tokens.needs(Deed::Import), token_form);
    table.post("tokens/import", Module::Tokens.needs(Deed::Import), import_tokens);
}

/// To the page of a job that has begun.
pub fn began(seat: &Seat, id: JobId) -> HttpResponse {
    page::see(&seat.path(&format!("jobs/{id}?done=begun")))
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
    let found = seat.call.site.house.db.look(question).await?;
    let next = found.last().map(|job| job.id).filter(|_| found.len() == PAGE as usize);
    let seen = found.iter().filter(|job| seat.may(job.work.module(), Deed::Access)).map(entry).collect();
    page::page(&JobsPage { shell: Shell::titled(&seat, Module::Users, "Jobs"), jobs: seen, next })
}

/// The job of an address, if this operator may see it.
async fn job(seat: &Seat, id: JobId) -> Result<Job, Fault> {
    let tenant = seat.call.realm.tenant();
    let question = async |connection: &mut Connection| jobs::one(tenant, id).ask(connection).await;
    let job = seat.call.site.house.db.look(question).await?;
    job.filter(|job| seat.may(job.work.module(), Deed::Access)).ok_or(Fault::NotFound)
}

/// Whether a job only looks what would be.
const fn is_dry(work: &Work) -> bool {
    match work {
        Work::ImportPeople(how) => how.dry_run,
        Work::ImportTokens(how) => how.dry_run,
        Work::People(_) | Work::Tokens(_) | Work::Provision(_) => false,
    }
}

/// A row of a dry run, which says what would be.
fn would(row: JobRow) -> JobRow {
    let words = |outcome: String| match outcome.as_str() {
        "created" | "changed" | "stocked" | "given" => format!("would be {outcome}"),
        _ => outcome,
    };
    JobRow { outcome: row.outcome.map(words), ..row }
}

fn notes(work: &Work) -> Vec<String> {
    match work {
        Work::ImportTokens(how) => how.notes.clone(),
        Work::ImportPeople(_) | Work::People(_) | Work::Tokens(_) | Work::Provision(_) => Vec::new(),
    }
}

#[derive(Template)]
#[template(path = "operator/job.html")]
struct JobPage {
    shell: Shell,
    job: Entry,
    /// Why the service stopped it; empty if it did not.
    error: String,
    /// What is to be said of the whole.
    notes: Vec<String>,
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
    let rows = seat.call.site.house.db.look(question).await?;
    let next = rows.last().map(|row| row.number).filter(|_| rows.len() == ROWS as usize);
    let rows = if is_dry(&job.work) { rows.into_iter().map(would).collect() } else { rows };
    let page = JobPage {
        shell: Shell::titled(&seat, job.work.module(), job.work.words()).with_done(request.query_string(), &DONE),
        percent: (job.done.saturating_mul(100)).checked_div(job.total).unwrap_or(100),
        goes_on: matches!(job.state, State::Loading | State::Running),
        may_cancel: matches!(job.state, State::Loading | State::Running) && job.actor.is(&seat.desk().actor),
        job: entry(&job),
        error: job.error.clone().unwrap_or_default(),
        notes: notes(&job.work),
        rows,
        next,
    };
    page::page(&page)
}

/// `GET …/operator/jobs/{job}/results.csv`.
async fn results(seat: Seat, path: web::Path<(String, String)>) -> Answer {
    let job = job(&seat, id_of(path)?).await?;
    let site = seat.call.site.clone();
    Ok(files::streamed(files::Kind::Csv, "results", work::RESULTS, move |after| {
        let site = site.clone();
        async move { work::results(&site.house, (job.tenant, job.id), after.as_deref()).await }
    }))
}

/// `POST …/operator/jobs/{job}/cancel`: by whoever began it.
async fn cancel(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let job = job(&seat, id_of(path)?).await?;
    if !job.actor.is(&seat.desk().actor) {
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
    /// What was chosen: whether accounts stay as they are, groups are made, and the table is stored.
    keep: bool,
    create: bool,
    really: bool,
}

/// The page with what was chosen in `form`. The table itself is handed in anew: it may hold passwords.
fn import_page(seat: &Seat, form: &Form, wrong: Vec<FieldFault>) -> Answer {
    let shell = Shell::titled(seat, Module::Users, "Import users").with_faults(wrong);
    page::page(&ImportPage {
        shell,
        columns: crate::exchange::people::COLUMNS.join(", "),
        keep: form.text("existing") == "keep",
        create: form.text("groups") == "create",
        really: form.text("really") == "yes",
    })
}

/// What is asked for wants more than the role permits.
fn not_permitted(field: &'static str, lacking: Permission) -> FieldFault {
    let (module, deed) = (lacking.module.title(), lacking.deed.title());
    FieldFault::new(field, format!("Your role does not permit it: {module}, {deed}."))
}

/// `GET …/operator/import`.
async fn import_form(seat: Seat) -> Answer {
    import_page(&seat, &Form::of(Vec::new()), Vec::new())
}

/// `POST …/operator/import`: the file is read at once, and stored line by line as a job.
async fn import(seat: Seat, upload: Upload) -> Answer {
    seat.check(&upload.form)?;
    let form = &upload.form;
    let octets = if upload.file.is_empty() { form.text("text").as_bytes().to_vec() } else { upload.file };
    let held = &seat.seated.permissions;
    let rows = match intake::rows(&octets, &seat.call.realm.config, held) {
        Ok(rows) if !rows.is_empty() => rows,
        Ok(_) => return import_page(&seat, form, vec![FieldFault::new("file", "The file has a head and no lines.")]),
        Err(error) => {
            return import_page(
                &seat,
                form,
                vec![FieldFault::new("file", format!("The file cannot be read: {error}."))],
            );
        }
    };
    let how = Import {
        dry_run: form.text("really") != "yes",
        update: form.text("existing") != "keep",
        make_groups: form.text("groups") == "create",
        memberships: rows.iter().any(NewRow::names_groups),
    };
    if let Some(lacking) = Work::ImportPeople(how).lacking(held) {
        return import_page(&seat, form, vec![not_permitted("file", lacking)]);
    }
    let tenant = seat.call.realm.tenant();
    let id = work::begin(&seat.desk(), tenant, &Work::ImportPeople(how), &rows).await?;
    Ok(began(&seat, id))
}

#[derive(Template)]
#[template(path = "operator/token_import.html")]
struct TokenImportPage {
    shell: Shell,
}

fn token_page(seat: &Seat, wrong: Vec<FieldFault>) -> Answer {
    page::page(&TokenImportPage { shell: Shell::titled(seat, Module::Tokens, "Import tokens").with_faults(wrong) })
}

/// `GET …/operator/tokens/import`.
async fn token_form(seat: Seat) -> Answer {
    token_page(&seat, Vec::new())
}

/// What opens or protects a key container, as the form says.
pub fn protection(form: &Form) -> Result<Option<Protection>, FieldFault> {
    let (key, password) = (form.text("key").trim(), form.text("password"));
    match (key.is_empty(), password.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Ok(Some(Protection::Password(form.secret("password")))),
        (false, true) => {
            let words = "The key must have 128, 192 or 256 bits, in hexadecimal digits.";
            let key = key_of_hex(key.as_bytes()).ok_or_else(|| FieldFault::new("key", words.to_owned()))?;
            Ok(Some(Protection::Key(key)))
        }
        (false, false) => Err(FieldFault::new("key", "Give the key or the password, not both.".to_owned())),
    }
}

/// `POST …/operator/tokens/import`: a maker's file is opened and read at once, and its records become a job, each secret
/// sealed.
async fn import_tokens(seat: Seat, upload: Upload) -> Answer {
    seat.check(&upload.form)?;
    let form = &upload.form;
    let protection = match protection(form) {
        Ok(protection) => protection,
        Err(fault) => return token_page(&seat, vec![fault]),
    };
    let (assign, now, file) =
        (form.text("owners") == "assign", seat.call.visit.now, zeroize::Zeroizing::new(upload.file));
    // Keys that are made of passwords take their time.
    let read = web::block(move || intake::tokens(&file, protection.as_ref(), assign, now)).await;
    let (records, notes) = match read.map_err(|_| Fault::Internal("a file was not read to its end".to_owned()))? {
        Ok(read) => read,
        Err(error) => {
            return token_page(&seat, vec![FieldFault::new("file", format!("The file cannot be read: {error}."))]);
        }
    };
    if records.is_empty() {
        return token_page(&seat, vec![FieldFault::new("file", "The file holds no tokens.".to_owned())]);
    }
    let work = Work::ImportTokens(ImportTokens {
        dry_run: form.text("really") != "yes",
        assign,
        reserve: form.text("reserve") == "yes",
        reinitialize: form.text("reinitialize") == "yes",
        notes,
    });
    if let Some(lacking) = work.lacking(&seat.seated.permissions) {
        return token_page(&seat, vec![not_permitted("assign", lacking)]);
    }
    let tenant = seat.call.realm.tenant();
    let rows = intake::token_rows(&seat.call.site.house, &seat.call.realm.config, &seat.seated.permissions, records);
    Ok(began(&seat, work::begin(&seat.desk(), tenant, &work, &rows).await?))
}
