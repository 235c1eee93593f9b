//! The settings at the console and through the management API: the self-provisioning screen, the platform matrix, templates, and
//! two operators who edit at once.

use reqwest::Method;
use serde_json::json;
use vestibule::domain::operator::Role;

use crate::console::{at_console, call, call_with, console, key, staffed};
use crate::world::BOTH;

/// the self-provisioning screen.
#[actix_web::test]
async fn the_self_provisioning_screen() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "self-provisioning").await;
        assert_eq!(seen.title(), "Self-provisioning", "{on:?}: {}", seen.body);
        for shown in
            ["Members of these groups only", "<li>pilot</li>", "Do not display a link", "token-templates", "iOS"]
        {
            assert!(seen.body.contains(shown), "{on:?} {shown}: {}", seen.body);
        }
        assert!(seen.find("main input[type=radio]").is_none() && seen.has_action("edit"), "{on:?}: read-only first");
        assert!(seen.body.contains("share work with exe or msi installations only"), "{on:?}: R-076");
        let form = oona.get(&seen.link("edit")).await;
        assert!(form.has_action("save") && form.has_action("cancel"), "{on:?}");
        let always = [("require_password", "yes"), ("wait_after_address_change_seconds", "0")];
        let fields = |more: &[(&'static str, &'static str)]| [&always[..], more].concat();
        // What cannot be is told at its field, and what was typed stays.
        for (more, told) in [
            (
                &[("target_users", "members_of"), ("groups", "")][..],
                "Group names: is empty, but “Target Users” names groups",
            ),
            (&[("target_users", "members_of"), ("groups", "pilot\nmars")], "there is no group &#34;mars&#34;"),
            (
                &[("target_users", "all"), ("windows_link", "installer")],
                "Address of the installer: is missing, but the link leads to an installer",
            ),
            (
                &[("target_users", "all"), ("windows_link", "installer"), ("installer_url", "http://x.test/a.exe")],
                "https",
            ),
            (
                &[("target_users", "all"), ("windows_link", "store"), ("store_product_id", "short")],
                "12 letters and digits",
            ),
            (&[("target_users", "everybody")], "unknown variant"),
        ] {
            let refused = oona.press(&form, "save", &fields(more)).await;
            assert!(refused.body.contains(told), "{on:?} {more:?}: {}", refused.body);
            assert!(refused.body.contains("Nothing was changed"), "{on:?} {more:?}");
        }
        let refused = oona.press(&form, "save", &fields(&[("target_users", "members_of"), ("groups", "mars")])).await;
        assert!(refused.body.contains(">mars</textarea>"), "{on:?}: {}", refused.body);
        assert_eq!(world.events("tenant_changed").await, 1, "{on:?}: only what the file brought");
        // the effect in numbers, before anything is saved.
        let looked = oona.press(&form, "effect", &fields(&[("target_users", "all")])).await;
        // Ada, Barbara, Linus and three operators; the last four have an authenticator.
        assert!(looked.body.contains("6 target users: 4 have an authenticator, 2 would be asked"), "{}", looked.body);
        let looked = oona.press(&form, "effect", &fields(&[("target_users", "members_of"), ("groups", "mars")])).await;
        assert!(looked.body.contains("there is no group") && !looked.body.contains("target users:"), "{on:?}");
        assert_eq!(world.events("tenant_changed").await, 1, "{on:?}");
        // Two at once: the second one is told.
        let (mut other, _) = at_console(&world, "oona", "self-provisioning").await;
        let late = other.get(&console(&world, "self-provisioning/edit")).await;
        let saved = oona.press(&form, "save", &fields(&[("target_users", "none"), ("groups", "pilot")])).await;
        assert!(saved.body.contains("No users") && saved.body.contains("Saved."), "{on:?}: {}", saved.body);
        let refused = other.press(&late, "save", &fields(&[("target_users", "all"), ("groups", "pilot")])).await;
        assert!(refused.body.contains("somebody else changed this meanwhile"), "{on:?}: {}", refused.body);
        let seen = other.get(&console(&world, "self-provisioning")).await;
        assert!(seen.body.contains("No users"), "{on:?}: nothing was overwritten");
        // it counts at the next login. R-031: the group is kept.
        let mut ada = crate::visitor::Visitor::new(&world.url);
        let page = crate::story::after_password(&world, &mut ada, "ada", crate::story::PASSWORD).await;
        assert!(!page.has_action("add-authenticator"), "{on:?}: R-028: {}", page.body);
        let log = other.get(&seen.link("change-log")).await;
        let named = "Target Users <code>target_users</code>";
        assert!(log.body.contains(named) && log.body.contains("none"), "{on:?}: R-037: {}", log.body);
        assert!(log.body.contains(" UTC, oona<"), "{on:?}: by whom, by name: {}", log.body);
        let form = other.get(&console(&world, "self-provisioning/edit")).await;
        assert!(form.body.contains(">pilot</textarea>"), "{on:?}: R-031");
        world.stop().await;
    }
}

/// one person is offered self-provisioning whatever the target users and the rollout say; nobody else notices.
#[actix_web::test]
async fn one_user_tries_the_pages_out() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, form) = at_console(&world, "oona", "self-provisioning/edit").await;
        let offered = async |name: &str, password: &str| {
            let mut visitor = crate::visitor::Visitor::new(&world.url);
            crate::story::after_password(&world, &mut visitor, name, password).await.has_action("add-authenticator")
        };
        let (ada, barbara) = (("ada", crate::story::PASSWORD), ("barbara", "not in the rollout"));
        let always =
            [("require_password", "yes"), ("wait_after_address_change_seconds", "0"), ("target_users", "none")];
        let seen = oona.press(&form, "save", &[&always[..], &[("preview_user", " Ada ")]].concat()).await;
        assert!(seen.find("[data-preview]").is_some_and(|told| told.starts_with("Ada")), "{on:?}: {}", seen.body);
        assert!(offered(ada.0, ada.1).await && !offered(barbara.0, barbara.1).await, "{on:?}: no target users");
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\ntarget_users = \"all\"\nrollout = \"waves\"\n\
                 [[tenant.self_provisioning.wave]]\nname = \"Later\"\nstarts_at = 2099-01-01T00:00:00Z\n",
            )
            .await;
        assert!(
            offered(ada.0, ada.1).await && !offered(barbara.0, barbara.1).await,
            "{on:?}: a wave that has not begun"
        );
        let explained = world.command(&["explain", "--user", "ada", "--application", "notes"]);
        assert!(explained.contains("named to try the pages out"), "{on:?}: {explained}");
        let refused =
            world.try_apply("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\npreview_user = \" \"\n");
        assert!(refused.await.unwrap_err().contains("preview_user"), "{on:?}");
        // A name that is nobody's is told of: otherwise nobody would know why nothing happens.
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\npreview_user = \"adda\"\n").await;
        let seen = oona.get(&console(&world, "self-provisioning")).await;
        assert!(seen.body.contains("There is no user &#34;adda&#34;"), "{on:?}: {}", seen.body);
        let form = oona.get(&console(&world, "self-provisioning/edit")).await;
        let seen =
            oona.press(&form, "save", &[&always[..2], &[("target_users", "all"), ("preview_user", "")]].concat()).await;
        assert!(seen.find("[data-preview]").is_none(), "{on:?}: {}", seen.body);
        assert!(!offered(ada.0, ada.1).await, "{on:?}: like everybody else");
        world.stop().await;
    }
}

/// without the right to edit everything is there to read and nothing to press.
#[actix_web::test]
async fn without_the_right_to_edit_there_is_nothing_to_press() {
    let world = staffed(crate::world::On::Sqlite).await;
    let reads = ["self_provisioning", "platforms", "token_templates", "server_side_pin", "user_policies", "settings"];
    let permissions: Vec<String> = reads.iter().map(|module| format!("{module} = [\"access\"]")).collect();
    world
        .apply(&format!(
            "[[tenant]]\ncode = \"acme\"\n[[tenant.role]]\nname = \"Reader\"\npermissions = {{ {} }}\n\
             [[tenant.operator]]\nusername = \"audra\"\nrole = \"Reader\"\n",
            permissions.join(", ")
        ))
        .await;
    let (mut audra, _) = at_console(&world, "audra", "platforms").await;
    for page in ["self-provisioning", "platforms", "token-templates", "server-side-pin", "user-policies", "settings"] {
        let seen = audra.get(&console(&world, page)).await;
        assert_eq!(seen.status, 200, "{page}: {}", seen.body);
        for action in ["edit", "save", "apply"] {
            assert!(!seen.has_action(action), "R-014: {page} {action}: {}", seen.body);
        }
    }
    world.stop().await;
}

/// the matrix.
#[actix_web::test]
async fn the_platform_matrix() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "platforms").await;
        for row in ["Android", "iOS", "Windows 10 Mobile", "Windows 10"] {
            assert!(seen.body.contains(&format!("<th scope=\"row\">{row}</th>")), "{on:?} R-046 {row}");
        }
        let refused = oona.press(&seen, "apply", &[("ios.allowed", "yes"), ("ios.minimum_os", "latest")]).await;
        let said = "iOS, mobile/tablet, Oldest system version: must be a version such as";
        assert!(refused.body.contains(said), "{on:?}: the row and its column: {}", refused.body);
        let seen =
            oona.press(&seen, "apply", &[("ios.allowed", "yes"), ("ios.push", "yes"), ("android.push", "yes")]).await;
        assert!(seen.body.contains("Saved."), "{on:?}: {}", seen.body);
        let everything = key(&world, Role::Operator).await;
        let (_, tag, matrix) = call_with(&world, &everything, Method::GET, "settings/platforms", None, None).await;
        assert_eq!(matrix["ios"], json!({ "allowed": true, "push": true, "minimum_os": null }), "{on:?}");
        assert_eq!(matrix["android"]["push"], false, "{on:?}: R-049");
        let wanted = json!({ "android": { "push": true } });
        let path = "settings/platforms";
        let (status, _, body) = call_with(&world, &everything, Method::PATCH, path, Some(wanted), Some(&tag)).await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("android.push")), "{on:?}: {body}");
        let seen = oona.press(&seen, "apply", &[]).await;
        assert!(seen.body.contains("No platform is allowed"), "{on:?}: R-060");
        let warned = oona.get(&console(&world, "self-provisioning")).await;
        assert!(warned.body.contains("offered to nobody"), "{on:?}: R-060: {}", warned.body);
        let log = oona.get(&seen.link("change-log")).await;
        assert!(log.body.contains("ios") && log.body.contains("oona"), "{on:?}: R-061: {}", log.body);
        world.stop().await;
    }
}

/// templates and policies by their pages and through the API, and the two
/// agree; what does not apply is greyed out.
#[actix_web::test]
async fn templates_and_policies() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, _) = at_console(&world, "oona", "token-templates").await;
        let form = oona.get(&console(&world, "token-templates/token_template_app")).await;
        assert!(form.find("#pin_min_length[disabled]").is_some(), "{on:?}: R-233: {}", form.body);
        assert!(form.body.contains(">6 or 8.<") && !form.body.contains("6 to 8. 6 or 8"), "{on:?}: {}", form.body);
        let looked = oona.press(&form, "look", &[("pin_type", "user_selected"), ("mode", "quick_log")]).await;
        assert!(looked.find("#pin_min_length[disabled]").is_none(), "{on:?}: {}", looked.body);
        let refused = oona
            .press(&looked, "save", &[("pin_type", "user_selected"), ("pin_min_length", "3"), ("length", "7")])
            .await;
        assert!(refused.body.contains("Passcode length:") && refused.body.contains("Minimum PIN length:"), "{on:?}");
        let saved = oona
            .press(&looked, "save", &[("pin_type", "user_selected"), ("pin_min_length", "6"), ("length", "8")])
            .await;
        assert!(saved.body.contains("Saved."), "{on:?}: {}", saved.body);
        // D4: other fields are called as the page calls them.
        let pins = oona.get(&console(&world, "server-side-pin/server_side_pin")).await;
        let lengths = [("min_length", "8"), ("max_length", "6"), ("generated_length", "8")];
        let refused = oona.press(&pins, "save", &lengths).await;
        let said = "Maximum length: must not be less than “Minimum length”";
        assert!(refused.body.contains(said), "{on:?}: {}", refused.body);
        let everything = key(&world, Role::Operator).await;
        let path = "settings/token_template_app";
        let (status, tag, template) = call_with(&world, &everything, Method::GET, path, None, None).await;
        assert_eq!(
            (status, &template["length"], &template["version"]),
            (200, &json!(8), &json!(2)),
            "{on:?}: {template}"
        );
        assert_eq!(template["pin_min_length"], 6, "{on:?}");
        let patch = |body| call_with(&world, &everything, Method::PATCH, path, Some(body), Some(&tag));
        let (status, _, body) = patch(json!({ "lenght": 6 })).await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("lenght")), "{on:?}: {body}");
        let (status, fresh, _) = patch(json!({ "length": 6 })).await;
        assert!(status == 200 && fresh != tag, "{on:?}");
        let (status, _, body) = patch(json!({ "length": 8 })).await;
        assert_eq!((status, &body["code"]), (412, &json!("changed_meanwhile")), "{on:?}: R-040");
        let (status, body) = call(&world, &everything, Method::PATCH, path, Some(json!({ "length": 8 }))).await;
        assert_eq!((status, &body["code"]), (428, &json!("version_needed")), "{on:?}: {body}");
        // Another section in between disturbs nobody.
        let form = oona.get(&console(&world, "user-policies/lockout")).await;
        let (status, tag, _) = call_with(&world, &everything, Method::GET, "settings/session", None, None).await;
        assert_eq!(status, 200, "{on:?}");
        let session = Some(json!({ "idle_seconds": 600 }));
        let (status, ..) = call_with(&world, &everything, Method::PATCH, "settings/session", session, Some(&tag)).await;
        assert_eq!(status, 200, "{on:?}");
        let saved =
            oona.press(&form, "save", &[("threshold", "5"), ("lock_seconds", "60"), ("count_passwords", "yes")]).await;
        assert!(saved.body.contains("Saved."), "{on:?}: {}", saved.body);
        let (_, all) = call(&world, &everything, Method::GET, "settings", None).await;
        assert_eq!(
            (&all["lockout"]["threshold"], &all["lockout"]["count_passcodes"], &all["session"]["idle_seconds"]),
            (&json!(5), &json!(false), &json!(600)),
            "{on:?}: {all}"
        );
        let log = oona.get(&console(&world, "token-templates/token_template_app/log")).await;
        assert!(log.body.contains("length") && log.body.contains("operator oona"), "{on:?}: R-217: {}", log.body);
        let auditor = key(&world, Role::Auditor).await;
        let (_, none) = call(&world, &auditor, Method::GET, "settings", None).await;
        assert_eq!(none, json!({}), "{on:?}: R-016");
        world.stop().await;
    }
}

/// what the organization is called, its language and its help desk, at the console and by the API.
#[actix_web::test]
async fn the_organization_and_its_language() {
    for on in BOTH {
        let world = staffed(on).await;
        let all = key(&world, Role::Operator).await;
        let (mut oona, seen) = at_console(&world, "oona", "settings").await;
        assert!(seen.body.contains("Organization and language") && seen.body.contains("Retention of logs"), "{on:?}");
        let form = oona.get(&console(&world, "settings/organization")).await;
        let fields = [("name", ""), ("default_language", "tlh"), ("help_contact", "call 4711")];
        let refused = oona.press(&form, "save", &fields).await;
        assert!(refused.body.contains("is not a language of ours"), "{on:?}: {}", refused.body);
        let fields = [("name", " "), ("default_language", "de"), ("help_contact", "call 4711")];
        let refused = oona.press(&form, "save", &fields).await;
        assert!(refused.body.contains("Nothing was changed") && refused.body.contains("call 4711"), "{on:?}");
        let fields = [("name", "Acme Europe"), ("default_language", "de"), ("help_contact", "call 4711")];
        let saved = oona.press(&form, "save", &fields).await;
        assert!(saved.body.contains("Saved.") && saved.body.contains("Acme Europe"), "{on:?}: {}", saved.body);
        let late = oona.press(&form, "save", &fields).await;
        assert!(late.body.contains("somebody else changed this meanwhile"), "{on:?}: {}", late.body);
        let mut ada = crate::visitor::Visitor::new(&world.url);
        let page = ada.get(&crate::story::authorize(&world, "")).await;
        assert!(page.body.contains("Acme Europe") && page.body.contains("call 4711"), "{on:?}: {}", page.body);
        assert!(page.body.contains("<html lang=\"de\""), "{on:?}: R-531: {}", page.body);
        let (_, tag, seen) = call_with(&world, &all, Method::GET, "organization", None, None).await;
        assert_eq!(seen["default_language"], "de", "{on:?}: {seen}");
        let wanted = json!({ "name": "Acme", "default_language": "en", "help_contact": "" });
        let put = |tag| call_with(&world, &all, Method::PUT, "organization", Some(wanted.clone()), Some(tag));
        assert_eq!(put(&tag).await.0, 200, "{on:?}");
        assert_eq!(put(&tag).await.0, 412, "{on:?}");
        world.stop().await;
    }
}
