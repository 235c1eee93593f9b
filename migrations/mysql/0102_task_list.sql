-- The list of provisioning tasks goes on by when they were made, and the people of a task by how they stand in it. MySQL knows
-- no CREATE INDEX IF NOT EXISTS, and this step may be run twice: it is looked first whether it was done.

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE provisioning_task
    ADD KEY provisioning_task_started (tenant_id, started_at, number)', 'DO 0')
    FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'provisioning_task'
    AND index_name = 'provisioning_task_started');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE reservation DROP INDEX reservation_task,
    ADD KEY reservation_task_status (tenant_id, task_number, status, id)', 'DO 0')
    FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'reservation'
    AND index_name = 'reservation_task_status');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
