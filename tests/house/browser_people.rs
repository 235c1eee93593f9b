//! Pages about people that no link leads to without doing something first, in Chromium: faults in forms, codes that are shown
//! once, jobs and their results, tasks; at a desk and on a narrow dark screen (A29). The pages that links lead to are walked by
//! `browser_console`.

use fantoccini::Locator;

use crate::browser::{Chromium, DESKTOP, Eyes, PHONE};
use crate::browser_console::log_in;
use crate::console::{console, staffed};
use crate::world::{On, World};

/// Waits until the job on the page is over; it goes on by itself, and is looked at again as people do it.
async fn over(browser: &Chromium) {
    for _ in 0..100 {
        if browser.text("[data-job-state]").await == "done" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if browser.client.find(Locator::Css("[data-action=look-again]")).await.is_ok() {
            browser.press("look-again").await;
        }
    }
    panic!("the job does not end");
}

async fn story(eyes: Eyes) {
    let world: World = staffed(On::Sqlite).await;
    world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\nhelp_desk_pass = \"opens_gates\"\n").await;
    let mut browser = Chromium::new(eyes).await;
    log_in(&browser, &world, "oona").await;

    // A form with faults says what is wrong, and where.
    browser.go(&console(&world, "users/new")).await;
    browser.fill("#username", "ada").await;
    browser.press("make-user").await;
    browser.wait("#email-fault").await;
    browser.is_well_made().await;
    browser.look("user-faults").await;
    for (field, text) in
        [("#username", "grace"), ("#first_name", "Grace"), ("#last_name", "Hopper"), ("#email", "g@acme.test")]
    {
        browser.fill(field, text).await;
    }
    browser.press("make-user").await;
    browser.wait("[data-account-state]").await;
    browser.is_well_made().await;
    browser.look("user-made").await;

    // A pass is shown once.
    browser.press("make-pass").await;
    browser.wait("[data-shown-once]").await;
    browser.is_well_made().await;
    browser.look("pass-shown").await;

    // Everybody who is ticked becomes a job.
    browser.go(&console(&world, "users?username=*a*")).await;
    for one in browser.client.find_all(Locator::Css("input[name=user]")).await.unwrap() {
        one.click().await.unwrap();
    }
    browser.press("unlock").await;
    browser.wait("[data-job-state]").await;
    over(&browser).await;
    browser.is_well_made().await;
    browser.look("job").await;

    // Mails are sent, and the task is there.
    browser.go(&console(&world, "users?username=grace")).await;
    browser.client.find(Locator::Css("input[name=user]")).await.unwrap().click().await.unwrap();
    browser.press("provision").await;
    browser.wait("#names").await;
    browser.is_well_made().await;
    browser.look("provision").await;
    browser.press("provision").await;
    browser.wait("[data-job-state]").await;
    over(&browser).await;
    let number = world.number("SELECT number AS n FROM provisioning_task").await;
    browser.go(&console(&world, &format!("provisioning/{number}"))).await;
    browser.wait("[data-action=set-stop]").await;
    browser.is_well_made().await;
    browser.look("task").await;

    // A group that is in use stays.
    browser.go(&console(&world, "groups?name=pilot")).await;
    browser.client.find(Locator::Css("th a")).await.unwrap().click().await.unwrap();
    browser.press("remove-group").await;
    browser.wait(".complaint").await;
    browser.is_well_made().await;
    browser.look("group-in-use").await;
    browser.close().await;
    world.stop().await;
}

///
#[actix_web::test]
async fn what_is_done_to_people_is_well_made_on_a_desktop() {
    story(DESKTOP).await;
}

///
#[actix_web::test]
async fn what_is_done_to_people_is_well_made_on_a_phone_in_the_dark() {
    story(PHONE).await;
}
