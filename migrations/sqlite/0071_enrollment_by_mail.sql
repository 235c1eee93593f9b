-- An enrollment that was begun by a mail names the place in the task that it is for. One whose activation string stands in
-- the mail itself was begun by no browser: its login_id is the reservation's, and there is no such login.

ALTER TABLE enrollment ADD COLUMN reservation_id VARCHAR(26);
