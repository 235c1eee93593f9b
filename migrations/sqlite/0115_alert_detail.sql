-- What is known beside person, serial number, application and address: what the mail server said, which row of the chain is
-- broken, who changed an operator.

ALTER TABLE alert ADD COLUMN detail VARCHAR(500);
