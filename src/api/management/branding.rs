//! The pictures of the pages. Title and colours are the section `branding` of the settings.

use actix_web::http::Method;
use actix_web::web;
use serde::Serialize;

use super::io::{done, ok};
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::branding::{Picture, Stored};
use crate::domain::operator::{Deed, Module};
use crate::exchange::picture;
use crate::flow::administration::branding::set_picture;
use crate::http::brand;
use crate::http::guard::Program;
use crate::http::upload;

/// A picture that is used.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Picture")]
struct PictureView {
    /// `logo`, `banner` or `background`.
    name: &'static str,
    /// Where everybody gets it.
    path: String,
    /// `image/png` or `image/jpeg`: what it was made into.
    kind: String,
    /// In pixels.
    width: u32,
    /// In pixels.
    height: u32,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Branding.needs(deed);
    api.get("branding/pictures", needs(Deed::Access), "The pictures of the pages", list).gives::<Vec<PictureView>>(200);
    for picture in Picture::ALL {
        let path = format!("branding/pictures/{}", picture.id());
        api.route(
            Method::PUT,
            &path,
            needs(Deed::Edit),
            "Set a picture: a JPEG, PNG or GIF file, which is made anew of its pixels",
            put,
        )
        .takes_text("application/octet-stream")
        .gives::<PictureView>(200);
        api.route(Method::DELETE, &path, needs(Deed::Edit), "Take a picture away", remove).gives_nothing();
    }
}

fn view(program: &Program, picture: Picture, stored: &Stored) -> PictureView {
    let path = crate::urls::branding_path(program.call.realm.code(), &stored.digest, picture.id());
    let Stored { kind, width, height, .. } = stored.clone();
    PictureView { name: picture.id(), path, kind, width, height }
}

async fn list(program: Program) -> Answer {
    let pictures = &program.call.realm.config.settings.branding.pictures;
    Ok(ok(&pictures.iter().map(|(picture, stored)| view(&program, *picture, stored)).collect::<Vec<_>>()))
}

/// The picture that the address names: its last step.
fn named(request: &actix_web::HttpRequest) -> Result<Picture, Problem> {
    request.path().rsplit('/').next().and_then(Picture::named).ok_or_else(Problem::not_found)
}

async fn put(program: Program, request: actix_web::HttpRequest, body: web::Payload) -> Answer {
    let picture = named(&request)?;
    let file = upload::whole(body).await?;
    let made = web::block(move || picture::made(picture, &file)).await;
    let made = made.map_err(|error| Problem::from(crate::http::Fault::Internal(error.to_string())))?;
    let made = made.map_err(|error| Problem::field("file", error.to_string()))?;
    let stored = Stored {
        digest: brand::digest(&made.octets),
        kind: made.kind.to_owned(),
        width: made.width,
        height: made.height,
    };
    let stored = set_picture(&program.desk(), program.call.realm.code(), picture, Some((stored, made.octets))).await?;
    let stored = stored.ok_or_else(Problem::not_found)?;
    Ok(ok(&view(&program, picture, &stored)))
}

async fn remove(program: Program, request: actix_web::HttpRequest) -> Answer {
    set_picture(&program.desk(), program.call.realm.code(), named(&request)?, None).await?;
    Ok(done())
}
