//! U10 and U11 as one page: where shall the authenticator live?

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::domain::policy::platform::{Place, Platform};
use crate::flow::case::Case;
use crate::flow::enrollment;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};

#[derive(Template)]
#[template(path = "login/platform.html")]
struct Page {
    frame: Frame,
    login: Login,
    phones: Vec<Platform>,
    computers: Vec<Platform>,
    /// The platform of the device in front of the person, if the browser tells.
    here: Option<Platform>,
}

impl Page {
    fn is_here(&self, platform: &Platform) -> bool {
        self.here == Some(*platform)
    }
}

/// The page: allowed platforms only.
pub fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let allowed = case.platforms(&call.realm);
    let (phones, computers) = allowed.into_iter().partition(|platform| platform.place() == Place::Phone);
    let login = Login::of(call, case, "platform-title", 2, complaint);
    let here = Platform::of_user_agent(&call.visit.user_agent);
    page::page(&Page { frame: login.frame.clone(), login, phones, computers, here })
}

/// `POST …/platform`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let name = form.text("platform");
    let posted = enrollment::choose_platform(&call.site.house, &call.realm, &call.visit, &call.browser, id, name).await;
    view::answer(&mut call, id, posted).await
}

/// `POST …/change-platform`.
pub async fn change(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let posted = enrollment::change_platform(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::answer(&mut call, id, posted).await
}
