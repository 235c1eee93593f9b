//! What a page asks of the roof, where alone the mail server and the files of the installation are known.

use std::fmt;
use std::pin::Pin;

use super::Site;
use crate::domain::letter::Written;
use crate::domain::preflight::Finding;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Certificate, clock, mail server, and whether the service reaches its own public address.
    Surroundings,
    /// Send a test mail, and say what the mail server answers.
    TestMail {
        /// One address.
        to: String,
        /// What it says; a sentence of ours, if nothing.
        letter: Option<Written>,
    },
}

/// What is found, once it is looked at.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Vec<Finding>> + 'a>>;

/// Whoever looks.
type Looker = dyn Fn(&Site, Look) -> Looking<'_> + Send + Sync;

/// Looks; given by the roof.
pub struct Outside(Box<Looker>);

impl Outside {
    /// Looks with this.
    pub fn new(look: impl Fn(&Site, Look) -> Looking<'_> + Send + Sync + 'static) -> Self {
        Self(Box::new(look))
    }
}

impl Site {
    /// Looks at what only the roof knows.
    pub async fn look(&self, look: Look) -> Vec<Finding> {
        (self.outside.0)(self, look).await
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outside")
    }
}
