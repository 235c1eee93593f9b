-- What is removed every few minutes is found by its time: these tables grow with the people and the years, and were looked through
-- from the beginning to the end each time. This step may be run twice: each index is looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE known_browser ADD INDEX known_browser_last_used_at (last_used_at)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'known_browser' AND index_name = 'known_browser_last_used_at');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE rollout_change ADD INDEX rollout_change_at (at)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'rollout_change' AND index_name = 'rollout_change_at');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE alert ADD INDEX alert_at (at)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'alert' AND index_name = 'alert_at');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE outbox ADD INDEX outbox_over (created_at)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'outbox' AND index_name = 'outbox_over');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
