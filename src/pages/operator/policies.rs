//! Access policies (A3, A4): the ranked ones, moved by keyboard, and the global one.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::saved::{self, Question, despite, lines};
use super::shell::Shell;
use super::sure;
use crate::domain::ids::PolicyId;
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::access::{AccessPolicy, Method};
use crate::domain::policy::draft::{Decides, FrequencyWord, Often, PolicyDraft, Required, ScenarioDraft};
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::configuration::{self, Unsaved};
use crate::flow::administration::policies::{self, Move};
use crate::http::guard::{LongForm, Seat, Table};
use crate::http::{Answer, Fault, Form, page};

const DONE: [(&str, &str); 4] = [
    ("made", "The policy was saved, after the others. Move it to where it belongs."),
    ("changed", "The policy was saved."),
    ("moved", "The policies were ranked anew."),
    ("removed", "The policy was removed."),
];
/// The most scenarios of a policy that a form holds.
const MOST_SCENARIOS: usize = 50;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::AccessPolicies.needs(deed);
    table.get("policies", needs(Deed::Access), list);
    table.get("policies/new", needs(Deed::Add), new);
    table.post("policies/new", needs(Deed::Add), make);
    table.get("policies/{policy}", needs(Deed::Access), show);
    table.post("policies/{policy}", needs(Deed::Edit), change);
    table.post("policies/{policy}/rank", needs(Deed::Edit), rank);
    table.post("policies/{policy}/remove", needs(Deed::Delete), remove);
}

async fn configured(seat: &Seat) -> Result<TenantConfig, Fault> {
    let found = configuration::current(&seat.desk(), seat.call.realm.code()).await;
    found.map_err(|unsaved| match unsaved {
        Unsaved::Storage(error) => error.into(),
        _ => Fault::NotFound,
    })
}

struct PolicyRow {
    id: PolicyId,
    rank: usize,
    name: String,
    scope: String,
    says: String,
    first: bool,
    last: bool,
}

#[derive(Template)]
#[template(path = "operator/policies.html")]
struct PoliciesPage {
    shell: Shell,
    question: Question,
    ranked: Vec<PolicyRow>,
    global: PolicyRow,
    /// The order that is shown.
    order: i64,
    /// A move that is asked about once more: which policy, and where to.
    again: Option<(PolicyId, String)>,
    may_add: bool,
    may_edit: bool,
}

fn row(policy: &AccessPolicy, config: &TenantConfig, place: usize, of: usize) -> PolicyRow {
    let draft = PolicyDraft::of(policy, config);
    let mut scope = Vec::new();
    for (word, names) in [("applications", &draft.applications), ("groups", &draft.groups), ("from", &draft.networks)] {
        if !names.is_empty() {
            scope.push(format!("{word}: {}", names.join(", ")));
        }
    }
    let mut says = verdict(draft.decision, &draft.require);
    if !draft.scenario.is_empty() {
        says += &format!("; {} scenarios", draft.scenario.len());
    }
    PolicyRow {
        id: policy.id,
        rank: place + 1,
        name: policy.name.clone(),
        scope: if scope.is_empty() { "everybody, everywhere".to_owned() } else { scope.join("; ") },
        says,
        first: place == 0,
        last: place + 1 == of,
    }
}

fn verdict(decision: Decides, require: &[Required]) -> String {
    match decision {
        Decides::Deny => "no access".to_owned(),
        Decides::Grant => {
            let words = require.iter().map(|required| {
                let (method, frequency, seconds) = parts(*required);
                let often = match frequency {
                    "every_attempt" => ", every attempt".to_owned(),
                    "seconds" => format!(", every {seconds} seconds"),
                    _ => String::new(),
                };
                let word = if method == Method::Otp { "passcode" } else { "password" };
                format!("{word}{often}")
            });
            words.collect::<Vec<_>>().join(" and ")
        }
    }
}

/// Method, the choice of the frequency, and its seconds.
const fn parts(required: Required) -> (Method, &'static str, u32) {
    match required {
        Required::Plain(method) => (method, "once_per_session", 3600),
        Required::Often(often) => match (often.frequency, often.every_seconds) {
            (_, Some(seconds)) => (often.method, "seconds", seconds),
            (Some(FrequencyWord::EveryAttempt), None) => (often.method, "every_attempt", 3600),
            (_, None) => (often.method, "once_per_session", 3600),
        },
    }
}

async fn list_page(seat: &Seat, shell: Shell, question: Question, again: Option<(PolicyId, String)>) -> Answer {
    let config = configured(seat).await?;
    let ranked = &config.policies.exceptions;
    let rows = ranked.iter().enumerate().map(|(place, policy)| row(policy, &config, place, ranked.len()));
    page::page(&PoliciesPage {
        ranked: rows.collect(),
        global: row(&config.policies.global, &config, 0, 1),
        order: policies::order_mark(&config.policies),
        may_add: seat.may(Module::AccessPolicies, Deed::Add),
        may_edit: seat.may(Module::AccessPolicies, Deed::Edit),
        question,
        again,
        shell,
    })
}

/// `GET …/operator/policies`.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let shell = Shell::of(&seat, Module::AccessPolicies).with_done(request.query_string(), &DONE);
    list_page(&seat, shell, Question::default(), None).await
}

/// `POST …/operator/policies/{policy}/rank`: one place up or down, or to a place.
async fn rank(seat: Seat, path: web::Path<(String, PolicyId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let id = path.into_inner().1;
    let to = match form.text("to") {
        "up" => Move::Up,
        "down" => Move::Down,
        place => Move::To(place.parse().map_err(|_| Fault::NotFound)?),
    };
    let order = form.text("order").parse().unwrap_or(0);
    match policies::rank(&seat.desk(), seat.call.realm.code(), (id, order), to, despite(&form)).await {
        Ok(()) => Ok(page::see(&format!("{}?done=moved#policy-{id}", seat.path("policies")))),
        Err(unsaved) => {
            let (shell, question) = saved::refused(Shell::of(&seat, Module::AccessPolicies), unsaved)?;
            let again = (!question.asks.is_empty()).then(|| (id, form.text("to").to_owned()));
            list_page(&seat, shell, question, again).await
        }
    }
}

/// A method of a form: whether it is ticked, and how often.
struct MethodField {
    id: &'static str,
    label: &'static str,
    ticked: bool,
    frequency: String,
    seconds: String,
}

/// What a policy or a scenario says, as fields.
struct VerdictFields {
    /// Before the names of its fields.
    prefix: String,
    denies: bool,
    methods: Vec<MethodField>,
}

struct ScenarioFields {
    prefix: String,
    number: usize,
    name: String,
    inside: String,
    outside: String,
    verdict: VerdictFields,
}

#[derive(Template)]
#[template(path = "operator/policy.html")]
struct PolicyPage {
    shell: Shell,
    question: Question,
    name: String,
    applications: String,
    groups: String,
    networks: String,
    verdict: VerdictFields,
    scenarios: Vec<ScenarioFields>,
    global: bool,
    version: i64,
    /// The names that can be chosen.
    known_applications: Vec<String>,
    known_groups: Vec<String>,
    /// Where it is saved; empty if it cannot be.
    save: String,
    /// Where it is removed; empty if it cannot be.
    remove: String,
    /// Whether removing it is what was asked.
    removing: bool,
}

impl PolicyPage {
    /// What is wrong with a field of a scenario.
    fn fault(&self, prefix: &str, key: &str) -> &str {
        self.shell.fault(&format!("{prefix}{key}"))
    }
}

fn verdict_fields(prefix: &str, decision: Decides, require: &[Required]) -> VerdictFields {
    let methods = [(Method::Password, "Password"), (Method::Otp, "Passcode")].map(|(method, label)| {
        let found = require.iter().map(|required| parts(*required)).find(|(of, ..)| *of == method);
        let (_, frequency, seconds) = found.unwrap_or((method, "once_per_session", 3600));
        let (frequency, seconds) = (frequency.to_owned(), seconds.to_string());
        MethodField { id: method.id(), label, ticked: found.is_some(), frequency, seconds }
    });
    VerdictFields { prefix: prefix.to_owned(), denies: decision == Decides::Deny, methods: methods.into() }
}

struct Shown<'a> {
    draft: &'a PolicyDraft,
    id: Option<PolicyId>,
    version: i64,
    removing: bool,
}

async fn policy_page(seat: &Seat, shell: Shell, question: Question, shown: Shown<'_>) -> Answer {
    let config = configured(seat).await?;
    let Shown { draft, id, version, removing } = shown;
    let global = id == Some(config.policies.global.id);
    let deed = if id.is_some() { Deed::Edit } else { Deed::Add };
    let address = id.map_or_else(|| "policies/new".to_owned(), |id| format!("policies/{id}"));
    let at = |path: &str, deed| if seat.may(Module::AccessPolicies, deed) { seat.path(path) } else { String::new() };
    let save = at(&address, deed);
    let empty = ScenarioDraft::default();
    // One more than there are, to be filled in.
    let more = (!save.is_empty() && draft.scenario.len() < MOST_SCENARIOS).then_some(&empty);
    let scenarios = draft.scenario.iter().chain(more).enumerate().map(|(number, scenario)| {
        let prefix = format!("scenario-{number}-");
        ScenarioFields {
            number: number + 1,
            name: scenario.name.clone(),
            inside: scenario.inside_networks.join("\n"),
            outside: scenario.outside_networks.join("\n"),
            verdict: verdict_fields(&prefix, scenario.decision, &scenario.require),
            prefix,
        }
    });
    page::page(&PolicyPage {
        name: draft.name.clone().unwrap_or_default(),
        applications: draft.applications.join("\n"),
        groups: draft.groups.join("\n"),
        networks: draft.networks.join("\n"),
        verdict: verdict_fields("", draft.decision, &draft.require),
        scenarios: scenarios.collect(),
        known_applications: config.applications.iter().chain([&config.console]).map(|it| it.name.clone()).collect(),
        known_groups: config.groups.iter().map(|group| group.name.clone()).collect(),
        remove: if id.is_some() && !global { at(&format!("{address}/remove"), Deed::Delete) } else { String::new() },
        global,
        version,
        save,
        removing,
        question,
        shell,
    })
}

fn required(form: &Form, prefix: &str, decision: Decides) -> Vec<Required> {
    if decision == Decides::Deny {
        return Vec::new();
    }
    let all = [Method::Password, Method::Otp];
    let ticked = all.into_iter().filter(|method| form.text(&format!("{prefix}{}", method.id())) == "yes");
    ticked
        .map(|method| {
            let of = |what: &str| form.text(&format!("{prefix}{}-{what}", method.id())).trim().to_owned();
            match of("frequency").as_str() {
                "every_attempt" => {
                    let frequency = Some(FrequencyWord::EveryAttempt);
                    Required::Often(Often { method, frequency, every_seconds: None })
                }
                // What is no number is out of range, which is told beside the field.
                "seconds" => {
                    let every_seconds = Some(of("seconds").parse().unwrap_or(0));
                    Required::Often(Often { method, frequency: None, every_seconds })
                }
                _ => Required::Plain(method),
            }
        })
        .collect()
}

fn decision(form: &Form, prefix: &str) -> Decides {
    if form.text(&format!("{prefix}decision")) == "deny" { Decides::Deny } else { Decides::Grant }
}

fn of_form(form: &Form, global: bool) -> PolicyDraft {
    let decides = decision(form, "");
    let mut scenario = Vec::new();
    for number in 0..MOST_SCENARIOS {
        let prefix = format!("scenario-{number}-");
        let text = |name: &str| form.text(&format!("{prefix}{name}"));
        let (inside, outside) = (lines(text("inside_networks")), lines(text("outside_networks")));
        // A scenario of which nothing is left is removed.
        if text("name").trim().is_empty() && inside.is_empty() && outside.is_empty() {
            continue;
        }
        let decides = decision(form, &prefix);
        scenario.push(ScenarioDraft {
            name: text("name").trim().to_owned(),
            inside_networks: inside,
            outside_networks: outside,
            decision: decides,
            require: required(form, &prefix, decides),
        });
    }
    PolicyDraft {
        name: if global { None } else { Some(form.text("name").to_owned()) },
        applications: lines(form.text("applications")),
        groups: lines(form.text("groups")),
        networks: lines(form.text("networks")),
        decision: decides,
        require: required(form, "", decides),
        scenario,
    }
}

fn fresh() -> PolicyDraft {
    let require = [Method::Password, Method::Otp].map(Required::Plain).to_vec();
    PolicyDraft { require, ..PolicyDraft::default() }
}

/// `GET …/operator/policies/new`.
async fn new(seat: Seat) -> Answer {
    let shell = Shell::titled(&seat, Module::AccessPolicies, "New access policy");
    let draft = fresh();
    policy_page(&seat, shell, Question::default(), Shown { draft: &draft, id: None, version: 0, removing: false }).await
}

/// `POST …/operator/policies/new`.
async fn make(seat: Seat, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    let draft = of_form(&form, false);
    match policies::create(&seat.desk(), seat.call.realm.code(), &draft, despite(&form)).await {
        Ok(policy) => Ok(page::see(&format!("{}?done=made#policy-{}", seat.path("policies"), policy.id))),
        Err(unsaved) => {
            let shell = Shell::titled(&seat, Module::AccessPolicies, "New access policy");
            let (shell, question) = saved::refused(shell, unsaved)?;
            policy_page(&seat, shell, question, Shown { draft: &draft, id: None, version: 0, removing: false }).await
        }
    }
}

fn title(name: &str) -> String {
    format!("Access policy: {name}")
}

/// `GET …/operator/policies/{policy}`.
async fn show(seat: Seat, path: web::Path<(String, PolicyId)>) -> Answer {
    let (id, config) = (path.into_inner().1, configured(&seat).await?);
    let policy = policies::find(&config.policies, id).ok_or(Fault::NotFound)?;
    let shell = Shell::titled(&seat, Module::AccessPolicies, &title(&policy.name));
    let draft = PolicyDraft::of(policy, &config);
    let shown = Shown { draft: &draft, id: Some(id), version: policies::mark(policy), removing: false };
    policy_page(&seat, shell, Question::default(), shown).await
}

/// `POST …/operator/policies/{policy}`.
async fn change(seat: Seat, path: web::Path<(String, PolicyId)>, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    let (id, config) = (path.into_inner().1, configured(&seat).await?);
    let version = form.text("version").parse().unwrap_or(0);
    let mut draft = of_form(&form, config.policies.global.id == id);
    match policies::change(&seat.desk(), seat.call.realm.code(), (id, version), &draft, despite(&form)).await {
        Ok(_) => Ok(page::see(&format!("{}?done=changed#policy-{id}", seat.path("policies")))),
        Err(unsaved) => {
            let name = policies::find(&config.policies, id).map(|policy| policy.name.clone()).unwrap_or_default();
            let shell = Shell::titled(&seat, Module::AccessPolicies, &title(&name));
            let (shell, question) = saved::refused(shell, unsaved)?;
            draft.name = draft.name.or(Some(name));
            let shown = Shown { draft: &draft, id: Some(id), version, removing: false };
            policy_page(&seat, shell, question, shown).await
        }
    }
}

/// `POST …/operator/policies/{policy}/remove`.
async fn remove(seat: Seat, path: web::Path<(String, PolicyId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (id, config) = (path.into_inner().1, configured(&seat).await?);
    if !sure::said(&form) {
        let policy = policies::find(&config.policies, id).ok_or(Fault::NotFound)?;
        let shell = Shell::titled(&seat, Module::AccessPolicies, &format!("Remove the policy {}?", policy.name));
        let lines = vec!["Logins that it decided are decided by the policies after it from now on.".to_owned()];
        let places = (seat.path(&format!("policies/{id}/remove")), seat.path(&format!("policies/{id}")));
        return sure::ask(shell, &form, (lines, "Yes, remove"), places);
    }
    let version = form.text("version").parse().unwrap_or(0);
    match policies::remove(&seat.desk(), seat.call.realm.code(), (id, version), despite(&form)).await {
        Ok(()) => Ok(page::see(&format!("{}?done=removed", seat.path("policies")))),
        Err(unsaved) => {
            let policy = policies::find(&config.policies, id).ok_or(Fault::NotFound)?;
            let shell = Shell::titled(&seat, Module::AccessPolicies, &title(&policy.name));
            let (shell, question) = saved::refused(shell, unsaved)?;
            let draft = PolicyDraft::of(policy, &config);
            let removing = !question.asks.is_empty();
            let shown = Shown { draft: &draft, id: Some(id), version: policies::mark(policy), removing };
            policy_page(&seat, shell, question, shown).await
        }
    }
}
