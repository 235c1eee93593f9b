-- Dynamic client registration (RFC 7591, 7592): tokens that operators hand out to register with, and those by which
-- registered applications are managed.

CREATE TABLE IF NOT EXISTS registration_token (
    tenant_id VARCHAR(26) NOT NULL,
    token_hash VARCHAR(43) NOT NULL,         -- keyed hash
    application_id VARCHAR(26),              -- the application that it manages; none for one to register with
    uses_left BIGINT NOT NULL,               -- of one to register with
    expires_at BIGINT,                       -- never, if none
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, token_hash)
) WITHOUT ROWID;
