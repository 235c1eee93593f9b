-- What was issued to applications, so that it is issued once and can be taken back.

CREATE TABLE IF NOT EXISTS oidc_grant (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    code_hash VARCHAR(43) NOT NULL,          -- keyed hash of the authorization code
    application_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    session_id VARCHAR(26) NOT NULL,
    details MEDIUMTEXT NOT NULL,                   -- redirect address, PKCE challenge, nonce, scope, acr, amr, times: oidc's own
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,              -- of the code: at most 60 seconds
    redeemed_at BIGINT,                      -- once, by compare-and-swap
    revoked_at BIGINT,                       -- everything issued for it is void from then on
    ends_at BIGINT NOT NULL,                 -- when the last thing issued for it expires and the row may go
    PRIMARY KEY (tenant_id, id),
    UNIQUE KEY oidc_grant_code (tenant_id, code_hash),
    KEY oidc_grant_user (tenant_id, user_id),
    KEY oidc_grant_session (tenant_id, session_id),
    KEY oidc_grant_ends_at (ends_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Identifiers that count once: SAML request IDs and the like. A second insert is the replay.
CREATE TABLE IF NOT EXISTS used_identifier (
    tenant_id VARCHAR(26) NOT NULL,
    subject VARCHAR(43) NOT NULL,            -- keyed hash of kind and identifier
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subject),
    KEY used_identifier_expires_at (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
