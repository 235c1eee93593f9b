-- An enrollment that was begun by a mail names the place in the task that it is for. One whose activation string stands in
-- the mail itself was begun by no browser: its login_id is the reservation's, and there is no such login. MySQL knows no
-- ADD COLUMN IF NOT EXISTS, and this step may be run twice: the column is looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment ADD COLUMN reservation_id VARCHAR(26)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'reservation_id');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
