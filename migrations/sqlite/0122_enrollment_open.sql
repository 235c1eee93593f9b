-- What is removed every few minutes are open enrollments that nobody goes on with: an index of these alone, so that those that
-- have ended, of all the years, are not looked at each time.

CREATE INDEX IF NOT EXISTS enrollment_open ON enrollment (updated_at) WHERE state = 'open';
DROP INDEX IF EXISTS enrollment_updated_at;
