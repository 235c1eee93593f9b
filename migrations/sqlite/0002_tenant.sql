-- Virtual servers and what their operators configure. Documents (settings, an application's protocol, a policy)
-- are stored as JSON: they are always read and written as a whole, and never asked for by one field.

CREATE TABLE IF NOT EXISTS tenant (
    id VARCHAR(26) NOT NULL PRIMARY KEY,     -- random 128 bits, base32
    code VARCHAR(40) NOT NULL,               -- stands in every address
    name VARCHAR(200) NOT NULL,              -- the organization, as pages and mails show it
    status VARCHAR(10) NOT NULL,             -- enabled | disabled
    default_language VARCHAR(20) NOT NULL,   -- a language tag
    settings TEXT NOT NULL,                  -- domain::tenant::TenantSettings
    created_from VARCHAR(10) NOT NULL,       -- new | upgraded | restored: decides the default of target users (R-004, R-005)
    version BIGINT NOT NULL,                 -- grows with every change of the configuration; caches compare it
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS tenant_code ON tenant (code);

CREATE TABLE IF NOT EXISTS user_group (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    name VARCHAR(200) NOT NULL,              -- as typed
    name_key VARCHAR(200) NOT NULL,          -- as compared, see domain::name
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX IF NOT EXISTS user_group_name ON user_group (tenant_id, name_key);

CREATE TABLE IF NOT EXISTS application (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    name VARCHAR(200) NOT NULL,
    protocol_key VARCHAR(600) NOT NULL,      -- "oidc:" and the client identifier, "saml:" and the entity ID, or "portal"
    protocol TEXT NOT NULL,                  -- domain::application::Protocol
    assignment TEXT NOT NULL,                -- domain::application::Assignment
    launch_url TEXT,                         -- where the portal sends a person who picks it
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX IF NOT EXISTS application_protocol_key ON application (tenant_id, protocol_key);
CREATE UNIQUE INDEX IF NOT EXISTS application_name ON application (tenant_id, name);

CREATE TABLE IF NOT EXISTS access_policy (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    position BIGINT NOT NULL,                -- rank of an exception from 1; 0 is the one global policy
    policy TEXT NOT NULL,                    -- domain::policy::access::AccessPolicy
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX IF NOT EXISTS access_policy_position ON access_policy (tenant_id, position);

CREATE TABLE IF NOT EXISTS signing_key (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- the kid
    purpose VARCHAR(10) NOT NULL,            -- oidc | saml
    algorithm VARCHAR(10) NOT NULL,          -- RS256 | ES256 | EdDSA
    status VARCHAR(10) NOT NULL,             -- next | current | old
    private_sealed BLOB NOT NULL,            -- PKCS#8, sealed for this row
    certificate BLOB,                        -- X.509 in DER, for SAML
    created_at BIGINT NOT NULL,
    published_until BIGINT,                  -- an old key is published and verifies until then
    PRIMARY KEY (tenant_id, id)
);
