-- Requests that came by cross-site POST, without our cookies; their browser fetches the answer with them.

CREATE TABLE IF NOT EXISTS parked_request (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- stands in the address that the browser is sent to
    origin VARCHAR(10) NOT NULL,             -- the door that parked it: oidc | saml
    request MEDIUMTEXT NOT NULL,                   -- the door's own request, checked, read by that door only
    cookie_hash VARCHAR(43) NOT NULL,        -- keyed hash of the cookie that came with that address
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    KEY parked_request_expires_at (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
