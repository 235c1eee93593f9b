-- What is asked about one person, login or session is found by its index. SQLite knows nothing about its tables unless it is told,
-- and takes every virtual server for ten rows: it would rather read all of them than an index, and in these tables a virtual
-- server has rows for all logins of a month. So it is told how many rows there may be, and how many of them are alike in the first
-- column of an index, in the first two, and so on.
--
-- And the sessions in which a service provider got a name are found by that name.

CREATE INDEX IF NOT EXISTS session_participant_name ON session_participant (tenant_id, application_id, name);

-- This looks at no table and makes the one where such numbers stand. At the end it reads them.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1 WHERE tbl IN
    ('sso_session', 'session_participant', 'oidc_grant', 'oidc_family', 'email_code', 'reservation', 'enrollment_link');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('sso_session', 'sso_session', '1000000 1000000 1'),
    ('sso_session', 'sso_session_cookie', '1000000 1000000 1'),
    ('sso_session', 'sso_session_user', '1000000 1000000 20'),
    ('sso_session', 'sso_session_last_seen_at', '1000000 1'),
    ('session_participant', 'session_participant', '1000000 1000000 3 1 1'),
    ('session_participant', 'session_participant_name', '1000000 1000000 100000 30'),
    ('oidc_grant', 'oidc_grant', '1000000 1000000 1'),
    ('oidc_grant', 'oidc_grant_user', '1000000 1000000 20'),
    ('oidc_grant', 'oidc_grant_ends_at', '1000000 1'),
    ('oidc_family', 'oidc_family', '1000000 1000000 1'),
    ('email_code', 'email_code', '1000000 1000000 1'),
    ('email_code', 'email_code_user', '1000000 1000000 5 1'),
    ('email_code', 'email_code_login', '1000000 1000000 3'),
    ('email_code', 'email_code_expires_at', '1000000 1'),
    ('reservation', 'reservation', '1000000 1000000 1'),
    ('reservation', 'reservation_user', '1000000 1000000 3'),
    ('reservation', 'reservation_task_status', '1000000 1000000 1000 500 1'),
    ('reservation', 'reservation_stop', '1000000 1000000 200000 10'),
    ('enrollment_link', 'enrollment_link', '1000000 1000000 1'),
    ('enrollment_link', 'enrollment_link_reservation', '1000000 1000000 3');
ANALYZE sqlite_schema;
