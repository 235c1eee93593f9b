-- Server-side PINs: a row for each token that has one.

CREATE TABLE IF NOT EXISTS token_server_pin (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- the token's
    pin_sealed BLOB NOT NULL,                -- Argon2id hashes of the PIN and of those before it
    must_change BIGINT NOT NULL,             -- 1 until its owner has chosen another
    changed_at BIGINT NOT NULL,
    version BIGINT NOT NULL,                 -- counts its changes, so that two at once are not both right
    PRIMARY KEY (tenant_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
