-- Somebody who has a token enrolls another one: beside it, or in its place (R-095, R-358, template renewal).

ALTER TABLE enrollment ADD COLUMN beside BIGINT NOT NULL DEFAULT 0; -- 1 where an older token was proven in its login
ALTER TABLE enrollment ADD COLUMN replaces VARCHAR(26);             -- the token that ends when the new one begins
ALTER TABLE token ADD COLUMN renew_after BIGINT NOT NULL DEFAULT 0; -- its owner wanted to be asked again after that
