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

/// `POST …/token/pin-locked`.
pub(super) async fn pin_locked(call: Call, body: web::Bytes) -> Answer {
    let body: Body = match super::activation::read(&body) {
        Ok(body) => body,
        Err(why) => return Ok(problem::bad_call(&why)),
    };
    let Ok(mac) = URL_SAFE_NO_PAD.decode(&body.mac) else {
        return Ok(problem::bad_call("mac is base64url without padding"));
    };
    if body.counter > i64::MAX.unsigned_abs() || body.serial.len() > 64 {
        return Ok(problem::bad_call("counter has 63 bits at most, serial 64 octets"));
    }
    if let Err(error) = serde_json::from_str::<PinLocked>(&body.request) {
        return Ok(problem::bad_call(&format!("request is not the JSON text that is expected: {error}")));
    }
    let base = call.site.urls.base(call.realm.code());
    let made = call::Call {
        base,
        path: app_calls::PIN_LOCKED,
        serial: body.serial,
        counter: body.counter,
        request: body.request,
    };
    let answer = app_calls::pin_locked(&call.site.house, &call.realm, &call.visit, (&made, &mac)).await?;
    Ok(match answer {
        Ok(state) => HttpResponse::Ok().json(serde_json::json!({ "state": state.id() })),
        Err(refused) => problem::refused_call(refused),
    })
}
