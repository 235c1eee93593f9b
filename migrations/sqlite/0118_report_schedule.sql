-- Reports that are mailed again and again (R-570), and what was made of them. Of a report that was made, only what it was about is
-- kept: the link in the mail leads to the page, which shows what whoever looks may see.

CREATE TABLE IF NOT EXISTS report_schedule (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    name VARCHAR(100) NOT NULL,
    name_key VARCHAR(200) NOT NULL,          -- domain::name::key_of
    says TEXT NOT NULL,                      -- JSON: domain::report_schedule::Says
    author_kind VARCHAR(10) NOT NULL,        -- operator | api_key
    author VARCHAR(26) NOT NULL,
    author_name VARCHAR(200) NOT NULL,       -- as they were called then
    paused VARCHAR(200) NOT NULL,            -- why it is not made; empty if it is
    next_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS report_run (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- begins with the time
    schedule_id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    name VARCHAR(100) NOT NULL,              -- of the schedule, as it was then
    report VARCHAR(30) NOT NULL,
    from_at BIGINT NOT NULL,
    to_at BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    receivers BIGINT NOT NULL,               -- how many got it
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
