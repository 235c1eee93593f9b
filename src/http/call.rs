//! One request to a door of a virtual server: to whom, from where, with what, in which language.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::ACCEPT_LANGUAGE;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::headers::Correlation;
use super::{Fault, Site, cookies, remembered, visit};
use crate::domain::ids::LoginId;
use crate::domain::secret::ExposeSecret as _;
use crate::domain::tenant::Status;
use crate::flow::case::Case;
use crate::flow::{Browser, Realm, Visit};
use crate::i18n::{Language, Preferences, Texts, negotiate};

/// One request to a door of a virtual server. The path has a parameter `tenant`; a parameter `login` says
/// which login's cookie is meant.
#[derive(Debug)]
pub struct Call {
    /// What every door has at hand.
    pub site: web::Data<Site>,
    /// The virtual server.
    pub realm: Arc<Realm>,
    /// When, from where, by what.
    pub visit: Visit,
    /// The cookies.
    pub browser: Browser,
    /// The language to answer in, as far as the request tells.
    pub language: Language,
    /// The path, for links to the same page.
    pub path: String,
    /// The user name that somebody asked this browser to remember.
    pub remembered: Option<String>,
    /// The language that the person has chosen in this browser.
    pub chosen: Option<String>,
    accept_language: Option<String>,
}

impl Call {
    /// Every text, in the words of the virtual server where it has own ones.
    #[must_use]
    pub fn texts(&self) -> Texts {
        self.site.texts.with(&self.realm.config.messages)
    }

    /// Takes into account what a login knows about its person and its application. The person's own
    /// preference counts once the password is right: before, it would tell that there is such an account.
    pub fn speak_for(&mut self, case: &Case) {
        let login = case.login();
        // Who follows a link from a mail is known, too: the mail was written in that language.
        let proven = case.reservation.is_some() || case.evidence.of_anybody();
        let user = case.member.as_ref().filter(|_| proven).and_then(|member| member.user.language.as_deref());
        self.language = negotiate(&Preferences {
            chosen: self.chosen.as_deref().or(login.language.as_deref()),
            of_user: user,
            of_application: &login.wishes.languages,
            of_browser: self.accept_language.as_deref(),
            of_tenant: Some(&self.realm.config.tenant.default_language),
        });
        self.visit.language = self.language.tag().to_owned();
        self.visit.correlation = login.correlation;
    }

    async fn read(request: HttpRequest) -> Result<Self, Fault> {
        let site = request.app_data::<web::Data<Site>>().cloned();
        let site = site.ok_or_else(|| Fault::Internal("no site".to_owned()))?;
        let code = request.match_info().get("tenant").and_then(|code| code.parse().ok()).ok_or(Fault::NotFound)?;
        let realm = site.house.realm(&code).await?.ok_or(Fault::NotFound)?;
        if realm.config.tenant.status == Status::Disabled {
            return Err(Fault::Closed);
        }
        let login = match request.match_info().get("login") {
            Some(login) => Some(login.parse::<LoginId>().map_err(|_| Fault::NotFound)?),
            None => None,
        };
        let chosen = cookies::value(&request, &site.urls, cookies::Kind::Language);
        let asked = visit::asked_language(request.method(), request.query_string());
        let chosen =
            asked.map(|language| language.tag().to_owned()).or(chosen.map(|tag| tag.expose_secret().to_owned()));
        let accept_language =
            request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let language = negotiate(&Preferences {
            chosen: chosen.as_deref(),
            of_browser: accept_language.as_deref(),
            of_tenant: Some(&realm.config.tenant.default_language),
            ..Preferences::default()
        });
        let correlation = request.extensions().get::<Correlation>().map(|correlation| correlation.0);
        let now = site.house.clock.now();
        let visit = Visit {
            now,
            address: visit::address(&request, &site.settings.trusted_proxies),
            user_agent: visit::user_agent(request.headers()),
            correlation: correlation.unwrap_or_else(|| site.house.new_id(now)),
            language: language.tag().to_owned(),
            chosen: chosen.as_deref().and_then(Language::of_tag).is_some(),
        };
        let browser = cookies::browser(&request, &site.urls, &code, login);
        let remembered = remembered::name(&request, &site, &code, realm.tenant());
        let path = request.path().to_owned();
        Ok(Self { site, realm, visit, browser, language, path, remembered, chosen, accept_language })
    }
}

impl FromRequest for Call {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Self::read(request.clone()))
    }
}
