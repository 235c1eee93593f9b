-- Requests that came by cross-site POST, without our cookies; their browser fetches the answer with them.

CREATE TABLE IF NOT EXISTS parked_request (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- stands in the address that the browser is sent to
    origin VARCHAR(10) NOT NULL,             -- the door that parked it: oidc | saml
    request TEXT NOT NULL,                   -- the door's own request, checked, read by that door only
    cookie_hash VARCHAR(43) NOT NULL,        -- keyed hash of the cookie that came with that address
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS parked_request_expires_at ON parked_request (expires_at);
