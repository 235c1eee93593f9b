-- What belongs to the installation as a whole, not to one tenant.

CREATE TABLE IF NOT EXISTS installation (
    id BIGINT NOT NULL PRIMARY KEY,          -- always 1: there is one installation in one database
    root_sealed BLOB NOT NULL,               -- the root secret of keyed hashes and cookies, sealed by the key-encryption key
    created_at BIGINT NOT NULL               -- microseconds since 1970, like every time in every table
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Who may do a job that must run in one place: purge, outbox, migration. Compare-and-swap, never GET_LOCK,
-- which is per node on a cluster.
CREATE TABLE IF NOT EXISTS lease (
    name VARCHAR(40) NOT NULL PRIMARY KEY,   -- the job
    owner VARCHAR(26) NOT NULL,              -- the instance that holds it
    fence BIGINT NOT NULL,                   -- grows with every change of owner; a paused owner that wakes up sees it
    leased_until BIGINT NOT NULL             -- free after that
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
