-- The access log as a list: by person, and what was not a success. What succeeded is in the order of time already, and needs no
-- index for it.

CREATE INDEX IF NOT EXISTS access_log_user ON access_log (tenant_id, user_id, at, id);
CREATE INDEX IF NOT EXISTS access_log_refused ON access_log (tenant_id, result, at, id) WHERE result <> 'success';
