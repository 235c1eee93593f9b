//! What the virtual server is called, its language, and its help desk.

use std::sync::LazyLock;

use actix_web::HttpRequest;

use super::saved::{despite, faults};
use super::settings::{Drawn, EditPage};
use super::shell::Shell;
use crate::domain::fault::Fault as Wrong;
use crate::domain::operator::{Deed, Module};
use crate::domain::settings::Choice;
use crate::domain::tenant::Organization;
use crate::flow::administration::configuration::{Unsaved, mark_of};
use crate::flow::administration::organization::change;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::i18n::Language;

/// Where it is, below `/operator/`.
pub(super) const ADDRESS: &str = "settings/organization";
/// Its title.
pub(super) const TITLE: &str = "Organization and language";

/// Registers the routes.
pub fn routes(table: &mut Table) {
    table.get(ADDRESS, Module::Settings.needs(Deed::Access), show);
    table.post(ADDRESS, Module::Settings.needs(Deed::Edit), save);
}

/// The languages, as the form offers them.
static LANGUAGES: LazyLock<[Choice; 8]> =
    LazyLock::new(|| Language::ALL.map(|language| (language.tag(), language.own_name())));

/// Label and value of each, as people read them.
pub(super) fn told(organization: &Organization) -> Vec<(&'static str, String)> {
    let language = Language::of_tag(&organization.default_language).map_or("", Language::own_name);
    vec![
        ("Name", organization.name.clone()),
        ("Language", language.to_owned()),
        (
            "Help desk",
            if organization.help_contact.is_empty() { "–".into() } else { organization.help_contact.clone() },
        ),
    ]
}

fn form_of(seat: &Seat, organization: &Organization, read: i64) -> EditPage {
    let drawn = |key, label, note: &str, kind, value: &str, choices| Drawn {
        key,
        label,
        note: note.to_owned(),
        kind,
        value: value.to_owned(),
        choices,
        least: 0,
        most: 0,
        fault: String::new(),
        idle: "",
    };
    EditPage {
        fields: vec![
            drawn("name", "Name", "As pages and mails show it.", "text", &organization.name, &[][..]),
            drawn(
                "default_language",
                "Language",
                "Of pages and mails where nothing better is known: people's own choice, their browser's and the application's wish \
                 come first.",
                "choice",
                &organization.default_language,
                LANGUAGES.as_slice(),
            ),
            drawn(
                "help_contact",
                "How people reach the help desk",
                "A mail address, a telephone number or a sentence. It stands below every page and mail.",
                "text",
                &organization.help_contact,
                &[],
            ),
        ],
        address: seat.path(ADDRESS),
        back: seat.path("settings"),
        read: read.to_string(),
        may_edit: seat.may(Module::Settings, Deed::Edit),
        depends: false,
        shell: Shell::titled(seat, Module::Settings, TITLE),
    }
}

async fn show(seat: Seat, _: HttpRequest) -> Answer {
    let organization = Organization::of(&seat.call.realm.config);
    page::page(&form_of(&seat, &organization, mark_of(&organization)))
}

async fn save(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let read = form.text("read").parse().map_err(|_| Fault::NotAForm)?;
    let wanted = Organization {
        name: form.text("name").to_owned(),
        default_language: form.text("default_language").to_owned(),
        help_contact: form.text("help_contact").to_owned(),
    };
    let mut again = form_of(&seat, &wanted, read);
    let saved = match wanted.default_language.parse::<Language>() {
        Ok(_) => change(&seat.desk(), seat.call.realm.code(), read, &wanted, despite(&form)).await,
        Err(error) => Err(Unsaved::Wrong(vec![Wrong::new("default_language", error.to_string())])),
    };
    match saved {
        Ok(_) => return Ok(page::see(&format!("{}?done=saved", again.back))),
        Err(Unsaved::Wrong(wrong)) => {
            for field in &mut again.fields {
                let words = wrong.iter().filter(|fault| fault.key == field.key).map(|fault| fault.words.as_str());
                field.fault = words.collect::<Vec<_>>().join("; ");
            }
            again.shell = again.shell.with_faults(faults(Module::Settings, &wrong));
        }
        Err(unsaved) => again.shell = again.shell.refusing(unsaved)?,
    }
    page::page(&again)
}
