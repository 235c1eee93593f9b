//! The ends of an enrollment that a mail began: it is done, or the link does not work (U16, U22).

use askama::Template;

use super::view;
use crate::domain::login::outcome::Ending;
use crate::domain::login::step::Step;
use crate::domain::reservation::{Closed, Reservation};
use crate::flow::case::Case;
use crate::flow::mailed;
use crate::http::page::Frame;
use crate::http::{Answer, Call, page};

#[derive(Template)]
#[template(path = "login/mailed.html")]
struct Page {
    frame: Frame,
    text: String,
    /// Of the authenticator that came of it; empty if none did.
    serial: String,
    done: bool,
    portal: String,
}

impl Page {
    fn progress(&self) -> page::Marked {
        self.frame.v2("step-of", ("step", &4), ("steps", &4))
    }
}

/// Whether nothing can be done any more at this step.
pub const fn is_an_end(step: Step) -> bool {
    matches!(
        step,
        Step::Refused(_) | Step::LinkClosed(_) | Step::Expired | Step::Ended(_) | Step::Answered | Step::Granted
    )
}

/// The page for the end that `case` has come to.
pub async fn page(call: &Call, case: &Case, place: &Reservation) -> Answer {
    let (title, text) = match case.step {
        Step::Ended(Ending::Enrolled) => return done(call, case, place).await,
        Step::LinkClosed(closed) => return self::closed(call, closed),
        Step::Refused(_) => ("enroll-closed-title", "enroll-closed-account"),
        Step::Ended(Ending::AccountChanged) => ("enroll-cancelled-title", "enroll-changed-text"),
        Step::Ended(_) => ("enroll-cancelled-title", "enroll-cancelled-text"),
        _ => ("enroll-cancelled-title", "enroll-expired-text"),
    };
    let frame = Frame::of(call, title);
    let time = view::time(&frame, place.stop_at);
    let text = frame.texts().plain(frame.language, text, &[("time", time.into())]);
    show(call, frame, text, None)
}

/// The page of a link that does not work.
pub fn closed(call: &Call, closed: Closed) -> Answer {
    let frame = Frame::of(call, "enroll-closed-title");
    let text = frame.plain(format!("enroll-closed-{}", closed.id()));
    show(call, frame, text, None)
}

async fn done(call: &Call, case: &Case, place: &Reservation) -> Answer {
    let frame = Frame::of(call, "enroll-done-title").at(crate::urls::desk_path(call.realm.code(), case.login().id));
    let found = mailed::outcome(&call.site.house, &call.realm, place).await?;
    let (name, serial) = found.unwrap_or_default();
    let text = if name.is_empty() {
        frame.plain("enroll-done-app")
    } else {
        frame.texts().plain(frame.language, "enroll-done-named", &[("name", name.into())])
    };
    show(call, frame, text, Some(serial))
}

fn show(call: &Call, frame: Frame, text: String, serial: Option<String>) -> Answer {
    let portal = call.site.urls.portal(call.realm.code());
    page::page(&Page { frame, text, done: serial.is_some(), serial: serial.unwrap_or_default(), portal })
}
