"""What the backends for SQL databases share: tables, ledger and sessions, with hooks where databases differ."""
