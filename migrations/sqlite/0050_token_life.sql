-- The whole life of a token (part B2): imported tokens may be nobody's, so user and platform may be lacking; why a token is
-- locked and what became of it when it was revoked have columns of their own; what an operator is shown of a token
-- (R-355) is kept. SQLite cannot let a column be null afterwards: the table is made anew and filled.

ALTER TABLE token RENAME TO token_before;
CREATE TABLE token (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    serial VARCHAR(64) NOT NULL,             -- unique in the tenant, never used twice
    user_id VARCHAR(26),                     -- none while it is in the inventory
    kind VARCHAR(10) NOT NULL,               -- app | oath_app | oath
    name VARCHAR(200) NOT NULL,              -- as the person calls it
    state VARCHAR(10) NOT NULL,              -- inventory | assigned | active | suspended | locked | revoked
    state_reason VARCHAR(40) NOT NULL,
    state_at BIGINT NOT NULL,                -- since when
    lock_reason VARCHAR(10),                 -- attempts | pin | operator, while it is locked
    disposition VARCHAR(12),                 -- returned | lost | faulty | for_cause, once it is revoked
    template TEXT NOT NULL,                  -- frozen at enrollment: later changes do not touch it (R-200)
    template_version BIGINT NOT NULL,        -- the version that stands in it; 0 where no template of the tenant was used
    secret_sealed BLOB,                      -- erased when revoked
    last_position BIGINT NOT NULL,           -- last accepted time step or counter; -1 before the first; only grows
    drift_steps BIGINT NOT NULL,             -- learned clock drift in time steps
    failed_count BIGINT NOT NULL,            -- consecutive wrong passcodes; a hundred lock the token (R-334)
    platform VARCHAR(20),                    -- none for imported tokens
    device TEXT NOT NULL,                    -- what the device told about itself, as JSON
    device_key BLOB,
    device_counter BIGINT NOT NULL,          -- last counter of an authenticated call of the device
    enrolled_by VARCHAR(10) NOT NULL,        -- self | email | portal | operator | rule | import
    enrolled_address VARCHAR(45) NOT NULL,
    enrolled_at BIGINT NOT NULL,             -- or imported
    rule_id VARCHAR(26),                     -- the provisioning rule by which its owner got it
    task_id VARCHAR(26),                     -- the provisioning task
    first_used_at BIGINT,                    -- its provisioning is completed since then (R-345)
    last_used_at BIGINT,
    renew_before BIGINT NOT NULL,            -- its owner is asked to enroll anew while template_version is lower; 0 for no
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
INSERT INTO token (tenant_id, id, serial, user_id, kind, name, state, state_reason, state_at, lock_reason, template,
    template_version, secret_sealed, last_position, drift_steps, failed_count, platform, device, device_key,
    device_counter, enrolled_by, enrolled_address, enrolled_at, first_used_at, last_used_at, renew_before, updated_at)
    SELECT tenant_id, id, serial, user_id, kind, name, state, state_reason, updated_at,
    CASE WHEN state = 'locked' THEN 'attempts' END, template,
    CASE WHEN enrolled_by = 'import' THEN 0 ELSE COALESCE(CAST(json_extract(template, '$.version') AS INTEGER), 0) END,
    secret_sealed, last_position, drift_steps, failed_count, platform, device, device_key, device_counter, enrolled_by,
    enrolled_address, enrolled_at, CASE WHEN enrolled_by = 'import' THEN last_used_at ELSE enrolled_at END, last_used_at,
    0, updated_at FROM token_before;
DROP TABLE token_before;
CREATE UNIQUE INDEX token_serial ON token (tenant_id, serial);
CREATE INDEX token_user ON token (tenant_id, user_id);
-- What the list of tokens is searched by (R-354); each ends in the serial number, by which the list goes on.
CREATE INDEX token_state ON token (tenant_id, state, serial);
CREATE INDEX token_kind ON token (tenant_id, kind, serial);
CREATE INDEX token_platform ON token (tenant_id, platform, serial);

-- What an operator said when a token was revoked: whether its owner may enroll again without an operator (T-01).
ALTER TABLE user_account ADD COLUMN may_enroll_again BIGINT; -- 1 | 0; null while nobody has said anything
