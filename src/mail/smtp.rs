//! The conversation with a mail server, which ends in time whatever the server does.
//!
//! The library waits for an answer as long as the connection stands, and its own pool takes back a connection on which an answer
//! is still under way: a server that falls silent would keep every mail for ever, and what it says late would be taken for the
//! answer to the next mail. So connections are kept here: one is used again only after its mail was taken.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lettre::Message;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::transport::{SendError, Tls};
use crate::domain::secret::{ExposeSecret as _, SecretString};

/// How long the mail server may take from the connection on until it says that it takes a mail: shorter than a page waits that
/// sends one.
const LONGEST: Duration = Duration::from_secs(25);
/// How long it may take for the mail itself and its last answer. Many look through a mail before they say that they have it, and
/// whoever does not wait for that sends it twice (RFC 5321, 4.5.3.2.6). With what comes before it is shorter than a mail is leased.
const LONGEST_MAIL: Duration = Duration::from_secs(90);
/// How long each of its addresses may take until the connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection that was kept may take to say that it still lives.
const LONGEST_PING: Duration = Duration::from_secs(3);
/// How long a connection is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(60);
/// As many connections are kept.
const MOST: usize = 8;

/// A mail server and the connections to it.
pub struct Server {
    host: String,
    port: u16,
    tls: Tls,
    parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello: ClientId,
    longest: Duration,
    longest_mail: Duration,
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({}:{})", self.host, self.port)
    }
}

impl Server {
    /// The server at this address; connects at the first mail.
    ///
    /// # Errors
    /// If the TLS library refuses the host's name.
    pub(super) fn new(
        host: &str,
        port: u16,
        tls: Tls,
        credentials: Option<&(String, SecretString)>,
    ) -> Result<Self, SendError> {
        let parameters = match tls {
            Tls::None => None,
            Tls::StartTls | Tls::Implicit => Some(TlsParameters::new(host.to_owned()).map_err(|error| later(&error))?),
        };
        let credentials =
            credentials.map(|(user, password)| Credentials::new(user.clone(), password.expose_secret().to_owned()));
        let (hello, kept) = (ClientId::default(), Mutex::default());
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            parameters,
            credentials,
            hello,
            longest: LONGEST,
            longest_mail: LONGEST_MAIL,
            kept,
        })
    }

    /// Whether the server answers and takes our password.
    ///
    /// # Errors
    /// What it said instead.
    pub(super) async fn check(&self) -> Result<(), SendError> {
        let asked = async {
            let mut connection = self.connect().await?;
            Ok::<bool, SendError>(connection.test_connected().await)
        };
        if self.in_time(asked).await? {
            Ok(())
        } else {
            Err(SendError::Later("the mail server does not answer NOOP".to_owned()))
        }
    }

    /// Sends one mail, and gives the server's answer.
    ///
    /// # Errors
    /// What it said.
    pub(super) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let octets = message.formatted();
        let mut connection = self.in_time(self.announced(message.envelope(), &octets)).await?;
        // From here on the server may have it, whatever we hear.
        let answer = match tokio::time::timeout(self.longest_mail, connection.message(&octets)).await {
            Ok(answer) => answer.map_err(refused)?,
            Err(_) => {
                let words = format!("the mail server did not say within {} seconds", self.longest_mail.as_secs());
                return Err(SendError::Unanswered(words));
            }
        };
        self.keep(connection);
        Ok(format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" ")))
    }

    /// A connection on which the server waits for the mail, in the order of RFC 5321, 3.3.
    async fn announced(&self, envelope: &Envelope, octets: &[u8]) -> Result<AsyncSmtpConnection, SendError> {
        let mut connection = match self.taken_out().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let mut options = Vec::new();
        if envelope.to().iter().chain(envelope.from()).any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(SendError::Refused("it does not take addresses with letters beyond ASCII".to_owned()));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        if !octets.is_ascii() {
            if !connection.server_info().supports_feature(Extension::EightBitMime) {
                return Err(SendError::Refused("it does not take letters beyond ASCII".to_owned()));
            }
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        connection.command(Mail::new(envelope.from().cloned(), options)).await.map_err(refused)?;
        for to in envelope.to() {
            connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(refused)?;
        }
        connection.command(Data).await.map_err(refused)?;
        Ok(connection)
    }

    /// A connection on which a mail can be sent. Whatever stands in the way is not the mail's fault: a password that has run out
    /// is mended by an operator, and then the mail goes.
    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let at_once = self.parameters.clone().filter(|_| self.tls == Tls::Implicit);
        let address = (self.host.as_str(), self.port);
        let connected = AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT), &self.hello, at_once, None).await;
        let mut connection = connected.map_err(|error| later(&error))?;
        if let (Tls::StartTls, Some(parameters)) = (self.tls, &self.parameters) {
            connection.starttls(parameters.clone(), &self.hello).await.map_err(|error| later(&error))?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(|error| later(&error))?;
        }
        Ok(connection)
    }

    /// A connection that was kept and still lives.
    async fn taken_out(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let newest = self.kept().pop();
            let Kept { mut connection, since } = newest?;
            if since.elapsed() < KEPT
                && matches!(tokio::time::timeout(LONGEST_PING, connection.test_connected()).await, Ok(true))
            {
                return Some(connection);
            }
            // The others have waited longer still.
            self.kept().clear();
        }
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut kept = self.kept();
        if kept.len() < MOST {
            kept.push(Kept { connection, since: Instant::now() });
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        // Pushing and taking are single steps: a panic leaves nothing half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `work` says, unless it takes too long; then its connection is closed with it.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, SendError>>) -> Result<T, SendError> {
        match tokio::time::timeout(self.longest, work).await {
            Ok(done) => done,
            Err(_) => {
                let words = format!("the mail server did not answer within {} seconds", self.longest.as_secs());
                Err(SendError::Later(words))
            }
        }
    }
}

fn later(error: &Error) -> SendError {
    SendError::Later(error.to_string())
}

/// What the server says of the mail itself.
#[expect(clippy::needless_pass_by_value, reason = "it stands where an error is turned into another")]
fn refused(error: Error) -> SendError {
    if error.is_permanent() { SendError::Refused(error.to_string()) } else { later(&error) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Answers some words in its own way, and the others well; an answer without words never comes.
    type Answers = &'static [(&'static str, &'static str)];

    /// A mail server, and how many connections it has had.
    async fn server(answers: Answers) -> (Server, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, answers));
            }
        });
        let credentials = ("ada".to_owned(), SecretString::from("password"));
        let server = Server::new("127.0.0.1", port, Tls::None, Some(&credentials)).expect("a server");
        let (longest, longest_mail) = (Duration::from_millis(500), Duration::from_millis(1500));
        (Server { longest, longest_mail, ..server }, connections)
    }

    async fn converse(stream: TcpStream, answers: Answers) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"220 here\r\n").await?;
        let mut in_mail = false;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let word = line.trim_end().split([' ', ':']).next().unwrap_or_default().to_owned();
            if in_mail && word != "." {
                continue;
            }
            in_mail = word == "DATA";
            let well = match word.as_str() {
                "EHLO" => "250-here\r\n250 AUTH PLAIN",
                "AUTH" => "235 known",
                "DATA" => "354 go on",
                _ => "250 well",
            };
            let answer = answers.iter().find(|(of, _)| *of == word).map_or(well, |(_, answer)| *answer);
            if answer.is_empty() {
                return std::future::pending().await;
            }
            stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }

    fn mail() -> Message {
        let address = |text: &str| text.parse::<lettre::message::Mailbox>().expect("an address");
        let mail = Message::builder().from(address("idp@acme.test")).to(address("ada@acme.test")).subject("Hello");
        mail.body("Hello".to_owned()).expect("a mail")
    }

    /// security.md 5.3: a server that falls silent, wherever it does, keeps no mail for longer than is known before.
    #[tokio::test]
    async fn a_silent_mail_server_keeps_nothing_for_ever() {
        const SILENT: [Answers; 4] = [&[("EHLO", "")], &[("AUTH", "")], &[("RCPT", "")], &[("DATA", "")]];
        for answers in SILENT {
            let (server, _) = server(answers).await;
            let sent = server.send(&mail()).await;
            assert!(matches!(&sent, Err(SendError::Later(why)) if why.contains("seconds")), "{answers:?}: {sent:?}");
        }
        // It may have the mail: whoever sends it again at once sends it twice.
        let (unsure, _) = server(&[(".", "")]).await;
        let begun = Instant::now();
        assert!(matches!(unsure.send(&mail()).await, Err(SendError::Unanswered(_))));
        assert!(begun.elapsed() >= Duration::from_millis(1500), "it was waited for");
        let (server, _) = server(&[("NOOP", "")]).await;
        assert!(server.check().await.is_err());
    }

    /// K06: what a server says late is never taken for the answer to the next mail: its connection is closed.
    #[tokio::test]
    async fn a_connection_is_used_again_only_after_its_mail_was_taken() {
        const FAILING: [Answers; 3] = [&[(".", "")], &[("RCPT", "450 wait")], &[("RCPT", "550 no")]];
        let (good, connections) = server(&[]).await;
        for _ in 0..3 {
            assert_eq!(good.send(&mail()).await.expect("taken"), "250 well");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        for answers in FAILING {
            let (server, connections) = server(answers).await;
            for _ in 0..2 {
                assert!(server.send(&mail()).await.is_err(), "{answers:?}");
            }
            assert_eq!(connections.load(Ordering::SeqCst), 2, "{answers:?}");
        }
    }

    /// only what a server says of a mail itself ends the mail. What is wrong with our password, or with the server, is mended
    /// by somebody, and then the mail goes.
    #[tokio::test]
    async fn only_the_mail_itself_is_refused_for_good() {
        const SAID: [(Answers, bool); 6] = [
            (&[("AUTH", "535 the password has run out")], false),
            (&[("EHLO", "554 you are blocked")], false),
            (&[("RCPT", "450 greylisted")], false),
            (&[(".", "421 closing")], false),
            (&[("RCPT", "550 nobody of that name")], true),
            (&[(".", "554 looks like spam")], true),
        ];
        for (answers, for_good) in SAID {
            let (server, _) = server(answers).await;
            let sent = server.send(&mail()).await;
            assert_eq!(matches!(sent, Err(SendError::Refused(_))), for_good, "{answers:?}: {sent:?}");
            assert!(sent.is_err(), "{answers:?}");
        }
    }
}
