-- Ends of sessions that are still to be told to service providers, server to server. A service provider is told by the name
-- that it got; when it is told, the person may have been removed, or have another mail address.

SET @step = (SELECT IF(COUNT(*) = 0,
    'ALTER TABLE session_participant ADD COLUMN name VARCHAR(1024) NOT NULL DEFAULT \'\'', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'session_participant' AND column_name = 'name');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

CREATE TABLE IF NOT EXISTS saml_notice (
    tenant_id VARCHAR(26) NOT NULL,
    session_id VARCHAR(26) NOT NULL,
    application_id VARCHAR(26) NOT NULL,
    name_format VARCHAR(20) NOT NULL,        -- domain::service_provider::NameIdFormat
    name VARCHAR(1024) NOT NULL,             -- what it calls the person; empty in sessions from before this step
    tries BIGINT NOT NULL,
    next_try_at BIGINT NOT NULL,             -- also keeps other instances away while one is calling
    PRIMARY KEY (tenant_id, session_id, application_id, name_format)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
