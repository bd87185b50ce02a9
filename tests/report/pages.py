"""Pages of reports as tests read them, and as a browser shows them."""

from __future__ import annotations

import json
import subprocess
from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags, ids, text, addresses and pictures of a page, whose tags have to be closed in their order."""

    void = frozenset({"meta", "br", "img", "input", "image", "link", "source"})

    def __init__(self, folder):
        super().__init__()
        self.open, self.tags, self.ids, self.parts, self.links, self.images = [], [], [], [], [], []
        self.feed((folder / "index.html").read_text(encoding="utf-8"))
        assert self.open == []

    @property
    def text(self):
        """All text, with single blanks."""
        return " ".join(" ".join(self.parts).split())

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if tag in ("img", "image"):
            self.images.append(values)
        if tag in ("a", "link", "script"):
            self.links.append(values.get("href") or values.get("src") or "")
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.parts.append(data)


def probed(chromium, folder, tmp_path, *, width, script):
    """What a script logs in a page that a browser shows in a window of this width."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    probe = f"""<script>
    window.addEventListener("load", async () => {{
      const log = [document.documentElement.scrollWidth <= document.documentElement.clientWidth];
      log.push(Array.from(document.images).every(i => i.naturalWidth > 0));
      {script}
      document.title = "PROBE " + JSON.stringify(log);
    }});
    </script>"""
    page = tmp_path / "probe.html"
    page.write_text(text.replace("</body>", probe + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-background-networking", "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900",
            "--virtual-time-budget=5000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    title = done.stdout.split("<title>")[1].split("</title>")[0]
    return json.loads(title.removeprefix("PROBE "))


FIRST_SCREEN = """
  const box = selector => document.querySelector(selector).getBoundingClientRect();
  log.push(box(".headline").right <= box(".headline-figure").left);
  log.push(box(".headline-figure").bottom <= box(".verdicts").top);
  log.push(box(".verdicts table").bottom <= 900);
"""
"""The headline beside its figure, and both above the table of all maps, in a window of 900 pixels."""

SOURCES_TABLE = """
  const table = document.getElementById("sources-table");
  const bodies = () => Array.from(table.tBodies);
  const n_shown = () => bodies().filter(b => !b.hidden).length;
  const set = (id, value) => {
    document.getElementById(id).value = value;
    document.getElementById(id).dispatchEvent(new Event("input"));
    log.push(n_shown());
  };
  log.push(n_shown());
  set("find", "source_0");
  document.getElementById("find").value = "";
  set("class", "FR I");
  document.getElementById("class").value = "";
  document.getElementById("class").dispatchEvent(new Event("input"));
  const head = table.tHead.querySelectorAll("button")[COLUMN];
  const values = () => bodies().map(b => Number(b.rows[0].cells[COLUMN].dataset.sort));
  head.click();
  log.push(values().every((v, i, all) => i === 0 || all[i - 1] >= v));
  head.click();
  log.push(values().every((v, i, all) => i === 0 || all[i - 1] <= v));
  const [first, second] = bodies()[0].rows;
  log.push(second.hidden);
  first.querySelector("button").click();
  log.push(second.hidden);
  log.push(second.querySelector("svg image").getBoundingClientRect().width > 100);
"""
"""Filter, sort and open the table of all sources; COLUMN is the one that is sorted."""

SOURCE_PANELS = """
  const bodies = Array.from(document.getElementById("sources-table").tBodies);
  const opened = () => bodies.filter(b => !b.rows[1].hidden).map(b => bodies.indexOf(b));
  const shown = body => Array.from(body.querySelectorAll(".attention:not([hidden])"), g => g.dataset.map);
  bodies[1].querySelector("button").click();
  log.push(shown(bodies[1]));
  const maps = bodies[1].querySelector(".maps"), names = Array.from(maps.options, o => o.value);
  maps.value = names[1];
  maps.dispatchEvent(new Event("input"));
  log.push(shown(bodies[1]));
  const press = key => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: key, bubbles: true }));
  bodies[1].querySelector("button").focus();
  press("ArrowRight");
  log.push(opened(), shown(bodies[2]));
  press("ArrowLeft");
  log.push(opened());
  bodies[1].querySelector(".next").click();
  log.push(opened(), bodies[2].querySelector(".link").getAttribute("href"));
  location.hash = bodies[5].id;
  window.dispatchEvent(new Event("hashchange"));
  log.push(opened());
  let text = null;
  URL.createObjectURL = blob => { text = blob.text(); return "#"; };
  document.getElementById("save").click();
  const saved = await text;
  log.push(saved.split("\\n").slice(0, 2), saved.split("\\n").length);
"""
"""Open panels, switch their map, step by keys and buttons, follow an address, and save the table."""
