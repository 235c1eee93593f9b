//! The discovery document and the key set, as ready octets: nothing is built when they are asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthUrl, AuthenticationContextClass, IssuerUrl, JsonWebKeySetUrl, LanguageTag,
    ProviderMetadata, RegistrationUrl, ResponseTypes, Scope as ScopeName, TokenUrl, UserInfoUrl,
};
use serde::{Deserialize, Serialize};

use super::token_request::GrantRequest;
use super::{acr, claims};
use crate::domain::oidc_client::{ClientAuthentication, Scope};
use crate::domain::signing_key::SignatureAlgorithm;
use crate::keys::jose::JwsAlgorithm;

/// How long others may keep the discovery document and the key set, in seconds. Keys are published a
/// day before they sign, so an hour is safe (security.md 5.9).
pub const MAX_AGE_SECONDS: u32 = 3600;

/// A document that changes rarely: its octets and the tag by which a cache asks whether it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyDocument {
    /// What is sent.
    pub body: actix_web::web::Bytes,
    /// The value of the header `ETag`, with its quotes.
    pub etag: String,
}

impl ReadyDocument {
    /// The document with these octets.
    #[must_use]
    pub fn of(body: Vec<u8>) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        // 96 bits tell versions of one document apart for ever.
        let tag = URL_SAFE_NO_PAD.encode(digest.as_ref().get(..12).unwrap_or_default());
        Self { body: body.into(), etag: format!("\"{tag}\"") }
    }

    /// Whether a cache that sent this `If-None-Match` has the document already (RFC 9110, 13.1.2).
    #[must_use]
    pub fn is_known(&self, if_none_match: &str) -> bool {
        let tags = if_none_match.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        tags.into_iter().any(|tag| tag == self.etag || tag == "*")
    }
}

/// The addresses of a tenant's OpenID Connect door, all absolute.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The issuer, without a slash at the end.
    pub issuer: String,
    /// The authorization endpoint.
    pub authorization: String,
    /// The token endpoint.
    pub token: String,
    /// The UserInfo endpoint.
    pub userinfo: String,
    /// The key set.
    pub jwks: String,
    /// Where tokens are given up.
    pub revocation: String,
    /// Where tokens are asked about.
    pub introspection: String,
    /// Where people log out.
    pub end_session: String,
    /// Where requests are pushed.
    pub pushed: String,
    /// Where devices begin.
    pub device: String,
    /// Where applications register themselves.
    pub registration: String,
}

/// Members of the document that the crate's type does not have.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Additional {
    /// RFC 7636, through RFC 8414.
    code_challenge_methods_supported: Vec<String>,
    /// RFC 9207.
    authorization_response_iss_parameter_supported: bool,
    /// Initiating User Registration via OpenID Connect, which defined this member.
    prompt_values_supported: Vec<String>,
    /// RFC 7009, through RFC 8414.
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: Vec<String>,
    revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// RFC 7662, through RFC 8414.
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: Vec<String>,
    introspection_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// RP-Initiated Logout 2.1, Back-Channel Logout 2.1, Front-Channel Logout 3.
    end_session_endpoint: String,
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
    frontchannel_logout_supported: bool,
    frontchannel_logout_session_supported: bool,
    /// RFC 8628, 4.
    device_authorization_endpoint: String,
    /// RFC 9126, 5.
    pushed_authorization_request_endpoint: String,
    /// OpenID Connect Discovery 3, RFC 9101.
    request_object_signing_alg_values_supported: Vec<String>,
    /// RFC 9449, 5.1.
    dpop_signing_alg_values_supported: Vec<String>,
    /// OpenID Connect Discovery 3; by which algorithms an assertion may be signed.
    token_endpoint_auth_signing_alg_values_supported: Vec<String>,
}

impl AdditionalProviderMetadata for Additional {}

type Metadata = ProviderMetadata<
    Additional,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Why the document cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// An address is no URL: the public URL of the configuration is wrong.
    #[error("an address of the OpenID Connect door is no URL: {0}")]
    Address(#[from] url::ParseError),
    /// The document cannot be written as JSON.
    #[error("the discovery document cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The discovery document (OpenID Connect Discovery 3, R-502). `algorithms` are those the tenant has
/// keys for, `languages` the tags of the languages the pages speak.
///
/// # Errors
/// [`MetadataError`]; no request causes one.
pub fn discovery(
    addresses: &Addresses,
    algorithms: &[SignatureAlgorithm],
    languages: &[&str],
) -> Result<ReadyDocument, MetadataError> {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let methods = |wanted: fn(ClientAuthentication) -> bool| {
        let methods = ClientAuthentication::ALL.into_iter().filter(|method| wanted(*method));
        methods.map(|method| method.name().to_owned()).collect::<Vec<_>>()
    };
    let additional = Additional {
        code_challenge_methods_supported: texts(&["S256"]),
        authorization_response_iss_parameter_supported: true,
        prompt_values_supported: texts(&["none", "login", "consent", "select_account"]),
        revocation_endpoint: addresses.revocation.clone(),
        revocation_endpoint_auth_methods_supported: methods(|_| true),
        revocation_endpoint_auth_signing_alg_values_supported: texts(&JwsAlgorithm::ALL.map(JwsAlgorithm::name)),
        introspection_endpoint: addresses.introspection.clone(),
        introspection_endpoint_auth_methods_supported: methods(|method| method != ClientAuthentication::None),
        introspection_endpoint_auth_signing_alg_values_supported: texts(&JwsAlgorithm::ALL.map(JwsAlgorithm::name)),
        device_authorization_endpoint: addresses.device.clone(),
        pushed_authorization_request_endpoint: addresses.pushed.clone(),
        request_object_signing_alg_values_supported: texts(&JwsAlgorithm::ALL.map(JwsAlgorithm::name)),
        dpop_signing_alg_values_supported: texts(&JwsAlgorithm::ALL.map(JwsAlgorithm::name)),
        end_session_endpoint: addresses.end_session.clone(),
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        frontchannel_logout_supported: true,
        frontchannel_logout_session_supported: true,
        token_endpoint_auth_signing_alg_values_supported: texts(&JwsAlgorithm::ALL.map(JwsAlgorithm::name)),
    };
    let metadata = Metadata::new(
        IssuerUrl::new(addresses.issuer.clone())?,
        AuthUrl::new(addresses.authorization.clone())?,
        JsonWebKeySetUrl::new(addresses.jwks.clone())?,
        vec![ResponseTypes::new(vec![CoreResponseType::Code])],
        vec![CoreSubjectIdentifierType::Public, CoreSubjectIdentifierType::Pairwise],
        algorithms.iter().map(|algorithm| jws(*algorithm)).collect(),
        additional,
    )
    .set_token_endpoint(Some(TokenUrl::new(addresses.token.clone())?))
    .set_registration_endpoint(Some(RegistrationUrl::new(addresses.registration.clone())?))
    .set_userinfo_endpoint(Some(UserInfoUrl::new(addresses.userinfo.clone())?))
    .set_scopes_supported(Some(Scope::ALL.iter().map(|scope| ScopeName::new(scope.name().to_owned())).collect()))
    .set_response_modes_supported(Some(vec![CoreResponseMode::Query, CoreResponseMode::FormPost]))
    .set_grant_types_supported(Some(GrantRequest::TYPES.iter().map(|name| grant_type(name)).collect()))
    .set_acr_values_supported(Some(texts(&acr::ALL).into_iter().map(AuthenticationContextClass::new).collect()))
    .set_token_endpoint_auth_methods_supported(Some(client_authentications()))
    .set_display_values_supported(Some(vec![CoreAuthDisplay::Page]))
    .set_claim_types_supported(Some(vec![CoreClaimType::Normal]))
    .set_claims_supported(Some(
        claims::supported().into_iter().map(|name| CoreClaimName::new(name.to_owned())).collect(),
    ))
    .set_ui_locales_supported(Some(texts(languages).into_iter().map(LanguageTag::new).collect()))
    .set_userinfo_signing_alg_values_supported(Some(algorithms.iter().map(|algorithm| jws(*algorithm)).collect()))
    .set_claims_parameter_supported(Some(true))
    .set_request_parameter_supported(Some(true))
    // Its default is true, so it has to be said (Discovery 3).
    .set_request_uri_parameter_supported(Some(false));
    Ok(ReadyDocument::of(serde_json::to_vec(&metadata)?))
}

fn grant_type(name: &str) -> CoreGrantType {
    match name {
        "authorization_code" => CoreGrantType::AuthorizationCode,
        "refresh_token" => CoreGrantType::RefreshToken,
        "client_credentials" => CoreGrantType::ClientCredentials,
        other => CoreGrantType::Extension(other.to_owned()),
    }
}

const fn jws(algorithm: SignatureAlgorithm) -> CoreJwsSigningAlgorithm {
    match algorithm {
        SignatureAlgorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        SignatureAlgorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        SignatureAlgorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
    }
}

fn client_authentications() -> Vec<CoreClientAuthMethod> {
    let methods = ClientAuthentication::ALL.into_iter().map(|method| match method {
        ClientAuthentication::ClientSecretBasic => CoreClientAuthMethod::ClientSecretBasic,
        ClientAuthentication::ClientSecretPost => CoreClientAuthMethod::ClientSecretPost,
        ClientAuthentication::PrivateKeyJwt => CoreClientAuthMethod::PrivateKeyJwt,
        ClientAuthentication::None => CoreClientAuthMethod::None,
    });
    methods.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> ReadyDocument {
        let base = "https://login.example/t/acme";
        let addresses = Addresses {
            issuer: base.to_owned(),
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
        };
        discovery(&addresses, &SignatureAlgorithm::ALL, &["en", "zh-Hans"]).expect("a document")
    }

    /// DISC-03 to DISC-14.
    #[test]
    fn the_document_says_what_is_true_in_the_types_of_the_standard() {
        let json: serde_json::Value = serde_json::from_slice(&document().body).expect("JSON");
        let members = json.as_object().expect("an object");
        assert_eq!(json["issuer"], "https://login.example/t/acme");
        assert_eq!(json["response_types_supported"], serde_json::json!(["code"]));
        assert_eq!(json["response_modes_supported"], serde_json::json!(["query", "form_post"]));
        assert_eq!(json["code_challenge_methods_supported"], serde_json::json!(["S256"]));
        assert_eq!(json["id_token_signing_alg_values_supported"], serde_json::json!(["RS256", "ES256", "EdDSA"]));
        let methods = serde_json::json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]);
        assert_eq!(json["token_endpoint_auth_methods_supported"], methods);
        // RFC 8414, 2: they must be there where private_key_jwt is offered.
        for endpoint in ["token", "revocation", "introspection"] {
            let algorithms = &json[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
            assert_eq!(*algorithms, serde_json::json!(JwsAlgorithm::ALL.map(JwsAlgorithm::name)), "{endpoint}");
        }
        assert_eq!(json["grant_types_supported"], serde_json::json!(GrantRequest::TYPES));
        assert_eq!(json["request_uri_parameter_supported"], false);
        assert_eq!(json["authorization_response_iss_parameter_supported"], true);
        for (name, value) in members {
            let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            assert!(!empty, "{name} must be left out instead (RFC 8414, 2)");
        }
    }

    ///
    #[test]
    fn a_cache_is_told_when_nothing_changed() {
        let document = document();
        assert!(document.is_known(&document.etag) && document.is_known(&format!("\"x\", W/{}", document.etag)));
        assert!(!document.is_known("\"x\"") && !document.is_known(""));
        assert_ne!(ReadyDocument::of(b"other".to_vec()).etag, document.etag);
    }
}
