-- What moved a person into the rollout after the account was made: a change of groups, or an operator who opened
-- enrollment again. The changes of the settings themselves stand in the settings.

CREATE TABLE IF NOT EXISTS rollout_change (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    kind VARCHAR(10) NOT NULL,               -- groups | reopened
    groups_before TEXT NOT NULL,             -- JSON: the groups that the person was in until then; empty for an operator's
    PRIMARY KEY (tenant_id, user_id, at, kind)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
