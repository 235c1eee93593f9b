//! What every page of the console shows around its own content.

use super::menu::{MenuPart, menu};
use super::saved::{self, Question};
use crate::domain::operator::Module;
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::configuration::Unsaved;
use crate::http::Fault;
use crate::http::guard::Seat;
use crate::http::page::Frame;

/// What is wrong with a field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// The identifier of the field.
    pub field: String,
    /// What is wrong, and what is right.
    pub message: String,
}

impl FieldFault {
    /// What is wrong with `field`.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// What is said after a login that a form had to wait for.
const NOTHING_DONE: &str = "Thank you. Nothing was done yet: please choose it once more.";

/// The frame of a page of the console.
#[derive(Debug)]
pub struct Shell {
    /// What the page is about.
    pub module: Module,
    /// Title, organization, files.
    pub frame: Frame,
    /// The menu.
    pub menu: Vec<MenuPart>,
    /// The address of the console, with a slash at its end.
    pub home: String,
    /// The operator.
    pub username: String,
    /// The name of the operator's role.
    pub role: String,
    /// The hidden field of forms.
    pub csrf: String,
    /// What was done, where something was.
    pub good: String,
    /// What could not be done.
    pub complaint: String,
    /// What is wrong with which field.
    pub faults: Vec<FieldFault>,
    /// Whether the fields only ask what is shown, so that nothing could have been changed.
    pub asks_only: bool,
    /// What must be said once more before it is done.
    pub question: Question,
}

impl Shell {
    /// The frame of a page of `module`, titled by it.
    #[must_use]
    pub fn of(seat: &Seat, module: Module) -> Self {
        Self::titled(seat, module, module.title())
    }

    /// The frame of a page of `module` with a title of its own.
    #[must_use]
    pub fn titled(seat: &Seat, module: Module, title: &str) -> Self {
        let config = &seat.call.realm.config;
        Self {
            module,
            frame: Frame::of_console(&seat.call, title),
            menu: menu(&seat.seated.permissions, module),
            home: seat.path(""),
            username: seat.seated.operator.username.clone(),
            role: config.role_name(seat.seated.operator.role).to_owned(),
            csrf: seat.csrf(),
            good: String::new(),
            complaint: if seat.after_login { NOTHING_DONE.to_owned() } else { String::new() },
            faults: Vec::new(),
            asks_only: false,
            question: Question::default(),
        }
    }

    /// With what was done: the words that belong to the `done` of the address, so that a reload says it again and nobody can
    /// write other words into a link.
    #[must_use]
    pub fn with_done(mut self, query: &str, words: &[(&str, &str)]) -> Self {
        let asked = form_urlencoded::parse(query.as_bytes());
        for (name, value) in asked {
            if name == "done"
                && let Some((_, text)) = words.iter().find(|(word, _)| *word == value)
            {
                (*text).clone_into(&mut self.good);
            }
        }
        self
    }

    /// With what could not be done.
    #[must_use]
    pub fn with_complaint(self, complaint: impl Into<String>) -> Self {
        Self { complaint: complaint.into(), ..self }
    }

    /// With what is wrong with which field.
    #[must_use]
    pub fn with_faults(self, faults: Vec<FieldFault>) -> Self {
        Self { faults, ..self }
    }

    /// With what is wrong with which field of a question, such as a filter.
    #[must_use]
    pub fn with_wrong_question(self, faults: Vec<FieldFault>) -> Self {
        Self { faults, asks_only: true, ..self }
    }

    /// With why nothing was stored, and what is to be answered before it is.
    ///
    /// # Errors
    /// [`Fault::NotFound`] if the thing is gone; what the database says.
    pub fn refusing(self, unsaved: Unsaved) -> Result<Self, Fault> {
        let (shell, question) = saved::refused(self, unsaved)?;
        Ok(Self { question, ..shell })
    }

    /// What is wrong with a field; empty if nothing is.
    #[must_use]
    pub fn fault(&self, field: &str) -> &str {
        self.faults.iter().find(|fault| fault.field == field).map_or("", |fault| fault.message.as_str())
    }
}

/// A time for tables: to the second, in UTC, with its zone.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let text = at.rfc3339();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", rest.get(..8).unwrap_or(rest))
}

/// A time for tables; a dash where there is none.
#[must_use]
pub fn time_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), time)
}
