//! Every path of the house, once: who needs an address asks here, and nobody else builds one.
//!
//! The public address comes from the configuration and from nothing else: a Host header that a stranger
//! wrote must never reach a mail, a redirect or an assertion (T-25).

use url::Url;

use crate::domain::ids::{ApplicationId, LinkId, LoginId, LogoutId};
use crate::domain::login::origin::Origin;
use crate::domain::tenant::TenantCode;

/// The addresses of this installation.
#[derive(Debug, Clone)]
pub struct Urls {
    public: String,
    authority: String,
    secure: bool,
}

impl Urls {
    /// The addresses below `public_url`, which has neither path nor query (the configuration checks that).
    #[must_use]
    pub fn new(public_url: &Url) -> Self {
        let authority = public_url.authority().to_owned();
        let secure = public_url.scheme() == "https";
        Self { public: format!("{}://{authority}", public_url.scheme()), authority, secure }
    }

    /// The public address without a slash at its end, such as `https://login.example.com`.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Host and port as a browser sends them in `Host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether browsers come by HTTPS; then cookies are `Secure` and named `__Host-`.
    #[must_use]
    pub const fn secure(&self) -> bool {
        self.secure
    }

    /// The base of a virtual server: its OIDC issuer.
    #[must_use]
    pub fn base(&self, tenant: &TenantCode) -> String {
        format!("{}/t/{tenant}", self.public)
    }

    /// The desk of a login: where a browser learns what is lacking.
    #[must_use]
    pub fn desk(&self, tenant: &TenantCode, login: LoginId) -> String {
        format!("{}/t/{tenant}/login/{login}", self.public)
    }

    /// Where the door that asked for a login gives its answer.
    #[must_use]
    pub fn resume(&self, origin: Origin, tenant: &TenantCode, login: LoginId) -> String {
        format!("{}/t/{tenant}/{origin}/resume/{login}", self.public)
    }

    /// The user portal.
    #[must_use]
    pub fn portal(&self, tenant: &TenantCode) -> String {
        format!("{}/t/{tenant}/", self.public)
    }

    /// Where a login at a SAML service provider begins that did not ask for one: the portal's link.
    #[must_use]
    pub fn saml_start(&self, tenant: &TenantCode, application: ApplicationId) -> String {
        format!("{}/t/{tenant}/saml/start?application={application}", self.public)
    }

    /// Where the browser of a logout goes on, from one service provider to the next.
    #[must_use]
    pub fn single_logout(&self, tenant: &TenantCode, logout: LogoutId) -> String {
        format!("{}/t/{tenant}/saml/logout/{logout}", self.public)
    }

    /// The activation link without its fragment; the fragment never reaches a server.
    #[must_use]
    pub fn activate(&self, tenant: &TenantCode) -> String {
        format!("{}/t/{tenant}/activate", self.public)
    }

    /// The page of a link in a self-enrollment mail. Its secret is the fragment: it reaches no log of a server or proxy on
    /// its way, and a mail scanner that fetches the page does not send it (R-175, T-29).
    #[must_use]
    pub fn enroll(&self, tenant: &TenantCode, link: LinkId, secret: &str) -> String {
        format!("{}/t/{tenant}/enroll/{link}#{secret}", self.public)
    }

    /// The page behind "this was not me" in the mail after an enrollment. The statement stands in the
    /// fragment's place of a path so that it needs no escaping: it is URL-safe base64.
    #[must_use]
    pub fn not_me(&self, tenant: &TenantCode, statement: &str) -> String {
        format!("{}/t/{tenant}/not-me/{statement}", self.public)
    }
}

/// The path of a file that belongs to how a virtual server looks; `digest` is that of its content.
#[must_use]
pub fn branding_path(tenant: &TenantCode, digest: &str, file: &str) -> String {
    format!("/t/{tenant}/branding/{digest}/{file}")
}

/// The endpoints that applications call, below a virtual server's base: what goes wrong there is told in the words of OAuth.
pub const FOR_APPLICATIONS: [&str; 7] = [
    "/oidc/token",
    "/oidc/revoke",
    "/oidc/introspect",
    "/oidc/par",
    "/oidc/device_authorization",
    "/oidc/userinfo",
    "/oidc/register",
];

/// The path of the desk, for the `Location` of our own answers and the action of forms.
#[must_use]
pub fn desk_path(tenant: &TenantCode, login: LoginId) -> String {
    format!("/t/{tenant}/login/{login}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_from_the_public_address_contract() {
        let urls = Urls::new(&"https://login.example.com".parse().expect("an address"));
        let acme: TenantCode = "acme".parse().expect("a code");
        let login = LoginId::from_bits(0);
        assert_eq!(urls.base(&acme), "https://login.example.com/t/acme");
        assert_eq!(urls.desk(&acme, login), format!("https://login.example.com/t/acme/login/{login}"));
        assert_eq!(
            urls.resume(Origin::Saml, &acme, login),
            format!("https://login.example.com/t/acme/saml/resume/{login}")
        );
        let local = Urls::new(&"http://127.0.0.1:8080".parse().expect("an address"));
        assert_eq!((local.authority(), local.secure()), ("127.0.0.1:8080", false));
    }
}
