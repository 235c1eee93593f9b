-- Exports of tokens with their secrets: one operator asks, another approves, and it happens once (R-364).

CREATE TABLE IF NOT EXISTS token_export (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    scope MEDIUMTEXT NOT NULL,               -- which tokens, as JSON
    asked_by VARCHAR(200) NOT NULL,
    asked_at BIGINT NOT NULL,
    approved_by VARCHAR(200),
    approved_at BIGINT,
    used_at BIGINT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
