-- Tables whose rows are short are kept by their primary key alone: one page is written for a new row instead of one of the
-- table and one of the key's index. What is only added to (audit trail, access log) is kept in the order of time, and so
-- needs no index for it; what belongs to one login is found there, too, because the identifier that joins it begins with
-- the time. Grants are found by their identifier, which stands in the code, and in their person's list.
-- SQLite cannot change a table's kind: each is made anew and filled.


ALTER TABLE user_account RENAME TO user_account_before;
CREATE TABLE user_account (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    username VARCHAR(200) NOT NULL,          -- as typed by the operator
    username_key VARCHAR(200) NOT NULL,      -- as compared, see domain::name: both engines compare octets
    email VARCHAR(254),                      -- where verification codes go
    first_name VARCHAR(200) NOT NULL,
    last_name VARCHAR(200) NOT NULL,
    language VARCHAR(20),                    -- preferred language tag
    status VARCHAR(10) NOT NULL,             -- enabled | disabled
    security_version BIGINT NOT NULL,        -- grows with every change that must end open logins and sessions
    first_enrolled_at BIGINT,                -- kept for ever: who had a token is recovering, not enrolling
    last_login_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
INSERT INTO user_account (tenant_id, id, username, username_key, email, first_name, last_name, language, status,
    security_version, first_enrolled_at, last_login_at, created_at, updated_at)
    SELECT tenant_id, id, username, username_key, email, first_name, last_name, language, status,
    security_version, first_enrolled_at, last_login_at, created_at, updated_at FROM user_account_before;
DROP TABLE user_account_before;
CREATE UNIQUE INDEX user_account_name ON user_account (tenant_id, username_key);

ALTER TABLE password RENAME TO password_before;
CREATE TABLE password (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    hash VARCHAR(300) NOT NULL,              -- PHC string, Argon2id
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) WITHOUT ROWID;
INSERT INTO password (tenant_id, user_id, hash, changed_at)
    SELECT tenant_id, user_id, hash, changed_at FROM password_before;
DROP TABLE password_before;

ALTER TABLE group_member RENAME TO group_member_before;
CREATE TABLE group_member (
    tenant_id VARCHAR(26) NOT NULL,
    group_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    PRIMARY KEY (tenant_id, group_id, user_id)
) WITHOUT ROWID;
INSERT INTO group_member (tenant_id, group_id, user_id)
    SELECT tenant_id, group_id, user_id FROM group_member_before;
DROP TABLE group_member_before;
CREATE INDEX group_member_of_user ON group_member (tenant_id, user_id, group_id);

ALTER TABLE failure RENAME TO failure_before;
CREATE TABLE failure (
    tenant_id VARCHAR(26) NOT NULL,
    subject VARCHAR(43) NOT NULL,
    failed_count BIGINT NOT NULL,            -- consecutive, since the last success or lock
    failed_total BIGINT NOT NULL,            -- consecutive, since the last success
    last_at BIGINT NOT NULL,
    locked_until BIGINT,
    locked_by_operator BIGINT NOT NULL,      -- 0 | 1
    alert_due BIGINT NOT NULL,               -- 1 after a lock until the next success: the "unlocked" mail is due then (R-330)
    PRIMARY KEY (tenant_id, subject)
) WITHOUT ROWID;
INSERT INTO failure (tenant_id, subject, failed_count, failed_total, last_at, locked_until, locked_by_operator,
    alert_due)
    SELECT tenant_id, subject, failed_count, failed_total, last_at, locked_until, locked_by_operator, alert_due
    FROM failure_before;
DROP TABLE failure_before;
CREATE INDEX failure_last_at ON failure (last_at);

ALTER TABLE known_browser RENAME TO known_browser_before;
CREATE TABLE known_browser (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    browser_hash VARCHAR(43) NOT NULL,       -- keyed hash of the cookie
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, browser_hash)
) WITHOUT ROWID;
INSERT INTO known_browser (tenant_id, user_id, browser_hash, last_used_at)
    SELECT tenant_id, user_id, browser_hash, last_used_at FROM known_browser_before;
DROP TABLE known_browser_before;

ALTER TABLE throttle RENAME TO throttle_before;
CREATE TABLE throttle (
    tenant_id VARCHAR(26) NOT NULL,
    subject VARCHAR(43) NOT NULL,
    window_start BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subject, window_start)
) WITHOUT ROWID;
INSERT INTO throttle (tenant_id, subject, window_start, hits)
    SELECT tenant_id, subject, window_start, hits FROM throttle_before;
DROP TABLE throttle_before;
CREATE INDEX throttle_window_start ON throttle (window_start);

ALTER TABLE evidence RENAME TO evidence_before;
CREATE TABLE evidence (
    tenant_id VARCHAR(26) NOT NULL,
    login_id VARCHAR(26) NOT NULL,
    kind VARCHAR(10) NOT NULL,               -- password | otp | mailbox
    at BIGINT NOT NULL,
    token_id VARCHAR(26),                    -- the authenticator, for otp
    PRIMARY KEY (tenant_id, login_id, kind)
) WITHOUT ROWID;
INSERT INTO evidence (tenant_id, login_id, kind, at, token_id)
    SELECT tenant_id, login_id, kind, at, token_id FROM evidence_before;
DROP TABLE evidence_before;

ALTER TABLE sso_session RENAME TO sso_session_before;
CREATE TABLE sso_session (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- sid and SessionIndex
    cookie_hash VARCHAR(43) NOT NULL,        -- keyed hash of the browser's cookie
    user_id VARCHAR(26) NOT NULL,
    security_version BIGINT NOT NULL,
    password_at BIGINT,
    otp_at BIGINT,
    token_id VARCHAR(26),
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason VARCHAR(30),
    address VARCHAR(45) NOT NULL,
    user_agent VARCHAR(300) NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
INSERT INTO sso_session (tenant_id, id, cookie_hash, user_id, security_version, password_at, otp_at, token_id,
    started_at, last_seen_at, ended_at, end_reason, address, user_agent)
    SELECT tenant_id, id, cookie_hash, user_id, security_version, password_at, otp_at, token_id, started_at,
    last_seen_at, ended_at, end_reason, address, user_agent FROM sso_session_before;
DROP TABLE sso_session_before;
CREATE UNIQUE INDEX sso_session_cookie ON sso_session (tenant_id, cookie_hash);
CREATE INDEX sso_session_user ON sso_session (tenant_id, user_id);
CREATE INDEX sso_session_last_seen_at ON sso_session (last_seen_at);

ALTER TABLE email_code RENAME TO email_code_before;
CREATE TABLE email_code (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    login_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    code_hash VARCHAR(43) NOT NULL,          -- keyed hash, bound to this row
    address_hash VARCHAR(43) NOT NULL,       -- keyed hash of the address it went to: a changed address voids it (T-03)
    state VARCHAR(10) NOT NULL,              -- pending | verified | void
    tries BIGINT NOT NULL,                   -- reserved before they are compared, never refunded (K07)
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
INSERT INTO email_code (tenant_id, id, login_id, user_id, code_hash, address_hash, state, tries, created_at,
    expires_at)
    SELECT tenant_id, id, login_id, user_id, code_hash, address_hash, state, tries, created_at, expires_at FROM
    email_code_before;
DROP TABLE email_code_before;
CREATE INDEX email_code_login ON email_code (tenant_id, login_id);
CREATE INDEX email_code_user ON email_code (tenant_id, user_id, created_at);
CREATE INDEX email_code_expires_at ON email_code (expires_at);

ALTER TABLE oidc_grant RENAME TO oidc_grant_before;
CREATE TABLE oidc_grant (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    code_hash VARCHAR(43) NOT NULL,          -- keyed hash of the authorization code
    application_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    session_id VARCHAR(26) NOT NULL,
    details TEXT NOT NULL,                   -- redirect address, PKCE challenge, nonce, scope, acr, amr, times: oidc's own
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,              -- of the code: at most 60 seconds
    redeemed_at BIGINT,                      -- once, by compare-and-swap
    revoked_at BIGINT,                       -- everything issued for it is void from then on
    ends_at BIGINT NOT NULL,                 -- when the last thing issued for it expires and the row may go
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
INSERT INTO oidc_grant (tenant_id, id, code_hash, application_id, user_id, session_id, details, created_at,
    expires_at, redeemed_at, revoked_at, ends_at)
    SELECT tenant_id, id, code_hash, application_id, user_id, session_id, details, created_at, expires_at,
    redeemed_at, revoked_at, ends_at FROM oidc_grant_before;
DROP TABLE oidc_grant_before;
CREATE INDEX oidc_grant_user ON oidc_grant (tenant_id, user_id);
CREATE INDEX oidc_grant_ends_at ON oidc_grant (ends_at);

ALTER TABLE used_identifier RENAME TO used_identifier_before;
CREATE TABLE used_identifier (
    tenant_id VARCHAR(26) NOT NULL,
    subject VARCHAR(43) NOT NULL,            -- keyed hash of kind and identifier
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subject)
) WITHOUT ROWID;
INSERT INTO used_identifier (tenant_id, subject, expires_at)
    SELECT tenant_id, subject, expires_at FROM used_identifier_before;
DROP TABLE used_identifier_before;
CREATE INDEX used_identifier_expires_at ON used_identifier (expires_at);

ALTER TABLE audit_event RENAME TO audit_event_before;
CREATE TABLE audit_event (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    actor_kind VARCHAR(10) NOT NULL,
    actor VARCHAR(200) NOT NULL,
    address VARCHAR(45) NOT NULL,
    action VARCHAR(40) NOT NULL,             -- a published, stable name
    object VARCHAR(20) NOT NULL,
    object_id VARCHAR(200) NOT NULL,
    correlation_id VARCHAR(26),
    detail TEXT NOT NULL,                    -- JSON; never a secret, a code or a full address
    PRIMARY KEY (tenant_id, at, id)
) WITHOUT ROWID;
INSERT INTO audit_event (tenant_id, id, at, actor_kind, actor, address, action, object, object_id, correlation_id,
    detail)
    SELECT tenant_id, id, at, actor_kind, actor, address, action, object, object_id, correlation_id, detail FROM
    audit_event_before;
DROP TABLE audit_event_before;

ALTER TABLE access_log RENAME TO access_log_before;
CREATE TABLE access_log (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    correlation_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26),
    application_id VARCHAR(26) NOT NULL,
    result VARCHAR(10) NOT NULL,             -- success | failure | denied
    reason VARCHAR(30) NOT NULL,
    policy VARCHAR(200) NOT NULL,            -- the policy that decided (R-454) …
    scenario VARCHAR(200),                   -- … and its scenario
    methods VARCHAR(40) NOT NULL,            -- what was proven
    address VARCHAR(45) NOT NULL,
    PRIMARY KEY (tenant_id, at, id)
) WITHOUT ROWID;
INSERT INTO access_log (tenant_id, id, at, correlation_id, user_id, application_id, result, reason, policy, scenario,
    methods, address)
    SELECT tenant_id, id, at, correlation_id, user_id, application_id, result, reason, policy, scenario, methods,
    address FROM access_log_before;
DROP TABLE access_log_before;
