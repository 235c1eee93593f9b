//! Floor 3: what every door needs, and no more: who calls, with which cookies, in which language; forms
//! that cannot be forged; pages with their headers; faults that people can act on.

pub mod assets;
pub mod call;
pub mod cookies;
pub mod fault;
pub mod form;
pub mod headers;
pub mod page;
pub mod visit;

pub use call::Call;
pub use fault::Fault;
pub use form::Form;

use ipnet::IpNet;

use crate::flow::House;
use crate::i18n::Texts;
use crate::urls::Urls;

/// What every door has at hand; one for the whole service.
#[derive(Debug)]
pub struct Site {
    /// Everything that use cases need.
    pub house: House,
    /// Every address.
    pub urls: Urls,
    /// Every text.
    pub texts: Texts,
    /// Settings of this floor.
    pub settings: HttpSettings,
}

/// Settings of this floor.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// Our own proxies: whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// The answer of a door.
pub type Answer = Result<actix_web::HttpResponse, Fault>;
