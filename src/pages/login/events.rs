//! Server-sent events for the page that waits for a device: it moves on by itself.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use futures_util::stream;

use super::view;
use crate::domain::enrollment;
use crate::domain::ids::{ActivationId, EnrollmentId, LoginId};
use crate::http::{Answer, Call};
use crate::storage::activations::State;
use crate::storage::{activations, enrollments};

/// How often the database is asked; one indexed read each.
const EVERY: Duration = Duration::from_secs(1);
/// How many times; then the browser connects again by itself.
const MOST: u32 = 120;

/// What the page shows that waits, by `?seen=`; without it, what is there when the line opens counts as seen.
#[derive(Debug, serde::Deserialize)]
pub struct Asked {
    seen: Option<String>,
}

/// What a page shows of an activation, as a word: the page asks for news with it. An app claims and confirms within a moment,
/// and a page that was made in between would wait for ever for news of what had happened before its line was open. One that
/// replaces it is news, and so is its end: what the page shows is worth nothing then.
pub fn word(id: ActivationId, state: State, refused: Option<&str>, over: bool) -> String {
    let over = if over { "-over" } else { "" };
    format!("{id}-{state:?}-{}{over}", refused.unwrap_or_default()).to_lowercase().replace(' ', "-")
}

/// `GET …/events`: one event when the device is further than the page shows, and a comment every second between, so
/// that proxies keep the line open.
pub async fn stream(mut call: Call, path: web::Path<(String, LoginId)>, asked: web::Query<Asked>) -> Answer {
    let id = path.into_inner().1;
    let case = view::look(&mut call, id).await?;
    let events: stream::BoxStream<'static, _> = match case.enrollment.as_ref().map(|enrollment| enrollment.id) {
        None => {
            Box::pin(stream::iter([Ok::<_, Infallible>(web::Bytes::from_static(b"event: changed\ndata: gone\n\n"))]))
        }
        Some(enrollment) => {
            let before = match asked.into_inner().seen {
                Some(seen) => seen,
                None => phase_of(&call.site, &call.realm, enrollment, "").await,
            };
            let (site, realm) = (call.site.clone().into_inner(), call.realm.clone());
            Box::pin(stream::unfold((site, realm, before, MOST), move |(site, realm, before, left)| async move {
                if left == 0 {
                    return None;
                }
                tokio::time::sleep(EVERY).await;
                let now = phase_of(&site, &realm, enrollment, &before).await;
                if now == before {
                    return Some((Ok(web::Bytes::from_static(b":\n\n")), (site, realm, before, left - 1)));
                }
                let event = format!("event: changed\ndata: {now}\n\n");
                Some((Ok(web::Bytes::from(event)), (site, realm, now, 0)))
            }))
        }
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

/// How far the enrollment is, as a word that changes when the page must.
async fn phase_of(site: &crate::http::Site, realm: &crate::flow::Realm, id: EnrollmentId, before: &str) -> String {
    let tenant = realm.tenant();
    let read = site.house.db.read(async |connection| {
        let enrollment = enrollments::with_id(connection, tenant, id).await?;
        let activation = activations::newest_of(connection, tenant, id).await?;
        Ok((enrollment, activation))
    });
    match read.await {
        Ok((Some(enrollment), activation)) => {
            let now = site.house.clock.now();
            let shown = activation.map(|it| word(it.id, it.state, it.refused(), now >= it.expires_at));
            match (enrollment.state, enrollment.activated) {
                (enrollment::State::Open, false) => shown.unwrap_or_default(),
                (state, activated) => format!("{} {activated}", state.id()),
            }
        }
        Ok((None, _)) => "gone".to_owned(),
        // A database that does not answer for a moment is no news for the page.
        Err(_) => before.to_owned(),
    }
}
