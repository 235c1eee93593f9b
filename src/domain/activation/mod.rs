//! Activation, protocol version 1: how a device gets the OTP secret without it crossing the wire.
//!
//! `docs/activation-protocol.md` describes it for people who write apps; the test vectors in
//! `tests/vectors/` hold this code to that description.

pub mod call;
pub mod handshake;
pub mod string;
