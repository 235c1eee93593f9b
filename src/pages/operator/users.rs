//! People (T1): searched, listed, made, and acted on many at once.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::jobs::began;
use super::shell::{FieldFault, Shell, time_or_dash};
use crate::domain::authenticator::standing::Standing;
use crate::domain::ids::{GroupId, UserId};
use crate::domain::job::{LARGEST_SELECTION, PeopleDeed, Work};
use crate::domain::operator::{Deed, Module};
use crate::flow::administration::accounts::{self, Typed};
use crate::flow::administration::jobs::{self, NewRow};
use crate::flow::administration::lists;
use crate::http::guard::{LongForm, Seat, Table};
use crate::http::{Answer, Fault, Form, files, page};
use crate::i18n::Language;
use crate::storage::people::{self, AccountState, Filter, Listed, Pattern, Sort};
use crate::storage::users;

/// So many are on a page.
const PAGE: u32 = 50;
const DONE: [(&str, &str); 2] =
    [("erased", "The person was erased; every authenticator was revoked."), ("nobody", "Nobody was selected.")];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let users = |deed| Module::Users.needs(deed);
    table.get("users", users(Deed::Access), list);
    table.get("users/export/{form}", users(Deed::Export), export);
    table.get("users/new", users(Deed::Add), new);
    table.post("users/new", users(Deed::Add), make);
    for (deed, needs) in [
        ("unlock", Module::AccountCare.needs(Deed::Edit)),
        ("end_sessions", Module::AccountCare.needs(Deed::Edit)),
        ("enable", users(Deed::Edit)),
        ("disable", users(Deed::Edit)),
        ("enter", Module::Groups.needs(Deed::Edit)),
        ("leave", Module::Groups.needs(Deed::Edit)),
        ("resend", Module::Provisioning.needs(Deed::Edit)),
    ] {
        let handler = move |seat: Seat, form: LongForm| selection(seat, form, deed);
        table.post(&format!("users/selection/{deed}"), needs, handler);
    }
}

/// A person in the list.
struct Entry {
    id: UserId,
    username: String,
    name: String,
    email: String,
    state: &'static str,
    good: bool,
    authenticators: &'static str,
    last_login: String,
}

/// A choice in a list of choices.
pub struct Choice {
    /// Its value.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is the one that was chosen.
    pub chosen: bool,
}

/// The groups to choose from.
pub fn group_choices(seat: &Seat, chosen: &str) -> Vec<Choice> {
    let groups = &seat.call.realm.config.groups;
    let choice = |group: &crate::domain::group::Group| {
        let id = group.id.to_string();
        Choice { chosen: id == chosen, id, name: group.name.clone() }
    };
    groups.iter().map(choice).collect()
}

/// How somebody stands with authenticators, in words.
pub const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::None => "none",
        Standing::Assigned => "reserved",
        Standing::Suspended => "suspended",
        Standing::Locked => "locked",
        Standing::Active => "active",
    }
}

/// What was asked for, as it stands in the address.
#[derive(Default)]
struct Asked {
    username: String,
    name: String,
    email: String,
    group: String,
    account: String,
    authenticators: String,
    sort: String,
    no_email: bool,
    after: Option<String>,
}

impl Asked {
    fn of(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value: String = value.chars().take(1000).collect();
            match &*name {
                "username" => asked.username = value,
                "name" => asked.name = value,
                "email" => asked.email = value,
                "group" => asked.group = value,
                "account" => asked.account = value,
                "authenticators" => asked.authenticators = value,
                "sort" => asked.sort = value,
                "no_email" => asked.no_email = true,
                "after" if !value.is_empty() => asked.after = Some(value),
                _ => {}
            }
        }
        asked
    }

    /// What it is narrowed by: names and values, without the place.
    fn named(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("username", self.username.as_str()),
            ("name", &self.name),
            ("email", &self.email),
            ("group", &self.group),
            ("account", &self.account),
            ("authenticators", &self.authenticators),
            ("sort", &self.sort),
            ("no_email", if self.no_email { "yes" } else { "" }),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The query of the same list, as a whole.
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.named()).finish()
    }

    fn filter(&self) -> Filter {
        Filter {
            username: Pattern::typed(&self.username),
            name: Pattern::typed(&self.name),
            email: Pattern::typed(&self.email),
            without_email: self.no_email,
            group: self.group.parse().ok(),
            account: AccountState::named(&self.account),
            authenticators: self.authenticators.parse().ok(),
            sort: Sort::named(&self.sort).unwrap_or_default(),
        }
    }

    /// The address of the page after this one.
    fn next(&self, after: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.named()).append_pair("after", after).finish()
    }
}

#[derive(Template)]
#[template(path = "operator/users.html")]
struct UsersPage {
    shell: Shell,
    asked: Asked,
    people: Vec<Entry>,
    groups: Vec<Choice>,
    accounts: Vec<Choice>,
    standings: Vec<Choice>,
    sorts: Vec<Choice>,
    /// The query of the next page; empty on the last one.
    next: String,
    /// The query of the file with everybody.
    query: String,
    may_export: bool,
    may_add: bool,
    may_edit: bool,
    may_care: bool,
    may_group: bool,
    may_resend: bool,
    may_provision: bool,
    may_import: bool,
}

fn entry(listed: &Listed, seat: &Seat) -> Entry {
    let state = listed.state(seat.call.visit.now);
    Entry {
        id: listed.user.id,
        username: listed.user.username.clone(),
        name: format!("{} {}", listed.user.first_name, listed.user.last_name).trim().to_owned(),
        email: listed.user.email.clone().unwrap_or_else(|| "–".to_owned()),
        state: state.id(),
        good: state == AccountState::Enabled,
        authenticators: standing(listed.authenticators),
        last_login: time_or_dash(listed.last_login_at),
    }
}

/// `GET …/operator/users`.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let asked = Asked::of(request.query_string());
    let (tenant, now, filter) = (seat.call.realm.tenant(), seat.call.visit.now, asked.filter());
    let search = async |connection: &mut crate::storage::Connection| {
        people::search(connection, tenant, &filter, asked.after.as_deref(), PAGE, now).await
    };
    let found = seat.call.site.house.db.look(search).await?;
    let choice =
        |id: &str, name: &str, chosen: &str| Choice { chosen: id == chosen, id: id.to_owned(), name: name.to_owned() };
    let care = Module::AccountCare;
    let page = UsersPage {
        shell: Shell::of(&seat, Module::Users).with_done(request.query_string(), &DONE),
        people: found.entries.iter().map(|listed| entry(listed, &seat)).collect(),
        groups: group_choices(&seat, &asked.group),
        accounts: AccountState::ALL.map(|state| choice(state.id(), state.id(), &asked.account)).into(),
        standings: Standing::ALL.map(|one| choice(one.id(), standing(one), &asked.authenticators)).into(),
        sorts: [
            (Sort::Best, "user ID"),
            (Sort::LastName, "last name"),
            (Sort::FirstName, "first name"),
            (Sort::Email, "email"),
        ]
        .map(|(sort, name)| choice(sort.id(), name, &asked.sort))
        .into(),
        next: found.next.map(|after| asked.next(&after)).unwrap_or_default(),
        query: asked.query(),
        may_export: seat.may(Module::Users, Deed::Export),
        may_add: seat.may(Module::Users, Deed::Add),
        may_edit: seat.may(Module::Users, Deed::Edit),
        may_care: seat.may(care, Deed::Edit),
        may_group: seat.may(Module::Groups, Deed::Edit),
        may_resend: seat.may(Module::Provisioning, Deed::Edit),
        may_provision: seat.may(Module::Provisioning, Deed::Add),
        may_import: seat.may(Module::Users, Deed::Import),
        asked,
    };
    page::page(&page)
}

/// `GET …/operator/users/export/{form}`: everybody whom the filters let through, as a file.
async fn export(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>) -> Answer {
    let form = files::Kind::named(&path.into_inner().1).ok_or(Fault::NotFound)?;
    let asked = Asked::of(request.query_string());
    let (tenant, now, filter) = (seat.call.realm.tenant(), seat.call.visit.now, asked.filter());
    let filters: Vec<&str> = asked.named().into_iter().map(|(name, _)| name).collect();
    lists::exported(&seat.desk(), tenant, "users", &filters).await?;
    let (site, name) = (seat.call.site.clone(), format!("users-{}", seat.call.realm.code()));
    Ok(files::streamed(form, &name, lists::PEOPLE, move |after| {
        let (site, filter) = (site.clone(), filter.clone());
        async move { lists::people(&site.house, tenant, &filter, after.as_deref(), now).await }
    }))
}

/// The people whose boxes are ticked, each as a row of a job; whoever is an operator with more permissions is left out, with
/// the reason (T-57).
pub async fn ticked(seat: &Seat, form: &Form) -> Result<Vec<NewRow>, Fault> {
    let tenant = seat.call.realm.tenant();
    let ids: Vec<UserId> = form.all("user").filter_map(|id| id.parse().ok()).take(LARGEST_SELECTION).collect();
    let question = async |connection: &mut crate::storage::Connection| {
        let mut rows = Vec::with_capacity(ids.len());
        for id in &ids {
            if let Some(user) = users::with_id(connection, tenant, *id).await? {
                let row = NewRow::person(*id, &user.username);
                let beyond = accounts::is_beyond(&seat.call.realm.config, &seat.seated.permissions, *id);
                let why = || Err("is an operator with more permissions than yours".to_owned());
                rows.push(if beyond { NewRow { input: why(), ..row } } else { row });
            }
        }
        Ok(rows)
    };
    Ok(seat.call.site.house.db.look(question).await?)
}

/// `POST …/operator/users/selection/…`: something for everybody who is ticked.
async fn selection(seat: Seat, LongForm(form): LongForm, deed: &'static str) -> Answer {
    seat.check(&form)?;
    let group = || form.text("to_group").parse::<GroupId>().map_err(|_| Fault::NotFound);
    let deed = match deed {
        "unlock" => PeopleDeed::Unlock,
        "end_sessions" => PeopleDeed::EndSessions,
        "enable" => PeopleDeed::Enable,
        "disable" => PeopleDeed::Disable,
        "enter" => PeopleDeed::Enter { group: group()? },
        "leave" => PeopleDeed::Leave { group: group()? },
        _ => PeopleDeed::Resend,
    };
    let rows = ticked(&seat, &form).await?;
    if rows.is_empty() {
        return Ok(page::see(&seat.path("users?done=nobody")));
    }
    let tenant = seat.call.realm.tenant();
    let job = jobs::begin(&seat.desk(), tenant, &Work::People(deed), &rows).await?;
    Ok(began(&seat, job))
}

/// The fields of an account in a form.
pub struct ProfileForm {
    /// What was typed.
    pub typed: Typed,
    /// The languages to choose from.
    pub languages: Vec<Choice>,
}

impl ProfileForm {
    /// The fields as they were typed.
    pub fn of(typed: Typed) -> Self {
        let languages = Language::ALL.map(|language| Choice {
            id: language.tag().to_owned(),
            name: language.own_name().to_owned(),
            chosen: language.tag() == typed.language,
        });
        Self { languages: languages.into(), typed }
    }
}

/// What was typed into the fields of an account.
pub fn typed(form: &Form) -> Typed {
    let text = |name: &str| form.text(name).to_owned();
    let language = Language::of_tag(form.text("language")).map(|language| language.tag().to_owned());
    Typed {
        username: text("username"),
        email: text("email"),
        first_name: text("first_name"),
        last_name: text("last_name"),
        language: language.unwrap_or_default(),
        phone: text("phone"),
        alias: text("alias"),
    }
}

/// What is wrong with the fields of an account.
pub fn faults(faults: Vec<accounts::Fault>) -> Vec<FieldFault> {
    let named = |field: &str| match field {
        "username" => "User ID",
        "email" => "Email",
        "first_name" => "First name",
        "last_name" => "Last name",
        "phone" => "Phone",
        "alias" => "Alias",
        _ => "Password",
    };
    let fault =
        |fault: accounts::Fault| FieldFault::new(fault.field, format!("{} {}.", named(fault.field), fault.words));
    faults.into_iter().map(fault).collect()
}

#[derive(Template)]
#[template(path = "operator/user_new.html")]
struct NewPage {
    shell: Shell,
    form: ProfileForm,
    groups: Vec<Choice>,
}

fn new_page(seat: &Seat, form: ProfileForm, chosen: &[GroupId], wrong: Vec<FieldFault>) -> Answer {
    let mut groups = group_choices(seat, "");
    for group in &mut groups {
        group.chosen = chosen.iter().any(|id| id.to_string() == group.id);
    }
    let shell = Shell::titled(seat, Module::Users, "New user").with_faults(wrong);
    page::page(&NewPage { shell, form, groups })
}

/// `GET …/operator/users/new`.
async fn new(seat: Seat) -> Answer {
    new_page(&seat, ProfileForm::of(Typed::default()), &[], Vec::new())
}

/// `POST …/operator/users/new`.
async fn make(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let config = &seat.call.realm.config;
    let typed = typed(&form);
    let groups: Vec<GroupId> = if seat.may(Module::Groups, Deed::Edit) {
        let known = |id: &GroupId| config.group_name(*id).is_some();
        form.all("groups").filter_map(|id| id.parse().ok()).filter(known).collect()
    } else {
        Vec::new()
    };
    let password = Some(form.secret("password")).filter(|_| !form.text("password").is_empty());
    match accounts::create(&seat.desk(), config, &typed, &groups, password.as_ref()).await? {
        Ok(id) => Ok(page::see(&seat.path(&format!("users/{id}?done=made")))),
        Err(wrong) => {
            let mut wrong = faults(wrong);
            // It is not sent back, and without a word the account would be made without one.
            if password.is_some() && wrong.iter().all(|fault| fault.field != "password") {
                wrong.push(FieldFault::new("password", "Type the password again."));
            }
            new_page(&seat, ProfileForm::of(typed), &groups, wrong)
        }
    }
}

/// The identifier in an address; whatever is none names nobody.
pub fn id_of<T: std::str::FromStr>(path: web::Path<(String, String)>) -> Result<T, Fault> {
    path.into_inner().1.parse().map_err(|_| Fault::NotFound)
}
