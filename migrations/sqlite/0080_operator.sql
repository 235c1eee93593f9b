-- Who operates a virtual server, with which role, and the keys of programs that do (A1, R-585).

CREATE TABLE IF NOT EXISTS operator_role (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    name VARCHAR(100) NOT NULL,
    name_key VARCHAR(200) NOT NULL,          -- domain::name::key_of
    permissions TEXT NOT NULL,               -- JSON: module -> deeds
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS operator (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    role VARCHAR(26) NOT NULL,               -- operator | help_desk | auditor | operator_role.id
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS api_key (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    name VARCHAR(100) NOT NULL,
    role VARCHAR(26) NOT NULL,
    secret_hash VARCHAR(64) NOT NULL,        -- keyed hash
    created_at BIGINT NOT NULL,
    created_by VARCHAR(200) NOT NULL,        -- as they were called then
    expires_at BIGINT,                       -- never, if empty
    last_used_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
