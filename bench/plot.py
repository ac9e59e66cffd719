"""The plot of `docs/benchmarks.md`: answers per second and CPU per request, by mode and server, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.report import OURS, Modes

_COLOURS = {
    OURS: "#0b7a5c",
    "pyrad's server": "#c9a227",
    "FreeRADIUS, users file": "#7a8fb5",
    "FreeRADIUS + PostgreSQL, lean": "#4a6299",
    "FreeRADIUS + PostgreSQL": "#26375f",
}


def draw(modes: Modes, path: Path) -> None:
    """Write an SVG; ImportError where matplotlib is not installed (`pip install 'catraca[bench]'`)."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "catraca"  # the same figures give the same file
    mpl.rcParams["svg.fonttype"] = "none"  # text, not outlines
    mpl.rcParams["font.size"] = 9
    from matplotlib import pyplot as plt

    figure, (rates, costs) = plt.subplots(2, 1, figsize=(9, 6.4), layout="constrained")
    _bars(rates, modes, "rate", "answers (records) per second, one core")
    _bars(costs, modes, "cpu", "CPU µs per request, all processes")
    labels: dict[str, Any] = {}
    for axes in (rates, costs):
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            labels.setdefault(label, handle)
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _bars(axes: Any, modes: Modes, name: str, title: str) -> None:
    for at, found in enumerate(modes.values()):
        width = 0.84 / len(found)
        for index, (server, each) in enumerate(found.items()):
            value, place = getattr(each, name), at - 0.42 + (index + 0.5) * width
            axes.bar(place, value, width * 0.92, color=_COLOURS.get(server, "#999999"), label=server)
            axes.annotate(f"{value:,.0f}", (place, value), ha="center", va="bottom", fontsize=7)
    axes.set_yscale("log")
    axes.set_xticks(range(len(modes)), list(modes))
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.15)
