-- Every enrollment that somebody began stays as a row; these columns make it the enrollment history (R-557 to R-560). MySQL knows
-- no ADD COLUMN IF NOT EXISTS, and this step may be run twice: each column is looked for first.
--
-- method: self_provisioning | email_link | portal. address: from where it was begun. application_id: what the person was on the
-- way to. reached: the furthest step, see domain::enrollment::Reached. reason: what went wrong last, or why it ended.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD COLUMN method VARCHAR(20)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'method');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD COLUMN address VARCHAR(45)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'address');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD COLUMN application_id VARCHAR(26)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'application_id');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD COLUMN correlation_id VARCHAR(26)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'correlation_id');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD COLUMN reached BIGINT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'reached');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD COLUMN reason VARCHAR(40)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'reason');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD COLUMN ended_at BIGINT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'ended_at');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
