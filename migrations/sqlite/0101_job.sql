-- Work on many people or tokens at once: imports and actions on a selection (R-362, R-579). One row is one of them; what
-- became of it is stored in the transaction that did it, so a service that stops goes on where it was.

CREATE TABLE IF NOT EXISTS job (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    kind VARCHAR(20) NOT NULL,
    actor_kind VARCHAR(10) NOT NULL,
    actor VARCHAR(200) NOT NULL,
    actor_name VARCHAR(200) NOT NULL,        -- what people call whoever it is
    address VARCHAR(45) NOT NULL,
    state VARCHAR(10) NOT NULL,              -- waiting | running | done | cancelled | failed
    options TEXT NOT NULL,                   -- JSON
    total BIGINT NOT NULL,
    position BIGINT NOT NULL,                -- the number of the last row that was looked at
    done BIGINT NOT NULL,
    failed BIGINT NOT NULL,                  -- of those that are done
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    error VARCHAR(500),
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS job_state ON job (state);

CREATE TABLE IF NOT EXISTS job_row (
    tenant_id VARCHAR(26) NOT NULL,
    job_id VARCHAR(26) NOT NULL,
    number BIGINT NOT NULL,                  -- from 1, in the order of the file or the selection
    name VARCHAR(200) NOT NULL,              -- what people know it by
    input TEXT,                              -- JSON; gone once it is done
    outcome VARCHAR(20),                     -- null while it is open
    detail VARCHAR(500) NOT NULL,
    PRIMARY KEY (tenant_id, job_id, number)
) WITHOUT ROWID;
