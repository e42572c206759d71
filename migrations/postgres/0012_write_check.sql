-- Written to find out whether anything can be written.
CREATE TABLE write_check (
    number BIGINT NOT NULL
);
INSERT INTO write_check (number) VALUES (0);
