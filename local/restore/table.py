"""The restored table: made from point-in-time recovery, and given back what AWS does not restore.

``RestoreTableToPointInTime`` copies items, keys and indexes; stream, expiry, recovery and protection are off in the new table.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from local.errors import RestoreError
from local.restore.calls import connect, explained, is_missing

FROM_TAG, AT_TAG = "bokit:restored-from", "bokit:restored-at"
LATEST = "latest"
TTL = {"Enabled": True, "AttributeName": "expires_at"}
IMAGES = "NEW_AND_OLD_IMAGES"
PAUSE = 10.0
"""Seconds between two looks at a table that is not ready."""
Report = Callable[[str], None]


class RestoredTable:
    """A table that is restored, or is to be."""

    def __init__(self, name: str, report: Report, sleep: Callable[[float], object] = time.sleep) -> None:
        self.name, self._report, self._sleep, self._client = name, report, sleep, connect("dynamodb")

    # ── the restore ──

    def restore(self, source: str, at: datetime | None) -> None:
        """Make the table as *source* was at a time (None: the latest), unless that was done, and wait. Raises RestoreError."""
        with explained(f"restoring {source} to {self.name}"):
            found = self._describe()
            if found is None:
                self._start(source, at)
            elif not self._is_restore_of(found, source, at):
                wanted = f"{source} as of {_write_time(at)}"
                raise RestoreError(f"{self.name} is there already, and is not a restore of {wanted}: choose another NEW")
            else:
                self._report(f"{self.name} is there already")
            self._wait("restored")
            tags = [{"Key": FROM_TAG, "Value": source}, {"Key": AT_TAG, "Value": _write_time(at)}]
            self._client.tag_resource(ResourceArn=self._require()["TableArn"], Tags=tags)

    def _start(self, source: str, at: datetime | None) -> None:
        found = self._client.describe_continuous_backups(TableName=source)["ContinuousBackupsDescription"]
        recovery = found.get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
            raise RestoreError(f"{source} has no point-in-time recovery: restore from a file (docs/restore.md)")
        first, last = recovery.get("EarliestRestorableDateTime"), recovery.get("LatestRestorableDateTime")
        if at and first and last and not first <= at <= last:
            span = f"from {_write_time(first)} to {_write_time(last)}"
            raise RestoreError(f"{source} can be restored to times {span}: choose one of these for AT")
        moment = {"UseLatestRestorableTime": True} if at is None else {"RestoreDateTime": at}
        self._report(f"restoring {source} to {self.name}; AWS takes from minutes to hours, and you may interrupt this")
        self._client.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=self.name, **moment)

    def _is_restore_of(self, found: dict[str, Any], source: str, at: datetime | None) -> bool:
        """Return whether the table was made of *source* as of this time: by its tags, or AWS's own note while it has none."""
        tags = {t["Key"]: t["Value"] for t in self._client.list_tags_of_resource(ResourceArn=found["TableArn"]).get("Tags", [])}
        if FROM_TAG in tags:
            return (tags[FROM_TAG], tags.get(AT_TAG)) == (source, _write_time(at))
        summary = found.get("RestoreSummary", {})
        is_same = summary.get("SourceTableArn", "").rpartition("/")[2] == source
        return is_same and (at is None or summary["RestoreDateTime"] == at)

    # ── what AWS does not restore ──

    def enable_stream(self) -> str:
        """Switch the stream on, and return its ARN. Raises RestoreError."""
        with explained(f"switching on the stream of {self.name}"):
            specification = self._require().get("StreamSpecification", {})
            if specification.get("StreamEnabled") and specification.get("StreamViewType") != IMAGES:
                raise RestoreError(
                    f"the stream of {self.name} is of another kind: switch it off, wait a minute, and run this again"
                )
            if not specification.get("StreamEnabled"):
                wanted = {"StreamEnabled": True, "StreamViewType": IMAGES}
                self._client.update_table(TableName=self.name, StreamSpecification=wanted)
                self._report("the stream is on")
            self._wait("given its stream")
            return str(self._require()["LatestStreamArn"])

    def enable_expiry(self) -> None:
        """Let items expire at the time that they name."""
        with explained(f"switching on the expiry of {self.name}"):
            found = self._client.describe_time_to_live(TableName=self.name)["TimeToLiveDescription"]
            if found.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
                self._client.update_time_to_live(TableName=self.name, TimeToLiveSpecification=TTL)
                self._report("items expire")

    def enable_recovery(self) -> None:
        """Keep what a later restore needs."""
        with explained(f"switching on the recovery of {self.name}"):
            found = self._client.describe_continuous_backups(TableName=self.name)["ContinuousBackupsDescription"]
            if found.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
                wanted = {"PointInTimeRecoveryEnabled": True}
                self._client.update_continuous_backups(TableName=self.name, PointInTimeRecoverySpecification=wanted)
                self._report("point-in-time recovery is on")

    def protect(self) -> None:
        """Refuse to delete the table."""
        with explained(f"protecting {self.name}"):
            if not self._require().get("DeletionProtectionEnabled"):
                self._client.update_table(TableName=self.name, DeletionProtectionEnabled=True)
                self._report("deletion protection is on")
            self._wait("protected")

    # ── looking ──

    def _describe(self) -> dict[str, Any] | None:
        try:
            return dict(self._client.describe_table(TableName=self.name)["Table"])
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    def _require(self) -> dict[str, Any]:
        found = self._describe()
        if found is None:
            raise RestoreError(f"{self.name} is gone: run the same command again to restore it from the start")
        return found

    def _wait(self, done: str) -> None:
        """Wait until the table and its indexes can be used."""
        since = time.monotonic()
        while not _is_ready(found := self._require()):
            if found["TableStatus"] in ("DELETING", "ARCHIVING", "ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"):
                raise RestoreError(f"{self.name} is {found['TableStatus']}: choose another NEW")
            self._report(f"{self.name} is being {done}: {time.monotonic() - since:.0f} s")
            self._sleep(PAUSE)


def _write_time(at: datetime | None) -> str:
    return LATEST if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_ready(found: dict[str, Any]) -> bool:
    indexes = found.get("GlobalSecondaryIndexes", [])
    states = [found["TableStatus"], *(index.get("IndexStatus", "ACTIVE") for index in indexes)]
    return set(states) == {"ACTIVE"} and not found.get("RestoreSummary", {}).get("RestoreInProgress")
