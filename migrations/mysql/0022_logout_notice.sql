-- Ends of sessions that are still to be told to applications, server to server.

CREATE TABLE IF NOT EXISTS logout_notice (
    tenant_id VARCHAR(26) NOT NULL,
    session_id VARCHAR(26) NOT NULL,
    application_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    tries BIGINT NOT NULL,
    next_try_at BIGINT NOT NULL,             -- also keeps other instances away while one is calling
    PRIMARY KEY (tenant_id, session_id, application_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
