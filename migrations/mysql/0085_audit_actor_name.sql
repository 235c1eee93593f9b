-- Operators and API keys are stored by their identifiers; what they were called stands beside it, for the time when they are
-- gone. Nothing is there for others. MySQL knows no ADD COLUMN IF NOT EXISTS, and this step may be run twice: the column is
-- looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE audit_event ADD COLUMN actor_name VARCHAR(200)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'audit_event' AND column_name = 'actor_name');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
