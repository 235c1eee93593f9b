//! Floor 3: what every door needs, and no more: who calls, with which cookies, in which language; forms
//! that cannot be forged; pages with their headers; faults that people can act on.

pub mod assets;
pub mod brand;
pub mod call;
pub mod cookies;
pub mod fault;
pub mod files;
pub mod form;
pub mod guard;
pub mod handout;
pub mod head;
pub mod headers;
pub mod intake;
pub mod key_sets;
pub mod logins;
pub mod outside;
pub mod page;
pub mod parked;
pub mod post;
pub mod qr;
pub mod remembered;
pub mod tenant;
pub mod upload;
pub mod visit;

pub use call::Call;
pub use fault::Fault;
pub use form::Form;
pub use outside::{Look, Outside};

use ipnet::IpNet;

use crate::flow::House;
use crate::flow::administration::applications::ReadsMetadata;
use crate::i18n::Texts;
use crate::urls::Urls;
use key_sets::KeySets;

/// What every door has at hand; one for the whole service.
#[derive(Debug)]
pub struct Site {
    /// Everything that use cases need.
    pub house: House,
    /// Every address.
    pub urls: Urls,
    /// Every text.
    pub texts: Texts,
    /// Key sets that clients publish.
    pub key_sets: KeySets,
    /// Settings of this floor.
    pub settings: HttpSettings,
    /// Reads metadata of service providers.
    pub reads_metadata: ReadsMetadata,
    /// What only the roof can look at.
    pub outside: Outside,
}

/// Settings of this floor.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// Our own proxies: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The authenticator apps that pages send people to.
    pub apps: Apps,
}

/// The authenticator apps that pages send people to, and that may open our activation links.
#[derive(Debug, Clone)]
pub struct Apps {
    /// The iOS app's page in the App Store.
    pub ios_store_url: String,
    /// The Android app's page in Google Play.
    pub android_store_url: String,
    /// The scheme of the links that open the app on a computer.
    pub custom_scheme: String,
    /// `<team>.<bundle>` of the iOS apps that may open activation links.
    pub ios_app_ids: Vec<String>,
    /// Packages and signing certificates (SHA-256) of the Android apps that may open activation links.
    pub android_apps: Vec<(String, Vec<String>)>,
}

impl Default for Apps {
    fn default() -> Self {
        Self {
            ios_store_url: "https://apps.apple.com/search?term=vestibule%20authenticator".to_owned(),
            android_store_url: "https://play.google.com/store/apps/details?id=app.vestibule.authenticator".to_owned(),
            custom_scheme: "vestibule-authenticator".to_owned(),
            ios_app_ids: Vec::new(),
            android_apps: Vec::new(),
        }
    }
}

/// The answer of a door.
pub type Answer = Result<actix_web::HttpResponse, Fault>;
