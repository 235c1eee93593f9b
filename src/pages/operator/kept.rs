//! What somebody has typed into a form, kept while a fresh passcode is asked for.
//!
//! It travels in the address of the page that the login leads back to, where it fills in the form again; nothing is done by it.
//! It is sealed for the operator who typed it: with a link of one's own making one could otherwise fill in a form for a stronger
//! operator, who would only have to send it (T-57). None of the fields may be a secret.

use actix_web::{HttpRequest, HttpResponse};

use super::shell::Shell;
use super::{step_up, wanted};
use crate::http::guard::Seat;
use crate::http::{Fault, Form, form};

/// The longest address, in octets: servers in front of us do not take headers of any length. What would be longer is not kept.
const LONGEST: usize = 2500;
/// Stands between the fields and their seal.
const SEAL: &str = "&seal=";

/// As [`step_up`], with the fields `names` of the form on the page that the login leads back to.
///
/// # Errors
/// As beginning a login.
pub async fn step_up_with(
    seat: &Seat,
    request: &HttpRequest,
    page: &str,
    (sent, names): (&Form, &[&str]),
) -> Result<Option<HttpResponse>, Fault> {
    let fields = sent.fields().filter(|(name, _)| names.contains(name));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let address = format!("{page}?{query}");
    let purpose = purpose(seat, &address);
    let seal = form::token(&seat.call.site, &purpose.each_ref().map(Vec::as_slice));
    let whole = format!("{address}{SEAL}{seal}");
    step_up(seat, request, if whole.len() > LONGEST { page } else { &whole }).await
}

/// The form as it was sent before the passcode was asked for, if the page is the one that the login leads back to.
#[must_use]
pub fn form_of(seat: &Seat, request: &HttpRequest) -> Option<Form> {
    let page = wanted(request, LONGEST + 100);
    let (address, rest) = page.split_once(SEAL)?;
    let seal = rest.split('&').next().unwrap_or_default().to_owned();
    let purpose = purpose(seat, address);
    let sealed = Form::of(vec![("csrf".to_owned(), seal)]);
    sealed.check(&seat.call.site, &purpose.each_ref().map(Vec::as_slice)).ok()?;
    let (_, fields) = address.split_once('?')?;
    Some(Form::parse(fields.as_bytes()))
}

/// The shell that says that the form is as it was, if it was kept.
#[must_use]
pub fn told(shell: Shell, kept: Option<&Form>) -> Shell {
    match kept {
        Some(_) => {
            shell.with_complaint("Thank you. Nothing was done yet: what you typed is below, please send it once more.")
        }
        None => shell,
    }
}

fn purpose(seat: &Seat, address: &str) -> [Vec<u8>; 4] {
    let (tenant, user) = (seat.call.realm.tenant().to_bytes(), seat.seated.operator.user.to_bytes());
    [b"kept form".to_vec(), tenant.to_vec(), user.to_vec(), address.as_bytes().to_vec()]
}
