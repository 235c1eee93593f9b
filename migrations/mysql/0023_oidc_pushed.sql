-- Authorization requests that applications have pushed and whose browsers are still to come (RFC 9126).

CREATE TABLE IF NOT EXISTS oidc_pushed (
    tenant_id VARCHAR(26) NOT NULL,
    reference_hash VARCHAR(43) NOT NULL,     -- keyed hash of the reference in request_uri
    application_id VARCHAR(26) NOT NULL,
    request MEDIUMTEXT NOT NULL,                   -- checked; oidc's own
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, reference_hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
