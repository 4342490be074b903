"""The report as a person opens it: complete, the same each time, readable, and quiet in a real browser."""

import html
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pandas as pd
import pytest
from jinja2 import StrictUndefined, Template
from results_folder import MadeUpResults

from flexibert.cli import main
from flexibert.report import style
from flexibert.report.figure_tables import FIGURE_TABLES
from flexibert.report.figures import FIGURES, draw
from flexibert.report.page import write_report
from flexibert.report.page_tables import TABLES

BROWSER_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--v=0",
]
LIGHT, DARK = "#fbfbfa", "#191d24"  # grounds of the page on which figures stand


@pytest.fixture(scope="module")
def page(finished_results, tmp_path_factory) -> Path:
    return write_report(finished_results, tmp_path_factory.mktemp("page") / "report")


@pytest.fixture(scope="module")
def half_page(half_results, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("half-page") / "report"
    assert main(["report", str(half_results), "--out", str(out)]) == 0
    return out / "index.html"


def test_every_figure_and_table_is_on_the_page_and_beside_it(page):
    text = page.read_text(encoding="utf-8")
    for name in FIGURES:
        assert f'<figure id="figure-{name}"' in text
        assert len(pd.read_csv(page.parent / "figures" / f"{name}.csv"))
        ElementTree.parse(page.parent / "figures" / f"{name}.svg")
    for name in TABLES:
        assert f'<table id="table-{name}"' in text
        assert len(pd.read_csv(page.parent / "tables" / f"{name}.csv"))
    assert set(FIGURES) == set(FIGURE_TABLES)


def answer_of(page: Path) -> str:
    text = html.unescape(page.read_text(encoding="utf-8"))
    assert text.index('id="answer"') < text.index('class="tiles"')
    return re.search(r'<p class="first">(.*?)</p>', text)[1]


def test_the_page_opens_with_the_verdict(page, finished_results):
    evidence = json.loads((finished_results / "evidence/main.json").read_text(encoding="utf-8"))
    assert answer_of(page) == evidence["verdict"][0]


def test_a_page_before_the_confirmation_says_that_nothing_is_confirmed(half_page, unconfirmed_results, tmp_path):
    assert answer_of(half_page).startswith("Nothing is confirmed yet: each model of the search main was trained once")
    partly = write_report(unconfirmed_results, tmp_path / "report")
    assert re.match(r"Nothing is confirmed yet: 4 of \d+ repeated trainings are scored", answer_of(partly))


def test_a_page_without_any_confirmation_says_that_differences_may_be_luck(tmp_path):
    made = MadeUpResults(tmp_path / "results")
    made.search("main", made.library(), rounds=2)
    made.finish("main")
    assert answer_of(write_report(made.path)).startswith("Nothing is confirmed: the search main chose ")


def test_tasks_that_no_model_learns_are_marked(page):
    text = html.unescape(page.read_text(encoding="utf-8"))
    assert "† Nothing beats the majority answer: probes-wnli." in text
    assert "<td>wnli †</td>" in text
    assert text.count(" †</td>") == 1


def test_the_comparison_comes_first_on_the_page_of_several_searches(page, half_page):
    several, one = page.read_text(encoding="utf-8"), half_page.read_text(encoding="utf-8")
    assert several.index('id="comparison"') < several.index('id="outcome"')
    assert one.index('id="outcome"') < one.index('id="comparison"')
    assert "searches compared" in several
    assert "searches compared" not in one
    assert several.count('id="table-searches"') == one.count('id="table-searches"') == 1


def test_snakemake_s_report_explains_every_figure_and_table():
    captions = Path(__file__).parents[1] / "workflow" / "report"
    for file, names in (("figure.rst", FIGURES), ("table.rst", TABLES)):
        template = Template((captions / file).read_text(encoding="utf-8"), undefined=StrictUndefined)
        texts = {name: template.render(snakemake={"wildcards": {"name": name}}) for name in names}
        assert len(set(texts.values())) == len(names)
        assert all(FIGURES[name].title in text for name, text in texts.items() if file == "figure.rst")


def test_page_needs_nothing_beside_it(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link(?! rel=\"icon\" href=\"data:)|img|iframe)\b", text)
    assert not re.search(r"@import|url\((?!#)", text)
    assert not re.search(r"(src|href)=\"(https?:)?//", text)


def test_equal_results_give_equal_bytes(page, finished_results, tmp_path):
    write_report(finished_results, tmp_path / "again")
    files = sorted(path.relative_to(page.parent) for path in page.parent.rglob("*.*"))
    assert len(files) == 1 + len(TABLES) + 2 * len(FIGURES)
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (page.parent / name).read_bytes(), name


def test_names_inside_the_figures_do_not_collide(page):
    names = re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8"))
    assert len(names) == len(set(names))


def test_what_is_missing_is_said_in_a_sentence(half_page):
    text = html.unescape(half_page.read_text(encoding="utf-8"))
    assert FIGURES["comparison"].missing in text
    assert "No model has been trained at the final budget yet" in text
    assert '<table id="table-leaderboard"' in text
    assert FIGURES["comparison"].missing in (half_page.parent / "figures" / "comparison.svg").read_text(
        encoding="utf-8"
    )


def test_what_a_person_supplied_cannot_break_the_page(finished_results, tmp_path):
    path = tmp_path / "results"
    shutil.copytree(finished_results, path)
    card = next(path.glob("models/*/*/card.json"))
    content = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps(content | {"status": "failed", "reason": "<script>alert(1)</script>"}), encoding="utf-8")
    text = write_report(path).read_text(encoding="utf-8")
    assert "&lt;script&gt;" in text
    assert "<script" not in text


def test_a_report_follows_the_settings_given_and_replaces_the_former_one(half_results, tmp_path):
    out = tmp_path / "report"
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "old.svg").write_text("old", encoding="utf-8")
    text = write_report(half_results, out, {"leaderboard_rows": 3}).read_text(encoding="utf-8")
    assert "3 of 6. The posterior" in text
    assert not (out / "figures" / "old.svg").exists()


def test_a_report_replaces_nothing_but_a_report(half_results, tmp_path, monkeypatch, capsys):
    """The folder named is replaced as a whole, so that a wrong one would lose what is in it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path / "mine")
    for out, told in ((".", "not a folder that can be made"), ("../mine", "notes.txt"), ("../file", "not a folder")):
        assert main(["report", str(half_results), "--out", out]) == 1
        assert told in capsys.readouterr().err
    assert (tmp_path / "mine" / "notes.txt").read_text() == (tmp_path / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine"]


def test_large_maps_stay_small():
    count = 9312
    table = pd.DataFrame(
        {"id": map(str, range(count)), "x": range(count), "y": 0.5, "predicted": 1.0, "observed": None}
    )
    text = draw("embedding-map", table.assign(observed=pd.Series(dtype=float), best=False))
    assert len(text) < 300_000


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", [LIGHT, DARK])
@pytest.mark.parametrize(
    "colour", sorted({*style.SERIES, *style.REASON_COLOURS.values(), *style.SCORE_COLOURS, style.INK})
)
def test_colours_can_be_told_from_a_light_and_a_dark_ground(colour, ground):
    lighter, darker = sorted([luminance(colour), luminance(ground)], reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3.0


def opened(browser: str, page: Path, folder: Path, *options: str) -> tuple[str, list[str]]:
    """The page's document after loading, and what the browser's console said."""
    command = [browser, *BROWSER_OPTIONS, f"--user-data-dir={folder}", *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


MEASURE = """
<p id="measured"></p>
<script>
const frame = document.createElement("iframe");
frame.width = WIDTH; frame.height = 900; frame.style.border = 0;
frame.onload = () => {
  const page = frame.contentDocument;
  const sizes = {};
  for (const each of page.querySelectorAll("figure")) {
    const drawn = each.querySelector("svg, .missing").getBoundingClientRect();
    sizes[each.id] = [drawn.width, drawn.height];
  }
  const tables = [...page.querySelectorAll("table")].map(each => each.id);
  const wide = page.documentElement.scrollWidth;
  const text = page.defaultView.getComputedStyle(page.querySelector("svg text")).fill;
  document.getElementById("measured").textContent = JSON.stringify({sizes, tables, wide, text});
};
frame.srcdoc = PAGE;
document.body.append(frame);
</script>
"""


def measured(browser: str, page: Path, folder: Path, width: int, *options: str) -> dict:
    """What a script sees of the page in a window of `width` pixels."""
    text = json.dumps(page.read_text(encoding="utf-8")).replace("</", "<\\/")
    wrapper = folder / f"measure-{width}.html"
    wrapper.write_text(MEASURE.replace("WIDTH", str(width)).replace("PAGE", text), encoding="utf-8")
    document, console = opened(browser, wrapper, folder / f"profile-{width}", *options)
    assert console == []
    return json.loads(html.unescape(re.search(r'id="measured">(.*?)</p>', document, re.DOTALL)[1]))


@pytest.mark.parametrize("state", ["page", "half_page"])
def test_browser_shows_every_figure_and_table_without_a_word_in_the_console(browser, state, request, tmp_path):
    document, console = opened(browser, request.getfixturevalue(state), tmp_path)
    assert console == []
    for name in FIGURES:
        assert f'id="figure-{name}"' in document
    for name in TABLES:
        assert f'id="table-{name}"' in document


def test_the_console_would_be_heard(browser, page, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text(encoding="utf-8") + "<script>undefined_name()</script>", encoding="utf-8")
    assert opened(browser, broken, tmp_path / "profile")[1]


@pytest.mark.parametrize("width", [360, 1280])
def test_figures_have_room_on_a_phone_and_on_a_desk(browser, page, tmp_path, width):
    seen = measured(browser, page, tmp_path, width)
    assert set(seen["sizes"]) == {f"figure-{name}" for name in FIGURES}
    assert all(wide >= 250 and high >= 60 for wide, high in seen["sizes"].values())
    assert set(seen["tables"]) == {f"table-{name}" for name in TABLES}
    assert seen["wide"] <= width  # nothing but a table's own box scrolls sideways


def test_text_in_figures_follows_the_theme(browser, page, tmp_path):
    light = measured(browser, page, tmp_path, 800)["text"]
    dark = measured(browser, page, tmp_path, 801, "--blink-settings=preferredColorScheme=0")["text"]
    assert light == "rgb(31, 38, 48)"
    assert dark == "rgb(228, 232, 237)"
