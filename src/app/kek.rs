//! The key-encryption keys: read from outside, or made once when there are none.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;

use crate::clock::Entropy;
use crate::config::KeySource;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::keys::sealing::Sealer;

/// The sealer with the configured keys. A file that is missing is made, readable by its owner only: for a new database.
///
/// # Errors
/// If the file cannot be read or made, or does not hold keys.
pub fn sealer(source: &KeySource, entropy: &Entropy) -> anyhow::Result<Sealer> {
    if let KeySource::File(path) = source
        && !path.exists()
    {
        let shown = path.display();
        let key = make(path, entropy).with_context(|| format!("the key-encryption key {shown} cannot be made"))?;
        tracing::warn!(file = %shown, "made a new key-encryption key; keep a copy away from the database's backups");
        return Ok(Sealer::parse(&key)?);
    }
    existing(source)
}

/// The sealer with the configured keys, which must be there: another key would open nothing of a database that was made with them.
///
/// # Errors
/// If the file is missing or cannot be read, or does not hold keys.
pub fn existing(source: &KeySource) -> anyhow::Result<Sealer> {
    match source {
        KeySource::Given(text) => Ok(Sealer::parse(text)?),
        KeySource::File(path) => {
            let shown = path.display();
            anyhow::ensure!(
                path.exists(),
                "the key-encryption key {shown} is missing; put the one there that the database was made with"
            );
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("the key-encryption key {shown} cannot be read"))?;
            warn_if_open(path);
            Sealer::parse(&SecretString::from(text)).with_context(|| format!("the key-encryption key file {shown}"))
        }
    }
}

fn make(path: &Path, entropy: &Entropy) -> std::io::Result<SecretString> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let key = Sealer::new_key(entropy);
    // `create_new`: two instances that start at once must not each write a key of their own.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(key)
}

fn warn_if_open(path: &Path) {
    let others = std::fs::metadata(path).map(|data| data.permissions().mode() & 0o077).unwrap_or_default();
    if others != 0 {
        tracing::warn!(file = %path.display(), "the key-encryption key can be read by others; chmod 600 it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn a_missing_key_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("var/kek");
        let source = KeySource::File(path.clone());
        let made = sealer(&source, &Entropy::System).expect("made");
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = sealer(&source, &Entropy::System).expect("read");
        assert_eq!(made.current_version(), again.current_version());
        std::fs::write(&path, "short").expect("written");
        let error = format!("{:#}", sealer(&source, &Entropy::System).expect_err("no key"));
        assert!(error.contains("var/kek") && error.contains("is not base64"), "{error}");
        std::fs::remove_file(&path).expect("removed");
        let error = format!("{:#}", existing(&source).expect_err("no key"));
        assert!(error.contains("is missing") && !path.exists(), "{error}");
    }
}
