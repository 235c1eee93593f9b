//! Every page of the operator console in Chromium: light and dark, desktop and phone, with and without scripts (A29, T-22).

use std::collections::{BTreeSet, VecDeque};

use crate::browser::{Chromium, DESKTOP, Eyes, PHONE, PLAIN};
use crate::console::{OPERATORS, console, staffed};
use crate::story::oathtool;
use crate::world::{On, World};

/// Logs one of [`OPERATORS`] in.
pub async fn log_in(browser: &Chromium, world: &World, name: &str) {
    let (_, password, secret, _) = OPERATORS.into_iter().find(|(known, ..)| *known == name).unwrap();
    browser.go(&console(world, "operators")).await;
    browser.fill("[autocomplete=username]", name).await;
    browser.press("continue").await;
    browser.fill("[autocomplete=current-password]", password).await;
    browser.press("continue").await;
    browser.wait("[autocomplete=one-time-code]").await;
    world.advance(31);
    let code = oathtool(world, secret, "--totp=sha1", "6");
    browser.fill("[autocomplete=one-time-code]", &code).await;
    browser.press("continue").await;
    browser.wait(".menu").await;
}

/// What an address is about: identifiers and queries make no other page.
fn page_of(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap();
    let step = |step: &str| {
        let id = step.len() == 26 && step.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        // One mail and one text of a page stand for all of them: they have one template.
        match step.split_once('.') {
            Some((kind @ ("mail" | "page"), _)) => format!("{kind}.*"),
            _ if id => "*".to_owned(),
            _ => step.to_owned(),
        }
    };
    path.split('/').map(step).collect::<Vec<_>>().join("/")
}

/// Looks at every page that a link of another one leads to.
async fn walk(browser: &mut Chromium, world: &World) -> BTreeSet<String> {
    let start = console(world, "operators");
    let (mut seen, mut next) = (BTreeSet::from([page_of(&start)]), VecDeque::from([start]));
    while let Some(url) = next.pop_front() {
        browser.go(&url).await;
        browser.wait("main h1").await;
        browser.is_well_made().await;
        let name = page_of(&url).split("/operator/").nth(1).unwrap_or_default().replace(['/', '*'], "-");
        browser.look(&name).await;
        let links = browser.client.find_all(fantoccini::Locator::Css("a[href]")).await.unwrap();
        for link in links {
            let href = link.prop("href").await.unwrap().unwrap_or_default();
            let ours = href.starts_with(&console(world, ""));
            let file = [".csv", ".json", "export", ".xml", ".txt", ".css"].iter().any(|part| href.contains(part));
            if ours && !file && seen.insert(page_of(&href)) {
                next.push_back(href);
            }
        }
        assert!(seen.len() < 150, "pages without end: {seen:?}");
    }
    seen
}

async fn every_page(eyes: Eyes) {
    let world = staffed(On::Sqlite).await;
    let mut browser = Chromium::new(eyes).await;
    log_in(&browser, &world, "oona").await;
    let seen = walk(&mut browser, &world).await;
    // What stands in the menu is all there is: a page that no link leads to would be missed here and by people.
    let table = vestibule::pages::operator::table();
    let named = table.listed().iter().filter(|route| {
        use vestibule::http::guard::Needs;
        let page = route.method == "GET" && matches!(route.needs, Needs::May(_)) && !route.path.contains('{');
        page && ![".csv", ".json", "export", ".xml", ".txt", ".css", "events"]
            .iter()
            .any(|part| route.path.contains(part))
    });
    let lost: Vec<_> = named.filter(|route| !seen.contains(&page_of(&console(&world, &route.path)))).collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
    browser.close().await;
    world.stop().await;
}

/// AC-36.
#[actix_web::test]
async fn every_page_is_well_made_on_a_desktop() {
    every_page(DESKTOP).await;
}

#[actix_web::test]
async fn every_page_is_well_made_on_a_phone_in_the_dark() {
    every_page(PHONE).await;
}

#[actix_web::test]
async fn every_page_is_well_made_without_scripts() {
    every_page(PLAIN).await;
}
