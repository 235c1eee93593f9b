//! What a virtual server allows its people to do with their tokens themselves, and how many they may have.

use serde::{Deserialize, Serialize};

/// The table `tokens` of the apply file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRules {
    /// Tokens that one person may have at a time, reserved ones too: 1 to 10.
    pub max_per_user: u8,
    /// Whether people who have a token may add another one in the portal.
    pub add_in_portal: bool,
    /// Whether people may replace the device of a token in the portal.
    pub replace_in_portal: bool,
    /// Whether whoever is asked to renew an authenticator may do it tomorrow.
    pub renewal_may_wait: bool,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self { max_per_user: 2, add_in_portal: true, replace_in_portal: true, renewal_may_wait: true }
    }
}
