-- Logins, what was proven in them, and the sessions that they leave behind.

CREATE TABLE IF NOT EXISTS login (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    origin VARCHAR(10) NOT NULL,             -- oidc | saml | portal
    application_id VARCHAR(26) NOT NULL,
    wishes MEDIUMTEXT NOT NULL,                    -- domain::login::wishes::Wishes
    request MEDIUMTEXT NOT NULL,                   -- the door's own request, read by that door only
    stage VARCHAR(10) NOT NULL,              -- open | granted | answered | ended
    ending VARCHAR(30),                      -- why it ended without access
    session_id VARCHAR(26),                  -- the session that was granted
    user_id VARCHAR(26),
    named VARCHAR(200),                      -- the name as typed
    security_version BIGINT NOT NULL,        -- of the account when it was named
    language VARCHAR(20),                    -- chosen on a page of this login
    cookie_hash VARCHAR(43) NOT NULL,        -- keyed hash of the browser's cookie
    previous_cookie_hash VARCHAR(43),        -- accepted for 30 seconds after a rotation, for a lost answer (K03)
    cookie_rotated_at BIGINT NOT NULL,
    resync_token_id VARCHAR(26),             -- the authenticator that was right but far off …
    resync_position BIGINT,                  -- … and at which counter or time step
    address VARCHAR(45) NOT NULL,
    user_agent VARCHAR(300) NOT NULL,
    correlation_id VARCHAR(26) NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    absolute_expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    KEY login_absolute_expires_at (absolute_expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS evidence (
    tenant_id VARCHAR(26) NOT NULL,
    login_id VARCHAR(26) NOT NULL,
    kind VARCHAR(10) NOT NULL,               -- password | otp | mailbox
    at BIGINT NOT NULL,
    token_id VARCHAR(26),                    -- the authenticator, for otp
    PRIMARY KEY (tenant_id, login_id, kind)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sso_session (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- sid and SessionIndex
    cookie_hash VARCHAR(43) NOT NULL,        -- keyed hash of the browser's cookie
    user_id VARCHAR(26) NOT NULL,
    security_version BIGINT NOT NULL,
    password_at BIGINT,
    otp_at BIGINT,
    token_id VARCHAR(26),
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason VARCHAR(30),
    address VARCHAR(45) NOT NULL,
    user_agent VARCHAR(300) NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE KEY sso_session_cookie (tenant_id, cookie_hash),
    KEY sso_session_user (tenant_id, user_id),
    KEY sso_session_last_seen_at (last_seen_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
