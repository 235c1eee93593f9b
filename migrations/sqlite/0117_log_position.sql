-- How far each log was sent to the syslog server (R-566), so that a restart neither loses nor repeats.

CREATE TABLE IF NOT EXISTS log_position (
    tenant_id VARCHAR(26) NOT NULL,
    log VARCHAR(30) NOT NULL,                -- access_log | authentication_log | audit_log
    position VARCHAR(60) NOT NULL,           -- a cursor of flow::administration::log_stream
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, log)
) WITHOUT ROWID;
