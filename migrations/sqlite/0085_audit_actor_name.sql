-- Operators and API keys are stored by their identifiers; what they were called stands beside it, for the time when they are
-- gone. Nothing is there for others.

ALTER TABLE audit_event ADD COLUMN actor_name VARCHAR(200);
