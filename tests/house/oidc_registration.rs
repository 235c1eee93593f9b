//! Applications that register themselves, and keys that they publish.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vestibule::domain::audit::Actor;
use vestibule::domain::ids::SigningKeyId;
use vestibule::domain::secret::ExposeSecret as _;
use vestibule::domain::signing_key::SignatureAlgorithm;
use vestibule::flow::administration::Desk;
use vestibule::flow::administration::applications::{self, mark};
use vestibule::flow::administration::configuration::{self, Despite};
use vestibule::flow::registration;
use vestibule::keys::signing::{RsaSize, SigningKey};

use crate::oidc_logout::Listener;
use crate::relying_party::{CALLBACK, Rp, Told, VERIFIER, answer, application, challenge, encoded, linus};
use crate::world::{BOTH, On, World};

async fn register(world: &World, token: &str, metadata: &Value) -> Told {
    let address = format!("{}/oidc/register", world.base());
    Told::of(reqwest::Client::new().post(address).bearer_auth(token).json(metadata)).await
}

/// What `vestibule client permit` prints, by the test's clock.
async fn permit(world: &World, uses: i64) -> String {
    let desk = Desk {
        house: &world.site.house,
        actor: Actor::Shell("test".to_owned()),
        address: String::new(),
        now: world.clock_now(),
    };
    let week = Duration::from_secs(7 * 86_400);
    let token = registration::permit(&desk, world.tenant().await, uses, week).await.unwrap();
    token.expose_secret().to_owned()
}

/// RFC 7591, RFC 7592, ASVS 10.4.7: with an operator's token only, as often as it says; then the application manages itself.
#[actix_web::test]
async fn an_application_registers_itself_with_permission() {
    for on in BOTH {
        let world = World::new(on).await;
        let good = json!({
            "client_name": "Self-made", "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid email", "something_else": true,
        });
        let bare = Told::of(reqwest::Client::new().post(format!("{}/oidc/register", world.base())).json(&good)).await;
        // RFC 6750, 3.1: whoever shows no token has made no mistake with one.
        let told = bare.header("www-authenticate");
        assert_eq!((bare.status, told), (401, "Bearer realm=\"registration\""), "{on:?}: off unless permitted");
        let made_up = register(&world, "made up", &good).await;
        assert_eq!(made_up.status, 401, "{on:?}");
        assert!(made_up.header("www-authenticate").contains("error=\"invalid_token\""), "{on:?}");
        let token = permit(&world, 2).await;
        let key =
            SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Es256, RsaSize::Bits2048).unwrap();
        let keys = json!({ "keys": [key.public_jwk()] });
        for (change, error) in [
            (json!({ "redirect_uris": ["http://rp.example/cb"] }), "invalid_redirect_uri"),
            (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
            (json!({ "redirect_uris": "x" }), "invalid_client_metadata"),
            (json!({ "redirect_uris": ["https://rp.example/#x"] }), "invalid_redirect_uri"),
            (json!({ "redirect_uris": ["https://rp.ex\u{e4}mple/cb"] }), "invalid_redirect_uri"),
            (json!({ "grant_types": ["\u{e4}\r\nb"] }), "invalid_client_metadata"),
            (json!({ "grant_types": ["implicit"] }), "invalid_client_metadata"),
            (json!({ "grant_types": ["client_credentials"] }), "invalid_client_metadata"),
            (json!({ "response_types": ["id_token"] }), "invalid_client_metadata"),
            (json!({ "token_endpoint_auth_method": "tls_client_auth" }), "invalid_client_metadata"),
            (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "invalid_client_metadata"),
            (json!({ "jwks": { "keys": [{ "kty": "oct", "k": "AA" }] } }), "invalid_client_metadata"),
            (json!({ "id_token_signed_response_alg": "none" }), "invalid_client_metadata"),
            (json!({ "sector_identifier_uri": "https://evil.example/" }), "invalid_client_metadata"),
            (json!({ "jwks": keys, "jwks_uri": "https://rp.example/keys" }), "invalid_client_metadata"),
            (json!({ "post_logout_redirect_uris": ["http://rp.example/out"] }), "invalid_client_metadata"),
            (json!({ "frontchannel_logout_uri": "https://other.example/fcl" }), "invalid_client_metadata"),
            (json!({ "frontchannel_logout_uri": "https://rp.example:8443/fcl" }), "invalid_client_metadata"),
            (json!({ "client_name": "Notes" }), "invalid_client_metadata"),
            (json!({ "client_name": "\u{202e}x" }), "invalid_client_metadata"),
        ] {
            let mut metadata = good.clone();
            metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let told = register(&world, &token, &metadata).await;
            assert_eq!((told.status, told.error()), (400, error), "{on:?} {change}: {}", told.text);
            assert_eq!(told.header("cache-control"), "no-store");
            let words = told.text("error_description");
            assert!(words.chars().all(|c| matches!(c, ' '..='~')), "{on:?}: RFC 7591, 3.2.2: {words}");
        }
        // None of that used the token up.
        let made = register(&world, &token, &good).await;
        assert_eq!(made.status, 201, "{on:?}: {}", made.text);
        let (id, secret) = (made.text("client_id"), made.text("client_secret"));
        assert!(id.starts_with("dyn-") && made.body["client_secret_expires_at"] == 0, "{}", made.text);
        // It works.
        let mut linus = linus(&world).await;
        let url = format!(
            "{}/oidc/authorize?client_id={id}&response_type=code&scope=openid%20email%20groups&redirect_uri={}&code_challenge={}\
             &code_challenge_method=S256",
            world.base(),
            encoded(CALLBACK),
            challenge()
        );
        // ASVS 10.7: nobody has looked at it, so people decide for themselves.
        let page = linus.get(&url).await;
        assert_eq!(page.title(), "Allow access to your data?", "{on:?}: {}", page.body);
        let code = answer(&linus.press(&page, "allow", &[]).await, "code");
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let token_at = format!("{}/oidc/token", world.base());
        let tokens =
            Told::of(reqwest::Client::new().post(&token_at).basic_auth(&id, Some(&secret)).form(&fields)).await;
        assert_eq!((tokens.status, tokens.text("scope")), (200, "openid email".to_owned()), "{on:?}: {}", tokens.text);
        // It reads, changes and removes itself, and nobody else does.
        let (place, own) = (made.text("registration_client_uri"), made.text("registration_access_token"));
        let client = reqwest::Client::new();
        let read = Told::of(client.get(&place).bearer_auth(&own)).await;
        assert_eq!((read.text("client_id"), read.body["client_secret"].clone()), (id.clone(), json!(null)), "T-58");
        assert_eq!(read.text("registration_access_token"), own, "{on:?}: RFC 7592, 3");
        for other in [&token, "x", ""] {
            assert_eq!(Told::of(client.get(&place).bearer_auth(other)).await.status, 401, "{on:?}");
        }
        let mut second = good.clone();
        second["client_name"] = "Another".into();
        let another = register(&world, &token, &second).await;
        assert_eq!(another.status, 201, "{on:?}");
        let foreign = another.text("registration_access_token");
        assert_eq!(Told::of(client.delete(&place).bearer_auth(&foreign)).await.status, 401, "{on:?}: T-56");
        let mut changed = good.clone();
        changed["redirect_uris"] = json!(["https://rp.example/new"]);
        let put = Told::of(client.put(&place).bearer_auth(&own).json(&changed)).await;
        assert_eq!(
            (put.status, put.body["redirect_uris"][0].as_str()),
            (200, Some("https://rp.example/new")),
            "{}",
            put.text
        );
        assert_eq!(put.text("registration_access_token"), own, "{on:?}: RFC 7592, 3");
        // RFC 7592, 2.2: null is as good as left out.
        let mut nulls = changed.clone();
        for name in ["post_logout_redirect_uris", "require_pushed_authorization_requests", "dpop_bound_access_tokens"] {
            nulls[name] = json!(null);
        }
        let same = Told::of(client.put(&place).bearer_auth(&own).json(&nulls)).await;
        assert_eq!((same.status, same.body), (200, put.body.clone()), "{on:?}: {}", same.text);
        assert_eq!(linus.get(&url).await.status, 400, "{on:?}: the old address is not registered any more");
        // RFC 7592, 2.2: it stays who it is, does not choose its secret, and keeps what an operator has added.
        for (name, text, good) in [
            ("client_id", id.as_str(), true),
            ("client_id", "notes", false),
            ("client_secret", secret.as_str(), true),
            ("client_secret", "a secret of its own choice", false),
        ] {
            let mut metadata = changed.clone();
            metadata[name] = text.into();
            let put = Told::of(client.put(&place).bearer_auth(&own).json(&metadata)).await;
            assert_eq!(put.status == 200, good, "{on:?} {name}: {}", put.text);
        }
        let more = "redirect_uris = [\"https://rp.example/new\"]\nrefresh_tokens = true\nscopes = [\"openid\", \"email\"]\n\
                    device_authorization = true\nsector_identifier = \"example.com\"\n";
        let table =
            application("Self-made", more).replace("client_id = \"Self-made\"", &format!("client_id = \"{id}\""));
        world.apply(&table).await;
        changed["userinfo_signed_response_alg"] = "ES256".into();
        changed["jwks_uri"] = "https://rp.example/keys".into();
        changed["dpop_bound_access_tokens"] = true.into();
        changed["frontchannel_logout_uri"] = "https://rp.example/fcl".into();
        let put = Told::of(client.put(&place).bearer_auth(&own).json(&changed)).await;
        let read = Told::of(client.get(&place).bearer_auth(&own)).await;
        assert_eq!((put.status, put.body), (200, read.body.clone()), "{on:?}");
        for name in [
            "userinfo_signed_response_alg",
            "jwks_uri",
            "dpop_bound_access_tokens",
            "redirect_uris",
            "frontchannel_logout_uri",
        ] {
            assert_eq!(read.body[name], changed[name], "{on:?}: RFC 7591, 3.2.1");
        }
        let device = client.post(format!("{}/oidc/device_authorization", world.base()));
        let device = Told::of(device.basic_auth(&id, Some(&secret)).form(&[("scope", "openid")])).await;
        assert_eq!(device.status, 200, "{on:?}: {}", device.text);
        assert_eq!(register(&world, &token, &good).await.status, 401, "{on:?}: used up");
        assert_eq!(Told::of(client.delete(&place).bearer_auth(&own)).await.status, 204, "{on:?}");
        assert_eq!(Told::of(client.get(&place).bearer_auth(&own)).await.status, 401, "{on:?}");
        let gone = Told::of(client.post(&token_at).basic_auth(&id, Some(&secret)).form(&fields)).await;
        assert_eq!((gone.status, gone.error()), (401, "invalid_client"), "{on:?}");
        let late = permit(&world, 1).await;
        let printed = world.command(&["client", "permit", "--tenant", "acme"]);
        assert_eq!(printed.trim().len(), 43, "{printed}");
        world.advance(8 * 86_400);
        assert_eq!(register(&world, &late, &second).await.status, 401, "{on:?}: expired");
        world.stop().await;
    }
}

/// R-510, T-52: a client publishes its keys; they are fetched when a new one is named, and never from where it is not allowed.
#[actix_web::test]
async fn published_keys_are_fetched_within_the_rules() {
    let world = World::new(On::Sqlite).await;
    let (listener, canary) = (Listener::at("127.0.0.1").await, Listener::at("::1").await);
    for (name, address) in [("robot", &listener.address), ("inside", &canary.address)] {
        let table = format!(
            "token_endpoint_auth_method = \"private_key_jwt\"\nredirect_uris = [\"{CALLBACK}\"]\njwks_uri = \"{address}/jwks\"\n"
        );
        world.apply(&application(name, &table)).await;
    }
    let made = |id: u128| {
        SigningKey::generate(SigningKeyId::from_bits(id), SignatureAlgorithm::Es256, RsaSize::Bits2048).unwrap()
    };
    let (first, second) = (made(1), made(2));
    let publish = |keys: &[&SigningKey]| {
        let set = json!({ "keys": keys.iter().map(|key| key.public_jwk()).collect::<Vec<_>>() }).to_string();
        listener.will_say(format!("200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{set}", set.len()));
    };
    let number = std::cell::Cell::new(0);
    let ask = async |id: &'static str, key: &SigningKey| {
        number.set(number.get() + 1);
        let now = world.clock_now().seconds();
        let claims =
            json!({ "iss": id, "sub": id, "aud": world.base(), "jti": number.get().to_string(), "exp": now + 60 });
        let assertion = key.sign_jwt(claims.to_string().as_bytes()).unwrap();
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let fields = [("client_assertion_type", kind), ("client_assertion", &assertion), ("token", "x")];
        Rp::new(&world, id).post_bare("introspect", &fields).await.status
    };
    publish(&[&first]);
    assert_eq!(ask("robot", &first).await, 200);
    assert_eq!(ask("robot", &first).await, 200);
    assert_eq!(listener.count(), 1, "kept for a while");
    // A new key: fetched again, but not at every made-up name.
    assert_eq!(ask("robot", &second).await, 401, "too soon to look again");
    assert_eq!(listener.count(), 1);
    world.advance(31);
    publish(&[&second]);
    assert_eq!(ask("robot", &second).await, 200);
    assert_eq!((listener.count(), ask("robot", &first).await), (2, 401), "the old key is gone");
    // The address does not answer well: what is known counts on for a while.
    for bad in [
        "500 No\r\ncontent-length: 0\r\n\r\n",
        "302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    ] {
        world.advance(301);
        listener.will_say(bad);
        assert_eq!(ask("robot", &second).await, 200, "{bad}");
    }
    world.advance(301);
    listener.will_say(format!("200 OK\r\ncontent-length: 70000\r\n\r\n{}", "x".repeat(70_000)));
    assert_eq!(ask("robot", &second).await, 200, "64 KiB and no more");
    world.advance(3700);
    listener.will_say("500 No\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(ask("robot", &second).await, 401, "not for ever");
    // T-52: never called.
    assert_eq!(ask("inside", &first).await, 401);
    assert_eq!(canary.count(), 0);
    world.stop().await;
}

/// A PUT whose last octet is held back; [`Withheld::send_rest`] sends it.
struct Withheld {
    stream: tokio::net::TcpStream,
    last: Vec<u8>,
}

impl Withheld {
    async fn put(world: &World, made: &Told, metadata: &Value) -> Self {
        let place = url::Url::parse(&made.text("registration_client_uri")).unwrap();
        let host = world.url.trim_start_matches("http://").to_owned();
        let mut body = serde_json::to_vec(metadata).unwrap();
        let last = body.split_off(body.len() - 1);
        let head = format!(
            "PUT {} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            place.path(),
            made.text("registration_access_token"),
            body.len() + 1
        );
        let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        // Long enough for the service to have looked at who calls.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Self { stream, last }
    }

    async fn send_rest(mut self) -> u16 {
        self.stream.write_all(&self.last).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// RFC 7592 2.2: what an operator does to an application while its own change is on its way stands, and a
/// removed one has no token any more.
#[actix_web::test]
async fn an_application_does_not_undo_what_an_operator_did() {
    for on in BOTH {
        let world = World::new(on).await;
        let (desk, code) = (world.desk("operator"), "acme".parse().unwrap());
        let token = permit(&world, 3).await;
        let mut apps = Vec::new();
        for name in ["Stopped", "Removed", "Rekeyed"] {
            let metadata = json!({ "client_name": name, "redirect_uris": [CALLBACK] });
            let made = register(&world, &token, &metadata).await;
            assert_eq!(made.status, 201, "{on:?}: {}", made.text);
            let changed = json!({ "client_name": format!("{name} again"), "redirect_uris": [CALLBACK] });
            let put = Withheld::put(&world, &made, &changed).await;
            apps.push((made, put));
        }
        let config = configuration::current(&desk, &code).await.unwrap();
        let named = |name: &str| {
            let application = config.applications.iter().find(|application| application.name == name).unwrap();
            (application.id, mark(application))
        };
        applications::activate(&desk, &code, named("Stopped"), false, Despite::Nothing).await.unwrap();
        applications::remove(&desk, &code, named("Removed"), false, Despite::Nothing).await.unwrap();
        let secret =
            world.command(&["client", "secret", &apps[2].0.text("client_id"), "--tenant", "acme", "--at-once"]);
        let mut apps = apps.into_iter();
        let mut next = || apps.next().unwrap();
        let client = reqwest::Client::new();

        let (made, put) = next();
        assert_eq!(put.send_rest().await, 403, "{on:?}");
        let own = |made: &Told| (made.text("registration_client_uri"), made.text("registration_access_token"));
        let (place, bearer) = own(&made);
        // RFC 7592, 2.1 to 2.3: stopped is not unknown, whatever it tries and whoever still remembers it.
        world.advance(3);
        let metadata = json!({ "client_name": "Stopped again", "redirect_uris": [CALLBACK] });
        for request in [client.get(&place), client.put(&place).json(&metadata), client.delete(&place)] {
            let told = Told::of(request.bearer_auth(&bearer)).await;
            assert_eq!((told.status, told.error()), (403, "access_denied"), "{on:?}: {}", told.text);
        }
        for request in [client.get(&place), client.put(&place).json(&metadata)] {
            assert_eq!(Told::of(request.bearer_auth("x")).await.status, 401, "{on:?}");
        }
        assert_eq!(world.number("SELECT active AS n FROM application WHERE name = 'Stopped'").await, 0, "{on:?}");

        let (made, put) = next();
        assert_eq!(put.send_rest().await, 401, "{on:?}");
        let (place, bearer) = own(&made);
        assert_eq!(Told::of(client.get(&place).bearer_auth(&bearer)).await.status, 401, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM application WHERE name LIKE 'Removed%'").await, 0, "{on:?}");
        let managing = "SELECT COUNT(*) AS n FROM registration_token WHERE application_id IS NOT NULL";
        assert_eq!(world.number(managing).await, 2, "{on:?}: its token went with it");

        let (made, put) = next();
        assert_eq!(put.send_rest().await, 200, "{on:?}");
        let introspect = async |secret: &str| {
            let request = client.post(format!("{}/oidc/introspect", world.base()));
            Told::of(request.basic_auth(made.text("client_id"), Some(secret)).form(&[("token", "x")])).await.status
        };
        assert_eq!(introspect(&made.text("client_secret")).await, 401, "{on:?}: the old secret ended at once");
        assert_eq!(introspect(secret.trim()).await, 200, "{on:?}");
        assert_eq!(
            world.number("SELECT COUNT(*) AS n FROM application WHERE name = 'Rekeyed again'").await,
            1,
            "{on:?}"
        );
        world.stop().await;
    }
}

/// RFC 7592 2.2, R-484: what an operator has narrowed stays narrow, whatever the application says of itself.
#[actix_web::test]
async fn an_application_does_not_widen_what_an_operator_narrowed() {
    for on in BOTH {
        let world = World::new(on).await;
        let token = permit(&world, 1).await;
        let wide = json!({
            "client_name": "Wide", "redirect_uris": [CALLBACK], "scope": "openid profile email groups",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let made = register(&world, &token, &wide).await;
        assert_eq!(made.status, 201, "{on:?}: {}", made.text);
        let (place, own) = (made.text("registration_client_uri"), made.text("registration_access_token"));
        let narrow = format!(
            "redirect_uris = [\"{CALLBACK}\"]\nscopes = [\"openid\", \"email\"]\nconsent = \"ask\"\n\
             require_pushed_authorization_requests = true\ndpop_bound_access_tokens = true\n"
        );
        let id = format!("client_id = \"{}\"", made.text("client_id"));
        world.apply(&application("Wide", &narrow).replace("client_id = \"Wide\"", &id)).await;
        let put = async |metadata: &Value| {
            let told = Told::of(reqwest::Client::new().put(&place).bearer_auth(&own).json(metadata)).await;
            assert_eq!(told.status, 200, "{on:?}: {}", told.text);
            told.body
        };
        let mut loose = wide.clone();
        loose["require_pushed_authorization_requests"] = false.into();
        loose["dpop_bound_access_tokens"] = false.into();
        for metadata in [&wide, &loose] {
            let now = put(metadata).await;
            assert_eq!(now["scope"], "openid email", "{on:?}: {now}");
            assert_eq!(now["grant_types"], json!(["authorization_code"]), "{on:?}: {now}");
            for name in ["require_pushed_authorization_requests", "dpop_bound_access_tokens"] {
                assert_eq!(now[name], true, "{on:?} {name}: {now}");
            }
        }
        // It may do with less.
        loose["scope"] = "openid".into();
        assert_eq!(put(&loose).await["scope"], "openid", "{on:?}");
        world.stop().await;
    }
}
