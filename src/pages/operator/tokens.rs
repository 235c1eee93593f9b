//! Tokens (T3, T4): searched and listed, with how many there are in which state; one with everything that is known of it.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::jobs::began;
use super::shell::{FieldFault, Shell, time, time_or_dash};
use super::users::Choice;
use super::{codes, step_up, sure};
use crate::domain::authenticator::lifecycle::{Disposition, Kind, State};
use crate::domain::ids::TokenId;
use crate::domain::job::{LARGEST_SELECTION, TokenDeed, TokenStep, Work};
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::platform::Platform;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::flow::administration::jobs::{self, NewRow};
use crate::flow::administration::{accounts, lists, pins, synchronize, token_states};
use crate::flow::lifecycle::By;
use crate::flow::server_pin::has_pin;
use crate::flow::{self, owner};
use crate::http::guard::{LongForm, Seat, Table};
use crate::http::{Answer, Fault, Form, files, page};
use crate::storage::tokens::{self, Filter, Listed, Name, Token};
use crate::storage::{Connection, users};

const PAGE: u32 = 50;
const DONE: [(&str, &str); 9] = [
    ("nobody", "Nothing was selected."),
    ("suspended", "The authenticator is suspended: it opens nothing until it is reactivated."),
    ("reactivated", "The authenticator works again."),
    ("unlocked", "The authenticator works again."),
    ("revoked", "The authenticator is revoked, and its secret is erased."),
    ("renamed", "The authenticator has another name now."),
    ("synchronized", "The authenticator is synchronized."),
    ("assigned", "The authenticator has an owner now, and works."),
    ("released", "The authenticator is back in the inventory."),
];

/// What is said before authenticators are revoked.
const REVOKING: &str = "This is final: the secret is erased, nothing opens with its passcodes any more, and whoever used it \
                        is logged out.";

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let see = Module::Tokens.needs(Deed::Access);
    let states = Module::TokenStates.needs(Deed::Edit);
    let care = Module::TokenCare.needs(Deed::Edit);
    let give = Module::Tokens.needs(Deed::Edit);
    table.get("tokens", see, list);
    table.get("tokens/export/{form}", Module::Tokens.needs(Deed::Export), export);
    table.get("tokens/snapshot", see, snapshot);
    table.get("tokens/{serial}", see, show);
    for deed in ["suspend", "reactivate", "unlock", "revoke"] {
        let many = move |seat: Seat, request: HttpRequest, form: LongForm| selection(seat, request, form, deed);
        table.post(&format!("tokens/selection/{deed}"), states, many);
        let one = move |seat: Seat, path: web::Path<(String, String)>, form: Form| change(seat, path, form, deed);
        table.post(&format!("tokens/{{serial}}/{deed}"), states, one);
    }
    table.post("tokens/{serial}/rename", care, rename);
    table.post("tokens/{serial}/synchronize", care, synchronize_it);
    table.post("tokens/{serial}/pin", care, new_pin);
    table.post("tokens/{serial}/assign", give, assign);
    table.post("tokens/{serial}/release", give, release);
}

struct Entry {
    id: TokenId,
    serial: String,
    kind: &'static str,
    state: String,
    good: bool,
    user: String,
    owner: String,
    platform: &'static str,
    last_used: String,
}

fn state_words(token: &Token) -> String {
    match (token.lock, token.disposition) {
        (Some(lock), _) => format!("locked ({})", lock.id()),
        (_, Some(disposition)) if token.state == State::Revoked => {
            format!("revoked ({})", disposition.id().replace('_', " "))
        }
        _ => token.state.id().to_owned(),
    }
}

fn entry(listed: &Listed) -> Entry {
    let token = &listed.token;
    Entry {
        id: token.id,
        serial: token.serial.clone(),
        kind: codes::kind(token.kind),
        state: state_words(token),
        good: token.state == State::Active,
        user: listed.username.clone().unwrap_or_else(|| "–".to_owned()),
        owner: token.user.filter(|_| listed.username.is_some()).map(|id| id.to_string()).unwrap_or_default(),
        platform: token.platform.map_or("–", codes::platform),
        last_used: time_or_dash(token.last_used_at),
    }
}

#[derive(Default)]
struct Asked {
    serial: String,
    user: String,
    state: String,
    kind: String,
    platform: String,
    after: Option<String>,
}

impl Asked {
    fn of(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value: String = value.chars().take(500).collect();
            match &*name {
                "serial" => asked.serial = value,
                "user" => asked.user = value,
                "state" => asked.state = value,
                "kind" => asked.kind = value,
                "platform" => asked.platform = value,
                "after" if !value.is_empty() => asked.after = Some(value),
                _ => {}
            }
        }
        asked
    }

    fn filter(&self) -> Filter {
        let user = self.user.trim();
        Filter {
            state: self.state.parse().ok(),
            kind: self.kind.parse().ok(),
            platform: self.platform.parse().ok(),
            serial: self.serial.trim().trim_end_matches('*').to_uppercase(),
            user: (!user.is_empty()).then(|| Name::Begins(user.trim_end_matches('*').to_owned())),
        }
    }

    /// What it is narrowed by: names and values, without the place.
    fn named(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("serial", self.serial.as_str()),
            ("user", &self.user),
            ("state", &self.state),
            ("kind", &self.kind),
            ("platform", &self.platform),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The query of the same list, as a whole.
    fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.named()).finish()
    }

    fn next(&self, after: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.named()).append_pair("after", after).finish()
    }
}

/// A line of the snapshot: how many of a type are in each state.
struct Snapshot {
    kind: String,
    counts: Vec<i64>,
    all: i64,
}

#[derive(Template)]
#[template(path = "operator/tokens.html")]
struct TokensPage {
    shell: Shell,
    asked: Asked,
    tokens: Vec<Entry>,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
    platforms: Vec<Choice>,
    dispositions: Vec<(&'static str, &'static str)>,
    next: String,
    /// The query of the file with all of them.
    query: String,
    may_export: bool,
    may_import: bool,
    may_change: bool,
    may_see_users: bool,
}

fn choice(id: &str, name: &str, chosen: &str) -> Choice {
    Choice { id: id.to_owned(), name: name.to_owned(), chosen: id == chosen }
}

#[derive(Template)]
#[template(path = "operator/tokens_snapshot.html")]
struct SnapshotPage {
    shell: Shell,
    states: Vec<&'static str>,
    lines: Vec<Snapshot>,
    taken: String,
}

/// `GET …/operator/tokens/snapshot`: a page of its own, because it counts every token.
async fn snapshot(seat: Seat) -> Answer {
    let tenant = seat.call.realm.tenant();
    let question = async |connection: &mut Connection| tokens::counts(connection, tenant).await;
    let counts = seat.call.site.house.db.look(question).await?;
    let count = |kind: Kind, state: State| {
        counts.iter().find(|(its, at, _)| *its == kind && *at == state).map_or(0, |(_, _, number)| *number)
    };
    let line = |kind: Kind| {
        let counts: Vec<i64> = State::ALL.into_iter().map(|state| count(kind, state)).collect();
        Snapshot { kind: format!("{} ({})", codes::kind(kind), kind.id()), all: counts.iter().sum(), counts }
    };
    let page = SnapshotPage {
        shell: Shell::titled(&seat, Module::Tokens, "Snapshot of tokens"),
        states: State::ALL.map(State::id).into(),
        lines: Kind::ALL.map(line).into(),
        taken: time(seat.call.visit.now),
    };
    page::page(&page)
}

/// `GET …/operator/tokens/export/{form}`: every token that the filters let through, without secrets, as a file.
async fn export(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>) -> Answer {
    let form = files::Kind::named(&path.into_inner().1).ok_or(Fault::NotFound)?;
    let asked = Asked::of(request.query_string());
    let (tenant, filter) = (seat.call.realm.tenant(), asked.filter());
    let filters: Vec<&str> = asked.named().into_iter().map(|(name, _)| name).collect();
    lists::exported(&seat.desk(), tenant, "tokens", &filters).await?;
    let (site, name) = (seat.call.site.clone(), format!("tokens-{}", seat.call.realm.code()));
    Ok(files::streamed(form, &name, lists::TOKENS, move |after| {
        let (site, filter) = (site.clone(), filter.clone());
        async move { lists::tokens(&site.house, tenant, &filter, after.as_deref()).await }
    }))
}

/// `GET …/operator/tokens`.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let asked = Asked::of(request.query_string());
    let (tenant, filter) = (seat.call.realm.tenant(), asked.filter());
    let question = async |connection: &mut Connection| {
        tokens::search(connection, tenant, &filter, asked.after.as_deref(), PAGE).await
    };
    let found = seat.call.site.house.db.look(question).await?;
    let page = TokensPage {
        shell: Shell::of(&seat, Module::Tokens).with_done(request.query_string(), &DONE),
        tokens: found.entries.iter().map(entry).collect(),
        states: State::ALL.map(|state| choice(state.id(), state.id(), &asked.state)).into(),
        kinds: Kind::ALL.map(|kind| choice(kind.id(), codes::kind(kind), &asked.kind)).into(),
        platforms: Platform::ALL.map(|it| choice(it.id(), codes::platform(it), &asked.platform)).into(),
        dispositions: Disposition::ALL.map(|it| (it.id(), codes::disposition(it))).into(),
        next: found.next.map(|after| asked.next(&after)).unwrap_or_default(),
        query: asked.query(),
        may_export: seat.may(Module::Tokens, Deed::Export),
        may_import: seat.may(Module::Tokens, Deed::Import),
        may_change: seat.may(Module::TokenStates, Deed::Edit),
        may_see_users: seat.may(Module::Users, Deed::Access),
        asked,
    };
    page::page(&page)
}

/// What a form asks for.
fn deed(deed: &str, form: &Form) -> Option<TokenDeed> {
    let step = match deed {
        "suspend" => TokenStep::Suspend,
        "reactivate" => TokenStep::Reactivate,
        "unlock" => TokenStep::Unlock,
        _ => TokenStep::Revoke { disposition: form.text("disposition").parse().ok()? },
    };
    let reason: String = form.text("reason").trim().chars().filter(|c| !c.is_control()).take(40).collect();
    Some(TokenDeed { step, reason })
}

/// `POST …/operator/tokens/selection/…`; revoking many wants a fresh passcode.
async fn selection(seat: Seat, request: HttpRequest, LongForm(form): LongForm, what: &'static str) -> Answer {
    seat.check(&form)?;
    let deed = deed(what, &form).ok_or(Fault::NotFound)?;
    if matches!(deed.step, TokenStep::Revoke { .. })
        && let Some(first) = step_up(&seat, &request, "tokens").await?
    {
        return Ok(first);
    }
    let tenant = seat.call.realm.tenant();
    let ids: Vec<TokenId> = form.all("token").filter_map(|id| id.parse().ok()).take(LARGEST_SELECTION).collect();
    let question = async |connection: &mut Connection| {
        let mut rows = Vec::with_capacity(ids.len());
        for id in &ids {
            if let Some(token) = tokens::with_id(tenant, *id).ask(connection).await? {
                let row = NewRow::token(token.id, &token.serial);
                let beyond = token
                    .user
                    .is_some_and(|user| accounts::is_beyond(&seat.call.realm.config, &seat.seated.permissions, user));
                let why = || Err("is an operator's with more permissions than yours".to_owned());
                rows.push(if beyond { NewRow { input: why(), ..row } } else { row });
            }
        }
        Ok(rows)
    };
    let rows = seat.call.site.house.db.look(question).await?;
    if rows.is_empty() {
        return Ok(page::see(&seat.path("tokens?done=nobody")));
    }
    if matches!(deed.step, TokenStep::Revoke { .. }) && !sure::said(&form) {
        let title = match rows.len() {
            1 => "Revoke one authenticator?".to_owned(),
            many => format!("Revoke {many} authenticators?"),
        };
        let shell = Shell::titled(&seat, Module::Tokens, &title);
        let places = (seat.path("tokens/selection/revoke"), seat.path("tokens"));
        return sure::ask(shell, &form, (vec![REVOKING.to_owned()], "Yes, revoke"), places);
    }
    let job = jobs::begin(&seat.desk(), tenant, &Work::Tokens(deed), &rows).await?;
    Ok(began(&seat, job))
}

#[derive(Template)]
#[template(path = "operator/token.html")]
struct TokenPage {
    shell: Shell,
    serial: String,
    name: String,
    state: String,
    state_id: &'static str,
    good: bool,
    user: String,
    owner: String,
    /// What is known of it: name and value.
    facts: Vec<(String, String)>,
    /// A PIN that was given a moment ago, shown this once.
    pin: Option<SecretString>,
    dispositions: Vec<(&'static str, &'static str)>,
    has_pin: bool,
    synchronizes: bool,
    imported: bool,
    beyond: bool,
    may_change: bool,
    may_care: bool,
    may_give: bool,
    may_see_users: bool,
    typed_name: String,
}

impl TokenPage {
    fn shown(&self) -> &str {
        self.pin.as_ref().map_or("", |pin| pin.expose_secret())
    }

    fn is(&self, state: &str) -> bool {
        self.state_id == state
    }
}

async fn token(seat: &Seat, path: web::Path<(String, String)>) -> Result<Listed, Fault> {
    let (tenant, serial) = (seat.call.realm.tenant(), path.into_inner().1.trim().to_uppercase());
    let question = async |connection: &mut Connection| {
        let Some(token) = tokens::with_serial(connection, tenant, &serial).await? else { return Ok(None) };
        let owner = match token.user {
            Some(id) => users::with_id(connection, tenant, id).await?,
            None => None,
        };
        Ok(Some(Listed { token, username: owner.map(|user| user.username) }))
    };
    seat.call.site.house.db.look(question).await?.ok_or(Fault::NotFound)
}

/// As [`token`], if this operator may change it.
async fn changeable(seat: &Seat, path: web::Path<(String, String)>) -> Result<Listed, Fault> {
    let listed = token(seat, path).await?;
    if is_beyond(seat, &listed.token) { Err(Fault::Forbidden) } else { Ok(listed) }
}

fn is_beyond(seat: &Seat, token: &Token) -> bool {
    let (config, held) = (&seat.call.realm.config, &seat.seated.permissions);
    token.user.is_some_and(|user| accounts::is_beyond(config, held, user))
}

/// What is known of a token. Neither its secret nor its PIN can be looked up (T-62).
fn facts(token: &Token) -> Vec<(String, String)> {
    let dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    let mut facts = vec![
        ("Type", codes::kind(token.kind).to_owned()),
        ("State since", time(token.state_at)),
        ("Reason", dash(&token.state_reason)),
        ("Target platform", token.platform.map_or("–", codes::platform).to_owned()),
        ("Enrolled", time(token.enrolled_at)),
        ("Enrolled by", codes::enrolled(token.enrolled_by).to_owned()),
        ("Enrolled from", dash(&token.enrolled_address)),
        ("First used", time_or_dash(token.first_used_at)),
        ("Last used", time_or_dash(token.last_used_at)),
        ("Provisioning", if token.first_used_at.is_some() { "completed" } else { "pending" }.to_owned()),
        ("Provisioning rule", dash(token.rule.as_deref().unwrap_or_default())),
        ("Provisioning task", dash(token.task.as_deref().unwrap_or_default())),
        ("Template version", token.template.version.to_string()),
        ("Wrong passcodes in a row", token.failed_count.to_string()),
        ("Clock drift in steps", token.drift_steps.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect::<Vec<_>>();
    if let Some(device) = token.device.as_object() {
        for (name, value) in device {
            let shown = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => dash(text),
                other => other.to_string(),
            };
            facts.push((format!("Device: {}", name.replace('_', " ")), shown));
        }
    }
    facts
}

fn token_page(seat: &Seat, shell: Shell, listed: &Listed) -> TokenPage {
    let token = &listed.token;
    let beyond = is_beyond(seat, token);
    let may = |module: Module| !beyond && seat.may(module, Deed::Edit);
    TokenPage {
        serial: token.serial.clone(),
        name: token.name.clone(),
        typed_name: token.name.clone(),
        state: state_words(token),
        state_id: token.state.id(),
        good: token.state == State::Active,
        user: listed.username.clone().unwrap_or_else(|| "nobody".to_owned()),
        owner: token.user.filter(|_| listed.username.is_some()).map(|id| id.to_string()).unwrap_or_default(),
        facts: facts(token),
        pin: None,
        dispositions: Disposition::ALL.map(|it| (it.id(), codes::disposition(it))).into(),
        has_pin: has_pin(&token.template) && token.state != State::Revoked,
        synchronizes: token.state == State::Active && token.secret_sealed.is_some(),
        imported: token.kind == Kind::Oath,
        may_change: may(Module::TokenStates),
        may_care: may(Module::TokenCare),
        may_give: may(Module::Tokens),
        may_see_users: seat.may(Module::Users, Deed::Access),
        beyond,
        shell,
    }
}

fn shell(seat: &Seat, token: &Token) -> Shell {
    Shell::titled(seat, Module::Tokens, &format!("Token {}", token.serial))
}

/// `GET …/operator/tokens/{serial}`.
async fn show(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>) -> Answer {
    let listed = token(&seat, path).await?;
    let shell = shell(&seat, &listed.token).with_done(request.query_string(), &DONE);
    page::page(&token_page(&seat, shell, &listed))
}

fn done(seat: &Seat, token: &Token, word: &str) -> Answer {
    Ok(page::see(&seat.path(&format!("tokens/{}?done={word}", token.serial))))
}

fn complain(seat: &Seat, listed: &Listed, complaint: &str) -> Answer {
    let shell = shell(seat, &listed.token).with_complaint(complaint);
    page::page(&token_page(seat, shell, listed))
}

fn wrong(seat: &Seat, listed: &Listed, field: &str, message: String) -> Answer {
    let shell = shell(seat, &listed.token).with_faults(vec![FieldFault::new(field, message)]);
    page::page(&token_page(seat, shell, listed))
}

/// `POST …/operator/tokens/{serial}/suspend` and the like.
async fn change(seat: Seat, path: web::Path<(String, String)>, form: Form, what: &'static str) -> Answer {
    seat.check(&form)?;
    let listed = changeable(&seat, path).await?;
    let deed = deed(what, &form).ok_or(Fault::NotFound)?;
    if matches!(deed.step, TokenStep::Revoke { .. }) && !sure::said(&form) {
        let serial = &listed.token.serial;
        let shell = Shell::titled(&seat, Module::Tokens, &format!("Revoke the authenticator {serial}?"));
        let places = (seat.path(&format!("tokens/{serial}/revoke")), seat.path(&format!("tokens/{serial}")));
        return sure::ask(shell, &form, (vec![REVOKING.to_owned()], "Yes, revoke"), places);
    }
    let desk = seat.desk();
    let work =
        async |connection: &mut Connection| token_states::carry_out(&desk, connection, &listed.token, &deed).await;
    match desk.house.db.write(work).await? {
        Ok(_) => {
            let word = match deed.step {
                TokenStep::Suspend => "suspended",
                TokenStep::Reactivate => "reactivated",
                TokenStep::Unlock => "unlocked",
                TokenStep::Revoke { .. } => "revoked",
            };
            done(&seat, &listed.token, word)
        }
        Err(why) => complain(&seat, &listed, &format!("Nothing was changed: {} {why}.", listed.token.serial)),
    }
}

/// `POST …/operator/tokens/{serial}/rename`.
async fn rename(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let listed = changeable(&seat, path).await?;
    let desk = seat.desk();
    let (by, name) = (By::desk(&desk), form.text("name"));
    let work =
        async |connection: &mut Connection| owner::rename(connection, desk.house, &by, &listed.token, name).await;
    match desk.house.db.write(work).await? {
        Ok(_) => done(&seat, &listed.token, "renamed"),
        Err(why) => wrong(&seat, &listed, "name", format!("It cannot be called so: {why}.")),
    }
}

/// `POST …/operator/tokens/{serial}/synchronize`: with two passcodes that the owner reads out.
async fn synchronize_it(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let listed = changeable(&seat, path).await?;
    let typed = (form.text("first"), form.text("second"));
    if listed.token.state != State::Active {
        return complain(&seat, &listed, "Only an active authenticator is synchronized.");
    }
    match synchronize::synchronize(&seat.desk(), &seat.call.realm.config, &listed.token, typed).await {
        Ok(true) => done(&seat, &listed.token, "synchronized"),
        Ok(false) => wrong(
            &seat,
            &listed,
            "first",
            "These are not two passcodes of it, one after the other and neither used.".to_owned(),
        ),
        Err(flow::Error::Forbidden) => {
            complain(&seat, &listed, "It answers challenges: there is nothing to synchronize.")
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST …/operator/tokens/{serial}/pin`: a new server-side PIN, drawn, and shown this once.
async fn new_pin(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let listed = changeable(&seat, path).await?;
    let policy = seat.call.realm.config.settings.server_side_pin;
    match pins::set(&seat.desk(), policy, &listed.token, None, true).await {
        Ok(Ok(pin)) => {
            let mut page = token_page(&seat, shell(&seat, &listed.token), &listed);
            page.pin = Some(pin);
            page::page(&page)
        }
        Ok(Err(_)) => complain(&seat, &listed, "It has no server-side PIN."),
        Err(flow::Error::WrongMoment) => complain(&seat, &listed, "The PIN was changed at the same moment: try again."),
        Err(error) => Err(error.into()),
    }
}

/// `POST …/operator/tokens/{serial}/assign`: an imported one gets an owner.
async fn assign(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let listed = changeable(&seat, path).await?;
    let (tenant, name) = (seat.call.realm.tenant(), form.text("username").trim());
    let found = seat.call.site.house.db.look(async |connection| users::named(connection, tenant, name).await).await?;
    let Some(user) = found else {
        return wrong(&seat, &listed, "username", "There is no account with this user ID.".to_owned());
    };
    if accounts::is_beyond(&seat.call.realm.config, &seat.seated.permissions, user.id) {
        return Err(Fault::Forbidden);
    }
    let (desk, config) = (seat.desk(), &seat.call.realm.config);
    let work =
        async |connection: &mut Connection| token_states::assign(&desk, connection, config, &listed.token, &user).await;
    match desk.house.db.write(work).await? {
        Ok(_) => done(&seat, &listed.token, "assigned"),
        Err(why) => complain(&seat, &listed, &format!("Nothing was changed: {} {why}.", listed.token.serial)),
    }
}

/// `POST …/operator/tokens/{serial}/release`: an imported one is nobody's again.
async fn release(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let listed = changeable(&seat, path).await?;
    let desk = seat.desk();
    let work = async |connection: &mut Connection| token_states::release(&desk, connection, &listed.token).await;
    match desk.house.db.write(work).await? {
        Ok(_) => done(&seat, &listed.token, "released"),
        Err(why) => complain(&seat, &listed, &format!("Nothing was changed: {} {why}.", listed.token.serial)),
    }
}
