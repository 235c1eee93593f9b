//! The token request: what is asked for.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::endpoint::{needed, one};
use super::error::{TokenError, TokenErrorCode as Code};
use super::parameters::Parameters;
use crate::domain::secret::{ExposeSecret as _, SecretString};

/// What is asked for. Each grant type is a variant; a new one does not compile until it is served.
#[derive(Debug)]
pub enum GrantRequest {
    /// Redeem an authorization code (RFC 6749, 4.1.3).
    AuthorizationCode {
        /// The code.
        code: SecretString,
        /// Must be the one of the authorization request.
        redirect_uri: Option<String>,
        /// Must fit the challenge of the authorization request (RFC 7636).
        code_verifier: Option<SecretString>,
    },
    /// Renew an access token (RFC 6749, 6).
    RefreshToken {
        /// The refresh token.
        token: SecretString,
        /// Fewer scopes than were granted, if given.
        scope: Option<String>,
    },
    /// Tokens for a device that a person has let in (RFC 8628, 3.4).
    DeviceCode {
        /// The device's secret.
        code: SecretString,
    },
    /// A token for the application itself (RFC 6749, 4.4).
    ClientCredentials {
        /// What it shall open.
        scope: Option<String>,
    },
}

impl GrantRequest {
    /// The names of all grant types, as announced.
    pub const TYPES: [&'static str; 4] =
        ["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"];

    /// Reads what is asked for.
    ///
    /// # Errors
    /// [`TokenError`] with what is wrong.
    pub fn parse(parameters: &Parameters) -> Result<Self, TokenError> {
        let secret = |text: &str| SecretString::from(text.to_owned());
        match needed(parameters, "grant_type")? {
            "authorization_code" => Ok(Self::AuthorizationCode {
                code: secret(needed(parameters, "code")?),
                redirect_uri: one(parameters, "redirect_uri")?.map(str::to_owned),
                code_verifier: one(parameters, "code_verifier")?.map(secret),
            }),
            "refresh_token" => Ok(Self::RefreshToken {
                token: secret(needed(parameters, "refresh_token")?),
                scope: one(parameters, "scope")?.map(str::to_owned),
            }),
            "urn:ietf:params:oauth:grant-type:device_code" => {
                Ok(Self::DeviceCode { code: secret(needed(parameters, "device_code")?) })
            }
            "client_credentials" => Ok(Self::ClientCredentials { scope: one(parameters, "scope")?.map(str::to_owned) }),
            _ => {
                let why = format!("grant_type must be one of: {}", Self::TYPES.join(", "));
                Err(TokenError::new(Code::UnsupportedGrantType, why))
            }
        }
    }
}

/// Whether `verifier` fits `challenge` by S256 (RFC 7636, 4.6). Both must be there, or neither: a
/// verifier without a challenge is an attempt to redeem somebody else's code (T-48, AC-47).
#[must_use]
pub fn verifier_fits(challenge: Option<&str>, verifier: Option<&SecretString>) -> bool {
    let (challenge, verifier) = match (challenge, verifier) {
        (None, None) => return true,
        (Some(challenge), Some(verifier)) => (challenge, verifier.expose_secret()),
        _ => return false,
    };
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return false;
    }
    let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    use subtle::ConstantTimeEq as _;
    hash.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::endpoint::form;

    /// TOK-11, TOK-12, TOK-25.
    #[test]
    fn a_bad_request_is_told_what_is_wrong_rfc_6749_5_2() {
        const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=UTF-8");
        let error = |content_type, body: &[u8]| {
            form(content_type, body).and_then(|form| GrantRequest::parse(&form)).map(|_| ()).map_err(|e| e.error)
        };
        assert_eq!(error(FORM, b"client_id=x&grant_type=urn:x:bogus"), Err(Code::UnsupportedGrantType));
        assert_eq!(error(FORM, b"client_id=x&grant_type=password"), Err(Code::UnsupportedGrantType));
        assert_eq!(error(FORM, b"client_id=x&foo=bar"), Err(Code::InvalidRequest));
        assert_eq!(error(FORM, b"client_id=x&grant_type=authorization_code"), Err(Code::InvalidRequest));
        assert_eq!(error(FORM, b"grant_type=authorization_code&code=a&code=a"), Err(Code::InvalidRequest));
        assert_eq!(error(FORM, b"grant_type=refresh_token"), Err(Code::InvalidRequest));
        assert_eq!(error(FORM, b"client_id=x&grant_type=%ff"), Err(Code::InvalidRequest));
        assert_eq!(error(Some("application/json"), b"{}"), Err(Code::InvalidRequest));
        assert_eq!(error(None, b"grant_type=refresh_token&refresh_token=x"), Err(Code::InvalidRequest));
        assert_eq!(error(FORM, b"grant_type=refresh_token&refresh_token=x"), Ok(()));
    }

    /// RFC 7636, appendix B; T-48.
    #[test]
    fn a_verifier_fits_its_challenge_and_no_other() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let verifier = |text: &str| SecretString::from(text.to_owned());
        let good = verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert!(verifier_fits(Some(challenge), Some(&good)));
        assert!(verifier_fits(None, None));
        assert!(!verifier_fits(Some(challenge), None) && !verifier_fits(None, Some(&good)));
        for bad in ["", challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", &"a".repeat(129), "short"] {
            assert!(!verifier_fits(Some(challenge), Some(&verifier(bad))), "{bad}");
        }
    }
}
