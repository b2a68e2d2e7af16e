"""The plan of the setup screen as a file in the current folder."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import msgspec

from tui_importer.core.model.plan import Plan
from tui_importer.core.model.plan_file import save_plan
from tui_importer.core.model.standard_input import source_path
from tui_importer.plugins.choice import target_address


class SavedPlan:
    """Saves plans under names that are not taken. The same plan is not saved twice."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._plan: Plan | None = None

    def save(self, plan: Plan) -> Path:
        """Save the plan, without the password of its database. Raises :class:`PlanError` if it cannot be written."""
        safe = msgspec.structs.replace(plan.target, database=target_address(plan).display)
        plan = msgspec.structs.replace(plan, target=safe)
        path = self._path if plan == self._plan else None
        if path is None:
            stem = f"{source_path(plan.source.file).stem}.plan"
            paths = (Path(f"{stem}{'' if number == 1 else f'-{number}'}.toml") for number in count(1))
            path = next(path for path in paths if not os.path.lexists(path))
        save_plan(plan, path, replace=False)
        self._path, self._plan = path, plan
        return path
