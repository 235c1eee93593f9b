-- The key with which a device's app authenticates its calls after the activation.

CREATE TABLE IF NOT EXISTS token_call_key (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- the token's
    key_sealed BLOB NOT NULL,
    PRIMARY KEY (tenant_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
