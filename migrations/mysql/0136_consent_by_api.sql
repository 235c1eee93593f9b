-- What is allowed at an API names the API, so the words of an application with many of them are longer than they were.

ALTER TABLE oidc_consent MODIFY scopes MEDIUMTEXT NOT NULL;
