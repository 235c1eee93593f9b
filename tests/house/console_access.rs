//! The console's pages of applications, access policies, explanations and preflight, as operators use them.

use reqwest::Method;
use scraper::{ElementRef, Html, Selector};
use serde_json::{Value, json};
use vestibule::domain::operator::Role;

use crate::browser::{Chromium, DESKTOP, PHONE};
use crate::console::{acme_with_operators, at_console, call, call_with, console, key, staffed};
use crate::imports::key_with;
use crate::saml_signer::Signer;
use crate::story::oathtool;
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

/// The page of the console at `page`.
async fn at(world: &World, visitor: &mut Visitor, page: &str) -> Seen {
    visitor.get(&console(world, page)).await
}

fn has(seen: &Seen, words: &str) -> bool {
    seen.body.contains(words)
}

/// Presses the button that carries `action`, as a browser would: with everything that its form holds, `fields` filled in. An
/// empty value takes a box's tick away.
async fn submit(visitor: &mut Visitor, seen: &Seen, action: &str, fields: &[(&str, &str)]) -> Seen {
    let (address, hidden) = seen.form(action);
    let mut all: Vec<(String, String)> = held(seen, action);
    all.extend(hidden.into_iter().filter(|(name, _)| all.iter().all(|(other, _)| other != name)).collect::<Vec<_>>());
    for (name, value) in fields {
        let boxes = all.iter().any(|(other, held)| other == name && held == "yes" && value.is_empty());
        all.retain(|(other, _)| other != name);
        if !boxes {
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    visitor.post(&address, &all).await
}

/// What the controls of the form hold around the button that carries `action`.
fn held(seen: &Seen, action: &str) -> Vec<(String, String)> {
    let page = Html::parse_document(&seen.body);
    let button = Selector::parse(&format!("[data-action={action}]")).unwrap();
    let button = page.select(&button).next().unwrap_or_else(|| panic!("no {action}: {}", seen.body));
    let form = button.ancestors().filter_map(ElementRef::wrap).find(|it| it.value().name() == "form").unwrap();
    let controls = Selector::parse("input, select, textarea").unwrap();
    let (chosen, first) = (Selector::parse("option[selected]").unwrap(), Selector::parse("option").unwrap());
    let mut all = Vec::new();
    for control in form.select(&controls) {
        let element = control.value();
        let Some(name) = element.attr("name").filter(|_| element.attr("disabled").is_none()) else { continue };
        let of = |option: ElementRef<'_>| {
            let text = option.text().collect::<String>();
            option.attr("value").map_or(text, str::to_owned)
        };
        let value = match (element.name(), element.attr("type")) {
            ("textarea", _) => control.text().collect(),
            ("select", _) => {
                control.select(&chosen).next().or_else(|| control.select(&first).next()).map(of).unwrap_or_default()
            }
            (_, Some("checkbox" | "radio")) if element.attr("checked").is_none() => continue,
            _ => element.attr("value").unwrap_or("on").to_owned(),
        };
        let value =
            if element.attr("type").is_some() && element.attr("value").is_none() { String::new() } else { value };
        all.push((name.to_owned(), value));
    }
    all
}

/// a policy is typed, corrected, ranked by keyboard, changed by two people at once, held against a
/// test case that an explanation became, saved all the same, and removed.
#[actix_web::test]
async fn policies_at_the_console() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "policies").await;
        assert_eq!(seen.title(), "Access policies", "{on:?}: {}", seen.body);
        // What is explained is kept.
        let asked = "explain?user=ada&application=Notes&address=192.0.2.7";
        let seen = at(&world, &mut oona, asked).await;
        assert_eq!(seen.find("[data-enrollment]").as_deref(), Some("offered"), "{on:?}: {}", seen.body);
        let targets = "Target Users is “Members of these groups only”; ada is in pilot";
        assert!(has(&seen, targets) && has(&seen, ">access<"), "{on:?}: in words of the console: {}", seen.body);
        let held = at(&world, &mut oona, "explain?user=barbara&application=Notes&address=192.0.2.7").await;
        for words in
            ["not among the target users of self-provisioning <code>not_targeted</code>", "passcode (once per session)"]
        {
            assert!(has(&held, words), "{on:?}: {words}: {}", held.body);
        }
        for code in ["target_users", "vestibule user", "otp (", ">grant<"] {
            assert!(!has(&held, code), "{on:?}: {code}: {}", held.body);
        }
        let seen = oona.get(&seen.link("keep-case")).await;
        let seen = submit(&mut oona, &seen, "save-case", &[("name", "Ada enrolls")]).await;
        assert!(
            has(&seen, "access with password and otp, enrollment offered") && has(&seen, ">holds<"),
            "{}",
            seen.body
        );

        // Self-provisioning is held against it, too.
        let seen = at(&world, &mut oona, "self-provisioning/edit").await;
        let seen = submit(&mut oona, &seen, "save", &[("target_users", "none")]).await;
        assert!(has(&seen, "Ada enrolls: enrollment is not offered, expected offered"), "{on:?}: {}", seen.body);
        let seen = submit(&mut oona, &seen, "save", &[("anyway", "yes")]).await;
        assert!(!has(&seen, "Nothing was saved yet"), "{on:?}: {}", seen.body);
        let seen = at(&world, &mut oona, "self-provisioning/edit").await;
        submit(&mut oona, &seen, "save", &[("target_users", "members_of")]).await;

        // Faults stand beside their fields, and what was typed is still there.
        let seen = at(&world, &mut oona, "policies/new").await;
        let typed = [("name", ""), ("networks", "10.0.0.0/33"), ("groups", "pilots"), ("scenario-0-name", "Abroad")];
        let seen = submit(&mut oona, &seen, "save-policy", &typed).await;
        for words in [
            "Name: is empty",
            "Networks that people come from: ",
            "is not a network",
            "Groups: there is no group",
            "Scenario 1, Applies inside these networks: ",
            "a scenario needs “Applies inside these networks”",
            "pilots",
        ] {
            assert!(has(&seen, words), "{on:?}: {words}: {}", seen.body);
        }
        let typed = [("name", "Loose"), ("networks", ""), ("groups", ""), ("scenario-0-name", ""), ("otp", "")];
        let seen = submit(&mut oona, &seen, "save-policy", &typed).await;
        let asks = "Nothing was saved yet: these test cases hold now and would not hold any more.";
        assert!(
            has(&seen, asks) && has(&seen, "Ada enrolls: require is [password], expected"),
            "{on:?}: {}",
            seen.body
        );
        assert_eq!(world.events("policy_created").await, 0, "{on:?}");
        let seen = submit(&mut oona, &seen, "save-policy", &[("anyway", "yes")]).await;
        assert!(has(&seen, "The policy was saved, after the others"), "{on:?}: {}", seen.body);
        let seen = oona.get(&seen.link("new-policy")).await;
        let seen =
            submit(&mut oona, &seen, "save-policy", &[("name", "Strict"), ("applications", "notes\nWiki")]).await;
        assert!(has(&seen, "applications: Notes, Wiki"), "{on:?}: {}", seen.body);
        // Up, with a press of a button; the one who looked before is told.
        let before = seen.clone();
        let seen = submit(&mut oona, &seen, "up-2", &[]).await;
        assert!(has(&seen, "The policies were ranked anew"), "{on:?}: {}", seen.body);
        let ranks = |seen: &Seen| (seen.body.find(">Strict<").unwrap(), seen.body.find(">Loose<").unwrap());
        assert!(ranks(&seen).0 < ranks(&seen).1, "{on:?}: {}", seen.body);
        let late = submit(&mut oona, &before, "up-2", &[]).await;
        assert!(has(&late, "somebody else changed this meanwhile"), "{on:?}: {}", late.body);
        let (address, _) = seen.form("down-1");
        let strict = address.trim_end_matches("/rank").to_owned();
        let first = oona.get(&strict).await;
        assert!(has(&first, "Notes\nWiki"), "{on:?}: {}", first.body);
        let frequency = [("otp-frequency", "seconds"), ("otp-seconds", "3600")];
        let seen = submit(&mut oona, &first, "save-policy", &frequency).await;
        assert!(has(&seen, "passcode, every 3600 seconds"), "{on:?}: {}", seen.body);
        let second = submit(&mut oona, &first, "save-policy", &[("name", "Stricter")]).await;
        assert!(
            has(&second, "somebody else changed this meanwhile") && has(&second, "value=\"Stricter\""),
            "{}",
            second.body
        );
        let seen = oona.get(&strict).await;
        let seen = submit(&mut oona, &seen, "remove-policy", &[]).await;
        assert_eq!(seen.title(), "Remove the policy Strict?", "{on:?}: it is asked first: {}", seen.body);
        let seen = submit(&mut oona, &seen, "sure", &[]).await;
        assert!(has(&seen, asks) && has(&seen, "Remove it"), "{on:?}: Ada's case rests on it: {}", seen.body);
        let seen = submit(&mut oona, &seen, "remove-anyway", &[("anyway", "yes")]).await;
        assert!(has(&seen, "The policy was removed"), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// an application from nothing to a login, its secret seen once, metadata, and the way out; the
/// preflight page with a test mail that arrives.
#[actix_web::test]
async fn applications_at_the_console() {
    let world = staffed(On::Sqlite).await;
    let (mut oona, seen) = at_console(&world, "oona", "applications").await;
    assert!(has(&seen, "3 applications") && has(&seen, "/saml/metadata"), "{}", seen.body);
    let seen = oona.get(&seen.link("new-oidc")).await;
    let seen = oona
        .press(&seen, "save-application", &[("name", "notes"), ("oidc-redirect_uris", "http://rp.example/cb")])
        .await;
    assert!(has(&seen, "another application") && has(&seen, "http://rp.example/cb"), "{}", seen.body);
    assert!(
        has(&seen, ">Redirect addresses: ") && !has(&seen, "Redirect uris"),
        "the label of the field: {}",
        seen.body
    );
    let typed = [("name", "Blog"), ("oidc-redirect_uris", "https://rp.example/cb")];
    let seen = submit(&mut oona, &seen, "save-application", &typed).await;
    let secret = seen.find("[data-client-secret]").expect("a secret");
    assert!(secret.len() >= 40 && has(&seen, "It is inactive"), "{}", seen.body);
    let seen = submit(&mut oona, &seen, "activate", &[]).await;
    assert!(has(&seen, "The application is active") && !has(&seen, &secret), "shown once: {}", seen.body);
    let blog = seen.url.split('?').next().unwrap().to_owned();
    let seen = submit(&mut oona, &seen, "new-secret", &[]).await;
    assert_ne!(seen.find("[data-client-secret]").expect("another one"), secret);
    let seen = at(&world, &mut oona, "applications?q=blog&protocol=oidc&state=active").await;
    assert!(has(&seen, "1 application<") && has(&seen, ">Blog<"), "{}", seen.body);

    let seen = at(&world, &mut oona, "applications/new?protocol=saml").await;
    let metadata = |acs: &str| {
        format!(
            "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://crm.example\">\
             <SPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\
             <AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" index=\"7\" \
             Location=\"{acs}\"/></SPSSODescriptor></EntityDescriptor>"
        )
    };
    let (first, second) = (metadata("https://crm.example/acs"), metadata("https://crm.example/new"));
    let typed = [
        ("name", "CRM"),
        ("saml-metadata", "<oops>"),
        ("saml-attributes", "mail = email"),
        ("saml-name_id_format", "persistent"),
    ];
    let seen = submit(&mut oona, &seen, "save-application", &typed).await;
    assert!(has(&seen, ">Its metadata: ") && has(&seen, "mail = email"), "{}", seen.body);
    let chosen = seen.find("#saml-name_id_format option[selected]");
    assert_eq!(chosen.as_deref(), Some("persistent"), "R-483: what was chosen stays chosen: {}", seen.body);
    let seen = submit(&mut oona, &seen, "save-application", &[("saml-metadata", &first)]).await;
    assert!(has(&seen, "https://crm.example/acs") && has(&seen, "mail = email"), "{}", seen.body);
    let seen = submit(&mut oona, &seen, "read-metadata", &[("saml-metadata", &second)]).await;
    assert!(has(&seen, "https://crm.example/new") && !has(&seen, "https://crm.example/acs"), "{}", seen.body);
    let seen = submit(&mut oona, &seen, "save-application", &[("saml-relay_state", "home")]).await;
    assert!(has(&seen, ">https://crm.example/new 7<"), "R-488: the index stays: {}", seen.body);
    let crm = seen.url.split('?').next().unwrap().to_owned();
    let policy = at(&world, &mut oona, "policies/new").await;
    submit(&mut oona, &policy, "save-policy", &[("name", "For the CRM"), ("applications", "CRM")]).await;
    let seen = oona.get(&crm).await;
    let seen = submit(&mut oona, &seen, "remove-application", &[]).await;
    assert_eq!(seen.title(), "Remove the application CRM?", "it is asked first: {}", seen.body);
    assert_eq!(oona.get(&seen.link("back")).await.status, 200, "and is still there");
    let seen = submit(&mut oona, &seen, "sure", &[]).await;
    assert!(has(&seen, "the policy &#34;For the CRM&#34;"), "R-453: {}", seen.body);
    let seen = submit(&mut oona, &seen, "remove-anyway", &[("clean_up", "yes")]).await;
    assert!(has(&seen, "The application was removed") && !has(&seen, ">CRM<"), "{}", seen.body);
    assert_eq!(oona.get(&crm).await.status, 404);
    assert!(has(&at(&world, &mut oona, "policies").await, "There are none"), "its policy went with it");

    // a test case is removed as it was seen, or not at all.
    let form = at(&world, &mut oona, "explain/cases/new").await;
    let typed = [("name", "To go"), ("user", "ada"), ("application", "Notes"), ("decision", "deny")];
    let list = submit(&mut oona, &form, "save-case", &typed).await;
    assert!(has(&list, "The test case was saved"), "{}", list.body);
    let address = world.text("SELECT id AS t FROM policy_test_case WHERE name = 'To go'").await;
    let stale = at(&world, &mut oona, &format!("explain/cases/{address}")).await;
    submit(&mut oona, &stale, "save-case", &[("name", "To stay")]).await;
    let seen = submit(&mut oona, &stale, "remove-case", &[]).await;
    let seen = submit(&mut oona, &seen, "sure", &[]).await;
    assert!(has(&seen, "Nothing was removed: somebody else") && has(&seen, "To stay"), "{}", seen.body);
    // D3 A9: and after a question, which says what it watched over; whoever goes back has removed nothing.
    let seen = submit(&mut oona, &seen, "remove-case", &[]).await;
    assert_eq!(seen.title(), "Remove the test case To stay?", "it is asked first: {}", seen.body);
    assert!(has(&seen, "It expects for ada at Notes: access denied."), "{}", seen.body);
    let back = oona.get(&seen.link("back")).await;
    assert!(back.title() == "Test case: To stay" && world.events("test_case_removed").await == 0, "{}", back.body);
    let seen = submit(&mut oona, &seen, "sure", &[]).await;
    assert!(has(&seen, "The test case was removed") && !has(&seen, "To stay"), "{}", seen.body);

    let seen = at(&world, &mut oona, "preflight").await;
    assert!(has(&seen, "every group that something refers to has members"), "{}", seen.body);
    let seen = submit(&mut oona, &seen, "send-test-mail", &[("address", "ops@acme.test")]).await;
    assert!(seen.find("[data-mail]").is_some_and(|said| said.contains("250")), "{}", seen.body);
    world.mail("ops@acme.test", 1).await;
    assert_eq!(world.events("mail_tested").await, 1);

    // The auditor may look, and sees no way to change anything.
    let (mut audra, _) = at_console(&world, "audra", "").await;
    let blog = blog.replace(&world.url, "");
    let page = audra.get(&blog).await;
    assert!(page.status == 403 || !page.has_action("save-application"), "{}", page.body);
    world.stop().await;
}

/// T-42, R-483: newer metadata that says nothing of signatures and of ciphers takes neither away, at the console or in an apply
/// file that is silent about them; whoever means it writes it.
#[actix_web::test]
async fn newer_metadata_makes_nothing_less_safe() {
    let world = staffed(On::Sqlite).await;
    let certificate = Signer::new().certificate;
    let metadata = |signs: &str, method: &str, acs: &str| {
        let key = |purpose: &str, method: &str| {
            format!(
                "<KeyDescriptor use=\"{purpose}\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data>\
                 <ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{method}</KeyDescriptor>"
            )
        };
        format!(
            "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://crm.example\">\
             <SPSSODescriptor{signs} protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{}{}\
             <AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" index=\"0\" \
             Location=\"https://crm.example/{acs}\"/></SPSSODescriptor></EntityDescriptor>",
            key("signing", ""),
            key("encryption", method)
        )
    };
    let gcm = "<EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>";
    let file = |metadata: &str, lines: &str| {
        let crm = format!("[[tenant.application]]\nname = \"CRM\"\n[tenant.application.saml]\nmetadata = '{metadata}'");
        format!("{}\n{crm}\n{lines}\n", acme_with_operators())
    };
    let known = async |acs: &str| {
        let text = world.text("SELECT protocol AS t FROM application WHERE name = 'CRM'").await;
        assert!(text.contains(&format!("https://crm.example/{acs}\"")), "{text}");
        (text.contains("\"require_signed_requests\":true"), text.contains("\"encryption\":{"))
    };
    world.apply(&file(&metadata(" AuthnRequestsSigned=\"true\"", gcm, "first"), "")).await;
    assert_eq!(known("first").await, (true, true));
    world.apply(&file(&metadata("", "", "second"), "")).await;
    assert_eq!(known("second").await, (true, true));
    let id = world.text("SELECT id AS t FROM application WHERE name = 'CRM'").await;
    let (mut oona, seen) = at_console(&world, "oona", &format!("applications/{id}")).await;
    let seen = submit(&mut oona, &seen, "read-metadata", &[("saml-metadata", &metadata("", "", "third"))]).await;
    assert!(has(&seen, "https://crm.example/third"), "{}", seen.body);
    assert_eq!(known("third").await, (true, true));
    // Metadata that cannot be read changes nothing: what is shown then, and may be saved, is what is there.
    let seen = submit(&mut oona, &seen, "read-metadata", &[("saml-metadata", "<oops>")]).await;
    assert!(has(&seen, "https://crm.example/third"), "{}", seen.body);
    let seen = submit(&mut oona, &seen, "save-application", &[("saml-relay_state", "home")]).await;
    assert!(has(&seen, "The application was saved"), "{}", seen.body);
    assert_eq!(known("third").await, (true, true));
    let written = "require_signed_requests = false\nencrypt_assertions = false";
    world.apply(&file(&metadata("", "", "fourth"), written)).await;
    assert_eq!(known("fourth").await, (false, false));
    world.stop().await;
}

/// whoever may change the roles of operators makes nobody an operator who is none.
#[actix_web::test]
async fn making_an_operator_wants_more_than_changing_one() {
    for on in BOTH {
        let world = staffed(on).await;
        let everything = key(&world, Role::Operator).await;
        let mut roles = Vec::new();
        for name in ["Watch", "Watch at night"] {
            let draft = json!({ "name": name, "permissions": { "operators": ["access"] } });
            let (status, made) = call(&world, &everything, Method::POST, "roles", Some(draft)).await;
            assert_eq!(status, 201, "{on:?}: {made}");
            roles.push(json!({ "role": made["id"] }));
        }
        let editor = key_with(&world, &everything, "editor", json!({ "operators": ["access", "edit"] })).await;
        let (_, people) = call(&world, &everything, Method::GET, "users", None).await;
        let linus = people["items"].as_array().unwrap().iter().find(|one| one["username"] == "linus").unwrap();
        let path = format!("operators/{}", linus["id"].as_str().unwrap());
        let (status, told) = call(&world, &editor, Method::PUT, &path, Some(roles[0].clone())).await;
        assert_eq!((status, &told["code"]), (403, &json!("key.not_permitted")), "{on:?}: {told}");
        assert_eq!(call(&world, &everything, Method::PUT, &path, Some(roles[0].clone())).await.0, 204, "{on:?}");
        let (status, told) = call(&world, &editor, Method::PUT, &path, Some(roles[1].clone())).await;
        assert_eq!(status, 204, "{on:?}: {told}");
        world.stop().await;
    }
}

/// programs do what the console does, with the same checks: ETags, faults by field, test cases that
/// stop a change until it is said that it is meant.
#[actix_web::test]
async fn programs_do_what_the_console_does() {
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::Operator).await;
        let call = async |method: Method, path: &str, body: Option<Value>, tag: Option<&str>| {
            call_with(&world, &key, method, path, body, tag).await
        };
        let case = json!({ "name": "Ada", "user": "ada", "application": "Notes", "require": ["password", "otp"], "enrollment": true });
        let (status, _, made) = call(Method::POST, "test-cases", Some(case), None).await;
        assert_eq!((status, &made["outcome"]["holds"]), (201, &json!(true)), "{on:?}: {made}");
        let (status, _, told) =
            call(Method::GET, "explain?user=ada&application=notes&address=192.0.2.7", None, None).await;
        assert_eq!(
            (status, &told["enrollment"]["offered"], &told["policy"]),
            (200, &json!(true), &json!("Global policy")),
            "{told}"
        );
        let (status, _, told) =
            call(Method::GET, "explain?user=eve&application=nots&address=192.0.2.7", None, None).await;
        assert_eq!((status, told["errors"].as_array().map(Vec::len)), (422, Some(2)), "{on:?}: {told}");

        let wrong = json!({ "name": "", "networks": ["x"], "scenario": [{ "name": "a" }] });
        let (status, _, told) = call(Method::POST, "access-policies", Some(wrong), None).await;
        let fields: Vec<&str> =
            told["errors"].as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap()).collect();
        let expected = ["name", "scenario[0].inside_networks", "scenario[0].require", "networks", "require"];
        assert_eq!((status, fields.as_slice()), (422, expected.as_slice()), "{on:?}");
        let loose = json!({ "name": "Loose", "require": ["password"] });
        let (status, _, told) = call(Method::POST, "access-policies", Some(loose.clone()), None).await;
        assert_eq!((status, &told["code"]), (409, &json!("test_cases.broken")), "{on:?}: {told}");
        let (status, _, loose) = call(Method::POST, "access-policies?anyway=true", Some(loose), None).await;
        assert_eq!(status, 201, "{on:?}: {loose}");
        let strict = json!({ "name": "Strict", "require": ["password", { "method": "otp", "every_seconds": 3600 }] });
        let (_, _, strict) = call(Method::POST, "access-policies", Some(strict), None).await;
        let strict = strict["id"].as_str().unwrap().to_owned();
        let (_, order, _) = call(Method::GET, "access-policies", None, None).await;
        let rank = format!("access-policies/{strict}/rank");
        assert_eq!(call(Method::PUT, &rank, Some(json!({ "rank": 1 })), None).await.0, 428, "{on:?}");
        assert_eq!(call(Method::PUT, &rank, Some(json!({ "rank": 0 })), Some(&order)).await.0, 422, "{on:?}");
        assert_eq!(call(Method::PUT, &rank, Some(json!({ "rank": 1 })), Some(&order)).await.0, 204, "{on:?}");
        assert_eq!(call(Method::PUT, &rank, Some(json!({ "rank": 2 })), Some(&order)).await.0, 412, "{on:?}");
        let one = format!("access-policies/{strict}");
        let (_, tag, mut read) = call(Method::GET, &one, None, None).await;
        assert_eq!(read["require"][1]["every_seconds"], 3600, "{on:?}: {read}");
        // What was read is sent back, without what only answers have.
        for member in ["id", "global"] {
            read.as_object_mut().unwrap().remove(member);
        }
        read["groups"] = json!(["pilot"]);
        let (status, _, changed) = call(Method::PUT, &one, Some(read.clone()), Some(&tag)).await;
        assert_eq!((status, &changed["groups"]), (200, &json!(["pilot"])), "{on:?}: {changed}");
        assert_eq!(call(Method::PUT, &one, Some(read), Some(&tag)).await.0, 412, "{on:?}");
        let (_, tag, _) = call(Method::GET, &one, None, None).await;
        assert_eq!(call(Method::DELETE, &one, None, Some(&tag)).await.0, 409, "{on:?}: Ada's case rests on it");
        let gone = format!("{one}?anyway=true");
        assert_eq!(call(Method::DELETE, &gone, None, Some(&tag)).await.0, 204, "{on:?}");
        assert_eq!(call(Method::GET, &one, None, None).await.0, 404, "{on:?}");

        let blog = json!({ "name": "Blog", "oidc": { "redirect_uris": ["https://rp.example/cb"] } });
        let (status, _, made) = call(Method::POST, "applications", Some(blog), None).await;
        assert!(status == 201 && made["client_secret"].as_str().unwrap().len() >= 40, "{on:?}: {made}");
        let blog = format!("applications/{}", made["id"].as_str().unwrap());
        let (_, tag, mut read) = call(Method::GET, &blog, None, None).await;
        assert_eq!((&read["active"], read["oidc"].get("client_secret")), (&json!(false), None), "{on:?}: {read}");
        let active = call(Method::PUT, &format!("{blog}/state"), Some(json!({ "active": true })), Some(&tag)).await;
        assert_eq!((active.0, &active.2["active"]), (200, &json!(true)), "{on:?}: {}", active.2);
        for member in ["id", "protocol"] {
            read.as_object_mut().unwrap().remove(member);
        }
        read["oidc"]["redirect_uris"] = json!(["http://rp.example/cb"]);
        let (status, _, told) = call(Method::PUT, &blog, Some(read), Some(&active.1)).await;
        assert_eq!((status, &told["errors"][0]["field"]), (422, &json!("oidc.redirect_uris")), "{on:?}: {told}");
        let secret = call(Method::POST, &format!("{blog}/secret"), Some(json!({})), Some(&active.1)).await;
        assert_ne!(secret.2["client_secret"], made["client_secret"], "{on:?}");
        let (_, _, page) = call(Method::GET, "applications?limit=1&q=o", None, None).await;
        let next = page["next"].as_str().unwrap();
        let (_, _, rest) = call(Method::GET, &format!("applications?limit=50&q=o&after={next}"), None, None).await;
        let names = |page: &Value| -> Vec<String> {
            page["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            (names(&page), names(&rest)),
            (vec!["Blog".to_owned()], vec!["Notes".to_owned(), "Portal".to_owned(), "Wiki".to_owned()]),
            "{on:?}"
        );
        let (_, tag, _) = call(Method::GET, &blog, None, None).await;
        assert_eq!(call(Method::DELETE, &blog, None, Some(&tag)).await.0, 204, "{on:?}");

        let (status, _, seen) = call(Method::GET, "preflight", None, None).await;
        assert_eq!(status, 200, "{on:?}: {seen}");
        assert!(
            seen["tenant"].as_array().unwrap().iter().any(|it| it["what"] == "groups" && it["light"] == "green"),
            "{seen}"
        );
        let mail = |address: &str| Some(json!({ "address": address }));
        assert_eq!(call(Method::POST, "preflight/test-mail", mail("nobody"), None).await.0, 422, "{on:?}");
        let (status, _, sent) = call(Method::POST, "preflight/test-mail", mail("ops@acme.test"), None).await;
        assert_eq!((status, &sent["light"]), (200, &json!("green")), "{on:?}: {sent}");
        let (_, _, cases) = call(Method::GET, "test-cases", None, None).await;
        let case = format!("test-cases/{}", cases["items"][0]["id"].as_str().unwrap());
        assert_eq!(call(Method::DELETE, &case, None, None).await.0, 428, "{on:?}: R-040");
        assert_eq!(call(Method::DELETE, &case, None, Some("\"99\"")).await.0, 412, "{on:?}: R-040");
        let (_, tag, _) = call(Method::GET, &case, None, None).await;
        assert_eq!(call(Method::DELETE, &case, None, Some(&tag)).await.0, 204, "{on:?}");
        world.stop().await;
    }
}

/// A28, A29: the pages of this part in Chromium, light and dark, wide and narrow: axe-core finds nothing.
#[actix_web::test]
async fn the_pages_are_well_made() {
    for eyes in [DESKTOP, PHONE] {
        let world = World::at_this_time(On::Sqlite).await;
        world.apply(&acme_with_operators()).await;
        let mut browser = Chromium::new(eyes).await;
        browser.go(&console(&world, "applications")).await;
        browser.fill("[autocomplete=username]", "oona").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", "operates everything here").await;
        browser.press("continue").await;
        let code = oathtool(&world, "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK", "--totp=sha1", "6");
        browser.fill("#code", &code).await;
        browser.press("continue").await;
        browser.wait("[data-action=new-oidc]").await;
        browser.is_well_made().await;
        browser.look("applications").await;
        browser.press("new-oidc").await;
        browser.wait("[data-action=save-application]").await;
        browser.is_well_made().await;
        browser.fill("#name", "Notes").await;
        browser.press("save-application").await;
        browser.wait("#name-fault").await;
        browser.is_well_made().await;
        browser.look("application-faults").await;
        browser.fill("#name", "Blog").await;
        browser.fill("#oidc-redirect_uris", "https://rp.example/cb").await;
        browser.press("save-application").await;
        browser.wait("[data-client-secret]").await;
        browser.is_well_made().await;
        browser.look("application-secret").await;
        browser.go(&console(&world, "applications/new?protocol=saml")).await;
        browser.wait("[data-action=save-application]").await;
        browser.is_well_made().await;

        browser.go(&console(&world, "explain?user=barbara&application=Notes&address=192.0.2.7")).await;
        browser.wait("[data-advice]").await;
        browser.is_well_made().await;
        browser.look("explain").await;
        browser.press("keep-case").await;
        browser.wait("[data-action=save-case]").await;
        browser.is_well_made().await;
        browser.press("save-case").await;
        browser.wait("table").await;
        browser.is_well_made().await;
        browser.look("test-cases").await;

        browser.go(&console(&world, "policies/new")).await;
        browser.fill("#name", "Loose").await;
        browser.wait("#otp").await.click().await.unwrap();
        browser.is_well_made().await;
        browser.press("save-policy").await;
        browser.wait("[data-question]").await;
        browser.is_well_made().await;
        browser.look("policy-question").await;
        browser.wait("#anyway").await.click().await.unwrap();
        browser.press("save-policy").await;
        browser.wait("[data-action=new-policy]").await;
        browser.is_well_made().await;
        browser.look("policies").await;
        browser.go(&console(&world, "preflight")).await;
        browser.fill("#address", "ops@acme.test").await;
        browser.press("send-test-mail").await;
        browser.wait("[data-mail]").await;
        browser.is_well_made().await;
        browser.look("preflight").await;
        browser.close().await;
        world.stop().await;
    }
}
