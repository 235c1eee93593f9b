//! Explain a login (A9): what a person would meet, and why; and the test cases that policies are held against.

use std::net::IpAddr;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::shell::Shell;
use super::{codes, explained, saved, sure};
use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::fault::Fault as Wrong;
use crate::domain::ids::{TestCaseId, UserId};
use crate::domain::name::key_of;
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::access::Method;
use crate::domain::policy::draft::Decides;
use crate::domain::policy::test_case::TestCaseDraft;
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::configuration::{self, Unsaved};
use crate::flow::administration::test_cases;
use crate::flow::explain::{Asked, Explanation, Person, explain};
use crate::flow::test_cases::{Outcome, judge};
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::{Connection, test_cases as stored};

const DONE: [(&str, &str); 3] = [
    ("made", "The test case was saved."),
    ("changed", "The test case was saved."),
    ("removed", "The test case was removed."),
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Explain.needs(deed);
    table.get("explain", needs(Deed::Access), show);
    table.get("explain/cases", needs(Deed::Access), cases);
    table.get("explain/cases/new", needs(Deed::Add), new_case);
    table.post("explain/cases/new", needs(Deed::Add), make_case);
    table.get("explain/cases/{case}", needs(Deed::Access), show_case);
    table.post("explain/cases/{case}", needs(Deed::Edit), change_case);
    table.post("explain/cases/{case}/remove", needs(Deed::Delete), remove_case);
}

/// What is asked, as it was typed.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Typed {
    user: String,
    application: String,
    address: String,
}

#[derive(Template)]
#[template(path = "operator/explain.html")]
struct ExplainPage {
    shell: Shell,
    typed: Typed,
    applications: Vec<String>,
    told: Option<Explanation>,
    /// The page of the person, where what would help is done; empty if the role may not see it.
    person: String,
    /// Where this is saved as a test case; empty if it cannot be.
    keep: String,
}

impl ExplainPage {
    /// A line of the explanation, as the console says it.
    fn line(text: &str) -> String {
        explained::line(text)
    }

    /// What a method is called.
    fn method(id: &str) -> &str {
        if id == Method::Otp.id() { "passcode" } else { id }
    }

    /// Why enrollment is not offered.
    fn why(reason: &str) -> &str {
        codes::reason(reason).unwrap_or(reason)
    }

    /// What a kind of authenticators is called.
    fn kind(id: &str) -> &str {
        match Kind::ALL.into_iter().find(|kind| kind.id() == id) {
            Some(kind) => codes::kind(kind),
            None => id,
        }
    }
}

async fn configured(seat: &Seat) -> Result<TenantConfig, Fault> {
    let found = configuration::current(&seat.desk(), seat.call.realm.code()).await;
    found.map_err(|unsaved| match unsaved {
        Unsaved::Storage(error) => error.into(),
        _ => Fault::NotFound,
    })
}

fn applications(config: &TenantConfig) -> Vec<String> {
    config.applications.iter().chain([&config.console]).map(|application| application.name.clone()).collect()
}

/// `GET …/operator/explain`: a question in the address, so that an answer can be sent to a colleague.
async fn show(seat: Seat, typed: web::Query<Typed>) -> Answer {
    let mut typed = typed.into_inner();
    let config = configured(&seat).await?;
    let shell = Shell::of(&seat, Module::Explain);
    // A link from the page of a person names the person only: where to is chosen then.
    let asked = !typed.user.trim().is_empty() && !typed.application.is_empty();
    if typed.address.trim().is_empty() {
        typed.address = seat.call.visit.address.to_string();
    }
    let (shell, told) = if asked { answered(&seat, shell, &config, &typed).await? } else { (shell, None) };
    let (told, id) = told.unzip();
    let person = id.filter(|_| seat.may(Module::Users, Deed::Access));
    let person = person.map_or_else(String::new, |id| seat.path(&format!("users/{id}")));
    let keep = told.as_ref().filter(|_| seat.may(Module::Explain, Deed::Add)).map(|told| {
        let require: Vec<&str> = told.methods.iter().map(|needed| needed.method.as_str()).collect();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("user", &told.user)
            .append_pair("application", &told.application)
            .append_pair("address", &told.address)
            .append_pair("decision", &told.decision)
            .append_pair("require", &require.join(","))
            .append_pair("enrollment", if told.enrollment.offered_without_authenticator { "yes" } else { "no" })
            .finish();
        format!("{}?{query}", seat.path("explain/cases/new"))
    });
    let applications = applications(&config);
    page::page(&ExplainPage { shell, typed, applications, told, person, keep: keep.unwrap_or_default() })
}

async fn answered(
    seat: &Seat,
    shell: Shell,
    config: &TenantConfig,
    typed: &Typed,
) -> Result<(Shell, Option<(Explanation, UserId)>), Fault> {
    let house = &seat.call.site.house;
    let mut wrong = Vec::new();
    let mut all = config.applications.iter().chain([&config.console]);
    let application = all.find(|it| key_of(&it.name) == key_of(&typed.application));
    let address: Option<IpAddr> = typed.address.trim().parse().ok();
    let person = house.db.look(async |connection| Person::named(house, connection, config, &typed.user).await).await?;
    if person.is_none() {
        wrong.push(Wrong::new("user", "there is no account with this user name"));
    }
    if application.is_none() {
        wrong.push(Wrong::new("application", "is not there"));
    }
    if address.is_none() {
        wrong.push(Wrong::new("address", "is not an address such as 192.0.2.7 or 2001:db8::7"));
    }
    let (Some(person), Some(application), Some(address)) = (person, application, address) else {
        return Ok((shell.with_wrong_question(saved::faults(Module::Explain, &wrong)), None));
    };
    let asked = Asked { config, application, address, at: seat.call.visit.now };
    let told = house.db.look(async |connection| explain(connection, asked, &person).await).await?;
    Ok((shell, Some((told, person.member.user.id))))
}

#[derive(Template)]
#[template(path = "operator/cases.html")]
struct CasesPage {
    shell: Shell,
    rows: Vec<CaseRow>,
    may_add: bool,
}

struct CaseRow {
    draft: TestCaseDraft,
    outcome: Outcome,
}

impl CaseRow {
    fn expects(&self) -> String {
        expectation(&self.draft)
    }
}

fn expectation(draft: &TestCaseDraft) -> String {
    let mut words = match draft.decision {
        Decides::Deny => "access denied".to_owned(),
        Decides::Grant => {
            let methods: Vec<&str> = draft.require.iter().map(|method| method.id()).collect();
            format!("access with {}", methods.join(" and "))
        }
    };
    match draft.enrollment {
        Some(true) => words += ", enrollment offered",
        Some(false) => words += ", enrollment not offered",
        None => {}
    }
    words
}

/// `GET …/operator/explain/cases`: every case with what comes out now.
async fn cases(seat: Seat, request: HttpRequest) -> Answer {
    let shell = Shell::titled(&seat, Module::Explain, "Test cases").with_done(request.query_string(), &DONE);
    let config = configured(&seat).await?;
    let (house, now) = (&seat.call.site.house, seat.call.visit.now);
    let question = async |connection: &mut Connection| {
        let cases = stored::all(config.tenant.id).ask(connection).await?;
        let outcomes = judge(house, connection, &cases, None, &config, now).await?;
        let mut rows = Vec::with_capacity(cases.len());
        for (case, outcome) in cases.iter().zip(outcomes) {
            rows.push(CaseRow { draft: test_cases::draft_of(connection, &config, case).await?, outcome });
        }
        Ok(rows)
    };
    let rows = house.db.look(question).await?;
    page::page(&CasesPage { rows, may_add: seat.may(Module::Explain, Deed::Add), shell })
}

#[derive(Template)]
#[template(path = "operator/case.html")]
struct CasePage {
    shell: Shell,
    draft: TestCaseDraft,
    address: String,
    version: i64,
    applications: Vec<String>,
    /// Where it is saved; empty if it cannot be.
    save: String,
    /// Where it is removed; empty if it cannot be.
    remove: String,
}

impl CasePage {
    fn asks(&self, method: &str) -> bool {
        self.draft.require.iter().any(|asked| asked.id() == method)
    }

    fn denies(&self) -> bool {
        self.draft.decision == Decides::Deny
    }
}

async fn case_page(seat: &Seat, shell: Shell, draft: TestCaseDraft, known: Option<(TestCaseId, i64)>) -> Answer {
    let config = configured(seat).await?;
    let deed = if known.is_some() { Deed::Edit } else { Deed::Add };
    let address = known.map_or_else(|| "explain/cases/new".to_owned(), |(id, _)| format!("explain/cases/{id}"));
    let at = |path: &str, deed| if seat.may(Module::Explain, deed) { seat.path(path) } else { String::new() };
    page::page(&CasePage {
        address: draft.address.clone().unwrap_or_default(),
        version: known.map_or(0, |(_, version)| version),
        applications: applications(&config),
        save: at(&address, deed),
        remove: if known.is_some() { at(&format!("{address}/remove"), Deed::Delete) } else { String::new() },
        draft,
        shell,
    })
}

fn typed(text: impl Fn(&str) -> String, require: Vec<Method>) -> TestCaseDraft {
    TestCaseDraft {
        name: text("name"),
        user: text("user").trim().to_owned(),
        application: text("application"),
        address: Some(text("address")),
        decision: if text("decision") == "deny" { Decides::Deny } else { Decides::Grant },
        require,
        enrollment: match text("enrollment").as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        },
    }
}

fn method(word: &str) -> Option<Method> {
    [Method::Password, Method::Otp].into_iter().find(|method| method.id() == word)
}

/// `GET …/operator/explain/cases/new`: with what an explanation said, where one leads here.
async fn new_case(seat: Seat, request: HttpRequest) -> Answer {
    let query: Vec<(String, String)> = form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let text =
        |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default();
    let require = text("require").split(',').filter_map(method).collect();
    let mut draft = typed(text, require);
    if draft.name.is_empty() && !draft.user.is_empty() {
        draft.name = format!("{} at {}", draft.user, draft.application);
    }
    case_page(&seat, Shell::titled(&seat, Module::Explain, "New test case"), draft, None).await
}

fn of_form(form: &Form) -> TestCaseDraft {
    let require = form.all("require").filter_map(method).collect();
    let draft = typed(|name| form.text(name).to_owned(), require);
    // Boxes that are hidden with "denied" may still be ticked.
    if draft.decision == Decides::Deny { TestCaseDraft { require: Vec::new(), ..draft } } else { draft }
}

/// `POST …/operator/explain/cases/new`.
async fn make_case(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let (draft, config) = (of_form(&form), configured(&seat).await?);
    match test_cases::create(&seat.desk(), &config, &draft).await {
        Ok(_) => Ok(page::see(&format!("{}?done=made", seat.path("explain/cases")))),
        Err(unsaved) => {
            let shell = Shell::titled(&seat, Module::Explain, "New test case");
            let (shell, _) = saved::refused(shell, unsaved)?;
            case_page(&seat, shell, draft, None).await
        }
    }
}

/// `GET …/operator/explain/cases/{case}`.
async fn show_case(seat: Seat, path: web::Path<(String, TestCaseId)>) -> Answer {
    case_as_it_is(&seat, path.into_inner().1, |shell| shell).await
}

/// A case as it is stored now, and its version.
async fn stored_case(seat: &Seat, config: &TenantConfig, id: TestCaseId) -> Result<(TestCaseDraft, i64), Fault> {
    let question =
        async |connection: &mut Connection| match stored::with_id(config.tenant.id, id).ask(connection).await? {
            Some(case) => Ok(Some((test_cases::draft_of(connection, config, &case).await?, case.version))),
            None => Ok(None),
        };
    seat.call.site.house.db.look(question).await?.ok_or(Fault::NotFound)
}

/// The page of a case as it is stored now.
async fn case_as_it_is(seat: &Seat, id: TestCaseId, say: impl FnOnce(Shell) -> Shell) -> Answer {
    let (draft, version) = stored_case(seat, &configured(seat).await?, id).await?;
    let shell = Shell::titled(seat, Module::Explain, &format!("Test case: {}", draft.name));
    case_page(seat, say(shell), draft, Some((id, version))).await
}

/// `POST …/operator/explain/cases/{case}`.
async fn change_case(seat: Seat, path: web::Path<(String, TestCaseId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let id = path.into_inner().1;
    let version = form.text("version").parse().unwrap_or(0);
    let (draft, config) = (of_form(&form), configured(&seat).await?);
    match test_cases::change(&seat.desk(), &config, (id, version), &draft).await {
        Ok(_) => Ok(page::see(&format!("{}?done=changed", seat.path("explain/cases")))),
        Err(unsaved) => {
            let shell = Shell::titled(&seat, Module::Explain, &format!("Test case: {}", draft.name));
            let (shell, _) = saved::refused(shell, unsaved)?;
            case_page(&seat, shell, draft, Some((id, version))).await
        }
    }
}

/// The page that asks before a case goes.
fn ask_first(seat: &Seat, (id, case): (TestCaseId, &TestCaseDraft), form: &Form) -> Answer {
    let lines = vec![
        format!("It expects for {} at {}: {}.", case.user, case.application, expectation(case)),
        "A change of a policy or a setting that breaks this is saved without a word from then on.".to_owned(),
    ];
    let shell = Shell::titled(seat, Module::Explain, &format!("Remove the test case {}?", case.name));
    let page = seat.path(&format!("explain/cases/{id}"));
    sure::ask(shell, form, (lines, "Yes, remove"), (format!("{page}/remove"), page))
}

/// `POST …/operator/explain/cases/{case}/remove`.
async fn remove_case(seat: Seat, path: web::Path<(String, TestCaseId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (id, version) = (path.into_inner().1, form.text("version").parse().unwrap_or(0));
    let config = configured(&seat).await?;
    if !sure::said(&form) {
        let (case, _) = stored_case(&seat, &config, id).await?;
        return ask_first(&seat, (id, &case), &form);
    }
    match test_cases::remove(&seat.desk(), &config, (id, version)).await {
        Ok(()) => Ok(page::see(&format!("{}?done=removed", seat.path("explain/cases")))),
        Err(Unsaved::ChangedMeanwhile) => {
            let words = "Nothing was removed: somebody else changed this meanwhile. It says now what you see below.";
            case_as_it_is(&seat, id, |shell| shell.with_complaint(words)).await
        }
        Err(unsaved) => {
            saved::refused(Shell::of(&seat, Module::Explain), unsaved)?;
            Ok(page::see(&seat.path("explain/cases")))
        }
    }
}
