//! Which virtual server a request is for: its code is taken out of the address before doors are looked for.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::Fault;

/// Where the addresses of virtual servers begin.
pub const ABOVE: &str = "/t";

/// Wraps what is below `/t/{tenant}`. As a pattern of the framework the code would be a regular expression, and the only one in the
/// way of most requests.
///
/// # Errors
/// [`Fault::NotFound`] where there is no code, and what the framework reports.
pub async fn taken_out(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let path = request.match_info().unprocessed().strip_prefix('/').unwrap_or_default();
    let code = path.split('/').next().unwrap_or_default().to_owned();
    let length = u16::try_from(code.len() + 1).map_err(|_| Fault::NotFound)?;
    if code.is_empty() {
        return Err(Fault::NotFound.into());
    }
    let found = request.match_info_mut();
    found.add_static("tenant", code);
    found.skip(length);
    next.call(request).await
}

/// The pattern of a door as it is documented, of what the framework has found.
#[must_use]
pub fn documented(pattern: &str) -> String {
    match pattern.strip_prefix(ABOVE) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{ABOVE}/{{tenant}}{rest}"),
        _ => pattern.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_are_told_of_as_they_are_documented() {
        for (found, told) in [
            ("/t/oidc/token", "/t/{tenant}/oidc/token"),
            ("/t", "/t/{tenant}"),
            ("/tea", "/tea"),
            ("", ""),
            (
                "/.well-known/oauth-authorization-server/t/{tenant}",
                "/.well-known/oauth-authorization-server/t/{tenant}",
            ),
        ] {
            assert_eq!(documented(found), told);
        }
    }
}
