-- Every enrollment that somebody began stays as a row; these columns make it the enrollment history (R-557 to R-560).

ALTER TABLE enrollment ADD COLUMN method VARCHAR(20);         -- self_provisioning | email_link | portal
ALTER TABLE enrollment ADD COLUMN address VARCHAR(45);        -- from where it was begun
ALTER TABLE enrollment ADD COLUMN application_id VARCHAR(26); -- what the person was on the way to
ALTER TABLE enrollment ADD COLUMN correlation_id VARCHAR(26);
ALTER TABLE enrollment ADD COLUMN reached BIGINT;             -- the furthest step, see domain::enrollment::Reached
ALTER TABLE enrollment ADD COLUMN reason VARCHAR(40);         -- what went wrong last, or why it ended
ALTER TABLE enrollment ADD COLUMN ended_at BIGINT;
