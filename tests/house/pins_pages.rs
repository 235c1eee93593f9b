//! The pages of server-side PINs in a real browser: wide and light, narrow and dark, and without scripts.

use crate::abuse::{acme, person};
use crate::browser::{Chromium, DESKTOP, PHONE, PLAIN};
use crate::story::{PASSWORD, oathtool};
use crate::world::{On, World};

/// U4, U7, P5: the first login with a server-side PIN, from the portal and back to it,
/// and another PIN there. axe-core looks at every page.
#[actix_web::test]
async fn the_first_login_with_a_server_side_pin_in_a_browser() {
    let world = World::new(On::Sqlite).await;
    world.apply(&acme("[tenant.token_template.oath_app]\npin_type = \"server_side\"\n")).await;
    for eyes in [DESKTOP, PHONE, PLAIN] {
        let mut browser = Chromium::new(eyes).await;
        let name = format!("pin-{}", eyes.name());
        world.apply(&acme(&person(&name))).await;
        browser.go(&format!("{}/", world.base())).await;
        browser.fill("[autocomplete=username]", &name).await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", PASSWORD).await;
        browser.press("continue").await;
        browser.press("add-authenticator").await;
        browser.wait("[autocomplete=one-time-code]").await;
        let code = world.mail(&format!("{name}@acme.test"), 1).await.code().unwrap();
        browser.fill("[autocomplete=one-time-code]", &code).await;
        browser.press("continue").await;
        browser.press("platform-oath_app").await;
        let initial = browser.text("[data-pin]").await;
        let secret = browser.text("[data-activation-string]").await.replace(' ', "");
        browser.is_well_made().await;
        browser.look("pin-initial").await;
        // what is typed is hidden, and can be shown where there are scripts.
        let masked = browser.wait("#code").await.attr("type").await.unwrap();
        assert_eq!(masked.as_deref(), Some("password"), "R-254");
        assert_eq!(browser.shows("[data-reveal=code]").await, eyes.scripts(), "R-254");
        let now = || oathtool(&world, &secret, "--totp=sha1", "6");
        browser.fill("#code", &format!("{initial}{}", now())).await;
        browser.press("continue").await;
        browser.wait("#again").await;
        browser.is_well_made().await;
        browser.look("new-pin").await;
        browser.fill("#pin", "12\u{e9}").await;
        browser.fill("#again", "12\u{e9}").await;
        browser.press("continue").await;
        browser.wait("#complaint").await;
        browser.is_well_made().await;
        browser.look("new-pin-complaint").await;
        for field in ["#pin", "#again"] {
            browser.fill(field, "9946").await;
        }
        browser.press("continue").await;
        browser.wait("#code").await;
        browser.is_well_made().await;
        browser.look("fresh-passcode").await;
        world.advance(30);
        browser.fill("#code", &format!("9946{}", now())).await;
        browser.press("continue").await;
        browser.wait("[data-action=change-pin]").await;
        browser.is_well_made().await;
        browser.look("portal").await;
        browser.press("change-pin").await;
        browser.wait("#again").await;
        browser.is_well_made().await;
        browser.look("portal-pin").await;
        for field in ["#pin", "#again"] {
            browser.fill(field, "8432").await;
        }
        browser.press("continue").await;
        browser.wait("[data-action=log-out]").await;
        browser.wait(".good").await;
        browser.look("portal-changed").await;
        world.advance(30);
        browser.close().await;
    }
    world.stop().await;
}
