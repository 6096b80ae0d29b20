"""Estimates the NEON kernels' inner loops with llvm-mca: `python benchmarks/neon/analyze.py`.

Writes results.json and the table of README.md. Needs g++-aarch64-linux-gnu and llvm-mca 16 or newer.
"""

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "runtimes" / "native"
START, END = "<!-- table -->\n", "<!-- end of table -->\n"
PROCESSORS = "cortex-a55", "cortex-a76", "neoverse-n1", "neoverse-n2", "neoverse-v1"
ITERATIONS = 500
MULTIPLY_ADDS = {"fmla": 4, "sdot": 16, "smmla": 32}
"""How many one instruction does."""
SETS = {"neon": "fmla", "neon_dotprod": "sdot", "neon_i8mm": "smmla"}
"""Instruction sets of the library, and which of their loops are shown: those with such an instruction."""
LATER = {"smmla": ("neoverse-n2", "neoverse-v1")}
"""The processors that have an instruction, where not all do."""
LAYOUTS = "features", "lanes"
"""Of tiles of integers: kernels.h."""
FEWEST = 8
"""Such instructions that make a loop worth a row."""


@dataclass(frozen=True)
class Estimate:
    """What llvm-mca says of one loop on one processor."""

    cycles: float
    """Of an iteration, the loop being in its stride and all data in the first-level cache."""
    multiply_adds_per_cycle: float
    percent_of_peak: float
    """Of as many multiply-adds as the processor's model can start, independent ones."""
    limit: str
    """The busiest unit."""
    limit_cycles: float
    """Cycles of an iteration in which that unit is busy: near `cycles` it is what limits the loop."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/neon"), help="folder for the assembly")
    parser.add_argument("--llvm-mca", default="llvm-mca", help="the program")
    arguments = parser.parse_args()

    configure(arguments.work)
    peaks, rows = {}, []
    for instruction_set, instruction in SETS.items():
        processors = LATER.get(instruction, PROCESSORS)
        peak = peaks[instruction] = {
            cpu: peak_rate(arguments.llvm_mca, cpu, instruction) for cpu in processors
        }
        for name, loop in dict(loops(assembly(arguments.work, instruction_set))).items():
            count = sum(line.startswith(instruction) for line in loop)
            if count < FEWEST:
                continue
            multiply_adds = count * MULTIPLY_ADDS[instruction]
            estimates = {}
            for cpu in processors:
                cycles, busy = simulate(arguments.llvm_mca, cpu, loop)
                rate = multiply_adds / cycles
                unit = max(busy, key=lambda each: busy[each])
                estimates[cpu] = asdict(Estimate(cycles, rate, 100 * rate / peak[cpu], unit, busy[unit]))
            row = {"loop": name, "by": instruction, "instructions": len(loop), "multiply_adds": multiply_adds}
            rows.append(row | {"processors": estimates})
    version = re.search(r"LLVM version (\S+)", output(arguments.llvm_mca, "--version"))
    assert version is not None
    content = {
        "compiler": output("aarch64-linux-gnu-g++", "--version").splitlines()[0],
        "llvm": version[1],
        "peak_multiply_adds_per_cycle": peaks,
        "rows": rows,
    }
    (HERE / "results.json").write_text(json.dumps(content, indent=1) + "\n")
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + table(rows) + END + rest.split(END)[1])


def output(*command: str, text: str = "") -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def peak_rate(program: str, cpu: str, instruction: str) -> float:
    """Multiply-adds in a cycle of independent instructions."""
    operands = {"fmla": "v30.4s, v31.4s", "sdot": "v30.16b, v31.4b[0]", "smmla": "v30.16b, v31.16b"}
    independent = [f"{instruction} v{register}.4s, {operands[instruction]}" for register in range(24)]
    cycles, _ = simulate(program, cpu, independent)
    return len(independent) * MULTIPLY_ADDS[instruction] / cycles


def configure(work: Path) -> None:
    """Prepare the library's own build, which is to keep the assembly."""
    toolchain = NATIVE / "cmake" / "aarch64-linux.cmake"
    flags = ["-DCMAKE_BUILD_TYPE=Release", "-DKAPRUNE_TESTS=OFF", "-DCMAKE_CXX_FLAGS=-save-temps=obj"]
    output("cmake", "-S", str(NATIVE), "-B", str(work), f"-DCMAKE_TOOLCHAIN_FILE={toolchain}", *flags)


def assembly(work: Path, instruction_set: str) -> str:
    """Compile the kernels of an instruction set."""
    target = f"kernels_{instruction_set}"
    output("cmake", "--build", str(work), "--target", target, "--clean-first")
    (file,) = work.glob(f"CMakeFiles/{target}.dir/**/*.s")
    return output("c++filt", text=file.read_text())


def loops(listing: str) -> Iterator[tuple[str, list[str]]]:
    """Find the innermost loops of every function, as names and instructions."""
    for name, text in re.findall(r"^(kaprune[^\n]*):\n\.LFB(.*?)\.cfi_endproc", listing, re.M | re.S):
        lines = [line.strip() for line in text.splitlines()[1:]]
        labels = {line[:-1]: index for index, line in enumerate(lines) if re.fullmatch(r"\.L\w+:", line)}
        spans = []
        for end, line in enumerate(lines):
            branch = re.match(r"(?:b\S*|cbn?z|tbn?z)\s.*?(\.L\w+)$", line)
            if branch and labels.get(branch[1], end) < end:
                spans.append((labels[branch[1]], end))
        for value, layout in enumerate(LAYOUTS):
            name = name.replace(f"(kaprune::Layout){value}", layout)
        kernel = re.sub(r"\(.*|kaprune::\w+::|::run", "", name)
        inner = [span for span in spans if not any(_within(other, span) for other in spans)]
        for number, (start, end) in enumerate(inner, start=1):
            body = [line for line in lines[start : end + 1] if line and not re.match(r"\.|//", line)]
            yield f"{kernel}, loop {number}", body


def _within(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return span != other and other[0] <= span[0] and span[1] <= other[1]


def simulate(program: str, cpu: str, loop: list[str]) -> tuple[float, dict[str, float]]:
    """Run a loop over and over.

    Returns:
        Cycles of an iteration, and for how many of them each unit of the processor is busy.
    """
    options = [
        "-mtriple=aarch64",
        f"-mcpu={cpu}",
        "-mattr=+dotprod,+i8mm",
        f"-iterations={ITERATIONS}",
        "-instruction-info=false",
    ]
    report = output(program, *options, text="\n".join(loop))
    cycles = re.search(r"Total Cycles:\s+(\d+)", report)
    assert cycles is not None
    units = dict(re.findall(r"^(\[[\d.]+\])\s+- (\w+)$", report, re.M))
    pressure = report.split("Resource pressure per iteration:\n")[1].splitlines()
    busy = dict.fromkeys(units.values(), 0.0)
    for key, value in zip(pressure[0].split(), pressure[1].split(), strict=True):
        if value != "-":
            busy[units[key]] = max(busy[units[key]], float(value))
    return int(cycles[1]) / ITERATIONS, busy


def table(rows: list[dict[str, Any]]) -> str:
    """Show the loops of the widest tiles: kernels are templates over a tile's width."""
    lines = [
        "| loop | multiply-adds | by | instructions | " + " | ".join(PROCESSORS) + " |",
        "| --- | --: | --- | --: |" + " --- |" * len(PROCESSORS),
    ]
    widths = [int(width) for row in rows for width in re.findall(r"(\d+)>", row["loop"])]
    for row in rows:
        if re.search(r"\d+>", row["loop"]) and f"{max(widths)}>" not in row["loop"]:
            continue
        cells = [_cell(row["processors"].get(cpu)) for cpu in PROCESSORS]
        figures = [row["loop"], str(row["multiply_adds"]), row["by"], str(row["instructions"]), *cells]
        lines.append("| " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


def _cell(estimate: dict[str, Any] | None) -> str:
    if estimate is None:
        return ""
    share, cycles = f"{estimate['percent_of_peak']:.0f} %", f"{estimate['cycles']:.1f} cycles"
    return f"{share} in {cycles}, {estimate['limit']} {estimate['limit_cycles']:.1f}"


if __name__ == "__main__":
    main()
