"""What the stream does between its tries."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rainbow_assets.errors import IncompleteError
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture import stream


class NoWorker:
    def __init__(self, *_arguments: object) -> None:
        pass

    def close(self) -> None:
        pass


class Trying(stream.Stream):
    """A stream whose tries all end with the same reason; `ends`: whether its copy was whole by then."""

    def __init__(self, settings: Settings, ends: Iterator[bool]) -> None:
        self.said: list[str] = []
        self.paused: list[float | None] = []
        self.ends = ends
        super().__init__(settings, self.said.append)
        self._stop.wait = self._pause  # type: ignore[method-assign]

    def _pause(self, seconds: float | None = None) -> bool:
        self.paused.append(seconds)
        return False

    def _stream(self, worker: object) -> None:
        copied = next(self.ends, None)
        if copied is None:
            self.stop()
            return
        self._position = replace(self._position, copied=copied)
        raise IncompleteError("a change of orders does not tell its key")


def test_copies_that_come_to_no_end_are_made_less_and_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "Worker", NoWorker)
    monkeypatch.setattr(stream.java, "start", lambda *_arguments: None)
    found = Trying(Settings.model_validate({"home": tmp_path}), iter([True, *[False] * 8, True, False]))
    found.run()
    assert found.paused == [1, 2, 4, 8, 16, 32, 60, 60, 1]
    assert found.said == ["The live views stand still: a change of orders does not tell its key."]
