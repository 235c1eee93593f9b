//! Texts of the virtual server's own: mails as a whole and single texts of pages, per language, with a preview and a mail to try
//!

use actix_web::{HttpRequest, web};
use askama::Template;

use super::saved::faults;
use super::shell::Shell;
use super::sure;
use crate::domain::letter::Written;
use crate::domain::message::{MailKind, Slot, Words, filled, mail};
use crate::domain::operator::{Deed, Module};
use crate::domain::preflight::Light;
use crate::flow::administration::configuration::Unsaved;
use crate::flow::administration::messages::{restore, set};
use crate::flow::preflight;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, Look, page};
use crate::i18n::{self, Language, slot_names};
use crate::mail::render::{self, Block, sample};

/// How many texts stand on a page.
const ON_A_PAGE: usize = 50;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Messages.needs(deed);
    table.get("messages", needs(Deed::Access), list);
    table.get("messages/{language}/{name}", needs(Deed::Access), show);
    table.post("messages/{language}/{name}", needs(Deed::Edit), save);
    table.post("messages/{language}/{name}/restore", needs(Deed::Edit), take_back);
}

const DONE: [(&str, &str); 2] =
    [("saved", "Saved. It is used from now on."), ("restored", "Our own text is used again.")];

struct LanguageOption {
    tag: &'static str,
    name: &'static str,
    chosen: bool,
}

fn languages(chosen: Language) -> Vec<LanguageOption> {
    let option = |language: Language| LanguageOption {
        tag: language.tag(),
        name: language.own_name(),
        chosen: language == chosen,
    };
    Language::ALL.map(option).into()
}

struct Entry {
    name: String,
    title: String,
    /// The beginning of the text that is used.
    text: String,
    own: bool,
}

#[derive(Template)]
#[template(path = "operator/messages.html")]
struct MessagesPage {
    shell: Shell,
    languages: Vec<LanguageOption>,
    language: &'static str,
    search: String,
    /// `mail`, `page` or empty.
    kind: String,
    own_only: bool,
    entries: Vec<Entry>,
    next: String,
}

fn title(name: &str) -> String {
    let kind = name.strip_prefix("mail.").and_then(mail);
    kind.map_or_else(|| name.trim_start_matches("page.").to_owned(), |kind| format!("Mail: {}", kind.title))
}

/// Our own words for a slot.
fn ours(seat: &Seat, language: Language, slot: &Slot) -> Words {
    render::ours_for(&seat.call.site.texts, &seat.call.site.urls, slot, language)
}

/// `GET …/operator/messages?language=de&kind=mail&search=…&own=yes&after=…`
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let config = &seat.call.realm.config;
    let asked = Form::parse(request.query_string().as_bytes());
    let of_tenant = Language::of_tag(&config.tenant.default_language).unwrap_or(Language::English);
    let language = Language::of_tag(asked.text("language")).unwrap_or(of_tenant);
    let (search, kind, own_only) = (asked.text("search").trim(), asked.text("kind"), asked.has("own"));
    let wanted = search.to_lowercase();
    let after = asked.text("after");
    let mut names = slot_names().skip_while(|name| !after.is_empty() && name != after).peekable();
    if !after.is_empty() {
        names.next();
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut next = String::new();
    for name in names {
        if !kind.is_empty() && !name.starts_with(&format!("{kind}.")) {
            continue;
        }
        let Some(slot) = i18n::slot(&name) else { continue };
        let (own, words) = match config.messages.get(language.tag(), &name) {
            Some(message) => (true, message.words.clone()),
            None => (false, ours(&seat, language, &slot)),
        };
        let text = if words.subject.is_empty() { words.body } else { words.subject };
        let title = title(&name);
        let found = [&name, &title, &text].into_iter().any(|text| text.to_lowercase().contains(&wanted));
        if !found || (own_only && !own) {
            continue;
        }
        if entries.len() == ON_A_PAGE {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("language", language.tag()).append_pair("kind", kind).append_pair("search", search);
            if own_only {
                query.append_pair("own", "yes");
            }
            next = query.append_pair("after", entries.last().map_or("", |last| last.name.as_str())).finish();
            break;
        }
        let text: String = text.chars().take(160).collect();
        entries.push(Entry { name, title, text, own });
    }
    page::page(&MessagesPage {
        shell: Shell::of(&seat, Module::Messages).with_done(request.query_string(), &DONE),
        languages: languages(language),
        language: language.tag(),
        search: search.to_owned(),
        kind: kind.to_owned(),
        own_only,
        entries,
        next,
    })
}

/// A mail as it would look.
struct Preview {
    subject: String,
    blocks: Vec<Block>,
    footer: String,
}

#[derive(Template)]
#[template(path = "operator/message.html")]
struct MessagePage {
    shell: Shell,
    language: &'static str,
    language_name: &'static str,
    name: String,
    sent: &'static str,
    is_mail: bool,
    words: Words,
    read: i64,
    own: bool,
    tags: Vec<(String, String)>,
    needs: String,
    ours: Words,
    preview: Option<Preview>,
    /// The text of a page with values.
    filled: String,
    address: String,
    /// What the mail server said to a mail to try.
    answer: Option<(bool, String)>,
    may_edit: bool,
}

/// The language and the slot of an address.
fn slot(path: &(String, String, String)) -> Result<(Language, Slot), Fault> {
    let (_, language, name) = path;
    let language = Language::ALL.into_iter().find(|known| known.tag() == language).ok_or(Fault::NotFound)?;
    Ok((language, i18n::slot(name).ok_or(Fault::NotFound)?))
}

fn written(seat: &Seat, (kind, language): (&MailKind, Language), words: &Words) -> (render::Sheet, Written) {
    let (site, config) = (&seat.call.site, &seat.call.realm.config);
    let values = sample::plausible(&config.tenant.name, &config.settings.help_contact);
    render::preview(&site.texts, &site.urls, (kind, language), &values, Some(&words.tidied()))
}

fn message_page(
    seat: &Seat,
    (language, slot): (Language, &Slot),
    typed: Option<Words>,
    read: Option<i64>,
) -> MessagePage {
    let config = &seat.call.realm.config;
    let message = config.messages.get(language.tag(), &slot.name);
    let (ours, kind) = (ours(seat, language, slot), slot.kind());
    let words = typed.or_else(|| message.map(|message| message.words.clone())).unwrap_or_else(|| ours.clone());
    let good = slot.faults(&words.tidied()).is_empty();
    let preview = kind.filter(|_| good).map(|kind| {
        let (sheet, written) = written(seat, (kind, language), &words);
        Preview { subject: written.subject, blocks: sheet.blocks, footer: sheet.footer }
    });
    let example = |tag: &str| Some(format!("‹{tag}›"));
    MessagePage {
        shell: Shell::titled(seat, Module::Messages, &title(&slot.name)),
        language: language.tag(),
        language_name: language.own_name(),
        name: slot.name.clone(),
        sent: kind.map_or("", |kind| kind.sent),
        is_mail: slot.is_mail,
        filled: if slot.is_mail { String::new() } else { filled(&words.body, example) },
        words,
        read: read.unwrap_or_else(|| message.map_or(0, |message| message.version)),
        own: message.is_some(),
        tags: slot.tags.clone(),
        needs: slot.needs.map(|(tag, why)| format!("{{{tag}}} must be there: {why}.")).unwrap_or_default(),
        ours,
        preview,
        address: String::new(),
        answer: None,
        may_edit: seat.may(Module::Messages, Deed::Edit),
    }
}

/// `GET …/operator/messages/{language}/{name}`.
async fn show(seat: Seat, path: web::Path<(String, String, String)>, request: HttpRequest) -> Answer {
    let (language, slot) = slot(&path)?;
    let mut page = message_page(&seat, (language, &slot), None, None);
    page.shell = page.shell.with_done(request.query_string(), &DONE);
    page::page(&page)
}

/// `POST …/operator/messages/{language}/{name}`: stores it, or shows it, or sends it to somebody to try.
async fn save(seat: Seat, path: web::Path<(String, String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (language, slot) = slot(&path)?;
    let words = Words { subject: form.text("subject").to_owned(), body: form.text("body").to_owned() };
    let read = form.text("read").parse().map_err(|_| Fault::NotAForm)?;
    let mut again = message_page(&seat, (language, &slot), Some(words.clone()), Some(read));
    form.text("address").trim().clone_into(&mut again.address);
    let wrong = slot.faults(&words.tidied());
    if form.has("look") || (form.has("try") && !wrong.is_empty()) {
        again.shell = again.shell.with_faults(faults(Module::Messages, &wrong));
        return page::page(&again);
    }
    if let Some(kind) = slot.kind().filter(|_| form.has("try")) {
        let (_, letter) = written(&seat, (kind, language), &words);
        let look = Look::TestMail { to: again.address.clone(), letter: Some(letter) };
        let found = seat.call.site.look(look).await.into_iter().next();
        preflight::mail_tested(&seat.desk(), seat.call.realm.tenant(), &again.address, found.as_ref()).await?;
        again.answer = found.map(|found| {
            let words = [Some(found.found), found.to_do].into_iter().flatten().collect::<Vec<_>>().join("; ");
            (found.light == Light::Green, words)
        });
        return page::page(&again);
    }
    match set(&seat.desk(), seat.call.realm.code(), (&slot, language.tag()), read, &words).await {
        Ok(_) => Ok(page::see(&format!("{}?done=saved", seat.path(&format!("messages/{language}/{}", slot.name))))),
        Err(unsaved) => {
            again.shell = again.shell.refusing(unsaved)?;
            page::page(&again)
        }
    }
}

/// The page that asks before own words go.
fn ask_first(seat: &Seat, (language, slot): (Language, &Slot), form: &Form) -> Answer {
    let lines = vec![
        format!("Our words are used from then on, in {}. Other languages stay as they are.", language.own_name()),
        "Your own words are not kept: to have them back, they must be typed again.".to_owned(),
    ];
    let shell = Shell::titled(seat, Module::Messages, &format!("Use our words again for {}?", title(&slot.name)));
    let page = seat.path(&format!("messages/{}/{}", language.tag(), slot.name));
    sure::ask(shell, form, (lines, "Yes, use ours"), (format!("{page}/restore"), page))
}

/// `POST …/operator/messages/{language}/{name}/restore`.
async fn take_back(seat: Seat, path: web::Path<(String, String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (language, slot) = slot(&path)?;
    let read = form.text("read").parse().map_err(|_| Fault::NotAForm)?;
    let own = seat.call.realm.config.messages.get(language.tag(), &slot.name).is_some();
    if own && !sure::said(&form) {
        return ask_first(&seat, (language, &slot), &form);
    }
    let address = seat.path(&format!("messages/{language}/{}", slot.name));
    match restore(&seat.desk(), seat.call.realm.code(), language.tag(), &slot.name, read).await {
        // Whoever restores twice has what they want.
        Ok(()) | Err(Unsaved::Gone) => Ok(page::see(&format!("{address}?done=restored"))),
        Err(unsaved) => {
            let mut again = message_page(&seat, (language, &slot), None, None);
            again.shell = again.shell.refusing(unsaved)?;
            page::page(&again)
        }
    }
}
