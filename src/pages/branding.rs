//! The style sheet and the pictures of a virtual server.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

use crate::domain::branding::Picture;
use crate::http::brand::{STYLE, digest, style};
use crate::http::{Answer, Call, Fault, head};
use crate::storage::pictures;

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Registers the route.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/branding/{digest}/{file}", head::readable().to(file));
}

/// `GET /branding/{digest}/{file}`.
async fn file(call: Call, path: web::Path<(String, String, String)>) -> Answer {
    let (_, asked, file) = path.into_inner();
    let config = &call.realm.config;
    if file == STYLE {
        let style = style(&config.tenant.code, &config.settings.branding);
        // Another instance may have made the page two seconds ahead of us, or behind: it gets what we have, and asks again.
        let keep = if digest(style.as_bytes()) == asked { FOR_EVER } else { "no-store" };
        let response = HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
            .insert_header((CACHE_CONTROL, keep))
            .body(style);
        return Ok(response);
    }
    let picture = Picture::named(&file).ok_or(Fault::NotFound)?;
    let question = pictures::octets(config.tenant.id, picture, &asked);
    let found = call.site.house.db.read(async |connection| question.ask(connection).await).await?;
    let (kind, octets) = found.ok_or(Fault::NotFound)?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).insert_header((CACHE_CONTROL, FOR_EVER)).body(octets))
}
