//! Issue 6, part 9: the console can do nothing that the management API cannot, and what programs do people can, too. Both have a
//! table of routes; here each route of the one stands beside its route of the other, or beside the reason why it has none.

use std::collections::BTreeSet;

use vestibule::http::guard::{Listed, Needs};

/// Routes of the console, and the route of the API that does the same with the same permission.
const PAIRS: &[(&str, &str)] = &[
    ("GET api-keys", "GET api-keys"),
    ("POST api-keys", "POST api-keys"),
    ("POST api-keys/{key}/revoke", "DELETE api-keys/{key}"),
    ("GET applications", "GET applications"),
    ("POST applications/new", "POST applications"),
    ("GET applications/{application}", "GET applications/{application}"),
    ("POST applications/{application}", "PUT applications/{application}"),
    ("POST applications/{application}/activate", "PUT applications/{application}/state"),
    ("POST applications/{application}/secret", "POST applications/{application}/secret"),
    ("POST applications/{application}/remove", "DELETE applications/{application}"),
    ("GET dashboard", "GET activity"),
    ("GET reports", "GET token-counts"),
    ("GET reports", "GET operator-activity"),
    ("GET reports/{report}/{form}", "GET reports/{report}/{form}"),
    ("GET explain", "GET explain"),
    ("GET explain/cases", "GET test-cases"),
    ("POST explain/cases/new", "POST test-cases"),
    ("GET explain/cases/{case}", "GET test-cases/{case}"),
    ("POST explain/cases/{case}", "PUT test-cases/{case}"),
    ("POST explain/cases/{case}/remove", "DELETE test-cases/{case}"),
    ("GET funnel", "GET funnel"),
    ("POST funnel/count", "POST funnel/count"),
    ("GET funnel/steps.csv", "GET funnel/steps.csv"),
    ("GET funnel/parts.csv", "GET funnel/parts.csv"),
    ("GET groups", "GET groups"),
    ("POST groups", "POST groups"),
    ("GET groups/{group}", "GET groups/{group}"),
    ("POST groups/{group}", "PUT groups/{group}"),
    ("POST groups/{group}/remove", "DELETE groups/{group}"),
    ("GET jobs", "GET jobs"),
    ("GET jobs/{job}", "GET jobs/{job}"),
    ("GET jobs/{job}", "GET jobs/{job}/results"),
    ("GET jobs/{job}/results.csv", "GET jobs/{job}/results.csv"),
    ("POST jobs/{job}/cancel", "DELETE jobs/{job}"),
    ("POST import", "POST import/users"),
    ("POST tokens/import", "POST import/tokens"),
    ("GET access-log", "GET access-log"),
    ("GET authentication-log", "GET authentication-log"),
    ("GET audit-log", "GET audit-log"),
    ("GET audit-log", "GET audit-chain"),
    ("GET enrollment-history", "GET enrollment-history"),
    ("GET access-log/export/{form}", "GET access-log/export/{form}"),
    ("GET authentication-log/export/{form}", "GET authentication-log/export/{form}"),
    ("GET audit-log/export/{form}", "GET audit-log/export/{form}"),
    ("GET enrollment-history/export/{form}", "GET enrollment-history/export/{form}"),
    ("POST audit-log/check", "POST audit-chain/check"),
    ("GET operators", "GET operators"),
    ("POST operators/{user}/role", "PUT operators/{user}"),
    ("POST operators/{user}/remove", "DELETE operators/{user}"),
    ("GET operators", "GET roles"),
    ("GET roles/{role}", "GET roles/{role}"),
    ("POST roles/new", "POST roles"),
    ("POST roles/{role}", "PUT roles/{role}"),
    ("POST roles/{role}/remove", "DELETE roles/{role}"),
    ("GET policies", "GET access-policies"),
    ("POST policies/new", "POST access-policies"),
    ("GET policies/{policy}", "GET access-policies/{policy}"),
    ("POST policies/{policy}", "PUT access-policies/{policy}"),
    ("POST policies/{policy}/remove", "DELETE access-policies/{policy}"),
    ("POST policies/{policy}/rank", "PUT access-policies/{policy}/rank"),
    ("GET branding", "GET settings/branding"),
    ("GET branding", "GET branding/pictures"),
    ("POST branding", "PATCH settings/branding"),
    ("POST branding/pictures/{picture}", "PUT branding/pictures/logo"),
    ("POST branding/pictures/{picture}", "PUT branding/pictures/banner"),
    ("POST branding/pictures/{picture}", "PUT branding/pictures/background"),
    ("POST branding/pictures/{picture}/remove", "DELETE branding/pictures/logo"),
    ("POST branding/pictures/{picture}/remove", "DELETE branding/pictures/banner"),
    ("POST branding/pictures/{picture}/remove", "DELETE branding/pictures/background"),
    ("GET messages", "GET messages"),
    ("GET messages/{language}/{name}", "GET messages/{language}/{name}"),
    ("POST messages/{language}/{name}", "PUT messages/{language}/{name}"),
    ("POST messages/{language}/{name}", "POST messages/{language}/{name}/test"),
    ("POST messages/{language}/{name}/restore", "DELETE messages/{language}/{name}"),
    ("GET settings/organization", "GET organization"),
    ("POST settings/organization", "PUT organization"),
    ("GET alerts", "GET alerts"),
    ("GET alerts", "GET settings/alerts"),
    ("POST alerts", "PATCH settings/alerts"),
    ("GET webhooks/{webhook}", "GET webhooks/{webhook}"),
    ("GET webhooks/{webhook}", "GET webhooks/{webhook}/deliveries"),
    ("POST webhooks/new", "POST webhooks"),
    ("POST webhooks/{webhook}", "PUT webhooks/{webhook}"),
    ("POST webhooks/{webhook}/test", "POST webhooks/{webhook}/test"),
    ("POST webhooks/{webhook}/secret", "POST webhooks/{webhook}/secret"),
    ("POST webhooks/{webhook}/remove", "DELETE webhooks/{webhook}"),
    ("GET alerts", "GET webhooks"),
    ("GET report-schedules", "GET report-schedules"),
    ("GET report-schedules", "GET report-runs"),
    ("GET report-schedules/{schedule}", "GET report-schedules/{schedule}"),
    ("POST report-schedules/new", "POST report-schedules"),
    ("POST report-schedules/{schedule}", "PUT report-schedules/{schedule}"),
    ("POST report-schedules/{schedule}/remove", "DELETE report-schedules/{schedule}"),
    ("GET preflight", "GET preflight"),
    ("POST preflight/mail", "POST preflight/test-mail"),
    ("POST provision", "POST provisioning-tasks"),
    ("GET provisioning", "GET provisioning-tasks"),
    ("GET provisioning/{task}", "GET provisioning-tasks/{task}"),
    ("GET provisioning/{task}", "GET provisioning-tasks/{task}/people"),
    ("POST provisioning/{task}/stop", "PUT provisioning-tasks/{task}/stop"),
    ("POST provisioning/{task}/resend", "POST places/{place}/resend"),
    ("POST provisioning/{task}/remove", "DELETE provisioning-tasks/{task}"),
    ("GET provisioning-rules", "GET provisioning-rules"),
    ("POST provisioning-rules/new", "POST provisioning-rules"),
    ("POST provisioning-rules/{rule}", "PUT provisioning-rules/{rule}"),
    ("POST provisioning-rules/{rule}/remove", "DELETE provisioning-rules/{rule}"),
    ("GET rollout", "GET rollout"),
    ("GET rollout", "GET rollout/settings"),
    ("POST rollout/edit", "PUT rollout/settings"),
    ("POST rollout/count", "POST rollout/count"),
    ("POST rollout/waves/{wave}/pause", "POST rollout/waves/{wave}/pause"),
    ("POST rollout/waves/{wave}/resume", "POST rollout/waves/{wave}/resume"),
    ("GET self-provisioning", "GET settings/self_provisioning"),
    ("POST self-provisioning/edit", "PATCH settings/self_provisioning"),
    ("GET platforms", "GET settings/platforms"),
    ("POST platforms", "PATCH settings/platforms"),
    ("GET tokens", "GET tokens"),
    ("GET tokens/export/{form}", "GET tokens/export/{form}"),
    ("GET tokens/snapshot", "GET tokens/counts"),
    ("GET tokens/{serial}", "GET tokens/{serial}"),
    ("POST tokens/{serial}/rename", "PUT tokens/{serial}/name"),
    ("POST tokens/{serial}/synchronize", "POST tokens/{serial}/synchronize"),
    ("POST tokens/{serial}/pin", "POST tokens/{serial}/pin"),
    ("POST tokens/{serial}/assign", "PUT tokens/{serial}/owner"),
    ("POST tokens/{serial}/release", "DELETE tokens/{serial}/owner"),
    ("GET users", "GET users"),
    ("GET users/export/{form}", "GET users/export/{form}"),
    ("POST users/new", "POST users"),
    ("GET users/{user}", "GET users/{user}"),
    ("GET users/{user}", "GET users/{user}/sessions"),
    ("POST users/{user}", "PUT users/{user}"),
    ("POST users/{user}/enable", "POST users/{user}/status"),
    ("POST users/{user}/disable", "POST users/{user}/status"),
    ("POST users/{user}/password", "POST users/{user}/password"),
    ("POST users/{user}/groups/add", "PUT users/{user}/groups"),
    ("POST users/{user}/groups/remove", "PUT users/{user}/groups"),
    ("POST users/{user}/unlock", "POST users/{user}/unlock"),
    ("POST users/{user}/sessions/end", "DELETE users/{user}/sessions"),
    ("POST users/{user}/sessions/end", "DELETE sessions/{session}"),
    ("POST users/{user}/enrollments/resend", "POST places/{place}/resend"),
    ("POST users/{user}/enrollments/withdraw", "DELETE places/{place}"),
    ("POST users/{user}/reopen", "POST users/{user}/reopen"),
    ("POST users/{user}/enroll-again", "POST users/{user}/enroll-again"),
    ("POST users/{user}/pass", "POST users/{user}/pass"),
    ("POST users/{user}/pass/confirm", "POST users/{user}/pass-confirmation"),
    ("POST users/{user}/codes", "POST users/{user}/codes"),
    ("POST users/{user}/codes/void", "DELETE users/{user}/codes"),
    ("POST users/{user}/data.json", "POST users/{user}/data"),
    ("POST users/{user}/erase", "DELETE users/{user}"),
];

/// Routes of the console that the API has in another form, and why.
const CONSOLE_ALONE: &[(&str, &str)] = &[
    ("GET ", "the address without a slash"),
    ("GET /", "the first page that the role permits"),
    ("GET resume/{login}", "the way back from the login of the operator's own session"),
    ("POST logout", "ends the operator's own session; a key has none"),
    ("GET applications/new", "an empty form"),
    ("GET explain/cases/new", "an empty form"),
    ("GET import", "an empty form"),
    ("GET tokens/import", "an empty form"),
    ("GET roles/new", "an empty form"),
    ("GET policies/new", "an empty form"),
    ("GET users/new", "an empty form"),
    ("GET provisioning-rules/new", "an empty form"),
    ("GET provisioning-rules/{rule}", "the form of a rule; the list of the API has all of each"),
    ("GET rollout/edit", "the form of what GET rollout/settings gives"),
    ("GET self-provisioning/edit", "the form of what GET settings/self_provisioning gives"),
    ("GET provision", "an empty form"),
    ("POST provision/selection", "takes a selection to that form"),
    ("GET audit-log/event/{event}", "one row of GET audit-log, which has all of it"),
    ("GET branding/sample.css", "the colours of the sample on the page"),
    ("GET branding/log", "GET audit-log with the section as its subject"),
    ("GET alerts/log", "GET audit-log with the section as its subject"),
    ("GET webhooks/new", "an empty form"),
    ("GET report-schedules/new", "an empty form"),
    ("GET self-provisioning/log", "GET audit-log with the section as its subject"),
    ("GET platforms/log", "GET audit-log with the section as its subject"),
    ("POST applications/{application}/metadata", "PUT applications/{application} takes metadata in its draft"),
    ("GET tokens/exports", "two people, R-364: whoever holds two keys is not two people"),
    ("POST tokens/exports", "two people, R-364: whoever holds two keys is not two people"),
    ("POST tokens/exports/{export}/approve", "two people, R-364: whoever holds two keys is not two people"),
    ("POST tokens/exports/{export}/file", "two people, R-364: whoever holds two keys is not two people"),
    ("POST operators", "PUT operators/{user} makes an account an operator"),
];

/// Routes of the API that the console has in another form, and why.
const API_ALONE: &[(&str, &str)] = &[
    ("GET openapi.json", "the description, for programs"),
    ("GET me", "what the key may do; an operator sees it by the menu"),
    ("GET settings", "all sections at once; the console has a page for each"),
    ("GET audit-chain/keys", "for programs that check checkpoints; `vestibule audit` has them for people"),
    ("GET users/{user}/history", "a part of GET users/{user} for whoever may view the log"),
    ("POST messages/{language}/{name}/preview", "a button of POST messages/{language}/{name}"),
    ("GET logs/access", "for programs that collect logs; people have the list and its file"),
    ("GET logs/authentication", "for programs that collect logs; people have the list and its file"),
    ("GET logs/audit", "for programs that collect logs; people have the list and its file"),
    ("POST rollout/effect", "a button of POST rollout/edit"),
    ("POST settings/self_provisioning/effect", "a button of POST self-provisioning/edit"),
];

fn name(route: &Listed) -> String {
    format!("{} {}", route.method, route.path)
}

/// Addresses that differ in one word: those of sections, and of what is done to a selection.
fn systematic(name: &str) -> bool {
    let section = |path: &str| {
        let id = path.trim_end_matches("/edit").trim_end_matches("/log");
        id.contains("settings") || id.contains("templates") || id.contains("polic") || id.contains("pin")
    };
    let (method, path) = name.split_once(' ').unwrap();
    let of_many = ["users/selection/", "user-jobs/", "tokens/selection/", "token-jobs/"];
    of_many.iter().any(|start| path.starts_with(start))
        || ["suspend", "reactivate", "unlock", "revoke"].iter().any(|deed| path == format!("tokens/{{serial}}/{deed}"))
        || (path.starts_with("settings/") && matches!(method, "GET" | "PATCH"))
        || (section(path) && !path.starts_with("access-policies") && !path.starts_with("policies"))
}

/// Issue 6, part 9: see above. A route that is added to the one table and not to the other fails here.
#[test]
fn the_console_can_do_nothing_that_the_api_cannot() {
    let console = vestibule::pages::operator::table().listed().to_vec();
    let api = vestibule::api::management::table().listed().to_vec();
    let of = |routes: &[Listed]| routes.iter().map(name).collect::<BTreeSet<_>>();
    let (here, there) = (of(&console), of(&api));
    let mut faults = Vec::new();
    for (one, other) in PAIRS {
        if !here.contains(*one) {
            faults.push(format!("the console has no {one}"));
        }
        if !there.contains(*other) {
            faults.push(format!("the API has no {other}, which {one} should have"));
        }
        let needs = |routes: &[Listed], wanted: &str| routes.iter().find(|it| name(it) == wanted).map(|it| it.needs);
        if needs(&console, one) != needs(&api, other) {
            faults.push(format!("{one} and {other} need different permissions"));
        }
    }
    for (route, alone, paired) in [
        (&here, CONSOLE_ALONE, PAIRS.iter().map(|(one, _)| *one).collect::<BTreeSet<_>>()),
        (&there, API_ALONE, PAIRS.iter().map(|(_, other)| *other).collect()),
    ] {
        for name in route {
            let excepted = alone.iter().any(|(known, _)| known == name);
            if !excepted && !paired.contains(name.as_str()) && !systematic(name) {
                faults.push(format!("{name} has no counterpart"));
            }
        }
        for (name, _) in alone {
            if !route.contains(*name) {
                faults.push(format!("{name} is an exception and is not there"));
            }
        }
    }
    // What is done to one token or to a selection is the same list of deeds in both.
    for (from, to) in [("users/selection/", "user-jobs/"), ("tokens/selection/", "token-jobs/")] {
        for route in console.iter().filter(|route| route.path.starts_with(from)) {
            let other = format!("POST {}", route.path.replace(from, to));
            let needs = api.iter().find(|it| name(it) == other).map(|it| it.needs);
            if needs != Some(route.needs) {
                faults.push(format!("{other} is missing, or needs something else than {}", name(route)));
            }
        }
    }
    assert!(console.iter().chain(&api).any(|route| matches!(route.needs, Needs::May(_))), "the tables were read");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
