"""The history of one import in the ledger: what earlier runs did, whether this one resumes them, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

import msgspec
from msgspec.structs import replace

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.completed_rows import CompletedRows, Interval, merged
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Verification
from tui_importer.core.model.scripts import ScriptMoment, Scripts
from tui_importer.core.model.table import Table
from tui_importer.core.model.table_names import split_table_name
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.planning.mending import resolved_by
from tui_importer.core.planning.resolution import ResolvedPlan
from tui_importer.core.run.identity import Identity, identify
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.writing import verification as verify
from tui_importer.core.writing.catalog import Catalog
from tui_importer.core.writing.ledger import (
    Claim,
    Counts,
    Generation,
    Ledger,
    NewRun,
    PastRun,
    ResumePoint,
    RunState,
    TargetAction,
)
from tui_importer.errors import DatabaseError, PlanError, TransientFault, VerificationError
from tui_importer.events import Fault, Reject

#: Rows read at a time when source and table are compared.
_VERIFIED_ROWS = 5_000


class RunInfo(msgspec.Struct, frozen=True):
    """What the ledger records about the run itself."""

    run_id: str
    strategy: str
    command: str | None


class ImportHistory:
    """The history of one import. Methods raise what :class:`tui_importer.core.writing.ledger.Ledger` raises."""

    def __init__(
        self,
        ledger: Ledger,
        catalog: Catalog,
        history: Sequence[PastRun],
        run: RunInfo,
        plan: Plan,
        source: OpenSource,
        sha256: str,
        table: str,
    ) -> None:
        """``history`` are the runs into the table."""
        #: The columns that :meth:`verify` could not compare because blanks in them took the table's default.
        self.defaulted: list[str] = []
        self.notes: list[str] = []
        #: Whether rows of an earlier version of the file are in the table, and will be there twice.
        self.doubles = False
        self._ledger = ledger
        self._catalog = catalog
        self._run = run
        self._plan = plan
        self._source = source
        self._sha256 = sha256
        self._table = table
        self._history = history
        self._earlier: Sequence[PastRun] = ()
        self._generation = 1
        self._resume_point: ResumePoint | None = None
        self._creates = False
        self._before: str | None = None
        #: The import whose mended rejects are imported.
        self._mends: Generation | None = None

    def plan(self, existing: Table | None) -> Plan:
        """The plan, with the columns of an earlier run with the same request if its table still exists.

        The names and types of the columns were resolved then. Mended rejects are imported as the rows were that they
        mend; raises :class:`~tui_importer.errors.PlanError` if the ledger does not know that import.
        """
        if self._plan.source.mends is not None:
            self._plan = self._mending(self._plan, self._plan.source.mends)
            return self._plan
        request = self._identity(None)
        for past in self._history if existing is not None else ():
            if request.same_request(past):
                target = self._plan.target
                if past.created_table:
                    target = target.in_mode(target.write_mode.after_creation)
                return msgspec.structs.replace(self._plan, columns=past.columns, target=target)
        return self._plan

    def done(self, resolved: ResolvedPlan, existing: Table | None) -> PastRun | None:
        """The run that has completed this import, unless it is to be imported again."""
        identity = self._identity(resolved)
        runs = [past for past in self._history if past.import_id == identity.import_id]
        if not runs:
            found = _changes(identity, self._history, self._plan.target.write_mode)
            self.notes += found.sentences
            self.doubles = found.doubles
            return None
        self._generation = max(past.generation for past in runs)
        if identity.mends is not None:
            # Another file with mended rows begins anew; what is closed is left out of it.
            same = [past.generation for past in runs if past.sha256 == identity.sha256]
            self._generation = max(same, default=self._generation + 1)
        self._earlier = [past for past in runs if past.generation == self._generation]
        done = next((past for past in self._earlier if self._covers(past)), None)
        latest = self._history[0]
        if not self._earlier:
            return None
        if self._earlier[0].state is RunState.EMPTIED:
            self.notes.append(
                f"the rows of run {runs[0].run_id} were taken out of table {self._table!r} since: starting over"
            )
        elif done is not None and self._plan.target.write_mode.empties and latest.import_id != identity.import_id:
            self.notes.append(f"run {latest.run_id} has written into table {self._table!r} since: starting over")
        elif self._is_gone(existing, done):
            self.notes.append(f"table {self._table!r} has been emptied since run {runs[0].run_id}: starting over")
        elif done is None:
            self._check_atomic(self._earlier[0])
            return None
        elif not self._plan.options.again:
            return done
        self._generation, self._earlier = self._generation + 1, ()
        return None

    def begin(self, resolved: ResolvedPlan) -> ResumePoint:
        """Claim the import."""
        identity = self._identity(resolved)
        self._creates = resolved.create
        self._resume_point = self._ledger.begin(
            NewRun(
                run_id=self._run.run_id,
                import_id=identity.import_id,
                generation=self._generation,
                file=identity.file,
                sha256=identity.sha256,
                sheet=identity.sheet,
                extent=identity.extent,
                request=identity.request,
                mapping=identity.mapping,
                columns=resolved.plan.columns or (),
                table=self._table,
                row_limit=self._plan.source.limit,
                atomic=self._plan.stages,
                created_table=self.made_table,
                strategy=self._run.strategy,
                command=self._run.command,
                mends=self._mends,
            )
        )
        if self._mends is not None:
            self._resume_point = self._without_closed(self._resume_point, self._mends, resolved.mapping.mended)
        return self._resume_point

    @property
    def resumes(self) -> PastRun | None:
        """The latest earlier run that this one resumes."""
        return self._earlier[0] if self._earlier else None

    @property
    def made_table(self) -> bool:
        """Whether this run, or an earlier one that it resumes, creates the table."""
        return self._creates or any(past.created_table for past in self._earlier)

    @property
    def published(self) -> bool:
        """Whether the rows of an atomic import are already in their table."""
        return any(past.published for past in self._earlier)

    def stage(self, mapping: ColumnMapping) -> Table:
        """The staging table of an import whose rows become visible together: the imported columns, under a name
        derived from the import."""
        filled = frozenset(mapping.targets)
        return Table(
            name=_stage_name(self._claim.import_id, self._claim.generation),
            # A blank that takes the default is staged as NULL.
            columns=tuple(
                replace(column, nullable=column.nullable or mapping.table.takes_default(column.name))
                for column in mapping.table.columns
                if column.name in filled
            ),
            schema=mapping.table.schema,
            declared=mapping.table.declared,
        )

    def run_script(self, moment: ScriptMoment, script: str) -> bool:
        """Execute a script of the import, unless an earlier run has."""
        return self._ledger.run_script(self._claim, moment, script)

    def publish(self, stage: Table, resolved: ResolvedPlan, scripts: Scripts) -> bool:
        """Move the staged rows into the table, between the scripts; False if another import has created the table since
        it was reflected, and our columns fit."""
        change = TargetAction.NONE
        if resolved.replaces:
            change = TargetAction.REPLACE
        elif resolved.create:
            change = TargetAction.CREATE
        elif self._plan.target.write_mode.empties:
            change = TargetAction.EMPTY
        mapping = resolved.mapping

        def move(change: TargetAction) -> None:
            self._ledger.publish(self._claim, stage, mapping.table, mapping.targets, change, scripts)

        try:
            move(change)
        except TransientFault:
            raise
        except DatabaseError:
            if change is not TargetAction.CREATE or self._plan.target.write_mode.needs_new_table:
                raise
            found = self._catalog.reflect(mapping.table.qualified_name)
            if found is None or not mapping.fits(found):
                raise
            move(TargetAction.NONE)
            return False
        return True

    def counts(self) -> Counts:
        """The ledger's counts of this import, by earlier runs and this one."""
        return self._ledger.counts(self._claim.import_id, self._claim.generation)

    def take_before(self, mapping: ColumnMapping, *, empty: bool) -> None:
        """Store the checksums of the table before this generation writes to it, for :meth:`verify`."""
        if self._earlier:
            self._before = next((past.before for past in self._earlier if past.before is not None), None)
            return
        before = None if empty else verify.of_table(self._catalog, mapping, _VERIFIED_ROWS)
        self._before = "" if before is None else before.to_json()
        self._ledger.note_before(self._claim, self._before)

    def verify(self, mapping: ColumnMapping) -> Verification:
        """Compare the table with the source; returns what was compared.

        Raises :class:`~tui_importer.errors.VerificationError` if they differ, or if it is not known what the table held
        before.
        """
        if self._before is None:
            raise VerificationError(
                f"table {self._table!r} cannot be verified: what it held before this import was not noted, because the "
                "run that began it was not told to --verify"
            )
        rejected = [reject.row for reject in self.rejects()]
        expected = verify.of_source(self._source, mapping, rejected, _VERIFIED_ROWS)
        actual = verify.of_table(self._catalog, mapping, _VERIFIED_ROWS).since(self._before or None)
        found = verify.compare(expected, actual, mapping)
        names = [column.target for column in mapping.columns]
        self.defaulted = [names[place] for place in sorted(expected.defaulted)]
        return found

    def check_count(self, table: Table) -> None:
        """Check the row count of a table that only this import has written to; raises as :meth:`verify` does.

        Rows added by others are ignored; missing rows are an error.
        """
        others = any(past.table == self._table and past not in self._earlier for past in self._history)
        if others or not self.made_table:
            return
        expected = self.counts().inserted
        if (found := self._catalog.count(table)) < expected:
            raise VerificationError(
                f"table {table.qualified_name!r} holds {found:,} rows, though {expected:,} were written into it"
            )

    def rejects(self) -> Iterable[Reject]:
        """The rejects of the import so far."""
        return () if self._resume_point is None else self._ledger.rejects(self._resume_point.claim)

    def finish(self, state: RunState, counts: Counts, blank_rows: int, error: str | None) -> None:
        """Record how the run ended, if it has begun."""
        if self._resume_point is not None:
            self._ledger.finish(self._resume_point.claim, state, counts, blank_rows, error)

    def _mending(self, plan: Plan, run_id: str) -> Plan:
        """The plan of the import whose rejects come back, for the sheet that they come in."""
        past = next(iter(self._ledger.generation_of(run_id)), None)
        if past is None:
            raise PlanError(f"the ledger of this database knows no run {run_id}, whose rejects these are")
        if past.table != self._table:
            raise PlanError(f"run {run_id} was into table {past.table!r}: its rejects cannot go into {self._table!r}")
        if past.state is RunState.EMPTIED:
            raise PlanError(f"the rows of run {run_id} were taken out of table {past.table!r} since: import it anew")
        self._mends = Generation(past.import_id, past.generation)
        return resolved_by(past, plan, self._source.layout)

    def faults_before(self, mended: Mapping[int, int]) -> dict[int, tuple[Fault, ...]]:
        """What was wrong with the cells of each row that comes back; the database's refusals may have gone since."""
        if self._mends is None:
            return {}
        rows, found = {first: row for row, first in mended.items()}, {}
        claim = Claim(*self._mends, run_id="")
        for reject in self._ledger.rejects(claim):
            if reject.row in rows:
                faults = tuple(fault for fault in reject.faults if fault.sqlstate is None and fault.value is not None)
                found[rows[reject.row]] = faults
        return found

    def _without_closed(self, resume_point: ResumePoint, mends: Generation, mended: Mapping[int, int]) -> ResumePoint:
        """Skip the rows that mend rejects which are closed already."""
        rejected = self._ledger.rejected_rows(mends)
        for row, first in mended.items():
            if first not in rejected:
                raise PlanError(f"row {row:,} says that it mends row {first:,}, which was not rejected")
        completed = CompletedRows(resume_point.intervals)
        closed = [row for row, first in sorted(mended.items()) if rejected[first]]
        mask = completed.pending_mask(closed) if closed else ()
        pending = closed if mask is None else list(compress(closed, mask))
        if not pending:
            return resume_point
        self.notes.append(f"{len(pending):,} of these rows came back mended before, and are in: left out")
        return self._ledger.skip(resume_point.claim, merged(Interval(row, row) for row in pending))

    @property
    def _claim(self) -> Claim:
        assert self._resume_point is not None
        return self._resume_point.claim

    def _identity(self, resolved: ResolvedPlan | None) -> Identity:
        return identify(
            self._plan,
            sha256=self._sha256,
            sheet=self._source.name,
            layout=self._source.layout,
            columns=resolved.plan.columns if resolved else None,
            table=self._table,
            mends=self._mends,
        )

    def _covers(self, past: PastRun) -> bool:
        limit = self._plan.source.limit
        enough = past.row_limit is None or (limit is not None and limit <= past.row_limit)
        return past.state is RunState.COMPLETE and enough

    def _is_gone(self, existing: Table | None, done: PastRun | None) -> bool:
        """Whether the rows that the ledger counts are no longer in the table: it was dropped or emptied."""
        latest = self._earlier[0]
        counts = self._ledger.counts(latest.import_id, latest.generation)
        if latest.atomic and not self.published:
            # The rows are still in the staging table.
            stage = Table(_stage_name(latest.import_id, latest.generation), (), split_table_name(self._table)[0])
            return bool(counts.in_table) and not self._catalog.holds_rows(stage)
        if not counts.in_table:
            return False
        return existing is None or not self._catalog.holds_rows(existing)

    def _check_atomic(self, past: PastRun) -> None:
        if past.atomic is not self._plan.stages:
            how = "with" if past.atomic else "without"
            raise PlanError(f"run {past.run_id} began this import {how} --atomic: resume it {how} --atomic")


def _stage_name(import_id: str, generation: int) -> str:
    return f"tui_importer_stage_{import_id[:12]}_{generation}"


def has_grown(history: Sequence[PastRun], file: str, sheet: str, sha256: str, mode: WriteMode) -> bool:
    """Whether an import would add rows of a file of which an earlier version is in the table; asked before the columns
    are resolved. ``file`` is its absolute path, ``history`` the runs into the table."""
    earlier = [past for past in history if (past.file, past.sheet) == (file, sheet)]
    adds_only = not (mode.order_matters or mode.empties)
    return (
        adds_only and all(past.sha256 != sha256 for past in earlier) and any(past.counts.in_table for past in earlier)
    )


class _Changes(msgspec.Struct, frozen=True):
    """How an import differs from an earlier one of the same file, and whether rows will be there twice."""

    sentences: tuple[str, ...] = ()
    doubles: bool = False


def _changes(identity: Identity, history: Sequence[PastRun], mode: WriteMode) -> _Changes:
    """Compare with the latest run of the same file and sheet that was another import."""
    adds_only = not (mode.order_matters or mode.empties)
    for past in history:
        if changes := identity.changes(past):
            ended = "" if past.state is RunState.COMPLETE else " (which did not finish)"
            doubles = adds_only and past.counts.in_table > 0
            consequence = (
                ", and rows of it that are in already will be there twice (--key COLUMN skips them)" if doubles else ""
            )
            sentence = f"{' and '.join(changes)} since run {past.run_id}{ended}: this is another import{consequence}"
            return _Changes((sentence,), doubles)
    return _Changes()
