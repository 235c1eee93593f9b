//! The management API, version 1: what operators do at the console, for programs. `docs/console.md` tells
//! of it, `openapi.json` describes every call.
//!
//! Programs show a key that is bound to a role. Each route is registered in [`api`] with the permission that it needs and
//! the types that it reads and writes, and the OpenAPI description is made of that same list.

mod alerts;
mod applications;
mod branding;
mod explain;
mod groups;
pub mod io;
mod jobs;
mod keys;
mod log_stream;
mod me;
mod messages;
mod operators;
mod organization;
mod policies;
pub mod problem;
mod provisioning;
mod report_schedules;
mod reports;
mod rollout;
mod saved;
mod settings;
mod spec;
mod tokens;
mod users;
mod webhooks;

use actix_web::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, web};
use futures_util::future::LocalBoxFuture;

use crate::http::guard::{LONGEST_FORM, Needs, Program, Table, Unknown};
use crate::http::{Call, Fault};

pub use spec::Api;

use problem::Problem;

/// The answer to a program.
type Answer = Result<HttpResponse, Problem>;

/// Every route, below `/t/{tenant}/api/management/v1`.
#[must_use]
pub fn api() -> Api {
    let mut api = Api::default();
    api.get("openapi.json", Needs::Nothing, "This description", description);
    me::routes(&mut api);
    applications::routes(&mut api);
    policies::routes(&mut api);
    explain::routes(&mut api);
    operators::routes(&mut api);
    keys::routes(&mut api);
    settings::routes(&mut api);
    organization::routes(&mut api);
    branding::routes(&mut api);
    messages::routes(&mut api);
    alerts::routes(&mut api);
    webhooks::routes(&mut api);
    users::routes(&mut api);
    groups::routes(&mut api);
    tokens::routes(&mut api);
    jobs::routes(&mut api);
    provisioning::routes(&mut api);
    rollout::routes(&mut api);
    reports::routes(&mut api);
    log_stream::routes(&mut api);
    report_schedules::routes(&mut api);
    api
}

/// The routes with what they need, for the story that walks them as every role.
#[must_use]
pub fn table() -> Table {
    api().into_table()
}

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    let scope = web::scope("/api/management/v1").app_data(web::PayloadConfig::new(LONGEST_FORM));
    config.service(scope.configure(|config| table().register(config)));
}

/// `GET …/openapi.json`.
async fn description(call: Call) -> HttpResponse {
    let base = format!("{}/api/management/v1", call.site.urls.base(call.realm.code()));
    let text = spec::document(&base).to_string();
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(text)
}

impl FromRequest for Program {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            Self::take(&request).await.map_err(|unknown| match refusal(unknown) {
                Ok(problem) => problem.into(),
                Err(fault) => fault.into(),
            })
        })
    }
}

/// What a program is told that is not let in; a fault is told as such.
fn refusal(unknown: Unknown) -> Result<Problem, Fault> {
    match unknown {
        Unknown::NoKey => Ok(Problem::new(401, "key.needed", "a key to the management API is needed")
            .with_header(WWW_AUTHENTICATE, "Bearer")),
        Unknown::NotPermitted(permission) => Ok(Problem::not_permitted(permission)),
        Unknown::Fault(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-59: everything but the description asks for a key.
    #[test]
    fn nothing_but_the_description_is_open() {
        let open: Vec<String> = table()
            .listed()
            .iter()
            .filter(|route| route.needs == Needs::Nothing)
            .map(|route| route.path.clone())
            .collect();
        assert_eq!(open, ["openapi.json"]);
    }
}
