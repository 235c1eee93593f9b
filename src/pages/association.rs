//! Which apps may open activation links: read by the phones' systems, not by people.
//!
//! Both answers stand at the root of the host, without a redirect, and are there even if no app is configured:
//! an empty list says "none", which is safer than what a proxy might answer instead.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::http::{Apps, Site, head};

/// Registers the two addresses below the root.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/.well-known/apple-app-site-association", head::readable().to(apple))
        .route("/.well-known/assetlinks.json", head::readable().to(android));
}

async fn apple(site: web::Data<Site>) -> HttpResponse {
    answer(&universal_links(&site.settings.apps))
}

async fn android(site: web::Data<Site>) -> HttpResponse {
    answer(&asset_links(&site.settings.apps))
}

fn answer(body: &Value) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .body(body.to_string())
}

/// Apple's universal links: the activation of every virtual server and nothing else, so that logins stay in the
/// browser that they began in.
fn universal_links(apps: &Apps) -> Value {
    let details = if apps.ios_app_ids.is_empty() {
        json!([])
    } else {
        json!([{ "appIDs": apps.ios_app_ids, "components": [{ "/": "/t/*/activate" }] }])
    };
    json!({ "applinks": { "details": details } })
}

/// Android's app links. They cannot be limited to a path here; the app's intent filter does that.
fn asset_links(apps: &Apps) -> Value {
    let target = |(package, certificates): &(String, Vec<String>)| {
        json!({
            "relation": ["delegate_permission/common.handle_all_urls"],
            "target": {
                "namespace": "android_app", "package_name": package, "sha256_cert_fingerprints": certificates,
            },
        })
    };
    Value::Array(apps.android_apps.iter().map(target).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn apps_are_named_as_apple_and_android_want_it() {
        let none = Apps::default();
        assert_eq!(universal_links(&none), json!({ "applinks": { "details": [] } }));
        assert_eq!(asset_links(&none), json!([]));
        let apps = Apps {
            ios_app_ids: vec!["A1B2C3D4E5.com.example.app".to_owned()],
            android_apps: vec![("com.example.app".to_owned(), vec!["AB:CD".to_owned()])],
            ..none
        };
        let links = universal_links(&apps);
        assert_eq!(links["applinks"]["details"][0]["appIDs"][0], "A1B2C3D4E5.com.example.app");
        assert_eq!(links["applinks"]["details"][0]["components"][0]["/"], "/t/*/activate");
        let links = asset_links(&apps);
        assert_eq!(links[0]["relation"][0], "delegate_permission/common.handle_all_urls");
        assert_eq!(links[0]["target"]["package_name"], "com.example.app");
        assert_eq!(links[0]["target"]["sha256_cert_fingerprints"][0], "AB:CD");
    }
}
