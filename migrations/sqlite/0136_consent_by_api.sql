-- What is allowed at an API names the API, so the words of an application with many of them are longer than they were. Here
-- a column has no length: this step is MySQL's.

SELECT 1;
