//! "Remember my user name on this device": a cookie that the browser keeps and cannot make up.

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Site, cookies};
use crate::domain::ids::TenantId;
use crate::domain::secret::ExposeSecret as _;
use crate::domain::tenant::TenantCode;

fn signature(site: &Site, tenant: TenantId, name: &str) -> String {
    URL_SAFE_NO_PAD.encode(site.house.derived.cookies.of(&[b"name", &tenant.to_bytes(), name.as_bytes()]))
}

/// The user name that this browser remembers for a virtual server. A value that is not ours counts as none: nobody
/// puts a name of theirs into somebody else's page.
#[must_use]
pub fn name(request: &HttpRequest, site: &Site, code: &TenantCode, tenant: TenantId) -> Option<String> {
    let value = cookies::value(request, &site.urls, cookies::Kind::Name(code))?;
    let (name, signed) = value.expose_secret().split_once('.')?;
    let name = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
    let sent = URL_SAFE_NO_PAD.decode(signed).ok()?;
    site.house.derived.cookies.matches(&[b"name", &tenant.to_bytes(), name.as_bytes()], &sent).then_some(name)
}

/// The cookie that remembers `name`, for thirty days.
#[must_use]
pub fn cookie(site: &Site, code: &TenantCode, tenant: TenantId, name: &str) -> Cookie<'static> {
    let value = format!("{}.{}", URL_SAFE_NO_PAD.encode(name), signature(site, tenant, name));
    cookies::set(&site.urls, cookies::Kind::Name(code), &value)
}
