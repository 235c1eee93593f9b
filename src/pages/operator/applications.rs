//! Applications (A2): list, add, edit, activate, secrets that are shown once, metadata in and out.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::saved::{self, Question, despite, lines};
use super::shell::Shell;
use super::sure;
use crate::domain::application::{Application, ApplicationDraft, AssignedTo, Assignment, Chosen, Everyone, Protocol};
use crate::domain::ids::ApplicationId;
use crate::domain::name::key_of;
use crate::domain::oidc_client::{ClientAuthentication, Consent, OidcClientDraft, Scope};
use crate::domain::operator::{Deed, Module};
use crate::domain::release::Source;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::service_provider::{AcsUrl, Attribute, NameIdFormat, ServiceProviderDraft, Signed};
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::applications::{self, mark};
use crate::flow::administration::configuration::{self, Unsaved};
use crate::http::guard::{LongForm, Seat, Table};
use crate::http::{Answer, Fault, Form, page};

const PAGE: &str = "applications";
const DONE: [(&str, &str); 5] = [
    ("made", "The application was saved. It is inactive: activate it when everything is set."),
    ("changed", "The application was saved."),
    ("active", "The application is active: people can log in to it."),
    ("inactive", "The application is inactive: nobody can log in to it."),
    ("removed", "The application was removed."),
];
/// How many applications are on a page of the list.
const ON_A_PAGE: usize = 50;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Applications.needs(deed);
    table.get("applications", needs(Deed::Access), list);
    table.get("applications/new", needs(Deed::Add), new);
    table.post("applications/new", needs(Deed::Add), make);
    table.get("applications/{application}", needs(Deed::Access), show);
    table.post("applications/{application}", needs(Deed::Edit), change);
    table.post("applications/{application}/activate", needs(Deed::Edit), activate);
    table.post("applications/{application}/secret", needs(Deed::Edit), secret);
    table.post("applications/{application}/metadata", needs(Deed::Import), metadata);
    table.post("applications/{application}/remove", needs(Deed::Delete), remove);
}

pub(super) async fn configured(seat: &Seat) -> Result<TenantConfig, Fault> {
    let found = configuration::current(&seat.desk(), seat.call.realm.code()).await;
    found.map_err(|unsaved| match unsaved {
        Unsaved::Storage(error) => error.into(),
        _ => Fault::NotFound,
    })
}

/// Which part of the list is asked for.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    protocol: String,
    state: String,
    after: String,
    done: String,
}

struct Row {
    id: ApplicationId,
    name: String,
    protocol: &'static str,
    key: String,
    assigned: String,
    active: bool,
}

#[derive(Template)]
#[template(path = "operator/applications.html")]
struct ListPage {
    shell: Shell,
    asked: Asked,
    rows: Vec<Row>,
    total: usize,
    /// The address of the next part; empty on the last.
    next: String,
    may_add: bool,
    saml_metadata: String,
    discovery: String,
}

const fn protocol(application: &Application) -> &'static str {
    match application.protocol {
        Protocol::Oidc(_) => "OpenID Connect",
        Protocol::Saml(_) => "SAML",
        Protocol::Portal | Protocol::Console => "our own",
    }
}

fn row(application: &Application, config: &TenantConfig) -> Row {
    let key = application.protocol.key();
    Row {
        id: application.id,
        name: application.name.clone(),
        protocol: protocol(application),
        key: key.split_once(':').map_or(String::new(), |(_, key)| key.to_owned()),
        assigned: match &application.assignment {
            Assignment::Everyone => "everyone".to_owned(),
            Assignment::Chosen { groups, users } => {
                let names: Vec<&str> = config.group_names(groups).take(5).collect();
                let people = if users.is_empty() { String::new() } else { format!("{} people", users.len()) };
                let all: Vec<&str> = names.into_iter().chain((!people.is_empty()).then_some(people.as_str())).collect();
                if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
            }
        },
        active: application.active,
    }
}

/// `GET …/operator/applications`.
async fn list(seat: Seat, request: HttpRequest, asked: web::Query<Asked>) -> Answer {
    let asked = asked.into_inner();
    let config = configured(&seat).await?;
    let wanted = |application: &&Application| {
        let words = key_of(&format!("{} {}", application.name, application.protocol.key()));
        words.contains(&key_of(&asked.q))
            && (asked.protocol.is_empty() || application.protocol.origin().id() == asked.protocol)
            && (asked.state.is_empty() || (asked.state == "active") == application.active)
    };
    let mut found: Vec<&Application> = config.applications.iter().filter(wanted).collect();
    found.sort_by_key(|application| key_of(&application.name));
    let total = found.len();
    let after = key_of(&asked.after);
    let mut part: Vec<&Application> =
        found.into_iter().filter(|it| asked.after.is_empty() || key_of(&it.name) > after).take(ON_A_PAGE + 1).collect();
    let more = part.len() > ON_A_PAGE;
    part.truncate(ON_A_PAGE);
    let next = part.last().filter(|_| more).map(|last| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("q", &asked.q)
            .append_pair("protocol", &asked.protocol)
            .append_pair("state", &asked.state)
            .append_pair("after", &last.name)
            .finish();
        format!("{}?{query}", seat.path(PAGE))
    });
    let base = seat.call.site.urls.base(seat.call.realm.code());
    page::page(&ListPage {
        shell: Shell::of(&seat, Module::Applications).with_done(request.query_string(), &DONE),
        rows: part.into_iter().map(|application| row(application, &config)).collect(),
        next: next.unwrap_or_default(),
        may_add: seat.may(Module::Applications, Deed::Add),
        saml_metadata: format!("{base}/saml/metadata"),
        discovery: format!("{base}/.well-known/openid-configuration"),
        asked,
        total,
    })
}

struct ScopeField {
    name: &'static str,
    ticked: bool,
}

#[derive(Template)]
#[template(path = "operator/application.html")]
struct ApplicationPage {
    shell: Shell,
    question: Question,
    draft: ApplicationDraft,
    /// `oidc`, `saml` or `portal`.
    kind: &'static str,
    scopes: Vec<ScopeField>,
    known_groups: Vec<String>,
    active: bool,
    fresh: bool,
    version: i64,
    /// The secret that was made a moment ago, shown this once.
    secret: Option<SecretString>,
    has_secret: bool,
    removing: bool,
    /// The day on which its metadata expired; empty if it did not.
    outdated: String,
    may_edit: bool,
    may_import: bool,
    /// The address of this application below the console.
    address: String,
    save: String,
    remove: String,
}

impl ApplicationPage {
    fn shown(&self) -> &str {
        self.secret.as_ref().map_or("", |secret| secret.expose_secret())
    }

    fn oidc(&self) -> OidcClientDraft {
        self.draft.oidc.clone().unwrap_or_default()
    }

    fn saml(&self) -> ServiceProviderDraft {
        self.draft.saml.clone().unwrap_or_default()
    }

    fn everyone(&self) -> bool {
        !matches!(self.draft.assigned_to, Some(AssignedTo::Chosen(_)))
    }

    fn chosen(&self) -> Chosen {
        match &self.draft.assigned_to {
            Some(AssignedTo::Chosen(chosen)) => chosen.clone(),
            _ => Chosen::default(),
        }
    }

    fn attributes(&self) -> String {
        let all = self.saml().attributes;
        let line = |attribute: &Attribute| format!("{} = {}", attribute.name, source_word(&attribute.source));
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn acs_urls(&self) -> String {
        self.saml().acs_urls.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn is_method(&self, word: &str) -> bool {
        self.oidc().token_endpoint_auth_method.name() == word
    }

    fn is_format(&self, word: &str) -> bool {
        word_of(self.saml().name_id_format.unwrap_or_default()) == word
    }

    fn is_signed(&self, word: &str) -> bool {
        word_of(self.saml().signed.unwrap_or_default()) == word
    }
}

fn word_of(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What an attribute is made of: its word, or JSON where it is more than a word.
fn source_word(source: &Source) -> String {
    match serde_json::to_value(source) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

struct Shown {
    draft: ApplicationDraft,
    id: Option<ApplicationId>,
    version: i64,
    active: bool,
    portal: bool,
    secret: Option<SecretString>,
    removing: bool,
}

async fn application_page(seat: &Seat, shell: Shell, question: Question, shown: Shown) -> Answer {
    let config = configured(seat).await?;
    let Shown { draft, id, version, active, portal, secret, removing } = shown;
    let deed = if id.is_some() { Deed::Edit } else { Deed::Add };
    let address = id.map_or_else(|| "applications/new".to_owned(), |id| format!("applications/{id}"));
    let may = |deed| seat.may(Module::Applications, deed);
    let kind = if portal {
        "portal"
    } else if draft.saml.is_some() {
        "saml"
    } else {
        "oidc"
    };
    let granted = draft.oidc.as_ref().map(|oidc| oidc.scopes.clone()).unwrap_or_default();
    let scope = |scope: Scope| ScopeField { name: scope.name(), ticked: granted.contains(&scope) };
    let has_secret = draft.oidc.as_ref().is_some_and(|oidc| oidc.token_endpoint_auth_method.has_secret());
    let known = id.and_then(|id| config.application(id)).map(|application| &application.protocol);
    let until = match known {
        Some(Protocol::Saml(provider)) => provider.feed.as_ref().and_then(|feed| feed.valid_until),
        _ => None,
    };
    let outdated = until.filter(|until| *until <= seat.call.visit.now);
    page::page(&ApplicationPage {
        outdated: outdated.map(|until| until.rfc3339().chars().take(10).collect()).unwrap_or_default(),
        scopes: Scope::ALL.into_iter().filter(|one| *one != Scope::Openid).map(scope).collect(),
        known_groups: config.groups.iter().map(|group| group.name.clone()).collect(),
        fresh: id.is_none(),
        may_edit: may(Deed::Edit),
        may_import: may(Deed::Import),
        save: if may(deed) { seat.path(&address) } else { String::new() },
        remove: if id.is_some() && !portal && may(Deed::Delete) {
            seat.path(&format!("{address}/remove"))
        } else {
            String::new()
        },
        address: seat.path(&address),
        kind,
        draft,
        active,
        version,
        secret,
        has_secret,
        removing,
        question,
        shell,
    })
}

/// `GET …/operator/applications/new?protocol=oidc`.
async fn new(seat: Seat, asked: web::Query<Asked>) -> Answer {
    let saml = asked.protocol == "saml";
    let title = if saml { "New SAML application" } else { "New OpenID Connect application" };
    let draft = ApplicationDraft {
        oidc: (!saml).then(OidcClientDraft::default),
        saml: saml.then(ServiceProviderDraft::default),
        ..ApplicationDraft::default()
    };
    let shell = Shell::titled(&seat, Module::Applications, title);
    application_page(&seat, shell, Question::default(), of_draft(draft, None)).await
}

fn of_draft(draft: ApplicationDraft, known: Option<(&Application, i64)>) -> Shown {
    Shown {
        draft,
        id: known.map(|(application, _)| application.id),
        version: known.map_or(0, |(_, version)| version),
        active: known.is_some_and(|(application, _)| application.active),
        portal: known.is_some_and(|(application, _)| application.protocol == Protocol::Portal),
        secret: None,
        removing: false,
    }
}

fn optional(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Certificates in PEM, one after the other, or base64 with one on each line.
fn certificates(text: &str) -> Vec<String> {
    if !text.contains("-----BEGIN") {
        return lines(text);
    }
    let blocks = text.split("-----END CERTIFICATE-----").map(str::trim).filter(|block| block.contains("-----BEGIN"));
    blocks.map(|block| format!("{block}\n-----END CERTIFICATE-----")).collect()
}

/// Lines `name = source`; a line that is none becomes an attribute without a name, which is told.
fn attributes(text: &str, before: &[Attribute]) -> Vec<Attribute> {
    let line = |line: String| {
        let (name, word) = line.split_once('=').unwrap_or(("", line.as_str()));
        let (name, word) = (name.trim().to_owned(), word.trim());
        let value = serde_json::from_str(word).unwrap_or_else(|_| serde_json::Value::String(word.to_owned()));
        let source: Option<Source> = serde_json::from_value(value).ok();
        let known = before.iter().find(|attribute| attribute.name == name);
        match source {
            Some(source) => Attribute {
                name_format: known.and_then(|it| it.name_format),
                friendly_name: known.and_then(|it| it.friendly_name.clone()),
                name,
                source,
            },
            None => {
                let source = Source::Constant(word.to_owned());
                Attribute { name: String::new(), source, name_format: None, friendly_name: None }
            }
        }
    };
    lines(text).into_iter().map(line).collect()
}

/// What a form says, laid over what is there: whatever the form does not know stays.
fn of_form(form: &Form, base: ApplicationDraft) -> ApplicationDraft {
    let mut draft = base;
    draft.name = form.text("name").to_owned();
    draft.launch_url = optional(form.text("launch_url"));
    draft.assigned_to = Some(if form.text("assigned_to") == "chosen" {
        AssignedTo::Chosen(Chosen { groups: lines(form.text("groups")), users: lines(form.text("users")) })
    } else {
        AssignedTo::Everyone(Everyone::Everyone)
    });
    if let Some(oidc) = &mut draft.oidc {
        oidc.client_id = form.text("oidc-client_id").trim().to_owned();
        oidc.redirect_uris = lines(form.text("oidc-redirect_uris"));
        oidc.post_logout_redirect_uris = lines(form.text("oidc-post_logout_redirect_uris"));
        oidc.backchannel_logout_uri = optional(form.text("oidc-backchannel_logout_uri"));
        oidc.frontchannel_logout_uri = optional(form.text("oidc-frontchannel_logout_uri"));
        let method = form.text("oidc-token_endpoint_auth_method");
        let method = ClientAuthentication::ALL.into_iter().find(|known| known.name() == method);
        oidc.token_endpoint_auth_method = method.unwrap_or(oidc.token_endpoint_auth_method);
        let scopes = form.all("scope").filter_map(|word| word.parse().ok());
        oidc.scopes = std::iter::once(Scope::Openid).chain(scopes).collect();
        oidc.require_pkce = form.has("oidc-require_pkce");
        oidc.refresh_tokens = form.has("oidc-refresh_tokens");
        oidc.consent = if form.has("oidc-consent") { Consent::Ask } else { Consent::Implied };
        oidc.jwks = optional(form.text("oidc-jwks"));
        oidc.jwks_uri = optional(form.text("oidc-jwks_uri"));
    }
    if let Some(saml) = &mut draft.saml {
        saml.metadata = optional(form.text("saml-metadata"));
        saml.metadata_url = optional(form.text("saml-metadata_url"));
        saml.metadata_certificate = optional(form.text("saml-metadata_certificate"));
        saml.entity_id = optional(form.text("saml-entity_id"));
        saml.acs_urls = lines(form.text("saml-acs_urls")).iter().map(|line| AcsUrl::of_line(line)).collect();
        saml.certificates = certificates(form.text("saml-certificates"));
        saml.encryption_certificate = optional(form.text("saml-encryption_certificate"));
        let format = form.text("saml-name_id_format");
        let format = NameIdFormat::ALL.into_iter().map(|(known, _)| known).find(|known| word_of(known) == format);
        saml.name_id_format = format;
        let signed = [Signed::Assertion, Signed::Response, Signed::Both];
        saml.signed = signed.into_iter().find(|known| word_of(known) == form.text("saml-signed"));
        saml.attributes = attributes(form.text("saml-attributes"), &saml.attributes);
        saml.require_signed_requests = match form.text("saml-require_signed_requests") {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
        saml.encrypt_assertions = match form.text("saml-encrypt_assertions") {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
        saml.logout_url = optional(form.text("saml-logout_url"));
        saml.logout_response_url = optional(form.text("saml-logout_response_url"));
        saml.idp_initiated = form.has("saml-idp_initiated");
        saml.relay_state = optional(form.text("saml-relay_state"));
    }
    draft
}

/// `POST …/operator/applications/new`.
async fn make(seat: Seat, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    let saml = form.text("protocol") == "saml";
    let base = ApplicationDraft {
        oidc: (!saml).then(OidcClientDraft::default),
        saml: saml.then(ServiceProviderDraft::default),
        ..ApplicationDraft::default()
    };
    let draft = of_form(&form, base);
    let (desk, code, reads) = (seat.desk(), seat.call.realm.code(), seat.call.site.reads_metadata);
    match applications::create(&desk, code, &draft, reads, despite(&form)).await {
        Ok(stored) => {
            let application = stored.application;
            let path = format!("{PAGE}/{}", application.id);
            match stored.secret {
                None => Ok(page::see(&format!("{}?done=made", seat.path(&path)))),
                secret => {
                    let shell = Shell::titled(&seat, Module::Applications, &application.name);
                    let shell = shell.with_done("done=made", &DONE);
                    let draft = typed(&seat, &application).await?;
                    let known = Some((&application, mark(&application)));
                    let shown = Shown { secret, ..of_draft(draft, known) };
                    application_page(&seat, shell, Question::default(), shown).await
                }
            }
        }
        Err(unsaved) => {
            let title = if saml { "New SAML application" } else { "New OpenID Connect application" };
            let shell = Shell::titled(&seat, Module::Applications, title);
            let (shell, question) = saved::refused(shell, unsaved)?;
            application_page(&seat, shell, question, of_draft(draft, None)).await
        }
    }
}

async fn typed(seat: &Seat, application: &Application) -> Result<ApplicationDraft, Fault> {
    let config = configured(seat).await?;
    let house = &seat.call.site.house;
    let draft = house.db.look(async |connection| applications::draft_of(connection, &config, application).await);
    Ok(draft.await?)
}

async fn known(seat: &Seat, id: ApplicationId) -> Result<Application, Fault> {
    let config = configured(seat).await?;
    config.applications.into_iter().find(|application| application.id == id).ok_or(Fault::NotFound)
}

/// `GET …/operator/applications/{application}`.
async fn show(seat: Seat, request: HttpRequest, path: web::Path<(String, ApplicationId)>) -> Answer {
    let application = known(&seat, path.into_inner().1).await?;
    let shell = Shell::titled(&seat, Module::Applications, &application.name);
    let shell = shell.with_done(request.query_string(), &DONE);
    let draft = typed(&seat, &application).await?;
    let version = mark(&application);
    application_page(&seat, shell, Question::default(), of_draft(draft, Some((&application, version)))).await
}

/// What came of a change of one application: on to its page, or the page with what is wrong and what was typed.
async fn came_of(
    seat: &Seat,
    before: &Application,
    result: Result<(), Unsaved>,
    (done, version): (&str, i64),
    draft: Option<ApplicationDraft>,
) -> Answer {
    let unsaved = match result {
        Ok(()) => return Ok(page::see(&format!("{}?done={done}", seat.path(&format!("{PAGE}/{}", before.id))))),
        Err(unsaved) => unsaved,
    };
    let shell = Shell::titled(seat, Module::Applications, &before.name);
    let (shell, question) = saved::refused(shell, unsaved)?;
    let draft = match draft {
        Some(draft) => draft,
        None => typed(seat, before).await?,
    };
    application_page(seat, shell, question, of_draft(draft, Some((before, version)))).await
}

fn version(form: &Form) -> i64 {
    form.text("version").parse().unwrap_or(0)
}

/// `POST …/operator/applications/{application}`.
async fn change(seat: Seat, path: web::Path<(String, ApplicationId)>, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    let before = known(&seat, path.into_inner().1).await?;
    let draft = of_form(&form, typed(&seat, &before).await?);
    let (desk, code, reads) = (seat.desk(), seat.call.realm.code(), seat.call.site.reads_metadata);
    let target = (before.id, version(&form));
    let changed = applications::change(&desk, code, target, &draft, reads, despite(&form)).await;
    came_of(&seat, &before, changed.map(drop), ("changed", target.1), Some(draft)).await
}

/// `POST …/operator/applications/{application}/activate`.
async fn activate(seat: Seat, path: web::Path<(String, ApplicationId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let before = known(&seat, path.into_inner().1).await?;
    let active = form.text("active") == "yes";
    let target = (before.id, version(&form));
    let changed = applications::activate(&seat.desk(), seat.call.realm.code(), target, active, despite(&form)).await;
    let done = if active { "active" } else { "inactive" };
    came_of(&seat, &before, changed.map(drop), (done, mark(&before)), None).await
}

/// `POST …/operator/applications/{application}/secret`: another secret. The page that answers shows it; no other ever does.
async fn secret(seat: Seat, path: web::Path<(String, ApplicationId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let before = known(&seat, path.into_inner().1).await?;
    let target = (before.id, version(&form));
    let at_once = form.has("at_once");
    match applications::replace_secret(&seat.desk(), seat.call.realm.code(), target, at_once).await {
        Ok(stored) => {
            let application = stored.application;
            let shell = Shell::titled(&seat, Module::Applications, &application.name);
            let draft = typed(&seat, &application).await?;
            let known = Some((&application, mark(&application)));
            let shown = Shown { secret: stored.secret, ..of_draft(draft, known) };
            application_page(&seat, shell, Question::default(), shown).await
        }
        Err(unsaved) => came_of(&seat, &before, Err(unsaved), ("", mark(&before)), None).await,
    }
}

/// `POST …/operator/applications/{application}/metadata`: new metadata takes the place of what came from metadata before.
async fn metadata(seat: Seat, path: web::Path<(String, ApplicationId)>, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    let before = known(&seat, path.into_inner().1).await?;
    let mut draft = typed(&seat, &before).await?;
    let saml = draft.saml.as_mut().ok_or(Fault::NotFound)?;
    saml.metadata = Some(form.text("saml-metadata").to_owned());
    (saml.metadata_url, saml.metadata_certificate) = (None, None);
    (saml.acs_urls, saml.certificates) = (Vec::new(), Vec::new());
    // Where these two are true, they stay.
    (saml.encryption_certificate, saml.encrypt_assertions, saml.require_signed_requests) = (None, None, None);
    (saml.logout_url, saml.logout_response_url, saml.logout_soap_url) = (None, None, None);
    let (desk, code, reads) = (seat.desk(), seat.call.realm.code(), seat.call.site.reads_metadata);
    let target = (before.id, version(&form));
    let changed = applications::change(&desk, code, target, &draft, reads, despite(&form)).await;
    // Where it cannot be used, what is there is shown, and not what would have been taken from it: saved, that would be less safe.
    came_of(&seat, &before, changed.map(drop), ("changed", mark(&before)), None).await
}

/// `POST …/operator/applications/{application}/remove`.
async fn remove(seat: Seat, path: web::Path<(String, ApplicationId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let before = known(&seat, path.into_inner().1).await?;
    if !sure::said(&form) {
        let shell = Shell::titled(&seat, Module::Applications, &format!("Remove the application {}?", before.name));
        let mut lines = vec!["Its settings are gone for good; made again, it is another application.".to_owned()];
        if before.active {
            lines.push("It is active: nobody can log in to it from then on.".to_owned());
        }
        let at = format!("{PAGE}/{}", before.id);
        let places = (seat.path(&format!("{at}/remove")), seat.path(&at));
        return sure::ask(shell, &form, (lines, "Yes, remove"), places);
    }
    let target = (before.id, version(&form));
    let clean_up = form.text("clean_up") == "yes";
    match applications::remove(&seat.desk(), seat.call.realm.code(), target, clean_up, despite(&form)).await {
        Ok(()) => Ok(page::see(&format!("{}?done=removed", seat.path(PAGE)))),
        Err(unsaved) => {
            let shell = Shell::titled(&seat, Module::Applications, &before.name);
            let (shell, mut question) = saved::refused(shell, unsaved)?;
            let removing = !question.asks.is_empty();
            // Two questions may be asked one after the other; the answer to the first is kept.
            if removing && clean_up {
                question.lines.push("what names it is cleaned up, as you said".to_owned());
            }
            let draft = typed(&seat, &before).await?;
            let shown = Shown { removing, ..of_draft(draft, Some((&before, mark(&before)))) };
            application_page(&seat, shell, question, shown).await
        }
    }
}
