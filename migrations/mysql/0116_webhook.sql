-- Programs of others that hear of alerts (R-569), and what is on its way to them.

CREATE TABLE IF NOT EXISTS webhook (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    name VARCHAR(100) NOT NULL,
    name_key VARCHAR(200) NOT NULL,          -- domain::name::key_of
    url VARCHAR(1000) NOT NULL,
    kinds TEXT NOT NULL,                     -- JSON: the kinds of alerts that it hears of
    enabled BIGINT NOT NULL,
    secret_sealed BLOB NOT NULL,             -- signs every body
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    failing_since BIGINT,                    -- the first failure after the last success
    disabled_at BIGINT,                      -- when it was switched off because it failed too long
    last_at BIGINT,                          -- the last try …
    last_status BIGINT,                      -- … the status of its answer …
    last_answer VARCHAR(300),                -- … and what it said, or why there was none
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Newest identifiers begin with the time they were made at, so the key is the order of the list.
CREATE TABLE IF NOT EXISTS webhook_delivery (
    tenant_id VARCHAR(26) NOT NULL,
    webhook_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    kind VARCHAR(30) NOT NULL,
    body TEXT NOT NULL,                      -- what is sent, the same at every try; erased when it is over
    state VARCHAR(10) NOT NULL,              -- waiting | delivered | failed
    tries BIGINT NOT NULL,
    next_try_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    status BIGINT,                           -- of the last answer
    answer VARCHAR(300),
    PRIMARY KEY (tenant_id, webhook_id, id),
    KEY webhook_delivery_next (state, next_try_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
