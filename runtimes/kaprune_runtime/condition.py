"""What holds a processor back while models are timed: its clock, its heat, its power supply."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_RASPBERRY_PI = "sys/devices/platform/soc/soc:firmware/get_throttled"
_RASPBERRY_PI_LIMITS = ("low voltage", "capped clock", "throttling", "soft heat limit")
"""Bits 0 to 3 of what the firmware says, named after `vcgencmd get_throttled`."""
_COOLING = ("cpu", "processor", "thermal-cpufreq")
_SENSORS = ("cpu", "soc", "pkg", "core", "k10temp")


@dataclass(frozen=True)
class Condition:
    """A processor at one moment, as far as Linux tells; None is for what it does not."""

    governor: str | None
    """What chooses the clock, such as performance, schedutil or powersave."""
    megahertz: float | None
    """Clock of the fastest core."""
    celsius: float | None
    """Hottest of the processor's sensors."""
    limits: Sequence[str] | None
    """What slows the processor down just now; empty where nothing does."""
    throttlings: int | None
    """How often heat has slowed a core down since the machine started (x86)."""


def describe_condition(root: Path = Path("/")) -> Condition:
    """Read the processor's condition from sysfs.

    Args:
        root: Where the system's files are.
    """
    cores = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"))
    clocks = [int(text) for core in cores if (text := _read(core / "cpufreq/scaling_cur_freq"))]
    events = [int(text) for core in cores if (text := _read(core / "thermal_throttle/core_throttle_count"))]
    return Condition(
        governor=next((text for core in cores if (text := _read(core / "cpufreq/scaling_governor"))), None),
        megahertz=max(clocks) / 1000 if clocks else None,
        celsius=max(_temperatures(root), default=None),
        limits=_limits(root),
        throttlings=sum(events) if events else None,
    )


def _temperatures(root: Path) -> Iterator[float]:
    """Yield degrees Celsius of the sensors that belong to the processor, or of all where none is named so."""
    zones = [(zone / "type", zone / "temp") for zone in (root / "sys/class/thermal").glob("thermal_zone*")]
    for monitor in (root / "sys/class/hwmon").glob("hwmon*"):
        zones += [(monitor / "name", sensor) for sensor in monitor.glob("temp*_input")]
    named = [zone for zone in zones if any(word in _read(zone[0]).lower() for word in _SENSORS)]
    for _, sensor in named or zones:
        if text := _read(sensor):
            yield int(text) / 1000


def _limits(root: Path) -> tuple[str, ...] | None:
    if text := _read(root / _RASPBERRY_PI):
        bits = int(text, 16)
        return tuple(name for bit, name in enumerate(_RASPBERRY_PI_LIMITS) if bits >> bit & 1)
    coolers = [
        device
        for device in (root / "sys/class/thermal").glob("cooling_device*")
        if _read(device / "type").lower().startswith(_COOLING)
    ]
    if not coolers:
        return None
    return ("heat",) if any(_read(cooler / "cur_state") not in ("", "0") for cooler in coolers) else ()


def _read(path: Path) -> str:
    """Read a small file; empty where there is none, or its sensor does not answer."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
