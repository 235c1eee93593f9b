-- What was changed in token templates (R-217): one row for each version that a change made.

CREATE TABLE IF NOT EXISTS template_change (
    tenant_id VARCHAR(26) NOT NULL,
    kind VARCHAR(10) NOT NULL,               -- app | oath_app | oath
    version BIGINT NOT NULL,                 -- the version that this change made
    at BIGINT NOT NULL,
    actor_kind VARCHAR(10) NOT NULL,
    actor VARCHAR(200) NOT NULL,
    changed TEXT NOT NULL,                   -- old and new value of each key that was changed, as JSON
    PRIMARY KEY (tenant_id, kind, version)
) WITHOUT ROWID;
