"""``python -m tui_importer``."""

from tui_importer.cli.main import main

if __name__ == "__main__":
    main()
