//! The operator console and the management API: who gets in, what each role may do, and that nothing is there that the tables of
//! routes do not name.

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::operator::{Deed, Module, Permissions, Role};
use vestibule::http::guard::{Listed, Needs};

use crate::story::{after_password, oathtool};
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, BOTH, On, World};

/// Three operators, one of each built-in role: user name, password, the secret of their authenticator, role.
pub const OPERATORS: [(&str, &str, &str, &str); 3] = [
    ("oona", "operates everything here", "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK", "Operator"),
    ("hedy", "helps whoever calls her", "NBSWY3DPNBSWY3DPNBSWY3DPNBSWY3DP", "Help desk"),
    ("audra", "reads what was written", "KRUGS4ZANFZSAYJAONSWG4TFOQQGC3TE", "Auditor"),
];

/// The tenant `acme` with [`OPERATORS`].
pub fn acme_with_operators() -> String {
    let mut file = ACME.to_owned();
    for (name, password, secret, role) in OPERATORS {
        file += &format!(
            "\n[[tenant.user]]\nusername = \"{name}\"\nemail = \"{name}@acme.test\"\npassword = \"{password}\"\n\
             [[tenant.user.token]]\ntype = \"oath_app\"\nsecret_base32 = \"{secret}\"\nalgorithm = \"SHA1\"\ndigits = 6\n\
             period_seconds = 30\n[[tenant.operator]]\nusername = \"{name}\"\nrole = \"{role}\"\n"
        );
    }
    file
}

/// A world whose tenant `acme` has [`OPERATORS`].
pub async fn staffed(on: On) -> World {
    let world = World::empty(on).await;
    world.apply(&acme_with_operators()).await;
    world
}

/// The address of a page of the console.
pub fn console(world: &World, page: &str) -> String {
    format!("{}/operator/{page}", world.base())
}

/// One of [`OPERATORS`] at the page `page` of the console, logged in with password and passcode. The clock goes on, so that the
/// passcode is a new one.
pub async fn at_console(world: &World, name: &str, page: &str) -> (Visitor, Seen) {
    let (_, password, secret, _) = OPERATORS.into_iter().find(|(known, ..)| *known == name).unwrap();
    world.advance(31);
    let mut visitor = Visitor::new(&world.url);
    let seen = visitor.get(&console(world, page)).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    let seen = visitor.press(&seen, "continue", &[("username", name)]).await;
    let seen = visitor.press(&seen, "continue", &[("password", password)]).await;
    assert_eq!(seen.title(), "Enter your passcode", "{}", seen.body);
    let code = oathtool(world, secret, "--totp=sha1", "6");
    let seen = visitor.press(&seen, "continue", &[("code", &code)]).await;
    (visitor, seen)
}

/// Password and passcode once more, where the console asks for a fresh one: the page after it.
pub async fn step_up(world: &World, visitor: &mut Visitor, seen: &Seen, name: &str) -> Seen {
    let (_, password, secret, _) = OPERATORS.into_iter().find(|(known, ..)| *known == name).unwrap();
    assert_eq!(seen.title(), "Enter your password", "{}", seen.body);
    let seen = visitor.press(seen, "continue", &[("password", password)]).await;
    assert_eq!(seen.title(), "Enter your passcode", "{}", seen.body);
    let code = oathtool(world, secret, "--totp=sha1", "6");
    visitor.press(&seen, "continue", &[("code", &code)]).await
}

/// A key to the management API with a role, made by the operator.
pub async fn key(world: &World, role: Role) -> String {
    let (mut oona, seen) = at_console(world, "oona", "api-keys").await;
    let seen = oona.press(&seen, "make-key", &[("name", "a test"), ("role", &role.to_string())]).await;
    seen.find("[data-api-key]").unwrap_or_else(|| panic!("no key: {}", seen.body))
}

/// A call of the management API: status and body.
pub async fn call(world: &World, key: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let (status, _, body) = call_with(world, key, method, path, body, None).await;
    (status, body)
}

/// The same, with an `If-Match`, and with the `ETag` of the answer.
pub async fn call_with(
    world: &World,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
    if_match: Option<&str>,
) -> (u16, String, Value) {
    call_at(&world.url, key, method, path, body, if_match).await
}

/// The same, at an instance of one's choice.
pub async fn call_at(
    server: &str,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
    if_match: Option<&str>,
) -> (u16, String, Value) {
    let url = format!("{server}/t/acme/api/management/v1/{path}");
    let mut request = reqwest::Client::new().request(method, url);
    if !key.is_empty() {
        request = request.bearer_auth(key);
    }
    if let Some(tag) = if_match {
        request = request.header("if-match", tag);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
    let text = answer.text().await.unwrap();
    (status, tag, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// the first operator is made at the shell; her first login enrolls an authenticator whatever the rollout
/// says, and without one nobody gets in; whoever is no operator is told so; the status can be taken away.
#[actix_web::test]
async fn the_first_operator_enrolls_like_everybody_else() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\ntarget_users = \"none\"\n").await;
        let mut ada = Visitor::new(&world.url);
        let stranger =
            |seen: &Seen| assert!(seen.title().starts_with("No access"), "{on:?}: {} {}", seen.title(), seen.body);
        let password = "correct horse battery staple";
        let seen = ada.get(&console(&world, "")).await;
        assert!(seen.body.contains("Operator console"), "{on:?}: {}", seen.body);
        let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
        stranger(&ada.press(&seen, "continue", &[("password", password)]).await);
        let said = world.command(&["operator", "add", "ada"]);
        assert!(said.contains("ada is an operator now: Operator") && said.contains("/t/acme/operator/"), "{said}");
        world.advance(3);
        let mut ada = Visitor::new(&world.url);
        let seen = ada.get(&console(&world, "operators")).await;
        let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
        let seen = ada.press(&seen, "continue", &[("password", password)]).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: R-018: {}", seen.body);
        let (seen, _) = crate::gates::enroll_from_offer(&world, &mut ada, &seen).await;
        assert_eq!(seen.title(), "Operators and roles", "{on:?}: {}", seen.body);
        assert!(seen.body.contains("<th scope=\"row\">ada</th>"), "{on:?}: {}", seen.body);
        // Elsewhere the rollout counts: nobody else is asked.
        let seen = after_password(&world, &mut Visitor::new(&world.url), "barbara", "not in the rollout").await;
        assert!(!seen.has_action("add-authenticator"), "{on:?}: {}", seen.body);
        // The last one stays; with a second one she may go, and her account stays.
        assert!(world.refused(&["operator", "remove", "ada"]).contains("last operator"), "AC-51");
        let said = crate::tokens::json(&world, &["operator", "add", "linus"]);
        assert_eq!((&said["username"], &said["role"]), (&"linus".into(), &"Operator".into()), "{said}");
        assert!(world.command(&["operator", "remove", "ada"]).contains("the account stays"));
        world.advance(3);
        let seen = ada.get(&console(&world, "operators")).await;
        stranger(&seen);
        assert!(world.command(&["operator", "list", "--json"]).contains("linus"));
        assert!(world.refused(&["operator", "add", "linus", "--role", "king"]).contains("\"Help desk\", \"Auditor\""));
        assert_eq!(world.events("operator_created").await, 2, "{on:?}");
        world.stop().await;
    }
}

/// Every parameter of an address, as something that looks like an identifier and names nothing.
fn address(route: &Listed) -> String {
    let step = |step: &str| if step.starts_with('{') { "a".repeat(26) } else { step.to_owned() };
    route.path.split('/').map(step).collect::<Vec<_>>().join("/")
}

/// T-57, T-59, AC-51: every route of the console as every role, as nobody, and as the operator of another virtual
/// server: whoever is not permitted is told so, and whoever is, is not.
#[actix_web::test]
async fn every_page_asks_for_its_permission() {
    let world = staffed(On::Sqlite).await;
    world.apply(&acme_with_operators().replace("code = \"acme\"", "code = \"blue\"")).await;
    let routes = vestibule::pages::operator::table().listed().to_vec();
    assert!(routes.len() > 15, "the table was read: {}", routes.len());
    let (mut seen_forbidden, mut seen_allowed) = (0, 0);
    for (name, _, _, role) in OPERATORS {
        let (visitor, _) = at_console(&world, name, "operators").await;
        let role = Role::BUILT_IN.into_iter().find(|known| known.built_in_name() == Some(role)).unwrap();
        let permissions = role.built_in().unwrap();
        // Logging out would end the walk; the start page leads to the first page that there is for a role.
        let walked = |route: &&Listed| route.needs != Needs::Nothing && !matches!(route.path.as_str(), "logout" | "/");
        for route in routes.iter().filter(walked) {
            let url = console(&world, address(route).trim_start_matches('/'));
            let fields = (route.method == Method::POST.as_str()).then(|| vec![("csrf".to_owned(), "x".to_owned())]);
            let method = Method::from_bytes(route.method.as_str().as_bytes()).unwrap();
            let seen = visitor.clone().once(method, &url, fields).await;
            let forbidden = seen.title() == "Not allowed";
            let allowed = route.needs.met(&permissions);
            assert!(seen.status < 500, "{name} {route:?}: {}", seen.body);
            assert_eq!(forbidden, !allowed, "{name} {route:?}: {} {}", seen.status, seen.body);
            if forbidden {
                seen_forbidden += 1
            } else {
                seen_allowed += 1
            }
            if allowed && route.method == Method::POST.as_str() {
                assert_eq!(seen.status, 403, "AC-31: a form without its token: {name} {route:?}: {}", seen.body);
            }
        }
    }
    assert!(seen_forbidden > 10 && seen_allowed > 10, "{seen_forbidden} {seen_allowed}");
    // Nobody, and the operator of another virtual server, are asked to log in, whatever they want (T-56).
    let (_, password, secret, _) = OPERATORS[0];
    let mut blue = Visitor::new(&world.url);
    world.advance(31);
    let seen = blue.get(&format!("{}/t/blue/operator/operators", world.url)).await;
    let seen = blue.press(&seen, "continue", &[("username", "oona")]).await;
    let seen = blue.press(&seen, "continue", &[("password", password)]).await;
    let code = oathtool(&world, secret, "--totp=sha1", "6");
    let seen = blue.press(&seen, "continue", &[("code", &code)]).await;
    assert_eq!(seen.title(), "Operators and roles", "{}", seen.body);
    for visitor in [Visitor::new(&world.url), blue] {
        for route in routes.iter().filter(|route| route.needs != Needs::Nothing) {
            let url = console(&world, address(route).trim_start_matches('/'));
            let fields = (route.method == Method::POST.as_str()).then(|| vec![("csrf".to_owned(), "x".to_owned())]);
            let method = Method::from_bytes(route.method.as_str().as_bytes()).unwrap();
            let seen = visitor.clone().once(method, &url, fields).await;
            let to = seen.headers.get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
            assert!(seen.status == 303 && to.contains("/t/acme/login/"), "{route:?}: {} {to}", seen.status);
        }
    }
    world.stop().await;
}

/// R-585, T-56, T-57: every route of the management API with a key of every role, without one, and with the key of another virtual
/// server.
#[actix_web::test]
async fn every_call_asks_for_its_permission() {
    let world = staffed(On::Sqlite).await;
    world.apply(&acme_with_operators().replace("code = \"acme\"", "code = \"blue\"")).await;
    let routes = vestibule::api::management::table().listed().to_vec();
    let (mut forbidden, mut allowed) = (0, 0);
    let mut keys = Vec::new();
    for role in Role::BUILT_IN {
        keys.push((key(&world, role).await, role.built_in().unwrap()));
    }
    for (key, permissions) in &keys {
        for route in routes.iter().filter(|route| route.needs != Needs::Nothing) {
            let method = Method::from_bytes(route.method.as_str().as_bytes()).unwrap();
            let (status, body) = call(&world, key, method, &address(route), None).await;
            let refused = status == 403 && body["code"] == "key.not_permitted";
            assert!(status < 500 && status != 401, "{route:?}: {status} {body}");
            assert_eq!(refused, !route.needs.met(permissions), "{route:?}: {status} {body}");
            if refused { forbidden += 1 } else { allowed += 1 }
        }
    }
    assert!(forbidden > 10 && allowed > 10, "{forbidden} {allowed}");
    let foreign = keys[0].0.clone();
    for key in ["", "vbk_nonsense", "x"] {
        for route in routes.iter().filter(|route| route.needs != Needs::Nothing) {
            let method = Method::from_bytes(route.method.as_str().as_bytes()).unwrap();
            let (status, body) = call(&world, key, method, &address(route), None).await;
            assert_eq!((status, &body["code"]), (401, &json!("key.needed")), "{route:?}: {body}");
        }
    }
    let url = format!("{}/t/blue/api/management/v1/me", world.url);
    let answer = reqwest::Client::new().get(url).bearer_auth(foreign).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401, "T-56");
    world.stop().await;
}

/// T-57, AC-51: dangerous deeds want a fresh passcode; nobody gives more than they have; the description of the API
/// names every route; a key works until it is revoked, is shown once and kept as a hash.
#[actix_web::test]
async fn roles_and_keys_from_their_pages_to_their_end() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "operators").await;
        assert_eq!(seen.title(), "Operators and roles", "{on:?}: {}", seen.body);
        let seen = oona.press(&seen, "add-operator", &[("username", "nobody"), ("role", "auditor")]).await;
        assert!(seen.body.contains("There is no account") && seen.body.contains("value=\"nobody\""), "{on:?}");
        let seen = oona.press(&seen, "add-operator", &[("username", "linus"), ("role", "auditor")]).await;
        assert!(seen.body.contains("The operator was added"), "{on:?}: {}", seen.body);
        // Five minutes later the passcode is not fresh any more.
        world.advance(301);
        let seen = oona.press(&seen, "add-operator", &[("username", "barbara"), ("role", "auditor")]).await;
        let seen = step_up(&world, &mut oona, &seen, "oona").await;
        assert!(seen.body.contains("Nothing was done yet"), "{on:?}: {}", seen.body);
        assert!(!seen.body.contains(">barbara<"), "{on:?}");
        // An own role; a key with it may do that and no more.
        let seen = oona.get(&console(&world, "roles/new")).await;
        let seen = oona.press(&seen, "save-role", &[("name", "Keeper"), ("permission", "operators.access")]).await;
        assert!(seen.body.contains("The role was saved"), "{on:?}: {}", seen.body);
        let everything = key(&world, Role::Operator).await;
        let (_, roles) = call(&world, &everything, Method::GET, "roles", None).await;
        let keeper = roles["items"].as_array().unwrap().iter().find(|role| role["name"] == "Keeper").unwrap();
        assert_eq!(keeper["permissions"], json!({ "operators": ["access"] }), "{on:?}");
        let id = keeper["id"].as_str().unwrap().to_owned();
        let wanted = json!({ "name": "narrow", "role": id, "days": 1 });
        let (status, made) = call(&world, &everything, Method::POST, "api-keys", Some(wanted)).await;
        assert_eq!(status, 201, "{on:?}: {made}");
        let narrow = made["key"].as_str().unwrap().to_owned();
        let (status, me) = call(&world, &narrow, Method::GET, "me", None).await;
        assert_eq!((status, &me["role"], &me["tenant"]), (200, &json!("Keeper"), &json!("acme")), "{on:?}: {me}");
        // T-57: with the right to make keys and nothing else, no stronger key can be made.
        let maker: Permissions = serde_json::from_value(json!({ "api_keys": ["access", "add", "delete"] })).unwrap();
        let draft = json!({ "name": "Maker", "permissions": maker });
        let (status, maker) = call(&world, &everything, Method::POST, "roles", Some(draft)).await;
        assert_eq!(status, 201, "{on:?}: {maker}");
        let wanted = json!({ "name": "maker", "role": maker["id"] });
        let (_, made) = call(&world, &everything, Method::POST, "api-keys", Some(wanted)).await;
        let maker = made["key"].as_str().unwrap().to_owned();
        let wanted = json!({ "name": "king", "role": "operator" });
        let (status, refused) = call(&world, &maker, Method::POST, "api-keys", Some(wanted)).await;
        assert_eq!((status, &refused["code"]), (403, &json!("operator.beyond_own")), "{on:?}: {refused}");
        // What is in use stays; the last operator stays; what is built in stays.
        let (status, body) = call(&world, &everything, Method::DELETE, &format!("roles/{id}"), None).await;
        assert_eq!((status, &body["code"]), (409, &json!("role.in_use")), "{on:?}: {body}");
        let (_, operators) = call(&world, &everything, Method::GET, "operators", None).await;
        let boss = operators["items"].as_array().unwrap().iter().find(|one| one["username"] == "oona").unwrap();
        let path = format!("operators/{}", boss["user"].as_str().unwrap());
        let (status, body) = call(&world, &everything, Method::DELETE, &path, None).await;
        assert_eq!((status, &body["code"]), (409, &json!("operator.last")), "{on:?}: {body}");
        let (status, _) =
            call(&world, &everything, Method::PUT, "roles/operator", Some(json!({ "name": "x", "permissions": {} })))
                .await;
        assert_eq!(status, 409, "{on:?}: R-013");
        // Revoked, a key opens nothing; a day later the other one has ended.
        let (status, keys) = call(&world, &everything, Method::GET, "api-keys", None).await;
        let text = keys.to_string();
        assert!(status == 200 && !text.contains(narrow.splitn(3, '_').nth(2).unwrap()), "{on:?}: T-58");
        let maker_id = made["id"].as_str().unwrap();
        let (status, _) = call(&world, &everything, Method::DELETE, &format!("api-keys/{maker_id}"), None).await;
        assert_eq!(status, 204, "{on:?}");
        assert_eq!(call(&world, &maker, Method::GET, "me", None).await.0, 401, "{on:?}");
        // Whoever has no key that works hears of that first, whatever was sent.
        let wrong = Some(json!({ "name": "x", "rule": "operator" }));
        assert_eq!(call(&world, &maker, Method::POST, "api-keys", wrong).await.0, 401, "{on:?}");
        world.advance(86_401);
        assert_eq!(call(&world, &narrow, Method::GET, "me", None).await.0, 401, "{on:?}");
        // What was sent is judged, not guessed.
        for (body, status, code) in [
            (json!({ "name": "x", "rule": "operator" }), 400, "malformed"),
            (json!({ "name": "", "role": "operator" }), 422, "invalid"),
            (json!({ "name": "x", "role": "operator", "days": 0 }), 422, "invalid"),
            (json!({ "name": "x", "role": "king" }), 400, "malformed"),
        ] {
            let (got, answer) = call(&world, &everything, Method::POST, "api-keys", Some(body.clone())).await;
            assert_eq!((got, answer["code"].as_str().unwrap()), (status, code), "{on:?}: {body}: {answer}");
        }
        for (event, least) in
            [("role_created", 2), ("api_key_created", 3), ("api_key_revoked", 1), ("operator_created", 4)]
        {
            assert!(world.events(event).await >= least, "{on:?}: {event}");
        }
        world.stop().await;
    }
}

/// D3 A10, T15: before a role goes and before a key is revoked the console asks, and says what is lost: who has the role, which key
/// it is and when it was last used. Whoever goes back has changed nothing; a role that is in use stays.
#[actix_web::test]
async fn roles_and_keys_go_after_a_question() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, _) = at_console(&world, "oona", "operators").await;
        let new = oona.get(&console(&world, "roles/new")).await;
        let list = oona.press(&new, "save-role", &[("name", "Keeper"), ("permission", "operators.access")]).await;
        let id = world.text("SELECT id AS t FROM operator_role WHERE name = 'Keeper'").await;
        let list = oona.press(&list, "add-operator", &[("username", "linus"), ("role", &id)]).await;
        assert!(list.body.contains("The operator was added"), "{on:?}: {}", list.body);
        let page = console(&world, &format!("roles/{id}"));
        let role = oona.get(&page).await;
        let refused = oona.press(&role, "remove-role", &[]).await;
        assert!(refused.body.contains("Operators who have this role: 1."), "{on:?}: {}", refused.body);
        let everything = key(&world, Role::Operator).await;
        let linus = world.text("SELECT id AS t FROM user_account WHERE username = 'linus'").await;
        assert_eq!(
            call(&world, &everything, Method::DELETE, &format!("operators/{linus}"), None).await.0,
            204,
            "{on:?}"
        );
        let question = oona.press(&role, "remove-role", &[]).await;
        assert_eq!(question.title(), "Remove the role Keeper?", "{on:?}: it is asked first: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert!(back.title() == "Role: Keeper" && world.events("role_removed").await == 0, "{on:?}: {}", back.body);
        let gone = oona.press(&question, "sure", &[]).await;
        assert!(gone.body.contains("The role was removed") && !gone.body.contains("Keeper"), "{on:?}: {}", gone.body);

        let keys = oona.get(&console(&world, "api-keys")).await;
        let question = oona.press(&keys, "revoke-key", &[]).await;
        assert_eq!(question.title(), "Revoke the key a test?", "{on:?}: it is asked first: {}", question.body);
        assert!(question.body.contains("It was last used on "), "{on:?}: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert_eq!(back.title(), "API keys", "{on:?}: {}", back.body);
        assert_eq!(call(&world, &everything, Method::GET, "me", None).await.0, 200, "{on:?}: and it still works");
        let gone = oona.press(&question, "sure", &[]).await;
        assert!(gone.body.contains("The key was revoked"), "{on:?}: {}", gone.body);
        assert_eq!(call(&world, &everything, Method::GET, "me", None).await.0, 401, "{on:?}");
        world.stop().await;
    }
}

/// R-021, T-57: what was typed before a fresh passcode is asked for is there again afterwards, and nothing was done; nobody fills in
/// a form for an operator with an address of their own making.
#[actix_web::test]
async fn what_was_typed_is_there_after_a_fresh_passcode() {
    let world = staffed(On::Sqlite).await;
    let (mut oona, new) = at_console(&world, "oona", "roles/new").await;
    let fields = [("name", "Keeper & Co"), ("permission", "operators.access"), ("permission", "tokens.access")];
    world.advance(301);
    let seen = oona.press(&new, "save-role", &fields).await;
    let seen = step_up(&world, &mut oona, &seen, "oona").await;
    let ticked = |seen: &Seen| seen.body.matches(" checked").count();
    assert_eq!((seen.title().as_str(), ticked(&seen)), ("New role", 2), "{}", seen.body);
    assert!(seen.find("input[name=name][value='Keeper & Co']").is_some(), "{}", seen.body);
    assert!(seen.body.contains("Nothing was done yet"), "{}", seen.body);
    assert!(seen.find("input[value='tokens.access'][checked]").is_some(), "{}", seen.body);
    assert_eq!(world.events("role_created").await, 0);
    assert!(seen.url.contains("tokens.a"), "{}", seen.url);
    let other = oona.get(&seen.url.replace("tokens.a", "operators.e")).await;
    assert_eq!((other.title().as_str(), ticked(&other)), ("New role", 0), "not as it was sealed: {}", other.body);
    let saved = oona.press(&seen, "save-role", &fields).await;
    assert!(saved.body.contains("The role was saved"), "{}", saved.body);

    let keys = oona.get(&console(&world, "api-keys")).await;
    world.advance(301);
    let asked = oona.press(&keys, "make-key", &[("name", "nightly"), ("days", "30"), ("role", "auditor")]).await;
    let seen = step_up(&world, &mut oona, &asked, "oona").await;
    assert!(seen.body.contains("value=\"nightly\"") && seen.body.contains("value=\"30\""), "{}", seen.body);
    assert_eq!(seen.find("#role option[selected]").as_deref(), Some("Auditor"), "{}", seen.body);
    assert_eq!(world.events("api_key_created").await, 0);
    world.stop().await;
}

/// what was typed survives the passcode also when every box of a role is ticked and its name is as long as a name may
/// be; and a role that exists is kept with the mark of what was read.
#[actix_web::test]
async fn the_largest_role_is_kept_over_a_fresh_passcode() {
    let world = staffed(On::Sqlite).await;
    let (mut oona, new) = at_console(&world, "oona", "roles/new").await;
    let word = |value: Value| value.as_str().unwrap().to_owned();
    let pages = Module::ALL.map(|module| word(json!(module)));
    let deeds = Deed::ALL.map(|deed| word(json!(deed)));
    let boxes: Vec<String> =
        pages.iter().flat_map(|page| deeds.iter().map(move |deed| format!("{page}.{deed}"))).collect();
    assert_eq!(boxes.len(), new.body.matches("name=\"permission\"").count(), "every box of the page");
    let name = "\u{1f511}".repeat(100);
    let mut fields = vec![("name", name.as_str())];
    fields.extend(boxes.iter().map(|one| ("permission", one.as_str())));
    let ticked = |seen: &Seen| seen.body.matches(" checked").count();

    world.advance(301);
    let seen = oona.press(&new, "save-role", &fields).await;
    let seen = step_up(&world, &mut oona, &seen, "oona").await;
    assert_eq!((seen.title().as_str(), ticked(&seen)), ("New role", boxes.len()), "{}", seen.body);
    assert_eq!(seen.find_value("input[name=name]"), Some(name.clone()), "{}", seen.body);
    assert!(seen.url.len() < 3000, "servers in front of us do not take any length: {}", seen.url.len());
    let saved = oona.press(&seen, "save-role", &fields).await;
    assert!(saved.body.contains("The role was saved"), "{}", saved.body);

    let id = world.text("SELECT id AS t FROM operator_role").await;
    let role = oona.get(&console(&world, &format!("roles/{id}"))).await;
    assert_eq!(ticked(&role), boxes.len(), "{}", role.body);
    world.advance(301);
    let most = fields.get(..fields.len() - 1).unwrap();
    let seen = oona.press(&role, "save-role", most).await;
    let seen = step_up(&world, &mut oona, &seen, "oona").await;
    assert_eq!(ticked(&seen), boxes.len() - 1, "{}", seen.body);
    assert_eq!(seen.find_value("input[name=version]"), role.find_value("input[name=version]"), "R-040");
    let saved = oona.press(&seen, "save-role", most).await;
    assert!(saved.body.contains("The role was saved"), "{}", saved.body);
    world.stop().await;
}

/// a form that was sent after the session was over is not taken for done: the login leads back to its page, or to the start, and
/// both say that nothing was done.
#[actix_web::test]
async fn a_form_that_came_too_late_is_not_taken_for_done() {
    let world = staffed(On::Sqlite).await;
    let (mut oona, page) = at_console(&world, "oona", "groups").await;
    world.advance(25 * 3600);
    let seen = oona.press(&page, "make-group", &[("new_name", "Too late")]).await;
    let seen = logged_in(&world, &mut oona, &seen).await;
    assert_eq!(seen.title(), "Groups", "{}", seen.body);
    assert!(seen.body.contains("Nothing was done yet") && !seen.body.contains("Too late"), "{}", seen.body);
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM user_group WHERE name = 'Too late'").await, 0);
    // A deed that has no page of its own.
    world.advance(25 * 3600);
    let seen = oona.post(&console(&world, "rollout/count"), &[("csrf".to_owned(), "x".to_owned())]).await;
    let seen = logged_in(&world, &mut oona, &seen).await;
    assert_eq!(seen.title(), "Dashboard", "{}", seen.body);
    assert!(seen.body.contains("Nothing was done yet"), "{}", seen.body);
    // Whoever asked for a page only is told nothing of the kind.
    world.advance(25 * 3600);
    let seen = oona.get(&console(&world, "groups")).await;
    let seen = logged_in(&world, &mut oona, &seen).await;
    assert!(seen.title() == "Groups" && !seen.body.contains("Nothing was done yet"), "{}", seen.body);
    world.stop().await;
}

/// The first operator, from the first page of a login to the page that it leads to.
async fn logged_in(world: &World, visitor: &mut Visitor, seen: &Seen) -> Seen {
    let (name, password, secret, _) = OPERATORS[0];
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    let seen = visitor.press(seen, "continue", &[("username", name)]).await;
    let seen = visitor.press(&seen, "continue", &[("password", password)]).await;
    let code = oathtool(world, secret, "--totp=sha1", "6");
    visitor.press(&seen, "continue", &[("code", &code)]).await
}

/// the description is OpenAPI 3.1 and names every route with its permission.
#[actix_web::test]
async fn the_api_describes_itself() {
    let world = World::new(On::Sqlite).await;
    let (status, description) = call(&world, "", Method::GET, "openapi.json", None).await;
    assert_eq!((status, &description["openapi"]), (200, &json!("3.1.0")));
    let routes = vestibule::api::management::table().listed().to_vec();
    for route in &routes {
        let operation = &description["paths"][format!("/{}", route.path)][route.method.as_str().to_lowercase()];
        assert!(operation["responses"].is_object(), "{route:?}: {operation}");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{route:?}");
        assert_eq!(operation["x-permission"].is_object(), matches!(route.needs, Needs::May(_)), "{route:?}");
    }
    // Every reference leads somewhere.
    let text = description.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(description["components"]["schemas"][name].is_object(), "{name}");
    }
    world.stop().await;
}
