import pytest

from kaprune_runtime.condition import Condition, describe_condition

CPU = "sys/devices/system/cpu"
THERMAL = "sys/class/thermal"

RASPBERRY_PI = {
    f"{CPU}/cpu0/cpufreq/scaling_governor": "ondemand",
    f"{CPU}/cpu0/cpufreq/scaling_cur_freq": "1500000",
    f"{CPU}/cpu1/cpufreq/scaling_cur_freq": "2400000",
    f"{THERMAL}/thermal_zone0/type": "cpu-thermal",
    f"{THERMAL}/thermal_zone0/temp": "61350",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005",
}
LAPTOP = {
    f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave",
    f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "3",
    f"{CPU}/cpu1/thermal_throttle/core_throttle_count": "4",
    f"{THERMAL}/thermal_zone0/type": "acpitz",
    f"{THERMAL}/thermal_zone0/temp": "99000",
    f"{THERMAL}/thermal_zone1/type": "x86_pkg_temp",
    f"{THERMAL}/thermal_zone1/temp": "48000",
    f"{THERMAL}/cooling_device0/type": "Processor",
    f"{THERMAL}/cooling_device0/cur_state": "0",
    f"{THERMAL}/cooling_device1/type": "Fan",
    f"{THERMAL}/cooling_device1/cur_state": "1",
}
PHONE = {
    f"{THERMAL}/thermal_zone0/type": "cpu-1-0",
    f"{THERMAL}/thermal_zone0/temp": "-40000",
    f"{THERMAL}/thermal_zone1/type": "soc_max",
    f"{THERMAL}/thermal_zone1/temp": "71200",
    f"{THERMAL}/cooling_device0/type": "thermal-cpufreq-0",
    f"{THERMAL}/cooling_device0/cur_state": "2",
}
SERVER = {
    "sys/class/hwmon/hwmon0/name": "nvme",
    "sys/class/hwmon/hwmon0/temp1_input": "70000",
    "sys/class/hwmon/hwmon1/name": "k10temp",
    "sys/class/hwmon/hwmon1/temp1_input": "52500",
}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (RASPBERRY_PI, Condition("ondemand", 2400, 61.35, ("low voltage", "throttling"), None)),
        (LAPTOP, Condition("powersave", None, 48, (), 7)),
        (PHONE, Condition(None, None, 71.2, ("heat",), None)),
        (SERVER, Condition(None, None, 52.5, None, None)),
        ({}, Condition(None, None, None, None, None)),
    ],
    ids=["raspberry pi", "laptop", "phone", "server", "nothing told"],
)
def test_what_linux_tells_is_read(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert describe_condition(tmp_path) == expected


def test_this_machine_has_a_condition():
    condition = describe_condition()
    assert condition.celsius is None or -50 < condition.celsius < 150
