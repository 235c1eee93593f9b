-- The list of people is searched by mail address, name, and by what the account and its authenticators are like (R-578).
-- Each key is what is compared, then '!' and the user name: one text by which a list is ordered and goes on. Letters beyond
-- ASCII are folded by the program right after this step (storage::migrations). Every account and group has a version, so
-- that nobody overwrites what somebody else has changed (R-040), and a group knows how many are in it.

ALTER TABLE user_account ADD COLUMN email_key VARCHAR(460) NOT NULL DEFAULT '';
ALTER TABLE user_account ADD COLUMN last_name_key VARCHAR(410) NOT NULL DEFAULT '';
ALTER TABLE user_account ADD COLUMN first_name_key VARCHAR(410) NOT NULL DEFAULT '';
ALTER TABLE user_account ADD COLUMN token_state VARCHAR(10) NOT NULL DEFAULT 'none'; -- the best state of its tokens, see domain::authenticator::standing
ALTER TABLE user_account ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
UPDATE user_account SET email_key = LOWER(COALESCE(email, '')) || '!' || username_key,
    last_name_key = LOWER(last_name) || '!' || username_key, first_name_key = LOWER(first_name) || '!' || username_key;
UPDATE user_account SET token_state = COALESCE((SELECT CASE MIN(CASE state WHEN 'active' THEN 1 WHEN 'locked' THEN 2
    WHEN 'suspended' THEN 3 WHEN 'assigned' THEN 4 ELSE 5 END) WHEN 1 THEN 'active' WHEN 2 THEN 'locked'
    WHEN 3 THEN 'suspended' WHEN 4 THEN 'assigned' ELSE 'none' END FROM token
    WHERE token.tenant_id = user_account.tenant_id AND token.user_id = user_account.id), 'none');
CREATE INDEX user_account_email ON user_account (tenant_id, email_key);
CREATE INDEX user_account_last_name ON user_account (tenant_id, last_name_key);
CREATE INDEX user_account_first_name ON user_account (tenant_id, first_name_key);
CREATE INDEX user_account_state ON user_account (tenant_id, status, token_state, username_key);

-- Which accounts are locked after failures: the counters themselves are found by a keyed hash only. A row whose time has
-- passed says nothing.
CREATE TABLE account_lock (
    tenant_id VARCHAR(26) NOT NULL,
    username_key VARCHAR(200) NOT NULL,
    locked_until BIGINT NOT NULL,            -- far in the future where an operator must act
    PRIMARY KEY (tenant_id, username_key)
) WITHOUT ROWID;

ALTER TABLE user_group ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE user_group ADD COLUMN members BIGINT NOT NULL DEFAULT 0;
UPDATE user_group SET members = (SELECT COUNT(*) FROM group_member
    WHERE group_member.tenant_id = user_group.tenant_id AND group_member.group_id = user_group.id);
