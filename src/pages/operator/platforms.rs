//! Policies > Token Policies > Software Token & Push OTP Settings (T7): the platform matrix.

use actix_web::HttpRequest;
use askama::Template;
use serde_json::{Map, Value, json};

use super::saved::despite;
use super::self_provisioning::row_of;
use super::settings::{DONE, log_of};
use super::shell::{FieldFault, Shell};
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::platform::Platform;
use crate::domain::settings::{Section, tag};
use crate::flow::administration::configuration::Unsaved;
use crate::flow::administration::settings::change;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Form, page};

const PAGE: &str = "platforms";
const SECTION: Section = Section::Platforms;

/// The rows of the screen, then those of other authenticators.
const ROWS: [Platform; 7] = [
    Platform::Android,
    Platform::Ios,
    Platform::WindowsMobile,
    Platform::Windows,
    Platform::Web,
    Platform::CommandLine,
    Platform::OathApp,
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Platforms.needs(deed);
    table.get(PAGE, needs(Deed::Access), show);
    table.post(PAGE, needs(Deed::Edit), apply);
    table.get("platforms/log", needs(Deed::ViewLog), log);
}

struct Row {
    id: &'static str,
    name: &'static str,
    device: &'static str,
    allowed: bool,
    push: bool,
    minimum_os: String,
    fault: String,
}

#[derive(Template)]
#[template(path = "operator/platforms.html")]
struct MatrixPage {
    shell: Shell,
    rows: Vec<Row>,
    read: String,
    may_edit: bool,
    may_log: bool,
    none: bool,
}

/// What is wrong with a row, as a sentence that begins with the row and the column.
fn told(fault: &crate::domain::settings::Fault) -> String {
    let (row, column) = fault.key.split_once('.').unwrap_or((&fault.key, ""));
    let row = ROWS.into_iter().find(|platform| platform.id() == row).map(row_of);
    let row = row.map_or_else(|| fault.key.clone(), |(name, device)| format!("{name}, {device}"));
    match column {
        "push" => format!("{row}, Push notifications: is only there where the platform is allowed."),
        "minimum_os" => format!("{row}, Oldest system version: {}.", fault.words),
        _ => format!("{row}: {}.", fault.words),
    }
}

fn matrix_page(seat: &Seat, shell: Shell, values: &Map<String, Value>, read: String) -> MatrixPage {
    let row = |platform: Platform| {
        let (name, device) = row_of(platform);
        let value = |key: &str| values.get(platform.id()).and_then(|row| row.get(key));
        Row {
            id: platform.id(),
            name,
            device,
            allowed: value("allowed") == Some(&Value::Bool(true)),
            push: value("push") == Some(&Value::Bool(true)),
            minimum_os: value("minimum_os").and_then(Value::as_str).unwrap_or_default().to_owned(),
            fault: shell
                .faults
                .iter()
                .filter(|fault| fault.field.starts_with(&format!("{}.", platform.id())))
                .map(|fault| fault.message.clone())
                .collect::<Vec<_>>()
                .join(" "),
        }
    };
    let rows: Vec<Row> = ROWS.into_iter().map(row).collect();
    MatrixPage {
        none: rows.iter().all(|row| !row.allowed),
        rows,
        read,
        may_edit: seat.may(Module::Platforms, Deed::Edit),
        may_log: seat.may(Module::Platforms, Deed::ViewLog),
        shell,
    }
}

/// `GET …/operator/platforms`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let config = &seat.call.realm.config;
    let values = SECTION.of(&config.settings, &config.groups);
    let shell = Shell::of(&seat, Module::Platforms).with_done(request.query_string(), &DONE);
    let read = tag(&values);
    page::page(&matrix_page(&seat, shell, &values, read))
}

/// `POST …/operator/platforms`: Apply. Push without Allowed is cleared, as the screen greys it out.
async fn apply(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let row = |platform: Platform| {
        let has = |what: &str| form.has(&format!("{}.{what}", platform.id()));
        let allowed = has("allowed");
        let minimum = form.text(&format!("{}.minimum_os", platform.id())).trim();
        let minimum = if minimum.is_empty() { Value::Null } else { Value::from(minimum) };
        let row = json!({ "allowed": allowed, "push": allowed && has("push"), "minimum_os": minimum });
        (platform.id().to_owned(), row)
    };
    let entries: Map<String, Value> = ROWS.into_iter().map(row).collect();
    let (config, read) = (&seat.call.realm.config, form.text("read"));
    let shell = Shell::of(&seat, Module::Platforms);
    let shell = match change(&seat.desk(), &config.tenant.code, read, SECTION, &entries, despite(&form)).await {
        Ok(settled) => {
            let done = if settled.changed { "saved" } else { "same" };
            return Ok(page::see(&format!("{}?done={done}", seat.path(PAGE))));
        }
        Err(Unsaved::Wrong(faults)) => {
            let fault = |fault: crate::domain::settings::Fault| FieldFault::new(fault.key.clone(), told(&fault));
            shell.with_faults(faults.into_iter().map(fault).collect())
        }
        Err(unsaved) => shell.refusing(unsaved)?,
    };
    page::page(&matrix_page(&seat, shell, &entries, read.to_owned()))
}

/// `GET …/operator/platforms/log`.
async fn log(seat: Seat) -> Answer {
    log_of(&seat, Module::Platforms, SECTION, &seat.path(PAGE)).await
}
