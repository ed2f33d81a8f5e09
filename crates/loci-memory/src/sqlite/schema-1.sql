-- The store itself: its secret, and how often anything was removed.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Whose memory: every other row names one, and every query too.
CREATE TABLE scope (
    row INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    keys INTEGER NOT NULL DEFAULT 0,
    words INTEGER NOT NULL DEFAULT 0,
    policy TEXT,
    UNIQUE (tenant, user)
) STRICT;

-- An item. What it says is JSON in content, which is null once it is forgotten; the columns at the end are parts of it.
CREATE TABLE item (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    scope INTEGER NOT NULL REFERENCES scope (row),
    id TEXT NOT NULL UNIQUE,
    learned INTEGER NOT NULL,
    state TEXT NOT NULL,
    superseded_by TEXT,
    digest TEXT NOT NULL,
    content TEXT,
    salt BLOB,
    same BLOB,
    held_for TEXT,
    kind TEXT AS (content ->> 'kind') VIRTUAL,
    session TEXT AS (content ->> 'session') VIRTUAL,
    topic TEXT AS (content ->> 'topic') VIRTUAL
) STRICT;
CREATE INDEX item_scope ON item (scope, row);
CREATE INDEX item_session ON item (scope, session) WHERE session IS NOT NULL;
CREATE INDEX item_topic ON item (scope, topic) WHERE topic IS NOT NULL;
CREATE INDEX item_same ON item (scope, same) WHERE same IS NOT NULL;
CREATE TRIGGER item_never_changes BEFORE UPDATE ON item
WHEN NEW.id IS NOT OLD.id OR NEW.scope IS NOT OLD.scope OR NEW.learned IS NOT OLD.learned OR NEW.digest IS NOT OLD.digest
    OR (NEW.content IS NOT NULL AND NEW.content IS NOT OLD.content)
BEGIN
    SELECT raise(ABORT, 'items never change');
END;
CREATE TRIGGER item_stays BEFORE DELETE ON item
BEGIN
    SELECT raise(ABORT, 'items are forgotten, not deleted');
END;

-- What an item is found by.
CREATE TABLE key (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    scope INTEGER NOT NULL REFERENCES scope (row),
    item INTEGER NOT NULL REFERENCES item (row),
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    maker TEXT NOT NULL,
    words INTEGER NOT NULL
) STRICT;
CREATE INDEX key_item ON key (item);
CREATE INDEX key_scope ON key (scope, row);

CREATE TABLE vector (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    space TEXT NOT NULL,
    key INTEGER NOT NULL REFERENCES key (row),
    scope INTEGER NOT NULL REFERENCES scope (row),
    item INTEGER NOT NULL REFERENCES item (row),
    numbers BLOB NOT NULL,
    UNIQUE (key, space)
) STRICT;
CREATE INDEX vector_space ON vector (space, row);
CREATE INDEX vector_item ON vector (item);

-- What a model has looked at, or failed to: how often, when again, and why.
CREATE TABLE extraction (
    item INTEGER PRIMARY KEY REFERENCES item (row),
    scope INTEGER NOT NULL REFERENCES scope (row),
    tries INTEGER NOT NULL,
    due INTEGER,
    error TEXT
) STRICT;

-- The words of keys; each begins with the number of its scope, so that no count goes over scopes. What is deleted is overwritten.
CREATE VIRTUAL TABLE word USING fts5 (words, tokenize = 'unicode61 remove_diacritics 0');
INSERT INTO word (word, rank) VALUES ('secure-delete', 1);
CREATE VIRTUAL TABLE word_at USING fts5vocab ('word', 'instance');
CREATE VIRTUAL TABLE word_in USING fts5vocab ('word', 'row');

-- The log: entries are added and stay as they are.
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    scope INTEGER NOT NULL REFERENCES scope (row),
    body TEXT NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX log_scope ON log (scope, seq);
CREATE TRIGGER log_never_changes BEFORE UPDATE ON log
BEGIN
    SELECT raise(ABORT, 'the log never changes');
END;
CREATE TRIGGER log_stays BEFORE DELETE ON log
BEGIN
    SELECT raise(ABORT, 'the log never changes');
END;
