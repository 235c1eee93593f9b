//! Activation: what passes between the login page, the device and the server (protocol version 1).
