//! U22: the page of a link in a self-enrollment mail (A9). Nobody logs in here.
//!
//! The link's secret stands behind the `#` and is sent by the button: no log has it, and a mail scanner that fetches the
//! page learns nothing and uses nothing up (T-29). Without scripts the person copies it from the mail.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::login::{mailed, view};
use crate::domain::ids::LinkId;
use crate::domain::login::complaint::Complaint;
use crate::flow;
use crate::flow::mailed::Opened;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, form, head, logins, page};

#[derive(Template)]
#[template(path = "enroll.html")]
struct EnrollPage {
    frame: Frame,
    action: String,
    complaint: String,
}

impl EnrollPage {
    fn progress(&self) -> page::Marked {
        self.frame.v2("step-of", ("step", &1), ("steps", &4))
    }
}

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/enroll/{link}", head::readable().to(ask)).route("/enroll/{link}", web::post().to(open));
}

fn link(path: web::Path<(String, String)>) -> Result<LinkId, Fault> {
    path.into_inner().1.parse().map_err(|_| Fault::NotFound)
}

/// `GET`: the same page for every link, whether or not there is one: nothing is looked up.
async fn ask(call: Call, path: web::Path<(String, String)>) -> Answer {
    show(&call, link(path)?, String::new())
}

/// `POST`: opens the link.
async fn open(call: Call, path: web::Path<(String, String)>, request: HttpRequest, form: Form) -> Answer {
    let link = link(path)?;
    form.check(&call.site, &[b"enroll", &call.realm.tenant().to_bytes(), &link.to_bytes()])?;
    let code = form.text("code");
    if code.trim().is_empty() {
        return show(&call, link, text(&call, "enroll-code-empty"));
    }
    let (site, realm) = (&call.site, &call.realm);
    match flow::mailed::open(&site.house, realm, &call.visit, link, code).await? {
        Opened::Wrong => show(&call, link, text(&call, "enroll-code-wrong")),
        Opened::Wait { seconds } => show(&call, link, view::words(&call, Complaint::Wait { seconds })),
        Opened::Closed(closed) => mailed::closed(&call, closed),
        Opened::Begun(begun) => logins::to_desk(&call, &request, &begun),
    }
}

fn text(call: &Call, key: &str) -> String {
    call.texts().plain(call.language, key, &[])
}

fn show(call: &Call, link: LinkId, complaint: String) -> Answer {
    let csrf = form::token(&call.site, &[b"enroll", &call.realm.tenant().to_bytes(), &link.to_bytes()]);
    let frame = Frame::of(call, "enroll-title").with_csrf(csrf);
    page::page(&EnrollPage { action: call.path.clone(), frame, complaint })
}
