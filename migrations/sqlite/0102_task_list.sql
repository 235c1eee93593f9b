-- The list of provisioning tasks goes on by when they were made, and the people of a task by how they stand in it.

CREATE INDEX IF NOT EXISTS provisioning_task_started ON provisioning_task (tenant_id, started_at, number);
DROP INDEX IF EXISTS reservation_task;
CREATE INDEX IF NOT EXISTS reservation_task_status ON reservation (tenant_id, task_number, status, id);
