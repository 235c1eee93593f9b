-- Enrollment by mail: tasks of operators, the people in them, the links that were mailed, and what rules have done (A9).

CREATE TABLE IF NOT EXISTS provisioning_task (
    tenant_id VARCHAR(26) NOT NULL,
    number BIGINT NOT NULL,                  -- drawn, not counted up
    token_type VARCHAR(10) NOT NULL,         -- app | oath_app
    operator VARCHAR(200) NOT NULL,          -- who made it, or the name of the rule that did
    comment VARCHAR(500) NOT NULL,
    rule_id VARCHAR(26),                     -- the rule that made it
    started_at BIGINT NOT NULL,
    stop_at BIGINT NOT NULL,
    removed_at BIGINT,
    PRIMARY KEY (tenant_id, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A person's place in a task.
CREATE TABLE IF NOT EXISTS reservation (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    task_number BIGINT NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    token_type VARCHAR(10) NOT NULL,
    status VARCHAR(10) NOT NULL,             -- active | completed | locked | expired | removed
    emailed_to VARCHAR(254) NOT NULL,        -- another address of the account makes the link worthless (T-03)
    sent_at BIGINT NOT NULL,
    sends BIGINT NOT NULL,
    stop_at BIGINT NOT NULL,
    reminded_at BIGINT,                      -- set by the one instance that sends the reminder
    failed_count BIGINT NOT NULL,
    token_id VARCHAR(26),                    -- the authenticator, once it is enrolled
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    KEY reservation_task (tenant_id, task_number),
    KEY reservation_user (tenant_id, user_id),
    KEY reservation_stop (tenant_id, status, stop_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A link that was mailed. It stays after it was replaced, so that whoever opens it is told so.
CREATE TABLE IF NOT EXISTS enrollment_link (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- stands in the address
    reservation_id VARCHAR(26) NOT NULL,
    secret_hash VARCHAR(43) NOT NULL,        -- keyed hash, bound to this row
    created_at BIGINT NOT NULL,
    opened_at BIGINT,                        -- when it was opened first
    void_at BIGINT,                          -- a newer mail replaces it (R-180)
    PRIMARY KEY (tenant_id, id),
    KEY enrollment_link_reservation (tenant_id, reservation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What a rule has done for somebody who is in its groups; forgotten when the person leaves them.
CREATE TABLE IF NOT EXISTS rule_member (
    tenant_id VARCHAR(26) NOT NULL,
    rule_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    outcome VARCHAR(12) NOT NULL,            -- provisioned | has_one | no_address
    reservation_id VARCHAR(26),
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, rule_id, user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
