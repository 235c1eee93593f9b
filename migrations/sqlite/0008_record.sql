-- What is written down, and what is waiting to be mailed.

CREATE TABLE IF NOT EXISTS audit_event (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    actor_kind VARCHAR(10) NOT NULL,
    actor VARCHAR(200) NOT NULL,
    address VARCHAR(45) NOT NULL,
    action VARCHAR(40) NOT NULL,             -- a published, stable name
    object VARCHAR(20) NOT NULL,
    object_id VARCHAR(200) NOT NULL,
    correlation_id VARCHAR(26),
    detail TEXT NOT NULL,                    -- JSON; never a secret, a code or a full address
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS audit_event_at ON audit_event (tenant_id, at);
CREATE INDEX IF NOT EXISTS audit_event_correlation ON audit_event (tenant_id, correlation_id);

CREATE TABLE IF NOT EXISTS access_log (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    correlation_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26),
    application_id VARCHAR(26) NOT NULL,
    result VARCHAR(10) NOT NULL,             -- success | failure | denied
    reason VARCHAR(30) NOT NULL,
    policy VARCHAR(200) NOT NULL,            -- the policy that decided (R-454) …
    scenario VARCHAR(200),                   -- … and its scenario
    methods VARCHAR(40) NOT NULL,            -- what was proven
    address VARCHAR(45) NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS access_log_at ON access_log (tenant_id, at);

CREATE TABLE IF NOT EXISTS outbox (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- the Message-ID derives from it, so that receivers can drop a duplicate
    kind VARCHAR(30) NOT NULL,               -- which letter
    login_id VARCHAR(26),                    -- whose page waits for it
    domain VARCHAR(254) NOT NULL,            -- the receiver's domain, for fairness between domains
    body_sealed BLOB,                        -- receiver, subject, text and HTML, sealed for this row; erased when sent
    state VARCHAR(10) NOT NULL,              -- waiting | sent | failed
    tries BIGINT NOT NULL,
    next_try_at BIGINT NOT NULL,
    useful_until BIGINT NOT NULL,            -- a code that has expired is not mailed any more
    lease_owner VARCHAR(26),
    leased_until BIGINT NOT NULL,
    error VARCHAR(500),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX IF NOT EXISTS outbox_next ON outbox (state, next_try_at);
CREATE INDEX IF NOT EXISTS outbox_login ON outbox (tenant_id, login_id);
