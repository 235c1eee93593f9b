//! Which account of the system is at the shell: the audit trail names it, and two operators are told apart by it.
//!
//! What the kernel says counts more than what the environment says, which everybody sets as they like. Whoever is root can
//! be anybody; nothing on one machine helps against that.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The name of the account; empty if nobody knows.
///
/// The account that somebody logged in with stays the same behind `sudo` and `su`, where the system keeps it. Without it,
/// it is the account that the program runs as; and for root whoever became root, as `sudo` tells.
pub fn name() -> String {
    let told = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    let uid = std::fs::metadata("/proc/self").ok().map(|it| it.uid());
    let named = match (logged_in(Path::new("/proc/self/loginuid")), uid) {
        (Some(uid), _) => Some(uid),
        (None, Some(uid)) if uid != 0 => Some(uid),
        (None, _) => None,
    };
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = match named {
        Some(uid) => account(&passwd, uid).unwrap_or_else(|| format!("uid {uid}")),
        None => told(&["SUDO_USER", "LOGNAME", "USER"]).unwrap_or_default(),
    };
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// The account that somebody logged in with, if the system keeps it.
fn logged_in(file: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// The name of an account of this machine.
fn account(passwd: &str, uid: u32) -> Option<String> {
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = lines.find(|fields| fields.get(2).is_some_and(|number| *number == uid.to_string()))?;
    found.first().map(|name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what the kernel says is not for the environment to change.
    #[test]
    fn the_kernel_knows_who_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("loginuid");
        for (text, uid) in [("1000", Some(1000)), ("4294967295", None), ("", None), ("x", None)] {
            std::fs::write(&file, text).expect("written");
            assert_eq!(logged_in(&file), uid, "{text}");
        }
        let passwd = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(account(passwd, 1000).as_deref(), Some("ada"));
        assert_eq!(account(passwd, 1001), None);
    }
}
