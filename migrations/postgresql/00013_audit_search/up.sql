-- What the page of the record asks for, latest first: each index ends with the moment. What is severe is rare, so its
-- index costs ordinary records nothing; 3 is the rank of a warning.
SET LOCAL statement_timeout = 0;

DROP INDEX audit_record_caller;
DROP INDEX audit_record_caller_name;
CREATE INDEX audit_record_caller ON audit_record (caller, at);
CREATE INDEX audit_record_caller_name ON audit_record (caller_name, at);
CREATE INDEX audit_record_severe ON audit_record (severity, at) WHERE severity >= 3;
