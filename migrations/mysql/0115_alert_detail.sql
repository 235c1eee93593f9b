-- What is known beside person, serial number, application and address: what the mail server said, which row of the chain is
-- broken, who changed an operator. MySQL knows no ADD COLUMN IF NOT EXISTS, and this step may be run twice: the column is
-- looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE alert ADD COLUMN detail VARCHAR(500)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'alert' AND column_name = 'detail');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
