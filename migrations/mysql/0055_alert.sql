-- What operators want to hear of at once. Each row was written with the event that it tells of; the mails that tell of it
-- wait in the outbox.

CREATE TABLE IF NOT EXISTS alert (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    kind VARCHAR(30) NOT NULL,               -- domain::alert::Kind
    user_id VARCHAR(26),
    username VARCHAR(200) NOT NULL,          -- as it was then; empty if it is about nobody
    serial VARCHAR(20) NOT NULL,
    application VARCHAR(200) NOT NULL,
    address VARCHAR(45) NOT NULL,
    correlation_id VARCHAR(26),
    told VARCHAR(10) NOT NULL,               -- mailed | withheld (there were many) | nobody (who asked to be told)
    mails MEDIUMTEXT NOT NULL,               -- JSON: the mails that tell of it
    PRIMARY KEY (tenant_id, at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
