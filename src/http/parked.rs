//! Requests that come by cross-site POST wait until their browser comes back with its cookies (R-479, T-21).

use actix_web::HttpRequest;
use serde::Serialize;

use super::{Answer, Call, Fault, cookies, page};
use crate::domain::ids::ParkedId;
use crate::domain::login::origin::Origin;
use crate::flow::parking;

/// Puts a checked request aside and sends the browser to `door/{id}`, with the cookie that it must bring there.
///
/// # Errors
/// If the database fails.
pub async fn put_aside(call: &Call, origin: Origin, door: &str, request: &impl Serialize) -> Answer {
    let site = &call.site;
    let request = serde_json::to_string(request).map_err(|error| Fault::Internal(error.to_string()))?;
    let parked = parking::park(&site.house, &call.realm, &call.visit, origin, &request).await?;
    let mut answer = page::see(&format!("{door}/{}", parked.id));
    let cookie = cookies::secret(&site.urls, cookies::Kind::Parked(parked.id), &parked.cookie);
    answer.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(answer)
}

/// The request that waits for this browser, as JSON. It must bring the cookie that the POST gave it: somebody who
/// posts a request and passes the address on plants nothing in another browser.
///
/// # Errors
/// [`Fault::NotThisBrowser`] if nothing waits for it there.
pub async fn waiting(call: &Call, http: &HttpRequest, origin: Origin, id: ParkedId) -> Result<String, Fault> {
    let cookie = cookies::value(http, &call.site.urls, cookies::Kind::Parked(id));
    Ok(parking::parked(&call.site.house, &call.realm, &call.visit, origin, id, cookie.as_ref()).await?)
}
