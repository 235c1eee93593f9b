-- What is removed every few minutes is found by its time: these tables grow with the people and the years, and were looked through
-- from the beginning to the end each time, by whoever has the turn to write.

CREATE INDEX IF NOT EXISTS known_browser_last_used_at ON known_browser (last_used_at);
CREATE INDEX IF NOT EXISTS rollout_change_at ON rollout_change (at);
CREATE INDEX IF NOT EXISTS alert_at ON alert (at);
CREATE INDEX IF NOT EXISTS outbox_over ON outbox (created_at) WHERE state <> 'waiting';
