//! The demo's inbox: the mails that were sent, for whoever has no mail server at hand.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::smtp::Mailbox;

#[derive(Template)]
#[template(path = "demo/inbox.html")]
struct InboxPage {
    mails: Vec<Shown>,
}

struct Shown {
    to: String,
    subject: String,
    code: String,
    text: String,
}

/// `GET /inbox`: newest first.
pub(super) async fn show(mailbox: web::Data<Mailbox>) -> HttpResponse {
    let all = mailbox.all();
    let mails = all.iter().rev().map(|mail| Shown {
        to: mail.to.clone(),
        subject: mail.subject(),
        code: mail.code().unwrap_or_default(),
        text: mail.text(),
    });
    super::html(&InboxPage { mails: mails.collect() })
}
