-- Which service providers heard of a session, so that each hears of its end, and the way of a browser from one to the
-- next. What a service provider calls the person is computed from the session again and not stored.

CREATE TABLE IF NOT EXISTS session_participant (
    tenant_id VARCHAR(26) NOT NULL,
    session_id VARCHAR(26) NOT NULL,
    application_id VARCHAR(26) NOT NULL,
    name_format VARCHAR(20) NOT NULL,        -- domain::service_provider::NameIdFormat: the kind of name that it got
    first_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, session_id, application_id, name_format)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS saml_logout (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,                 -- stands in the requests' identifiers
    work MEDIUMTEXT NOT NULL,                -- domain::logout::Logout: who is told already, who is still to be told
    version BIGINT NOT NULL,                 -- grows with every step: each is taken once
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
