-- The list of tokens is searched by state and type, or by state and platform, and goes on by serial number: two indexes in
-- which all of that stands together, instead of three in which an engine finds a part and reads the rest (R-354).

DROP INDEX IF EXISTS token_state;
DROP INDEX IF EXISTS token_kind;
DROP INDEX IF EXISTS token_platform;
CREATE INDEX IF NOT EXISTS token_state_kind ON token (tenant_id, state, kind, serial);
CREATE INDEX IF NOT EXISTS token_state_platform ON token (tenant_id, state, platform, serial);
