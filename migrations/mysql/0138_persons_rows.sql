-- The sessions in which a service provider got a name are found by that name, of which the beginning is enough. This step may be run
-- twice: the index is looked for first. What SQLite must be told of its tables, MySQL finds out by itself.

SET @step = (SELECT IF(COUNT(*) = 0,
    'ALTER TABLE session_participant ADD INDEX session_participant_name (tenant_id, application_id, name(64))', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'session_participant' AND index_name = 'session_participant_name');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
