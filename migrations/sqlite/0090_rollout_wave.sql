-- Who was asked in the rollout, and how many were on each day. Nothing here is written while there are no waves.

CREATE TABLE IF NOT EXISTS rollout_place (
    tenant_id VARCHAR(26) NOT NULL,
    user_id VARCHAR(26) NOT NULL,
    wave_id VARCHAR(26) NOT NULL,            -- the wave that asked first
    asked_at BIGINT NOT NULL,
    begun_at BIGINT,                         -- the first enrollment
    postponed BIGINT NOT NULL,               -- how often it was put off
    postponed_until BIGINT,
    helped_at BIGINT,                        -- the last time that the help desk unlocked the person or gave out a code
    PRIMARY KEY (tenant_id, user_id)
) WITHOUT ROWID;

-- The day's places that are taken. A wave has sixteen rows for each day, so that many logins at once do not wait for one row.
CREATE TABLE IF NOT EXISTS rollout_quota (
    tenant_id VARCHAR(26) NOT NULL,
    wave_id VARCHAR(26) NOT NULL,
    day BIGINT NOT NULL,                     -- since the wave began
    part BIGINT NOT NULL,
    taken BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, wave_id, day, part)
) WITHOUT ROWID;

-- Waves that stand still.
CREATE TABLE IF NOT EXISTS rollout_pause (
    tenant_id VARCHAR(26) NOT NULL,
    wave_id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    reason VARCHAR(40) NOT NULL,             -- by_hand | enrollments_failed | help_desk_needed
    detail TEXT NOT NULL,                    -- JSON: the numbers that pulled the brake, or who paused it
    everybody BIGINT NOT NULL,               -- 1: people who were asked already go on as before, too
    PRIMARY KEY (tenant_id, wave_id)
) WITHOUT ROWID;

-- When a wave was last resumed: what went wrong before that does not pull the brake again.
CREATE TABLE IF NOT EXISTS rollout_resumption (
    tenant_id VARCHAR(26) NOT NULL,
    wave_id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, wave_id)
) WITHOUT ROWID;

-- People who would have been asked, once a day.
CREATE TABLE IF NOT EXISTS rollout_observed (
    tenant_id VARCHAR(26) NOT NULL,
    day BIGINT NOT NULL,                     -- since 1970, in UTC
    user_id VARCHAR(26) NOT NULL,
    at BIGINT NOT NULL,
    application_id VARCHAR(26) NOT NULL,     -- the first of that day
    policy VARCHAR(200) NOT NULL,            -- that asked for a passcode
    spared VARCHAR(20) NOT NULL,             -- domain::policy::staging::Spared
    obstacle VARCHAR(30) NOT NULL,           -- what would have stopped the enrollment; empty if nothing
    PRIMARY KEY (tenant_id, day, user_id)
) WITHOUT ROWID;
