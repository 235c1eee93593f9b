-- How far people came on their way to an authenticator: a row for each person and login that asked for one, with the time
-- of each step.

CREATE TABLE IF NOT EXISTS rollout_attempt (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    login_id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,                      -- when it was asked for
    wave_id VARCHAR(26),
    language VARCHAR(20) NOT NULL,           -- of the page
    obstacle VARCHAR(30),                    -- why it could not be offered
    offered_at BIGINT,
    started_at BIGINT,
    mail_at BIGINT,                          -- the mailbox was proven
    platform VARCHAR(20),                    -- the last that was chosen …
    platform_at BIGINT,                      -- … and when the first was
    app_at BIGINT,                           -- the app was said to be installed, or claimed the activation
    activated_at BIGINT,
    passcode_at BIGINT,                      -- the first passcode: the authenticator is the person's
    returned_at BIGINT,                      -- the first login with it on another day
    ended_at BIGINT,                         -- it ended without an authenticator …
    ended VARCHAR(30),                       -- … and why
    PRIMARY KEY (tenant_id, user_id, login_id),
    KEY rollout_attempt_at (tenant_id, at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
