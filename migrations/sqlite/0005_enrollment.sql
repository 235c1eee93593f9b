-- Pending enrollments: the record, the mailed codes and the activations. Nothing here is a token.

CREATE TABLE IF NOT EXISTS enrollment (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    login_id VARCHAR(26) NOT NULL,           -- the login that began it and alone can finish it
    user_id VARCHAR(26) NOT NULL,
    state VARCHAR(10) NOT NULL,              -- open | completed | cancelled
    platform VARCHAR(20),
    installed BIGINT NOT NULL,               -- 1 after "I have installed it"
    activated BIGINT NOT NULL,               -- 1 once a device confirmed, or a standard app waits for its first passcode
    template TEXT,                           -- the frozen domain::authenticator::template::TokenTemplate, once activated
    serial VARCHAR(20),                      -- the serial number that the token will have, once activated
    secret_sealed BLOB,                      -- the OTP secret, sealed for this row, once activated
    device TEXT,                             -- what the device told about itself, as JSON
    device_key BLOB,                         -- the device's public key
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS enrollment_login ON enrollment (tenant_id, login_id);
CREATE INDEX IF NOT EXISTS enrollment_user ON enrollment (tenant_id, user_id);
CREATE INDEX IF NOT EXISTS enrollment_updated_at ON enrollment (updated_at);

CREATE TABLE IF NOT EXISTS email_code (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    login_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    code_hash VARCHAR(43) NOT NULL,          -- keyed hash, bound to this row
    address_hash VARCHAR(43) NOT NULL,       -- keyed hash of the address it went to: a changed address voids it (T-03)
    state VARCHAR(10) NOT NULL,              -- pending | verified | void
    tries BIGINT NOT NULL,                   -- reserved before they are compared, never refunded (K07)
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS email_code_login ON email_code (tenant_id, login_id);
CREATE INDEX IF NOT EXISTS email_code_user ON email_code (tenant_id, user_id, created_at);
CREATE INDEX IF NOT EXISTS email_code_expires_at ON email_code (expires_at);

CREATE TABLE IF NOT EXISTS activation (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- the activation id of the protocol
    enrollment_id VARCHAR(26) NOT NULL,
    login_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    platform VARCHAR(20) NOT NULL,
    state VARCHAR(12) NOT NULL,              -- issued | claimed | completed | void | locked
    secret_sealed BLOB NOT NULL,             -- the activation secret, sealed for this row: the page shows it again on reload
    tries BIGINT NOT NULL,                   -- failed presentations (R-168)
    device_key BLOB,                         -- the public key of the device that claimed it: no other may go on
    handshake_sealed BLOB,                   -- what the server needs to give the same answer again (K13), sealed
    device TEXT,                             -- what the device told about itself, as JSON
    created_at BIGINT NOT NULL,
    claimed_at BIGINT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS activation_enrollment ON activation (tenant_id, enrollment_id);
CREATE INDEX IF NOT EXISTS activation_user ON activation (tenant_id, user_id, created_at);
CREATE INDEX IF NOT EXISTS activation_expires_at ON activation (expires_at);
