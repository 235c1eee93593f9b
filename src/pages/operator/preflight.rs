//! Preflight: whether everything is right before people come, in red, amber and green, each with what to do.

use actix_web::HttpRequest;
use askama::Template;

use super::shell::Shell;
use crate::domain::operator::{Deed, Module};
use crate::domain::preflight::{Finding, Light, worst};
use crate::flow::administration::configuration::{self, Unsaved};
use crate::flow::preflight;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, Look, page};

/// Registers the routes.
pub fn routes(table: &mut Table) {
    table.get("preflight", Module::Preflight.needs(Deed::Access), show);
    table.post("preflight/mail", Module::Preflight.needs(Deed::Edit), send);
}

#[derive(Template)]
#[template(path = "operator/preflight.html")]
struct PreflightPage {
    shell: Shell,
    tenant: Vec<Row>,
    around: Vec<Row>,
    worst: &'static str,
    /// What came of a test mail.
    mail: Option<Row>,
    address: String,
    may_send: bool,
}

struct Row {
    what: String,
    light: &'static str,
    class: &'static str,
    found: String,
    to_do: String,
}

fn row(finding: Finding) -> Row {
    Row {
        what: finding.what.replace('_', " "),
        light: finding.light.id(),
        class: match finding.light {
            Light::Green => "good",
            Light::Amber => "",
            Light::Red => "bad",
        },
        found: finding.found,
        to_do: finding.to_do.unwrap_or_default(),
    }
}

async fn preflight_page(seat: &Seat, mail: Option<Finding>, address: String) -> Answer {
    let (site, now) = (&seat.call.site, seat.call.visit.now);
    let config = configuration::current(&seat.desk(), seat.call.realm.code()).await;
    let config = config.map_err(|unsaved| match unsaved {
        Unsaved::Storage(error) => error.into(),
        _ => Fault::NotFound,
    })?;
    let tenant = preflight::of_tenant(&site.house, &config, now).await?;
    let around = site.look(Look::Surroundings).await;
    let worst = worst(&tenant).max(worst(&around));
    page::page(&PreflightPage {
        shell: Shell::of(seat, Module::Preflight),
        worst: match worst {
            Light::Green => "Everything is as it should be.",
            Light::Amber => "It works; some things should be looked at.",
            Light::Red => "Something must be mended before people come.",
        },
        tenant: tenant.into_iter().map(row).collect(),
        around: around.into_iter().map(row).collect(),
        mail: mail.map(row),
        address,
        may_send: seat.may(Module::Preflight, Deed::Edit),
    })
}

/// `GET …/operator/preflight`.
async fn show(seat: Seat, _: HttpRequest) -> Answer {
    preflight_page(&seat, None, String::new()).await
}

/// `POST …/operator/preflight/mail`: sends a test mail, and shows what the mail server answers.
async fn send(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let to = form.text("address").trim().to_owned();
    let found = seat.call.site.look(Look::TestMail { to: to.clone(), letter: None }).await;
    let found = found.into_iter().next();
    preflight::mail_tested(&seat.desk(), seat.call.realm.tenant(), &to, found.as_ref()).await?;
    preflight_page(&seat, found, to).await
}
