-- Devices without a browser that wait for a person to let them in (RFC 8628).

CREATE TABLE IF NOT EXISTS oidc_device (
    tenant_id VARCHAR(26) NOT NULL,
    device_hash VARCHAR(43) NOT NULL,        -- keyed hash of the device's secret code
    user_hash VARCHAR(43) NOT NULL,          -- keyed hash of the code that the person types
    application_id VARCHAR(26) NOT NULL,
    grant_id VARCHAR(26) NOT NULL,           -- of the grant that the person's yes makes
    request TEXT NOT NULL,                   -- what was asked for: oidc's own
    state VARCHAR(10) NOT NULL,              -- waiting | allowed | denied
    address VARCHAR(45) NOT NULL,            -- where the device asked from
    interval_seconds BIGINT NOT NULL,        -- how long it must wait between two questions
    polled_at BIGINT NOT NULL,               -- when it asked last
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_hash),
    UNIQUE KEY oidc_device_user (tenant_id, user_hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
