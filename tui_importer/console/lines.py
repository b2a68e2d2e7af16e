"""Output to a stream that may go away: a closed terminal or a broken pipe never hurts a run."""

from __future__ import annotations

import threading
from typing import TextIO

from tui_importer.text.safe import encodable


class SafeStream:
    """A text stream whose ``write`` and ``flush`` never raise, safe from several threads.

    What the stream's encoding lacks is written out. After the stream is gone it is silent.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._gone = False

    @property
    def encoding(self) -> str:
        """What the stream can carry; ASCII where it does not say."""
        return getattr(self._stream, "encoding", None) or "ascii"

    def isatty(self) -> bool:
        """Whether the stream is a terminal; a closed one is not."""
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def write(self, text: str) -> int:
        """Write the text and make sure that it is on its way."""
        with self._lock:
            if not self._gone:
                try:
                    self._stream.write(encodable(text, self.encoding))
                    self._stream.flush()
                except BlockingIOError:
                    pass  # a full pipe that does not block: this text is lost, the next may get through
                except (OSError, ValueError):
                    # The reader has gone (EPIPE, or EIO after a hang-up), or the stream is closed: nobody is left
                    # to tell.
                    self._gone = True
        return len(text)

    def flush(self) -> None:
        """Nothing is ever kept back."""

    def line(self, text: str) -> None:
        """Write one line."""
        self.write(text + "\n")
