-- What is only added to (audit trail, access log) is kept in the order of time, and so needs no index for it; what belongs
-- to one login is found there, too, because the identifier that joins it begins with the time. InnoDB keeps every table by
-- its primary key. Grants are found by their identifier, which stands in the code, and in their person's list. MySQL knows no DROP INDEX IF EXISTS, and this step may be run twice: each index is looked for first.

ALTER TABLE audit_event DROP PRIMARY KEY, ADD PRIMARY KEY (tenant_id, at, id);
ALTER TABLE access_log DROP PRIMARY KEY, ADD PRIMARY KEY (tenant_id, at, id);

SET @step = (SELECT IF(COUNT(*) > 0, 'ALTER TABLE audit_event DROP INDEX audit_event_at', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'audit_event' AND index_name = 'audit_event_at');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) > 0, 'ALTER TABLE access_log DROP INDEX access_log_at', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'access_log' AND index_name = 'access_log_at');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) > 0, 'ALTER TABLE oidc_grant DROP INDEX oidc_grant_code', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'oidc_grant' AND index_name = 'oidc_grant_code');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) > 0, 'ALTER TABLE oidc_grant DROP INDEX oidc_grant_session', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'oidc_grant' AND index_name = 'oidc_grant_session');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) > 0, 'ALTER TABLE audit_event DROP INDEX audit_event_correlation', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'audit_event' AND index_name = 'audit_event_correlation');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
