-- Enrolled authenticators.

CREATE TABLE IF NOT EXISTS token (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    serial VARCHAR(20) NOT NULL,             -- unique in the tenant, never used twice
    user_id VARCHAR(26) NOT NULL,
    kind VARCHAR(10) NOT NULL,               -- app | oath_app
    name VARCHAR(200) NOT NULL,              -- as the person calls it
    state VARCHAR(10) NOT NULL,              -- active | suspended | locked | revoked
    state_reason VARCHAR(40) NOT NULL,
    template MEDIUMTEXT NOT NULL,                  -- frozen at enrollment: later changes do not touch it (R-200)
    secret_sealed BLOB,                      -- erased when revoked
    last_position BIGINT NOT NULL,           -- last accepted time step or counter; -1 before the first; only grows
    drift_steps BIGINT NOT NULL,             -- learned clock drift in time steps
    failed_count BIGINT NOT NULL,            -- consecutive wrong passcodes; a hundred lock the token (R-334)
    platform VARCHAR(20) NOT NULL,
    device MEDIUMTEXT NOT NULL,                    -- what the device told about itself, as JSON
    device_key BLOB,
    device_counter BIGINT NOT NULL,          -- last counter of an authenticated call of the device
    enrolled_by VARCHAR(10) NOT NULL,        -- self | import
    enrolled_address VARCHAR(45) NOT NULL,
    enrolled_at BIGINT NOT NULL,
    last_used_at BIGINT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE KEY token_serial (tenant_id, serial),
    KEY token_user (tenant_id, user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
