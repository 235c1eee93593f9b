//! Texts of the virtual server's own: mails, and single texts of pages.

use actix_web::http::Method;
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};

use super::io::{Body, Page, Query, done, if_match, ok, versioned};
use super::problem::{FieldProblem, Problem};
use super::{Answer, Api};
use crate::domain::message::{Slot, Words};
use crate::domain::operator::{Deed, Module};
use crate::domain::preflight::Light;
use crate::flow::administration::messages as texts;
use crate::flow::preflight;
use crate::http::Look;
use crate::http::guard::Program;
use crate::i18n::{self, Language, slot_names};
use crate::mail::render::{self, sample};

/// A tag that a text may have.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct TagView {
    /// It is written in braces.
    tag: String,
    /// What it stands for; empty where its name says it.
    means: String,
}

/// A text.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Message")]
struct MessageView {
    /// `mail.<kind>` or `page.<key>`.
    name: String,
    /// The tag of the language.
    language: &'static str,
    /// Whether it is in own words.
    own: bool,
    /// The subject that is used; empty for texts of pages.
    subject: String,
    /// The text that is used.
    body: String,
    /// The tags that it may have: not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    tags: Vec<TagView>,
}

/// Own words.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct MessageDraft {
    /// The subject of a mail, one line; absent for texts of pages.
    #[serde(default)]
    #[schemars(length(max = 150))]
    subject: String,
    /// The mail, with an empty line between paragraphs; or the text of a page, one line.
    #[schemars(length(min = 1, max = 8000))]
    body: String,
}

impl MessageDraft {
    fn words(self) -> Words {
        Words { subject: self.subject, body: self.body }
    }
}

/// A mail to try.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Trial {
    /// Where it goes.
    #[schemars(length(min = 3, max = 254))]
    to: String,
    /// What it says; what is stored, if it is absent.
    words: Option<MessageDraft>,
}

/// What the mail server said to it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Tried {
    /// Whether it took the mail.
    taken: bool,
    /// Its answer.
    answer: String,
}

/// A mail as it would be, with made-up values.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct PreviewView {
    /// The subject.
    subject: String,
    /// The plain text.
    text: String,
    /// The same in HTML.
    html: String,
}

/// What the list is narrowed by.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The tag of the language; that of the virtual server, if it is not said.
    language: Option<String>,
    /// `true`: only those in own words.
    #[serde(default)]
    own: bool,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many there are on a page, 1 to 200; 50 if it is not said.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Messages.needs(deed);
    api.get("messages", needs(Deed::Access), "Mails and texts of pages in a language", list)
        .query::<Search>()
        .gives::<Page<MessageView>>(200);
    let path = "messages/{language}/{name}";
    api.get(path, needs(Deed::Access), "A text, with the tags that it may have", show)
        .gives::<MessageView>(200)
        .versioned();
    api.route(Method::PUT, path, needs(Deed::Edit), "Give a text own words", put)
        .takes::<MessageDraft>()
        .gives::<MessageView>(200)
        .versioned();
    api.route(Method::DELETE, path, needs(Deed::Edit), "Use our words again", remove).gives_nothing().versioned();
    let summary = "How a mail would look with these words; nothing is stored";
    api.route(Method::POST, "messages/{language}/{name}/preview", needs(Deed::Access), summary, preview)
        .takes::<MessageDraft>()
        .gives::<PreviewView>(200);
    let summary = "Send a mail with made-up values to an address, to try it";
    api.route(Method::POST, "messages/{language}/{name}/test", needs(Deed::Edit), summary, test)
        .takes::<Trial>()
        .gives::<Tried>(200);
}

fn view(program: &Program, language: Language, slot: &Slot, whole: bool) -> MessageView {
    let (site, config) = (&program.call.site, &program.call.realm.config);
    let own = config.messages.get(language.tag(), &slot.name).map(|message| message.words.clone());
    let is_own = own.is_some();
    let words = own.unwrap_or_else(|| render::ours_for(&site.texts, &site.urls, slot, language));
    let tags =
        slot.tags.iter().filter(|_| whole).map(|(tag, means)| TagView { tag: tag.clone(), means: means.clone() });
    MessageView {
        name: slot.name.clone(),
        language: language.tag(),
        own: is_own,
        subject: words.subject,
        body: words.body,
        tags: tags.collect(),
    }
}

async fn list(program: Program, Query(search): Query<Search>) -> Answer {
    let config = &program.call.realm.config;
    let paging = super::io::Paging { after: search.after, limit: search.limit };
    let limit = usize::from(paging.limit()?);
    let language = match &search.language {
        Some(tag) => {
            exactly(tag).ok_or_else(|| Problem::new(400, "malformed", "language is not a language of ours"))?
        }
        None => Language::of_tag(&config.tenant.default_language).unwrap_or(Language::English),
    };
    let mut slots: Vec<Slot> = slot_names()
        .filter(|name| !search.own || config.messages.get(language.tag(), name).is_some())
        .filter_map(|name| i18n::slot(&name))
        .collect();
    if let Some(after) = &paging.after {
        let at = slots.iter().position(|slot| slot.name == *after);
        let at = at.ok_or_else(|| Problem::new(400, "malformed", "after is not the next of a page"))?;
        slots.drain(..=at);
    }
    let more = slots.len() > limit;
    slots.truncate(limit);
    let next = slots.last().filter(|_| more).map(|slot| slot.name.clone());
    Ok(ok(&Page { items: slots.iter().map(|slot| view(&program, language, slot, false)).collect(), next }))
}

fn exactly(tag: &str) -> Option<Language> {
    Language::ALL.into_iter().find(|language| language.tag() == tag)
}

type Place = web::Path<(String, String, String)>;

/// The language and the slot of an address.
fn slot(path: &(String, String, String)) -> Result<(Language, Slot), Problem> {
    let language = exactly(&path.1).ok_or_else(Problem::not_found)?;
    Ok((language, i18n::slot(&path.2).ok_or_else(Problem::not_found)?))
}

async fn show(program: Program, path: Place) -> Answer {
    let (language, slot) = slot(&path)?;
    let message = program.call.realm.config.messages.get(language.tag(), &slot.name);
    Ok(versioned(message.map_or(0, |message| message.version), &view(&program, language, &slot, true)))
}

async fn put(program: Program, path: Place, request: HttpRequest, Body(draft): Body<MessageDraft>) -> Answer {
    let (language, slot) = slot(&path)?;
    let read = if_match(&request)?;
    let code = program.call.realm.code();
    let message = texts::set(&program.desk(), code, (&slot, language.tag()), read, &draft.words()).await?;
    let view = MessageView {
        own: true,
        subject: message.words.subject,
        body: message.words.body,
        ..view(&program, language, &slot, true)
    };
    Ok(versioned(message.version, &view))
}

async fn remove(program: Program, path: Place, request: HttpRequest) -> Answer {
    let (language, slot) = slot(&path)?;
    let read = if_match(&request)?;
    texts::restore(&program.desk(), program.call.realm.code(), language.tag(), &slot.name, read).await?;
    Ok(done())
}

/// The mail with these words; a text of a page has none.
fn written(program: &Program, path: &Place, draft: Option<MessageDraft>) -> Result<render::Rendered, Problem> {
    let (language, slot) = slot(path)?;
    let kind = slot.kind().ok_or_else(|| Problem::new(409, "never", "only mails can be sent"))?;
    let (site, config) = (&program.call.site, &program.call.realm.config);
    let words = match draft {
        Some(draft) => Some(draft.words().tidied()),
        None => config.messages.get(language.tag(), &slot.name).map(|message| message.words.clone()),
    };
    let faults = words.as_ref().map(|words| slot.faults(words)).unwrap_or_default();
    if !faults.is_empty() {
        let told = faults.into_iter().map(|fault| FieldProblem { field: fault.key, message: fault.words });
        return Err(Problem::invalid(told.collect()));
    }
    let values = sample::plausible(&config.tenant.name, &config.settings.help_contact);
    Ok(render::preview(&site.texts, &site.urls, (kind, language), &values, words.as_ref()).1)
}

async fn preview(program: Program, path: Place, Body(draft): Body<MessageDraft>) -> Answer {
    let render::Rendered { subject, text, html, .. } = written(&program, &path, Some(draft))?;
    Ok(ok(&PreviewView { subject, text, html }))
}

async fn test(program: Program, path: Place, Body(trial): Body<Trial>) -> Answer {
    let letter = written(&program, &path, trial.words)?;
    let look = Look::TestMail { to: trial.to.clone(), letter: Some(letter) };
    let found = program.call.site.look(look).await.into_iter().next();
    let tenant = program.call.realm.tenant();
    preflight::mail_tested(&program.desk(), tenant, &trial.to, found.as_ref()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(ok(&Tried { taken: found.light == Light::Green, answer: found.found }))
}
