-- Telephone numbers of people: told to applications that ask for the scope `phone`, and used for nothing else. MySQL knows
-- no ADD COLUMN IF NOT EXISTS, and this step may be run twice: each column is looked for first.
-- phone: E.164, perhaps with ;ext=. phone_verified: 1 if the organization says that it is proven.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN phone VARCHAR(30)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'phone');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN phone_verified BIGINT NOT NULL DEFAULT 0',
    'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'phone_verified');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
