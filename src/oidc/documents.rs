//! Discovery and the key set: what everybody may read, and keep for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
};
use actix_web::{HttpRequest, HttpResponse, web};

use super::metadata::{Addresses, MAX_AGE_SECONDS, ReadyDocument, discovery};
use crate::domain::ids::TenantId;
use crate::http::{Answer, Call, Fault};
use crate::i18n::Language;

/// The two documents of a virtual server, made once for each version of its configuration.
#[derive(Debug, Clone)]
struct Ready {
    version: i64,
    discovery: ReadyDocument,
    jwks: ReadyDocument,
}

/// The documents in memory.
#[derive(Debug, Default)]
pub(super) struct Documents(Mutex<HashMap<TenantId, Arc<Ready>>>);

impl Documents {
    fn of(&self, call: &Call) -> Result<Arc<Ready>, Fault> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let version = call.realm.config.version;
        if let Some(ready) = known.get(&call.realm.tenant()).filter(|ready| ready.version == version) {
            return Ok(Arc::clone(ready));
        }
        let ready = Arc::new(made(call, version)?);
        known.insert(call.realm.tenant(), Arc::clone(&ready));
        Ok(ready)
    }
}

fn made(call: &Call, version: i64) -> Result<Ready, Fault> {
    let base = call.site.urls.base(call.realm.code());
    let addresses = Addresses {
        authorization: format!("{base}/oidc/authorize"),
        token: format!("{base}/oidc/token"),
        userinfo: format!("{base}/oidc/userinfo"),
        jwks: format!("{base}/oidc/jwks"),
        revocation: format!("{base}/oidc/revoke"),
        introspection: format!("{base}/oidc/introspect"),
        end_session: format!("{base}/oidc/logout"),
        pushed: format!("{base}/oidc/par"),
        device: format!("{base}/oidc/device_authorization"),
        registration: format!("{base}/oidc/register"),
        issuer: base,
    };
    let languages = Language::ALL.map(Language::tag);
    let discovery = discovery(&addresses, &call.realm.oidc_keys.algorithms(), &languages)
        .map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(Ready { version, discovery, jwks: ReadyDocument::of(call.realm.oidc_keys.jwks().to_vec()) })
}

/// `GET {base}/.well-known/openid-configuration`.
pub(super) async fn configuration(call: Call, request: HttpRequest, documents: web::Data<Documents>) -> Answer {
    let ready = documents.of(&call)?;
    Ok(serve(&request, &ready.discovery, "application/json"))
}

/// `GET {base}/oidc/jwks`.
pub(super) async fn jwks(call: Call, request: HttpRequest, documents: web::Data<Documents>) -> Answer {
    let ready = documents.of(&call)?;
    Ok(serve(&request, &ready.jwks, "application/jwk-set+json"))
}

fn serve(request: &HttpRequest, document: &ReadyDocument, kind: &'static str) -> HttpResponse {
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|tags| document.is_known(tags)) {
        HttpResponse::NotModified().finish()
    } else {
        HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).body(document.body.clone())
    };
    let headers = response.headers_mut();
    let age = HeaderValue::from_str(&format!("public, max-age={MAX_AGE_SECONDS}"));
    for (name, value) in [
        (CACHE_CONTROL, age),
        (ETAG, HeaderValue::from_str(&document.etag)),
        (ACCESS_CONTROL_ALLOW_ORIGIN, Ok(HeaderValue::from_static("*"))),
    ] {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    }
    response
}
