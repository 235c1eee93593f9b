//! The store: one file for each authenticator, readable by its owner only, replaced in one step.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use vestibule::clock::Clock;
use vestibule::domain::authenticator::template::{Mode, Synchronization, TokenTemplate};
use vestibule::domain::secret::SecretBytes;

use super::words::{Said, said};
use super::{Failure, complaint, failed, pin};

/// One authenticator as it lies in the store.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The name its owner gave it; unique in the store.
    pub name: String,
    /// The serial number; also the file's name.
    pub serial: String,
    /// The organization.
    pub organization: String,
    /// The account.
    pub account: String,
    /// The server, or `otpauth` for one that came by such an address.
    pub server: String,
    /// What it is like.
    pub template: TokenTemplate,
    /// The next counter of an event-based one.
    pub counter: u64,
    /// When it was added.
    pub added: String,
    /// The secret: plain, or sealed under the PIN.
    pub secret: Kept,
    /// Wrong PINs in a row.
    pub wrong_pins: u32,
    /// The key for calls to the server, which no PIN seals: a locked authenticator must be able to say so.
    #[serde(default)]
    pub calls: Option<String>,
    /// The counter of the last call.
    #[serde(default)]
    pub call_counter: u64,
    /// Whether the server knows that it is locked, or does not want to.
    #[serde(default)]
    pub reported: bool,
    /// What the server said last of it, where that is not that it works.
    #[serde(default)]
    pub stopped: Option<State>,
    /// When the server was last asked, in seconds since 1970.
    #[serde(default)]
    pub asked: i64,
    /// Its owner has removed it, and the server does not know yet; it is shown to nobody any more.
    #[serde(default)]
    pub removed: bool,
}

/// What a server may say of an authenticator that does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// For a while.
    Suspended,
    /// Until an operator unlocks it, or for good.
    Locked,
    /// For ever.
    Revoked,
}

impl State {
    /// The word for `--json`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Locked => "locked",
            Self::Revoked => "revoked",
        }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({})", self.serial)
    }
}

/// A secret in the store.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// As it is; the file's permissions protect it.
    Plain(String),
    /// Sealed under a key of the PIN. Whoever copies the file can try all PINs: four digits are no protection
    /// against that, and the documentation says so.
    Sealed {
        /// For Argon2id.
        salt: String,
        /// AES-256-GCM-SIV.
        body: String,
    },
    /// Gone: too many wrong PINs. Only enrolling again helps.
    Erased,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl Entry {
    /// Everything but the secret, for `--json`.
    #[must_use]
    pub fn public(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name, "serial": self.serial, "organization": self.organization, "account": self.account,
            "server": self.server, "digits": self.template.length, "added": self.added, "pin": self.has_pin(),
            "synchronization": self.template.synchronization, "period_seconds": self.template.time_step_seconds,
            "algorithm": self.template.algorithm, "pin_type": self.template.pin_type, "locked": self.locked(),
            "mode": self.template.mode, "state": self.state(),
        })
    }

    /// What it is, as far as is known here: the server may know better.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.stopped {
            Some(state) => state.id(),
            None if self.locked() => "locked",
            None => "active",
        }
    }

    /// The same for people.
    #[must_use]
    pub fn state_in_words(&self) -> Said {
        let key = match self.stopped {
            Some(State::Suspended) => "app-state-suspended",
            Some(State::Locked) => "app-state-locked",
            Some(State::Revoked) => "app-state-revoked",
            None if self.locked() => "app-state-locked",
            None => "app-state-active",
        };
        said(key, [])
    }

    /// Whether it has ended for ever.
    #[must_use]
    pub fn revoked(&self) -> bool {
        self.stopped == Some(State::Revoked)
    }

    /// Whether there is a server that can be asked about it.
    #[must_use]
    pub const fn has_server(&self) -> bool {
        self.calls.is_some()
    }

    /// Whether a PIN is asked for.
    #[must_use]
    pub const fn has_pin(&self) -> bool {
        matches!(self.secret, Kept::Sealed { .. } | Kept::Erased)
    }

    /// Wrong PINs in a row that lock it.
    #[must_use]
    pub fn tries(&self) -> u32 {
        u32::from(self.template.max_pin_attempts.clamp(1, 10))
    }

    /// How many of them are left.
    #[must_use]
    pub fn tries_left(&self) -> u32 {
        if matches!(self.secret, Kept::Erased) { 0 } else { self.tries().saturating_sub(self.wrong_pins) }
    }

    /// Whether it is locked for good after too many wrong PINs.
    #[must_use]
    pub fn locked(&self) -> bool {
        !self.revoked() && self.has_pin() && self.tries_left() == 0
    }

    /// What its passcodes are like.
    #[must_use]
    pub fn kind_in_words(&self) -> Said {
        let digits = ("digits", u32::from(self.template.length).into());
        match self.template.synchronization {
            _ if self.template.mode == Mode::ChallengeResponse => said("app-kind-challenge", [digits]),
            Synchronization::Time => {
                said("app-kind-time", [digits, ("seconds", self.template.time_step_seconds.into())])
            }
            Synchronization::Event => said("app-kind-event", [digits]),
        }
    }

    /// The secret, opened by the PIN where there is one. Callers are alone with the store, see [`Store::alone`].
    ///
    /// # Errors
    /// If the PIN is wrong or was never set, the authenticator is locked, or its file broken.
    pub fn secret(&mut self, store: &Store, pin: Option<&str>) -> Result<SecretBytes, Failure> {
        if self.revoked() {
            return Err(Failure::Stopped { state: State::Revoked, name: self.name.clone() });
        }
        match self.secret.clone() {
            Kept::Plain(text) => URL_SAFE_NO_PAD.decode(text).map(SecretBytes::new).map_err(failed),
            Kept::Sealed { salt, body } => pin::open(self, store, &salt, &body, pin.unwrap_or_default()),
            Kept::Erased => Err(Failure::Locked),
        }
    }
}

/// The folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the store; makes the folder where it is missing.
    pub fn open(folder: Option<PathBuf>) -> Result<Self, Failure> {
        let home = || std::env::var_os("HOME").map(PathBuf::from);
        let folder = folder
            .or_else(|| {
                std::env::var_os("XDG_DATA_HOME").map(|data| PathBuf::from(data).join("vestibule-authenticator"))
            })
            .or_else(|| home().map(|home| home.join(".local/share/vestibule-authenticator")));
        let folder = folder.ok_or_else(|| complaint("app-no-home", []))?;
        fs::create_dir_all(&folder).map_err(|error| failed(format!("{}: {error}", folder.display())))?;
        restrict(&folder, 0o700)?;
        Ok(Self { folder })
    }

    /// Every authenticator, by name.
    pub fn all(&self) -> Result<Vec<Entry>, Failure> {
        Ok(self.files()?.into_iter().filter(|entry| !entry.removed).collect())
    }

    /// The authenticator with this serial number, whether it was removed or not.
    pub fn with_serial(&self, serial: &str) -> Result<Entry, Failure> {
        let entry = self.files()?.into_iter().find(|entry| entry.serial == serial);
        entry.ok_or_else(|| complaint("app-gone", [("serial", serial.into())]))
    }

    /// Every authenticator, and those that were removed and whose server does not know yet.
    pub fn files(&self) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.folder).map_err(failed)? {
            let path = file.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(&path).map_err(failed)?;
                let entry = serde_json::from_str::<Entry>(&text);
                entries.push(entry.map_err(|error| {
                    let (file, error) = (path.display().to_string(), error.to_string());
                    complaint("app-file-unreadable", [("file", file.into()), ("error", error.into())])
                })?);
            }
        }
        entries.sort_by_key(|entry| (entry.name.to_lowercase(), entry.serial.clone()));
        Ok(entries)
    }

    /// The authenticator with this name or serial number, or the only one.
    pub fn find(&self, name: Option<&str>) -> Result<Entry, Failure> {
        let all = self.all()?;
        match name {
            Some(name) => {
                let same =
                    |entry: &Entry| entry.name.eq_ignore_ascii_case(name) || entry.serial.eq_ignore_ascii_case(name);
                all.into_iter().find(same).ok_or_else(|| complaint("app-unknown", [("name", name.into())]))
            }
            None => {
                let mut all = all.into_iter();
                match (all.next(), all.next()) {
                    (Some(only), None) => Ok(only),
                    (None, _) => Err(complaint("app-none-yet", [])),
                    _ => Err(complaint("app-several", [])),
                }
            }
        }
    }

    /// A name that is free: the wanted one, or with a number. The name of the authenticator with the serial number `own` is free for
    /// itself.
    pub fn free_name(&self, wanted: &str, own: Option<&str>) -> Result<String, Failure> {
        let wanted: String = wanted.trim().chars().filter(|c| !c.is_control()).take(60).collect();
        if wanted.is_empty() {
            return Err(complaint("app-name-empty", []));
        }
        let others = self.all()?.into_iter().filter(|entry| own != Some(entry.serial.as_str()));
        let taken: Vec<String> = others.map(|entry| entry.name.to_lowercase()).collect();
        let numbered = (2..).map(|number| format!("{wanted} {number}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|name| !taken.contains(&name.to_lowercase()));
        Ok(free.unwrap_or(wanted))
    }

    /// Does something while no other program of this store does: what is read, counted and written in it is read,
    /// counted and written as one. Nobody is asked anything meanwhile.
    pub fn alone<T>(&self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(self.folder.join("lock")).map_err(failed)?;
        file.lock().map_err(|error| complaint("app-store-locked", [("error", error.to_string().into())]))?;
        // The system takes the lock back when the file is closed, also when this program ends in the middle.
        work()
    }

    /// Writes an authenticator so that a crash leaves the old file or the new one.
    pub fn put(&self, entry: &Entry) -> Result<(), Failure> {
        let path = self.path(entry);
        let draft = path.with_extension("new");
        let text = serde_json::to_string_pretty(entry).map_err(failed)?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&draft).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&draft, &path).map_err(failed)
    }

    /// Removes an authenticator.
    pub fn remove(&self, entry: &Entry) -> Result<(), Failure> {
        fs::remove_file(self.path(entry)).map_err(failed)
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        let plain: String = entry.serial.chars().filter(char::is_ascii_alphanumeric).collect();
        self.folder.join(format!("{plain}.json"))
    }

    /// Adds a line to the log; a log that cannot be written stops nobody.
    pub fn log(&self, line: &str) {
        let at = Clock::System.now().rfc3339();
        let file = fs::OpenOptions::new().append(true).create(true).open(self.folder.join("log.txt"));
        if let Ok(mut file) = file {
            let _ = writeln!(file, "{at} {line}");
        }
    }

    /// The log.
    pub fn read_log(&self) -> Result<String, Failure> {
        match fs::read_to_string(self.folder.join("log.txt")) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> Result<(), Failure> {
    Ok(())
}
