-- An account may have a second name for the login (R-460). What anybody can be called there stands in one table, so that nobody's
-- alias is somebody else's user name or alias, whoever writes at the same moment.

ALTER TABLE user_account ADD COLUMN alias VARCHAR(200);  -- as typed by the operator; NULL for most
CREATE TABLE login_name (
    tenant_id VARCHAR(26) NOT NULL,
    name_key VARCHAR(200) NOT NULL,          -- as compared, see domain::name
    user_id VARCHAR(26) NOT NULL,
    kind VARCHAR(10) NOT NULL,               -- username | alias
    PRIMARY KEY (tenant_id, name_key)
) WITHOUT ROWID;
INSERT INTO login_name (tenant_id, name_key, user_id, kind)
    SELECT tenant_id, username_key, id, 'username' FROM user_account;
