//! The page that asks once more before something that cannot be undone: what will happen, "yes", and "back".

use askama::Template;

use super::shell::Shell;
use crate::http::{Answer, Form, page};

#[derive(Template)]
#[template(path = "operator/sure.html")]
struct SurePage {
    shell: Shell,
    /// What will happen.
    lines: Vec<String>,
    /// The words of the button that says yes.
    yes: &'static str,
    /// Where it is done.
    address: String,
    /// Where "back" leads.
    back: String,
    /// The form as it was sent.
    fields: Vec<(String, String)>,
}

/// Whether the form comes from the page that asks.
pub fn said(form: &Form) -> bool {
    form.text("sure") == "yes"
}

/// The page that asks, titled by the question in `shell`; the form is sent to `address` once more from it.
pub fn ask(
    shell: Shell,
    form: &Form,
    (lines, yes): (Vec<String>, &'static str),
    (address, back): (String, String),
) -> Answer {
    let sent = form.fields().filter(|(name, _)| *name != "sure");
    let fields = sent.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    page::page(&SurePage { shell, lines, yes, address, back, fields })
}
