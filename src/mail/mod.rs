//! Mail: words for letters, the way to the mail server, and the worker that sends what waits.

pub mod outbox;
pub mod render;
pub mod smtp;
pub mod transport;
