//! A small mail server that keeps what it gets: the demo's inbox and the tests read it.
//!
//! It speaks as much SMTP (RFC 5321) as a sender needs and relays nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The longest mail that is taken, in octets.
const LONGEST: usize = 1024 * 1024;
/// As many mails are kept, the newest.
const MOST: usize = 500;

/// A mail that was delivered.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The receiver, as the envelope says.
    pub to: String,
    /// The message: header and body.
    pub message: Vec<u8>,
}

impl Mail {
    /// The subject.
    #[must_use]
    pub fn subject(&self) -> String {
        let parsed = mail_parser::MessageParser::default().parse(&self.message);
        parsed.and_then(|message| message.subject().map(str::to_owned)).unwrap_or_default()
    }

    /// The plain text.
    #[must_use]
    pub fn text(&self) -> String {
        let parsed = mail_parser::MessageParser::default().parse(&self.message);
        parsed.and_then(|message| message.body_text(0).map(std::borrow::Cow::into_owned)).unwrap_or_default()
    }

    /// The HTML.
    #[must_use]
    pub fn html(&self) -> String {
        let parsed = mail_parser::MessageParser::default().parse(&self.message);
        parsed.and_then(|message| message.body_html(0).map(std::borrow::Cow::into_owned)).unwrap_or_default()
    }

    /// The code that stands on a line of its own, if the mail has one.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let text = self.text();
        let alone = |line: &&str| (6..=8).contains(&line.len()) && line.chars().all(|c| c.is_ascii_alphanumeric());
        text.lines()
            .map(str::trim)
            .filter(|line| line.chars().any(|c| c.is_ascii_digit()))
            .find(alone)
            .map(str::to_owned)
    }
}

/// The mails that were delivered, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Mailbox {
    mails: Arc<Mutex<Vec<Mail>>>,
    refuses: Arc<AtomicBool>,
    /// How long it thinks about every mail, in milliseconds.
    thinks: Arc<AtomicU64>,
}

impl Mailbox {
    /// Every mail, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The mails to `address`, oldest first.
    #[must_use]
    pub fn to(&self, address: &str) -> Vec<Mail> {
        let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().filter(|mail| mail.to.eq_ignore_ascii_case(address)).cloned().collect()
    }

    /// From now on every receiver is refused, or none any more: what happens then is worth a look, too.
    pub fn refuse(&self, all: bool) {
        self.refuses.store(all, Ordering::SeqCst);
    }

    /// From now on every mail is taken only after this time: mail servers can be slow.
    pub fn think(&self, time: Duration) {
        self.thinks.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    fn put(&self, mail: Mail) {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        if mails.len() >= MOST {
            mails.remove(0);
        }
        mails.push(mail);
    }
}

/// Starts the server at a free port of this machine. It runs until the program ends.
///
/// # Errors
/// If no port can be opened.
pub async fn start() -> std::io::Result<(SocketAddr, Mailbox)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let mailbox = Mailbox::default();
    let kept = mailbox.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mailbox = kept.clone();
            tokio::spawn(async move {
                // A sender that hangs up in the middle has delivered nothing.
                let _ = converse(stream, &mailbox).await;
            });
        }
    });
    Ok((address, mailbox))
}

async fn converse(stream: TcpStream, mailbox: &Mailbox) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, "220 inbox ready").await?;
    let mut receivers: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "EHLO" => say(&mut stream, "250-inbox\r\n250-SMTPUTF8\r\n250 8BITMIME").await?,
            "HELO" | "NOOP" => say(&mut stream, "250 ok").await?,
            "MAIL" | "RSET" => {
                receivers.clear();
                say(&mut stream, "250 ok").await?;
            }
            "RCPT" if mailbox.refuses.load(Ordering::SeqCst) => say(&mut stream, "550 not today").await?,
            "RCPT" => {
                receivers.extend(address(line));
                say(&mut stream, "250 ok").await?;
            }
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                let Some(message) = data(&mut stream).await? else {
                    return say(&mut stream, "552 too long").await;
                };
                tokio::time::sleep(Duration::from_millis(mailbox.thinks.load(Ordering::SeqCst))).await;
                for to in receivers.drain(..) {
                    mailbox.put(Mail { to, message: message.clone() });
                }
                say(&mut stream, "250 kept").await?;
            }
            "QUIT" => return say(&mut stream, "221 bye").await,
            _ => say(&mut stream, "502 not known here").await?,
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, words: &str) -> std::io::Result<()> {
    stream.get_mut().write_all(format!("{words}\r\n").as_bytes()).await
}

fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(address, _)| address.to_owned())
}

/// The message up to the line with one dot; `None` if it is too long.
async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 || line == b".\r\n" {
            return Ok(Some(message));
        }
        // A dot at the beginning of a line was doubled by the sender (RFC 5321 4.5.2).
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        if message.len() > LONGEST {
            return Ok(None);
        }
    }
}
