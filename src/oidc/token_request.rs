//! The token request: reading it, and proving that the client is itself.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::error::{TokenError, TokenErrorCode as Code};
use super::parameters::{ParameterError, Parameters, form_decoded};
use crate::domain::ids::TenantId;
use crate::domain::oidc_client::{ClientAuthentication, OidcClient, SecretDigest};
use crate::domain::secret::{ExposeSecret, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::keys::derived::KeyedHash;

/// A token request, read but not believed.
#[derive(Debug)]
pub struct TokenRequest {
    /// Who the client says it is, and how it proves that.
    pub client: PresentedClient,
    /// What it wants.
    pub grant: GrantRequest,
}

/// Who the client says it is.
#[derive(Debug)]
pub struct PresentedClient {
    /// The client id.
    pub client_id: String,
    /// The method that was used; must be the registered one.
    method: ClientAuthentication,
    secret: Option<SecretString>,
}

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
}

/// Reads a token request from its content type, the header `Authorization` and its body.
///
/// # Errors
/// [`TokenError`] with what is wrong.
pub fn parse(content_type: Option<&str>, authorization: Option<&str>, body: &[u8]) -> Result<TokenRequest, TokenError> {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("the content type must be application/x-www-form-urlencoded"));
    }
    let parameters = Parameters::parse(body).map_err(|error| match error {
        ParameterError::TooLong => invalid("the body is too long"),
        ParameterError::NotUtf8 | ParameterError::Twice(_) => invalid("the body is not UTF-8"),
    })?;
    let client = presented_client(authorization, &parameters)?;
    let grant = match one(&parameters, "grant_type")? {
        Some("authorization_code") => authorization_code(&parameters)?,
        Some(_) => return Err(TokenError::new(Code::UnsupportedGrantType, "grant_type must be authorization_code")),
        None => return Err(invalid("the parameter grant_type is missing")),
    };
    Ok(TokenRequest { client, grant })
}

fn authorization_code(parameters: &Parameters) -> Result<GrantRequest, TokenError> {
    let code = one(parameters, "code")?.ok_or(invalid("the parameter code is missing"))?;
    Ok(GrantRequest::AuthorizationCode {
        code: SecretString::from(code.to_owned()),
        redirect_uri: one(parameters, "redirect_uri")?.map(str::to_owned),
        code_verifier: one(parameters, "code_verifier")?.map(|verifier| SecretString::from(verifier.to_owned())),
    })
}

fn invalid(description: &'static str) -> TokenError {
    TokenError::new(Code::InvalidRequest, description)
}

fn one<'p>(parameters: &'p Parameters, name: &'static str) -> Result<Option<&'p str>, TokenError> {
    parameters.one(name).map_err(|_| invalid("a parameter is given more than once"))
}

/// Finds the one way in which the client proves itself; two at once are refused (RFC 6749, 2.3).
fn presented_client(authorization: Option<&str>, parameters: &Parameters) -> Result<PresentedClient, TokenError> {
    let in_body = one(parameters, "client_id")?;
    let secret_in_body = one(parameters, "client_secret")?;
    if one(parameters, "client_assertion")?.is_some() || one(parameters, "client_assertion_type")?.is_some() {
        return Err(TokenError::new(Code::InvalidClient, "client assertions are not supported"));
    }
    let Some(authorization) = authorization else {
        let client_id = in_body.ok_or(TokenError::new(Code::InvalidClient, "the client does not say who it is"))?;
        let method = match secret_in_body {
            Some(_) => ClientAuthentication::ClientSecretPost,
            None => ClientAuthentication::None,
        };
        let secret = secret_in_body.map(|secret| SecretString::from(secret.to_owned()));
        return Ok(PresentedClient { client_id: client_id.to_owned(), method, secret });
    };
    let (client_id, secret) = basic(authorization).ok_or(TokenError::new(
        Code::InvalidClient,
        "the Authorization header is not as RFC 6749 2.3.1 describes it",
    ))?;
    if secret_in_body.is_some() {
        return Err(invalid("the client authenticates in two ways at once"));
    }
    if in_body.is_some_and(|other| other != client_id) {
        return Err(invalid("client_id differs from the one in the Authorization header"));
    }
    Ok(PresentedClient { client_id, method: ClientAuthentication::ClientSecretBasic, secret: Some(secret) })
}

/// `Basic` with both parts form-urlencoded before base64 (RFC 6749, 2.3.1), which many forget: only so
/// can an id with a colon or a secret with a percent sign be told apart.
fn basic(authorization: &str) -> Option<(String, SecretString)> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = SecretString::from(String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?);
    let (id, secret) = decoded.expose_secret().split_once(':')?;
    Some((form_decoded(id.as_bytes())?, SecretString::from(form_decoded(secret.as_bytes())?)))
}

/// The hash under which a client secret is stored and looked for.
#[must_use]
pub fn secret_digest(hash: &KeyedHash, tenant: TenantId, client_id: &str, secret: &SecretString) -> SecretDigest {
    SecretDigest(hash.of(&[&tenant.to_bytes(), client_id.as_bytes(), secret.expose_secret().as_bytes()]))
}

/// Whether the client proved that it is `client`, in the way it was registered with.
///
/// # Errors
/// `invalid_client`.
pub fn authenticate(
    presented: &PresentedClient,
    client: &OidcClient,
    tenant: TenantId,
    hash: &KeyedHash,
    now: Timestamp,
) -> Result<(), TokenError> {
    if presented.client_id != client.client_id || presented.method != client.authentication {
        let why = "the client does not authenticate in the way it is registered with";
        return Err(TokenError::new(Code::InvalidClient, why));
    }
    let Some(secret) = &presented.secret else { return Ok(()) };
    let digest = secret_digest(hash, tenant, &client.client_id, secret);
    // All are compared, in constant time, so that the answer's time does not tell which one is near.
    let matches = client.valid_secrets(now).fold(false, |found, valid| {
        use subtle::ConstantTimeEq as _;
        found | bool::from(valid.0.ct_eq(&digest.0))
    });
    if matches { Ok(()) } else { Err(TokenError::new(Code::InvalidClient, "the client secret is wrong")) }
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
    use crate::domain::oidc_client::OidcClientDraft;
    use crate::domain::secret::SecretBytes;
    use crate::keys::derived::DerivedKeys;
    use std::time::Duration;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=UTF-8");
    const NOW: Timestamp = Timestamp::from_seconds(1000);
    const TENANT: TenantId = TenantId::from_bits(1);

    fn keys() -> DerivedKeys {
        DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]))
    }

    fn client(id: &str, secret: Option<&str>, method: &str) -> OidcClient {
        let mut table = toml::Table::new();
        table.insert("client_id".into(), id.into());
        table.insert("redirect_uris".into(), vec!["https://rp.example/cb"].into());
        table.insert("token_endpoint_auth_method".into(), method.into());
        if let Some(secret) = secret {
            table.insert("client_secret".into(), secret.into());
        }
        let draft: OidcClientDraft = table.try_into().expect("a draft");
        draft.check(|id, secret| secret_digest(&keys().client_secrets, TENANT, id, secret)).expect("a client")
    }

    fn header(id: &str, secret: &str) -> String {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
    }

    const BODY: &[u8] = b"grant_type=authorization_code&code=c";

    fn check(client: &OidcClient, authorization: Option<&str>, more: &str) -> Result<(), Code> {
        let body = [BODY, more.as_bytes()].concat();
        let request = parse(FORM, authorization, &body).map_err(|error| error.error)?;
        authenticate(&request.client, client, TENANT, &keys().client_secrets, NOW).map_err(|error| error.error)
    }

    /// TOK-03, TOK-04, TOK-07 to TOK-10, R-510.
    #[test]
    fn a_client_proves_itself_in_its_own_way_only() {
        let (id, secret) = ("conf:special client/a+b", "s%3A+p e&c=ial/:\"x~-0123456789");
        let basic = client(id, Some(secret), "client_secret_basic");
        assert_eq!(check(&basic, Some(&header(id, secret)), ""), Ok(()));
        assert_eq!(check(&basic, Some(&header(id, "wrong")), ""), Err(Code::InvalidClient));
        assert_eq!(check(&basic, Some(&header("other", secret)), ""), Err(Code::InvalidClient));
        assert_eq!(
            check(&basic, None, "&client_id=conf%3Aspecial+client%2Fa%2Bb"),
            Err(Code::InvalidClient),
            "no proof"
        );
        assert_eq!(check(&basic, None, ""), Err(Code::InvalidClient));
        for bad in ["Basic", "Basic %%%", "Basic YQ==", "Bearer YTpi", "basic"] {
            assert_eq!(check(&basic, Some(bad), ""), Err(Code::InvalidClient), "{bad}");
        }
        let post = client("post", Some("a long secret"), "client_secret_post");
        assert_eq!(check(&post, None, "&client_id=post&client_secret=a+long+secret"), Ok(()));
        assert_eq!(check(&post, None, "&client_id=post&client_secret=a+long+secreT"), Err(Code::InvalidClient));
        assert_eq!(check(&post, Some(&header("post", "a long secret")), ""), Err(Code::InvalidClient), "not its way");
        let both = "&client_id=post&client_secret=a+long+secret";
        assert_eq!(check(&post, Some(&header("post", "a long secret")), both), Err(Code::InvalidRequest), "two ways");
        let public = client("spa", None, "none");
        assert_eq!(check(&public, None, "&client_id=spa"), Ok(()));
        assert_eq!(check(&public, None, "&client_id=spa&client_secret=x"), Err(Code::InvalidClient));
        assert_eq!(check(&public, None, "&client_id=spa&client_assertion=e30.e30."), Err(Code::InvalidClient));
    }

    ///
    #[test]
    fn both_secrets_work_while_one_replaces_the_other() {
        let mut notes = client("notes", Some("the old secret"), "client_secret_post");
        let new = SecretString::from("the new secret".to_owned());
        let digest = secret_digest(&keys().client_secrets, TENANT, "notes", &new);
        notes.replace_secret(digest, Duration::from_secs(60), NOW);
        for secret in ["the+old+secret", "the+new+secret"] {
            assert_eq!(check(&notes, None, &format!("&client_id=notes&client_secret={secret}")), Ok(()));
        }
        notes.replace_secret(digest, Duration::ZERO, NOW);
        assert_eq!(check(&notes, None, "&client_id=notes&client_secret=the+old+secret"), Err(Code::InvalidClient));
    }

    /// TOK-11, TOK-12, TOK-25.
    #[test]
    fn a_bad_request_is_told_what_is_wrong_rfc_6749_5_2() {
        let error = |content_type, body: &[u8]| parse(content_type, None, body).map(|_| ()).map_err(|e| e.error);
        assert_eq!(error(FORM, b"client_id=x&grant_type=urn:x:bogus"), Err(Code::UnsupportedGrantType));
        assert_eq!(error(FORM, b"client_id=x&foo=bar"), Err(Code::InvalidRequest));
        assert_eq!(error(FORM, b"client_id=x&grant_type=authorization_code"), Err(Code::InvalidRequest));
        assert_eq!(error(FORM, b"client_id=x&grant_type=authorization_code&code=a&code=a"), Err(Code::InvalidRequest));
        assert_eq!(error(FORM, b"client_id=x&grant_type=%ff"), Err(Code::InvalidRequest));
        assert_eq!(error(Some("application/json"), b"{}"), Err(Code::InvalidRequest));
        assert_eq!(error(None, BODY), Err(Code::InvalidRequest));
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
