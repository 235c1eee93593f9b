-- What operators expect of their access policies and of self-provisioning, written down: it is looked at before each change
-- of them is saved (R-452).

CREATE TABLE IF NOT EXISTS policy_test_case (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    name VARCHAR(200) NOT NULL,
    name_key VARCHAR(400) NOT NULL,          -- the form in which names are compared
    test_case TEXT NOT NULL,                 -- JSON: user, application, address, and what is expected
    version BIGINT NOT NULL,                 -- grows with every change
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
) WITHOUT ROWID;
