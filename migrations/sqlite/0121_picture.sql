-- The pictures on the pages of a virtual server: logo, banner, background (R-590). What is known of them stands in the settings.

CREATE TABLE IF NOT EXISTS picture (
    tenant_id VARCHAR(26) NOT NULL,
    name VARCHAR(20) NOT NULL,
    digest VARCHAR(32) NOT NULL,             -- of the octets: part of the address
    kind VARCHAR(20) NOT NULL,               -- media type
    octets BLOB NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
) WITHOUT ROWID;
