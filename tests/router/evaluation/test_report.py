"""Reports of one small evaluation: text, JSON and a page that loads nothing."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

from inline_snapshot import snapshot

from lmos.router.evaluation.metrics import measure
from lmos.router.evaluation.page import as_html
from lmos.router.evaluation.play import Played
from lmos.router.evaluation.plots import line_plot, reliability_plot
from lmos.router.evaluation.report import About, as_json, as_text
from tests.router.evaluation.test_metrics import FOUND, prediction

ABOUT = About(
    test="test.csv",
    sets="learnt from split 'train', measured on split 'test'",
    router="vector",
    encoder="static",
    agents=2,
    capabilities=2,
    examples=10,
    rows=6,
    foreign=2,
    fed="each message alone",
    notes=("agents of the test that nothing is known of: <x>",),
)
MEASURED = measure(Played(FOUND, 0.5))


def test_the_text_names_the_encoder_and_shows_intervals_and_tables() -> None:
    assert as_text(ABOUT, MEASURED) == snapshot("""\
test.csv: learnt from split 'train', measured on split 'test'
router vector, encoder static
2 agents, 2 capabilities, 10 examples; 6 messages, 2 of them for nobody; each message alone
note: agents of the test that nothing is known of: <x>

right agent                          75.00 % (3 of 4; 95 %: 30.06 to 95.44)
right capability                     75.00 % (3 of 4; 95 %: 30.06 to 95.44)
covered (not declined)               75.00 % (3 of 4; 95 %: 30.06 to 95.44)
asked back                           25.00 % (1 of 4; 95 %: 4.56 to 69.94)
right where matched                  100.00 % (2 of 2; 95 %: 34.24 to 100.00)
calibration error                    37.50 %
for nobody: declined                 50.00 % (1 of 2; 95 %: 9.45 to 90.55)
for nobody: AUROC                    87.50 %
for nobody: declined, keeping 95 %   50.00 %
ms p50 / p95 / p99 / mean            1.00 / 1.00 / 1.00 / 1.00
learning                             0.50 s

AGENT   ROWS   RIGHT                                      ASKED     DECLINED
a       2      50.00 % (1 of 2; 95 %: 9.45 to 90.55)      50.00 %   0.00 %
b       2      100.00 % (2 of 2; 95 %: 34.24 to 100.00)   0.00 %    50.00 %

LANGUAGE   ROWS   RIGHT                                      ASKED      DECLINED
de         1      0.00 % (0 of 1; 95 %: 0.00 to 79.35)       100.00 %   0.00 %
en         3      100.00 % (3 of 3; 95 %: 43.85 to 100.00)   0.00 %     33.33 %

KIND     ROWS   RIGHT                                      ASKED      DECLINED
first    3      100.00 % (3 of 3; 95 %: 43.85 to 100.00)   0.00 %     33.33 %
switch   1      0.00 % (0 of 1; 95 %: 0.00 to 79.35)       100.00 %   0.00 %

WRONG   LABEL   TAKEN FOR   AS IN
1       a/a-c   b/b-c       'hi'
""")


def test_the_json_holds_every_figure() -> None:
    data = json.loads(json.dumps(as_json(ABOUT, MEASURED)))
    assert data["summary"]["agent"]["percent"] == 75
    assert data["about"]["encoder"] == "static"
    assert {"summary", "latency", "curve", "bins", "agents", "languages", "kinds", "confusions"} < set(data)


def test_the_page_loads_nothing_and_escapes_what_it_shows() -> None:
    hostile = prediction("<script>alert(1)</script>", "b", 0.5)
    page = as_html(ABOUT, measure(Played((*FOUND, hostile), 0.5)))
    assert "<script" not in page
    assert "&lt;x&gt;" in page
    assert not re.search(r"(src|href)=|url\(|@import|https?://", page)
    assert page.count("<svg") == 2


def test_plots_are_well_formed_and_lie_within_their_frame() -> None:
    for plot in (
        line_plot([(10, 0), (100, 37.5)], x="a & b", y="c", title="<t>"),
        line_plot([(100, 0)], x="x", y="y", title="t"),
        reliability_plot([(0.0, 0, 1), (1.0, 100, 500)], x="x", y="y", title="t"),
    ):
        svg = ET.fromstring(plot)
        _, _, width, height = map(float, svg.attrib["viewBox"].split())
        circles = list(svg.iter("circle"))
        assert circles
        for circle in circles:
            assert float(circle.attrib["cx"]) - float(circle.attrib["r"]) >= 0
            assert float(circle.attrib["cx"]) + float(circle.attrib["r"]) <= width
            assert float(circle.attrib["r"]) <= float(circle.attrib["cy"]) <= height
