-- What logins and sessions remember of passcodes and responses, besides what is right.

CREATE TABLE IF NOT EXISTS ocra_challenge (
    tenant_id VARCHAR(26) NOT NULL,
    owner_id VARCHAR(26) NOT NULL,           -- the login or the session that it was shown in
    challenge VARCHAR(8) NOT NULL,
    asked BIGINT NOT NULL,                   -- how often the person asked for another one
    used BIGINT NOT NULL,                    -- 0 | 1: a response was accepted
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, owner_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS clock_doubt (
    tenant_id VARCHAR(26) NOT NULL,
    login_id VARCHAR(26) NOT NULL,
    token_id VARCHAR(26) NOT NULL,
    position BIGINT NOT NULL,                -- what the last refused passcode is the passcode of; -1 if of nothing
    ahead_seconds BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, login_id)
) WITHOUT ROWID;
