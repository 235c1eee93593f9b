-- Codes for whoever does not have the authenticator at hand. A code is kept as a keyed hash that is bound to its person, and
-- used once.

CREATE TABLE IF NOT EXISTS recovery_code (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    code_hash VARCHAR(43) NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,                          -- once, by a condition
    login_id VARCHAR(26),                    -- the login that it was used in
    PRIMARY KEY (tenant_id, user_id, code_hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What an operator gave out: a pass that opens enrollment, or temporary codes in place of passcodes.
CREATE TABLE IF NOT EXISTS help_desk_code (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    code_hash VARCHAR(43) NOT NULL,
    kind VARCHAR(10) NOT NULL,               -- pass | temporary
    state VARCHAR(10) NOT NULL,              -- waiting (for a second operator) | open | used | void
    created_by VARCHAR(200) NOT NULL,
    confirmed_by VARCHAR(200),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    login_id VARCHAR(26),
    PRIMARY KEY (tenant_id, user_id, code_hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- New recovery codes on the page that shows them, sealed, until they are said to be kept.
CREATE TABLE IF NOT EXISTS recovery_sheet (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- the login or the session that may see them
    user_id VARCHAR(26) NOT NULL,
    codes_sealed BLOB NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
