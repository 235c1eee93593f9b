//! Vestibule: the entrance hall of a company's applications.
//!
//! An identity provider (OpenID Connect and SAML 2.0) whose login notices that a person needs a
//! one-time passcode and has no authenticator yet, lets them enroll one on the spot, and then carries
//! on with the login they came for. This page is the map of the house; `ARCHITECTURE.md` tells why it
//! is built this way. Modules stand in reading order, floor by floor; an arrow only ever points down,
//! and `tests/tidy.rs` holds every `use` against that.

// Floor 0: what is true without a network, a disk or a clock.
pub mod domain;

// Floor 1: the ground that the rest stands on.
pub mod clock;
pub mod egress;
pub mod exchange;
pub mod i18n;
pub mod keys;
pub mod mail;
pub mod storage;
pub mod urls;
pub mod xml;

// Floor 2: use cases.
pub mod flow;

// Floor 3: what every door needs.
pub mod http;

// Floor 4: the doors; peers, no arrow between them.
pub mod api;
pub mod oidc;
pub mod pages;
pub mod saml;

// The roof: everything wired, and what operators type.
pub mod app;
pub mod apply;
pub mod config;
pub mod demo;
pub mod telemetry;
