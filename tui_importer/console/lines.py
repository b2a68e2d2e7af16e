"""Output to a stream that may be closed: a closed terminal or a broken pipe never harms a run."""

from __future__ import annotations

import threading
from typing import TextIO

from tui_importer.text.safe import encodable


class SafeStream:
    """A text stream whose ``write`` and ``flush`` never raise; safe to use from several threads.

    Characters that the encoding lacks are escaped. Once the stream is gone, output is discarded.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._gone = False

    @property
    def encoding(self) -> str:
        """The stream's encoding; ASCII if it has none."""
        return getattr(self._stream, "encoding", None) or "ascii"

    def isatty(self) -> bool:
        """Return whether the stream is a terminal; a closed one is not."""
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def write(self, text: str) -> int:
        """Write the text and flush it."""
        with self._lock:
            if not self._gone:
                try:
                    self._stream.write(encodable(text, self.encoding))
                    self._stream.flush()
                except BlockingIOError:
                    pass  # a full non-blocking pipe: this text is lost, the next may get through
                except (OSError, ValueError):
                    # The reader is gone (EPIPE, or EIO after a hang-up), or the stream is closed.
                    self._gone = True
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def line(self, text: str) -> None:
        """Write one line."""
        self.write(text + "\n")
