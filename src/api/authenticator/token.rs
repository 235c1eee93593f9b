//! Calls of an authenticator after its activation.

use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::problem;
use crate::domain::activation::call;
use crate::flow::app_calls;
use crate::http::{Answer, Call};

#[derive(Deserialize)]
struct Body {
    serial: String,
    counter: u64,
    request: String,
    mac: String,
}

/// What a locked device tells.
#[derive(Deserialize)]
struct PinLocked {
    #[expect(dead_code, reason = "how many there were is for whoever reads along; the template says how many lock")]
    wrong_pins: u32,
}

/// An object with nothing to say. Members that a later version knows are tolerated.
type Nothing = serde_json::Map<String, serde_json::Value>;

/// `POST …/token/pin-locked`.
pub(super) async fn pin_locked(call: Call, body: web::Bytes) -> Answer {
    let (made, mac) = match read::<PinLocked>(&call, &body, app_calls::PIN_LOCKED) {
        Ok(read) => read,
        Err(why) => return Ok(problem::bad_call(&why)),
    };
    let answer = app_calls::pin_locked(&call.site.house, &call.realm, &call.visit, (&made, &mac)).await?;
    Ok(match answer {
        Ok(state) => HttpResponse::Ok().json(serde_json::json!({ "state": state.id() })),
        Err(refused) => problem::refused_call(refused),
    })
}

/// `POST …/token/status`.
pub(super) async fn status(call: Call, body: web::Bytes) -> Answer {
    let (made, mac) = match read::<Nothing>(&call, &body, app_calls::STATUS) {
        Ok(read) => read,
        Err(why) => return Ok(problem::bad_call(&why)),
    };
    Ok(told(app_calls::status(&call.site.house, &call.realm, &call.visit, (&made, &mac)).await?))
}

/// `POST …/token/removed`.
pub(super) async fn removed(call: Call, body: web::Bytes) -> Answer {
    let (made, mac) = match read::<Nothing>(&call, &body, app_calls::TOKEN_REMOVED) {
        Ok(read) => read,
        Err(why) => return Ok(problem::bad_call(&why)),
    };
    Ok(told(app_calls::removed(&call.site.house, &call.realm, &call.visit, (&made, &mac)).await?))
}

/// The answer with its MAC.
fn told(answer: Result<app_calls::Told, app_calls::Refused>) -> HttpResponse {
    match answer {
        Ok(told) => HttpResponse::Ok()
            .json(serde_json::json!({ "answer": told.answer, "mac": URL_SAFE_NO_PAD.encode(told.mac) })),
        Err(refused) => problem::refused_call(refused),
    }
}

/// The call that a body makes to `path`, and its MAC; what is said must be a `T`.
fn read<T: serde::de::DeserializeOwned>(
    call: &Call,
    body: &[u8],
    path: &'static str,
) -> Result<(call::Call, Vec<u8>), String> {
    let body: Body = super::activation::read(body)?;
    let mac = URL_SAFE_NO_PAD.decode(&body.mac).map_err(|_| "mac is base64url without padding".to_owned())?;
    if body.counter > i64::MAX.unsigned_abs() || body.serial.len() > 64 {
        return Err("counter has 63 bits at most, serial 64 octets".to_owned());
    }
    serde_json::from_str::<T>(&body.request)
        .map_err(|error| format!("request is not the JSON text that is expected: {error}"))?;
    let base = call.site.urls.base(call.realm.code());
    Ok((call::Call { base, path, serial: body.serial, counter: body.counter, request: body.request }, mac))
}
