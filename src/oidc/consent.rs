//! The question whether an application may learn about a person: asked at the end of the login, before the code is
//! given out (OIDC Core 3.1.2.4, ASVS 10.7).

use std::collections::BTreeSet;

use actix_web::web;
use askama::Template;

use super::claims::scope_of;
use super::respond::{self, login_of};
use crate::domain::application::Application;
use crate::domain::ids::{LoginId, UserId};
use crate::domain::login::step::Step;
use crate::domain::oidc_client::{Consent, OidcClient, Scope};
use crate::flow::case::Case;
use crate::flow::consent;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, form, page};
use crate::urls::desk_path;

use super::request::AuthorizationRequest;

/// What an application asks for, as a person is asked and as the answer is remembered.
pub(super) struct Wanted {
    scopes: BTreeSet<Scope>,
    apis: Vec<Api>,
}

/// An API of the organization, and what the application could do there: two APIs may call different things by one word, so
/// the answer counts for this one only.
pub(super) struct Api {
    /// Its identifier.
    pub name: String,
    /// What it calls them.
    pub scopes: Vec<String>,
}

impl Wanted {
    /// The scopes, and what each of the APIs knows of the others.
    pub fn of(
        call: &Call,
        scopes: impl IntoIterator<Item = Scope>,
        resources: &[String],
        more: &BTreeSet<String>,
    ) -> Self {
        let known = call.realm.config.settings.resources.iter().filter(|api| resources.contains(&api.identifier));
        let apis = known
            .map(|api| Api { name: api.identifier.clone(), scopes: more.intersection(&api.scopes).cloned().collect() });
        Self { scopes: scopes.into_iter().collect(), apis: apis.collect() }
    }

    /// What is remembered, in words of which none has another meaning: an identifier has no `#`.
    pub fn words(&self) -> BTreeSet<String> {
        let scopes = self.scopes.iter().map(|scope| scope.name().to_owned());
        let apis = self.apis.iter().flat_map(|api| {
            let there = api.scopes.iter().map(|scope| format!("{}#{scope}", api.name));
            there.chain([api.name.clone()])
        });
        scopes.chain(apis).collect()
    }

    /// The keys of the texts that say what the application would learn, and the APIs that it would use.
    pub fn told(self) -> (Vec<String>, Vec<Api>) {
        (self.scopes.into_iter().map(key_of).collect(), self.apis)
    }
}

/// What the application would learn and do: the scopes, those whose claims it asks for one by one, and the APIs.
fn asked(call: &Call, request: &AuthorizationRequest, client: &OidcClient) -> Wanted {
    let names = request.claims.userinfo.iter().chain(&request.claims.id_token);
    let single = names.filter_map(|name| scope_of(name)).filter(|scope| client.may_have(*scope));
    let scopes = request.scopes.iter().copied().chain(single);
    Wanted::of(call, scopes, &request.resources, &request.more_scopes)
}

/// Whether the person must be asked before a code is given out.
///
/// # Errors
/// If the database fails.
pub(super) async fn is_lacking(
    call: &Call,
    application: &Application,
    client: &OidcClient,
    user: UserId,
    request: &AuthorizationRequest,
) -> Result<bool, Fault> {
    if request.prompt.consent {
        return Ok(true);
    }
    // The organization consents for its people when it assigns an application, unless it wants them to be asked.
    if client.consent == Consent::Implied {
        return Ok(false);
    }
    let asked = asked(call, request, client).words();
    Ok(!consent::is_given(&call.site.house, &call.realm, user, application.id, &asked).await?)
}

/// The key of the text that says what a scope means.
fn key_of(scope: Scope) -> String {
    format!("consent-{}", scope.name().replace('_', "-"))
}

#[derive(Template)]
#[template(path = "oidc/consent.html")]
struct ConsentPage {
    frame: Frame,
    application: String,
    username: String,
    /// The keys of the texts that say what the application would learn.
    learns: Vec<String>,
    /// What it could do with the organization's APIs, in their own words.
    may: Vec<Api>,
    action: String,
}

/// The page with the question.
pub(super) fn page(call: &Call, case: &Case, client: &OidcClient, request: &AuthorizationRequest) -> Answer {
    let id = case.login().id;
    let purpose = purpose(call, id);
    let purpose: Vec<&[u8]> = purpose.iter().map(Vec::as_slice).collect();
    let frame = Frame::of(call, "consent-title").with_csrf(form::token(&call.site, &purpose));
    let (learns, may) = asked(call, request, client).told();
    let response = page::page(&ConsentPage {
        application: case.application_name().to_owned(),
        username: case.member.as_ref().map(|member| member.user.username.clone()).unwrap_or_default(),
        learns,
        may,
        action: format!("/t/{}/oidc/consent/{id}", call.realm.code()),
        frame: frame.at(String::new()),
    })?;
    let target = page::policy_source(request.return_to.redirect_uri());
    Ok(page::leading_to(response, target.into_iter().collect()))
}

fn purpose(call: &Call, id: LoginId) -> [Vec<u8>; 3] {
    [b"consent".to_vec(), call.realm.tenant().to_bytes().to_vec(), id.to_bytes().to_vec()]
}

/// `POST {base}/oidc/consent/{login}`: what the person says.
pub(super) async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    let purpose = purpose(&call, id);
    form.check(&call.site, &purpose.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    let (case, stored) = login_of(&call, id).await?;
    call.speak_for(&case);
    let (Step::Granted, Some(user), Some((application, client))) =
        (&case.step, case.user(), respond::application_of(&case))
    else {
        return Ok(page::see(&desk_path(call.realm.code(), id)));
    };
    respond::leads_back(&call, client, &stored.request.return_to)?;
    if form.text("answer") != "allow" {
        return respond::denied(&call, id, &case, &stored).await;
    }
    let asked = asked(&call, &stored.request, client).words();
    consent::give(&call.site.house, &call.realm, &call.visit, user, application.id, &asked).await?;
    respond::finish(&call, id, &case, &stored).await
}
