"""Words and numbers as people read them: shared by console, dashboard and server."""
