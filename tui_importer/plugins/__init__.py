"""How readers, strategies and backends are found, built-in and strangers' alike."""
