-- Texts of a virtual server's own, in the place of ours: mails, and single texts of pages (R-586).

CREATE TABLE IF NOT EXISTS message (
    tenant_id VARCHAR(26) NOT NULL,
    language VARCHAR(10) NOT NULL,
    name VARCHAR(100) NOT NULL,              -- mail.<kind> or page.<key>
    subject VARCHAR(600) NOT NULL,           -- empty for texts of pages
    body TEXT NOT NULL,
    version BIGINT NOT NULL,                 -- grows with every change
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, language, name)
) WITHOUT ROWID;
