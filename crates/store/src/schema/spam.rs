//! What was learned of spam.

/// Part of version 6. Owner 0 is the server, others are accounts. Tokens are keyed hashes: nobody reads words in them.
pub(super) const TABLES: &str = "
-- How many messages of each kind were learned.
CREATE TABLE spam_owners (
    owner INTEGER PRIMARY KEY,
    spam  INTEGER NOT NULL DEFAULT 0,
    ham   INTEGER NOT NULL DEFAULT 0
);

-- Which: so that none counts twice, and each can be taken back.
CREATE TABLE spam_learned (
    owner   INTEGER NOT NULL,
    message BLOB    NOT NULL,              -- SHA-256 of the message as its sender wrote it
    spam    INTEGER NOT NULL,              -- 1: as spam; 0: as ham
    weight  INTEGER NOT NULL,              -- by how much the weights of its tokens changed
    at      INTEGER NOT NULL,
    PRIMARY KEY (owner, message)
) WITHOUT ROWID;
CREATE INDEX spam_learned_at ON spam_learned (owner, at);

-- What was learned and isn't in the table of tokens yet. A message has thousands of tokens, each on a page of its own:
-- they are folded in together, many messages at once.
CREATE TABLE spam_pending (
    id     INTEGER PRIMARY KEY,
    owner  INTEGER NOT NULL,
    spam   INTEGER NOT NULL,               -- to be added to each of the tokens
    ham    INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    day    INTEGER NOT NULL,               -- since 1970
    tokens BLOB    NOT NULL                -- eight bytes each
);

CREATE TABLE spam_tokens (
    owner  INTEGER NOT NULL,
    token  INTEGER NOT NULL,
    spam   INTEGER NOT NULL,               -- messages with it that were learned as spam
    ham    INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    seen   INTEGER NOT NULL,               -- day since 1970 on which it was learned at last
    PRIMARY KEY (owner, token)
) WITHOUT ROWID;

-- What users said by moving and flagging, and nobody has learned yet.
CREATE TABLE spam_marks (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    blob    INTEGER NOT NULL,
    spam    INTEGER                        -- 1: is spam; 0: isn't; NULL: they don't say any more
);
";
