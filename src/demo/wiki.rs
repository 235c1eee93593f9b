//! The demo's SAML application, built on a service-provider library that others wrote.

use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use anyhow::{Context as _, anyhow};
use askama::Template;
use samael::metadata::{EntityDescriptor, HTTP_REDIRECT_BINDING};
use samael::service_provider::ServiceProvider;

use crate::http::Form;

/// The application.
#[derive(Debug)]
pub(super) struct Wiki {
    metadata: String,
    address: String,
    client: reqwest::Client,
    asked: Mutex<Vec<String>>,
}

#[derive(Template)]
#[template(path = "demo/claims.html")]
struct ClaimsPage {
    application: &'static str,
    name: String,
    claims: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "demo/refused.html")]
struct RefusedPage {
    application: &'static str,
    error: String,
    description: String,
}

impl Wiki {
    /// The application at `address`, which logs people in by the provider with this metadata.
    pub(super) fn new(metadata: String, address: String) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { metadata, address, client, asked: Mutex::default() })
    }

    async fn provider(&self) -> anyhow::Result<ServiceProvider> {
        let metadata = self.client.get(&self.metadata).send().await?.error_for_status()?.text().await?;
        let idp_metadata = EntityDescriptor::from_str(&metadata).context("the provider's metadata")?;
        Ok(ServiceProvider {
            entity_id: Some(entity_id(&self.address)),
            acs_url: Some(format!("{}/wiki/acs", self.address)),
            idp_metadata,
            ..ServiceProvider::default()
        })
    }
}

/// The application's entity ID.
pub(super) fn entity_id(address: &str) -> String {
    format!("{address}/wiki/metadata")
}

/// `GET /wiki/login`: off to the identity provider.
pub(super) async fn login(wiki: web::Data<Wiki>) -> HttpResponse {
    match begin(&wiki).await {
        Ok(address) => HttpResponse::SeeOther().insert_header((LOCATION, address)).finish(),
        Err(error) => super::failed(&error),
    }
}

async fn begin(wiki: &Wiki) -> anyhow::Result<String> {
    let provider = wiki.provider().await?;
    let sso = provider.sso_binding_location(HTTP_REDIRECT_BINDING).ok_or_else(|| anyhow!("no redirect binding"))?;
    let request = provider.make_authentication_request(&sso).map_err(|error| anyhow!("{error}"))?;
    let address = request.redirect("page=Home").map_err(|error| anyhow!("{error}"))?;
    let mut asked = wiki.asked.lock().unwrap_or_else(PoisonError::into_inner);
    asked.push(request.id.clone());
    let address = address.ok_or_else(|| anyhow!("the request has no destination"))?;
    Ok(address.to_string())
}

/// `POST /wiki/acs`: checks the response and shows what it says.
pub(super) async fn acs(wiki: web::Data<Wiki>, body: web::Bytes) -> HttpResponse {
    let form = Form::parse(&body);
    match claims(&wiki, &form).await {
        Ok(page) => super::html(&page),
        Err(error) => super::html(&RefusedPage {
            application: "Wiki",
            error: "no assertion".to_owned(),
            description: format!("{error:#}"),
        }),
    }
}

async fn claims(wiki: &Wiki, form: &Form) -> anyhow::Result<ClaimsPage> {
    let provider = wiki.provider().await?;
    let asked = wiki.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let assertion =
        provider.parse_base64_response(form.text("SAMLResponse"), Some(&asked)).map_err(|error| anyhow!("{error}"))?;
    let name = assertion.subject.and_then(|subject| subject.name_id).map(|name| name.value).unwrap_or_default();
    let mut claims = vec![("NameID".to_owned(), name), ("RelayState".to_owned(), form.text("RelayState").to_owned())];
    for statement in assertion.authn_statements.into_iter().flatten() {
        let class = statement.authn_context.and_then(|context| context.value).and_then(|class| class.value);
        claims.push(("AuthnContextClassRef".to_owned(), class.unwrap_or_default()));
        claims.push(("SessionIndex".to_owned(), statement.session_index.unwrap_or_default()));
    }
    for attribute in assertion.attribute_statements.into_iter().flatten().flat_map(|statement| statement.attributes) {
        let values: Vec<String> = attribute.values.into_iter().filter_map(|value| value.value).collect();
        claims.push((attribute.name.unwrap_or_default(), values.join(", ")));
    }
    let user = claims.iter().find(|(name, _)| name == "uid").map(|(_, value)| value.clone()).unwrap_or_default();
    Ok(ClaimsPage { application: "Wiki", name: user, claims })
}
