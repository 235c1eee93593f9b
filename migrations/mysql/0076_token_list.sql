-- The list of tokens is searched by state and type, or by state and platform, and goes on by serial number: two indexes in
-- which all of that stands together, instead of three in which an engine finds a part and reads the rest (R-354). MySQL
-- knows no DROP INDEX IF EXISTS, and this step may be run twice: it is looked first whether it was done.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE token
    DROP INDEX token_state,
    DROP INDEX token_kind,
    DROP INDEX token_platform,
    ADD KEY token_state_kind (tenant_id, state, kind, serial),
    ADD KEY token_state_platform (tenant_id, state, platform, serial)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'token' AND index_name = 'token_state_kind');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
