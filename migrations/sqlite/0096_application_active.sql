-- Whether people can log in to an application: one that is being set up is not yet theirs (R-484).

ALTER TABLE application ADD COLUMN active BIGINT NOT NULL DEFAULT 1;
