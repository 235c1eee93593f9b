//! Who may do what at the console and through the management API: a table of routes, each with the permission that it needs.
//!
//! A route that is not in a [`Table`] is not served, and one without a need cannot be written down, so nothing is open by
//! oversight (T-57, T-59). The table itself is walked by a story as every role.

use std::collections::BTreeMap;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, Resource, Responder, Route, web};
use futures_util::future::LocalBoxFuture;

use super::{Call, Fault, Form, form};
use crate::domain::audit::Actor;
use crate::domain::operator::{Deed, Module, Permission, Permissions};
use crate::domain::secret::SecretString;
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::Desk;
use crate::flow::console::{self, Seated};

/// What a route asks of whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: what everybody may see.
    Nothing,
    /// To be an operator or a key, with whatever role: what depends on the permissions is decided inside.
    Any,
    /// This permission.
    May(Permission),
}

impl From<Permission> for Needs {
    fn from(permission: Permission) -> Self {
        Self::May(permission)
    }
}

impl Needs {
    /// Whether these permissions are enough.
    #[must_use]
    pub fn met(self, permissions: &Permissions) -> bool {
        match self {
            Self::Nothing | Self::Any => true,
            Self::May(permission) => permissions.may(permission),
        }
    }
}

/// A route of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its method.
    pub method: Method,
    /// Its path below the table's own, such as `users/{user}`; empty for the table's own address.
    pub path: String,
    /// What it asks for.
    pub needs: Needs,
}

/// What each method of one address asks for; it travels with the address, so that no lookup can miss it.
struct NeedsOf(Vec<(Method, Needs)>);

/// Routes with what they need.
#[derive(Default)]
pub struct Table {
    resources: BTreeMap<String, (Resource, Vec<(Method, Needs)>)>,
    listed: Vec<Listed>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.listed).finish()
    }
}

impl Table {
    /// Adds a route that reads.
    pub fn get<F, Args>(&mut self, path: &str, needs: impl Into<Needs>, handler: F)
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.add(Method::GET, path, needs.into(), web::get().to(handler));
    }

    /// Adds a route that takes a form, or makes something.
    pub fn post<F, Args>(&mut self, path: &str, needs: impl Into<Needs>, handler: F)
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.add(Method::POST, path, needs.into(), web::post().to(handler));
    }

    /// Adds a route of another method.
    pub fn route<F, Args>(&mut self, method: &Method, path: &str, needs: impl Into<Needs>, handler: F)
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.add(method.clone(), path, needs.into(), web::method(method.clone()).to(handler));
    }

    fn add(&mut self, method: Method, path: &str, needs: Needs, route: Route) {
        let pattern = if matches!(path, "" | "/") { path.to_owned() } else { format!("/{path}") };
        let (resource, mut all) =
            self.resources.remove(&pattern).unwrap_or_else(|| (web::resource(pattern.as_str()), Vec::new()));
        all.push((method.clone(), needs));
        self.resources.insert(pattern, (resource.route(route), all));
        self.listed.push(Listed { method, path: path.to_owned(), needs });
    }

    /// Every route.
    #[must_use]
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// Registers every route. Addresses with fixed words come before those with parameters in their place.
    pub fn register(self, config: &mut web::ServiceConfig) {
        for (resource, needs) in self.resources.into_values() {
            config.service(resource.app_data(NeedsOf(needs)));
        }
    }
}

/// Whether the address of a request is that of a page, too.
pub(crate) fn has_page(request: &HttpRequest) -> bool {
    request.app_data::<NeedsOf>().is_some_and(|all| all.0.iter().any(|(method, _)| *method == Method::GET))
}

/// What the route of a request needs. Without a table there is no such route.
pub(crate) fn needs(request: &HttpRequest) -> Result<Needs, Fault> {
    let all = request.app_data::<NeedsOf>();
    let found = all.and_then(|all| all.0.iter().find(|(method, _)| method == request.method()));
    found.map(|(_, needs)| *needs).ok_or_else(|| Fault::Internal("a route without a need".to_owned()))
}

/// The operator who asks for a page, with what they may do. Whoever has no session that is good enough is sent to the login; to
/// whom the role does not permit it is told so.
#[derive(Debug)]
pub struct Seat {
    /// The request.
    pub call: Call,
    /// The operator.
    pub seated: Seated,
    /// Whether a login came between: what was sent before it was not done, see [`AFTER_LOGIN`].
    pub after_login: bool,
}

/// The query of the page that a login leads to which a form had to wait for.
pub const AFTER_LOGIN: &str = "again=yes";

/// Why nobody sits here.
#[derive(Debug, thiserror::Error)]
pub enum Unseated {
    /// A login must come first; the door begins it.
    #[error("a login must come first")]
    Login(Box<Call>),
    /// A fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Seat {
    /// The operator who asks for this page.
    ///
    /// # Errors
    /// [`Unseated::Login`] if nobody is logged in, or not well enough; [`Fault::Forbidden`] if the role does not permit it.
    pub async fn take(request: &HttpRequest) -> Result<Self, Unseated> {
        let needs = needs(request)?;
        let call = Call::extract(request).await?;
        let (site, realm) = (&call.site, &call.realm);
        let seated = console::seated(&site.house, realm, &call.visit, &call.browser).await.map_err(Fault::from)?;
        let Some(seated) = seated else { return Err(Unseated::Login(Box::new(call))) };
        let after_login = request.query_string().split('&').any(|pair| pair == AFTER_LOGIN);
        if needs.met(&seated.permissions) {
            Ok(Self { call, seated, after_login })
        } else {
            Err(Fault::Forbidden.into())
        }
    }

    /// Whether the role permits this.
    #[must_use]
    pub fn may(&self, module: Module, deed: Deed) -> bool {
        self.seated.permissions.may(module.needs(deed))
    }

    /// The desk at which the operator works.
    #[must_use]
    pub fn desk(&self) -> Desk<'_> {
        let operator = &self.seated.operator;
        let actor = Actor::Operator(operator.user, operator.username.clone());
        let visit = &self.call.visit;
        Desk { house: &self.call.site.house, actor, address: visit.address.to_string(), now: visit.now }
    }

    /// The hidden field of the forms of the console.
    #[must_use]
    pub fn csrf(&self) -> String {
        form::token(&self.call.site, &self.purpose().each_ref().map(Vec::as_slice))
    }

    /// Checks that a form was made by a page of the console for this operator in this session (T-18).
    ///
    /// # Errors
    /// [`Fault::Forged`].
    pub fn check(&self, form: &Form) -> Result<(), Fault> {
        form.check(&self.call.site, &self.purpose().each_ref().map(Vec::as_slice))
    }

    fn purpose(&self) -> [Vec<u8>; 3] {
        let tenant = self.call.realm.tenant().to_bytes().to_vec();
        [b"operator".to_vec(), tenant, self.seated.session.id.to_bytes().to_vec()]
    }

    /// The address of a page of the console.
    #[must_use]
    pub fn path(&self, page: &str) -> String {
        path(&self.call, page)
    }
}

/// The address of a page of the console.
#[must_use]
pub fn path(call: &Call, page: &str) -> String {
    format!("/t/{}/operator/{page}", call.realm.code())
}

/// A program that calls the management API with a key, with what it may do.
#[derive(Debug)]
pub struct Program {
    /// The request.
    pub call: Call,
    /// The key.
    pub key: crate::storage::operators::ApiKey,
    /// What its role permits.
    pub permissions: Permissions,
}

/// Why a program is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// There is no key, or none that works: 401.
    #[error("a key to the management API is needed")]
    NoKey,
    /// The role of the key does not permit it: 403.
    #[error("the role of this key does not permit it")]
    NotPermitted(Permission),
    /// A fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Program {
    /// The program that calls.
    ///
    /// # Errors
    /// [`Unknown`].
    pub async fn take(request: &HttpRequest) -> Result<Self, Unknown> {
        let needs = needs(request)?;
        let call = Call::extract(request).await?;
        let shown = bearer(request).ok_or(Unknown::NoKey)?;
        let found = console::with_key(&call.site.house, &call.realm, call.visit.now, &shown).await;
        let (key, permissions) = found.map_err(Fault::from)?.ok_or(Unknown::NoKey)?;
        match needs {
            Needs::May(permission) if !permissions.may(permission) => Err(Unknown::NotPermitted(permission)),
            Needs::Nothing | Needs::Any | Needs::May(_) => Ok(Self { call, key, permissions }),
        }
    }

    /// The desk at which the program works.
    #[must_use]
    pub fn desk(&self) -> Desk<'_> {
        let actor = Actor::Key(self.key.id, self.key.name.clone());
        let visit = &self.call.visit;
        Desk { house: &self.call.site.house, actor, address: visit.address.to_string(), now: visit.now }
    }

    /// When the request came.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.call.visit.now
    }
}

/// The key in `Authorization: Bearer` (RFC 6750 2.1).
fn bearer(request: &HttpRequest) -> Option<SecretString> {
    let mut lines = request.headers().get_all(actix_web::http::header::AUTHORIZATION);
    let line = lines.next()?.to_str().ok()?;
    let (scheme, key) = line.split_once(' ')?;
    let one = lines.next().is_none() && scheme.eq_ignore_ascii_case("bearer");
    one.then(|| SecretString::from(key.trim().to_owned()))
}

/// A form of the console, longer than those of a login: it may hold a file's worth of names.
#[derive(Debug)]
pub struct LongForm(pub Form);

/// The longest form of the console, in octets.
pub const LONGEST_FORM: usize = 1024 * 1024;

impl FromRequest for LongForm {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = form::read(request, payload, LONGEST_FORM);
        Box::pin(async move { read.await.map(Self) })
    }
}
