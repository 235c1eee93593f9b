//! The authorization request: one ordered list of checks from octets to something that can be trusted.
//!
//! The order is a security property. As long as the client and its address are not proven, an error is
//! shown and nothing is sent anywhere ([`RequestError::Shown`]); from then on every error goes back to
//! the application ([`RequestError::SentBack`]), in the response mode it asked for (R-514, RFC 9700 4.11).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::acr::{self, Level};
use super::answer::{ResponseMode, ReturnAddress};
use super::error::{AuthorizationError, AuthorizationErrorCode as Code, ShownError};
use super::parameters::Parameters;
use crate::domain::login::wishes::{Freshness, Wishes};
use crate::domain::oidc_client::{OidcClient, Scope};
use crate::domain::resource::Resource;
use crate::i18n::Language;

/// The longest `state`, in octets; it is given back in an address.
const LONGEST_STATE: usize = 4096;
/// The longest `nonce`, in octets; it stands in the ID Token.
const LONGEST_NONCE: usize = 512;
/// The longest hint that is believed; longer ones are ignored, since a hint may always be.
const LONGEST_HINT: usize = 320;

/// A request that passed every check. Stored with the login until it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The client, as registered.
    pub client_id: String,
    /// Where the answer goes.
    pub return_to: ReturnAddress,
    /// What was asked for, may be given and is understood; always `openid`.
    pub scopes: BTreeSet<Scope>,
    /// Goes into the ID Token unchanged.
    pub nonce: Option<String>,
    /// The PKCE challenge by S256.
    pub code_challenge: Option<String>,
    /// What shall be shown to the person.
    pub prompt: Prompt,
    /// The longest time since the authentication, in seconds.
    pub max_age_seconds: Option<u64>,
    /// The wanted `acr` values, the most wanted first.
    pub acr_values: Vec<String>,
    /// The level without which no code may be issued (an essential `acr`).
    pub essential_level: Option<Level>,
    /// Whether no code may be issued without a password or a passcode, whichever: an essential `acr` that takes either.
    #[serde(default)]
    pub essential_either: bool,
    /// The user name to begin with.
    pub login_hint: Option<String>,
    /// An ID Token issued earlier; only a signature check tells for whom.
    pub id_token_hint: Option<String>,
    /// The subject that `claims` demands (OIDC Core 5.5.1).
    pub subject: Option<String>,
    /// Languages for the pages, the most wanted first.
    pub ui_locales: Vec<String>,
    /// Claims asked for one by one.
    pub claims: RequestedClaims,
    /// The APIs that access tokens shall be for (RFC 8707).
    #[serde(default)]
    pub resources: Vec<String>,
    /// What they shall open there.
    #[serde(default)]
    pub more_scopes: BTreeSet<String>,
    /// The key that the code is bound to (RFC 9449, 10).
    #[serde(default)]
    pub dpop_jkt: Option<String>,
}

impl AuthorizationRequest {
    /// What the request wishes, in the words of the login.
    ///
    /// A wanted `acr` steps the login up even when it is not essential: an application that names a
    /// level means it, and a login that goes on without would surprise both.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        let wanted = self.acr_values.first().and_then(|value| acr::level_of(value));
        // Whoever would like a password gets what the policy asks for: that may be a passcode, for people who have none.
        // So does whoever takes either factor, in whatever order they are named.
        let wanted = wanted.filter(|level| *level != Level::Password && !self.essential_either);
        let methods = self.essential_level.or(wanted).map(|level| level.needs().to_vec()).unwrap_or_default();
        // Picking an account is done by logging in to it, so it asks for a new login as well.
        let freshness = match (self.prompt.login || self.prompt.select_account, self.max_age_seconds) {
            (true, _) | (false, Some(0)) => Freshness::ThisLogin,
            (false, Some(seconds)) => Freshness::Within { seconds },
            (false, None) => Freshness::Any,
        };
        Wishes {
            silent: self.prompt.none,
            freshness,
            methods,
            otherwise: Vec::new(),
            hint: self.login_hint.clone(),
            // Those that we speak: letters of the login are written in the first of them.
            languages: self
                .ui_locales
                .iter()
                .filter_map(|tag| Language::of_tag(tag))
                .map(|it| it.tag().to_owned())
                .collect(),
            choose_account: self.prompt.select_account,
        }
    }

    /// Whether these proofs satisfy an essential `acr`; no code may be issued otherwise (OIDC Core 5.5.1.1).
    #[must_use]
    pub fn is_satisfied_by(&self, password: bool, passcode: bool) -> bool {
        let level = self.essential_level.is_none_or(|level| level.is_reached(password, passcode));
        level && (!self.essential_either || password || passcode)
    }
}

/// The parameter `prompt` (OIDC Core 3.1.2.1), as far as several words can be combined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// No page may be shown.
    pub none: bool,
    /// The person authenticates again, whatever session there is.
    pub login: bool,
    /// The person picks an account.
    pub select_account: bool,
    /// The person is asked for consent, whatever was allowed before.
    #[serde(default)]
    pub consent: bool,
}

/// The names of single claims in the parameter `claims` (OIDC Core 5.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedClaims {
    /// To be given by UserInfo.
    pub userinfo: BTreeSet<String>,
    /// To be given in the ID Token.
    pub id_token: BTreeSet<String>,
}

impl RequestedClaims {
    /// Whether none was asked for by itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }
}

/// Why a request is refused, and to whom that is said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Only shown.
    #[error(transparent)]
    Shown(#[from] ShownError),
    /// Sent back to the application.
    #[error("{error}")]
    SentBack {
        /// Where to.
        to: Box<ReturnAddress>,
        /// What.
        error: AuthorizationError,
    },
}

/// The `client_id`, by which the caller finds the client for [`parse`].
///
/// # Errors
/// [`ShownError`] if it is missing or given twice.
pub fn client_id(parameters: &Parameters) -> Result<&str, ShownError> {
    parameters.one("client_id")?.ok_or(ShownError::ClientMissing)
}

/// Where the answer goes, whatever it will be: the first thing that is proven.
///
/// # Errors
/// [`ShownError`].
pub fn return_address(parameters: &Parameters, client: &OidcClient) -> Result<ReturnAddress, ShownError> {
    let presented = parameters.one("redirect_uri").map_err(ShownError::from)?;
    let presented = presented.ok_or(ShownError::RedirectUriMissing)?;
    client.redirect_uri(presented).ok_or(ShownError::RedirectUriUnknown)?;
    Ok(ReturnAddress {
        redirect_uri: presented.to_owned(),
        mode: ResponseMode::Query,
        // A state given twice is the application's own fault; it gets the error without any.
        state: parameters.one("state").ok().flatten().map(str::to_owned),
    })
}

/// Checks a request of `client`, which may ask for tokens for those of `resources` that it is registered for. `pushed`
/// says that it came server to server.
///
/// # Errors
/// The first check that fails, see [`RequestError`].
pub fn parse(
    parameters: &Parameters,
    client: &OidcClient,
    resources: &[Resource],
    pushed: bool,
) -> Result<AuthorizationRequest, RequestError> {
    let mut return_to = return_address(parameters, client)?;
    // The mode first: every later error is delivered in it.
    let checked = response_mode(parameters).and_then(|mode| {
        return_to.mode = mode;
        if client.require_pushed_authorization_requests && !pushed {
            return Err(invalid("this client must push its requests to pushed_authorization_request_endpoint"));
        }
        check(parameters, client, resources, return_to.clone())
    });
    checked.map_err(|error| RequestError::SentBack { to: Box::new(return_to), error })
}

/// The checks whose errors go back, in order.
fn check(
    parameters: &Parameters,
    client: &OidcClient,
    resources: &[Resource],
    return_to: ReturnAddress,
) -> Result<AuthorizationRequest, AuthorizationError> {
    state_and_unsupported(parameters)?;
    response_type(parameters)?;
    let scopes = scopes(parameters, client)?;
    let code_challenge = code_challenge(parameters, client)?;
    let prompt = prompt(parameters)?;
    let max_age_seconds = max_age(parameters)?;
    let claims = RawClaims::parse(one(parameters, "claims")?)?;
    let (resources, more_scopes) = targets(parameters, client, resources)?;
    let (acr_values, essential) = wanted_acr(one(parameters, "acr_values")?, &claims)?;
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        return_to,
        scopes,
        nonce: bounded(parameters, "nonce", LONGEST_NONCE)?.map(str::to_owned),
        code_challenge,
        prompt,
        max_age_seconds,
        acr_values,
        essential_level: match essential {
            Some(Essential::Level(level)) => Some(level),
            Some(Essential::Either) | None => None,
        },
        essential_either: essential == Some(Essential::Either),
        login_hint: hint(one(parameters, "login_hint")?),
        id_token_hint: one(parameters, "id_token_hint")?.map(str::to_owned),
        subject: claims.subject()?,
        ui_locales: languages(one(parameters, "ui_locales")?),
        claims: claims.names(),
        resources,
        more_scopes,
        dpop_jkt: dpop_jkt(parameters)?,
    })
}

fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> AuthorizationError {
    AuthorizationError::new(Code::InvalidRequest, description)
}

fn one<'p>(parameters: &'p Parameters, name: &'static str) -> Result<Option<&'p str>, AuthorizationError> {
    parameters.one(name).map_err(|error| invalid(error.to_string()))
}

fn bounded<'p>(
    parameters: &'p Parameters,
    name: &'static str,
    longest: usize,
) -> Result<Option<&'p str>, AuthorizationError> {
    let value = one(parameters, name)?;
    if value.is_some_and(|value| value.len() > longest) {
        return Err(invalid(format!("the parameter {name} is longer than {longest} octets")));
    }
    Ok(value)
}

fn response_mode(parameters: &Parameters) -> Result<ResponseMode, AuthorizationError> {
    match one(parameters, "response_mode")? {
        None | Some("query") => Ok(ResponseMode::Query),
        Some("form_post") => Ok(ResponseMode::FormPost),
        Some("fragment") => Err(invalid("response_mode=fragment is not supported: use query or form_post")),
        Some(_) => Err(invalid("response_mode must be query or form_post")),
    }
}

fn state_and_unsupported(parameters: &Parameters) -> Result<(), AuthorizationError> {
    bounded(parameters, "state", LONGEST_STATE)?;
    for (name, code) in [
        // One that could be checked was unpacked before.
        ("request", Code::RequestNotSupported),
        ("request_uri", Code::RequestUriNotSupported),
        ("registration", Code::RegistrationNotSupported),
    ] {
        if one(parameters, name)?.is_some() {
            return Err(AuthorizationError::new(code, format!("the parameter {name} is not supported")));
        }
    }
    Ok(())
}

fn response_type(parameters: &Parameters) -> Result<(), AuthorizationError> {
    match one(parameters, "response_type")? {
        Some("code") => Ok(()),
        None => Err(invalid("the parameter response_type is missing")),
        Some(_) => Err(AuthorizationError::new(Code::UnsupportedResponseType, "response_type must be code")),
    }
}

/// Unknown scopes and those that the client may not have are left out (OIDC Core 3.1.2.1); the token
/// answer says what was granted.
fn scopes(parameters: &Parameters, client: &OidcClient) -> Result<BTreeSet<Scope>, AuthorizationError> {
    let asked = one(parameters, "scope")?.unwrap_or_default();
    let known: BTreeSet<Scope> = asked.split(' ').filter_map(|word| word.parse().ok()).collect();
    if !known.contains(&Scope::Openid) {
        return Err(AuthorizationError::new(Code::InvalidScope, "scope must contain openid"));
    }
    Ok(known.into_iter().filter(|scope| client.may_have(*scope)).chain([Scope::Openid]).collect())
}

/// The scopes and APIs that a request asks for and may have, of whatever grant.
///
/// # Errors
/// `invalid_request`, `invalid_scope`, `invalid_target`.
#[expect(clippy::type_complexity, reason = "scopes, APIs and what they open there")]
pub fn granted(
    parameters: &Parameters,
    client: &OidcClient,
    resources: &[Resource],
) -> Result<(BTreeSet<Scope>, Vec<String>, BTreeSet<String>), AuthorizationError> {
    let (asked, more) = targets(parameters, client, resources)?;
    Ok((scopes(parameters, client)?, asked, more))
}

/// The APIs that tokens are asked for, and what they shall open there (RFC 8707, 2.1). As with other scopes, those that
/// are not known are left out.
fn targets(
    parameters: &Parameters,
    client: &OidcClient,
    resources: &[Resource],
) -> Result<(Vec<String>, BTreeSet<String>), AuthorizationError> {
    let mut asked: Vec<String> = parameters.all("resource").into_iter().map(str::to_owned).collect();
    asked.dedup();
    let mut possible = BTreeSet::new();
    for one in &asked {
        let known = resources.iter().find(|resource| resource.identifier == *one && client.resources.contains(one));
        let unknown = "the parameter resource names an API that is not registered, or not for this client";
        let known = known.ok_or(AuthorizationError::new(Code::InvalidTarget, unknown))?;
        possible.extend(known.scopes.iter().cloned());
    }
    let words = one(parameters, "scope")?.unwrap_or_default().split(' ');
    Ok((asked, words.filter(|word| possible.contains(*word)).map(str::to_owned).collect()))
}

fn dpop_jkt(parameters: &Parameters) -> Result<Option<String>, AuthorizationError> {
    let jkt = one(parameters, "dpop_jkt")?;
    let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if jkt.is_some_and(|jkt| jkt.len() != 43 || !jkt.bytes().all(base64url)) {
        return Err(invalid("dpop_jkt must be 43 characters of base64url, the thumbprint of a key"));
    }
    Ok(jkt.map(str::to_owned))
}

/// RFC 7636 with S256 only: with `plain`, whoever sees the request can redeem the code (T-48, AC-47).
fn code_challenge(parameters: &Parameters, client: &OidcClient) -> Result<Option<String>, AuthorizationError> {
    let challenge = one(parameters, "code_challenge")?;
    let method = one(parameters, "code_challenge_method")?;
    match (challenge, method) {
        (None, None) if client.require_pkce || client.is_public() => {
            Err(invalid("the parameter code_challenge is missing; PKCE is required"))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(invalid("code_challenge_method is given without code_challenge")),
        (Some(challenge), Some("S256")) => {
            let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if challenge.len() == 43 && challenge.bytes().all(base64url) {
                Ok(Some(challenge.to_owned()))
            } else {
                Err(invalid("code_challenge must be 43 characters of base64url, a SHA-256 hash"))
            }
        }
        (Some(_), _) => Err(invalid("code_challenge_method must be S256")),
    }
}

fn prompt(parameters: &Parameters) -> Result<Prompt, AuthorizationError> {
    let mut prompt = Prompt::default();
    let words: Vec<&str> =
        one(parameters, "prompt")?.unwrap_or_default().split(' ').filter(|w| !w.is_empty()).collect();
    for word in &words {
        match *word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "select_account" => prompt.select_account = true,
            "consent" => prompt.consent = true,
            "create" => return Err(invalid("prompt=create is not supported: accounts are made by the organization")),
            _ => return Err(invalid("prompt may be none, login, consent or select_account")),
        }
    }
    if prompt.none && words.len() > 1 {
        return Err(invalid("prompt=none cannot be combined with another value"));
    }
    Ok(prompt)
}

fn max_age(parameters: &Parameters) -> Result<Option<u64>, AuthorizationError> {
    let Some(text) = one(parameters, "max_age")? else { return Ok(None) };
    // `parse` would also take a leading plus.
    let digits = text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(seconds) if digits => Ok(Some(seconds)),
        _ => Err(invalid("max_age must be a number of seconds")),
    }
}

/// A hint may be wrong, so one that cannot be right is ignored instead of refused.
fn hint(text: Option<&str>) -> Option<String> {
    text.filter(|text| text.len() <= LONGEST_HINT && !text.chars().any(char::is_control)).map(str::to_owned)
}

fn languages(text: Option<&str>) -> Vec<String> {
    let tag =
        |word: &&str| (2..=35).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text.unwrap_or_default().split(' ').filter(tag).take(16).map(str::to_owned).collect()
}

/// What an essential `acr` is content with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Essential {
    /// This level, or more.
    Level(Level),
    /// A password or a passcode: the one that the policy asks for.
    Either,
}

/// The wanted values and what must be reached. `acr_values` are wishes; an `acr` in `claims`
/// that is essential and names values is a condition (OIDC Core 5.5.1.1).
fn wanted_acr(
    acr_values: Option<&str>,
    claims: &RawClaims,
) -> Result<(Vec<String>, Option<Essential>), AuthorizationError> {
    let acr = claims.id_token.get("acr").cloned().flatten().unwrap_or_default();
    let mut wanted = acr.texts()?;
    let conditions: Vec<Level> = wanted.iter().filter_map(|value| acr::level_of(value)).collect();
    let essential = if acr.essential && !wanted.is_empty() {
        // The weakest that satisfies the application; the policy may ask for more.
        let Some(level) = conditions.iter().copied().min() else {
            let why = "none of the essential acr values can be reached here";
            return Err(AuthorizationError::new(Code::UnmetAuthenticationRequirements, why));
        };
        let either = conditions.contains(&Level::Password) && conditions.contains(&Level::Passcode);
        Some(if either { Essential::Either } else { Essential::Level(level) })
    } else {
        None
    };
    wanted.extend(acr_values.unwrap_or_default().split(' ').filter(|value| !value.is_empty()).map(str::to_owned));
    wanted.retain(|value| acr::level_of(value).is_some());
    Ok((wanted, essential))
}

/// The parameter `claims` as it comes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawClaims {
    userinfo: Members,
    id_token: Members,
}

type Members = std::collections::BTreeMap<String, Option<Member>>;

/// What is asked of one claim.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Member {
    essential: bool,
    value: Option<serde_json::Value>,
    values: Vec<serde_json::Value>,
}

impl Member {
    /// `value` and `values`, where they are a condition: one of another type must not count as none (T-51).
    fn texts(&self) -> Result<Vec<String>, AuthorizationError> {
        let texts = self.value.iter().chain(&self.values).map(|value| value.as_str().map(str::to_owned));
        let texts = texts.collect::<Option<Vec<_>>>();
        texts.ok_or_else(|| invalid("the parameter claims asks for an acr or a sub that is no text"))
    }
}

impl RawClaims {
    fn parse(text: Option<&str>) -> Result<Self, AuthorizationError> {
        let Some(text) = text else { return Ok(Self::default()) };
        // A struct of serde also reads from an array; the standard wants an object.
        if !text.trim_start().starts_with('{') {
            return Err(invalid("the parameter claims must be a JSON object"));
        }
        serde_json::from_str(text)
            .map_err(|_| invalid("the parameter claims is not as OpenID Connect Core 5.5 describes it"))
    }

    /// The subject that must be the one logged in, wherever it is asked for; two different ones cannot both be.
    fn subject(&self) -> Result<Option<String>, AuthorizationError> {
        let asked =
            [&self.id_token, &self.userinfo].into_iter().filter_map(|members| members.get("sub").cloned().flatten());
        let mut subjects: Vec<String> = Vec::new();
        for member in asked {
            subjects.extend(member.texts()?);
        }
        subjects.dedup();
        match subjects.len() {
            0 | 1 => Ok(subjects.pop()),
            _ => Err(invalid("the parameter claims asks for two subjects at once")),
        }
    }

    fn names(&self) -> RequestedClaims {
        let names = |members: &Members| members.keys().take(64).cloned().collect();
        RequestedClaims { userinfo: names(&self.userinfo), id_token: names(&self.id_token) }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
