"""SQLite through the standard library, and aiosqlite for asyncio."""
