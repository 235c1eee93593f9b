//! One-time passcodes: RFC 4226 (HOTP), RFC 6238 (TOTP) and the windows in which a server accepts them.
