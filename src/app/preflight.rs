//! `vestibule check`, and what the console's preflight page asks of the roof: configuration, keys, certificate, mail.

use crate::clock::{Clock, Entropy};
use crate::config::{KeySource, Settings};
use crate::domain::ids::MailId;
use crate::domain::preflight::{Finding, Light};
use crate::domain::secret::ExposeSecret as _;
use crate::domain::user::checked_email;
use crate::flow::preflight;
use crate::http::{Apps, Look, Site};
use crate::keys::sealing::Place;
use crate::mail::render::Rendered;
use crate::mail::transport::Transport;
use crate::storage::{Db, installation, tenants};

use super::{Nature, Schema, kek, open, tls};

/// What was found, and about which virtual server; none for the installation.
#[derive(Debug)]
pub struct Checked {
    /// The code of the virtual server.
    pub tenant: Option<String>,
    /// What was found.
    pub finding: Finding,
}

impl Checked {
    /// As a line.
    #[must_use]
    pub fn line(&self) -> String {
        let Finding { what, light, found, to_do } = &self.finding;
        let mark = match light {
            Light::Green => "ok   ",
            Light::Amber => "warn ",
            Light::Red => "FAIL ",
        };
        let tenant = self.tenant.as_ref().map_or(String::new(), |code| format!("{code}: "));
        let to_do = to_do.as_ref().map_or(String::new(), |words| format!(" -> {words}"));
        format!("{mark} {tenant}{}: {found}{to_do}", what.replace('_', " "))
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(&self.finding).unwrap_or_default();
        if let Some(members) = value.as_object_mut() {
            members.insert("tenant".to_owned(), self.tenant.clone().into());
        }
        value
    }
}

/// Everything that can be looked at without changing anything; with `mail_to`, a test mail is sent there.
pub async fn check(settings: &Settings, mail_to: Option<&str>) -> Vec<Checked> {
    let mut found = vec![Finding::green("configuration", settings.http.public_url.to_string())];
    found.extend(certificate(settings));
    let db = database(settings, &mut found).await;
    found.push(key(settings, db.as_ref()).await);
    // What the service does not start without; without mail it does.
    let opens = found.iter().all(|finding| finding.light != Light::Red);
    found.push(mail_server(settings).await);
    if let Some(to) = mail_to {
        found.push(test_mail(settings, to, None).await);
    }
    let mut checked: Vec<Checked> = found.into_iter().map(|finding| Checked { tenant: None, finding }).collect();
    let current = match &db {
        Some(db) => db.migrations().await.is_ok_and(|(known, applied)| known == applied),
        None => false,
    };
    // Before the first start there is nothing to look at.
    let first = opens && db.is_none();
    if let Some(db) = db {
        db.close().await;
    }
    if opens && current {
        match open(settings, Schema::Expect, Nature::default()).await {
            Ok(site) => checked.extend(house(&site).await),
            Err(error) => {
                let finding = Finding::red("service", format!("{error:#}"), "it would not start; mend that");
                checked.push(Checked { tenant: None, finding });
            }
        }
    } else if !first {
        let found = "clock, public address and virtual servers were not looked at";
        let finding = Finding::amber("service", found, "mend what stands above, or start it once, and run this again");
        checked.push(Checked { tenant: None, finding });
    }
    checked
}

/// Clock, public address, and every virtual server.
async fn house(site: &Site) -> Vec<Checked> {
    let house = &site.house;
    let mut found = vec![preflight::clock(house).await];
    found.extend(addresses(site).await.into_iter().map(|finding| match finding.light {
        // At the shell, the service may not have been started yet.
        Light::Red => Finding { light: Light::Amber, ..finding },
        Light::Green | Light::Amber => finding,
    }));
    let mut checked: Vec<Checked> = found.into_iter().map(|finding| Checked { tenant: None, finding }).collect();
    let codes = house.db.look(async |connection| tenants::codes(connection).await).await.unwrap_or_default();
    for code in codes {
        let config = house.db.look(async |connection| tenants::config(connection, &code).await).await;
        let Ok(Some(config)) = config else { continue };
        let found = match preflight::of_tenant(house, &config, house.clock.now()).await {
            Ok(found) => found,
            Err(error) => vec![Finding::red("database", error.to_string(), "see that the database answers")],
        };
        checked.extend(found.into_iter().map(|finding| Checked { tenant: Some(code.to_string()), finding }));
    }
    house.db.close().await;
    checked
}

/// Whether the service answers at its public address, also with the files that let apps open activation links.
async fn addresses(site: &Site) -> Vec<Finding> {
    let (house, public, apps) = (&site.house, site.urls.public(), &site.settings.apps);
    let alive = format!("{public}/healthz");
    let apple = format!("{public}/.well-known/apple-app-site-association");
    let android = format!("{public}/.well-known/assetlinks.json");
    let ios = apps.ios_app_ids.first().map_or("applinks", String::as_str);
    let package = apps.android_apps.first().map_or("[", |(package, _)| package.as_str());
    vec![
        store_links(apps),
        preflight::reachable(house, "public_address", &alive, "alive").await,
        preflight::reachable(house, "ios_association", &apple, ios).await,
        preflight::reachable(house, "android_association", &android, package).await,
    ]
}

/// Whether pages send people to the pages of an app.
fn store_links(apps: &Apps) -> Finding {
    if apps.ios_store_url == Apps::default().ios_store_url {
        let found = "people with an iPhone are sent to a search in the App Store";
        return Finding::amber("store_links", found, "give the app's own page as apps.ios_store_url");
    }
    Finding::green("store_links", "people are sent to the pages of the apps")
}

/// Answers what the console asks.
pub(super) async fn look(settings: &Settings, site: &Site, look: Look) -> Vec<Finding> {
    match look {
        Look::Surroundings => {
            let mut found: Vec<Finding> = certificate(settings).into_iter().collect();
            found.push(preflight::clock(&site.house).await);
            found.push(mail_server(settings).await);
            found.extend(addresses(site).await);
            found
        }
        Look::TestMail { to, letter } => vec![test_mail(settings, &to, letter).await],
    }
}

///
fn certificate(settings: &Settings) -> Option<Finding> {
    let files = settings.http.tls.as_ref()?;
    let certificate = match tls::Certificate::of(files) {
        Ok(certificate) => certificate,
        Err(error) => {
            let to_do = "give files that are there and belong together";
            return Some(Finding::red("TLS_certificate", format!("{error:#}"), to_do));
        }
    };
    let worries = certificate.worries(&settings.http.public_url, Clock::System.now());
    let name = files.certificate.display();
    if worries.is_empty() {
        return Some(Finding::green("TLS_certificate", name.to_string()));
    }
    let passing = worries.iter().all(|it| it.starts_with("expires at") || it.starts_with("is self-signed"));
    let found = format!("{name} {}", worries.join("; it "));
    let to_do = "put a certificate of a public authority for this host in its place; it is taken without a restart";
    Some(if passing {
        Finding::amber("TLS_certificate", found, to_do)
    } else {
        Finding::red("TLS_certificate", found, to_do)
    })
}

async fn database(settings: &Settings, found: &mut Vec<Finding>) -> Option<Db> {
    let url = settings.database.expose_secret();
    if let Some(path) = url.strip_prefix("sqlite://") {
        let path = path.split('?').next().unwrap_or(path);
        if !std::path::Path::new(path).exists() {
            found.push(Finding::green("database", format!("{path} will be made at the first start")));
            return None;
        }
    }
    match Db::connect(url).await {
        Ok(db) => {
            found.push(schema(&db).await);
            Some(db)
        }
        Err(error) => {
            found.push(Finding::red("database", error.to_string(), "see that it runs and that database.url is right"));
            None
        }
    }
}

async fn schema(db: &Db) -> Finding {
    let words = match db.migrations().await {
        Err(error) => return Finding::red("database", error.to_string(), "see that the database answers"),
        Ok((known, applied)) if known == applied => "reachable, schema up to date".to_owned(),
        Ok((_, 0)) => "reachable, empty; the schema will be made at the first start".to_owned(),
        Ok((known, applied)) if applied < known => {
            format!("reachable, {applied} of {known} migrations; the rest will be done at the next start")
        }
        Ok((known, applied)) => {
            let found = format!("its schema is newer than this program: {applied} migrations, {known} known");
            return Finding::red("database", found, "run the newer program, or restore a copy from before");
        }
    };
    Finding::green("database", words)
}

async fn key(settings: &Settings, db: Option<&Db>) -> Finding {
    const WHAT: &str = "key-encryption_key";
    const TO_DO: &str = "give the key that this database was made with";
    if let KeySource::File(path) = &settings.key_encryption_keys
        && !path.exists()
    {
        let name = path.display();
        let root = match db {
            Some(db) => db.look(async |connection| installation::root_sealed(connection).await).await,
            None => Ok(None),
        };
        return match root {
            Ok(Some(_)) => Finding::red(WHAT, format!("{name} is missing"), TO_DO),
            _ => Finding::green(WHAT, format!("{name} will be made at the first start")),
        };
    }
    let sealer = match kek::existing(&settings.key_encryption_keys) {
        Ok(sealer) => sealer,
        Err(error) => return Finding::red(WHAT, format!("{error:#}"), TO_DO),
    };
    let version = sealer.current_version().to_string();
    let Some(db) = db else { return Finding::green(WHAT, version) };
    // Before the first migration there is no such table, and nothing that a key could fail to open.
    match db.look(async |connection| installation::root_sealed(connection).await).await {
        Ok(Some(root)) => {
            if let Err(error) = sealer.open(Place::installation("root_sealed"), &root) {
                return Finding::red(WHAT, error.to_string(), TO_DO);
            }
            Finding::green(WHAT, format!("{version}, opens what is stored"))
        }
        Ok(None) => Finding::green(WHAT, format!("{version}, opens what is stored")),
        Err(_) => Finding::green(WHAT, version),
    }
}

const MAIL_TO_DO: &str = "see that it runs, and that mail.url has the right host, port, protection and password";

async fn mail_server(settings: &Settings) -> Finding {
    let answers = match Transport::new(&settings.mail) {
        Ok(transport) => transport.check().await,
        Err(error) => Err(error),
    };
    match answers {
        Ok(()) => Finding::green("mail_server", "answers"),
        Err(error) => Finding::red("mail_server", error.to_string(), MAIL_TO_DO),
    }
}

/// a mail that really leaves, and what the mail server says to it. Whether it arrives is seen in the mailbox.
async fn test_mail(settings: &Settings, to: &str, letter: Option<Rendered>) -> Finding {
    const WHAT: &str = "test_mail";
    let to = match checked_email(to) {
        Ok(to) => to,
        Err(words) => return Finding::red(WHAT, format!("the address {words}"), "name one mail address"),
    };
    let public = settings.http.public_url.as_str();
    let words = format!("This is a test mail of the service at {public}. If you can read it, its mail arrives.");
    let mail = letter.unwrap_or_else(|| Rendered {
        subject: "Test mail".to_owned(),
        html: format!("<!DOCTYPE html><html lang=\"en\"><title>Test mail</title><body><p>{words}</p></body></html>"),
        text: format!("{words}\n"),
        table: None,
    });
    let id: MailId = Entropy::System.id();
    let sent = match Transport::new(&settings.mail) {
        Ok(transport) => transport.send(id, &to, &mail).await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(answer) => {
            let found = format!("the mail server took the mail: {answer}; its Message-ID begins with {id}");
            Finding::green(WHAT, found)
        }
        Err(error) => Finding::red(WHAT, error.to_string(), MAIL_TO_DO),
    }
}
