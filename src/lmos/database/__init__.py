"""One SQL engine per URL: a writer thread with group commit, readers in a small pool, migrations. Owns no table."""
