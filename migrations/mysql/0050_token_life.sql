-- The whole life of a token (part B2): imported tokens may be nobody's, so user and platform may be lacking; why a token is
-- locked and what became of it when it was revoked have columns of their own; what an operator is shown of a token
-- (R-355) is kept. MySQL knows no ADD COLUMN IF NOT EXISTS, and this step may be run twice: the last column to be added is
-- looked for first, and all of them come with one statement.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE token
    MODIFY serial VARCHAR(64) NOT NULL,
    MODIFY user_id VARCHAR(26),
    MODIFY platform VARCHAR(20),
    ADD COLUMN state_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN lock_reason VARCHAR(10),
    ADD COLUMN disposition VARCHAR(12),
    ADD COLUMN template_version BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN rule_id VARCHAR(26),
    ADD COLUMN task_id VARCHAR(26),
    ADD COLUMN first_used_at BIGINT,
    ADD COLUMN renew_before BIGINT NOT NULL DEFAULT 0,
    ADD KEY token_state (tenant_id, state, serial),
    ADD KEY token_kind (tenant_id, kind, serial),
    ADD KEY token_platform (tenant_id, platform, serial)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'token' AND column_name = 'renew_before');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

UPDATE token SET state_at = updated_at,
    lock_reason = CASE WHEN state = 'locked' THEN 'attempts' END,
    template_version = CASE WHEN enrolled_by = 'import' THEN 0
        ELSE COALESCE(CAST(JSON_EXTRACT(template, '$.version') AS SIGNED), 0) END,
    first_used_at = CASE WHEN enrolled_by = 'import' THEN last_used_at ELSE enrolled_at END
    WHERE state_at = 0;

-- What an operator said when a token was revoked: whether its owner may enroll again without an operator (T-01): 1, 0, or
-- null while nobody has said anything.
SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE user_account ADD COLUMN may_enroll_again BIGINT', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'user_account' AND column_name = 'may_enroll_again');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
