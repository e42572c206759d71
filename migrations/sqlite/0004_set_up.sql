-- At most one row: whoever writes it first has set the server up, also where several try at once.
CREATE TABLE set_up (
    once INTEGER NOT NULL PRIMARY KEY CHECK (once = 1),
    at   BIGINT  NOT NULL
);
