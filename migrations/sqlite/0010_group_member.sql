-- Which groups a person is in is asked by nearly every request. SQLite took the primary key for it, because that holds
-- all three columns, and so read every membership of the tenant; an index that holds them in this order is taken.

CREATE INDEX IF NOT EXISTS group_member_of_user ON group_member (tenant_id, user_id, group_id);
DROP INDEX IF EXISTS group_member_user;
