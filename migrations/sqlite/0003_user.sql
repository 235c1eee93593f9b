-- People, their groups and passwords, and how often somebody was wrong about them.

CREATE TABLE IF NOT EXISTS user_account (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    username VARCHAR(200) NOT NULL,          -- as typed by the operator
    username_key VARCHAR(200) NOT NULL,      -- as compared, see domain::name: both engines compare octets
    email VARCHAR(254),                      -- where verification codes go
    first_name VARCHAR(200) NOT NULL,
    last_name VARCHAR(200) NOT NULL,
    language VARCHAR(20),                    -- preferred language tag
    status VARCHAR(10) NOT NULL,             -- enabled | disabled
    security_version BIGINT NOT NULL,        -- grows with every change that must end open logins and sessions
    first_enrolled_at BIGINT,                -- kept for ever: who had a token is recovering, not enrolling
    last_login_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX IF NOT EXISTS user_account_name ON user_account (tenant_id, username_key);

CREATE TABLE IF NOT EXISTS password (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    hash VARCHAR(300) NOT NULL,              -- PHC string, Argon2id
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);

CREATE TABLE IF NOT EXISTS group_member (
    tenant_id VARCHAR(26) NOT NULL,
    group_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    PRIMARY KEY (tenant_id, group_id, user_id)
);
CREATE INDEX IF NOT EXISTS group_member_user ON group_member (tenant_id, user_id);

-- Failed attempts. The subject is a keyed hash of what is counted: a name (with or without an account), a name in
-- one known browser, or a person's mailed codes; so the table tells nothing about who exists.
CREATE TABLE IF NOT EXISTS failure (
    tenant_id VARCHAR(26) NOT NULL,
    subject VARCHAR(43) NOT NULL,
    failed_count BIGINT NOT NULL,            -- consecutive, since the last success or lock
    failed_total BIGINT NOT NULL,            -- consecutive, since the last success
    last_at BIGINT NOT NULL,
    locked_until BIGINT,
    locked_by_operator BIGINT NOT NULL,      -- 0 | 1
    alert_due BIGINT NOT NULL,               -- 1 after a lock until the next success: the "unlocked" mail is due then (R-330)
    PRIMARY KEY (tenant_id, subject)
);
CREATE INDEX IF NOT EXISTS failure_last_at ON failure (last_at);

-- Browsers in which a person has completed a login; they keep an allowance of their own (T-17).
CREATE TABLE IF NOT EXISTS known_browser (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    browser_hash VARCHAR(43) NOT NULL,       -- keyed hash of the cookie
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, browser_hash)
);

-- Requests in a window of time, per hashed client address or person.
CREATE TABLE IF NOT EXISTS throttle (
    tenant_id VARCHAR(26) NOT NULL,
    subject VARCHAR(43) NOT NULL,
    window_start BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subject, window_start)
);
CREATE INDEX IF NOT EXISTS throttle_window_start ON throttle (window_start);
