//! Stories through the public doors, on real databases, with real mail, other people's clients and a browser.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that goes wrong stops at once, and says where"
)]

mod abuse;
mod alerts;
mod app_contact;
mod applications;
mod attacker;
mod audit_chain;
mod audit_values;
mod branding;
mod browser;
mod browser_console;
mod browser_people;
mod browser_recovery;
mod browser_rollout;
mod commands;
mod conformance;
mod console;
mod console_access;
mod console_settings;
mod crash_points;
mod crowd;
mod crowd_lists;
mod door_oidc;
mod door_saml;
mod exchange;
mod explain;
mod foreign;
mod gates;
mod generators;
mod imports;
mod lockout;
mod log_streams;
mod many;
mod mariadb;
mod messages;
mod model;
mod named;
mod oidc_bounds;
mod oidc_device;
mod oidc_logout;
mod oidc_profiles;
mod oidc_refresh;
mod oidc_registration;
mod oidc_requests;
mod own_words;
mod parity;
mod passcodes;
mod people;
mod people_console;
mod pins;
mod pins_pages;
mod portal_tokens;
mod preflight;
mod process;
mod provisioning;
mod provisioning_kills;
mod purge;
mod races;
mod recovery;
mod relying_party;
mod report_schedules;
mod reports;
mod rollout;
mod rollout_console;
mod rules;
mod saml_answers;
mod saml_forgery;
mod saml_logout;
mod saml_mutants;
mod saml_notices;
mod saml_peers;
mod saml_signer;
mod saml_tree;
mod saml_trust;
mod schema;
mod story;
mod tallies;
mod tokens;
mod visitor;
mod webhooks;
mod world;
