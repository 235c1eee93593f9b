//! How pages look: title, colours and pictures, at the console and through the management API, in what everybody gets.

use std::io::Cursor;

use reqwest::Method;
use serde_json::json;
use vestibule::domain::operator::Role;

use crate::browser::{Chromium, DESKTOP, PHONE};
use crate::console::{at_console, call, call_with, console, key, staffed};
use crate::story::authorize;
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

/// A picture of this size.
fn drawn(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let pixel = |x: u32, y: u32| image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 120]);
    let picture = image::DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, pixel));
    let mut octets = Vec::new();
    picture.write_to(&mut Cursor::new(&mut octets), format).unwrap();
    octets
}

async fn upload(world: &World, visitor: &mut Visitor, seen: &Seen, picture: &str, file: &[u8]) -> Seen {
    let csrf = seen.form("save").1.into_iter().find(|(name, _)| name == "csrf").unwrap().1;
    let head = format!(
        "--X\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--X\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"x.svg\"\r\nContent-Type: image/png\r\n\r\n"
    );
    let body = [head.as_bytes(), file, b"\r\n--X--\r\n"].concat();
    visitor
        .upload(&console(world, &format!("branding/pictures/{picture}")), "multipart/form-data; boundary=X", body)
        .await
}

/// The first attribute of the first element that matches.
fn attribute(seen: &Seen, css: &str, name: &str) -> String {
    let page = scraper::Html::parse_document(&seen.body);
    let css = scraper::Selector::parse(css).unwrap();
    page.select(&css).next().and_then(|found| found.attr(name)).unwrap_or_default().to_owned()
}

/// what an operator chooses is what everybody sees; what cannot be read or is no picture is refused, and
/// nothing is lost; ours is restored by one button.
#[actix_web::test]
async fn pages_look_as_the_operator_wants() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "branding").await;
        let plain = Visitor::new(&world.url).get(&authorize(&world, "")).await;
        assert!(!plain.body.contains("brand.css"), "{on:?}: nothing is asked for that is not there");
        // Contrast is looked at, at its field; what was typed stays.
        let typed = [("title", "Acme Ltd"), ("accent", "#ffcc00"), ("ground", "blue")];
        let rest = [("accent_dark", ""), ("ground_dark", "")];
        let refused = oona.press(&seen, "save", &[&typed[..], &rest].concat()).await;
        assert!(refused.body.contains("has a contrast of 1.5 to 1 to the card"), "{on:?}: {}", refused.body);
        assert!(refused.body.contains("must be a colour such as #2447b8"), "{on:?}: {}", refused.body);
        assert!(refused.body.contains("value=\"#ffcc00\"") && refused.body.contains("value=\"blue\""), "{on:?}");
        // A look stores nothing; the sample has the colours.
        let typed = [("title", "Acme Ltd"), ("accent", "#7a1f5c"), ("ground", "#f5f0f3")];
        let all = [&typed[..], &rest].concat();
        let looked = oona.press(&seen, "look", &all).await;
        let style = attribute(&looked, "link[href*='sample.css']", "href");
        let sample = oona.get(&style).await;
        assert!(sample.body.contains("--accent: #7a1f5c;") && sample.body.contains("--ground: #f5f0f3;"), "{on:?}");
        assert_eq!(world.events("tenant_changed").await, 1, "{on:?}: only what the file brought");
        let evil = oona.get(&console(&world, "branding/sample.css?accent=red%7D%20body%7Bdisplay:none")).await;
        assert!(!evil.body.contains("display"), "T-22: {}", evil.body);
        let saved = oona.press(&seen, "save", &all).await;
        assert!(saved.body.contains("Saved."), "{on:?}: {}", saved.body);
        // Two at once: the second one is told.
        let late = oona.press(&seen, "save", &[("title", "Other"), ("accent", ""), ("ground", "")]).await;
        assert!(late.body.contains("somebody else changed this meanwhile"), "{on:?}: {}", late.body);
        // Pictures.
        for (picture, file, told) in [
            ("logo", &b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], "SVG is not accepted"),
            ("logo", &drawn(301, 20, image::ImageFormat::Png), "at most 300 pixels wide"),
            ("banner", &drawn(600, 76, image::ImageFormat::Png), "at most 75 pixels high"),
            ("background", &drawn(800, 600, image::ImageFormat::Jpeg), "at least 1368 by 768"),
            ("logo", b"", "choose a file"),
        ] {
            let refused = upload(&world, &mut oona, &saved, picture, file).await;
            assert!(refused.status == 200 && refused.body.contains(told), "{on:?} {told}: {}", refused.body);
        }
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM picture").await, 0, "{on:?}");
        for (picture, file) in [
            ("logo", drawn(160, 48, image::ImageFormat::Png)),
            ("banner", drawn(700, 70, image::ImageFormat::Gif)),
            ("background", drawn(1400, 800, image::ImageFormat::Jpeg)),
        ] {
            let seen = upload(&world, &mut oona, &saved, picture, &file).await;
            assert!(seen.body.contains("The picture is used from now on."), "{on:?} {picture}: {}", seen.body);
        }
        assert_eq!(world.events("picture_changed").await, 3, "{on:?}");
        // What everybody gets.
        let mut ada = Visitor::new(&world.url);
        let seen = ada.get(&authorize(&world, "")).await;
        assert!(seen.body.contains("<title>Log in · Acme Ltd</title>"), "{on:?}: R-457: {}", seen.body);
        let style = ada.get(&attribute(&seen, "link[href$='brand.css']", "href")).await;
        assert!(style.headers["cache-control"].to_str().unwrap().contains("immutable"), "{on:?}");
        assert!(style.body.contains("--accent: #7a1f5c;") && style.body.contains("/background\")"), "{}", style.body);
        for (css, kind) in [(".brand .logo", "image/png"), (".banner", "image/png")] {
            let picture = ada.get(&attribute(&seen, css, "src")).await;
            assert_eq!(
                (picture.status, &picture.headers["content-type"]),
                (200, &kind.parse().unwrap()),
                "{on:?} {css}"
            );
            assert_eq!(picture.headers["x-content-type-options"], "nosniff", "{on:?}");
        }
        let background = style.body.split("url(\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
        assert_eq!(ada.get(&background).await.headers["content-type"], "image/jpeg", "{on:?}");
        let old = background.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(ada.get(&old).await.status, 404, "{on:?}: not another picture under its address");
        // An error page looks the same; the console keeps its own look.
        let lost = ada.get(&format!("{}/nowhere", world.base())).await;
        assert!(lost.status == 404 && lost.body.contains("brand.css"), "{on:?}: {}", lost.body);
        let seen = oona.get(&console(&world, "branding")).await;
        assert!(!seen.body.contains("brand.css"), "{on:?}");
        let log = oona.get(&seen.link("change-log")).await;
        assert!(log.body.contains("#7a1f5c"), "{on:?}: {}", log.body);
        // Back to ours.
        let question = oona.press(&seen, "remove-logo", &[]).await;
        assert_eq!(question.title(), "Remove the logo?", "{on:?}: it is asked first: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert!(back.has_action("remove-logo"), "{on:?}: R-590: and is still there: {}", back.body);
        let seen = oona.press(&question, "sure", &[]).await;
        assert!(seen.body.contains("It was removed.") && !seen.has_action("remove-logo"), "{on:?}: {}", seen.body);
        for picture in ["remove-banner", "remove-background"] {
            let question = oona.press(&seen, picture, &[]).await;
            oona.press(&question, "sure", &[]).await;
        }
        let question = oona.press(&seen, "restore", &[]).await;
        let asked = "Restore our title and colours?";
        assert_eq!(question.title(), asked, "{on:?}: it is asked first: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert!(back.body.contains("value=\"#7a1f5c\""), "{on:?}: R-590: and is still there: {}", back.body);
        let seen = oona.press(&question, "sure", &[]).await;
        assert!(seen.body.contains("Saved."), "{on:?}: {}", seen.body);
        let seen = Visitor::new(&world.url).get(&authorize(&world, "")).await;
        assert!(!seen.body.contains("brand.css") && !seen.body.contains("Acme Ltd"), "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM picture").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// the same by the management API; and what a file applies comes out of an export again.
#[actix_web::test]
async fn programs_and_files_can_do_it_too() {
    for on in BOTH {
        let world = staffed(on).await;
        let all = key(&world, Role::Operator).await;
        let (status, tag, seen) = call_with(&world, &all, Method::GET, "settings/branding", None, None).await;
        let plain = json!({ "title": "", "accent": "", "ground": "", "accent_dark": "", "ground_dark": "" });
        assert_eq!((status, seen), (200, plain), "{on:?}");
        let change = |body| call_with(&world, &all, Method::PATCH, "settings/branding", Some(body), Some(&tag));
        let (status, _, body) = change(json!({ "accent": "#eeeeee", "pictures": {} })).await;
        assert_eq!((status, body["errors"].as_array().map(Vec::len)), (422, Some(2)), "{on:?}: {body}");
        let (status, _, body) = change(json!({ "accent": "#7a1f5c" })).await;
        assert_eq!((status, &body["accent"]), (200, &json!("#7a1f5c")), "{on:?}: {body}");
        let picture = |method, file: Vec<u8>| {
            let url = format!("{}/api/management/v1/branding/pictures/logo", world.base());
            reqwest::Client::new().request(method, url).bearer_auth(&all).body(file).send()
        };
        let refused = picture(Method::PUT, b"<svg/>".to_vec()).await.unwrap();
        assert_eq!(refused.status(), 422, "{on:?}");
        let set = picture(Method::PUT, drawn(100, 40, image::ImageFormat::Png)).await.unwrap();
        assert_eq!(set.status(), 200, "{on:?}");
        let (_, listed) = call(&world, &all, Method::GET, "branding/pictures", None).await;
        assert_eq!((&listed[0]["name"], &listed[0]["width"]), (&json!("logo"), &json!(100)), "{on:?}: {listed}");
        let path = listed[0]["path"].as_str().unwrap();
        assert_eq!(Visitor::new(&world.url).get(path).await.status, 200, "{on:?}");
        // A file with colours leaves pictures alone; what it says wrongly is named with its line.
        let said = world.apply_says("[[tenant]]\ncode = \"acme\"\n[tenant.branding]\naccent = \"#ffffff\"\n").await;
        assert!(
            said.contains("line 4") && said.contains("branding.accent") && said.contains("contrast"),
            "{on:?}: {said}"
        );
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.branding]\ntitle = \"By file\"\n").await;
        let exported = world.command(&["export"]);
        assert!(
            exported.contains("title = \"By file\"") && exported.contains("accent = \"#7a1f5c\""),
            "{on:?}: {exported}"
        );
        assert!(!exported.contains("digest"), "{on:?}: {exported}");
        let gone = picture(Method::DELETE, Vec::new()).await.unwrap();
        assert_eq!(gone.status(), 204, "{on:?}");
        world.stop().await;
    }
}

/// with a picture behind everything, logo, banner and colours the pages are still well made: light on a
/// desktop, dark on a phone.
#[actix_web::test]
async fn branded_pages_are_well_made() {
    for eyes in [DESKTOP, PHONE] {
        let world = staffed(On::Sqlite).await;
        let all = key(&world, Role::Operator).await;
        for (name, file) in [
            ("logo", drawn(220, 60, image::ImageFormat::Png)),
            ("banner", drawn(900, 75, image::ImageFormat::Png)),
            ("background", drawn(1400, 800, image::ImageFormat::Jpeg)),
        ] {
            let url = format!("{}/api/management/v1/branding/pictures/{name}", world.base());
            let answer = reqwest::Client::new().put(url).bearer_auth(&all).body(file).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
        world
            .apply("[[tenant]]\ncode = \"acme\"\n[tenant.branding]\ntitle = \"Acme Ltd\"\naccent = \"#7a1f5c\"\n")
            .await;
        world.advance(3);
        let mut browser = Chromium::new(eyes).await;
        browser.go(&authorize(&world, "")).await;
        browser.wait(".brand .logo").await;
        browser.is_well_made().await;
        browser.look("branded-username").await;
        browser.fill("[autocomplete=username]", "ada").await;
        browser.press("continue").await;
        browser.wait("[autocomplete=current-password]").await;
        browser.is_well_made().await;
        browser.look("branded-password").await;
        let width = browser.client.execute("return document.querySelector('.brand .logo').naturalWidth", vec![]).await;
        assert_eq!(width.unwrap(), json!(220), "the picture is really shown");
        browser.close().await;
        world.stop().await;
    }
}
