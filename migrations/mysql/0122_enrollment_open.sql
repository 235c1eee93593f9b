-- What is removed every few minutes are open enrollments that nobody goes on with: an index that begins with the state, so that
-- those that have ended, of all the years, are not looked at each time. MySQL knows no DROP INDEX IF EXISTS, and this step may
-- be run twice: each index is looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD INDEX enrollment_open (state, updated_at)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND index_name = 'enrollment_open');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) > 0, 'ALTER TABLE enrollment DROP INDEX enrollment_updated_at', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND index_name = 'enrollment_updated_at');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
