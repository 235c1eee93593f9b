-- Refresh tokens: one row for all that follow from one grant. The tokens themselves are sealed and stored nowhere;
-- the row says which generation of them is the good one.

CREATE TABLE IF NOT EXISTS oidc_family (
    tenant_id VARCHAR(26) NOT NULL,
    grant_id VARCHAR(26) NOT NULL,
    generation BIGINT NOT NULL,              -- of the token that is good now; raised by compare-and-swap
    rotated_at BIGINT NOT NULL,
    retry_key VARCHAR(43) NOT NULL,          -- keyed hash of the request that raised it, for a lost answer
    offline BIGINT NOT NULL,                 -- 1: outlives the session (scope offline_access)
    idle_until BIGINT NOT NULL,              -- unused until then, it ends
    ends_at BIGINT NOT NULL,                 -- whatever happens, it ends then
    PRIMARY KEY (tenant_id, grant_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
