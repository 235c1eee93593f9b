//! Claim and confirm.

use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::problem;
use crate::domain::activation::handshake::{Hello, VERSION};
use crate::domain::enrollment::Brought;
use crate::domain::ids::ActivationId;
use crate::flow::activation;
use crate::http::{Answer, Call};

/// The longest body, in octets.
const LONGEST: usize = 8 * 1024;
/// The longest text that a device tells about itself, in octets.
const LONGEST_TEXT: usize = 200;

/// What every version of the protocol has.
#[derive(Deserialize)]
struct Spoken {
    version: u32,
}

#[derive(Deserialize)]
struct ClaimBody {
    activation: String,
    device_key: String,
    nonce: String,
    platform: String,
    os_version: String,
    app_version: String,
    device_name: String,
    mac: String,
    /// Not in the MAC, which is as it was published; nothing depends on it.
    #[serde(default)]
    brought_by: Option<String>,
}

#[derive(Serialize)]
struct ClaimAnswer {
    server_key: String,
    nonce: String,
    parameters: String,
}

#[derive(Deserialize)]
struct ConfirmBody {
    activation: String,
    mac: String,
}

/// `POST …/activation/claim`.
pub(super) async fn claim(call: Call, body: web::Bytes) -> Answer {
    // A later version may have other members: its app hears which side is too old, not that it has a fault.
    match read::<Spoken>(&body) {
        Ok(spoken) if spoken.version == VERSION => {}
        Ok(_) => return Ok(problem::version()),
        Err(why) => return Ok(problem::malformed(&why)),
    }
    let body: ClaimBody = match read(&body) {
        Ok(body) => body,
        Err(why) => return Ok(problem::malformed(&why)),
    };
    let texts = [&body.platform, &body.os_version, &body.app_version, &body.device_name];
    if texts.iter().any(|text| text.len() > LONGEST_TEXT) {
        return Ok(problem::malformed("platform, versions and device_name have at most 200 octets"));
    }
    let id: Result<ActivationId, _> = body.activation.parse();
    let octets = |text: &str| URL_SAFE_NO_PAD.decode(text);
    let (Ok(activation), Ok(device_key), Ok(nonce), Ok(mac)) =
        (id, octets(&body.device_key), octets(&body.nonce), octets(&body.mac))
    else {
        return Ok(problem::malformed(
            "activation is 26 characters; device_key, nonce and mac are base64url without padding",
        ));
    };
    let hello = Hello {
        activation,
        device_key,
        nonce,
        platform: body.platform,
        os_version: body.os_version,
        app_version: body.app_version,
        device_name: body.device_name,
    };
    let base = call.site.urls.base(call.realm.code());
    // A word of a later version tells nothing.
    let brought = body.brought_by.as_deref().and_then(Brought::named);
    let claimed = activation::claim(&call.site.house, &call.realm, &call.visit, &base, (&hello, &mac, brought)).await?;
    Ok(match claimed {
        Ok(claimed) => HttpResponse::Ok().json(ClaimAnswer {
            server_key: URL_SAFE_NO_PAD.encode(claimed.server_key),
            nonce: URL_SAFE_NO_PAD.encode(claimed.nonce),
            parameters: claimed.parameters,
        }),
        Err(refused) => problem::refused(refused),
    })
}

/// `POST …/activation/confirm`.
pub(super) async fn confirm(call: Call, body: web::Bytes) -> Answer {
    let body: ConfirmBody = match read(&body) {
        Ok(body) => body,
        Err(why) => return Ok(problem::malformed(&why)),
    };
    let id: Result<ActivationId, _> = body.activation.parse();
    let (Ok(id), Ok(mac)) = (id, URL_SAFE_NO_PAD.decode(&body.mac)) else {
        return Ok(problem::malformed("activation is 26 characters; mac is base64url without padding"));
    };
    let confirmed = activation::confirm(&call.site.house, &call.realm, &call.visit, id, &mac).await?;
    Ok(match confirmed {
        Ok(mac) => HttpResponse::Ok().json(serde_json::json!({ "mac": URL_SAFE_NO_PAD.encode(mac) })),
        Err(refused) => problem::refused(refused),
    })
}

/// Reads a body. Members that are not known are tolerated: a newer app may send more.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    if body.len() > LONGEST {
        return Err("the body is longer than 8 KiB".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| format!("the body is not the JSON object that is expected: {error}"))
}
