"""Draw the figures of the site: each page's own code is run, and so are the scripts of figures/.

A source is a page (its python blocks are one script) or a script. It runs in ``drawn/NAME`` of the
documentation's folder, where it saves what pages show. It is run again only after its code has
changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.display import status_iterator

BLOCK = re.compile(r"^```python\n(.*?)^```", re.S | re.M)
STAMP = "code.sha256"

logger = logging.getLogger(__name__)


def code_of(path: Path) -> str:
    """Return the script of a page or of a file of Python."""
    text = path.read_text(encoding="utf-8")
    return "\n".join(BLOCK.findall(text)) if path.suffix == ".md" else text


def draw(path: Path, folder: Path, root: Path) -> None:
    """Run the code of a source in its folder, unless the figures there are of this code."""
    code = code_of(path)
    digest = hashlib.sha256(code.encode()).hexdigest()
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text() == digest:
        return
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "code.py"
    script.write_text(code, encoding="utf-8")
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ExtensionError(f"the code of {path} ends with an error:\n{done.stderr}")
    stamp.write_text(digest)


def draw_all(app) -> None:
    """Draw the figures of all sources."""
    import geomot

    docs = Path(app.srcdir)
    paths = sorted({path for name in app.config.drawn_sources for path in docs.glob(name)})
    for path in status_iterator(paths, "drawing... ", length=len(paths), stringify_func=str):
        draw(path, docs / "drawn" / path.stem, Path(geomot.__file__).parents[1])


def setup(app):
    """Draw before pages are read."""
    app.add_config_value("drawn_sources", [], "env", [list])
    app.connect("builder-inited", draw_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
