//! The demo: the whole thing for a first look, on one machine, with real parts. Mail travels over SMTP to a
//! small inbox, Notes and Wiki are built on libraries that others wrote, the database is the embedded one.

mod inbox;
mod notes;
pub mod smtp;
mod wiki;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Context as _;
use askama::Template;

use crate::app::{Nature, Schema, Service};
use crate::apply;
use crate::apply::plan::Prune;
use crate::apply::run::Run;
use crate::config::Settings;
use crate::domain::audit::Actor;
use crate::flow::administration::Desk;
use notes::Notes;
use smtp::Mailbox;
use wiki::Wiki;

/// The people of the demo: user name, password, what happens.
pub const PEOPLE: [(&str, &str, &str); 5] = [
    (
        "ada",
        "correct horse battery staple",
        "is in the pilot group and has no authenticator: adds one at the first login",
    ),
    ("grace", "grace hopper 1952", "the same, in German"),
    ("linus", "linus has a token", "has an authenticator already; its key is JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
    ("barbara", "not in the rollout", "is not in the pilot group yet: is told to wait for the administrator"),
    ("olga", "operates the rollout", "is an operator: the console, where an authenticator is added at the first login"),
];

/// The apply file of the demo tenant.
#[must_use]
pub fn tenant(applications: &str) -> String {
    let user = |(name, email, first, last, password, groups, language): (&str, &str, &str, &str, &str, &str, &str)| {
        format!(
            "[[tenant.user]]\nusername = \"{name}\"\nemail = \"{email}\"\nfirst_name = \"{first}\"\nlast_name = \"{last}\"\n\
             password = \"{password}\"\ngroups = [{groups}]\n{language}\n"
        )
    };
    let password =
        |name: &str| PEOPLE.iter().find(|(known, ..)| *known == name).map_or("", |(_, password, _)| password);
    let people = [
        ("ada", "ada@acme.test", "Ada", "Lovelace", password("ada"), "\"pilot\"", ""),
        ("grace", "grace@acme.test", "Grace", "Hopper", password("grace"), "\"pilot\"", "language = \"de\""),
        ("barbara", "barbara@acme.test", "Barbara", "Liskov", password("barbara"), "", ""),
        ("olga", "olga@acme.test", "Olga", "Ladyzhenskaya", password("olga"), "", ""),
        // The last one: the file goes on with the token.
        ("linus", "linus@acme.test", "Linus", "Pauling", password("linus"), "\"pilot\"", ""),
    ];
    let users: String = people.into_iter().map(user).collect();
    format!(
        r#"[[tenant]]
code = "acme"
name = "Acme Corporation"
default_language = "en"
help_contact = "help@acme.test"

[[tenant.group]]
name = "pilot"

{users}
[[tenant.user.token]]
type = "oath_app"
secret_base32 = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
algorithm = "SHA1"
digits = 6
period_seconds = 30

[[tenant.operator]]
username = "olga"
role = "Operator"

[[tenant.application]]
name = "Notes"
launch_url = "{applications}/notes/login"
assigned_to = "everyone"
[tenant.application.oidc]
client_id = "{client}"
client_secret = "{secret}"
redirect_uris = ["{applications}/notes/callback"]
scopes = ["openid", "profile", "email", "groups"]

[[tenant.application]]
name = "Wiki"
launch_url = "{applications}/wiki/login"
assigned_to = "everyone"
[tenant.application.saml]
entity_id = "{wiki}"
acs_urls = ["{applications}/wiki/acs"]
name_id_format = "persistent"
attributes = [
  {{ name = "uid", source = "username" }},
  {{ name = "mail", source = "email" }},
  {{ name = "cn", source = "display_name" }},
  {{ name = "groups", source = "groups" }},
]

[tenant.global_policy]
require = ["password", "otp"]

[tenant.self_provisioning]
target_users = "members_of"
groups = ["pilot"]
windows_link = "none"

[tenant.platforms.ios]
allowed = true
push = true
[tenant.platforms.android]
allowed = true
push = true
[tenant.platforms.windows]
allowed = true
[tenant.platforms.command_line]
allowed = true
[tenant.platforms.oath_app]
allowed = true
"#,
        client = notes::CLIENT_ID,
        secret = notes::CLIENT_SECRET,
        wiki = wiki::entity_id(applications),
    )
}

/// Runs the demo until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn run(listen: SocketAddr, data: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(data).with_context(|| format!("the folder {} cannot be made", data.display()))?;
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let aside = SocketAddr::new(listen.ip(), listen.port().saturating_add(1));
    let applications = TcpListener::bind(aside).with_context(|| format!("cannot listen on {aside}"))?;
    listener.set_nonblocking(true)?;
    let (mail, mailbox) = smtp::start().await.context("the inbox cannot be opened")?;
    let service = format!("http://{}", listener.local_addr()?);
    let outside = format!("http://{}", applications.local_addr()?);
    let settings = settings(&service, mail, data)?;
    let file = data.join("acme.toml");
    std::fs::write(&file, tenant(&outside))?;
    let running = Service::start(&settings, listener, Schema::Migrate, Nature::default()).await?;
    let house = &running.site.house;
    let desk = Desk { house, actor: Actor::Shell("demo".to_owned()), address: String::new(), now: house.clock.now() };
    apply::run::files(&desk, &[file], Run::Real, Prune::Keep).await?;
    house.forget_realms();
    let others = applications_server(&service, &outside, applications, mailbox)?;
    let stop = others.handle();
    actix_web::rt::spawn(others);
    greet(&service, &outside, data);
    running.run().await?;
    stop.stop(true).await;
    Ok(())
}

fn settings(service: &str, mail: SocketAddr, data: &Path) -> anyhow::Result<Settings> {
    let address = service.trim_start_matches("http://");
    let variables = [
        ("VESTIBULE__HTTP__LISTEN", address.to_owned()),
        ("VESTIBULE__HTTP__PUBLIC_URL", service.to_owned()),
        ("VESTIBULE__DATABASE__URL", format!("sqlite://{}", data.join("vestibule.db").display())),
        ("VESTIBULE__MAIL__URL", format!("smtp://{mail}")),
        ("VESTIBULE__MAIL__FROM", "Acme Login <no-reply@acme.test>".to_owned()),
        ("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", data.join("kek").display().to_string()),
    ];
    Ok(Settings::load(None, variables.map(|(name, value)| (name.to_owned(), value)))?)
}

fn applications_server(
    service: &str,
    outside: &str,
    listener: TcpListener,
    mailbox: Mailbox,
) -> anyhow::Result<actix_web::dev::Server> {
    let notes = web::Data::new(Notes::new(format!("{service}/t/acme"), outside.to_owned())?);
    let wiki = web::Data::new(Wiki::new(format!("{service}/t/acme/saml/metadata"), outside.to_owned())?);
    let start = web::Data::new(Start { portal: format!("{service}/t/acme/") });
    let mailbox = web::Data::new(mailbox);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(notes.clone())
            .app_data(wiki.clone())
            .app_data(start.clone())
            .app_data(mailbox.clone())
            .route("/", web::get().to(welcome))
            .route("/style.css", web::get().to(style))
            .route("/inbox", web::get().to(inbox::show))
            .route("/notes/login", web::get().to(notes::login))
            .route("/notes/callback", web::get().to(notes::callback))
            .route("/wiki/login", web::get().to(wiki::login))
            .route("/wiki/acs", web::post().to(wiki::acs))
    });
    // A browser that keeps its connection open does not keep the port from a demo that is started again.
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

fn greet(service: &str, outside: &str, data: &Path) {
    println!("\nVestibule is running.\n");
    println!("  Start here:     {outside}/");
    println!("  Mail inbox:     {outside}/inbox");
    println!("  User portal:    {service}/t/acme/");
    println!("  Operators:      {service}/t/acme/operator/");
    println!("  OIDC discovery: {service}/t/acme/.well-known/openid-configuration");
    println!("  SAML metadata:  {service}/t/acme/saml/metadata");
    println!("  Data:           {}\n", data.display());
    for (name, password, what) in PEOPLE {
        println!("  {name:<8} password \"{password}\": {what}");
    }
    println!("\nPress Ctrl-C to stop.");
}

struct Start {
    portal: String,
}

#[derive(Template)]
#[template(path = "demo/start.html")]
struct StartPage<'a> {
    portal: &'a str,
    people: [(&'static str, &'static str, &'static str); 5],
    authenticator: String,
}

async fn welcome(start: web::Data<Start>) -> HttpResponse {
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name("vestibule-authenticator"));
    let authenticator = beside.filter(|path| path.exists()).map(|path| path.display().to_string());
    html(&StartPage {
        portal: &start.portal,
        people: PEOPLE,
        authenticator: authenticator.unwrap_or_else(|| "vestibule-authenticator".to_owned()),
    })
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
        .body(concat!(include_str!("../../static/vestibule.css"), include_str!("../../static/demo.css")))
}

/// A page of the demo.
fn html(template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(body) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
            .insert_header(("cache-control", "no-store"))
            .body(body),
        Err(error) => failed(&error.into()),
    }
}

/// What a demo application says when the identity provider's answer is not good.
fn failed(error: &anyhow::Error) -> HttpResponse {
    tracing::warn!(error = %format!("{error:#}"), "a demo application refused an answer");
    HttpResponse::BadGateway()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(format!("The login did not work: {error:#}"))
}
