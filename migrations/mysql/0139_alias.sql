-- An account may have a second name for the login (R-460). What anybody can be called there stands in one table, so that nobody's
-- alias is somebody else's user name or alias, whoever writes at the same moment. MySQL knows no ADD COLUMN IF NOT EXISTS, and this
-- step may be run twice: the column is looked for first.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN alias VARCHAR(200)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'alias');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

CREATE TABLE IF NOT EXISTS login_name (
    tenant_id VARCHAR(26) NOT NULL,
    name_key VARCHAR(200) NOT NULL,          -- as compared, see domain::name
    user_id VARCHAR(26) NOT NULL,
    kind VARCHAR(10) NOT NULL,               -- username | alias
    PRIMARY KEY (tenant_id, name_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO login_name (tenant_id, name_key, user_id, kind)
    SELECT tenant_id, username_key, id, 'username' FROM user_account;
