-- The access log as a list: by person, and what was not a success. MySQL knows no index of a part of a table; entries of one
-- result are added at one place, which is cheap. It knows no CREATE INDEX IF NOT EXISTS, either, and this step may be run twice:
-- each index is looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'CREATE INDEX access_log_user ON access_log (tenant_id, user_id, at)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'access_log' AND index_name = 'access_log_user');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'CREATE INDEX access_log_refused ON access_log (tenant_id, result, at)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'access_log' AND index_name = 'access_log_refused');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
