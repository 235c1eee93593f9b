-- The chain over the audit trail (R-562): one link for each event, written a little after it by one instance, so that no
-- login waits for a number. What lists of events are narrowed by is written then, too: an index on the events themselves would
-- cost every login a page.

CREATE TABLE IF NOT EXISTS audit_link (
    tenant_id VARCHAR(26) NOT NULL,
    number BIGINT NOT NULL,                  -- from 1, without gaps
    at BIGINT NOT NULL,                      -- the event's key
    event_id VARCHAR(26) NOT NULL,
    sealed_at BIGINT NOT NULL,
    content BLOB NOT NULL,                   -- SHA-256 over the event as it was sealed
    hash BLOB NOT NULL,                      -- SHA-256 over the link before, number, sealed_at and content
    PRIMARY KEY (tenant_id, number),
    UNIQUE KEY audit_link_event (tenant_id, at, event_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Where a chain stands. Only the instance that seals writes it.
CREATE TABLE IF NOT EXISTS audit_chain (
    tenant_id VARCHAR(26) NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,                  -- the last link …
    hash BLOB NOT NULL,
    seen_at BIGINT NOT NULL,                 -- … and the key up to which events were sealed in their order
    seen_id VARCHAR(26) NOT NULL,
    base BIGINT NOT NULL,                    -- links up to here were purged; a checkpoint stands for them
    signed BIGINT NOT NULL,                  -- the last checkpoint …
    signed_at BIGINT NOT NULL,               -- … and when it was signed
    checked_at BIGINT,                       -- when the whole chain was last looked at …
    checked_fault MEDIUMTEXT                 -- … and what was wrong, if anything was
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS audit_checkpoint (
    tenant_id VARCHAR(26) NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    jwt TEXT NOT NULL,                       -- signed by the virtual server's audit key
    PRIMARY KEY (tenant_id, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- By whom, to whom, what: pointers into audit_event, for lists.
CREATE TABLE IF NOT EXISTS audit_mark (
    tenant_id VARCHAR(26) NOT NULL,
    mark VARCHAR(210) NOT NULL,
    at BIGINT NOT NULL,
    event_id VARCHAR(26) NOT NULL,
    PRIMARY KEY (tenant_id, mark, at, event_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
