//! The way to the mail server: SMTP with or without TLS, or files in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart};

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::render::Rendered;
use super::smtp::Server;
use crate::domain::ids::MailId;
use crate::domain::secret::{ExposeSecret as _, SecretString};

/// How mail leaves the house.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Where to.
    pub route: Route,
    /// The sender, such as `Vestibule <no-reply@login.example.com>`.
    pub from: Mailbox,
}

/// Where mail goes.
#[derive(Debug, Clone)]
pub enum Route {
    /// To a mail server.
    Smtp {
        /// Its name.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        tls: Tls,
        /// User name and password, if it asks for them.
        credentials: Option<(String, SecretString)>,
    },
    /// Into a folder, one file each.
    Folder(PathBuf),
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not at all; for a mail server on the same machine.
    None,
    /// `STARTTLS`, demanded: without it nothing is sent (T-27).
    StartTls,
    /// From the first octet.
    Implicit,
}

impl Route {
    /// Reads an address such as `smtps://user:password@mail.example.com`.
    ///
    /// # Errors
    /// What is allowed; the address itself is not repeated, because it may hold a password.
    pub fn parse(text: &SecretString) -> Result<Self, &'static str> {
        const ALLOWED: &str =
            "must be smtp://HOST, smtp+starttls://USER:PASSWORD@HOST, smtps://USER:PASSWORD@HOST or file:///DIRECTORY";
        let url = Url::parse(text.expose_secret()).map_err(|_| ALLOWED)?;
        let (tls, default_port) = match url.scheme() {
            "file" => return url.to_file_path().map(Self::Folder).map_err(|()| ALLOWED),
            "smtp" => (Tls::None, 25),
            "smtp+starttls" => (Tls::StartTls, 587),
            "smtps" => (Tls::Implicit, 465),
            _ => return Err(ALLOWED),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(ALLOWED)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ALLOWED);
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| ALLOWED);
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => Some((decoded(user)?, decoded(password)?.into())),
            _ => return Err("must have both user and password, or neither"),
        };
        if tls == Tls::None && credentials.is_some() && !is_here(host) {
            return Err(
                "must be smtp+starttls:// or smtps:// where a password is given: smtp:// would send it in clear",
            );
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self::Smtp { tls, host, port: url.port().unwrap_or(default_port), credentials })
    }
}

/// Whether `host` is this machine. The parser leaves hosts of schemes that it does not know as they are.
fn is_here(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost",
        Err(_) => false,
    }
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The mail server refuses this mail for good; trying again changes nothing.
    #[error("the mail server refuses: {0}")]
    Refused(String),
    /// It may work later.
    #[error("not sent yet: {0}")]
    Later(String),
    /// The mail server was given all of it and has not said whether it has taken it.
    #[error("perhaps sent: {0}")]
    Unanswered(String),
}

/// A connection to where mail goes.
#[derive(Debug, Clone)]
pub enum Transport {
    /// To a mail server.
    Smtp(Arc<Server>, Mailbox),
    /// Into a folder.
    Folder(PathBuf, Mailbox),
}

impl Transport {
    /// Prepares the way; connects at the first mail.
    ///
    /// # Errors
    /// If the TLS library refuses the host's name.
    pub fn new(settings: &MailSettings) -> Result<Self, SendError> {
        let from = settings.from.clone();
        match &settings.route {
            Route::Folder(folder) => {
                std::fs::create_dir_all(folder).map_err(|error| SendError::Later(error.to_string()))?;
                Ok(Self::Folder(folder.clone(), from))
            }
            Route::Smtp { host, port, tls, credentials } => {
                let server = Server::new(host, *port, *tls, credentials.as_ref())?;
                Ok(Self::Smtp(Arc::new(server), from))
            }
        }
    }

    /// Whether the mail server answers; for `vestibule check`.
    ///
    /// # Errors
    /// What it said instead.
    pub async fn check(&self) -> Result<(), SendError> {
        match self {
            Self::Folder(..) => Ok(()),
            Self::Smtp(server, _) => server.check().await,
        }
    }

    /// Sends one mail, and gives the mail server's answer. The Message-ID comes from `id`, so that a mail that is sent twice after a crash is
    /// recognised as one (K04).
    ///
    /// # Errors
    /// What the mail server said.
    pub async fn send(&self, id: MailId, to: &str, mail: &Rendered) -> Result<String, SendError> {
        let (Self::Smtp(_, from) | Self::Folder(_, from)) = self;
        let message = message(id, from, to, mail)?;
        match self {
            Self::Folder(folder, _) => {
                let written = write_whole(folder, id, &message.formatted()).await;
                written.map_err(|error| SendError::Later(error.to_string()))?;
                Ok(format!("written as {id}.eml"))
            }
            Self::Smtp(server, _) => server.send(&message).await,
        }
    }
}

/// Writes a mail under another name first: whoever watches the folder never reads half of one.
async fn write_whole(folder: &Path, id: MailId, octets: &[u8]) -> std::io::Result<()> {
    let part = folder.join(format!("{id}.part"));
    tokio::fs::write(&part, octets).await?;
    tokio::fs::rename(&part, folder.join(format!("{id}.eml"))).await
}

fn message(id: MailId, from: &Mailbox, to: &str, mail: &Rendered) -> Result<Message, SendError> {
    let refused = |error: &dyn std::fmt::Display| SendError::Refused(error.to_string());
    let receiver: Mailbox = to.parse().map_err(|error| refused(&error))?;
    let message_id = format!("<{id}@{}>", from.email.domain());
    Message::builder()
        .from(from.clone())
        .to(receiver)
        .subject(mail.subject.clone())
        .message_id(Some(message_id))
        // Answering machines stay silent (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .multipart(body(mail)?)
        .map_err(|error| refused(&error))
}

/// Text and HTML, and beside them the table that is attached.
fn body(mail: &Rendered) -> Result<MultiPart, SendError> {
    let words = MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone());
    let Some((name, table)) = &mail.table else { return Ok(words) };
    let kind = ContentType::parse("text/csv; charset=utf-8").map_err(|error| SendError::Refused(error.to_string()))?;
    Ok(MultiPart::mixed().multipart(words).singlepart(Attachment::new(name.clone()).body(table.clone(), kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-26.
    #[test]
    fn one_address_is_one_receiver() {
        let from: Mailbox = "Vestibule <no-reply@login.example.com>".parse().expect("a sender");
        let mail = Rendered {
            subject: "Hello".to_owned(),
            text: "text".to_owned(),
            html: "<p>html</p>".to_owned(),
            table: None,
        };
        let id = MailId::from_bits(7);
        let sent = message(id, &from, "ada@acme.test", &mail).expect("a message");
        let octets = String::from_utf8(sent.formatted()).expect("ASCII");
        assert!(octets.contains(&format!("Message-ID: <{id}@login.example.com>")), "{octets}");
        assert!(octets.contains("multipart/alternative") && octets.contains("Auto-Submitted: auto-generated"));
        for bad in ["ada@acme.test, evil@example.com", "ada@acme.test\r\nBcc: evil@example.com", ""] {
            assert!(message(id, &from, bad, &mail).is_err(), "{bad:?}");
        }
    }

    fn server(text: &str) -> Result<Route, &'static str> {
        Route::parse(&SecretString::from(text))
    }

    #[test]
    fn addresses_of_mail_servers() {
        let parsed = |text| match server(text) {
            Ok(Route::Smtp { tls, host, port, credentials }) => {
                Some((tls, host, port, credentials.map(|(user, word)| format!("{user}/{}", word.expose_secret()))))
            }
            _ => None,
        };
        assert_eq!(parsed("smtp://127.0.0.1:1025"), Some((Tls::None, "127.0.0.1".to_owned(), 1025, None)));
        assert_eq!(parsed("smtp://[::1]"), Some((Tls::None, "::1".to_owned(), 25, None)));
        let login = Some("ada@x/p:w".to_owned());
        assert_eq!(parsed("smtps://ada%40x:p%3Aw@m.test"), Some((Tls::Implicit, "m.test".to_owned(), 465, login)));
        assert_eq!(parsed("smtp+starttls://m.test"), Some((Tls::StartTls, "m.test".to_owned(), 587, None)));
        assert!(matches!(server("file:///tmp/mail"), Ok(Route::Folder(_))));
        for bad in
            ["", "m.test", "imap://m.test", "smtp://", "smtps://ada@m.test", "smtp://a:b@m.test", "smtp://m.test/x"]
        {
            assert!(server(bad).is_err(), "{bad}");
        }
    }
}
