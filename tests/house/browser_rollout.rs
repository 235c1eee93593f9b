//! The rollout and the funnel in a browser, in both themes and on a narrow screen (A29).

use crate::browser::{Chromium, DARK, DESKTOP, NARROW};
use crate::console::{OPERATORS, console, staffed};
use crate::story::{self, PASSWORD};
use crate::world::On;

/// Issue 6, parts 3 and 4: an operator sees the effect of a wave before saving it, people put it off, and the pages that show how it
/// goes are well made, whoever looks at them with whatever.
#[actix_web::test]
async fn an_operator_begins_a_wave_and_watches_it() {
    let world = staffed(On::Sqlite).await;
    for (number, eyes) in [DESKTOP, DARK, NARROW].into_iter().enumerate() {
        let (name, password, secret, _) = OPERATORS[0];
        world.advance(60);
        let mut browser = Chromium::new(eyes).await;
        browser.go(&console(&world, "rollout")).await;
        browser.fill("[autocomplete=username]", name).await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", password).await;
        browser.press("continue").await;
        browser.fill("[autocomplete=one-time-code]", &story::oathtool(&world, secret, "--totp=sha1", "6")).await;
        browser.press("continue").await;
        browser.wait("[data-action=edit]").await;
        browser.is_well_made().await;
        browser.look("rollout").await;
        browser.press("edit").await;
        browser.wait("#failed-percent").await;
        if number == 0 {
            browser.press("add-wave").await;
            // The page with the wave, not the one that the button was on.
            browser.wait("#wave-0-name").await;
            browser.wait("#rollout-waves").await.click().await.unwrap();
            browser.fill("#wave-0-name", "Pilot").await;
            browser.fill("#wave-0-groups", "nobody").await;
            browser.press("effect").await;
            browser.wait("#wave-0-starts-at-fault").await;
            browser.is_well_made().await;
            browser.look("rollout-faults").await;
            let set = "document.querySelector('#wave-0-starts-at').value = '2027-01-15T07:00'";
            browser.client.execute(set, vec![]).await.unwrap();
            browser.fill("#wave-0-groups", "pilot").await;
            browser.fill("#wave-0-postponements", "1").await;
        }
        browser.press("effect").await;
        browser.wait("[data-action=save]").await;
        assert!(browser.text("#effect").await.contains("What this would do"));
        browser.is_well_made().await;
        browser.look("rollout-effect").await;
        browser.press("save").await;
        browser.wait("[data-action=pause]").await;
        browser.is_well_made().await;
        browser.look("rollout-waves").await;
        if number == 0 {
            let mut ada = Chromium::new(DESKTOP).await;
            ada.go(&format!("{}/", world.base())).await;
            ada.fill("[autocomplete=username]", "ada").await;
            ada.press("continue").await;
            ada.fill("[autocomplete=current-password]", PASSWORD).await;
            ada.press("continue").await;
            ada.wait("[data-action=later]").await;
            ada.is_well_made().await;
            ada.look("offer-later").await;
            ada.press("later").await;
            ada.wait("[data-action=log-out]").await;
            ada.close().await;
        }
        browser.go(&console(&world, "funnel?by=group")).await;
        browser.wait("svg.funnel").await;
        assert_eq!(browser.text("#steps-table tbody td").await, "1");
        browser.is_well_made().await;
        browser.look("funnel").await;
        // WCAG 2.2.2: what changes by itself can be stopped.
        assert!(browser.shows("[data-live-switch] input").await);
        browser.close().await;
    }
    world.stop().await;
}
