//! The pages for whoever cannot enroll or does not have the authenticator, in Chromium: well made, accessible, and whole without
//! scripts.

use crate::browser::{Chromium, DESKTOP, PHONE, PLAIN};
use crate::gates::{pass, set};
use crate::story::{PASSWORD, oathtool};
use crate::world::{On, World};

async fn log_in(browser: &Chromium, world: &World) {
    browser.go(&format!("{}/", world.base())).await;
    browser.fill("[autocomplete=username]", "ada").await;
    browser.press("continue").await;
    browser.fill("[autocomplete=current-password]", PASSWORD).await;
    browser.press("continue").await;
}

/// A28, A29, R-121: the gate, its pass, the sheet of codes and the page that takes one: desktop, narrow and dark, and without
/// scripts.
#[actix_web::test]
async fn gates_and_recovery_are_well_made() {
    for eyes in [DESKTOP, PHONE, PLAIN] {
        let world = World::at_this_time(On::Sqlite).await;
        set(&world, "enrollment_networks = [\"10.0.0.0/8\"]\nrecovery_codes = true").await;
        let mut browser = Chromium::new(eyes).await;
        log_in(&browser, &world).await;
        browser.wait("[data-action=switch-user]").await;
        browser.is_well_made().await;
        browser.look("gate-closed").await;
        set(&world, "help_desk_pass = \"opens_gates\"").await;
        log_in(&browser, &world).await;
        browser.wait("#code").await;
        browser.is_well_made().await;
        browser.look("gate-pass").await;
        browser.fill("#code", "00000-00000").await;
        browser.press("continue").await;
        browser.wait("#complaint").await;
        browser.is_well_made().await;
        browser.look("gate-pass-wrong").await;
        browser.fill("#code", &pass(&world)).await;
        browser.press("continue").await;
        browser.press("add-authenticator").await;
        browser.fill("#code", &world.code("ada@acme.test", 0).await).await;
        browser.press("continue").await;
        browser.press("platform-oath_app").await;
        let secret = browser.text("[data-activation-string]").await.replace(' ', "");
        browser.fill("#code", &oathtool(&world, &secret, "--totp=sha1", "6")).await;
        browser.press("continue").await;
        let codes = browser.text("[data-recovery-codes]").await;
        let codes: Vec<&str> = codes.split_whitespace().collect();
        assert_eq!(codes.len(), 10, "{codes:?}");
        browser.is_well_made().await;
        browser.look("recovery-codes").await;
        // On to the portal; then once more without the authenticator.
        browser.press("continue").await;
        browser.wait("[data-action=log-out]").await;
        browser.client.delete_all_cookies().await.ok();
        log_in(&browser, &world).await;
        browser.press("recover").await;
        browser.wait("[data-action=replace]").await;
        browser.is_well_made().await;
        browser.look("recovery").await;
        browser.fill("#code", codes[0]).await;
        browser.press("replace").await;
        browser.fill("#code", &world.code("ada@acme.test", 1).await).await;
        browser.press("continue").await;
        browser.press("platform-oath_app").await;
        let secret = browser.text("[data-activation-string]").await.replace(' ', "");
        browser.fill("#code", &oathtool(&world, &secret, "--totp=sha1", "6")).await;
        browser.press("continue").await;
        browser.wait("[data-recovery-codes]").await;
        browser.press("continue").await;
        browser.wait("[data-action=log-out]").await;
        browser.go(&format!("{}/portal/recovery-codes", world.base())).await;
        browser.wait("[data-action=new-codes]").await;
        browser.is_well_made().await;
        browser.look("portal-recovery").await;
        browser.press("new-codes").await;
        browser.wait("[data-recovery-codes]").await;
        browser.is_well_made().await;
        browser.look("portal-recovery-new").await;
        browser.go(&format!("{}/", world.base())).await;
        browser.wait("[data-action=recovery-codes]").await;
        browser.is_well_made().await;
        browser.look("portal").await;
        browser.close().await;
        world.stop().await;
    }
}
