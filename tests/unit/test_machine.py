"""What the cgroups allow, on made-up trees of both versions; and what the engines get of it."""

from pathlib import Path

import psutil
import pytest

from rainbow_assets.errors import RainbowError
from rainbow_assets.machine import BASE, MIB, Machine, machine
from rainbow_assets.ops.doctor import machine as doctor_machine
from rainbow_assets.settings import Settings

GIB = 1024 * MIB
HOST = psutil.virtual_memory().total
V1, UNLIMITED_V1 = "memory.limit_in_bytes", str(2**63 - 4096)


def tree(tmp_path: Path, own: str, files: dict[str, str]) -> Machine:
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return machine(tmp_path / "cgroup", tmp_path / "own")


@pytest.mark.parametrize(
    ("own", "files", "allowed"),
    [
        ("0::/\n", {"memory.max": str(GIB)}, GIB),
        ("0::/\n", {"memory.max": "max"}, HOST),
        ("0::/\n", {}, HOST),
        ("", {}, HOST),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": str(GIB)}, GIB),
        ("0::/a/b\n", {"a/b/memory.max": str(2 * GIB), "a/memory.max": str(GIB)}, GIB),
        ("0::/a/b\n", {"a/b/memory.max": str(GIB), "a/memory.max": str(2 * GIB)}, GIB),
        ("0::/a\n", {"a/memory.max": str(2 * GIB), "a/memory.high": str(GIB)}, GIB),
        ("0::/docker/of-the-host\n", {"memory.max": str(GIB)}, GIB),
        ("4:memory:/a\n0::/\n", {f"memory/a/{V1}": str(GIB)}, GIB),
        ("4:memory:/a\n", {f"memory/a/{V1}": UNLIMITED_V1}, HOST),
        ("4:memory:/docker/x\n", {f"memory/{V1}": str(GIB)}, GIB),
        ("4:memory:/a/b\n", {f"memory/a/b/{V1}": UNLIMITED_V1, f"memory/a/{V1}": str(GIB)}, GIB),
        ("3:cpu,cpuacct:/a\n4:memory:/a:b\n", {f"memory/a:b/{V1}": str(GIB)}, GIB),
        ("0::/a\n", {"unified/a/memory.max": str(GIB)}, GIB),
        ("0::/\n", {"memory.max": "garbled"}, HOST),
    ],
)  # fmt: skip
def test_the_least_memory_on_the_way_up_counts(tmp_path: Path, own: str, files: dict[str, str], allowed: int):
    found = tree(tmp_path, own, files)
    assert found.memory == allowed
    assert found.limited == (allowed < HOST)


@pytest.mark.parametrize(
    ("own", "files", "cpus"),
    [
        ("0::/a\n", {"a/cpu.max": "50000 100000"}, 0.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "25000 100000"}, 0.3),
        ("1:cpu,x:/\n", {"cpu,x/cpu.cfs_quota_us": "50000", "cpu,x/cpu.cfs_period_us": "100000"}, 0.5),
        ("1:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
    ],
)  # fmt: skip
def test_the_least_processors_count(tmp_path: Path, own: str, files: dict[str, str], cpus: float):
    assert tree(tmp_path, own, files).cpus == cpus


def test_no_quota_is_every_processor(tmp_path: Path):
    found = tree(tmp_path, "1:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu.max": "max 100000"})
    assert found.cpus >= 1
    assert not found.limited


@pytest.mark.parametrize("memory", [0.5, 1, 1.5, 1.875, 2, 3, 4, 8, 24, 64])
def test_what_may_be_used_at_once_fits_or_the_doctor_refuses(monkeypatch: pytest.MonkeyPatch, memory: float):
    """dbt's DuckDB beside that of the run which waits for it, the embedded ClickHouse, Java, and the processes."""
    found = Machine(int(memory * GIB), 2.0)
    assert min(found.duckdb, found.clickhouse) >= 256 * MIB
    assert 128 * MIB <= found.java <= 512 * MIB
    together = BASE + 2 * found.duckdb + found.clickhouse + found.java
    monkeypatch.setattr(doctor_machine, "machine", lambda: found)
    if memory < 1.875:
        assert together > found.memory
        with pytest.raises(RainbowError, match=r"may need 2\.01: the kernel would kill it\. Give it more memory\."):
            doctor_machine.memory(Settings())
    else:
        assert found.memory * 0.99 < together <= found.memory, "and nothing is left idle"
        assert doctor_machine.memory(Settings()).startswith(f"{found.memory / 1e9:,.1f} GB and 2 processors")


def test_a_large_machine_is_used():
    assert Machine(24 * GIB, 2.0).duckdb > 8 * GIB
