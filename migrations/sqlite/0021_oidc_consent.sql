-- What people have allowed applications to learn, so that they are asked once and can take it back.

CREATE TABLE IF NOT EXISTS oidc_consent (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    application_id VARCHAR(26) NOT NULL,
    scopes VARCHAR(2000) NOT NULL,           -- as the parameter scope writes them
    given_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, application_id)
) WITHOUT ROWID;
