"""The writing side: what a backend is, the ledger, the batch writer, encoding and verification."""
