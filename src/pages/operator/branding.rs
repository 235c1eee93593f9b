//! How the pages of the virtual server look: title, colours with their contrast, pictures, each with a preview.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::{Map, Value};

use super::menu::page as page_of;
use super::saved::{despite, faults};
use super::settings::{DONE, log_of};
use super::shell::{FieldFault, Shell};
use super::sure;
use crate::domain::branding::{Branding, Picture, Stored};
use crate::domain::operator::{Deed, Module};
use crate::domain::settings::{Section, overlaid, tag};
use crate::exchange::picture;
use crate::flow::administration::branding::set_picture;
use crate::flow::administration::configuration::Unsaved;
use crate::flow::administration::settings::change;
use crate::http::brand::{self, Shown};
use crate::http::guard::{Seat, Table};
use crate::http::upload::Upload;
use crate::http::{Answer, Fault, Form, page};

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Branding.needs(deed);
    table.get("branding", needs(Deed::Access), show);
    table.post("branding", needs(Deed::Edit), save);
    table.get("branding/sample.css", needs(Deed::Access), sample);
    table.get("branding/log", needs(Deed::ViewLog), log);
    table.post("branding/pictures/{picture}", needs(Deed::Edit), put);
    table.post("branding/pictures/{picture}/remove", needs(Deed::Edit), remove);
}

/// The fields of the form: key, label, what it is.
const FIELDS: [(&str, &str, &str); 5] = [
    ("title", "Title", "Stands beside the logo and in the title of the window. Empty: the organization's name."),
    ("accent", "Colour of buttons and links", "Such as #2447b8. Empty: ours."),
    ("ground", "Colour of the ground", "Such as #eef1f8. Empty: ours."),
    (
        "accent_dark",
        "Colour of buttons and links in the dark theme",
        "Empty: made of the one above, as light as it must be.",
    ),
    ("ground_dark", "Colour of the ground in the dark theme", "Such as #0f1320. Empty: ours."),
];

struct Drawn {
    key: &'static str,
    label: &'static str,
    note: &'static str,
    value: String,
}

struct PictureRow {
    id: &'static str,
    title: &'static str,
    rule: &'static str,
    shown: Option<Shown>,
}

#[derive(Template)]
#[template(path = "operator/branding.html")]
struct BrandingPage {
    shell: Shell,
    fields: Vec<Drawn>,
    read: String,
    /// The title as it would stand on the sample.
    title: String,
    logo: Option<Shown>,
    /// The query of the sample's style sheet.
    sample: String,
    pictures: Vec<PictureRow>,
    may_edit: bool,
    may_log: bool,
}

fn branding_page(seat: &Seat, typed: &Map<String, Value>, read: &str) -> BrandingPage {
    let config = &seat.call.realm.config;
    let (stored, code) = (&config.settings.branding, &config.tenant.code);
    let text = |key: &str| typed.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    // What cannot be shown is not: the sample then has the colour that is stored.
    let (wanted, _) = overlaid("branding", stored, typed);
    let mut sample = form_urlencoded::Serializer::new(String::new());
    for (key, _, _) in FIELDS.into_iter().skip(1) {
        sample.append_pair(key, &text(key));
    }
    let row = |picture: Picture| PictureRow {
        id: picture.id(),
        title: picture.title(),
        rule: picture.rule(),
        shown: brand::shown(code, stored, picture),
    };
    BrandingPage {
        shell: Shell::of(seat, Module::Branding),
        fields: FIELDS.map(|(key, label, note)| Drawn { key, label, note, value: text(key) }).into(),
        read: read.to_owned(),
        title: if wanted.title.trim().is_empty() { config.tenant.name.clone() } else { wanted.title },
        logo: brand::shown(code, stored, Picture::Logo),
        sample: sample.finish(),
        pictures: Picture::ALL.map(row).into(),
        may_edit: seat.may(Module::Branding, Deed::Edit),
        may_log: seat.may(Module::Branding, Deed::ViewLog),
    }
}

fn stored(seat: &Seat) -> Map<String, Value> {
    let config = &seat.call.realm.config;
    Section::Branding.of(&config.settings, &config.groups)
}

/// What is said after a picture was changed.
const PICTURES_DONE: [(&str, &str); 2] =
    [("picture", "The picture is used from now on."), ("removed", "It was removed.")];

/// `GET …/operator/branding`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let values = stored(&seat);
    let mut page = branding_page(&seat, &values, &tag(&values));
    page.shell = page.shell.with_done(request.query_string(), &[DONE, PICTURES_DONE].concat());
    page::page(&page)
}

/// The page that asks before title and colours are ours again.
fn ask_before_ours(seat: &Seat, form: &Form) -> Answer {
    let lines = vec![
        "The pages of logins and the portal have the organization's name and our colours from then on; the pictures stay.".to_owned(),
        "Your title and colours are not kept: to have them back, they must be typed again.".to_owned(),
    ];
    let shell = Shell::titled(seat, Module::Branding, "Restore our title and colours?");
    sure::ask(shell, form, (lines, "Yes, restore ours"), (seat.path("branding"), seat.path("branding")))
}

/// `POST …/operator/branding`: title and colours, or a look at them.
async fn save(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let read = form.text("read");
    let chosen = stored(&seat).values().any(|value| value.as_str().is_some_and(|text| !text.is_empty()));
    if form.has("restore") && chosen && !sure::said(&form) {
        return ask_before_ours(&seat, &form);
    }
    let entries: Map<String, Value> = if form.has("restore") {
        FIELDS.iter().map(|(key, ..)| ((*key).to_owned(), Value::from(""))).collect()
    } else {
        FIELDS.iter().map(|(key, ..)| ((*key).to_owned(), Value::from(form.text(key).trim()))).collect()
    };
    let mut again = branding_page(&seat, &entries, read);
    if form.has("look") {
        let (wanted, wrong) = overlaid("branding", &seat.call.realm.config.settings.branding, &entries);
        let more = wanted.faults().into_iter().map(|(key, words)| crate::domain::fault::Fault::new(key, words));
        let wrong: Vec<_> = wrong.into_iter().chain(more).collect();
        again.shell = again.shell.with_faults(faults(Module::Branding, &wrong));
        return page::page(&again);
    }
    let code = seat.call.realm.code();
    match change(&seat.desk(), code, read, Section::Branding, &entries, despite(&form)).await {
        Ok(settled) => {
            let done = if settled.changed { "saved" } else { "same" };
            return Ok(page::see(&format!("{}?done={done}", seat.path("branding"))));
        }
        Err(unsaved) => again.shell = again.shell.refusing(unsaved)?,
    }
    page::page(&again)
}

/// `GET …/operator/branding/sample.css?accent=…`: the colours of the sample. Nothing that is no colour comes into it (T-22).
async fn sample(seat: Seat, request: HttpRequest) -> Answer {
    let asked = form_urlencoded::parse(request.query_string().as_bytes());
    let entries = asked.filter(|(key, _)| FIELDS.iter().skip(1).any(|(known, ..)| known == key));
    let entries: Map<String, Value> =
        entries.map(|(key, value)| (key.into_owned(), value.into_owned().into())).collect();
    let (branding, _): (Branding, _) = overlaid("branding", &seat.call.realm.config.settings.branding, &entries);
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/css; charset=utf-8")).body(brand::sample(&branding)))
}

/// `GET …/operator/branding/log`.
async fn log(seat: Seat, _: HttpRequest) -> Answer {
    let back = seat.path(page_of(Module::Branding).unwrap_or_default());
    log_of(&seat, Module::Branding, Section::Branding, &back).await
}

fn named(path: &(String, String)) -> Result<Picture, Fault> {
    Picture::named(&path.1).ok_or(Fault::NotFound)
}

/// `POST …/operator/branding/pictures/{picture}`: a new picture.
async fn put(seat: Seat, path: web::Path<(String, String)>, upload: Upload) -> Answer {
    seat.check(&upload.form)?;
    let picture = named(&path)?;
    // Pixels are read and written beside the threads that answer requests.
    let made = web::block(move || picture::made(picture, &upload.file)).await;
    let made = made.map_err(|error| Fault::Internal(error.to_string()))?;
    let made = match made {
        Ok(made) => made,
        Err(error) => return refused(&seat, picture, &error.to_string()),
    };
    let stored = Stored {
        digest: brand::digest(&made.octets),
        kind: made.kind.to_owned(),
        width: made.width,
        height: made.height,
    };
    match set_picture(&seat.desk(), seat.call.realm.code(), picture, Some((stored, made.octets))).await {
        Ok(_) => Ok(page::see(&format!("{}?done=picture", seat.path("branding")))),
        Err(Unsaved::Wrong(wrong)) => {
            refused(&seat, picture, &wrong.into_iter().map(|fault| fault.words).collect::<Vec<_>>().join("; "))
        }
        Err(unsaved) => not_done(&seat, unsaved),
    }
}

fn stored_page(seat: &Seat) -> BrandingPage {
    let values = stored(seat);
    branding_page(seat, &values, &tag(&values))
}

fn refused(seat: &Seat, picture: Picture, words: &str) -> Answer {
    let mut page = stored_page(seat);
    page.shell = page.shell.with_faults(vec![FieldFault::new(
        format!("file-{}", picture.id()),
        format!("{}: the picture {words}.", picture.title()),
    )]);
    page::page(&page)
}

/// The page with the reason why nothing was changed.
fn not_done(seat: &Seat, unsaved: Unsaved) -> Answer {
    let mut page = stored_page(seat);
    page.shell = page.shell.refusing(unsaved)?;
    page::page(&page)
}

/// The page that asks before a picture goes.
fn ask_first(seat: &Seat, picture: Picture, form: &Form) -> Answer {
    let id = picture.id();
    let lines = vec![
        "The pages of logins and the portal do without it from then on.".to_owned(),
        format!("The {id} is not kept: to have it back, its file must be sent again."),
    ];
    let shell = Shell::titled(seat, Module::Branding, &format!("Remove the {id}?"));
    let places = (seat.path(&format!("branding/pictures/{id}/remove")), seat.path("branding"));
    sure::ask(shell, form, (lines, "Yes, remove"), places)
}

/// `POST …/operator/branding/pictures/{picture}/remove`.
async fn remove(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let picture = named(&path)?;
    let there = seat.call.realm.config.settings.branding.pictures.contains_key(&picture);
    if there && !sure::said(&form) {
        return ask_first(&seat, picture, &form);
    }
    match set_picture(&seat.desk(), seat.call.realm.code(), picture, None).await {
        Ok(_) => Ok(page::see(&format!("{}?done=removed", seat.path("branding")))),
        Err(unsaved) => not_done(&seat, unsaved),
    }
}
