//! What is true of every answer: security headers, the right host, a page for every fault.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _, web};

use super::page::{FaultPage, Frame, page_with_status};
use super::{Fault, Site, cookies, tenant, visit};
use crate::domain::ids::CorrelationId;
use crate::flow::Realm;
use crate::i18n::{Language, Preferences, negotiate};
use crate::urls::{FOR_APPLICATIONS, Urls};

/// Where the forms of a page may lead, besides ourselves; browsers hold redirects after a form against it.
#[derive(Debug, Clone)]
pub struct FormTargets(pub Vec<String>);

/// What the frames of a page may show; none, unless it says so.
#[derive(Debug, Clone)]
pub struct FrameSources(pub Vec<String>);

/// Joins everything that is logged about one request; a login has its own, which replaces it.
#[derive(Debug, Clone, Copy)]
pub struct Correlation(pub CorrelationId);

/// The headers of every answer (R-601, T-22, T-23).
const ALWAYS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::PERMISSIONS_POLICY,
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// Wraps the whole service.
///
/// # Errors
/// What the framework reports.
pub async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(site) = request.app_data::<web::Data<Site>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let correlation = site.house.new_id(site.house.clock.now());
    request.extensions_mut().insert(Correlation(correlation));
    let response = if is_ours(&request, site.urls.authority()) {
        // A middleware that gives up (a request that takes too long) has no response that could be wrapped.
        let asked = Asked::of(request.request());
        match next.call(request).await {
            Ok(response) => response.map_into_boxed_body(),
            Err(error) => {
                let mut answer = explanation(&fault_of(&error), &asked, &site, correlation);
                if let Some(value) = error.error_response().headers().get(header::RETRY_AFTER) {
                    answer.headers_mut().insert(header::RETRY_AFTER, value.clone());
                }
                protect(answer.headers_mut(), site.urls.secure(), &[], &[]);
                return Err(InternalError::from_response(error, answer).into());
            }
        }
    } else {
        let (request, _) = request.into_parts();
        ServiceResponse::new(request, HttpResponse::from_error(Fault::WrongHost))
    };
    let mut response = explained(response, &site, correlation);
    // Whatever page it was: the language that was chosen on it stays.
    let asked = visit::asked_language(response.request().method(), response.request().query_string());
    if let Some(language) = asked {
        let cookie = cookies::set(&site.urls, cookies::Kind::Language, language.tag());
        let _ = response.response_mut().add_cookie(&cookie);
    }
    let targets = response.response_mut().extensions_mut().remove::<FormTargets>();
    let frames = response.response_mut().extensions_mut().remove::<FrameSources>();
    let targets = targets.map(|targets| targets.0).unwrap_or_default();
    let frames = frames.map(|frames| frames.0).unwrap_or_default();
    protect(response.headers_mut(), site.urls.secure(), &targets, &frames);
    Ok(response)
}

/// Whether the request is for our host. Health checks come by address, from wherever they run.
fn is_ours(request: &ServiceRequest, authority: &str) -> bool {
    let mut hosts = request.headers().get_all(header::HOST);
    let named =
        hosts.next().and_then(|host| host.to_str().ok()).or_else(|| request.uri().authority().map(|a| a.as_str()));
    let once = hosts.next().is_none();
    let absolute_agrees = request.uri().authority().is_none_or(|a| a.as_str().eq_ignore_ascii_case(authority));
    let health = matches!(request.path(), "/healthz" | "/readyz");
    health || (once && absolute_agrees && named.is_some_and(|host| host.eq_ignore_ascii_case(authority)))
}

/// The content type of problem documents (RFC 9457).
pub const PROBLEM: &str = "application/problem+json";

/// Replaces the bare answer to a fault by a page that people can act on, or by a problem document under `/api/`.
fn explained(response: ServiceResponse<BoxBody>, site: &Site, correlation: CorrelationId) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let Some(error) = response.response().error() else { return response };
    let told = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM);
    if told {
        return response;
    }
    let bare;
    let fault = match error.as_error::<Fault>() {
        Some(fault) => fault,
        None => {
            bare = fault_of(error);
            &bare
        }
    };
    log(fault, response.request(), correlation);
    let mut answer = explanation(fault, &Asked::of(response.request()), site, correlation);
    for name in [header::RETRY_AFTER, header::ALLOW, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    let (request, _) = response.into_parts();
    ServiceResponse::new(request, answer)
}

/// The fault behind an error of the framework's or ours.
fn fault_of(error: &actix_web::Error) -> Fault {
    match error.as_error::<Fault>() {
        Some(Fault::Busy) => Fault::Busy,
        _ => Fault::of_status(error.as_response_error().status_code()),
    }
}

/// What was asked for, as far as the answer to a fault needs it. It is kept beside every request, so nothing is read out of
/// it before there is a fault.
struct Asked {
    method: Method,
    uri: Uri,
    accept_language: Option<HeaderValue>,
    cookies: Option<HeaderValue>,
}

impl Asked {
    fn of(request: &HttpRequest) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            accept_language: request.headers().get(header::ACCEPT_LANGUAGE).cloned(),
            cookies: request.headers().get(header::COOKIE).cloned(),
        }
    }

    /// The virtual server that was asked, if it is in memory.
    fn realm(&self, site: &Site) -> Option<Arc<Realm>> {
        let code = self.uri.path().strip_prefix("/t/")?.split('/').next()?.parse().ok()?;
        site.house.remembered_realm(&code)
    }

    fn is_for_programs(&self) -> bool {
        self.uri.path().contains("/api/")
    }

    fn is_for_applications(&self) -> bool {
        let below = self.uri.path().strip_prefix("/t/").and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)));
        below.is_some_and(|path| FOR_APPLICATIONS.contains(&path))
    }

    /// The path for the language selector; none for a form that was sent. The query is not repeated on the page: a
    /// stranger may have written it. The script of the pages keeps it.
    fn path(&self) -> &str {
        if self.method == Method::GET { self.uri.path() } else { "" }
    }

    /// The language of somebody of whom nothing but the request is known.
    fn language(&self, urls: &Urls, realm: Option<&Realm>) -> Language {
        if let Some(language) = visit::asked_language(&self.method, self.uri.query().unwrap_or_default()) {
            return language;
        }
        let text =
            |value: &Option<HeaderValue>| value.as_ref().and_then(|value| value.to_str().ok().map(str::to_owned));
        let chosen = text(&self.cookies).and_then(|line| cookies::language(&line, urls));
        negotiate(&Preferences {
            chosen: chosen.as_deref(),
            of_browser: text(&self.accept_language).as_deref(),
            of_tenant: realm.map(|realm| realm.config.tenant.default_language.as_str()),
            ..Preferences::default()
        })
    }
}

/// What happened and what to do, as a page or a problem document (RFC 9457).
fn explanation(fault: &Fault, asked: &Asked, site: &Site, correlation: CorrelationId) -> HttpResponse {
    let status = fault.status_code();
    if asked.is_for_applications() {
        return for_applications(fault);
    }
    if !asked.is_for_programs() {
        let realm = asked.realm(site);
        let language = asked.language(&site.urls, realm.as_deref());
        let frame = Frame::bare(&site.texts, language, &format!("{}-title", fault.key()), correlation);
        let frame = frame.at(asked.path().to_owned()).in_realm(realm.as_deref());
        return page_with_status(status, &FaultPage { frame, key: fault.key() })
            .unwrap_or_else(|_| HttpResponse::InternalServerError().finish());
    }
    let (title, code) = match fault {
        Fault::Internal(_) => ("the server could not answer".to_owned(), "internal"),
        fault => (fault.to_string(), fault.key().trim_start_matches("error-")),
    };
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": code,
        "correlation": correlation.to_string() });
    HttpResponse::build(status).insert_header((header::CONTENT_TYPE, PROBLEM)).body(body.to_string())
}

/// What happened, as OAuth tells it (RFC 6749, 5.2).
fn for_applications(fault: &Fault) -> HttpResponse {
    let (error, description) = match fault {
        Fault::Internal(_) => ("server_error", "the server failed; try again".to_owned()),
        Fault::Busy => ("temporarily_unavailable", "the server is busy; try again in some seconds".to_owned()),
        fault => ("invalid_request", fault.to_string()),
    };
    let body = serde_json::json!({ "error": error, "error_description": description });
    HttpResponse::build(fault.status_code()).insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")).json(body)
}

fn log(fault: &Fault, request: &HttpRequest, correlation: CorrelationId) {
    let path = tenant::documented(&request.match_pattern().unwrap_or_default());
    match fault {
        Fault::Internal(reason) => tracing::error!(%correlation, path, reason, "a request failed"),
        Fault::Busy => tracing::warn!(%correlation, path, "a request was sent away: busy"),
        fault => tracing::info!(%correlation, path, fault = %fault, "a request was refused"),
    }
}

/// What pages may do, but for the end of the list of where forms may lead.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

fn protect(headers: &mut HeaderMap, secure: bool, form_targets: &[String], frames: &[String]) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if secure {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    let policy = if form_targets.is_empty() && frames.is_empty() {
        Ok(HeaderValue::from_static(POLICY))
    } else {
        let frames = if frames.is_empty() { String::new() } else { format!("; frame-src {}", frames.join(" ")) };
        let targets: String = form_targets.iter().map(|target| format!(" {target}")).collect();
        HeaderValue::try_from(format!("{POLICY}{targets}{frames}"))
    };
    if let Ok(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // What may be kept says so itself; everything else may not (T-24, R-539).
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The answer where no route is.
///
/// # Errors
/// Always [`Fault::NotFound`].
pub async fn nothing_here() -> Result<HttpResponse, Fault> {
    Err(Fault::NotFound)
}

/// The status of a fault, for tests and doors that speak JSON.
#[must_use]
pub fn status(fault: &Fault) -> StatusCode {
    fault.status_code()
}
