-- Somebody who has a token enrolls another one: beside it, or in its place (R-095, R-358, template renewal). `beside` is 1
-- where an older token was proven in its login, `replaces` the token that ends when the new one begins, `renew_after` when
-- a token's owner wanted to be asked again. MySQL knows no ADD COLUMN IF NOT EXISTS, and this step may be run twice.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE enrollment
    ADD COLUMN beside BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN replaces VARCHAR(26)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'enrollment' AND column_name = 'replaces');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE token ADD COLUMN renew_after BIGINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'token' AND column_name = 'renew_after');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
