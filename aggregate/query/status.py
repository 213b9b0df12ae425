"""`ProjectionStatus`: how a projection is, for `/ready`, logs and metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """How a projection is.

    Attributes:
        serving: queries are answered.
        building: rows are being made of the log (anew, beside the ones that answer, or for the first time).
        sequence: of the log, up to which the answers are; while none are given, up to which the rows are made.
        target: where the log ended when following it began.
        failed: aggregates that were hidden since the start because their history cannot be projected.
        coming: tenants whose rows are being made, because they are new on this node.
        trouble: why it does not get on, "" where it does.
    """

    serving: bool
    building: bool
    sequence: int
    target: int
    failed: int
    coming: int
    trouble: str

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        share = 100 * min(1.0, self.sequence / self.target) if self.target else 0.0
        return f"{self.sequence} of {self.target} messages ({share:.0f} %)" if not self.trouble else self.trouble

    def __str__(self) -> str:
        state = "rebuilding beside" if self.building and self.serving else "building" if self.building else "following the log"
        failed = f", {self.failed} aggregates cannot be projected" if self.failed else ""
        coming = f", making the rows of {self.coming} tenants that came" if self.coming else ""
        return f"{state}, at {self.progress}{coming}{failed}"
