-- What is counted over everybody, such as the effect of a rollout among a million people (R-039): a job counts it, part by part,
-- and whoever asks is shown the last answer with its time. A row is forgotten a day after somebody last asked.

CREATE TABLE IF NOT EXISTS tally (
    tenant_id VARCHAR(26) NOT NULL,
    id VARCHAR(43) NOT NULL,                 -- SHA-256 of the question, base64url
    question TEXT NOT NULL,                  -- JSON, flow::administration::tally::Question
    asked_at BIGINT NOT NULL,                -- when somebody last wanted to know
    begun_at BIGINT,                         -- when the count that goes on was begun; null if none does
    looked_at BIGINT NOT NULL,               -- how many people it has looked at
    counted_at BIGINT,                       -- when the last count began that came to an end …
    took BIGINT NOT NULL,                    -- … how long it took, in microseconds …
    answer TEXT,                             -- … and what came of it: JSON
    PRIMARY KEY (tenant_id, id),
    KEY tally_begun (begun_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
