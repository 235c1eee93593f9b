-- The list of people is searched by mail address, name, and by what the account and its authenticators are like (R-578).
-- Each key is what is compared, then '!' and the user name: one text by which a list is ordered and goes on. Every account
-- and group has a version, so that nobody overwrites what somebody else has changed (R-040), and a group knows how many are
-- in it. MySQL knows no ADD COLUMN IF NOT EXISTS, and this step may be run twice: each is looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN email_key VARCHAR(460) NOT NULL DEFAULT ''''', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'email_key');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN last_name_key VARCHAR(410) NOT NULL DEFAULT ''''', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'last_name_key');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN first_name_key VARCHAR(410) NOT NULL DEFAULT ''''', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'first_name_key');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN token_state VARCHAR(10) NOT NULL DEFAULT ''none''', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'token_state');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN version BIGINT NOT NULL DEFAULT 1', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'version');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

UPDATE user_account SET email_key = CONCAT(LOWER(COALESCE(email, '')), '!', username_key),
    last_name_key = CONCAT(LOWER(last_name), '!', username_key),
    first_name_key = CONCAT(LOWER(first_name), '!', username_key);
-- Asked for once for all: account by account, a server without statistics would read every token each time.
UPDATE user_account JOIN (SELECT tenant_id, user_id, MIN(CASE state WHEN 'active' THEN 1 WHEN 'locked' THEN 2
    WHEN 'suspended' THEN 3 WHEN 'assigned' THEN 4 ELSE 5 END) AS best FROM token WHERE user_id IS NOT NULL
    GROUP BY tenant_id, user_id) AS its ON its.tenant_id = user_account.tenant_id AND its.user_id = user_account.id
    SET token_state = CASE its.best WHEN 1 THEN 'active' WHEN 2 THEN 'locked' WHEN 3 THEN 'suspended'
    WHEN 4 THEN 'assigned' ELSE 'none' END;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD KEY user_account_email (tenant_id, email_key)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND index_name = 'user_account_email');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD KEY user_account_last_name (tenant_id, last_name_key)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND index_name = 'user_account_last_name');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD KEY user_account_first_name (tenant_id, first_name_key)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND index_name = 'user_account_first_name');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD KEY user_account_state (tenant_id, status, token_state, username_key)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND index_name = 'user_account_state');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- Which accounts are locked after failures: the counters themselves are found by a keyed hash only. A row whose time has
-- passed says nothing.
CREATE TABLE IF NOT EXISTS account_lock (
    tenant_id VARCHAR(26) NOT NULL,
    username_key VARCHAR(200) NOT NULL,
    locked_until BIGINT NOT NULL,            -- far in the future where an operator must act
    PRIMARY KEY (tenant_id, username_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_group ADD COLUMN version BIGINT NOT NULL DEFAULT 1', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_group' AND column_name = 'version');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_group ADD COLUMN members BIGINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_group' AND column_name = 'members');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

UPDATE user_group SET members = (SELECT COUNT(*) FROM group_member
    WHERE group_member.tenant_id = user_group.tenant_id AND group_member.group_id = user_group.id);
