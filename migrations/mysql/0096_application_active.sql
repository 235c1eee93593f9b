-- Whether people can log in to an application: one that is being set up is not yet theirs (R-484). MySQL knows no ADD
-- COLUMN IF NOT EXISTS, and this step may be run twice: the column is looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE application ADD COLUMN active BIGINT NOT NULL DEFAULT 1', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'application' AND column_name = 'active');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
