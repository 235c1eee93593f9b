//! What programs send and get: JSON bodies, queries, identifiers in addresses, versions, pages of lists.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::http::guard::Program;

/// The body of a request, as JSON of a `T`. Members that are not known are refused, so that a typing error does not pass for a
/// value left as it was (ASVS 15.3.3).
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let json = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        let body = web::Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let read = read(json, body).await;
            // The key is looked up at the same time, and that may take longer: whoever has none is told nothing of the body.
            if read.is_err()
                && let Err(unknown) = Program::take(&request).await
                && let Ok(problem) = super::refusal(unknown)
            {
                return Err(problem);
            }
            read.map(Self)
        })
    }
}

/// The JSON of a body.
async fn read<T: DeserializeOwned>(
    json: bool,
    body: impl Future<Output = Result<web::Bytes, actix_web::Error>>,
) -> Result<T, Problem> {
    if !json {
        return Err(Problem::new(415, "not_json", "the body must be JSON: Content-Type: application/json"));
    }
    let body = body.await.map_err(|_| Problem::new(413, "too_large", "the body is too long"))?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::new(400, "malformed", format!("the body cannot be read: {error}")))
}

/// The query of a request.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = web::Query::<T>::from_query(request.query_string());
        std::future::ready(match read {
            Ok(query) => Ok(Self(query.into_inner())),
            Err(error) => Err(Problem::new(400, "malformed", format!("the query cannot be read: {error}"))),
        })
    }
}

/// The last parameter of the address, as a `T`; whatever is not one names nothing.
#[derive(Debug)]
pub struct Named<T>(pub T);

impl<T: std::str::FromStr + 'static> FromRequest for Named<T> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let last = request.match_info().iter().last().map(|(_, value)| value);
        // Percent-encoded names, such as those of groups, are decoded by the framework's own rules.
        let decoded = last.map(|value| percent_encoding::percent_decode_str(value).decode_utf8_lossy());
        std::future::ready(decoded.and_then(|value| value.parse().ok()).map(Self).ok_or_else(Problem::not_found))
    }
}

/// A page of a list.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Page<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// What to send as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many there are on a page, 1 to 200; 50 if it is not said.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u16>,
}

impl Paging {
    /// How many there are on a page.
    ///
    /// # Errors
    /// A problem if it is out of range.
    pub fn limit(&self) -> Result<u16, Problem> {
        let limit = self.limit.unwrap_or(50);
        let wrong = || Problem::new(400, "malformed", "limit must be from 1 to 200");
        if (1..=200).contains(&limit) { Ok(limit) } else { Err(wrong()) }
    }
}

/// 200 with JSON.
pub fn ok(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

/// 200 with JSON, and its version as an entity tag.
pub fn versioned(version: i64, body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, format!("\"{version}\""))).json(body)
}

/// 200 with JSON, and an entity tag.
pub fn tagged(tag: &str, body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, format!("\"{tag}\""))).json(body)
}

/// 201 with JSON.
pub fn created(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Created().json(body)
}

/// 204.
pub fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// The version that a change is made against: `If-Match` with one entity tag (RFC 9110 13.1.1). It must be there: whoever does
/// not say what they looked at would overwrite what others changed.
///
/// # Errors
/// 428 (RFC 6585) without it; 412 for a tag that is not ours.
pub fn if_match(request: &HttpRequest) -> Result<i64, Problem> {
    if_match_tag(request)?.parse().map_err(|_| Problem::changed_meanwhile())
}

/// As [`if_match`], for tags that are no numbers.
///
/// # Errors
/// As [`if_match`].
pub fn if_match_tag(request: &HttpRequest) -> Result<String, Problem> {
    let needed = || Problem::new(428, "version_needed", "send the ETag of what you have read as If-Match");
    let tag = request.headers().get(IF_MATCH).ok_or_else(needed)?.to_str().unwrap_or_default();
    let tag = tag.trim().strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    tag.map(str::to_owned).ok_or_else(Problem::changed_meanwhile)
}
