-- Telephone numbers of people: told to applications that ask for the scope `phone`, and used for nothing else.

ALTER TABLE user_account ADD COLUMN phone VARCHAR(30);                            -- E.164, perhaps with ;ext=
ALTER TABLE user_account ADD COLUMN phone_verified BIGINT NOT NULL DEFAULT 0;     -- 1: the organization says it is proven
